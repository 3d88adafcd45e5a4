//! Which transactions a miner takes.

use std::collections::{BTreeMap, BTreeSet};

use gio_coin::{Transaction, Txid};
use gio_protocol::Gio;

use super::{Entry, FeeRate, Mempool};

/// Transactions for a block, parents before children.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The transactions.
    pub transactions: Vec<Transaction>,
    /// What they pay together.
    pub fees: Gio,
    /// Their bytes.
    pub bytes: usize,
    /// Their signature checks.
    pub sigops: usize,
}

/// What a block has for transactions beside its coinbase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes.
    pub bytes: usize,
    /// Signature checks.
    pub sigops: usize,
}

impl Selection {
    /// Whether these have a place beside what is taken.
    fn has_room<'a>(&self, package: impl Iterator<Item = &'a Entry>, room: Room) -> bool {
        let taken = (self.bytes, self.sigops);
        let (bytes, sigops) = package.fold(taken, |(bytes, sigops), entry| {
            (bytes + entry.bytes, sigops + entry.sigops)
        });
        bytes <= room.bytes && sigops <= room.sigops
    }
}

impl Mempool {
    /// The best-paying transactions for which there is room. A transaction counts with
    /// the ancestors it still needs: a child can pay for its parents.
    ///
    /// # Panics
    /// Never: fees of kept transactions add up to less than all coins.
    #[must_use]
    pub fn select(&self, room: Room) -> Selection {
        let mut taken = BTreeSet::new();
        let mut rates: BTreeMap<Txid, FeeRate> = BTreeMap::new();
        for txid in self.entries.keys() {
            rates.insert(*txid, self.package_rate(txid, &taken));
        }
        let mut order: BTreeSet<(FeeRate, Txid)> =
            rates.iter().map(|(txid, rate)| (*rate, *txid)).collect();
        let mut selection = Selection::default();
        while let Some((_, best)) = order.pop_last() {
            let package = self.package(&best, &taken);
            let entries = package.iter().map(|txid| &self.entries[txid]);
            if !selection.has_room(entries, room) {
                continue;
            }
            let mut changed = BTreeSet::new();
            for txid in &package {
                self.take(txid, &mut selection);
                taken.insert(*txid);
                self.collect_descendants(txid, &mut changed);
            }
            // What is taken no longer weighs on what depends on it.
            for txid in changed {
                let open = order.remove(&(rates[&txid], txid)) && !taken.contains(&txid);
                let rate = self.package_rate(&txid, &taken);
                rates.insert(txid, rate);
                if open {
                    order.insert((rate, txid));
                }
            }
        }
        selection
    }

    fn take(&self, txid: &Txid, selection: &mut Selection) {
        let entry = &self.entries[txid];
        selection.transactions.push(entry.transaction.clone());
        selection.bytes += entry.bytes;
        selection.sigops += entry.sigops;
        let fees = selection.fees.plus(entry.fee);
        selection.fees = fees.expect("fees are part of all coins");
    }

    fn package_rate(&self, txid: &Txid, taken: &BTreeSet<Txid>) -> FeeRate {
        let package = self.package(txid, taken);
        let entries = package.iter().map(|txid| &self.entries[txid]);
        FeeRate::together(entries)
    }

    /// A transaction and the ancestors not taken yet, parents first.
    fn package(&self, txid: &Txid, taken: &BTreeSet<Txid>) -> Vec<Txid> {
        let mut ordered = Vec::new();
        let mut seen = BTreeSet::new();
        let mut open = vec![(*txid, false)];
        while let Some((txid, parents_done)) = open.pop() {
            if parents_done {
                ordered.push(txid);
                continue;
            }
            let Some(entry) = self.entries.get(&txid) else {
                continue;
            };
            if taken.contains(&txid) || !seen.insert(txid) {
                continue;
            }
            open.push((txid, true));
            let parents = entry
                .transaction
                .inputs
                .iter()
                .map(|input| input.previous.txid);
            open.extend(parents.map(|parent| (parent, false)));
        }
        ordered
    }
}
