//! Contents that do not come: they cost their own hub's units, and nobody else's.

use gio_net::wire::UnitOrder;

use crate::chain::registered;
use crate::hub::{FakeHub, Session};
use crate::job::{Deal, ECHO, Job, NET_PRICE};
use crate::market::{Market, config, eventually};

/// As many contents as a miner fetches of one hub at a time.
const PLACES: u32 = 4;
/// Bytes of an input: so many that a miner would wait for it longer than a test waits for anything.
const INPUT_BYTES: usize = 1 << 20;

/// A job of `units` with large inputs, the same ones every time.
fn job(units: u32) -> Job {
    let mut job = Job::new(ECHO, 0);
    let arg = |unit: u32| format!("unit {unit} {}", "x".repeat(INPUT_BYTES));
    job.args = (0..units).map(arg).collect();
    job
}

/// A market with a second hub, which promises inputs and never sends them.
struct Slow {
    market: Market,
    good: Session,
    hub: FakeHub,
    session: Session,
    deal: Deal,
}

impl Slow {
    async fn start() -> Self {
        let mut market = Market::without_miner().await;
        let mut hub = FakeHub::start(0x22).await;
        let facts = registered(hub.key.address());
        market.chain.facts().hubs.insert(hub.wallet, facts);
        hub.net.dial(market.hub.addr()).await.unwrap();
        hub.announce(NET_PRICE).await;
        market.start_miner(config()).await;
        let (good, session) = (market.hub.session().await, hub.session().await);
        let deal = job(PLACES + 1).deal(hub.wallet);
        market.open_deal(&deal);
        hub.serve(&deal.module);
        Self {
            market,
            good,
            hub,
            session,
            deal,
        }
    }

    /// The order of a unit whose input never comes.
    fn order(&self, unit: u32) -> UnitOrder {
        let (order, input) = self.deal.order_by_ref(unit);
        self.hub.stall(&input);
        order
    }

    /// Every place of the slow hub is taken.
    async fn take_all_places(&self) {
        let orders = (0..PLACES).map(|unit| self.order(unit)).collect();
        self.session.assign(orders).await;
        eventually("every place is taken", || async {
            (self.hub.stalled.lock().unwrap().asked == PLACES as usize).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_sends_nothing_keeps_no_other_hub_waiting() {
    let mut slow = Slow::start().await;
    slow.take_all_places().await;
    let deal = Job::new(ECHO, 1).deal(slow.market.hub.wallet);
    slow.market.open_deal(&deal);
    let (order, input) = deal.order_by_ref(0);
    slow.market.hub.serve(&input);
    slow.good.assign(vec![order]).await;
    assert_eq!(slow.good.done().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_content_does_not_wait_for_another_hub() {
    let mut slow = Slow::start().await;
    slow.take_all_places().await;
    // The slow hub's input is this one's.
    let deal = job(1).deal(slow.market.hub.wallet);
    slow.market.open_deal(&deal);
    let (order, input) = deal.order_by_ref(0);
    let (_, same) = slow.deal.order_by_ref(0);
    assert_eq!(input, same);
    slow.market.hub.serve(&input);
    slow.good.assign(vec![order]).await;
    assert_eq!(slow.good.done().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_unit_and_a_late_one_wait_for_no_content() {
    let mut slow = Slow::start().await;
    slow.take_all_places().await;
    for unit in 0..PLACES {
        slow.session.cancel(&slow.deal, unit).await;
    }
    let desk = slow.market.deps().desks.get(slow.hub.wallet).unwrap();
    eventually("the cancelled units are gone", || async {
        desk.holding().is_empty().then_some(())
    })
    .await;
    let mut late = slow.order(PLACES);
    late.deadline = gio_agent::unix_now() + 2;
    slow.session.assign(vec![late]).await;
    let failure = slow.session.failed().await;
    assert!(failure.reason.contains("deadline"), "{}", failure.reason);
    assert!(failure.retryable);
}
