//! Why a block or a transaction does not fit the coins there are.

use gio_protocol::Gio;
use thiserror::Error;

use crate::rules::{MAX_BLOCK_SIGOPS, MAX_TX_SIGOPS};
use crate::transaction::OutPoint;

/// A rule that a transaction breaks against the coins it spends.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SpendError {
    /// There is no such coin, or it is spent.
    #[error("input {input} spends output {} of {}, which is not there", point.index, point.txid)]
    MissingCoin {
        /// The input's position.
        input: usize,
        /// What it spends.
        point: OutPoint,
    },
    /// A coinbase's coin is spent before its time.
    #[error("input {input} spends a coinbase of height {made} too early")]
    ImmatureCoin {
        /// The input's position.
        input: usize,
        /// The coin's height.
        made: u32,
    },
    /// A relative lock has not run out.
    #[error("a relative lock has not run out")]
    RelativeLock,
    /// It pays out more than it takes.
    #[error("it pays {paid} out of {taken}")]
    PaysMoreThanItTakes {
        /// Sum of the outputs.
        paid: Gio,
        /// Sum of the spent coins.
        taken: Gio,
    },
    /// The spent coins are together worth more than can exist.
    #[error("the spent coins are worth more than can exist")]
    TakenTooLarge,
    /// Too many signature checks outside witnesses (R28).
    #[error("it may run {0} signature checks, at most {MAX_TX_SIGOPS} are allowed")]
    TooManySigops(usize),
}

/// A rule that a block breaks against the coins there are.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConnectError {
    /// A transaction does not fit.
    #[error("transaction {transaction} does not fit the coins there are")]
    Spend {
        /// Its position.
        transaction: usize,
        /// The rule.
        #[source]
        source: SpendError,
    },
    /// Too many signature checks, those of spent outputs and witnesses included.
    #[error("the block has {0} signature checks, at most {MAX_BLOCK_SIGOPS} are allowed")]
    TooManySigops(usize),
    /// The coinbase takes more than subsidy and fees (CN-04).
    #[error("the coinbase pays {paid}, but subsidy and fees are {allowed}")]
    CoinbasePaysTooMuch {
        /// Sum of its outputs.
        paid: Gio,
        /// What it may pay.
        allowed: Gio,
    },
}

/// The kept coins do not belong to the block that is undone.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UndoError {
    /// Fewer or more coins than the block spent.
    #[error("the block spent {spent} coins, {kept} were kept")]
    CoinCount {
        /// Spent by the block.
        spent: usize,
        /// Kept when it was connected.
        kept: usize,
    },
}

/// A list of changes does not fit the set it is applied to.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ApplyError {
    /// A coin to be removed is not there.
    #[error("output {} of {} is not there", .0.index, .0.txid)]
    Missing(OutPoint),
    /// A coin to be created is there already.
    #[error("output {} of {} is there already", .0.index, .0.txid)]
    Exists(OutPoint),
}
