//! The hub's database: embedded SQLite, every commit on disk before it returns.
//!
//! # Correctness
//! The dispatcher is the only writer of assignments and claims and commits once per batch, at most 3 ms after
//! the first of it; everything else writes single rows. Nothing is announced before its commit returned.

mod deals;
mod payouts;
mod work;

use std::path::Path;
use std::time::Duration;

use gio_protocol::{DecodeError, UnixSeconds};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use thiserror::Error;

pub use deals::{DealRow, Posted, Settled, StageEvent};
pub use payouts::{MinerAccount, PayoutRow};
pub use work::{AcceptedClaim, BLOB_BYTES_MAX, WorkBatch};

/// Readers beside the one writer: one per concurrent API call that touches the disk.
const CONNECTIONS_MAX: u32 = 8;
/// How long a statement waits for another writer; commits take milliseconds.
const BUSY: Duration = Duration::from_secs(10);

/// The database refused.
#[derive(Debug, Error)]
pub enum StoreError {
    /// A statement failed.
    #[error("the hub's database failed")]
    Database(#[from] sqlx::Error),
    /// The schema cannot be brought up to date.
    #[error("the hub's database cannot be migrated")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A row holds what the hub never wrote.
    #[error("the hub's database is damaged: `{column}` cannot be read")]
    Damaged {
        /// Which column.
        column: &'static str,
    },
    /// A row's canonical bytes are damaged.
    #[error("the hub's database is damaged")]
    Decode(#[from] DecodeError),
}

/// The database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pool: SqlitePool,
}

impl Store {
    /// Opens the database, making it or bringing it up to date.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY);
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .connect_with(options)
            .await?;
        sqlx::migrate!("./migrations").run(&pool).await?;
        Ok(Self { pool })
    }

    /// A number remembered under a name, zero at first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn number(&self, key: &str) -> Result<u64, StoreError> {
        let found: Option<i64> = sqlx::query_scalar("SELECT value FROM meta WHERE key = ?")
            .bind(key)
            .fetch_optional(&self.pool)
            .await?;
        found.map_or(Ok(0), |value| unsigned("value", value))
    }

    /// Remembers a number.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_number(&self, key: &str, value: u64) -> Result<(), StoreError> {
        let query = sqlx::query(
            "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        );
        query
            .bind(key)
            .bind(signed(value))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The next announcement's sequence, which grows across restarts.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn next_sequence(&self, now: UnixSeconds) -> Result<u64, StoreError> {
        // At least the clock, so that a lost database does not make peers ignore this hub.
        let next = self
            .number("announcement_sequence")
            .await?
            .max(now.0)
            .saturating_add(1);
        self.set_number("announcement_sequence", next).await?;
        Ok(next)
    }
}

/// SQLite's integers are signed; every number the hub stores stays below 2^63 (amounts by the coin's supply, CU by
/// the check at signing), and a larger one would be clamped, not wrapped.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(column: &'static str, value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| StoreError::Damaged { column })
}

fn fixed<const N: usize>(column: &'static str, bytes: &[u8]) -> Result<[u8; N], StoreError> {
    bytes.try_into().map_err(|_| StoreError::Damaged { column })
}
