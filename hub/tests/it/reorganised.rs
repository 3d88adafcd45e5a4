//! The chain changes its mind about what the hub has written down as made: payments, and ends of deals.

use alloy::providers::Provider;
use alloy::providers::ext::AnvilApi;
use alloy::rpc::types::anvil::ReorgOptions;
use gio_evm::{LogPlace, WalletEvent};
use gio_hub::infra::store::{Cursor, PayoutRow};
use gio_net::wire::CancelRequest;
use gio_net::wire::field::bytes;
use gio_protocol::{Address, DealId, DealStage, Domain, Gio, U256, cancellation_digest};

use crate::support::{Buyer, CHAIN_ID, FakeMiner, Market, Signed, TestHub, gio, job, until};

/// Blocks on top of another that the hub waits for where it waits.
const DEPTH: u64 = 3;
/// Blocks after which a payment that was taken back may be made again.
const BEYOND: u64 = 64;

async fn mine(market: &Market, blocks: u64) {
    market.node().anvil_mine(Some(blocks), None).await.unwrap();
}

async fn head(market: &Market) -> u64 {
    market.chain.head().await.unwrap().number
}

/// What the hub has written down last of a deal.
async fn last_stage(market: &Market, deal: DealId) -> &'static str {
    let events = market.store().await.events(deal, 0).await.unwrap();
    events.last().unwrap().stage.name()
}

/// Waits until a deal is in a stage, while blocks come.
async fn comes_to(market: &Market, deal: DealId, stage: &str) {
    until(stage, async || {
        if last_stage(market, deal).await == stage {
            return true;
        }
        mine(market, 1).await;
        false
    })
    .await;
}

async fn on_chain(market: &Market, deal: DealId) -> DealStage {
    let known = market.chain.deal(market.wallet, deal).await.unwrap();
    known.stage
}

/// Where the payments to a miner are.
async fn places(market: &Market, to: Address) -> Vec<LogPlace> {
    let logs = market
        .chain
        .wallet_events(market.wallet, 0, head(market).await);
    let of_miner = |event: &WalletEvent| matches!(event, WalletEvent::PaymentApproved { miner, .. } if *miner == to);
    let logs = logs.await.unwrap().into_iter();
    let places = logs.filter(|log| of_miner(&log.event));
    places.map(|log| log.place).collect()
}

/// The hub has paid a miner for a settled deal, in a block that is not deep enough. The hub is down.
async fn paid_in_a_shallow_block(market: &Market) -> PayoutRow {
    let hub = market.launch().await;
    let mut buyer = Buyer::start(market, &hub).await;
    let mut miner = FakeMiner::start(market, &hub, 3).await;
    let deal = buyer.sign(&job(1), 1).await;
    buyer.open(&deal).await;
    mine(market, DEPTH).await;
    miner.work(1, 1_000).await;
    comes_to(market, deal.id, "posted").await;
    confirm(market, &mut buyer, &deal).await;
    comes_to(market, deal.id, "settled").await;
    let store = market.store().await;
    let shallow = async || store.shallow_payouts().await.unwrap();
    until("the payment", async || !shallow().await.is_empty()).await;
    hub.stop().await;
    let row = shallow().await[0];
    assert_eq!(market.payments(row.miner).await, [row.gross]);
    assert_eq!(store.accounts().await.unwrap().len(), 1, "not closed yet");
    row
}

async fn confirm(market: &Market, buyer: &mut Buyer, deal: &Signed) {
    let known = market.chain.deal(market.wallet, deal.id).await.unwrap();
    buyer.confirm(deal.id, known.result_root.unwrap()).await;
}

/// Replaces the block of a payment and those after it by empty ones.
async fn replace(market: &Market, row: &PayoutRow) {
    let depth = head(market).await - row.block.unwrap() + 1;
    assert!(depth <= DEPTH);
    let options = ReorgOptions {
        depth,
        tx_block_pairs: Vec::new(),
    };
    market.node().anvil_reorg(options).await.unwrap();
}

/// Waits until all that was to be paid counts for good, while blocks come.
async fn accounts_are_closed(market: &Market) {
    let store = market.store().await;
    until("closed accounts", async || {
        mine(market, 1).await;
        store.accounts().await.unwrap().is_empty()
    })
    .await;
}

#[tokio::test]
async fn a_payment_that_a_reorganisation_took_back_is_made_again_once_it_is_gone_for_good() {
    let market = Market::with(|config| config.hub.confirmations = DEPTH).await;
    let row = paid_in_a_shallow_block(&market).await;
    replace(&market, &row).await;
    assert_eq!(market.payments(row.miner).await, Vec::<Gio>::new());
    let used = market.chain.nonces_used().await.unwrap();
    let hub = market.launch().await;
    mine(&market, DEPTH).await;
    until("the barrier", async || {
        market.chain.nonces_used().await.unwrap() > used
    })
    .await;
    // Whatever the chain does down to here, the first payment and another one never count both.
    let barrier = head(&market).await;
    let store = market.store().await;
    let known = store.payouts_under_way().await.unwrap();
    assert_eq!(
        (known.len(), known[0].id, known[0].nonce),
        (1, row.id, row.nonce)
    );
    mine(&market, BEYOND).await;
    until("the payment", async || {
        !places(&market, row.miner).await.is_empty()
    })
    .await;
    accounts_are_closed(&market).await;
    hub.stop().await;
    let made = places(&market, row.miner).await;
    assert_eq!(market.payments(row.miner).await, [row.gross], "once");
    assert!(
        made[0].block >= barrier + BEYOND,
        "{made:?} after {barrier}"
    );
    let booked = store.payouts_of(row.deal).await.unwrap();
    let booked: Vec<_> = booked.iter().map(|row| (row.net, row.tx)).collect();
    assert_eq!(booked, [(row.net, Some(made[0].tx))]);
}

#[tokio::test]
async fn a_payment_that_a_reorganisation_moved_to_another_block_is_not_made_again() {
    let market = Market::with(|config| config.hub.confirmations = DEPTH).await;
    let row = paid_in_a_shallow_block(&market).await;
    let tx = row.tx.unwrap();
    let node = market.node();
    let raw = node.get_raw_transaction_by_hash(tx).await.unwrap().unwrap();
    replace(&market, &row).await;
    mine(&market, DEPTH).await;
    let sent = node.send_raw_transaction(&raw).await.unwrap();
    assert_eq!(*sent.tx_hash(), tx);
    let hub = market.launch().await;
    accounts_are_closed(&market).await;
    hub.stop().await;
    assert_eq!(market.payments(row.miner).await, [row.gross]);
    let made = places(&market, row.miner).await;
    let booked = market.store().await.payouts_of(row.deal).await.unwrap();
    let booked: Vec<_> = booked.iter().map(|row| (row.tx, row.block)).collect();
    assert_eq!(booked, [(Some(tx), Some(made[0].block))]);
}

#[tokio::test]
async fn a_payment_that_a_reorganisation_took_back_and_that_is_mined_late_is_not_made_again() {
    let market = Market::with(|config| config.hub.confirmations = DEPTH).await;
    let row = paid_in_a_shallow_block(&market).await;
    let node = market.node();
    let raw = node.get_raw_transaction_by_hash(row.tx.unwrap()).await;
    let raw = raw.unwrap().unwrap();
    replace(&market, &row).await;
    node.anvil_set_auto_mine(false).await.unwrap();
    let hub = market.launch().await;
    mine(&market, DEPTH).await;
    let store = market.store().await;
    let account = market.key.address();
    until("the barrier in the pool", async || {
        let mined = node.get_transaction_count(account).await.unwrap();
        node.get_transaction_count(account).pending().await.unwrap() > mined
    })
    .await;
    // Some node had the payment all the time: the nonce is its, and not the barrier's.
    node.anvil_drop_all_transactions().await.unwrap();
    let _sent = node.send_raw_transaction(&raw).await.unwrap();
    mine(&market, 1).await;
    hub.stop().await;
    node.anvil_set_auto_mine(true).await.unwrap();
    let hub = market.launch().await;
    accounts_are_closed(&market).await;
    hub.stop().await;
    assert_eq!(market.payments(row.miner).await, [row.gross]);
    let booked = store.payouts_of(row.deal).await.unwrap();
    assert_eq!((booked.len(), booked[0].tx), (1, row.tx));
}

/// Takes back everything since a snapshot, while the hub is down, and puts other blocks in its place.
async fn take_back(market: &Market, hub: TestHub, snapshot: U256) {
    let store = market.store().await;
    let newest = head(market).await;
    until("the chain read", async || {
        let cursor = store.cursor().await.unwrap();
        cursor.is_some_and(|cursor| cursor.block >= newest)
    })
    .await;
    hub.stop().await;
    assert!(market.node().anvil_revert(snapshot).await.unwrap());
    let blocks = newest - head(market).await + 1;
    mine(market, blocks).await;
}

#[tokio::test]
async fn a_settlement_that_a_reorganisation_took_back_is_sent_again_and_the_pay_after_it_too() {
    let market = Market::start().await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let mut miner = FakeMiner::start(&market, &hub, 3).await;
    let deal = buyer.submit(&job(1), 1).await;
    miner.work(1, 1_000).await;
    market.reaches(deal.id, "posted").await;
    let snapshot = market.node().anvil_snapshot().await.unwrap();
    confirm(&market, &mut buyer, &deal).await;
    market.reaches(deal.id, "settled").await;
    let store = market.store().await;
    until("closed accounts", async || {
        store.accounts().await.unwrap().is_empty()
    })
    .await;
    let pay = market.payments(miner.address()).await;
    assert_eq!(pay.len(), 1);
    take_back(&market, hub, snapshot).await;
    assert_eq!(on_chain(&market, deal.id).await, DealStage::Posted);
    assert_eq!(market.payments(miner.address()).await, Vec::<Gio>::new());
    let hub = market.launch().await;
    until("the settlement", async || {
        on_chain(&market, deal.id).await == DealStage::Settled
    })
    .await;
    comes_to(&market, deal.id, "settled").await;
    accounts_are_closed(&market).await;
    hub.stop().await;
    assert_eq!(market.payments(miner.address()).await, pay, "once");
    let settled = store.deal(deal.id).await.unwrap().unwrap().settled.unwrap();
    assert!(market.chain.mined(settled.tx).await.unwrap().is_some());
    let names = market.reaches(deal.id, "settled").await;
    assert_eq!(names[names.len() - 3..], ["settled", "posted", "settled"]);
}

#[tokio::test]
async fn a_refund_that_a_reorganisation_took_back_is_sent_again() {
    let market = Market::start().await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let deal = buyer.submit(&job(1), 1).await;
    market.reaches(deal.id, "open").await;
    let snapshot = market.node().anvil_snapshot().await.unwrap();
    market.pass(601).await;
    market.reaches(deal.id, "refunded").await;
    take_back(&market, hub, snapshot).await;
    assert_eq!(on_chain(&market, deal.id).await, DealStage::Open);
    market.pass(601).await;
    let hub = market.launch().await;
    until("the refund", async || {
        on_chain(&market, deal.id).await == DealStage::Refunded
    })
    .await;
    comes_to(&market, deal.id, "refunded").await;
    hub.stop().await;
    let balance = buyer.chain.balance(buyer.key.address()).await;
    assert_eq!(balance.unwrap(), gio("100"));
}

/// The buyer cancels a deal that nobody has begun.
async fn cancelled(market: &Market, buyer: &mut Buyer, deal: &Signed) {
    let domain = Domain::new(CHAIN_ID, market.wallet);
    let digest = cancellation_digest(&domain, deal.id.0, Gio::ZERO);
    let signature = buyer.key.sign(digest).as_bytes().to_vec();
    let request = CancelRequest {
        deal_id: bytes(deal.id.0),
        signature: signature.into(),
    };
    buyer.market.cancel(request).await.unwrap();
    market.reaches(deal.id, "cancelled").await;
}

/// The cursor is where it was before the end: as if the hub had been killed when it had written the end down. The chain
/// below is the same, so no hash tells.
#[tokio::test]
async fn a_cancellation_noted_by_a_look_that_was_cut_short_is_sent_again_if_it_was_taken_back() {
    let market = Market::start().await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let deal = buyer.submit(&job(1), 1).await;
    market.reaches(deal.id, "open").await;
    let snapshot = market.node().anvil_snapshot().await.unwrap();
    let before = market.chain.head().await.unwrap();
    cancelled(&market, &mut buyer, &deal).await;
    take_back(&market, hub, snapshot).await;
    let cursor = Cursor {
        block: before.number,
        hash: before.hash,
    };
    let store = market.store().await;
    let now = store.cursor().await.unwrap();
    assert!(store.set_cursor(now, cursor).await.unwrap());
    assert_eq!(on_chain(&market, deal.id).await, DealStage::Open);
    let hub = market.launch().await;
    until("the cancellation", async || {
        on_chain(&market, deal.id).await == DealStage::Cancelled
    })
    .await;
    comes_to(&market, deal.id, "cancelled").await;
    hub.stop().await;
}

#[tokio::test]
async fn a_deal_that_ended_otherwise_after_a_reorganisation_is_where_the_chain_says() {
    let market = Market::start().await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let deal = buyer.submit(&job(1), 1).await;
    market.reaches(deal.id, "open").await;
    let snapshot = market.node().anvil_snapshot().await.unwrap();
    cancelled(&market, &mut buyer, &deal).await;
    take_back(&market, hub, snapshot).await;
    market.pass(601).await;
    buyer.chain.refund(&deal.terms).await.unwrap();
    let hub = market.launch().await;
    comes_to(&market, deal.id, "refunded").await;
    hub.stop().await;
}

#[tokio::test]
async fn a_deal_whose_opening_and_end_a_reorganisation_took_back_expires() {
    let market = Market::start().await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let deal = buyer.sign(&job(1), 1).await;
    let snapshot = market.node().anvil_snapshot().await.unwrap();
    buyer.open(&deal).await;
    market.reaches(deal.id, "open").await;
    cancelled(&market, &mut buyer, &deal).await;
    take_back(&market, hub, snapshot).await;
    assert_eq!(on_chain(&market, deal.id).await, DealStage::None);
    let hub = market.launch().await;
    comes_to(&market, deal.id, "assembling").await;
    market.pass(601).await;
    comes_to(&market, deal.id, "expired").await;
    hub.stop().await;
}
