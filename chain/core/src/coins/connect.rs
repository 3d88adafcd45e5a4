//! Connecting and undoing blocks.

use std::collections::{BTreeMap, BTreeSet};

use gio_protocol::Gio;

use super::{Coin, CoinChanges, CoinView, ConnectError, SpendError, UndoError};
use crate::Block;
use crate::hash::Txid;
use crate::rules::{MAX_BLOCK_SIGOPS, MAX_TX_SIGOPS, SpentAt, relative_locks_hold, static_sigops};
use crate::script::{sigops, sigops_of_spend, witness_sigops};
use crate::subsidy::{MAX_MONEY, subsidy};
use crate::transaction::{MAX_TX_BYTES, OutPoint, Transaction};
use crate::wire::{DecodeError, Reader, put_compact};

/// Shortest stored coin: flags 1, height 4, amount 8, empty script 1.
const MIN_COIN_BYTES: usize = 14;
const _: () = assert!(
    MIN_COIN_BYTES < MAX_TX_BYTES,
    "a coin fits where its output did"
);

/// Where in the chain a block or transaction is placed.
#[derive(Clone, Copy)]
pub struct BlockContext<'a> {
    /// The block's height.
    pub height: u32,
    /// Median time past of its parent.
    pub median_time_past: u32,
    /// Median time past of the block at a height of the same branch.
    pub median_time_at: &'a dyn Fn(u32) -> u32,
}

impl std::fmt::Debug for BlockContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlockContext")
            .field("height", &self.height)
            .field("median_time_past", &self.median_time_past)
            .finish_non_exhaustive()
    }
}

/// What a transaction spends; its scripts are still to be run over these coins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spend {
    /// The transaction's position in its block.
    pub transaction: usize,
    /// The spent coins, in the order of the inputs.
    pub coins: Vec<Coin>,
}

/// What was spent, kept to undo the block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockUndo {
    /// The spent coins that existed before the block, in the order they were spent.
    pub coins: Vec<Coin>,
}

impl BlockUndo {
    /// The stored form: a count and the coins.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_compact(&mut bytes, self.coins.len());
        self.coins.iter().for_each(|coin| coin.write(&mut bytes));
        bytes
    }

    /// Exactly one undo record.
    ///
    /// # Errors
    /// [`DecodeError`] unless the bytes are what [`BlockUndo::encode`] would give.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let count = reader.count("coins", MIN_COIN_BYTES)?;
        let mut coins = Vec::with_capacity(count);
        for _ in 0..count {
            coins.push(Coin::read(&mut reader)?);
        }
        reader.finish()?;
        Ok(Self { coins })
    }
}

/// A block that fits the coins there are, but for its scripts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected {
    /// What it changes.
    pub changes: CoinChanges,
    /// What undoes it.
    pub undo: BlockUndo,
    /// Fees of its transactions.
    pub fees: Gio,
    /// The spends whose scripts are still to be run; they may be run in any order.
    pub spends: Vec<Spend>,
}

/// The changes of a network's first block: all its outputs become coins, those nobody can
/// spend included (R27).
#[must_use]
pub fn connect_genesis(genesis: &Block) -> CoinChanges {
    let mut changes = CoinChanges::default();
    for transaction in &genesis.transactions {
        let txid = transaction.txid();
        for (index, output) in (0..).zip(&transaction.outputs) {
            let coin = Coin::new(output, 0, transaction.is_coinbase());
            changes.created.push((OutPoint { txid, index }, coin));
        }
    }
    changes
}

/// Checks a transaction against the coins it spends and gives its fee.
///
/// # Errors
/// The first rule it breaks.
pub fn spend_transaction(
    transaction: &Transaction,
    coins: &[Coin],
    context: &BlockContext<'_>,
) -> Result<Gio, SpendError> {
    for (input, coin) in coins.iter().enumerate() {
        if !coin.is_mature_at(context.height) {
            let made = coin.height;
            return Err(SpendError::ImmatureCoin { input, made });
        }
    }
    let spent_at = |input: usize| SpentAt {
        height: coins[input].height,
        median_time_past: (context.median_time_at)(coins[input].height.saturating_sub(1)),
    };
    let (height, time) = (context.height, context.median_time_past);
    if !relative_locks_hold(transaction, height, time, spent_at) {
        return Err(SpendError::RelativeLock);
    }
    let checks = executed_sigops(transaction, coins);
    if checks > MAX_TX_SIGOPS {
        return Err(SpendError::TooManySigops(checks));
    }
    fee(transaction, coins)
}

fn fee(transaction: &Transaction, coins: &[Coin]) -> Result<Gio, SpendError> {
    let taken = total(coins.iter().map(|coin| coin.value)).ok_or(SpendError::TakenTooLarge)?;
    let paid = total(transaction.outputs.iter().map(|output| output.value));
    let paid = paid.unwrap_or(MAX_MONEY);
    taken
        .minus(paid)
        .map_err(|_| SpendError::PaysMoreThanItTakes { paid, taken })
}

/// A sum, if it is no more than can exist.
fn total(mut amounts: impl Iterator<Item = Gio>) -> Option<Gio> {
    amounts.try_fold(Gio::ZERO, |sum, amount| {
        sum.plus(amount).ok().filter(|sum| *sum <= MAX_MONEY)
    })
}

/// Signature checks outside witnesses that the inputs may run (BIP 54).
fn executed_sigops(transaction: &Transaction, coins: &[Coin]) -> usize {
    std::iter::zip(&transaction.inputs, coins)
        .map(|(input, coin)| {
            sigops(&input.script_sig, true)
                + sigops_of_spend(&coin.script_pubkey, &input.script_sig)
        })
        .sum()
}

/// Signature checks of a transaction that spends these coins, as a block counts them against
/// [`MAX_BLOCK_SIGOPS`]. A coinbase spends none.
#[must_use]
pub fn transaction_sigops(transaction: &Transaction, coins: &[Coin]) -> usize {
    static_sigops(transaction) + revealed_sigops(transaction, coins)
}

/// Signature checks that only the spent outputs reveal: those of redeem scripts and witnesses.
fn revealed_sigops(transaction: &Transaction, coins: &[Coin]) -> usize {
    std::iter::zip(&transaction.inputs, coins)
        .map(|(input, coin)| {
            let spent = &coin.script_pubkey;
            let redeem = if spent.is_pay_to_script_hash() {
                sigops_of_spend(spent, &input.script_sig)
            } else {
                0
            };
            redeem + witness_sigops(spent, &input.script_sig, &input.witness)
        })
        .sum()
}

/// The coins of a block while its transactions are applied one after the other.
struct Overlay<'a, V: CoinView> {
    before: &'a V,
    created: BTreeMap<OutPoint, Coin>,
    removed: BTreeSet<OutPoint>,
    undo: BlockUndo,
}

impl<V: CoinView> Overlay<'_, V> {
    fn take(&mut self, point: &OutPoint) -> Option<Coin> {
        if let Some(coin) = self.created.remove(point) {
            return Some(coin);
        }
        let coin = self.before.coin(point)?;
        if !self.removed.insert(*point) {
            return None;
        }
        self.undo.coins.push(coin.clone());
        Some(coin.clone())
    }

    fn take_all(&mut self, transaction: &Transaction) -> Result<Vec<Coin>, SpendError> {
        let inputs = transaction.inputs.iter().enumerate();
        inputs
            .map(|(input, spending)| {
                let point = spending.previous;
                self.take(&point)
                    .ok_or(SpendError::MissingCoin { input, point })
            })
            .collect()
    }

    fn create(&mut self, transaction: &Transaction, txid: Txid, height: u32) {
        let is_coinbase = transaction.is_coinbase();
        for (index, output) in (0..).zip(&transaction.outputs) {
            if !output.script_pubkey.is_unspendable() {
                let coin = Coin::new(output, height, is_coinbase);
                self.created.insert(OutPoint { txid, index }, coin);
            }
        }
    }
}

/// Checks a block (already checked by `check_block` and `check_block_at`) against the coins
/// it spends. Its scripts are still to be run over [`Connected::spends`].
///
/// # Errors
/// The first rule it breaks.
pub fn connect_block(
    block: &Block,
    context: &BlockContext<'_>,
    coins: &impl CoinView,
) -> Result<Connected, ConnectError> {
    let mut overlay = Overlay {
        before: coins,
        created: BTreeMap::new(),
        removed: BTreeSet::new(),
        undo: BlockUndo::default(),
    };
    let mut fees = Gio::ZERO;
    let mut checks = 0;
    let mut spends = Vec::with_capacity(block.transactions.len());
    for (at, (transaction, txid)) in block.transactions.iter().zip(block.txids()).enumerate() {
        let mut spent = Vec::new();
        if !transaction.is_coinbase() {
            let in_block = |source| ConnectError::Spend {
                transaction: at,
                source,
            };
            spent = overlay.take_all(transaction).map_err(in_block)?;
            let fee = spend_transaction(transaction, &spent, context).map_err(in_block)?;
            fees = fees
                .plus(fee)
                .map_err(|_| in_block(SpendError::TakenTooLarge))?;
        }
        checks += transaction_sigops(transaction, &spent);
        if checks > MAX_BLOCK_SIGOPS {
            return Err(ConnectError::TooManySigops(checks));
        }
        overlay.create(transaction, txid, context.height);
        if !transaction.is_coinbase() {
            let (transaction, coins) = (at, spent);
            spends.push(Spend { transaction, coins });
        }
    }
    check_reward(block, context.height, fees)?;
    Ok(Connected {
        changes: CoinChanges {
            created: overlay.created.into_iter().collect(),
            removed: overlay.removed.into_iter().collect(),
        },
        undo: overlay.undo,
        fees,
        spends,
    })
}

fn check_reward(block: &Block, height: u32, fees: Gio) -> Result<(), ConnectError> {
    let coinbase = block.transactions.iter().take(1);
    let outputs = coinbase.flat_map(|coinbase| &coinbase.outputs);
    let paid = total(outputs.map(|output| output.value)).unwrap_or(MAX_MONEY);
    let allowed = subsidy(height).plus(fees).unwrap_or(MAX_MONEY);
    if paid > allowed {
        return Err(ConnectError::CoinbasePaysTooMuch { paid, allowed });
    }
    Ok(())
}

/// The changes that undo a connected block.
///
/// # Errors
/// [`UndoError`] if the kept coins are not those of this block.
pub fn disconnect_block(block: &Block, undo: BlockUndo) -> Result<CoinChanges, UndoError> {
    let txids = block.txids();
    let inside: BTreeSet<Txid> = txids.iter().copied().collect();
    let spending = block.transactions.iter().filter(|each| !each.is_coinbase());
    let points = spending.flat_map(|each| each.inputs.iter().map(|input| input.previous));
    let (from_inside, from_before): (BTreeSet<OutPoint>, Vec<OutPoint>) = {
        let (inner, outer): (Vec<_>, Vec<_>) =
            points.partition(|point| inside.contains(&point.txid));
        (inner.into_iter().collect(), outer)
    };
    let (spent, kept) = (from_before.len(), undo.coins.len());
    if spent != kept {
        return Err(UndoError::CoinCount { spent, kept });
    }
    let mut changes = CoinChanges {
        created: from_before.into_iter().zip(undo.coins).collect(),
        removed: Vec::new(),
    };
    for (transaction, txid) in block.transactions.iter().zip(txids) {
        for (index, output) in (0..).zip(&transaction.outputs) {
            let point = OutPoint { txid, index };
            if !output.script_pubkey.is_unspendable() && !from_inside.contains(&point) {
                changes.removed.push(point);
            }
        }
    }
    Ok(changes)
}
