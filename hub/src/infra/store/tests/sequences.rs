//! Random sequences of operations against a model: what a restart reads is what was written.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    Assign(u32, u8),
    Requeue(u32),
    Accept(u32, u8),
    /// Write what was collected.
    Write,
    Pay(u8),
    Complete(u8),
    Forget(u8),
    /// Open the same file again.
    Reopen,
}

fn any_op() -> impl Strategy<Value = Op> {
    let (unit, miner) = (|| 0u32..6, || 1u8..4);
    prop_oneof![
        4 => (unit(), miner()).prop_map(|(unit, miner)| Op::Assign(unit, miner)),
        2 => unit().prop_map(Op::Requeue),
        4 => (unit(), miner()).prop_map(|(unit, miner)| Op::Accept(unit, miner)),
        4 => Just(Op::Write),
        2 => miner().prop_map(Op::Pay),
        2 => miner().prop_map(Op::Complete),
        1 => miner().prop_map(Op::Forget),
        1 => Just(Op::Reopen),
    ]
}

#[derive(Default)]
struct Model {
    done: BTreeMap<u32, Address>,
    assigned: BTreeMap<u32, Address>,
    /// Base units paid, and under way.
    paid: BTreeMap<Address, u64>,
    under_way: BTreeMap<Address, PayoutRow>,
}

impl Model {
    fn earned(&self, miner: Address) -> u64 {
        let units = self.done.values().filter(|by| **by == miner).count() as u64;
        units * UNIT_NET
    }

    /// Keeps a batch to what the dispatcher would write: queued units are given out, running ones accepted.
    fn collect(&mut self, op: &Op, deal: DealId, batch: &mut WorkBatch) {
        let name = |unit: u32| UnitRef { deal, unit };
        let touched = |batch: &WorkBatch, unit: u32| {
            let accepted = batch.accepted.iter().any(|a| a.signed.claim.unit == unit);
            let assigned = batch.assigned.iter().any(|(u, _)| u.unit == unit);
            accepted || assigned || batch.requeued.contains(&name(unit))
        };
        match op {
            Op::Assign(unit, by) if !self.done.contains_key(unit) && !touched(batch, *unit) => {
                self.assigned.insert(*unit, miner(*by));
                batch.assigned.push((name(*unit), miner(*by)));
            }
            Op::Requeue(unit) if !touched(batch, *unit) => {
                self.assigned.remove(unit);
                batch.requeued.push(name(*unit));
            }
            Op::Accept(unit, by) if !self.done.contains_key(unit) && !touched(batch, *unit) => {
                self.assigned.remove(unit);
                self.done.insert(*unit, miner(*by));
                batch
                    .accepted
                    .push(accepted(deal, *unit, miner(*by), &[*by]));
            }
            _ => {}
        }
    }
}

async fn run(ops: Vec<Op>) {
    let (dir, mut store) = fresh().await;
    let deal = sign(&store, 1).await.id;
    let (mut model, mut batch, mut txs) = (Model::default(), WorkBatch::default(), 0u64);
    for op in ops {
        match &op {
            Op::Write => {
                store
                    .write_work(&std::mem::take(&mut batch), NOW)
                    .await
                    .unwrap();
                compare(&store, deal, &model).await;
            }
            Op::Reopen => store = reopened(&dir).await,
            Op::Pay(by) => {
                store
                    .write_work(&std::mem::take(&mut batch), NOW)
                    .await
                    .unwrap();
                pay(&store, miner(*by), &mut model).await;
            }
            Op::Complete(by) => {
                if let Some(row) = model.under_way.remove(&miner(*by)) {
                    txs += 1;
                    let tx = B256::left_padding_from(&txs.to_be_bytes());
                    store.complete_payout(row.id, tx, 7, true).await.unwrap();
                    *model.paid.entry(row.miner).or_default() += row.net.units();
                }
            }
            Op::Forget(by) => {
                if let Some(row) = model.under_way.remove(&miner(*by)) {
                    store.drop_payout(row.id, row.nonce).await.unwrap();
                }
            }
            work => model.collect(work, deal, &mut batch),
        }
    }
    store.write_work(&batch, NOW).await.unwrap();
    compare(&store, deal, &model).await;
}

async fn pay(store: &Store, to: Address, model: &mut Model) {
    let accounts = store.accounts().await.unwrap();
    let Some(account) = accounts.iter().find(|account| account.miner == to) else {
        return;
    };
    let Some(due) = due(&account.account).unwrap() else {
        return;
    };
    let row = store.intend_payout(account, due, 1, NOW).await.unwrap();
    assert_eq!(
        row.is_none(),
        model.under_way.contains_key(&to),
        "one at a time"
    );
    if let Some(row) = row {
        model.under_way.insert(to, row);
    }
}

async fn compare(store: &Store, deal: DealId, model: &Model) {
    let restored = store.restored(deal).await.unwrap();
    let done: BTreeMap<u32, Address> = restored.done.iter().map(|(u, m, _)| (*u, *m)).collect();
    let assigned: BTreeMap<u32, Address> =
        restored.assigned.iter().map(|(u, m, _)| (*u, *m)).collect();
    assert_eq!((&done, &assigned), (&model.done, &model.assigned));
    for account in store.accounts().await.unwrap() {
        let miner = account.miner;
        let paid = model.paid.get(&miner).copied().unwrap_or_default();
        let coming = model.under_way.get(&miner).map_or(0, |row| row.net.units());
        let earned = account
            .account
            .net_price
            .cost(account.account.cu)
            .unwrap()
            .units();
        assert_eq!(earned, model.earned(miner));
        assert_eq!(account.account.paid.units(), paid + coming);
        assert!(paid + coming <= earned, "nobody is paid twice");
        let left = Work::of(account.account.cu, account.account.net_price);
        assert_eq!(
            store.owed(miner).await.unwrap(),
            left.after_paying(Gio::from_units(paid))
        );
    }
    let mut under_way = store.payouts_under_way().await.unwrap();
    under_way.sort_by_key(|row| row.miner);
    assert_eq!(
        under_way,
        model.under_way.values().copied().collect::<Vec<_>>()
    );
}

proptest! {
    // Every case makes a database and syncs it to the disk.
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_database_says_what_was_written(ops in prop::collection::vec(any_op(), 1..40)) {
        Runtime::new().unwrap().block_on(run(ops));
    }
}
