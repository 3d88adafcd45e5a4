//! What can go wrong with the store.

use std::io;

use gio_coin::{BlockHash, DecodeError};
use thiserror::Error;

/// The store cannot do its work. None of these goes away by trying again.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another process has it open.
    #[error("the store is in use by another node")]
    InUse,
    /// It cannot be opened.
    #[error("the store cannot be opened (run with --reindex if it is damaged)")]
    Open(#[source] Box<redb::DatabaseError>),
    /// The database fails.
    #[error("the database fails to {action}")]
    Database {
        /// What was being done.
        action: &'static str,
        /// Why it failed.
        #[source]
        source: Box<redb::Error>,
    },
    /// The database met bytes it never wrote.
    #[error("the store is damaged: the database cannot {action} (run with --reindex)")]
    Garbage {
        /// What was being done.
        action: &'static str,
    },
    /// It belongs to another network.
    #[error("the store belongs to the network of {found}, not of {expected}")]
    OtherNetwork {
        /// First block of the configured network.
        expected: BlockHash,
        /// First block of the store's.
        found: BlockHash,
    },
    /// Another version of the program wrote it.
    #[error("the store has format {0}, which this version cannot read")]
    UnknownFormat(u32),
    /// An entry is missing.
    #[error("the store lacks {0} (run with --reindex)")]
    Missing(&'static str),
    /// An entry cannot be decoded.
    #[error("the store's {what} cannot be decoded (run with --reindex)")]
    Damaged {
        /// Which kind of entry.
        what: &'static str,
        /// What is wrong with it.
        #[source]
        source: DecodeError,
    },
}

impl StoreError {
    /// The failure of the medium behind this, if it is one.
    pub(crate) fn io(&self) -> Option<&io::Error> {
        match self {
            Self::Open(error) => match error.as_ref() {
                redb::DatabaseError::Storage(redb::StorageError::Io(error)) => Some(error),
                _ => None,
            },
            Self::Database { source, .. } => match source.as_ref() {
                redb::Error::Io(error) => Some(error),
                _ => None,
            },
            Self::InUse
            | Self::Garbage { .. }
            | Self::OtherNetwork { .. }
            | Self::UnknownFormat(_)
            | Self::Missing(_)
            | Self::Damaged { .. } => None,
        }
    }

    pub(super) fn database<E: Into<redb::Error>>(action: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Database {
            action,
            source: Box::new(source.into()),
        }
    }
}
