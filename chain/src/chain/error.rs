//! Why the chain refuses a header or a block, or cannot go on.

use std::io;

use gio_coin::{
    BlockError, BlockHash, ConnectError, InputError, InsertError, UndoError, WorkError,
};
use thiserror::Error;

use crate::bodies::BodyError;
use crate::store::StoreError;

/// The chain cannot go on: its files fail or contradict each other.
#[derive(Debug, Error)]
pub enum ChainError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file of bodies.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// Store and bodies contradict each other.
    #[error("the undo record does not belong to its block (run with --reindex)")]
    Undo(#[source] UndoError),
}

impl ChainError {
    /// Whether there is no room to write: nothing is damaged, and with more room the node goes on.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        let cause = match self {
            Self::Store(error) => error.io(),
            Self::Body(BodyError::Io { source, .. }) => Some(source),
            Self::Body(_) | Self::Undo(_) => None,
        };
        cause.is_some_and(|cause| {
            matches!(
                cause.kind(),
                io::ErrorKind::StorageFull
                    | io::ErrorKind::QuotaExceeded
                    | io::ErrorKind::FileTooLarge
            )
        })
    }
}

/// Headers are refused.
#[derive(Debug, Error)]
pub enum AddHeadersError {
    /// A header lacks the work it claims.
    #[error("header {at} lacks the work it claims")]
    Work {
        /// Its position among those given.
        at: usize,
        /// What is wrong.
        #[source]
        source: WorkError,
    },
    /// A header does not fit the chain.
    #[error("header {at} does not fit the chain")]
    Insert {
        /// Its position among those given.
        at: usize,
        /// What is wrong.
        #[source]
        source: InsertError,
    },
    /// The chain cannot go on.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

impl From<StoreError> for AddHeadersError {
    fn from(source: StoreError) -> Self {
        Self::Chain(source.into())
    }
}

/// A block is refused on its own.
#[derive(Debug, Error)]
pub enum AddBlockError {
    /// Its header is refused.
    #[error(transparent)]
    Header(#[from] AddHeadersError),
    /// It, or one before it, broke a rule.
    #[error("the branch of block {0} is invalid")]
    InvalidBranch(BlockHash),
    /// It breaks a rule on its own.
    #[error("the block breaks a rule")]
    Block(#[source] BlockError),
    /// The chain cannot go on.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

impl AddBlockError {
    /// What keeps the chain from going on, if the fault is not the block's.
    #[must_use]
    pub const fn fatal(&self) -> Option<&ChainError> {
        match self {
            Self::Chain(error) | Self::Header(AddHeadersError::Chain(error)) => Some(error),
            Self::Header(_) | Self::InvalidBranch(_) | Self::Block(_) => None,
        }
    }
}

/// The rule a block broke in its place.
#[derive(Debug, Error)]
pub enum InvalidBlock {
    /// Height, time or coinbase.
    #[error("the block does not fit its place")]
    InItsPlace(#[source] BlockError),
    /// The coins it spends.
    #[error("the block does not fit the coins there are")]
    Coins(#[source] ConnectError),
    /// A script.
    #[error("transaction {transaction} does not fulfil the scripts it spends")]
    Script {
        /// Its position.
        transaction: usize,
        /// The input and its rule.
        #[source]
        source: InputError,
    },
}
