//! What happens when nobody does anything.

use std::collections::BTreeSet;
use std::time::Duration;

use alloy::providers::ext::AnvilApi;
use gio_protocol::{Domain, Gio, bill, cancellation_digest};

use crate::support::{Buyer, CHAIN_ID, FakeMiner, Market, gio, job, until};

#[tokio::test]
async fn a_deal_nobody_works_on_is_refunded_also_by_a_hub_that_was_down() {
    let market = Market::start().await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let deal = buyer.submit(&job(1), 1).await;
    market.reaches(deal.id, "open").await;
    hub.stop().await;
    market.pass(601).await;
    let hub = market.launch().await;
    market.reaches(deal.id, "refunded").await;
    assert_eq!(
        buyer.chain.balance(buyer.key.address()).await.unwrap(),
        gio("100")
    );
    let wallet = market.chain.wallet(market.wallet).await.unwrap();
    assert_eq!(
        (wallet.escrow, wallet.guarantees, wallet.free),
        (Gio::ZERO, Gio::ZERO, gio("10"))
    );
    hub.stop().await;
}

#[tokio::test]
async fn what_is_done_when_a_deal_is_nearly_due_is_posted_and_settled_after_the_window() {
    let market = Market::start().await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let mut miner = FakeMiner::start(&market, &hub, 3).await;
    let deal = buyer.submit(&job(2), 1).await;
    let orders = miner.orders(2).await;
    miner.deliver(vec![miner.result(&orders[0], 1_000)]).await;
    miner.accepted().await;
    market.pass(545).await;
    market.reaches(deal.id, "posted").await;
    let result = buyer.result(deal.id).await.unwrap();
    assert_eq!(result.outputs.len(), 1, "the other unit is absent");
    // The other claim comes too late to be billed, so it is not accepted.
    miner.deliver(vec![miner.result(&orders[1], 1_000)]).await;
    assert_eq!(miner.rejected().await.units[0].unit, orders[1].unit);
    // The buyer says nothing.
    market.pass(601).await;
    market.reaches(deal.id, "settled").await;
    let payment = bill(
        deal.terms.cap,
        gio_protocol::Cu(1_000_000_000),
        deal.terms.price_per_pu,
    );
    let left = gio("100").minus(payment).unwrap();
    assert_eq!(
        buyer.chain.balance(buyer.key.address()).await.unwrap(),
        left
    );
    until("the miner's pay", async || {
        !market.payments(miner.address()).await.is_empty()
    })
    .await;
}

#[tokio::test]
async fn accepted_work_is_paid_although_the_deal_was_refunded() {
    let market = Market::start().await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let mut miner = FakeMiner::start(&market, &hub, 3).await;
    let deal = buyer.submit(&job(2), 1).await;
    let orders = miner.orders(2).await;
    miner.deliver(vec![miner.result(&orders[0], 1_000)]).await;
    miner.accepted().await;
    hub.stop().await;
    market.pass(601).await;
    buyer.chain.refund(&deal.terms).await.unwrap();
    let hub = market.launch().await;
    market.reaches(deal.id, "refunded").await;
    until("the miner's pay", async || {
        !market.payments(miner.address()).await.is_empty()
    })
    .await;
    let allowed = market
        .chain
        .allowance(market.wallet, miner.address())
        .await
        .unwrap();
    assert_eq!(allowed, gio("1.00000001"), "out of the hub's own money");
    hub.stop().await;
}

/// Block time stays where it is, and the clocks of hub and miners go on: for the hub it is as if its clock were ahead.
#[tokio::test]
async fn a_clock_that_is_ahead_ends_no_deal() {
    let market = Market::with(|config| config.prices.deliver_seconds_min = 2).await;
    let behind = gio_agent::unix_now() - 4_000;
    market.node().anvil_set_time(behind).await.unwrap();
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let mut miner = FakeMiner::start(&market, &hub, 3).await;
    let spec = job(2);
    let deal = buyer.sign_with(&spec, 1, |terms| {
        terms.open_by = terms.clock_start.after(10);
        terms.deliver_by = terms.open_by.after(2);
    });
    let deal = deal.await.unwrap();
    buyer.open(&deal).await;
    let orders = miner.orders(2).await;
    let (seen, looks) = (deal.terms.deliver_by.after(5).0, "looks after the deadline");
    until(looks, async || gio_agent::unix_now() > seen).await;
    let results = orders.iter().map(|order| miner.result(order, 1_000));
    miner.deliver(results.collect()).await;
    market.reaches(deal.id, "posted").await;
    let result = buyer.result(deal.id).await.unwrap();
    assert_eq!(result.outputs.len(), 2, "in full");
    hub.stop().await;
}

/// The deal ends while the hub is getting ready for it.
#[tokio::test]
async fn a_deal_that_is_over_before_the_hub_has_taken_it_up_is_not_worked_on() {
    let market = Market::start().await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let over = buyer.sign(&job(1), 1).await;
    let other = buyer.sign(&job(1), 2).await;
    let shared = hub.running.hub();
    let checks = shared.checks.acquire_many(2).await.unwrap();
    buyer.open(&over).await;
    market.reaches(over.id, "open").await;
    // Long enough for the hub to begin with it and to wait for its turn.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let domain = Domain::new(CHAIN_ID, market.wallet);
    let digest = cancellation_digest(&domain, over.id.0, Gio::ZERO);
    let (own, hubs) = (buyer.key.sign(digest), market.key.sign(digest));
    let cancelled = buyer
        .chain
        .cancel(&over.terms, Gio::ZERO, own.as_bytes(), hubs.as_bytes());
    cancelled.await.unwrap();
    market.reaches(over.id, "cancelled").await;
    drop(checks);
    let mut miner = FakeMiner::start(&market, &hub, 3).await;
    buyer.open(&other).await;
    let orders = miner.orders(1).await;
    assert_eq!(
        orders[0].deal_id,
        other.id.0.to_vec(),
        "not the one that is over"
    );
    assert_eq!(*shared.notes.on_board.lock(), BTreeSet::from([other.id]));
    hub.stop().await;
}

#[tokio::test]
async fn signed_terms_that_nobody_opens_free_their_guarantee() {
    let market = Market::with(|config| config.prices.guarantee = gio("10")).await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let deal = buyer.sign(&job(1), 1).await;
    let refused = buyer
        .quote(&job(1), gio_protocol::B256::ZERO)
        .await
        .unwrap_err();
    assert!(
        refused.message().contains("free balance of 0.0"),
        "{refused:?}"
    );
    market.pass(301).await;
    market.reaches(deal.id, "expired").await;
    buyer
        .quote(&job(1), gio_protocol::B256::ZERO)
        .await
        .unwrap();
    hub.stop().await;
}
