//! Makes regtest blocks and knows what coins any branch of them must leave.

use std::collections::BTreeMap;

use gio_chain::{BodyFile, Chain, Store};
use gio_coin::{
    Block, BlockContext, BlockHash, Link, Network, OutPoint, Params, Script, Transaction, TxIn,
    TxOut, UtxoSet, Witness, assemble, coinbase, connect_block, connect_genesis, mine, opcode,
    sha256, subsidy,
};
use gio_protocol::{Gio, UnixSeconds};

/// Later than any block made here.
pub(crate) const NOW: UnixSeconds = UnixSeconds(2_000_000_000);

/// Blocks by id, made on demand.
pub(crate) struct Forge {
    pub(crate) params: Params,
    blocks: BTreeMap<BlockHash, (u32, Block)>,
    made: u32,
}

/// Anybody can spend it.
pub(crate) fn open_script() -> Script {
    Script::new([opcode::OP_1])
}

fn pay(units: u64) -> TxOut {
    TxOut {
        value: Gio::from_units(units),
        script_pubkey: open_script(),
        link: Link::new(*b"gio:test").expect("a short link"),
    }
}

/// Spends open coins into two halves.
pub(crate) fn halve(point: OutPoint, units: u64) -> Transaction {
    Transaction {
        version: 2,
        inputs: vec![TxIn {
            previous: point,
            script_sig: Script::default(),
            sequence: u32::MAX,
            witness: Witness::new(),
        }],
        outputs: vec![pay(units / 2), pay(units - units / 2)],
        lock_time: 0,
    }
}

impl Forge {
    pub(crate) fn new() -> Self {
        let params = Params::of(Network::Regtest);
        let genesis = params.genesis.clone();
        Self {
            blocks: BTreeMap::from([(genesis.id(), (0, genesis))]),
            params,
            made: 0,
        }
    }

    pub(crate) fn genesis(&self) -> BlockHash {
        self.params.genesis_id()
    }

    pub(crate) fn get(&self, id: &BlockHash) -> &Block {
        &self.blocks[id].1
    }

    /// A block after `parent` with these transactions, different from all others.
    pub(crate) fn block(&mut self, parent: BlockHash, others: Vec<Transaction>) -> Block {
        let reward = subsidy(self.blocks[&parent].0 + 1).units();
        self.block_paying(parent, reward, others)
    }

    pub(crate) fn block_paying(
        &mut self,
        parent: BlockHash,
        reward: u64,
        others: Vec<Transaction>,
    ) -> Block {
        let (below, before) = &self.blocks[&parent];
        let height = below + 1;
        self.made += 1;
        let first = coinbase(height, &self.made.to_le_bytes(), vec![pay(reward)]);
        let header = before.header;
        let block = assemble(parent, header.time + 60, header.bits, first, others);
        let mut block = block.expect("the transactions differ");
        block.header = mine(block.header, 0..=u32::MAX).expect("every second nonce is good");
        self.blocks.insert(block.id(), (height, block.clone()));
        block
    }

    /// A block after `parent` that is large and no more.
    pub(crate) fn fat_block(&mut self, parent: BlockHash, bytes: usize) -> Block {
        let (below, before) = &self.blocks[&parent];
        let (height, before) = (below + 1, before.header);
        let mut noise = vec![0; bytes];
        noise[0] = opcode::OP_RETURN;
        let script_pubkey = Script::new(noise);
        let (value, link) = (Gio::ZERO, Link::NONE);
        let noise = TxOut {
            value,
            script_pubkey,
            link,
        };
        self.made += 1;
        let first = coinbase(height, &self.made.to_le_bytes(), vec![noise]);
        let block = assemble(parent, before.time + 60, before.bits, first, vec![]);
        let mut block = block.expect("there is one transaction");
        block.header = mine(block.header, 0..=u32::MAX).expect("every second nonce is good");
        self.blocks.insert(block.id(), (height, block.clone()));
        block
    }

    /// So many empty blocks after `parent`.
    pub(crate) fn grow(&mut self, parent: BlockHash, count: u32) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        for _ in 0..count {
            let parent = blocks.last().map_or(parent, Block::id);
            blocks.push(self.block(parent, vec![]));
        }
        blocks
    }

    /// The coin of a block's coinbase.
    pub(crate) fn reward_of(block: &Block) -> (OutPoint, u64) {
        let txid = block.transactions[0].txid();
        let units = block.transactions[0].outputs[0].value.units();
        (OutPoint { txid, index: 0 }, units)
    }

    /// The digest of the coins that the branch to `tip` must leave.
    pub(crate) fn coins_digest(&self, tip: BlockHash) -> [u8; 32] {
        let mut branch = vec![];
        let mut at = tip;
        while at != self.genesis() {
            branch.push(self.get(&at));
            at = self.get(&at).header.previous;
        }
        let mut coins = UtxoSet::new();
        coins
            .apply(connect_genesis(&self.params.genesis))
            .expect("an empty set");
        for (height, block) in (1..).zip(branch.into_iter().rev()) {
            let context = BlockContext {
                height,
                median_time_past: u32::MAX,
                median_time_at: &|_| 0,
            };
            let connected = connect_block(block, &context, &coins).expect("a valid branch");
            coins.apply(connected.changes).expect("changes of this set");
        }
        let mut running = [0; 32];
        for (point, coin) in coins.iter() {
            let index = point.index.to_be_bytes();
            let key = [&point.txid.as_bytes()[..], &index].concat();
            running = sha256(&[&running[..], &key, &coin.encode()].concat());
        }
        running
    }

    /// Asserts that a chain stands at this block with exactly its coins.
    pub(crate) fn assert_at(&self, chain: &Chain, tip: BlockHash) {
        assert_eq!(chain.tip(), tip);
        assert_eq!(
            chain.coins_digest().expect("a readable store"),
            self.coins_digest(tip)
        );
    }

    /// An empty chain in a folder that is removed with it.
    pub(crate) fn chain(&self) -> (tempfile::TempDir, Chain) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let chain = self.open(folder.path());
        (folder, chain)
    }

    /// The chain in a folder.
    pub(crate) fn open(&self, folder: &std::path::Path) -> Chain {
        let store = Store::open(&folder.join("index"), &self.params).expect("an intact store");
        let magic = self.params.magic;
        let bodies = |end| BodyFile::open(&folder.join("blocks"), magic, end);
        Chain::open(self.params.clone(), store, bodies).expect("an intact chain")
    }
}
