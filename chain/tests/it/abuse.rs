//! Strangers that want to cost much: what they may cost at most, and that nobody else pays for them.
#![expect(
    clippy::unwrap_used,
    reason = "a test may end at the first thing that is wrong"
)]

use gio_chain::Command;
use gio_chain::wire::{MAX_HEADERS, Message};
use gio_coin::{CompactTarget, Work};

use super::forge::Forge;
use super::peers::{Node, Stranger, spam, until};

async fn connections(node: &Node) -> usize {
    node.peers.ask(Command::Peers).await.unwrap().len()
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
