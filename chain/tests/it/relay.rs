//! Transactions from peers: looked at only when asked for, once under a tip, and held against who brings what can never
//! be valid.
#![expect(
    clippy::unwrap_used,
    reason = "a test may end at the first thing that is wrong"
)]

use std::time::{Duration, Instant};

use gio_chain::wire::{Inventory, Message};
use gio_chain::{Command, Ledger};
use gio_coin::{
    Block, BlockHash, Link, OutPoint, Script, Transaction, TxOut, Txid, Work, Wtxid, opcode,
};
use gio_protocol::Gio;

use super::forge::{Forge, NOW, halve};
use super::peers::{Node, Stranger, until};

/// A node at height 105, and its blocks; the first five rewards can be spent.
async fn scene(forge: &mut Forge) -> (Node, Vec<Block>) {
    let node = Node::start(forge, 1, Work::ZERO).await;
    let base = forge.grow(forge.genesis(), 105);
    let blocks = base.clone();
    let given = node.ledger.call(move |ledger| {
        for block in &blocks {
            ledger.add_block(block).unwrap();
        }
    });
    given.await.unwrap();
    (node, base)
}

/// Spends a block's reward with a fee; each number gives another transaction.
fn spend(block: &Block, number: u32) -> Transaction {
    let (point, units) = Forge::reward_of(block);
    let mut spend = halve(point, units - 10_000);
    spend.lock_time = number;
    spend
}

/// The same with an input script that no block may contain.
fn never_valid(block: &Block, number: u32) -> Transaction {
    let mut spend = spend(block, number);
    spend.inputs[0].script_sig = Script::new([opcode::OP_RETURN]);
    spend
}

async fn waits(node: &Node, wtxid: Wtxid) -> bool {
    let waits = node.ledger.call(move |ledger| {
        let mut waiting = ledger.mempool().iter();
        waiting.any(|(_, entry)| entry.wtxid == wtxid)
    });
    waits.await.unwrap()
}

/// The scores of all peers, the worst last.
async fn scores(node: &Node) -> Vec<u32> {
    let peers = node.peers.ask(Command::Peers).await.unwrap();
    let mut scores: Vec<u32> = peers.iter().map(|peer| peer.banscore).collect();
    scores.sort_unstable();
    scores
}

/// Announces a transaction and waits to be asked for it.
async fn is_asked(stranger: &mut Stranger, txid: Txid) {
    let item = vec![Inventory::Tx(txid)];
    stranger.say(&Message::Inv(item.clone())).await;
    assert_eq!(stranger.hears("getdata").await, Message::GetData(item));
}

/// Announces a transaction, and brings it when asked.
async fn brings(stranger: &mut Stranger, transaction: &Transaction) {
    is_asked(stranger, transaction.txid()).await;
    stranger.say(&Message::Tx(transaction.clone())).await;
}

/// Waits until all that was said before is heard: the answer to an announcement comes after it.
async fn is_heard(stranger: &mut Stranger, seed: u8) {
    is_asked(stranger, Txid::from_bytes([seed; 32])).await;
}

#[tokio::test]
async fn a_transaction_nobody_asked_for_is_not_looked_at() {
    let mut forge = Forge::new();
    let (node, base) = scene(&mut forge).await;
    let mut stranger = Stranger::greeted(&node, &forge).await;
    let good = spend(&base[0], 0);
    stranger.say(&Message::Tx(good.clone())).await;
    stranger.say(&Message::Tx(never_valid(&base[1], 0))).await;
    is_heard(&mut stranger, 1).await;
    assert!(!waits(&node, good.wtxid()).await);
    assert_eq!(scores(&node).await, [0]);
    brings(&mut stranger, &good).await;
    until("it waits", async || waits(&node, good.wtxid()).await).await;
    node.stop().await;
}

#[tokio::test]
async fn a_transaction_that_can_never_be_valid_counts_and_five_are_a_ban() {
    let mut forge = Forge::new();
    let (node, base) = scene(&mut forge).await;
    let mut stranger = Stranger::greeted(&node, &forge).await;
    for number in 0..4 {
        brings(&mut stranger, &never_valid(&base[0], number)).await;
    }
    let mut greedy = spend(&base[0], 0);
    greedy.outputs[0].value = Gio::from_units(Forge::reward_of(&base[0]).1);
    brings(&mut stranger, &greedy).await;
    stranger.is_hung_up_on().await;
    until("a ban", async || node.bans_loopback().await).await;
    node.stop().await;
}

#[tokio::test]
async fn what_only_this_node_refuses_is_not_held_against_who_brings_it() {
    let mut forge = Forge::new();
    let (node, base) = scene(&mut forge).await;
    let mut stranger = Stranger::greeted(&node, &forge).await;
    let mut unusual = spend(&base[0], 0);
    unusual.inputs[0].script_sig = Script::new([opcode::OP_1]);
    let mut poor = spend(&base[1], 0);
    poor.outputs[1].value = poor.outputs[1].value.plus(Gio::from_units(9_999)).unwrap();
    let mut early = spend(&base[2], 106);
    early.inputs[0].sequence = 0;
    for refused in [unusual, poor, early, spend(&base[104], 0)] {
        brings(&mut stranger, &refused).await;
    }
    is_heard(&mut stranger, 1).await;
    assert_eq!(scores(&node).await, [0]);
    let left = node.ledger.call(|ledger| ledger.mempool().len());
    assert_eq!(left.await.unwrap(), 0);
    node.stop().await;
}

/// A spend of a coin that asks for nothing but its script, and the same with a witness that does not have it.
async fn true_and_spoiled(forge: &mut Forge, node: &Node, base: &[Block]) -> [Transaction; 2] {
    let script = Script::new([opcode::OP_1]);
    let (point, units) = Forge::reward_of(&base[0]);
    let mut fund = halve(point, units);
    fund.outputs[0].script_pubkey = Script::pay_to_witness_script_hash(&script);
    let txid = fund.txid();
    let block = forge.block(base[104].id(), vec![fund]);
    let tip = block.id();
    let added = node
        .ledger
        .call(move |ledger| ledger.add_block(&block).is_ok());
    assert!(added.await.unwrap());
    node.reaches(tip).await;
    let mut genuine = halve(OutPoint { txid, index: 0 }, units / 2 - 10_000);
    genuine.inputs[0].witness = vec![script.as_bytes().to_vec()];
    let mut spoiled = genuine.clone();
    spoiled.inputs[0].witness = vec![vec![opcode::OP_RETURN]];
    [genuine, spoiled]
}

#[tokio::test]
async fn a_spoiled_copy_does_not_keep_the_true_transaction_out() {
    let mut forge = Forge::new();
    let (node, base) = scene(&mut forge).await;
    let [genuine, spoiled] = true_and_spoiled(&mut forge, &node, &base).await;
    assert_eq!(genuine.txid(), spoiled.txid());
    let mut evil = Stranger::greeted(&node, &forge).await;
    brings(&mut evil, &spoiled).await;
    is_heard(&mut evil, 1).await;
    let mut honest = Stranger::greeted(&node, &forge).await;
    brings(&mut honest, &genuine).await;
    until("it waits", async || waits(&node, genuine.wtxid()).await).await;
    node.stop().await;
}

#[tokio::test]
async fn a_refused_transaction_is_judged_once_under_a_tip() {
    let mut forge = Forge::new();
    let (node, base) = scene(&mut forge).await;
    let [_, spoiled] = true_and_spoiled(&mut forge, &node, &base).await;
    let mut first = Stranger::greeted(&node, &forge).await;
    brings(&mut first, &spoiled).await;
    is_heard(&mut first, 1).await;
    let mut second = Stranger::greeted(&node, &forge).await;
    brings(&mut second, &spoiled).await;
    is_heard(&mut second, 2).await;
    assert_eq!(scores(&node).await, [0, 20], "judged for the first alone");
    let tip = node.mine(1).await;
    // Being told of the new tip is the sign that the peers' part of the node knows of it.
    is_told(&mut second, tip).await;
    brings(&mut second, &spoiled).await;
    is_heard(&mut second, 3).await;
    assert_eq!(
        scores(&node).await,
        [20, 20],
        "judged again under a new tip"
    );
    node.stop().await;
}

#[tokio::test]
async fn whose_scripts_are_run_for_nothing_is_asked_for_no_more_until_the_tip_moves() {
    let mut forge = Forge::new();
    let (node, base) = scene(&mut forge).await;
    let mut stranger = Stranger::greeted(&node, &forge).await;
    let unusual = |number| {
        let mut unusual = spend(&base[0], number);
        unusual.inputs[0].script_sig = Script::new([opcode::OP_1]);
        unusual
    };
    for number in 0..20 {
        brings(&mut stranger, &unusual(number)).await;
    }
    // An announced block makes the node ask for headers, whatever it thinks of the transaction beside it.
    stranger.say(&Message::Headers(vec![])).await;
    let next = unusual(20);
    let block = Inventory::Block(BlockHash::from_bytes([7; 32]));
    let both = vec![Inventory::Tx(next.txid()), block];
    stranger.say(&Message::Inv(both)).await;
    let answer = stranger.hear().await.unwrap();
    assert_eq!(answer.name(), "getheaders", "{answer:?}");
    assert_eq!(scores(&node).await, [0]);
    let tip = node.mine(1).await;
    is_told(&mut stranger, tip).await;
    is_asked(&mut stranger, next.txid()).await;
    node.stop().await;
}

async fn is_told(stranger: &mut Stranger, tip: BlockHash) {
    loop {
        let Message::Headers(headers) = stranger.hears("headers").await else {
            unreachable!("asked by name")
        };
        if headers.last().is_some_and(|last| last.id() == tip) {
            return;
        }
    }
}

/// The time to refuse a spend of the last of 24 transactions, of which each has so many outputs that nobody spends.
fn refusal_behind(outputs: usize) -> Duration {
    let mut forge = Forge::new();
    let (_folder, mut chain) = forge.chain();
    let base = forge.grow(forge.genesis(), 101);
    for block in &base {
        chain.add_block(block, NOW).unwrap();
    }
    let mut ledger = Ledger::new(chain, [1; 8]);
    let (mut point, mut units) = Forge::reward_of(&base[0]);
    let nothing = TxOut {
        value: Gio::ZERO,
        script_pubkey: Script::new([opcode::OP_RETURN]),
        link: Link::NONE,
    };
    for _ in 0..24 {
        units -= 200_000;
        let mut wide = halve(point, units);
        wide.outputs.truncate(1);
        wide.outputs[0].value = Gio::from_units(units);
        wide.outputs[0].link = Link::NONE;
        wide.outputs.resize(1 + outputs, nothing.clone());
        let txid = ledger.submit(wide).unwrap();
        point = OutPoint { txid, index: 0 };
    }
    let mut bad = halve(point, units - 10_000);
    bad.inputs[0].script_sig = Script::new([opcode::OP_RETURN]);
    let tries = (0..5).map(|_| {
        let begun = Instant::now();
        assert!(ledger.submit(bad.clone()).is_err());
        begun.elapsed()
    });
    tries.min().unwrap()
}

#[test]
fn outputs_nobody_spends_cost_nothing_when_a_family_is_looked_at() {
    let (narrow, wide) = (refusal_behind(1), refusal_behind(9_900));
    assert!(
        wide < 20 * narrow,
        "{wide:?} behind wide ancestors, {narrow:?} behind narrow ones"
    );
}
