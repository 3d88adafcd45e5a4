//! Why a transaction does not wait here.

use gio_coin::{InputError, OutPoint, SpendError, TransactionError, Txid};
use gio_protocol::Gio;
use thiserror::Error;

use super::FeeRate;

/// What this node does not relay although a block may contain it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// It makes coins and belongs into a block only.
    #[error("a coinbase does not wait")]
    Coinbase,
    /// Its version may get a meaning later.
    #[error("version {0} has no meaning yet")]
    Version(u32),
    /// Too large to be passed on.
    #[error("{bytes} bytes, at most {max} are passed on")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// Checking it takes too long, or it takes too much of what blocks have room for.
    #[error("{count} signature checks, with at most {max} it is passed on")]
    TooManySigops {
        /// How many it has.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// An output costs more to spend than it is worth.
    #[error("output {output} is worth less than {least}")]
    Dust {
        /// Its position.
        output: usize,
        /// The least that is passed on.
        least: Gio,
    },
    /// A link that no wallet could show.
    #[error("the link of output {0} is not UTF-8")]
    LinkNotText(usize),
}

/// Why a transaction is not admitted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AdmitError {
    /// It is here already.
    #[error("the transaction is known")]
    Known,
    /// It breaks a rule on its own.
    #[error("the transaction breaks a rule")]
    Transaction(#[source] TransactionError),
    /// It is not passed on.
    #[error("the transaction is not passed on")]
    Policy(#[source] PolicyError),
    /// Its lock time is not reached.
    #[error("the transaction is locked until later")]
    NotFinal,
    /// It spends what is not there. Its parent may still come.
    #[error("output {} of {} is not there", .0.index, .0.txid)]
    MissingCoin(OutPoint),
    /// It does not fit the coins it spends.
    #[error("the transaction does not fit the coins it spends")]
    Spend(#[source] SpendError),
    /// It does not fulfil the scripts it spends.
    #[error("the transaction does not fulfil the scripts it spends")]
    Script(#[source] InputError),
    /// It fulfils the scripts it spends in a way that is not passed on.
    #[error("the transaction fulfils the scripts it spends in a way that is not passed on")]
    UnusualScript(#[source] InputError),
    /// It pays too little.
    #[error("it pays {rate}, at least {rate_min} is asked")]
    FeeTooLow {
        /// What it pays.
        rate: FeeRate,
        /// What is asked.
        rate_min: FeeRate,
    },
    /// It spends what another spends, at no better rate.
    #[error("it does not pay a better rate than {0}, which spends the same")]
    ReplacementRate(Txid),
    /// It spends what others spend, and pays too little to replace them.
    #[error("it pays {fee}, replacing takes {required}")]
    ReplacementFee {
        /// What it pays.
        fee: Gio,
        /// What it would have to.
        required: Gio,
    },
    /// It would replace too many.
    #[error("it would replace {0} transactions")]
    ReplacesTooMany(usize),
    /// It spends an output of what it replaces.
    #[error("it spends what it replaces")]
    SpendsWhatItReplaces,
    /// Too many unconfirmed transactions would depend on each other.
    #[error("{0} unconfirmed transactions would depend on each other")]
    FamilyTooLarge(usize),
    /// The pool is full of better ones.
    #[error("the pool is full, at least {rate_min} is asked")]
    Full {
        /// What is asked now.
        rate_min: FeeRate,
    },
}

impl AdmitError {
    /// Whether nothing but another tip changes this: the same bytes need not be looked at again before.
    #[must_use]
    pub const fn lasts_until_the_tip_moves(&self) -> bool {
        match self {
            Self::Transaction(_)
            | Self::Policy(_)
            | Self::NotFinal
            | Self::Spend(_)
            | Self::Script(_)
            | Self::UnusualScript(_)
            // What is asked rises until the next block.
            | Self::FeeTooLow { .. } => true,
            // Others that wait may come or go.
            Self::Known
            | Self::MissingCoin(_)
            | Self::ReplacementRate(_)
            | Self::ReplacementFee { .. }
            | Self::ReplacesTooMany(_)
            | Self::SpendsWhatItReplaces
            | Self::FamilyTooLarge(_)
            | Self::Full { .. } => false,
        }
    }

    /// Whether no block can ever contain these bytes: whoever passes them on checks nothing.
    #[must_use]
    pub const fn lasts_for_ever(&self) -> bool {
        match self {
            Self::Transaction(_) | Self::Script(_) => true,
            Self::Spend(error) => match error {
                SpendError::PaysMoreThanItTakes { .. }
                | SpendError::TakenTooLarge
                | SpendError::TooManySigops(_) => true,
                SpendError::MissingCoin { .. }
                | SpendError::ImmatureCoin { .. }
                | SpendError::RelativeLock => false,
            },
            Self::Known
            | Self::Policy(_)
            | Self::NotFinal
            | Self::MissingCoin(_)
            | Self::UnusualScript(_)
            | Self::FeeTooLow { .. }
            | Self::ReplacementRate(_)
            | Self::ReplacementFee { .. }
            | Self::ReplacesTooMany(_)
            | Self::SpendsWhatItReplaces
            | Self::FamilyTooLarge(_)
            | Self::Full { .. } => false,
        }
    }
}
