//! What is false or old is dropped by the first node it reaches, and goes no further.

use gio_net::wire::Signed;
use gio_net::{ANNOUNCEMENT_BYTES_MAX, NetStats, peer_id_of};
use prost::Message as _;

use crate::raw::RawPeer;
use crate::support::{Node, announcement, key, now, soon};

fn own(number: u8, sequence: u64) -> Signed {
    announcement(&key(number), sequence).sign(&key(number))
}

/// Publishes by a peer of its own, and waits until the node has judged it.
async fn tell(node: &Node, number: u8, data: Vec<u8>, judged: impl Fn(&NetStats) -> u64) {
    let mut liar = RawPeer::connected(number, &node.addr()).await;
    assert_eq!(liar.peer_id(), peer_id_of(&key(number).public_key()));
    let mut stats = node.net.stats();
    let before = judged(&stats.borrow());
    liar.publish(data).unwrap();
    let counted = stats.wait_for(|stats| judged(stats) > before);
    liar.until("a judgement", counted).await.unwrap();
}

fn rejected(stats: &NetStats) -> u64 {
    stats.gossip_rejected
}

fn ignored(stats: &NetStats) -> u64 {
    stats.gossip_ignored
}

/// The last word is a true announcement: when it has come, everything before it would have come too.
async fn only_the_truth_arrives(node: &Node, listener: &mut RawPeer) {
    let hub = Node::listening(1, &[node]).await;
    let truth = own(1, 1);
    let spoken = hub.net.publish_announcement(truth.clone());
    soon("publishing", spoken).await.unwrap();
    listener.hears(1).await;
    assert_eq!(listener.heard, [truth.encode_to_vec()]);
}

#[tokio::test]
async fn false_announcements_are_rejected_and_not_passed_on() {
    let node = Node::listening(50, &[]).await;
    let mut listener = RawPeer::connected(60, &node.addr()).await;

    let mut forged = own(10, 1);
    forged.payload = own(10, 2).payload;
    tell(&node, 10, forged.encode_to_vec(), rejected).await;

    let mut of_another = announcement(&key(11), 1);
    of_another.owner = key(1).address();
    let of_another = of_another.sign(&key(11));
    tell(&node, 11, of_another.encode_to_vec(), rejected).await;

    let replayed_by_another = own(1, 5);
    tell(&node, 12, replayed_by_another.encode_to_vec(), rejected).await;

    let mut oversize = announcement(&key(13), 1);
    oversize.region = "x".repeat(ANNOUNCEMENT_BYTES_MAX);
    let oversize = oversize.sign(&key(13));
    tell(&node, 13, oversize.encode_to_vec(), rejected).await;

    tell(&node, 14, b"no announcement at all".to_vec(), rejected).await;

    assert!(node.net.announcements().borrow().is_empty());
    only_the_truth_arrives(&node, &mut listener).await;
}

#[tokio::test]
async fn untimely_announcements_are_dropped_without_blame() {
    let node = Node::listening(51, &[]).await;
    let mut listener = RawPeer::connected(61, &node.addr()).await;

    let mut expired = announcement(&key(10), 1);
    expired.expires_at = now();
    let expired = expired.sign(&key(10));
    tell(&node, 10, expired.encode_to_vec(), ignored).await;

    let mut eternal = announcement(&key(11), 1);
    eternal.expires_at = now().after(3600);
    let eternal = eternal.sign(&key(11));
    tell(&node, 11, eternal.encode_to_vec(), ignored).await;

    assert_eq!(node.net.stats().borrow().gossip_rejected, 0);
    only_the_truth_arrives(&node, &mut listener).await;
}

#[tokio::test]
async fn an_older_announcement_does_not_come_back() {
    let node = Node::listening(52, &[]).await;
    let mut listener = RawPeer::connected(62, &node.addr()).await;
    let newest = own(10, 5);
    tell(&node, 10, newest.encode_to_vec(), |stats| {
        stats.gossip_taken
    })
    .await;
    listener.hears(1).await;
    for sequence in [4, 5] {
        tell(&node, 10, own(10, sequence).encode_to_vec(), ignored).await;
    }
    node.knows(key(10).address(), 5).await;
    listener.heard.clear();
    only_the_truth_arrives(&node, &mut listener).await;
}

#[tokio::test]
async fn an_announcement_is_forgotten_when_it_expires() {
    let node = Node::listening(53, &[]).await;
    let hub = Node::listening(1, &[&node]).await;
    let mut brief = announcement(&key(1), 1);
    brief.expires_at = now().after(3);
    let brief = brief.sign(&key(1));
    hub.net.publish_announcement(brief).await.unwrap();
    node.knows(key(1).address(), 1).await;
    let mut announcements = node.net.announcements();
    let forgotten = announcements.wait_for(|known| known.is_empty());
    soon("forgetting", forgotten).await.unwrap();
}
