//! Blocks: a header and the transactions it commits to.

use crate::hash::{BlockHash, Txid};
use crate::header::{HEADER_BYTES, Header};
use crate::transaction::Transaction;
use crate::wire::{ByteCount, DecodeError, Reader, Sink, put_compact};

/// Largest block: every byte counts, witnesses and links included, without discount (R28).
pub const MAX_BLOCK_BYTES: usize = 2_097_152;

/// Version 4, count 1, one input 41, count 1, lock time 4.
const MIN_TX_BYTES: usize = 51;

/// A header and the transactions it commits to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The 80 bytes with the work.
    pub header: Header,
    /// The coinbase and the others.
    pub transactions: Vec<Transaction>,
}

impl Block {
    /// The header's id.
    #[must_use]
    pub fn id(&self) -> BlockHash {
        self.header.id()
    }

    /// The ids of its transactions, in order.
    #[must_use]
    pub fn txids(&self) -> Vec<Txid> {
        self.transactions.iter().map(Transaction::txid).collect()
    }

    /// The complete bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.encoded_len());
        self.write(&mut bytes);
        bytes
    }

    /// Length of the complete bytes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let mut count = ByteCount::default();
        self.write(&mut count);
        count.0
    }

    fn write<S: Sink + ?Sized>(&self, sink: &mut S) {
        sink.put(&self.header.encode());
        put_compact(sink, self.transactions.len());
        for transaction in &self.transactions {
            transaction.write(sink);
        }
    }

    /// Exactly one block.
    ///
    /// # Errors
    /// [`DecodeError`] unless the bytes are what [`Block::encode`] would give.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_BLOCK_BYTES {
            return Err(DecodeError::TooLarge {
                what: "block",
                length: bytes.len() as u64,
                max: MAX_BLOCK_BYTES,
            });
        }
        let mut reader = Reader::new(bytes);
        let header = Header::read(&mut reader)?;
        let count = reader.count("transactions", MIN_TX_BYTES)?;
        let mut transactions = Vec::with_capacity(count);
        for _ in 0..count {
            transactions.push(Transaction::read(&mut reader)?);
        }
        reader.finish()?;
        Ok(Self {
            header,
            transactions,
        })
    }
}

const _: () = assert!(HEADER_BYTES == 80, "the first field of every block");
