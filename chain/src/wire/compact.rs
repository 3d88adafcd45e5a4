//! Blocks without the transactions the receiver has (BIP 152, version 2): a block as short ids, the request for what
//! is missing, and the answer.

use gio_coin::{
    Block, BlockHash, DecodeError, Header, MAX_BLOCK_BYTES, Reader, Sink, Transaction, Wtxid,
    put_compact, sha256,
};

/// Most transactions of a block: the smallest has 60 bytes.
pub const MAX_BLOCK_TXS: usize = MAX_BLOCK_BYTES / 60;

/// Six bytes that stand for a transaction within one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShortId(pub [u8; 6]);

/// Makes the short ids of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShortIds([u64; 2]);

impl ShortIds {
    /// The key follows from header and nonce, so that nobody knows it before the message is made.
    #[must_use]
    pub fn new(header: &Header, nonce: u64) -> Self {
        let digest = sha256(&[&header.encode()[..], &nonce.to_le_bytes()].concat());
        let word = |at: usize| {
            let bytes = digest[at..].first_chunk::<8>();
            u64::from_le_bytes(bytes.copied().unwrap_or_default())
        };
        Self([word(0), word(8)])
    }

    /// The short id of a transaction: the lower 48 bits of a keyed hash.
    #[must_use]
    pub fn of(&self, wtxid: &Wtxid) -> ShortId {
        let hash = siphash(self.0, wtxid.as_bytes()).to_le_bytes();
        let [a, b, c, d, e, f, ..] = hash;
        ShortId([a, b, c, d, e, f])
    }
}

/// One round of SipHash.
const fn sip_round([mut a, mut b, mut c, mut d]: [u64; 4]) -> [u64; 4] {
    a = a.wrapping_add(b);
    b = b.rotate_left(13) ^ a;
    a = a.rotate_left(32);
    c = c.wrapping_add(d);
    d = d.rotate_left(16) ^ c;
    a = a.wrapping_add(d);
    d = d.rotate_left(21) ^ a;
    c = c.wrapping_add(b);
    b = b.rotate_left(17) ^ c;
    c = c.rotate_left(32);
    [a, b, c, d]
}

/// SipHash-2-4.
fn siphash([k0, k1]: [u64; 2], bytes: &[u8]) -> u64 {
    let mut state = [
        k0 ^ 0x736f_6d65_7073_6575,
        k1 ^ 0x646f_7261_6e64_6f6d,
        k0 ^ 0x6c79_6765_6e65_7261,
        k1 ^ 0x7465_6462_7974_6573,
    ];
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    last[7] = bytes.len().to_le_bytes()[0];
    for word in words.iter().chain([&last]) {
        let word = u64::from_le_bytes(*word);
        state[3] ^= word;
        state = sip_round(sip_round(state));
        state[0] ^= word;
    }
    state[2] ^= 0xff;
    for _ in 0..4 {
        state = sip_round(state);
    }
    state.iter().fold(0, |sum, word| sum ^ word)
}

/// A block as its header, short ids, and the transactions the receiver cannot have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompactBlock {
    /// The block's header.
    pub header: Header,
    /// Part of the short ids' key.
    pub nonce: u64,
    /// What stands for the other transactions, in their order.
    pub short_ids: Vec<ShortId>,
    /// Transactions as they are, with their positions in the block, ascending.
    pub prefilled: Vec<(u32, Transaction)>,
}

/// The transactions of a block that somebody lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockTxnRequest {
    /// The block.
    pub block: BlockHash,
    /// Their positions, ascending.
    pub positions: Vec<u32>,
}

/// The answer: those transactions, in that order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockTxn {
    /// The block.
    pub block: BlockHash,
    /// The transactions.
    pub transactions: Vec<Transaction>,
}

impl CompactBlock {
    /// A block for somebody who has all of it but the coinbase; `nonce` should be random.
    #[must_use]
    pub fn new(block: &Block, nonce: u64) -> Self {
        let ids = ShortIds::new(&block.header, nonce);
        let others = block.transactions.iter().skip(1);
        let first = block.transactions.first();
        Self {
            header: block.header,
            nonce,
            short_ids: others.map(|each| ids.of(&each.wtxid())).collect(),
            prefilled: first.map(|each| (0, each.clone())).into_iter().collect(),
        }
    }

    /// How many transactions the block has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.short_ids.len() + self.prefilled.len()
    }

    /// Whether it has none, which no block does.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn write(&self, bytes: &mut Vec<u8>) {
        bytes.put(&self.header.encode());
        bytes.put(&self.nonce.to_le_bytes());
        put_compact(bytes, self.short_ids.len());
        self.short_ids.iter().for_each(|id| bytes.put(&id.0));
        put_compact(bytes, self.prefilled.len());
        let mut steps = Steps::default();
        for (position, transaction) in &self.prefilled {
            put_compact(bytes, steps.to(*position));
            bytes.put(&transaction.encode());
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let header = Header::read(reader)?;
        let nonce = reader.u64()?;
        let count = reader.count("short ids", 6)?;
        let short_ids = (0..count).map(|_| reader.array().map(ShortId));
        let short_ids = short_ids.collect::<Result<Vec<_>, _>>()?;
        // One byte of position, and no transaction is below ten bytes.
        let whole = reader.count("prefilled transactions", 11)?;
        let all = at_most(count + whole, MAX_BLOCK_TXS, "transactions of a block")?;
        let mut steps = Steps::default();
        let mut prefilled = Vec::with_capacity(whole);
        for _ in 0..whole {
            let position = steps.read(reader, all)?;
            prefilled.push((position, Transaction::read(reader)?));
        }
        Ok(Self {
            header,
            nonce,
            short_ids,
            prefilled,
        })
    }
}

impl BlockTxnRequest {
    pub(super) fn write(&self, bytes: &mut Vec<u8>) {
        bytes.put(self.block.as_bytes());
        put_compact(bytes, self.positions.len());
        let mut steps = Steps::default();
        for position in &self.positions {
            put_compact(bytes, steps.to(*position));
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let block = reader.array().map(BlockHash::from_bytes)?;
        let count = reader.count("positions", 1)?;
        at_most(count, MAX_BLOCK_TXS, "positions")?;
        let mut steps = Steps::default();
        let positions = (0..count).map(|_| steps.read(reader, MAX_BLOCK_TXS));
        let positions = positions.collect::<Result<_, _>>()?;
        Ok(Self { block, positions })
    }
}

impl BlockTxn {
    /// No transactions at all.
    pub(crate) const fn none(block: BlockHash) -> Self {
        Self {
            block,
            transactions: Vec::new(),
        }
    }

    pub(super) fn write(&self, bytes: &mut Vec<u8>) {
        bytes.put(self.block.as_bytes());
        put_compact(bytes, self.transactions.len());
        let all = self.transactions.iter();
        all.for_each(|transaction| bytes.put(&transaction.encode()));
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let block = reader.array().map(BlockHash::from_bytes)?;
        let count = reader.count("transactions", 10)?;
        at_most(count, MAX_BLOCK_TXS, "transactions")?;
        let transactions = (0..count).map(|_| Transaction::read(reader));
        let transactions = transactions.collect::<Result<_, _>>()?;
        Ok(Self {
            block,
            transactions,
        })
    }
}

fn at_most(count: usize, max: usize, what: &'static str) -> Result<usize, DecodeError> {
    let length = count as u64;
    let large = DecodeError::TooLarge { what, length, max };
    (count <= max).then_some(count).ok_or(large)
}

/// Ascending positions, each written as its distance from the one before, less one.
#[derive(Debug, Default)]
struct Steps {
    next: u32,
}

impl Steps {
    const fn to(&mut self, position: u32) -> usize {
        let step = position.wrapping_sub(self.next);
        self.next = position.wrapping_add(1);
        step as usize
    }

    fn read(&mut self, reader: &mut Reader<'_>, below: usize) -> Result<u32, DecodeError> {
        let position = u64::from(self.next).saturating_add(reader.compact()?);
        let what = "position of a transaction";
        let large = DecodeError::TooLarge {
            what,
            length: position,
            max: below.saturating_sub(1),
        };
        let position = u32::try_from(position).ok();
        let position = position.filter(|position| (*position as usize) < below);
        let position = position.ok_or(large)?;
        self.next = position + 1;
        Ok(position)
    }
}

#[cfg(test)]
mod tests {
    use gio_coin::{Network, Params};

    use super::*;

    #[test]
    fn siphash_is_the_published_one() {
        // The first and the last vector of the authors' list: key 00..0f, messages 00, 01, 02 …
        let key = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
        let message: Vec<u8> = (0..63).collect();
        assert_eq!(siphash(key, &[]), 0x726f_db47_dd0e_0e31);
        assert_eq!(siphash(key, &message), 0x958a_324c_eb06_4572);
    }

    #[test]
    fn short_ids_are_those_of_the_bitcoin_crate() {
        use bitcoin::hashes::Hash as _;
        let genesis = Params::of(Network::Regtest).genesis;
        let header = bitcoin::consensus::deserialize(&genesis.header.encode()).unwrap();
        let wtxid = genesis.transactions[0].wtxid();
        let theirs = bitcoin::Wtxid::from_byte_array(*wtxid.as_bytes());
        for nonce in [0, 7, u64::MAX] {
            let keys = bitcoin::bip152::ShortId::calculate_siphash_keys(&header, nonce);
            let expected = bitcoin::bip152::ShortId::with_siphash_keys(&theirs, keys);
            let ours = ShortIds::new(&genesis.header, nonce).of(&wtxid);
            assert_eq!(&ours.0[..], AsRef::<[u8]>::as_ref(&expected));
        }
    }

    #[test]
    fn positions_beyond_the_block_are_refused() {
        let genesis = Params::of(Network::Regtest).genesis;
        let good = CompactBlock::new(&genesis, 5);
        let wrong = CompactBlock {
            prefilled: vec![(1, genesis.transactions[0].clone())],
            ..good.clone()
        };
        for (block, is_good) in [(good, true), (wrong, false)] {
            let mut bytes = Vec::new();
            block.write(&mut bytes);
            let read = CompactBlock::read(&mut Reader::new(&bytes));
            assert_eq!(read.is_ok(), is_good, "{read:?}");
        }
        let request = BlockTxnRequest {
            block: genesis.id(),
            positions: vec![0, 2, u32::MAX],
        };
        let mut bytes = Vec::new();
        request.write(&mut bytes);
        let error = BlockTxnRequest::read(&mut Reader::new(&bytes)).unwrap_err();
        assert!(matches!(error, DecodeError::TooLarge { .. }));
    }
}
