//! Killed and started again: nothing is lost, nothing is paid twice.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use alloy::providers::Provider;
use alloy::providers::ext::AnvilApi;
use gio_evm::{Chain, SendError, TxInfo};
use gio_hub::domain::payout::due;
use gio_hub::infra::store::{PayoutRow, Store};
use gio_protocol::{Address, Gio, UnixSeconds, gross_of_net};
use serde_json::json;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::proxy::Answer;
use crate::support::{Buyer, FakeMiner, Market, Signed, gio, job, until};

#[tokio::test]
async fn accepted_claims_and_running_units_survive_a_restart() {
    let market = Market::start().await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let mut miner = FakeMiner::start(&market, &hub, 3).await;
    let deal = buyer.submit(&job(3), 1).await;
    let orders = miner.orders(3).await;
    let first = miner.result(&orders[0], 500);
    miner.deliver(vec![first.clone()]).await;
    let answer = miner.accepted().await;
    let begun = Instant::now();
    hub.stop().await;
    assert!(
        begun.elapsed().as_secs() < 5,
        "stopped within a few seconds"
    );
    miner.leave();

    let hub = market.launch().await;
    buyer.reconnect(&hub).await;
    let mut miner = FakeMiner::with(&market, &hub, 3, |hello| {
        let unit = |order: &crate::support::Given| gio_net::wire::UnitRef {
            deal_id: order.deal_id.clone(),
            unit: order.unit,
        };
        hello.holding = orders[1..].iter().map(unit).collect();
    })
    .await;
    // At once, while the hub may still be reading its disk: what it held counts, what was accepted stays accepted.
    let held = miner.result(&orders[1], 500);
    miner.deliver(vec![first, held]).await;
    let mut units = Vec::new();
    while units.len() < 2 {
        units.extend(miner.accepted().await.units);
    }
    units.sort_by_key(|unit| unit.unit);
    assert_eq!(units[0], answer.units[0], "the same answer as before");
    miner.deliver(vec![miner.result(&orders[2], 500)]).await;
    miner.accepted().await;
    settle(&market, &mut buyer, &deal).await;
    until("pay", async || {
        !market.payments(miner.address()).await.is_empty()
    })
    .await;
    assert_eq!(
        market.payments(miner.address()).await,
        [gross_of_net(gio("1.5")).unwrap()]
    );
    hub.stop().await;
}

async fn settle(market: &Market, buyer: &mut Buyer, deal: &Signed) {
    market.reaches(deal.id, "posted").await;
    let chain = buyer.chain.deal(market.wallet, deal.id).await.unwrap();
    buyer.confirm(deal.id, chain.result_root.unwrap()).await;
    market.reaches(deal.id, "settled").await;
}

/// A settled deal of one unit worth 1 GIO whose hub was stopped before it paid; the payment is written down.
async fn stopped_before_paying(market: &Market) -> PayoutRow {
    let hub = market.launch().await;
    let mut buyer = Buyer::start(market, &hub).await;
    let mut miner = FakeMiner::start(market, &hub, 3).await;
    let deal = buyer.submit(&job(1), 1).await;
    miner.work(1, 1_000).await;
    market.reaches(deal.id, "posted").await;
    hub.stop().await;
    let chain = buyer.chain.deal(market.wallet, deal.id).await.unwrap();
    let root = chain.result_root.unwrap();
    buyer.chain.confirm(&deal.terms, root, &[]).await.unwrap();
    let store = market.store().await;
    let account = store.accounts().await.unwrap().remove(0);
    let due = due(&account.account).unwrap().unwrap();
    let block = market.chain.head().await.unwrap().number;
    let row = store
        .intend_payout(&account, due, block, UnixSeconds(0))
        .await;
    row.unwrap().unwrap()
}

/// The hub is started, and pays exactly once.
async fn pays_once(market: &Market, row: &PayoutRow) {
    let hub = market.launch().await;
    let store = market.store().await;
    until("the payment's end", async || {
        let made = store.payouts_of(row.deal).await.unwrap();
        !made.is_empty() && store.accounts().await.unwrap().is_empty()
    })
    .await;
    hub.stop().await;
    assert_eq!(market.payments(row.miner).await, [row.gross]);
    let made = store.payouts_of(row.deal).await.unwrap();
    assert_eq!(
        made.iter().map(|made| made.net).collect::<Vec<_>>(),
        [gio("1")]
    );
    let allowed = market
        .chain
        .allowance(market.wallet, row.miner)
        .await
        .unwrap();
    // the lock is rounded down, for the miner.
    assert_eq!(allowed, gio("1.00000001"));
}

#[tokio::test]
async fn a_payment_that_was_written_down_and_never_sent_is_made_once() {
    let market = Market::start().await;
    let row = stopped_before_paying(&market).await;
    assert_eq!(market.payments(row.miner).await, Vec::<Gio>::new());
    pays_once(&market, &row).await;
}

#[tokio::test]
async fn a_payment_whose_nonce_was_written_down_and_that_was_never_sent_is_made_once() {
    let market = Market::start().await;
    let row = stopped_before_paying(&market).await;
    let next = market.chain.nonces_used().await.unwrap();
    let store = market.store().await;
    assert!(store.note_nonce(row.id, None, next + 2).await.unwrap());
    // Two nonces below it are free, as if their transactions were lost.
    pays_once(&market, &row).await;
    assert!(market.chain.nonces_used().await.unwrap() > next + 3);
}

#[tokio::test]
async fn a_payment_that_was_mined_and_not_recorded_is_not_made_again() {
    let market = Market::start().await;
    let row = stopped_before_paying(&market).await;
    let store = market.store().await;
    let sent = send(market.chain.clone(), store, market.wallet, row).await;
    sent.unwrap();
    pays_once(&market, &row).await;
}

/// The node took the payment, the answer was lost, and the second attempt met a full pool.
#[tokio::test]
async fn a_payment_that_was_taken_and_then_refused_is_not_made_again() {
    let market = Market::start().await;
    let row = stopped_before_paying(&market).await;
    let proxy = market.proxy().await;
    let (miner, attempts) = (format!("{:x}", row.miner), AtomicUsize::new(0));
    proxy.on("eth_sendRawTransaction", move |_, params| {
        let is_payment = params[0].as_str().unwrap().contains(&miner);
        match is_payment.then(|| attempts.fetch_add(1, Ordering::SeqCst)) {
            Some(0) => Answer::ForwardAndHangUp,
            Some(1) => Answer::Error(json!({"code": -32000, "message": "txpool is full"})),
            _ => Answer::Forward,
        }
    });
    pays_once(&market, &row).await;
}

/// What a hub does with a payment that is written down, up to its receipt.
async fn send(
    chain: Chain,
    store: Store,
    wallet: Address,
    row: PayoutRow,
) -> Result<TxInfo, SendError> {
    let last = Mutex::new(row.nonce);
    let note = |nonce| {
        let (store, last) = (&store, &last);
        async move {
            let before = *last.lock().unwrap();
            let noted = store.note_nonce(row.id, before, nonce).await.unwrap();
            *last.lock().unwrap() = Some(nonce);
            noted
        }
    };
    chain.transfer_net(wallet, row.miner, row.net, note).await
}

/// A process is frozen before it sends a payment, before or after it wrote the nonce down; another one takes over and
/// pays; then the first goes on.
async fn frozen(after_the_note: bool) {
    let market = Market::start().await;
    let row = stopped_before_paying(&market).await;
    let store = market.store().await;
    let (is_frozen, thaw) = (Notify::new(), Notify::new());
    let last = Mutex::new(row.nonce);
    let note = |nonce| {
        let (store, is_frozen, thaw, last) = (&store, &is_frozen, &thaw, &last);
        async move {
            let is_first = last.lock().unwrap().is_none();
            if is_first && !after_the_note {
                is_frozen.notify_one();
                thaw.notified().await;
            }
            let before = *last.lock().unwrap();
            let noted = store.note_nonce(row.id, before, nonce).await.unwrap();
            *last.lock().unwrap() = Some(nonce);
            if is_first && after_the_note {
                is_frozen.notify_one();
                thaw.notified().await;
            }
            noted
        }
    };
    // The running hub has a connection of its own.
    let sending = market
        .chain
        .transfer_net(market.wallet, row.miner, row.net, note);
    let others = async {
        is_frozen.notified().await;
        pays_once(&market, &row).await;
        thaw.notify_one();
    };
    let (sent, ()) = tokio::join!(sending, others);
    assert!(matches!(sent, Err(SendError::Withheld { .. })), "{sent:?}");
    assert_eq!(market.payments(row.miner).await, [row.gross], "once");
}

#[tokio::test]
async fn a_process_frozen_before_it_wrote_its_nonce_down_pays_nothing_when_it_goes_on() {
    frozen(false).await;
}

#[tokio::test]
async fn a_process_frozen_before_it_sent_a_payment_pays_nothing_when_it_goes_on() {
    frozen(true).await;
}

#[tokio::test]
async fn a_payment_that_still_waits_to_be_mined_is_not_made_again() {
    let market = Market::start().await;
    let row = stopped_before_paying(&market).await;
    market.node().anvil_set_auto_mine(false).await.unwrap();
    let (chain, wallet, store) = (market.chain.clone(), market.wallet, market.store().await);
    let mut sending = JoinSet::new();
    sending.spawn(send(chain, store, wallet, row));
    let pending = async || {
        let (node, account) = (market.node(), market.key.address());
        let mined = node.get_transaction_count(account).await.unwrap();
        let all = node.get_transaction_count(account).pending().await.unwrap();
        all - mined
    };
    until("the payment in the pool", async || pending().await == 1).await;
    let hub = market.launch().await;
    until("the barrier in the pool", async || pending().await == 2).await;
    assert_eq!(market.payments(row.miner).await, Vec::<Gio>::new());
    market.node().anvil_set_auto_mine(true).await.unwrap();
    market.node().evm_mine(None).await.unwrap();
    sending.join_next().await.unwrap().unwrap().unwrap();
    hub.stop().await;
    pays_once(&market, &row).await;
}

#[tokio::test]
async fn a_hub_without_a_database_begins_at_its_registration_and_knows_nobody_elses_deals() {
    let market = Market::start().await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let deal = buyer.submit(&job(1), 1).await;
    market.reaches(deal.id, "open").await;
    let store = market.store().await;
    let registered = market
        .chain
        .wallet(market.wallet)
        .await
        .unwrap()
        .registered_at
        .unwrap();
    let cursor = store.cursor().await.unwrap().unwrap();
    assert!(cursor.block > 0);
    hub.stop().await;
    for name in ["hub.db", "hub.db-wal", "hub.db-shm"] {
        let _ = std::fs::remove_file(market.home.path().join(name));
    }
    let hub = market.launch().await;
    let store = market.store().await;
    until("the chain read", async || {
        store
            .cursor()
            .await
            .unwrap()
            .is_some_and(|now| now.block >= cursor.block)
    })
    .await;
    assert!(store.deal(deal.id).await.unwrap().is_none());
    assert!(registered.0 > 0);
    hub.stop().await;
}

#[tokio::test]
async fn a_second_hub_on_the_same_folder_is_refused() {
    let market = Market::start().await;
    let hub = market.launch().await;
    let home = market.home();
    let refused = Box::pin(gio_hub::run::RunningHub::launch(&home));
    let refused = refused.await.err().unwrap();
    assert!(refused.cause.to_string().contains("another gio-hub"));
    hub.stop().await;
    let hub = market.launch().await;
    hub.stop().await;
}

#[tokio::test]
async fn a_hub_that_waits_for_a_transaction_stops_at_once_and_does_not_post_twice() {
    let market = Market::start().await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let mut miner = FakeMiner::start(&market, &hub, 3).await;
    let deal = buyer.submit(&job(1), 1).await;
    let orders = miner.orders(1).await;
    market.node().anvil_set_auto_mine(false).await.unwrap();
    miner.deliver(vec![miner.result(&orders[0], 1_000)]).await;
    miner.accepted().await;
    let pending = async || {
        let count = market.node().get_transaction_count(market.key.address());
        count.pending().await.unwrap()
    };
    let before = pending().await;
    until("the result in the pool", async || {
        pending().await == before + 1
    })
    .await;
    let begun = Instant::now();
    hub.stop().await;
    assert!(begun.elapsed().as_secs() < 5, "did not wait for the block");
    market.node().anvil_set_auto_mine(true).await.unwrap();
    market.node().evm_mine(None).await.unwrap();
    let hub = market.launch().await;
    buyer.reconnect(&hub).await;
    settle(&market, &mut buyer, &deal).await;
    until("pay", async || {
        !market.payments(miner.address()).await.is_empty()
    })
    .await;
    assert_eq!(market.payments(miner.address()).await.len(), 1);
    hub.stop().await;
}

#[tokio::test]
async fn a_false_claim_right_after_a_restart_is_not_taken_unseen() {
    let market = Market::start().await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let mut miner = FakeMiner::start(&market, &hub, 3).await;
    let deal = buyer.submit(&job(1), 1).await;
    let orders = miner.orders(1).await;
    hub.stop().await;
    miner.leave();
    let hub = market.launch().await;
    let holds = |hello: &mut gio_net::wire::Hello| {
        hello.holding = vec![gio_net::wire::UnitRef {
            deal_id: orders[0].deal_id.clone(),
            unit: orders[0].unit,
        }];
    };
    let mut miner = FakeMiner::with(&market, &hub, 3, holds).await;
    let mut claim = miner.claim(&orders[0], 100, b"no image");
    claim.cu = gio_protocol::Cu(orders[0].cu_limit + 1);
    let output = gio_net::wire::unit_done::Output::OutputInline(b"no image".to_vec().into());
    miner.deliver(vec![miner.done(&claim, output)]).await;
    let rejected = miner.rejected().await;
    assert!(
        rejected.units[0].reason.contains("the unit allows"),
        "{rejected:?}"
    );
    assert!(!market.store().await.has_claims(deal.id).await.unwrap());
    hub.stop().await;
}

#[tokio::test]
async fn a_deal_whose_contents_are_gone_is_refunded_when_it_is_due() {
    let market = Market::start().await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let mut spec = job(1);
    let input = vec![7; 100_000];
    spec.inputs
        .insert("in".to_owned(), gio_content::ContentRef::of(&input));
    buyer.inputs.insert("in".to_owned(), input);
    let deal = buyer.sign(&spec, 1).await;
    for file in std::fs::read_dir(market.home.path().join("content")).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    buyer.open(&deal).await;
    market.reaches(deal.id, "open").await;
    let mut other = Buyer::numbered(&market, &hub, 5).await;
    let mut miner = FakeMiner::start(&market, &hub, 3).await;
    let fine = other.submit(&job(1), 2).await;
    miner.work(1, 100).await;
    market.reaches(fine.id, "posted").await;
    market.pass(601).await;
    market.reaches(deal.id, "refunded").await;
    hub.stop().await;
}
