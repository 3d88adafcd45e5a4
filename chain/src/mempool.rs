//! Transactions that wait for a block.
//!
//! Owns: which transactions are kept, what they spend and make, and in which order a miner
//! takes them. Decides: admission, replacement, eviction. Does not: look at the clock, the
//! store or peers; coins and the tip are handed in.
//!
//! # Correctness
//! Every input of a kept transaction is an unspent coin or an output of a kept one, and no
//! output is spent twice. All that depends on a removed transaction is removed with it.

mod entry;
mod error;
mod policy;
mod template;

use std::collections::{BTreeMap, BTreeSet};

use gio_coin::{
    BlockContext, Coin, InputError, OutPoint, SignatureHashes, Strictness, Transaction, TxOut,
    Txid, check_transaction, is_final, spend_transaction, transaction_sigops, verify_input,
    verify_transaction,
};
use gio_protocol::Gio;

pub use entry::{Entry, FeeRate};
pub use error::{AdmitError, PolicyError};
pub use policy::MempoolLimits;
pub use template::{Room, Selection};

/// What a transaction is admitted against: the block after the tip.
#[derive(Debug)]
pub struct NextBlock<'a> {
    /// Its height and the medians before it.
    pub context: BlockContext<'a>,
    /// The confirmed coins the transaction spends, as far as they exist.
    pub coins: &'a BTreeMap<OutPoint, Coin>,
}

/// Transactions that wait for a block.
#[derive(Debug)]
pub struct Mempool {
    limits: MempoolLimits,
    entries: BTreeMap<Txid, Entry>,
    spent_by: BTreeMap<OutPoint, Txid>,
    /// What each transaction and all that depend on it pay together, the worst first.
    ranks: BTreeSet<(FeeRate, Txid)>,
    rates: BTreeMap<Txid, FeeRate>,
    bytes: usize,
    /// Raised when the pool is full: what was evicted last paid this much.
    floor: FeeRate,
}

/// A transaction on its way in.
struct Candidate {
    entry: Entry,
    /// Kept transactions that spend the same outputs, and all that depend on them.
    replaced: BTreeSet<Txid>,
}

impl Mempool {
    /// An empty pool.
    #[must_use]
    pub const fn new(limits: MempoolLimits) -> Self {
        Self {
            floor: limits.relay_rate_min,
            limits,
            entries: BTreeMap::new(),
            spent_by: BTreeMap::new(),
            ranks: BTreeSet::new(),
            rates: BTreeMap::new(),
            bytes: 0,
        }
    }

    /// How many transactions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of all transactions together.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The least rate a transaction must pay now.
    #[must_use]
    pub const fn rate_min(&self) -> FeeRate {
        self.floor
    }

    /// A kept transaction.
    #[must_use]
    pub fn get(&self, txid: &Txid) -> Option<&Entry> {
        self.entries.get(txid)
    }

    /// All kept transactions, by id.
    pub fn iter(&self) -> impl Iterator<Item = (&Txid, &Entry)> {
        self.entries.iter()
    }

    /// Who spends an output, among the kept.
    #[must_use]
    pub fn spender(&self, point: &OutPoint) -> Option<&Txid> {
        self.spent_by.get(point)
    }

    /// An output of a kept transaction.
    #[must_use]
    pub fn output(&self, point: &OutPoint) -> Option<&TxOut> {
        let entry = self.entries.get(&point.txid)?;
        entry
            .transaction
            .outputs
            .get(usize::try_from(point.index).ok()?)
    }

    /// Takes a transaction in, or says why not. Gives the ids that had to leave for it.
    ///
    /// # Errors
    /// [`AdmitError`].
    pub fn admit(
        &mut self,
        transaction: Transaction,
        next: &NextBlock<'_>,
    ) -> Result<Vec<Txid>, AdmitError> {
        let candidate = self.examine(transaction, next)?;
        let txid = candidate.entry.txid;
        let mut gone: Vec<Txid> = candidate.replaced.iter().copied().collect();
        for replaced in &gone {
            self.remove_one(replaced);
        }
        self.insert(candidate.entry);
        let evicted = self.shrink();
        if evicted.contains(&txid) {
            return Err(AdmitError::Full {
                rate_min: self.floor,
            });
        }
        gone.extend(evicted);
        Ok(gone)
    }

    fn examine(
        &self,
        transaction: Transaction,
        next: &NextBlock<'_>,
    ) -> Result<Candidate, AdmitError> {
        let txid = transaction.txid();
        if self.entries.contains_key(&txid) {
            return Err(AdmitError::Known);
        }
        check_transaction(&transaction).map_err(AdmitError::Transaction)?;
        policy::check(&transaction, &self.limits).map_err(AdmitError::Policy)?;
        let context = &next.context;
        if !is_final(&transaction, context.height, context.median_time_past) {
            return Err(AdmitError::NotFinal);
        }
        let coins = self.coins_of(&transaction, next)?;
        let fee = spend_transaction(&transaction, &coins, context).map_err(AdmitError::Spend)?;
        let sigops = transaction_sigops(&transaction, &coins);
        policy::check_sigops(sigops, &self.limits).map_err(AdmitError::Policy)?;
        let entry = Entry::new(transaction, txid, fee, sigops);
        if entry.rate() < self.floor {
            let (rate, rate_min) = (entry.rate(), self.floor);
            return Err(AdmitError::FeeTooLow { rate, rate_min });
        }
        let replaced = self.check_replacement(&entry)?;
        self.check_family(&entry, &replaced)?;
        check_scripts(&entry.transaction, &coins)?;
        Ok(Candidate { entry, replaced })
    }

    /// The coins a transaction spends: confirmed ones and outputs of kept transactions, which
    /// count as made by the next block.
    fn coins_of(
        &self,
        transaction: &Transaction,
        next: &NextBlock<'_>,
    ) -> Result<Vec<Coin>, AdmitError> {
        let inputs = transaction.inputs.iter();
        inputs
            .map(|input| {
                let point = input.previous;
                let unconfirmed = || {
                    let output = self.output(&point)?;
                    Some(Coin::new(output, next.context.height, false))
                };
                let confirmed = next.coins.get(&point).cloned();
                let coin = confirmed.or_else(unconfirmed);
                coin.ok_or(AdmitError::MissingCoin(point))
            })
            .collect()
    }

    /// What must leave if this comes, and whether it pays for that: more than all that leaves
    /// together, the cost of relaying itself added, and a better rate than each it replaces.
    fn check_replacement(&self, entry: &Entry) -> Result<BTreeSet<Txid>, AdmitError> {
        let points = entry.transaction.inputs.iter().map(|input| input.previous);
        let direct: BTreeSet<Txid> = points
            .filter_map(|point| self.spent_by.get(&point).copied())
            .collect();
        let mut replaced = BTreeSet::new();
        for conflict in &direct {
            if entry.rate() <= self.entries[conflict].rate() {
                return Err(AdmitError::ReplacementRate(*conflict));
            }
            self.collect_descendants(conflict, &mut replaced);
        }
        if replaced.len() > self.limits.replaced_max {
            return Err(AdmitError::ReplacesTooMany(replaced.len()));
        }
        let mut parents = entry
            .transaction
            .inputs
            .iter()
            .map(|input| input.previous.txid);
        if parents.any(|parent| replaced.contains(&parent)) {
            return Err(AdmitError::SpendsWhatItReplaces);
        }
        let lost: u64 = replaced
            .iter()
            .map(|txid| self.entries[txid].fee.units())
            .sum();
        let relay = self.limits.relay_rate_min.fee_of(entry.size()).units();
        if !replaced.is_empty() && entry.fee.units() < lost.saturating_add(relay) {
            let required = Gio::from_units(lost.saturating_add(relay));
            let fee = entry.fee;
            return Err(AdmitError::ReplacementFee { fee, required });
        }
        Ok(replaced)
    }

    /// Bounds what one transaction drags along when it is removed or mined.
    fn check_family(&self, entry: &Entry, replaced: &BTreeSet<Txid>) -> Result<(), AdmitError> {
        let limit = self.limits.family_max;
        let ancestors = self.ancestors_of(&entry.transaction);
        if ancestors.len() + 1 > limit {
            return Err(AdmitError::FamilyTooLarge(ancestors.len() + 1));
        }
        for ancestor in &ancestors {
            let mut descendants = BTreeSet::new();
            self.collect_descendants(ancestor, &mut descendants);
            let count = descendants.difference(replaced).count() + 1;
            if count > limit {
                return Err(AdmitError::FamilyTooLarge(count));
            }
        }
        Ok(())
    }

    /// All kept transactions this one depends on.
    fn ancestors_of(&self, transaction: &Transaction) -> BTreeSet<Txid> {
        let mut found = BTreeSet::new();
        let mut open = vec![transaction];
        while let Some(transaction) = open.pop() {
            for input in &transaction.inputs {
                let parent = input.previous.txid;
                if let Some(entry) = self.entries.get(&parent)
                    && found.insert(parent)
                {
                    open.push(&entry.transaction);
                }
            }
        }
        found
    }

    /// A kept transaction and all that depend on it.
    fn collect_descendants(&self, txid: &Txid, found: &mut BTreeSet<Txid>) {
        let mut open = vec![*txid];
        while let Some(txid) = open.pop() {
            if self.entries.contains_key(&txid) && found.insert(txid) {
                // Not output by output: a transaction may have thousands that nobody spends.
                let point = |index| OutPoint { txid, index };
                let spent = self.spent_by.range(point(0)..=point(u32::MAX));
                open.extend(spent.map(|(_, spender)| *spender));
            }
        }
    }

    fn insert(&mut self, entry: Entry) {
        let txid = entry.txid;
        for input in &entry.transaction.inputs {
            self.spent_by.insert(input.previous, txid);
        }
        let ancestors = self.ancestors_of(&entry.transaction);
        self.bytes += entry.bytes;
        self.entries.insert(txid, entry);
        self.rank(&txid);
        ancestors.iter().for_each(|ancestor| self.rank(ancestor));
    }

    fn remove_one(&mut self, txid: &Txid) -> Option<Entry> {
        let entry = self.entries.remove(txid)?;
        for input in &entry.transaction.inputs {
            self.spent_by.remove(&input.previous);
        }
        self.bytes -= entry.bytes;
        self.rank(txid);
        for ancestor in self.ancestors_of(&entry.transaction) {
            self.rank(&ancestor);
        }
        Some(entry)
    }

    /// Brings a transaction's place in the order of eviction up to date.
    fn rank(&mut self, txid: &Txid) {
        if let Some(old) = self.rates.remove(txid) {
            self.ranks.remove(&(old, *txid));
        }
        if self.entries.contains_key(txid) {
            let rate = self.family_rate(txid);
            self.rates.insert(*txid, rate);
            self.ranks.insert((rate, *txid));
        }
    }

    /// Removes a transaction and all that depend on it.
    pub fn remove(&mut self, txid: &Txid) -> Vec<Txid> {
        let mut gone = BTreeSet::new();
        self.collect_descendants(txid, &mut gone);
        gone.iter().for_each(|txid| drop(self.remove_one(txid)));
        gone.into_iter().collect()
    }

    /// Evicts the worst-paying families until the pool fits, and asks for more from now on.
    fn shrink(&mut self) -> Vec<Txid> {
        let mut evicted = Vec::new();
        while self.bytes > self.limits.bytes_max {
            let Some((rate, worst)) = self.ranks.first().copied() else {
                break;
            };
            self.floor = self.floor.max(rate.plus(self.limits.relay_rate_min));
            evicted.extend(self.remove(&worst));
        }
        evicted
    }

    /// What a transaction and all that depend on it pay together: they leave together.
    fn family_rate(&self, txid: &Txid) -> FeeRate {
        let mut family = BTreeSet::new();
        self.collect_descendants(txid, &mut family);
        let entries = family.iter().map(|txid| &self.entries[txid]);
        FeeRate::together(entries)
    }

    /// A block came: what it contains leaves, and what it contradicts.
    /// Each block also halves what a full pool asked for more than usual.
    pub fn block_connected(&mut self, transactions: &[Transaction]) {
        for transaction in transactions {
            self.remove_one(&transaction.txid());
        }
        for input in transactions.iter().flat_map(|each| &each.inputs) {
            if let Some(conflict) = self.spent_by.get(&input.previous).copied() {
                self.remove(&conflict);
            }
        }
        self.floor = self.floor.halved().max(self.limits.relay_rate_min);
    }

    /// A reorganisation ended: everything is admitted again against the new tip, the undone
    /// transactions first; what no longer fits is gone. `coins` looks up confirmed coins.
    ///
    /// # Errors
    /// Those of the look-up; the pool is then empty.
    pub fn rebuild<E>(
        &mut self,
        undone: Vec<Transaction>,
        context: &BlockContext<'_>,
        mut coins: impl FnMut(&Transaction) -> Result<BTreeMap<OutPoint, Coin>, E>,
    ) -> Result<(), E> {
        let kept = std::mem::take(&mut self.entries);
        self.spent_by.clear();
        self.ranks.clear();
        self.rates.clear();
        self.bytes = 0;
        let undone = undone.into_iter().filter(|each| !each.is_coinbase());
        let kept = kept.into_values().map(|entry| entry.transaction);
        let mut left: Vec<Transaction> = undone.chain(kept).collect();
        loop {
            let before = left.len();
            let mut waiting = Vec::new();
            for transaction in left {
                let coins = coins(&transaction)?;
                let next = NextBlock {
                    context: *context,
                    coins: &coins,
                };
                let missing = self.admit(transaction.clone(), &next);
                if matches!(missing, Err(AdmitError::MissingCoin(_))) {
                    waiting.push(transaction);
                }
            }
            left = waiting;
            if left.is_empty() || left.len() == before {
                return Ok(());
            }
        }
    }
}

/// Runs all scripts as strictly as what is passed on must fulfil them. What fails is judged once more as blocks are: one
/// input, so that this costs little.
fn check_scripts(transaction: &Transaction, coins: &[Coin]) -> Result<(), AdmitError> {
    let Err(unusual) = verify_transaction(transaction, coins, Strictness::Relay) else {
        return Ok(());
    };
    let (hashes, input) = (SignatureHashes::new(transaction, coins), unusual.input);
    match verify_input(&hashes, input, Strictness::Consensus) {
        Ok(()) => Err(AdmitError::UnusualScript(unusual)),
        Err(source) => Err(AdmitError::Script(InputError { input, source })),
    }
}

#[cfg(test)]
mod tests;
