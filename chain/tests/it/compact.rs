//! Blocks as short ids, over sockets: from the mempool, with what is missing, and in full when they do not fit
//! together.
#![expect(
    clippy::unwrap_used,
    reason = "a test may end at the first thing that is wrong"
)]

use gio_chain::wire::{BlockTxn, BlockTxnRequest, CompactBlock, Inventory, Message, ShortIds};
use gio_chain::{Command, CompactCounts};
use gio_coin::{Block, BlockHash, Transaction, Work};

use super::forge::{Forge, halve};
use super::peers::{Node, Stranger, until};

async fn counts(node: &Node) -> CompactCounts {
    node.peers.ask(Command::CompactCounts).await.unwrap()
}

/// A spend of the reward of the block at a height, with a fee.
async fn spend(node: &Node, height: u32) -> Transaction {
    let spending = node.ledger.call(move |ledger| {
        let chain = ledger.chain();
        let id = chain.headers().ancestor(&chain.tip(), height).unwrap();
        let (point, units) = Forge::reward_of(&chain.block(&id).unwrap().unwrap());
        halve(point, units - 10_000)
    });
    spending.await.unwrap()
}

async fn submit(node: &Node, transaction: &Transaction) {
    let transaction = transaction.clone();
    let submitted = node
        .ledger
        .call(|ledger| ledger.submit(transaction).unwrap());
    submitted.await.unwrap();
}

#[tokio::test]
async fn a_block_travels_without_what_its_receiver_has() {
    let forge = Forge::new();
    let nodes = [
        Node::start(&forge, 1, Work::ZERO).await,
        Node::start(&forge, 2, Work::ZERO).await,
    ];
    nodes[0].stays_with(&nodes[1]).await;
    let tip = nodes[0].mine(104).await;
    nodes[1].reaches(tip).await;
    let before = counts(&nodes[1]).await;
    // Both have the first transaction, the miner alone has the others.
    for height in 1..=3 {
        let transaction = spend(&nodes[0], height).await;
        submit(&nodes[0], &transaction).await;
        if height == 1 {
            submit(&nodes[1], &transaction).await;
        }
    }
    let tip = nodes[0].mine(1).await;
    nodes[1].reaches(tip).await;
    let after = counts(&nodes[1]).await;
    assert_eq!(after.completed, before.completed + 1, "{after:?}");
    let tip = nodes[0].mine(1).await;
    nodes[1].reaches(tip).await;
    let last = counts(&nodes[1]).await;
    assert_eq!(last.from_mempool, after.from_mempool + 1, "{last:?}");
    assert_eq!(last.in_full, before.in_full);
    assert_eq!(nodes[0].at().await, nodes[1].at().await);
    for node in nodes {
        node.stop().await;
    }
}

/// A node that knows a chain of enough blocks to spend from, and a block on top that spends.
async fn scene(forge: &mut Forge) -> (Node, Block) {
    let node = Node::start(forge, 1, Work::ZERO).await;
    let base = forge.grow(forge.genesis(), 103);
    let spends: Vec<Transaction> = base[..3]
        .iter()
        .map(|block| {
            let (point, units) = Forge::reward_of(block);
            halve(point, units - 10_000)
        })
        .collect();
    let block = forge.block(base[102].id(), spends);
    let given = node.ledger.call(move |ledger| {
        for block in &base {
            ledger.add_block(block).unwrap();
        }
    });
    given.await.unwrap();
    (node, block)
}

/// A stranger that sends blocks as short ids and is asked for this one.
async fn asked(node: &Node, forge: &Forge, block: &Block) -> Stranger {
    let mut stranger = Stranger::greeted(node, forge).await;
    let (announce, version) = (false, 2);
    let ready = Message::SendCompact { announce, version };
    stranger.say(&ready).await;
    stranger.say(&Message::Headers(vec![block.header])).await;
    let asked = stranger.hears("getdata").await;
    let expected = Inventory::CompactBlock(block.id());
    assert_eq!(asked, Message::GetData(vec![expected]));
    stranger
}

async fn hears_request(stranger: &mut Stranger, block: &BlockHash) -> Vec<u32> {
    let Message::GetBlockTxn(request) = stranger.hears("getblocktxn").await else {
        unreachable!("asked by name")
    };
    assert_eq!(request.block, *block);
    request.positions
}

#[tokio::test]
async fn what_is_missing_is_asked_for_and_wrong_answers_end_in_the_full_block() {
    let mut forge = Forge::new();
    let (node, block) = scene(&mut forge).await;
    let id = block.id();
    submit(&node, &block.transactions[2]).await;
    let mut stranger = asked(&node, &forge, &block).await;
    let compact = CompactBlock::new(&block, 77);
    stranger.say(&Message::CompactBlock(compact)).await;
    assert_eq!(hears_request(&mut stranger, &id).await, [1, 3]);
    // The right number of the wrong transactions may be a collision: nobody is blamed.
    let wrong = BlockTxn {
        block: id,
        transactions: vec![block.transactions[3].clone(), block.transactions[1].clone()],
    };
    stranger.say(&Message::BlockTxn(wrong)).await;
    let full = stranger.hears("getdata").await;
    assert_eq!(full, Message::GetData(vec![Inventory::Block(id)]));
    assert!(!node.bans_loopback().await);
    stranger.say(&Message::Block(block)).await;
    node.reaches(id).await;
    node.stop().await;
}

#[tokio::test]
async fn short_ids_that_collide_end_in_the_full_block() {
    let mut forge = Forge::new();
    let (node, block) = scene(&mut forge).await;
    let id = block.id();
    let mut stranger = asked(&node, &forge, &block).await;
    let mut compact = CompactBlock::new(&block, 77);
    compact.short_ids[1] = compact.short_ids[2];
    stranger.say(&Message::CompactBlock(compact)).await;
    let full = stranger.hears("getdata").await;
    assert_eq!(full, Message::GetData(vec![Inventory::Block(id)]));
    stranger.say(&Message::Block(block)).await;
    node.reaches(id).await;
    node.stop().await;
}

#[tokio::test]
async fn a_short_id_that_stands_for_another_waiting_transaction_ends_in_the_full_block() {
    let mut forge = Forge::new();
    let (node, block) = scene(&mut forge).await;
    let id = block.id();
    // A transaction that waits here but is not in the block, under the short id of one that is.
    let mut other = spend(&node, 3).await;
    other.lock_time = 1;
    submit(&node, &other).await;
    let mut compact = CompactBlock::new(&block, 77);
    compact.short_ids[2] = ShortIds::new(&block.header, 77).of(&other.wtxid());
    let mut stranger = asked(&node, &forge, &block).await;
    stranger.say(&Message::CompactBlock(compact)).await;
    assert_eq!(hears_request(&mut stranger, &id).await, [1, 2]);
    let answer = BlockTxn {
        block: id,
        transactions: block.transactions[1..3].to_vec(),
    };
    stranger.say(&Message::BlockTxn(answer)).await;
    let full = stranger.hears("getdata").await;
    assert_eq!(full, Message::GetData(vec![Inventory::Block(id)]));
    stranger.say(&Message::Block(block)).await;
    node.reaches(id).await;
    assert_eq!(counts(&node).await.in_full, 1);
    node.stop().await;
}

#[tokio::test]
async fn what_nobody_asked_for_or_cannot_be_counts_against_its_sender() {
    let mut forge = Forge::new();
    let (node, block) = scene(&mut forge).await;
    let mut stranger = asked(&node, &forge, &block).await;
    let compact = Message::CompactBlock(CompactBlock::new(&block, 77));
    stranger.say(&compact).await;
    hears_request(&mut stranger, &block.id()).await;
    stranger.say(&compact).await;
    until("the second time counts", async || {
        let peers = node.peers.ask(Command::Peers).await.unwrap();
        peers.iter().any(|peer| peer.banscore == 10)
    })
    .await;
    let short = BlockTxn {
        block: block.id(),
        transactions: vec![],
    };
    stranger.say(&Message::BlockTxn(short)).await;
    stranger.is_hung_up_on().await;
    until("a ban", async || node.bans_loopback().await).await;
    node.stop().await;
}

#[tokio::test]
async fn a_node_serves_short_ids_near_its_tip_and_whole_blocks_below() {
    let mut forge = Forge::new();
    let (node, block) = scene(&mut forge).await;
    let given = block.clone();
    let given = node
        .ledger
        .call(move |ledger| ledger.add_block(&given).is_ok());
    assert!(given.await.unwrap());
    let id = block.id();
    let mut stranger = Stranger::greeted(&node, &forge).await;
    let want = Message::GetData(vec![Inventory::CompactBlock(id)]);
    stranger.say(&want).await;
    let Message::CompactBlock(compact) = stranger.hears("cmpctblock").await else {
        unreachable!("asked by name")
    };
    let ids = ShortIds::new(&block.header, compact.nonce);
    let expected: Vec<_> = block.transactions[1..]
        .iter()
        .map(|each| ids.of(&each.wtxid()))
        .collect();
    assert_eq!(compact.short_ids, expected);
    assert_eq!(compact.prefilled, [(0, block.transactions[0].clone())]);
    let request = |block: BlockHash, positions: &[u32]| {
        let positions = positions.to_vec();
        Message::GetBlockTxn(BlockTxnRequest { block, positions })
    };
    stranger.say(&request(id, &[1, 3])).await;
    let answer = BlockTxn {
        block: id,
        transactions: vec![block.transactions[1].clone(), block.transactions[3].clone()],
    };
    assert_eq!(stranger.hears("blocktxn").await, Message::BlockTxn(answer));

    let deep = node.ledger.call(|ledger| {
        let tree = ledger.chain().headers();
        tree.ancestor(&ledger.chain().tip(), 94).unwrap()
    });
    let deep = deep.await.unwrap();
    let want = Message::GetData(vec![Inventory::CompactBlock(deep)]);
    stranger.say(&want).await;
    stranger.hears("block").await;
    stranger.say(&request(deep, &[0])).await;
    stranger.hears("block").await;
    stranger.say(&request(id, &[4])).await;
    stranger.is_hung_up_on().await;
    node.stop().await;
}
