//! Strangers that want to cost much: what they may cost at most, and that nobody else pays for them.
#![expect(
    clippy::unwrap_used,
    reason = "a test may end at the first thing that is wrong"
)]

use std::net::SocketAddr;
use std::time::Duration;

use gio_chain::wire::{Inventory, MAX_HEADERS, MAX_INVENTORY, Message, encode};
use gio_chain::{Clock, Command, Patience};
use gio_coin::{Block, BlockHash, CompactTarget, Txid, Work, sha256d};
use serde_json::json;

use super::daemon::Daemon;
use super::forge::Forge;
use super::peers::{Node, Stranger, spam, until};

/// Connections one address may have.
const PER_HOST: usize = 16;
/// Connections that may come to a node.
const INBOUND: usize = 64;
/// A receive buffer that a large block does not fit in.
const SMALL: u32 = 64 << 10;
/// An address of this machine.
const HERE: [u8; 4] = [127, 0, 0, 1];

async fn connections(node: &Node) -> usize {
    node.peers.ask(Command::Peers).await.unwrap().len()
}

async fn give(node: &Node, block: &Block) {
    let block = block.clone();
    let given = node.ledger.call(move |ledger| {
        ledger.add_block(&block).unwrap();
    });
    given.await.unwrap();
}

/// A message in its envelope, whatever its payload is.
fn envelope(name: &str, payload: &[u8], magic: [u8; 4]) -> Vec<u8> {
    let mut bytes = magic.to_vec();
    bytes.extend(name.bytes().chain(std::iter::repeat(0)).take(12));
    bytes.extend(u32::try_from(payload.len()).unwrap().to_le_bytes());
    bytes.extend(&sha256d(payload)[..4]);
    bytes.extend(payload);
    bytes
}

#[tokio::test]
async fn headers_are_kept_with_the_work_they_claim_or_not_at_all() {
    let forge = Forge::new();
    let node = Node::start(&forge, 1, Work::from_hashes(1 << 40)).await;
    let mut stranger = Stranger::greeted(&node, &forge).await;
    let mut headers = spam(&forge, MAX_HEADERS - 1, 7);
    let mut last = headers[MAX_HEADERS - 2];
    last.previous = last.id();
    // The hardest target there is: all the work that is asked for, none of it done.
    last.bits = CompactTarget(0x0300_0001);
    headers.push(last);
    stranger.say(&Message::Headers(headers)).await;
    stranger.is_hung_up_on().await;
    until("a ban", async || node.bans_loopback().await).await;
    assert_eq!(node.headers().await, 1);
    node.stop().await;
}

#[tokio::test]
async fn a_header_without_its_body_holds_up_no_other_block() {
    let forge = Forge::new();
    let nodes = [
        Node::start(&forge, 1, Work::ZERO).await,
        Node::start(&forge, 2, Work::ZERO).await,
    ];
    // As much work as the block that will be mined, and seen before it.
    let withheld = spam(&forge, 1, 7);
    let mut strangers = Vec::new();
    for node in &nodes {
        let mut stranger = Stranger::greeted(node, &forge).await;
        stranger.say(&Message::Headers(withheld.clone())).await;
        stranger.hears("getdata").await;
        strangers.push(stranger);
    }
    nodes[0].stays_with(&nodes[1]).await;
    until("the nodes meet", async || connections(&nodes[1]).await == 2).await;
    let tip = nodes[0].mine(1).await;
    nodes[1].reaches(tip).await;
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test]
async fn a_block_its_first_announcer_withholds_is_asked_of_another() {
    let mut forge = Forge::new();
    let block = forge.block(forge.genesis(), vec![]);
    let patience = Patience {
        block: Duration::from_secs(1),
        ..Patience::default()
    };
    let times = (Clock::system(), patience);
    let node = Node::start_with(&forge, 1, Work::ZERO, times).await;
    let announced = Message::Headers(vec![block.header]);
    let mut first = Stranger::greeted(&node, &forge).await;
    first.say(&announced).await;
    first.hears("getdata").await;
    let mut second = Stranger::greeted(&node, &forge).await;
    second.say(&announced).await;
    let asked = second.hears("getdata").await;
    assert_eq!(asked, Message::GetData(vec![Inventory::Block(block.id())]));
    second.say(&Message::Block(block.clone())).await;
    node.reaches(block.id()).await;
    // Late is not wrong.
    first.say(&Message::Block(block)).await;
    until("nothing is asked for any more", async || {
        let peers = node.peers.ask(Command::Peers).await.unwrap();
        assert!(peers.iter().all(|peer| peer.banscore == 0));
        peers.iter().all(|peer| peer.inflight == 0)
    })
    .await;
    node.stop().await;
}

#[tokio::test]
async fn a_block_nobody_asked_for_is_not_looked_at() {
    let mut forge = Forge::new();
    let block = forge.block(forge.genesis(), vec![]);
    let node = Node::start(&forge, 1, Work::ZERO).await;
    for name in ["block", "cmpctblock", "blocktxn"] {
        let mut stranger = Stranger::greeted(&node, &forge).await;
        // Were it looked at, its bytes would be a reason to ban.
        let payload = [&block.encode()[..], &[7; 100_000]].concat();
        let mut bytes = envelope(name, &payload, forge.params.magic);
        bytes[20] ^= 1;
        stranger.write(&bytes).await;
        stranger.say(&Message::Ping(5)).await;
        assert_eq!(stranger.hears("pong").await, Message::Pong(5));
        until("it counts", async || {
            let peers = node.peers.ask(Command::Peers).await.unwrap();
            peers.iter().any(|peer| peer.banscore == 10)
        })
        .await;
        drop(stranger);
        until("it leaves", async || connections(&node).await == 0).await;
    }
    assert!(!node.bans_loopback().await);
    node.stop().await;
}

fn daemon(folder: &tempfile::TempDir) -> Daemon {
    let mut daemon = Daemon::init(folder.path().join("node"));
    daemon.start(&[]);
    daemon
}

#[tokio::test]
async fn messages_that_grow_when_decoded_wait_for_room() {
    // 24 bytes in memory for each of its two million.
    const EMPTY_ITEMS: usize = 990_000;
    let forge = Forge::new();
    let folder = tempfile::tempdir().unwrap();
    let mut node = daemon(&folder);
    let before = node.peak_kilobytes();
    let mut grows = forge.params.genesis.clone();
    let mut transaction = grows.transactions[0].clone();
    transaction.inputs[0].witness = vec![vec![]; EMPTY_ITEMS];
    grows.transactions = vec![transaction; 2];
    let payload = grows.encode();
    drop(grows);
    // All are asked before the first is banned, and the others with it.
    let mut asked = Vec::new();
    for salt in (1..).take(PER_HOST) {
        let mut stranger = Stranger::from(HERE, SMALL, node.peers, &forge).await;
        let headers = spam(&forge, 1, salt);
        stranger.say(&Message::Headers(headers.clone())).await;
        stranger.hears("getdata").await;
        asked.push((stranger, headers[0]));
    }
    let mut sending = tokio::task::JoinSet::new();
    for (mut stranger, header) in asked {
        let payload = [&header.encode()[..], &payload[80..]].concat();
        let bytes = envelope("block", &payload, forge.params.magic);
        sending.spawn(async move {
            stranger.write(&bytes).await;
            stranger.is_hung_up_on().await;
        });
    }
    sending.join_all().await;
    let grown = node.peak_kilobytes() - before;
    assert!(grown < 300 << 10, "{grown} kilobytes for sixteen blocks");
    node.stop();
}

#[tokio::test]
async fn nobody_pays_for_a_block_that_another_brought() {
    let mut forge = Forge::new();
    let node = Node::start(&forge, 1, Work::ZERO).await;
    let good = forge.block(forge.genesis(), vec![]);
    // It pays its miner more than there is: that shows only once the block before it is here.
    let bad = forge.block_paying(good.id(), 100_000_000_001, vec![]);
    let mut honest = Stranger::greeted(&node, &forge).await;
    honest.say(&Message::Headers(vec![good.header])).await;
    honest.hears("getdata").await;
    let mut evil = Stranger::greeted(&node, &forge).await;
    let both = vec![good.header, bad.header];
    evil.say(&Message::Headers(both)).await;
    let asked = evil.hears("getdata").await;
    let expected = Inventory::Block(bad.id());
    assert_eq!(asked, Message::GetData(vec![expected]));
    evil.say(&Message::Block(bad.clone())).await;
    let kept = bad.id();
    until("the bad block is kept", async || {
        let has = node
            .ledger
            .call(move |ledger| ledger.chain().headers().has_body(&kept));
        has.await.unwrap()
    })
    .await;
    honest.say(&Message::Block(good.clone())).await;
    evil.is_hung_up_on().await;
    until("a ban", async || node.bans_loopback().await).await;
    node.reaches(good.id()).await;
    honest.say(&Message::Ping(5)).await;
    assert_eq!(honest.hears("pong").await, Message::Pong(5));
    let peers = node.peers.ask(Command::Peers).await.unwrap();
    let scores: Vec<u32> = peers.iter().map(|peer| peer.banscore).collect();
    assert_eq!(scores, [0]);
    node.stop().await;
}

#[tokio::test]
async fn who_brought_a_bad_block_and_left_is_banned_once_it_shows() {
    let mut forge = Forge::new();
    let node = Node::start(&forge, 1, Work::ZERO).await;
    let good = forge.block(forge.genesis(), vec![]);
    let bad = forge.block_paying(good.id(), 100_000_000_001, vec![]);
    let mut evil = Stranger::from([127, 0, 0, 66], SMALL, node.address, &forge).await;
    let both = vec![good.header, bad.header];
    evil.say(&Message::Headers(both)).await;
    evil.hears("getdata").await;
    evil.say(&Message::Block(bad.clone())).await;
    let kept = bad.id();
    until("the bad block is kept", async || {
        let has = node
            .ledger
            .call(move |ledger| ledger.chain().headers().has_body(&kept));
        has.await.unwrap()
    })
    .await;
    drop(evil);
    until("it leaves", async || connections(&node).await == 0).await;
    let mut honest = Stranger::greeted(&node, &forge).await;
    honest.say(&Message::Headers(vec![good.header])).await;
    honest.hears("getdata").await;
    honest.say(&Message::Block(good.clone())).await;
    node.reaches(good.id()).await;
    until("a ban", async || {
        let banned = node.peers.ask(Command::Banned).await.unwrap();
        banned.iter().any(|(ip, _)| ip.to_string() == "127.0.0.66")
    })
    .await;
    assert!(!node.bans_loopback().await);
    node.stop().await;
}

/// A node with a large block, and the id of that.
async fn with_fat_block(forge: &mut Forge, message: Duration) -> (Node, BlockHash) {
    let patience = Patience {
        message,
        ..Patience::default()
    };
    let times = (Clock::system(), patience);
    let node = Node::start_with(forge, 1, Work::ZERO, times).await;
    let fat = forge.fat_block(forge.genesis(), 900_000);
    give(&node, &fat).await;
    (node, fat.id())
}

#[tokio::test]
async fn announced_transactions_cut_off_nobody_who_is_receiving_blocks() {
    // More than the queue to a peer has places for, again and again until its socket is full.
    const ROUNDS: usize = 8;
    const ROUND: usize = 400;
    let mut forge = Forge::new();
    let (node, fat) = with_fat_block(&mut forge, Duration::from_secs(60)).await;
    let mut stranger = Stranger::from(HERE, SMALL, node.address, &forge).await;
    let want = Message::GetData(vec![Inventory::Block(fat); 8]);
    stranger.say(&want).await;
    stranger.hears("block").await;
    let txid = |at: usize| Txid::from_bytes(gio_coin::sha256(&at.to_le_bytes()));
    for round in 0..ROUNDS {
        for at in 0..ROUND {
            let announced = Command::Announce(txid(round * ROUND + at));
            node.peers.send(announced).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(connections(&node).await, 1);
    let mut told = Vec::new();
    while told.len() < ROUNDS * ROUND {
        let Message::Inv(items) = stranger.hears("inv").await else {
            unreachable!("asked by name")
        };
        told.extend(items);
    }
    let expected: Vec<Inventory> = (0..ROUNDS * ROUND)
        .map(|at| Inventory::Tx(txid(at)))
        .collect();
    assert_eq!(told, expected);
    assert!(!node.bans_loopback().await);
    node.stop().await;
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_hung_up_on_and_banned() {
    let mut forge = Forge::new();
    let (node, fat) = with_fat_block(&mut forge, Duration::from_secs(2)).await;
    let mut stranger = Stranger::from(HERE, SMALL, node.address, &forge).await;
    let want = Message::GetData(vec![Inventory::Block(fat); 8]);
    stranger.say(&want).await;
    until("a ban", async || node.bans_loopback().await).await;
    until("its place is free", async || connections(&node).await == 0).await;
    node.stop().await;
}

#[tokio::test]
async fn peers_that_do_not_read_cost_little_memory() {
    let mut forge = Forge::new();
    let folder = tempfile::tempdir().unwrap();
    let mut node = daemon(&folder);
    let fat = forge.fat_block(forge.genesis(), 900_000);
    let block = hex::encode(fat.encode());
    assert_eq!(node.call("submitblock", json!([block])), json!(null));
    let before = node.peak_kilobytes();
    let want = Message::GetData(vec![Inventory::Block(fat.id()); MAX_INVENTORY]);
    let want = encode(&want, forge.params.magic);
    let mut quiet = Vec::new();
    let mut sending = tokio::task::JoinSet::new();
    for number in 0..PER_HOST {
        let mut stranger = Stranger::from(HERE, SMALL, node.peers, &forge).await;
        stranger.write(&want).await;
        if number % 2 == 0 {
            quiet.push(stranger);
            continue;
        }
        let want = want.clone();
        sending.spawn(async move {
            for _ in 0..60 {
                stranger.write(&want).await;
            }
            stranger
        });
    }
    let _flooding = sending.join_all().await;
    until("who asks for too much is hung up on", async || {
        node.call("getconnectioncount", json!([])) == json!(quiet.len())
    })
    .await;
    let grown = node.peak_kilobytes() - before;
    assert!(grown < 96 << 10, "{grown} kilobytes for sixteen strangers");
    node.stop();
}

#[tokio::test]
async fn a_full_house_makes_room_out_of_the_largest_neighbourhood() {
    let forge = Forge::new();
    let node = Node::start(&forge, 1, Work::ZERO).await;
    let come = async |ip: [u8; 4]| Stranger::from(ip, SMALL, node.address, &forge).await;
    let mut crowd = Vec::new();
    for at in 0..INBOUND {
        let host = u8::try_from(at / PER_HOST).unwrap() + 1;
        crowd.push(come([127, 1, 0, host]).await);
    }
    assert_eq!(connections(&node).await, INBOUND);
    let mut newcomer = come([127, 2, 0, 1]).await;
    until("one made room", async || {
        connections(&node).await == INBOUND
    })
    .await;
    let _another = come([127, 1, 0, 9]).await;
    until("one made room", async || {
        connections(&node).await == INBOUND
    })
    .await;
    newcomer.say(&Message::Ping(5)).await;
    assert_eq!(newcomer.hears("pong").await, Message::Pong(5));
    let peers = node.peers.ask(Command::Peers).await.unwrap();
    let from = |peer: &SocketAddr| peer.ip().to_string() == "127.2.0.1";
    assert!(peers.iter().any(|peer| from(&peer.addr)));
    node.stop().await;
}
