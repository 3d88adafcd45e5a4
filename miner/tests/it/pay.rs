//! Pay: collected from the deals' wallet, counted once, and what it does to trust and exposure.

use gio_miner::domain::trust::HubStatus;
use gio_miner::infra::store::{Change, PullRow, Store};
use gio_net::wire::{field, hub_message};
use gio_protocol::{Address, B256, DealId, Gio, UnixSeconds};

use crate::hub::Session;
use crate::job::{BUSY, Job, NET_PRICE};
use crate::market::{EXPOSURE, Market, config, eventually};

/// One accepted unit of a deal; what it earned.
pub(crate) async fn work(market: &Market, session: &mut Session) -> (DealId, Gio) {
    let deal = Job::new(BUSY, 1).deal(market.hub.wallet);
    market.open_deal(&deal);
    session.assign(vec![deal.order(0)]).await;
    let done = session.done().await;
    session.send(market.hub.accept(&done[0])).await;
    let store = &market.deps().store;
    let row = eventually("the acceptance", || async {
        let row = store.deal(deal.id).await.unwrap()?;
        (row.accepted_units == 1).then_some(row)
    })
    .await;
    assert!(row.earned() > Gio::from_units(1_000), "{}", row.earned());
    (deal.id, row.earned())
}

/// A unit of another deal, done.
async fn work_again(market: &Market, session: &mut Session) {
    let mut job = Job::new(BUSY, 1);
    job.salt = 9;
    let deal = job.deal(market.hub.wallet);
    market.open_deal(&deal);
    session.assign(vec![deal.order(0)]).await;
    session.done().await;
}

async fn status(market: &Market) -> HubStatus {
    let hub = &market.hub;
    let row = market.deps().store.hub(hub.wallet, hub.key.address()).await;
    row.unwrap().unwrap().status
}

/// A round sum, where it does not matter how much was earned.
const PAY: Gio = Gio::from_units(NET_PRICE / 100);

#[tokio::test(flavor = "multi_thread")]
async fn hm16_pay_as_agreed_is_pulled_counted_and_makes_the_hub_safe() {
    let (market, mut session) = Market::open().await;
    let (deal, earned) = work(&market, &mut session).await;
    assert_eq!(status(&market).await, HubStatus::Checked);
    market.chain.approve(market.hub.wallet, earned);
    session.send(market.hub.paid(deal, earned, 1)).await;
    session.exposure(EXPOSURE + earned.units()).await;
    assert_eq!(market.chain.pulled(), [(market.hub.wallet, earned)]);
    let store = &market.deps().store;
    let totals = store.totals(market.hub.wallet).await.unwrap();
    assert_eq!((totals.pulled, totals.promised), (earned, earned));
    assert!(totals.last_pull_tx.is_some());
    eventually("the better opinion", || async {
        (status(&market).await == HubStatus::Safe).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hm16_a_short_payment_makes_nobody_safe() {
    let (market, mut session) = Market::open().await;
    let (deal, earned) = work(&market, &mut session).await;
    let short = earned.minus(Gio::from_units(1)).unwrap();
    market.chain.approve(market.hub.wallet, short);
    session.send(market.hub.paid(deal, earned, 1)).await;
    session.exposure(EXPOSURE + short.units()).await;
    let hub = &market.hub;
    let row = eventually("the opinion of it", || async {
        let row = market.deps().store.hub(hub.wallet, hub.key.address());
        let row = row.await.unwrap()?;
        row.reason.contains("says it paid").then_some(row)
    })
    .await;
    assert_eq!(row.status, HubStatus::Checked);
}

#[tokio::test(flavor = "multi_thread")]
async fn pay_is_found_without_being_told() {
    let (mut market, mut session) = Market::open().await;
    work(&market, &mut session).await;
    drop(session);
    market.stop_miner().await;
    market.chain.approve(market.hub.wallet, PAY);
    market.start_miner(config()).await;
    eventually("the pull", || async {
        (market.chain.pulled() == [(market.hub.wallet, PAY)]).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hw13_an_approval_from_another_address_pays_nothing() {
    let (market, mut session) = Market::open().await;
    let (deal, _) = work(&market, &mut session).await;
    let elsewhere = Address::repeat_byte(0x55);
    market.chain.approve(elsewhere, PAY);
    let mut paid = market.hub.paid(deal, PAY, 1);
    if let hub_message::Body::Paid(paid) = &mut paid {
        paid.wallet = field::bytes(elsewhere);
    }
    session.send(paid).await;
    // And a true promise that nothing stands behind.
    session.send(market.hub.paid(deal, PAY, 2)).await;
    let store = &market.deps().store;
    eventually("the promise on disk", || async {
        let totals = store.totals(market.hub.wallet).await.unwrap();
        (totals.promised == PAY).then_some(())
    })
    .await;
    let deps = market.deps();
    for wallet in store.wallets().await.unwrap() {
        gio_miner::services::collect::collect(deps, wallet)
            .await
            .unwrap();
    }
    assert!(market.chain.pulled().is_empty());
    let totals = store.totals(market.hub.wallet).await.unwrap();
    assert_eq!(totals.pulled, Gio::ZERO);
    assert_eq!(status(&market).await, HubStatus::Checked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_promises_more_than_there_is_stops_no_miner() {
    let (mut market, mut session) = Market::open().await;
    let (deal, _) = work(&market, &mut session).await;
    let all = Gio::from_units(u64::MAX);
    for tx in [1, 2] {
        let mut paid = market.hub.paid(deal, PAY, tx);
        if let hub_message::Body::Paid(paid) = &mut paid {
            paid.net = all.units();
            paid.deal_ids = vec![field::bytes(deal.0); 100_000];
        }
        session.send(paid).await;
    }
    eventually("the promises on disk", || async {
        let totals = market.deps().store.totals(market.hub.wallet).await.unwrap();
        (totals.promised.units() > u64::MAX / 2).then_some(())
    })
    .await;
    drop(session);
    market.stop_miner().await;
    market.start_miner(config()).await;
    let mut session = market.hub.session().await;
    work_again(&market, &mut session).await;
    assert_eq!(status(&market).await, HubStatus::Checked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_whose_answer_was_lost_counts_once() {
    let (market, mut session) = Market::open().await;
    let (deal, _) = work(&market, &mut session).await;
    market.chain.approve(market.hub.wallet, PAY);
    market.chain.facts().lose_next_pull = true;
    session.send(market.hub.paid(deal, PAY, 1)).await;
    session.exposure(EXPOSURE + PAY.units()).await;
    assert_eq!(market.chain.pulled().len(), 1);
    let totals = market.deps().store.totals(market.hub.wallet).await.unwrap();
    assert_eq!(totals.pulled, PAY);
}

/// What a process did of a pull that it wrote down before it died.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It was mined.
    Mined,
    /// The node has it, and no block yet.
    Waiting,
    /// A nonce was written down, and nothing was sent.
    Unsent,
    /// Not even that.
    Unnoted,
}

/// A miner that was killed in the middle of a pull.
async fn killed(fate: Fate) -> Market {
    let (mut market, mut session) = Market::open().await;
    work(&market, &mut session).await;
    drop(session);
    market.stop_miner().await;
    let wallet = market.hub.wallet;
    market.chain.approve(wallet, PAY);
    let block = market.chain.facts().block;
    let (store, writer) = Store::open(&market.database()).await.unwrap();
    let pull = PullRow {
        id: B256::repeat_byte(1),
        wallet,
        amount: PAY,
        allowance: PAY,
        from_block: block,
        nonce: None,
    };
    let (id, at) = (pull.id, UnixSeconds(1));
    let mut changes = vec![Change::PullStarted { pull, at }];
    if fate != Fate::Unnoted {
        changes.push(Change::PullNonce { id, nonce: 0 });
    }
    let (written, ()) = tokio::join!(writer.run(), async move {
        store.apply(changes).await.unwrap();
    });
    written.unwrap();
    let mut facts = market.chain.facts();
    match fate {
        Fate::Mined => {
            facts.approved.insert(wallet, Gio::ZERO);
            facts.nonces_used = 1;
        }
        Fate::Waiting => facts.waiting = Some((wallet, PAY)),
        Fate::Unsent | Fate::Unnoted => {}
    }
    drop(facts);
    market
}

/// Another payout comes meanwhile, so that the allowance alone tells nothing. Both are counted, and pulled as `pulls` says.
async fn both_are_counted(market: &mut Market, pulls: &[Gio]) {
    let wallet = market.hub.wallet;
    market.chain.approve(wallet, PAY);
    market.start_miner(config()).await;
    let both = PAY.plus(PAY).unwrap();
    eventually("both payouts counted", || async {
        let store = Store::open_to_read(&market.database()).await.ok()?;
        let totals = store.totals(wallet).await.ok()?;
        (totals.pulled == both).then_some(())
    })
    .await;
    let pulls: Vec<_> = pulls.iter().map(|amount| (wallet, *amount)).collect();
    assert_eq!(market.chain.pulled(), pulls);
    let open = market.deps().store.pull_under_way(wallet).await.unwrap();
    assert_eq!(open, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_after_the_pull_never_counts_it_twice() {
    let mut market = killed(Fate::Mined).await;
    both_are_counted(&mut market, &[PAY]).await;
    assert_eq!(market.chain.facts().barriers, 0, "the chain knew");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_before_the_pull_never_counts_it() {
    let mut market = killed(Fate::Unnoted).await;
    both_are_counted(&mut market, &[PAY.plus(PAY).unwrap()]).await;
    assert_eq!(market.chain.facts().barriers, 0, "nothing was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_nonce_and_pull_never_counts_it() {
    let mut market = killed(Fate::Unsent).await;
    both_are_counted(&mut market, &[PAY.plus(PAY).unwrap()]).await;
    assert_eq!(market.chain.facts().barriers, 1, "its nonce is used up");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_that_is_mined_after_the_restart_is_counted() {
    let mut market = killed(Fate::Waiting).await;
    market.start_miner(config()).await;
    eventually("a look while it waits", || async {
        (market.chain.facts().waits_seen > 0).then_some(())
    })
    .await;
    let wallet = market.hub.wallet;
    let store = &market.deps().store;
    let open = store.pull_under_way(wallet).await.unwrap();
    assert!(open.is_some(), "its fate is open");
    let session = market.hub.session().await;
    market.chain.mine();
    market.deps().collect.look_at(wallet);
    eventually("the pay counted", || async {
        let totals = market.deps().store.totals(wallet).await.unwrap();
        (totals.pulled == PAY).then_some(())
    })
    .await;
    eventually("the exposure it gives", || async {
        let desk = market.deps().desks.get(wallet)?;
        (desk.exposure_limit().units() == EXPOSURE + PAY.units()).then_some(())
    })
    .await;
    assert!(market.chain.pulled().is_empty(), "nothing was sent again");
    drop(session);
}
