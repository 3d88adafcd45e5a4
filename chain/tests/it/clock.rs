//! Nodes whose clocks are hours off: they say so, and neither follow nor blame anybody.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use gio_chain::{Clock, Command};
use gio_coin::Work;

use super::forge::Forge;
use super::peers::{Node, until};

/// A clock that a test can turn, this many seconds ahead of the machine's.
fn turned(ahead: &Arc<AtomicI64>) -> Clock {
    let ahead = Arc::clone(ahead);
    Clock::new(move || {
        let ahead = ahead.load(Ordering::SeqCst);
        gio_agent::unix_now().saturating_add_signed(ahead)
    })
}

#[tokio::test]
async fn a_clock_hours_off_is_told_and_never_followed() {
    const HOURS: i64 = 5 * 3600;
    let forge = Forge::new();
    for ahead in [HOURS, -HOURS] {
        let turn = Arc::new(AtomicI64::new(ahead));
        let node = Node::start_at(&forge, 1, Work::ZERO, turned(&turn)).await;
        let mut others = Vec::new();
        for tag in 2..7 {
            let other = Node::start(&forge, tag, Work::ZERO).await;
            node.stays_with(&other).await;
            others.push(other);
        }
        let offset = async || node.peers.ask(Command::ClockOffset).await.unwrap();
        until("the offset is known", async || offset().await.is_some()).await;
        // A second may pass between reading both clocks.
        let told = offset().await.unwrap();
        assert!((told + ahead).abs() < 60, "{told}");
        let ours = node.ledger.clock().now().0;
        let theirs = gio_agent::unix_now().saturating_add_signed(ahead);
        assert!(ours.abs_diff(theirs) < 60, "peers do not move the clock");
        node.stop().await;
        for other in others {
            other.stop().await;
        }
    }
}

#[tokio::test]
async fn a_node_whose_clock_is_slow_waits_and_does_not_fork_for_good() {
    let forge = Forge::new();
    let slow = Arc::new(AtomicI64::new(-5 * 3600));
    let node = Node::start_at(&forge, 1, Work::ZERO, turned(&slow)).await;
    let good = Node::start(&forge, 2, Work::ZERO).await;
    node.stays_with(&good).await;
    let tip = good.mine(3).await;
    // The slow one takes the good one's headers for headers of the future; nobody is to blame.
    until("they are connected", async || {
        !good.peers.ask(Command::Peers).await.unwrap().is_empty()
    })
    .await;
    let alone = node.mine(1).await;
    assert_eq!(node.at().await.0, alone);
    assert!(!node.bans_loopback().await && !good.bans_loopback().await);
    // Its clock is corrected: the next announcement is understood.
    slow.store(0, Ordering::SeqCst);
    let next = good.mine(1).await;
    node.reaches(next).await;
    assert_ne!(tip, next);
    node.stop().await;
    good.stop().await;
}

#[tokio::test]
async fn a_node_whose_clock_is_fast_mines_for_itself_until_others_have_more_work() {
    let forge = Forge::new();
    let fast = Arc::new(AtomicI64::new(5 * 3600));
    let node = Node::start_at(&forge, 1, Work::ZERO, turned(&fast)).await;
    let good = Node::start(&forge, 2, Work::ZERO).await;
    node.stays_with(&good).await;
    node.mine(2).await;
    let tip = good.mine(3).await;
    node.reaches(tip).await;
    assert_eq!(good.at().await.0, tip, "blocks of the future are not taken");
    assert!(!node.bans_loopback().await && !good.bans_loopback().await);
    node.stop().await;
    good.stop().await;
}
