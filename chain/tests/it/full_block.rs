//! The largest block goes through every door that blocks come in by.
#![expect(
    clippy::unwrap_used,
    reason = "a test may end at the first thing that is wrong"
)]

use gio_coin::{Block, MAX_BLOCK_BYTES, Script, Transaction, TxOut, opcode};
use gio_protocol::Gio;
use serde_json::{Value, json};

use super::daemon::{Daemon, until};
use super::forge::{Forge, halve};

/// Spends a block's reward and carries so many bytes besides.
fn carrying(block: &Block, bytes: usize) -> Transaction {
    let (point, units) = Forge::reward_of(block);
    let mut carrying = halve(point, units);
    let mut script = vec![opcode::OP_RETURN];
    script.resize(bytes, 0);
    let output = TxOut {
        value: Gio::ZERO,
        script_pubkey: Script::new(script),
        link: gio_coin::Link::NONE,
    };
    carrying.outputs.push(output);
    carrying
}

/// A block of exactly the largest size, after so many that three rewards can be spent.
fn full_block(forge: &mut Forge, base: &[Block]) -> Block {
    const EACH: usize = 690_000;
    let tip = base.last().unwrap().id();
    let mut last = EACH;
    loop {
        let sizes = [EACH, EACH, last];
        let carriers = std::iter::zip(base, sizes).map(|(block, bytes)| carrying(block, bytes));
        let block = forge.block(tip, carriers.collect());
        let length = block.encoded_len();
        if length == MAX_BLOCK_BYTES {
            return block;
        }
        last += MAX_BLOCK_BYTES.checked_sub(length).unwrap();
    }
}

#[test]
fn the_largest_block_can_be_submitted_and_travels() {
    let folder = tempfile::tempdir().unwrap();
    let mut nodes = ["miner", "other"].map(|name| Daemon::init(folder.path().join(name)));
    nodes.iter_mut().for_each(|node| node.start(&[]));
    nodes[0].link(&nodes[1], "add");
    let mut forge = Forge::new();
    let base = forge.grow(forge.genesis(), 103);
    let full = full_block(&mut forge, &base);
    for block in base.iter().chain([&full]) {
        let taken = nodes[0].call("submitblock", json!([hex::encode(block.encode())]));
        assert_eq!(taken, Value::Null);
    }
    let tip = full.id().to_string();
    for node in &nodes {
        until("the full block is the tip", || node.tip() == tip);
    }
    nodes.iter_mut().for_each(Daemon::stop);
}
