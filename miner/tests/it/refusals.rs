//! What a miner does not run, and that it says why.

use bytes::Bytes;
use gio_net::wire::{UnitFailure, UnitOrder};
use gio_protocol::DealStage;

use crate::hub::Session;
use crate::job::{Deal, ECHO, ENDLESS, Job};
use crate::market::{EXPOSURE, Market, eventually};

/// The one answer to one order.
async fn refused(session: &mut Session, order: UnitOrder) -> UnitFailure {
    session.assign(vec![order]).await;
    session.failed().await
}

async fn no_claims(market: &Market) {
    let claims = market.deps().store.unanswered(market.hub.wallet).await;
    assert!(claims.unwrap().is_empty());
}

fn job(wat: &str, change: impl FnOnce(&mut Job)) -> Job {
    let mut job = Job::new(wat, 2);
    change(&mut job);
    job
}

#[tokio::test(flavor = "multi_thread")]
async fn r19_roots_that_are_not_the_bytes_are_refused_though_bound() {
    let (market, mut session) = Market::open().await;
    let traps = [
        (
            job(ECHO, |job| job.false_program_root = true),
            "program root",
        ),
        (
            job(ECHO, |job| {
                job.false_input_root = true;
                job.salt = 2;
            }),
            "input's root",
        ),
    ];
    for (trap, reason) in traps {
        let deal = trap.deal(market.hub.wallet);
        market.open_deal(&deal);
        let failure = refused(&mut session, deal.order(0)).await;
        assert!(failure.reason.contains(reason), "{}", failure.reason);
        assert!(!failure.retryable);
    }
    no_claims(&market).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r01_a_unit_outside_the_terms_is_refused() {
    let (market, mut session) = Market::open().await;
    let wallet = market.hub.wallet;
    let deal = Job::new(ECHO, 2).deal(wallet);
    let other = job(ECHO, |job| job.args[0] = "smuggled".to_owned()).deal(wallet);
    market.open_deal(&deal);
    let mut smuggled = other.order(0);
    smuggled.deal_id = deal.order(0).deal_id;
    smuggled.terms = deal.terms.to_bytes().into();
    let failure = refused(&mut session, smuggled).await;
    assert!(failure.reason.contains("not bound"), "{}", failure.reason);
    let mut seeded = deal.order(0);
    seeded.unit_seed = Bytes::from_static(&[9; 32]);
    let failure = refused(&mut session, seeded).await;
    assert!(failure.reason.contains("seed"), "{}", failure.reason);
    no_claims(&market).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r01_terms_nobody_opened_are_refused() {
    let (market, mut session) = Market::open().await;
    let wallet = market.hub.wallet;
    let salted = |salt| job(ECHO, |job| job.salt = salt).deal(wallet);
    let unopened = salted(2);
    let failure = refused(&mut session, unopened.order(0)).await;
    assert!(
        failure.reason.contains("none on chain"),
        "{}",
        failure.reason
    );
    assert!(failure.retryable, "this miner's node may be behind");
    let settled = salted(3);
    market
        .chain
        .facts()
        .stages
        .insert(settled.id, DealStage::Settled);
    let failure = refused(&mut session, settled.order(0)).await;
    assert!(failure.reason.contains("settled"), "{}", failure.reason);
    assert!(!failure.retryable);
    let mut bare = salted(4).order(0);
    bare.terms = Bytes::new();
    let failure = refused(&mut session, bare).await;
    assert!(
        failure.reason.contains("terms did not come"),
        "{}",
        failure.reason
    );
    let foreign = Job::new(ECHO, 1).deal(gio_protocol::Address::repeat_byte(0x99));
    market.open_deal(&foreign);
    let failure = refused(&mut session, foreign.order(0)).await;
    assert!(failure.reason.contains("wallet"), "{}", failure.reason);
    no_claims(&market).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r25_orders_beyond_the_exposure_are_refused() {
    let (market, mut session) = Market::open().await;
    assert_eq!(session.hello.exposure_limit, EXPOSURE);
    let huge = job(ECHO, |job| job.cu_limit = 2_000_000_000).deal(market.hub.wallet);
    market.open_deal(&huge);
    let failure = refused(&mut session, huge.order(0)).await;
    assert!(failure.reason.contains("risks"), "{}", failure.reason);
    assert!(!failure.retryable);
    no_claims(&market).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r25_the_hubs_money_bounds_the_exposure() {
    let mut market = Market::without_miner().await;
    market.chain.facts().backing.free = gio_protocol::Gio::from_units(7);
    market.start_miner(crate::market::config()).await;
    let session = market.hub.session().await;
    assert_eq!(session.hello.exposure_limit, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn r21_what_no_leaf_limits_never_makes_a_claim() {
    let (market, mut session) = Market::trusting().await;
    // Its bytes are at no hub.
    let lost = Job::new(ECHO, 1).deal(market.hub.wallet);
    market.chain.facts().stages.insert(lost.id, DealStage::Open);
    let failure = refused(&mut session, lost.order(0)).await;
    assert!(failure.reason.contains("module"), "{}", failure.reason);
    // It does not end before its deadline.
    let endless = job(ENDLESS, |job| {
        job.cu_limit = 900_000_000_000;
        job.salt = 2;
    });
    let endless = endless.deal(market.hub.wallet);
    market.open_deal(&endless);
    let mut order = endless.order(0);
    order.deadline = gio_agent::unix_now() + 2;
    let failure = refused(&mut session, order).await;
    assert!(failure.reason.contains("deadline"), "{}", failure.reason);
    assert!(failure.retryable);
    no_claims(&market).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_unit_stops_and_makes_room() {
    let (market, mut session) = Market::trusting().await;
    let endless = job(ENDLESS, |job| job.cu_limit = 900_000_000_000).deal(market.hub.wallet);
    market.open_deal(&endless);
    session.assign(vec![endless.order(0)]).await;
    let runner = &market.deps().runner;
    eventually("the unit runs", || async {
        (runner.running() == 1).then_some(())
    })
    .await;
    session.cancel(&endless, 0).await;
    eventually("the unit stops", || async {
        (runner.running() == 0).then_some(())
    })
    .await;
    let echo = job(ECHO, |job| job.salt = 5).deal(market.hub.wallet);
    market.open_deal(&echo);
    session.assign(vec![echo.order(0)]).await;
    assert_eq!(
        session.done().await.len(),
        1,
        "and nothing was said of the other"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_deal_price_is_refused() {
    let (market, mut session) = Market::open().await;
    let deal: Deal = Job::new(ECHO, 2).deal(market.hub.wallet);
    market.open_deal(&deal);
    session.assign(vec![deal.order(0)]).await;
    session.done().await;
    let mut dearer = deal.order(1);
    dearer.net_price_per_pu += 1;
    let failure = refused(&mut session, dearer).await;
    assert!(failure.reason.contains("price"), "{}", failure.reason);
    let mut cheaper = deal.order(1);
    cheaper.net_price_per_pu -= 1;
    let failure = refused(&mut session, cheaper).await;
    assert!(failure.reason.contains("price"), "{}", failure.reason);
}
