//! Several processes on one PostgreSQL database. Without a server these tests say that they are skipped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::database::schema;
use super::*;
use crate::domain::stage::Stage;

/// Two processes, or nothing to test with.
async fn two() -> Option<(Store, Store)> {
    let Some(url) = schema().await else {
        eprintln!("skipped: GIO_TEST_POSTGRES is not set; scripts/test-postgres sets it");
        return None;
    };
    let connect = || async { Store::connect(&url).await.unwrap() };
    Some((connect().await, connect().await))
}

async fn open_deals(store: &Store, count: u8) -> Vec<DealId> {
    let mut deals = Vec::new();
    for number in 1..=count {
        let deal = sign(store, number).await.id;
        assert!(store.set_stage(deal, Stage::Open, "", NOW).await.unwrap());
        deals.push(deal);
    }
    deals
}

async fn held(store: &Store) -> Vec<DealId> {
    let deals = store.deals_to_carry(NOW).await.unwrap();
    deals.iter().map(|deal| deal.id).collect()
}

/// As if the holder of everything had been silent for too long.
async fn let_leases_end(store: &Store) {
    for end in [
        "UPDATE deals SET held_until = 0",
        "UPDATE leases SET until = 0",
    ] {
        sqlx::query(end).execute(&store.pool).await.unwrap();
    }
}

fn work(deal: DealId, unit: u32) -> WorkBatch {
    WorkBatch {
        accepted: vec![accepted(deal, unit, miner(1), b"out")],
        ..WorkBatch::default()
    }
}

#[tokio::test]
async fn processes_divide_the_deals_between_them() {
    let Some((one, other)) = two().await else {
        return;
    };
    let mut deals = open_deals(&one, 40).await;
    assert_eq!(
        one.take_deals(false, 0).await.unwrap(),
        0,
        "no miner is here"
    );
    let (first, second) = tokio::join!(one.take_deals(true, 0), other.take_deals(true, 0));
    let (first, second) = (first.unwrap(), second.unwrap());
    let rest = other.take_deals(true, 0).await.unwrap();
    assert_eq!(first + second + rest, 40);
    assert_eq!(one.take_deals(true, 0).await.unwrap(), 0, "all are held");
    let (mine, theirs) = (held(&one).await, held(&other).await);
    assert!(!mine.is_empty() && !theirs.is_empty());
    let mut all = [mine, theirs].concat();
    all.sort_unstable();
    deals.sort_unstable();
    assert_eq!(all, deals, "every deal once");
}

#[tokio::test]
async fn a_silent_process_loses_its_deals_and_writes_no_more_of_them() {
    let Some((one, other)) = two().await else {
        return;
    };
    let deal = open_deals(&one, 1).await[0];
    assert_eq!(one.take_deals(true, 0).await.unwrap(), 1);
    one.write_work(&work(deal, 0), NOW).await.unwrap();
    assert!(other.is_held_elsewhere(deal).await.unwrap());
    let early = other.write_work(&work(deal, 1), NOW).await;
    assert!(matches!(early, Err(StoreError::LeaseLost { .. })));
    let_leases_end(&one).await;
    assert_eq!(other.take_deals(true, 0).await.unwrap(), 1);
    assert_eq!(other.restored(deal).await.unwrap().done.len(), 1);
    other.write_work(&work(deal, 1), NOW).await.unwrap();
    let late = one.write_work(&work(deal, 2), NOW).await;
    assert!(matches!(late, Err(StoreError::LeaseLost { deal: lost }) if lost == deal));
    one.keep_leases().await.unwrap();
    assert!(one.is_held_elsewhere(deal).await.unwrap(), "too late");
    assert_eq!(other.claims(deal).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_deal_ends_where_it_is_on_the_board() {
    let Some((one, other)) = two().await else {
        return;
    };
    let deal = open_deals(&one, 1).await[0];
    assert_eq!(one.take_deals(true, 0).await.unwrap(), 1);
    let end = |store: Store| async move { store.set_stage(deal, Stage::Refunded, "", NOW).await };
    assert!(!end(other.clone()).await.unwrap(), "another has its units");
    let posted = other.set_stage(deal, Stage::Posted, "", NOW).await;
    assert!(posted.unwrap(), "what ends nothing anybody may note");
    one.release_deal(deal).await.unwrap();
    assert!(end(other).await.unwrap());
    assert!(!end(one).await.unwrap(), "once");
}

#[tokio::test]
async fn one_process_pays_at_a_time() {
    let Some((one, other)) = two().await else {
        return;
    };
    assert!(one.hold(Role::Payer).await.unwrap());
    assert!(!other.hold(Role::Payer).await.unwrap());
    assert!(one.hold(Role::Payer).await.unwrap(), "still");
    let_leases_end(&one).await;
    assert!(other.hold(Role::Payer).await.unwrap());
    assert!(!one.hold(Role::Payer).await.unwrap());
    other.release_all().await.unwrap();
    assert!(one.hold(Role::Payer).await.unwrap(), "at once");
}

#[tokio::test]
async fn only_the_payer_writes_a_payment_down() {
    let Some((one, other)) = two().await else {
        return;
    };
    let deal = sign(&one, 1).await.id;
    assert!(one.set_stage(deal, Stage::Open, "", NOW).await.unwrap());
    assert_eq!(one.take_deals(true, 0).await.unwrap(), 1);
    one.write_work(&work(deal, 0), NOW).await.unwrap();
    let account = one.accounts().await.unwrap()[0];
    let due = due(&account.account).unwrap().unwrap();
    let intend = async |store: &Store| store.intend_payout(&account, due, 5, NOW).await.unwrap();
    assert_eq!(intend(&one).await, None, "nobody has the role");
    assert!(one.hold(Role::Payer).await.unwrap());
    assert_eq!(intend(&other).await, None, "another has it");
    let_leases_end(&one).await;
    assert_eq!(intend(&one).await, None, "it is over");
    assert!(other.hold(Role::Payer).await.unwrap());
    assert!(intend(&other).await.is_some());
}

#[tokio::test]
async fn turns_of_processes_exclude_each_other() {
    let Some((one, other)) = two().await else {
        return;
    };
    let first = one.turn(Turn::Promise).await.unwrap();
    let other_kind = other.turn(Turn::Files).await.unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&is_over);
    let second = async move {
        let _turn = other.turn(Turn::Promise).await.unwrap();
        assert!(seen.load(Ordering::SeqCst), "only after the first is over");
    };
    let end = async {
        // The other asks meanwhile; a look at the database takes longer than its asking.
        one.load().await.unwrap();
        is_over.store(true, Ordering::SeqCst);
        drop((first, other_kind));
    };
    tokio::join!(second, end);
}

#[tokio::test]
async fn counters_of_a_deal_elsewhere_are_those_of_its_rows() {
    let Some((one, other)) = two().await else {
        return;
    };
    let deal = open_deals(&one, 1).await[0];
    one.take_deals(true, 0).await.unwrap();
    let name = |unit| UnitRef { deal, unit };
    let mut batch = work(deal, 0);
    batch.assigned = vec![(name(1), miner(1)), (name(2), miner(2))];
    one.write_work(&batch, NOW).await.unwrap();
    let seen = other.progress(deal, 9).await.unwrap();
    assert_eq!(
        (seen.total, seen.done, seen.running, seen.queued),
        (9, 1, 2, 6)
    );
    assert_eq!((seen.cu_done, seen.miners), (CU, 1));
}
