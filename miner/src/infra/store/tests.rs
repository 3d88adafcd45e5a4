//! The store against fresh databases: what is applied is there, twice is once, sums follow their rows.

use std::path::PathBuf;

use gio_protocol::{
    B256, Claim, Cu, DealId, DealTerms, Gio, PricePerPu, Signature, Status, UnixSeconds,
    VerificationMode, Work, seed_commitment,
};
use proptest::prelude::*;
use tokio::task::JoinHandle;

use super::*;
use crate::domain::order::UnitKey;
use crate::domain::trust::HubStatus;

mod payouts;

const WALLET: gio_protocol::Address = gio_protocol::Address::repeat_byte(7);
const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

struct Fresh {
    store: Store,
    writer: JoinHandle<Result<(), StoreError>>,
    path: PathBuf,
    _dir: tempfile::TempDir,
}

#[expect(
    clippy::disallowed_methods,
    reason = "the handle is awaited by `Fresh::close`"
)]
async fn fresh() -> Fresh {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("miner.db");
    let (store, writer) = Store::open(&path).await.unwrap();
    Fresh {
        store,
        writer: tokio::spawn(writer.run()),
        path,
        _dir: dir,
    }
}

impl Fresh {
    async fn apply(&self, change: Change) {
        self.store.apply(vec![change]).await.unwrap();
    }
}

fn terms(seed: u8) -> DealTerms {
    let nonce = B256::repeat_byte(seed);
    DealTerms {
        buyer: gio_protocol::Address::ZERO,
        wallet: WALLET,
        buyer_nonce: nonce,
        hub_nonce: nonce,
        seed_commitment: seed_commitment(nonce),
        job_root: nonce,
        unit_count: 9,
        mode: VerificationMode::None,
        mode_params: B256::ZERO,
        machine_version: 0,
        machine_params: B256::ZERO,
        price_per_pu: PricePerPu(Gio::from_units(9)),
        cap: Gio::ZERO,
        guarantee: Gio::ZERO,
        royalty_to: gio_protocol::Address::ZERO,
        royalty_per_mille: 0,
        court: gio_protocol::Address::ZERO,
        clock_start: NOW,
        open_by: NOW,
        deliver_by: NOW.after(9),
        window: 9,
    }
}

fn deal(seed: u8) -> DealRow {
    let terms = terms(seed);
    DealRow {
        id: terms.deal_id(1),
        wallet: WALLET,
        terms,
        net_price: PricePerPu(Gio::from_units(3)),
        accepted_units: 0,
        accepted_cu: Cu(0),
        first_at: NOW,
    }
}

fn claim(deal: DealId, unit: u32, cu: u64) -> ClaimRow {
    let claim = Claim {
        deal_id: deal,
        unit,
        owner: gio_protocol::Address::repeat_byte(5),
        program_root: B256::repeat_byte(1),
        input_root: B256::repeat_byte(2),
        status: Status::Exit,
        exit_code: 3,
        cu: Cu(cu),
        output_root: B256::repeat_byte(3),
        output_length: 2,
        content_root: B256::repeat_byte(4),
    };
    ClaimRow {
        claim,
        signature: Signature([1; 65]),
        output: unit.is_multiple_of(2).then(|| vec![9, 9]),
        made_at: NOW,
    }
}

/// Claims countersigned together.
fn together(units: impl IntoIterator<Item = UnitKey>) -> Acceptances {
    let units: Vec<UnitKey> = units.into_iter().collect();
    let leaf = |key: &UnitKey| gio_protocol::acceptance_hash(key.deal.0, key.unit, B256::ZERO);
    let leaves: Vec<B256> = units.iter().map(leaf).collect();
    Acceptances {
        root: gio_protocol::acceptances_root(&leaves),
        signature: Signature([2; 65]),
        leaves,
        units,
    }
}

fn hub(status: HubStatus) -> HubRow {
    HubRow {
        wallet: WALLET,
        owner: gio_protocol::Address::repeat_byte(8),
        name: "a hub".to_owned(),
        net_price: PricePerPu(Gio::from_units(3)),
        status,
        reason: "because".to_owned(),
        judged_at: NOW,
    }
}

#[tokio::test]
async fn a_claim_is_sent_again_until_it_is_answered() {
    let db = fresh().await;
    let deal = deal(1);
    db.apply(Change::Deal(Box::new(deal.clone()))).await;
    let rows: Vec<ClaimRow> = (0..3).map(|unit| claim(deal.id, unit, 100)).collect();
    db.apply(Change::Claims(rows.clone())).await;
    assert_eq!(db.store.unanswered_page(WALLET, None).await.unwrap(), rows);
    let after = Some(rows[1].key());
    assert_eq!(
        db.store.unanswered_page(WALLET, after).await.unwrap(),
        rows[2..]
    );
    let signed = vec![together([rows[0].key()])];
    db.apply(Change::Accepted(signed.clone())).await;
    let rejected = vec![(rows[1].key(), "late".to_owned())];
    db.apply(Change::Rejected(rejected)).await;
    let left = db.store.unanswered(WALLET).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!((&left[0].claim, left[0].in_file), (&rows[2].claim, false));
    assert_eq!(db.store.accepted_units(deal.id).await.unwrap(), [0]);
    db.apply(Change::Accepted(signed)).await;
    let found = db.store.deal(deal.id).await.unwrap().unwrap();
    assert_eq!(
        (found.accepted_units, found.accepted_cu),
        (1, Cu(100)),
        "an acceptance counts once"
    );
    db.apply(Change::Claims(vec![rows[0].clone()])).await;
    assert_eq!(
        db.store.unanswered_claim(rows[0].key()).await.unwrap(),
        None,
        "an accepted claim is never replaced"
    );
    db.apply(Change::Claims(vec![rows[1].clone()])).await;
    assert!(
        db.store
            .unanswered_claim(rows[1].key())
            .await
            .unwrap()
            .is_some(),
        "a rejected one may be"
    );
}

#[tokio::test]
async fn a_claim_without_its_deal_is_refused_and_stops_the_store() {
    let db = fresh().await;
    let orphan = Change::Claims(vec![claim(DealId(B256::ZERO), 0, 1)]);
    let error = db.store.apply(vec![orphan]).await.unwrap_err();
    assert!(matches!(error, StoreError::Sql(_)), "{error}");
    assert!(db.writer.await.unwrap().is_err());
    let late = db.store.apply(vec![Change::HubWasEven(WALLET)]).await;
    assert!(matches!(late, Err(StoreError::Closed)));
}

#[tokio::test]
async fn everything_is_there_after_a_restart_and_readable_beside_it() {
    let db = fresh().await;
    let deal = deal(1);
    db.apply(Change::Hub(hub(HubStatus::Checked))).await;
    db.apply(Change::Deal(Box::new(deal.clone()))).await;
    db.apply(Change::Claims(vec![claim(deal.id, 1, 7)])).await;
    let beside = Store::open_to_read(&db.path).await.unwrap();
    assert_eq!(beside.hubs().await.unwrap(), [hub(HubStatus::Checked)]);
    let refused = beside.apply(vec![Change::HubWasEven(WALLET)]).await;
    assert!(matches!(refused, Err(StoreError::Closed)));
    drop(db.store);
    db.writer.await.unwrap().unwrap();
    let (again, _writer) = Store::open(&db.path).await.unwrap();
    let left = again.unanswered(WALLET).await.unwrap();
    assert_eq!(left.len(), 1);
    assert!(left[0].in_file);
    assert_eq!(again.wallets().await.unwrap(), [WALLET]);
}

#[tokio::test]
async fn totals_are_rounded_once_per_deal() {
    let db = fresh().await;
    db.apply(Change::Hub(hub(HubStatus::Safe))).await;
    // 3 units per PU: half a PU is worth one, two halves in one deal three, in two deals one each.
    for (seed, units) in [(1, 2u32), (2, 1), (3, 1)] {
        let deal = deal(seed);
        db.apply(Change::Deal(Box::new(deal.clone()))).await;
        let rows: Vec<_> = (0..units)
            .map(|unit| claim(deal.id, unit, 500_000_000))
            .collect();
        let accepted = vec![together(rows.iter().map(ClaimRow::key))];
        db.store
            .apply(vec![Change::Claims(rows), Change::Accepted(accepted)])
            .await
            .unwrap();
    }
    let totals = db.store.totals(WALLET).await.unwrap();
    assert_eq!(totals.earned, Gio::from_units(3 + 1 + 1));
    assert_eq!((totals.units_accepted, totals.deals), (4, 3));
    assert_eq!(totals.cu_accepted, 2_000_000_000);
    let work = Work::of(Cu(2_000_000_000), PricePerPu(Gio::from_units(3)));
    assert_eq!(db.store.work_done(WALLET).await.unwrap(), work);
}

#[tokio::test]
async fn r25_rejected_work_counts_as_work_done() {
    let db = fresh().await;
    let deal = deal(1);
    db.apply(Change::Deal(Box::new(deal.clone()))).await;
    let row = claim(deal.id, 0, 500);
    db.apply(Change::Claims(vec![row.clone()])).await;
    db.apply(Change::Rejected(vec![(row.key(), "no".to_owned())]))
        .await;
    let work = db.store.work_done(WALLET).await.unwrap();
    assert_eq!(work, Work::of(Cu(500), deal.net_price));
    assert_eq!(db.store.totals(WALLET).await.unwrap().earned, Gio::ZERO);
}

fn pull(id: u8) -> PullRow {
    PullRow {
        id: B256::repeat_byte(id),
        wallet: WALLET,
        amount: Gio::from_units(50),
        allowance: Gio::from_units(50),
        from_block: 12,
        nonce: None,
    }
}

#[tokio::test]
async fn a_pull_counts_once_and_only_when_it_arrived() {
    let db = fresh().await;
    db.apply(Change::Hub(hub(HubStatus::Checked))).await;
    db.apply(Change::PullStarted {
        pull: pull(1),
        at: NOW,
    })
    .await;
    assert_eq!(
        db.store.pull_under_way(WALLET).await.unwrap(),
        Some(pull(1))
    );
    for nonce in [3, 5, 4] {
        let id = pull(1).id;
        db.apply(Change::PullNonce { id, nonce }).await;
    }
    let found = db.store.pull_under_way(WALLET).await.unwrap().unwrap();
    assert_eq!(found.nonce, Some(5), "the highest");
    let tx = B256::repeat_byte(9);
    assert_eq!(db.store.totals(WALLET).await.unwrap().pulled, Gio::ZERO);
    for state in [PullState::Arrived, PullState::Void] {
        let ended = Change::PullEnded {
            id: pull(1).id,
            state,
            tx: Some(tx),
            at: NOW,
        };
        db.apply(ended).await;
    }
    let totals = db.store.totals(WALLET).await.unwrap();
    assert_eq!(totals.pulled, Gio::from_units(50));
    assert_eq!(
        (totals.last_pull_at, totals.last_pull_tx),
        (Some(NOW), Some(tx))
    );
    db.apply(Change::PullStarted {
        pull: pull(2),
        at: NOW,
    })
    .await;
    let second = Change::PullStarted {
        pull: pull(3),
        at: NOW,
    };
    assert!(
        db.store.apply(vec![second]).await.is_err(),
        "one pull of a wallet at a time"
    );
}

#[tokio::test]
async fn a_promise_counts_once_and_being_even_is_remembered() {
    let db = fresh().await;
    db.apply(Change::Hub(hub(HubStatus::Checked))).await;
    db.apply(Change::HubWasEven(WALLET)).await;
    db.apply(Change::Hub(hub(HubStatus::Safe))).await;
    for tx in [1, 1, 2] {
        let promise = Change::Promise {
            wallet: WALLET,
            tx: B256::repeat_byte(tx),
            net: Gio::from_units(10),
            at: NOW,
        };
        db.apply(promise).await;
    }
    let all = db.store.all_totals().await.unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].hub.status, HubStatus::Safe);
    assert_eq!(all[0].totals.promised, Gio::from_units(20));
    assert!(all[0].totals.was_even);
}

async fn promise(db: &Fresh, tx: u64, net: u64) {
    let promise = Change::Promise {
        wallet: WALLET,
        tx: B256::left_padding_from(&tx.to_be_bytes()),
        net: Gio::from_units(net),
        at: NOW.after(tx),
    };
    db.apply(promise).await;
}

async fn promised(db: &Fresh) -> Gio {
    db.store.totals(WALLET).await.unwrap().promised
}

async fn promises_kept(db: &Fresh) -> u32 {
    let count = sqlx::query_scalar("SELECT count(*) FROM promises");
    count.fetch_one(&db.store.readers).await.unwrap()
}

#[tokio::test]
async fn promises_beyond_all_gio_add_up_to_the_largest_amount() {
    let db = fresh().await;
    promise(&db, 1, u64::MAX).await;
    promise(&db, 2, u64::MAX).await;
    promise(&db, 3, u64::MAX).await;
    assert_eq!(promised(&db).await, Gio::from_units(u64::MAX));
    for tx in 4..4 + u64::from(change::PROMISES_MAX) {
        promise(&db, tx, 1).await;
    }
    assert_eq!(promises_kept(&db).await, change::PROMISES_MAX);
    let largest = Gio::from_units(i64::MAX.unsigned_abs());
    let rest = Gio::from_units(u64::from(change::PROMISES_MAX));
    assert_eq!(promised(&db).await, largest.plus(rest).unwrap());
}

#[tokio::test]
async fn a_thousand_promises_take_the_room_of_a_few_and_are_all_counted() {
    let db = fresh().await;
    for tx in 1..=1_000 {
        promise(&db, tx, tx).await;
    }
    assert_eq!(promises_kept(&db).await, change::PROMISES_MAX);
    assert_eq!(promised(&db).await, Gio::from_units(500_500));
    promise(&db, 1_000, 1_000).await;
    assert_eq!(promised(&db).await, Gio::from_units(500_500), "said again");
}

#[tokio::test]
async fn old_fakes_are_forgotten_and_so_are_too_many() {
    let db = fresh().await;
    let fake = |number: u8| HubRow {
        owner: gio_protocol::Address::repeat_byte(number),
        judged_at: NOW.after(number.into()),
        ..hub(HubStatus::Fake)
    };
    // One that was true once, and even.
    db.apply(Change::Hub(HubRow {
        status: HubStatus::Checked,
        ..fake(1)
    }))
    .await;
    db.apply(Change::HubWasEven(WALLET)).await;
    for number in 1..=9 {
        db.apply(Change::Hub(fake(number))).await;
    }
    let left = async |before, most| {
        db.apply(Change::ForgetFakes { before, most }).await;
        let hubs = db.store.hubs().await.unwrap();
        hubs.iter().map(|hub| hub.owner[0]).collect::<Vec<u8>>()
    };
    assert_eq!(left(NOW.after(4), 100).await, [1, 4, 5, 6, 7, 8, 9]);
    assert_eq!(left(NOW, 2).await, [1, 8, 9], "the newest");
    assert!(db.store.totals(WALLET).await.unwrap().was_even);
}

/// Transactions in the write-ahead log since its last checkpoint: frames of the log's salts that end one, which say how
/// many pages the database has then (<https://www.sqlite.org/fileformat2.html#walformat>).
fn commits(path: &std::path::Path) -> usize {
    const HEADER: usize = 32;
    const FRAME_HEADER: usize = 24;
    let log = std::fs::read(path.with_extension("db-wal")).unwrap();
    let (header, frames) = log.split_at(HEADER);
    let page = u32::from_be_bytes(header[8..12].try_into().unwrap());
    let frames = frames.chunks_exact(FRAME_HEADER + page as usize);
    let ends = frames.filter(|frame| frame[8..16] == header[16..24] && frame[4..8] != [0; 4]);
    ends.count()
}

#[tokio::test]
async fn writes_from_many_sides_share_transactions() {
    let db = fresh().await;
    let deal = deal(1);
    db.apply(Change::Deal(Box::new(deal.clone()))).await;
    let before = commits(&db.path);
    let writes = (0..500u32).map(|unit| {
        let change = Change::Claims(vec![claim(deal.id, unit, 1)]);
        db.store.apply(vec![change])
    });
    for result in futures::future::join_all(writes).await {
        result.unwrap();
    }
    let made = commits(&db.path) - before;
    assert!(
        (1..50).contains(&made),
        "{made} transactions for 500 writes"
    );
    assert_eq!(db.store.unanswered(WALLET).await.unwrap().len(), 500);
}

#[derive(Clone, Debug)]
enum Op {
    Claim(u32, u64),
    Accept(u32),
    Reject(u32),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (0..6u32, 0..1_000u64).prop_map(|(unit, cu)| Op::Claim(unit, cu)),
        (0..6u32).prop_map(Op::Accept),
        (0..6u32).prop_map(Op::Reject),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Random operations: the deal's sums are those of its accepted claims, and an accepted claim stays.
    #[test]
    fn sums_follow_their_rows(ops in prop::collection::vec(op(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let db = fresh().await;
            let deal = deal(1);
            let mut changes = vec![Change::Deal(Box::new(deal.clone()))];
            let mut model = std::collections::BTreeMap::new();
            for op in ops {
                let key = |unit| UnitKey { deal: deal.id, unit };
                match op {
                    Op::Claim(unit, cu) => {
                        changes.push(Change::Claims(vec![claim(deal.id, unit, cu)]));
                        let entry = model.entry(unit).or_insert((cu, 0));
                        if entry.1 != 1 { *entry = (cu, 0); }
                    }
                    Op::Accept(unit) => {
                        changes.push(Change::Accepted(vec![together([key(unit)])]));
                        if let Some(entry) = model.get_mut(&unit).filter(|entry| entry.1 == 0) { entry.1 = 1; }
                    }
                    Op::Reject(unit) => {
                        changes.push(Change::Rejected(vec![(key(unit), "no".to_owned())]));
                        if let Some(entry) = model.get_mut(&unit).filter(|entry| entry.1 == 0) { entry.1 = 2; }
                    }
                }
            }
            db.store.apply(changes).await.unwrap();
            let accepted: Vec<u64> = model.values().filter(|(_, state)| *state == 1).map(|(cu, _)| *cu).collect();
            let row = db.store.deal(deal.id).await.unwrap().unwrap();
            assert_eq!(row.accepted_cu, Cu(accepted.iter().sum()));
            assert_eq!(row.accepted_units, accepted.len() as u64);
            let open = model.values().filter(|(_, state)| *state == 0).count();
            assert_eq!(db.store.unanswered(WALLET).await.unwrap().len(), open);
        });
    }
}
