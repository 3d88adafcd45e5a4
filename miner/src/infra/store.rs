//! The miner's memory: SQLite in WAL mode with `synchronous=FULL`.
//!
//! # Correctness
//! What [`Store::apply`] returned for is on disk: a claim is sent only afterwards. All writes go through one
//! [`Writer`], which puts everything that is waiting into one transaction and waits at most [`GROUP_WAIT`] for more.
//! `deals.accepted_*` equal the sums over the deal's accepted claims, because they change with them.

mod change;
mod check;
mod payouts;
mod read;
mod rows;
#[cfg(test)]
mod tests;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection as _, migrate::Migrator};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

pub use self::change::Change;
pub use self::check::integrity;
pub use self::payouts::{PartRow, PayoutRow, PayoutTotals};
pub use self::rows::{
    Acceptances, ClaimRow, ClaimState, DealRow, HubRow, HubTotals, NotARow, PullRow, PullState,
    Totals, Unanswered,
};
pub use self::writer::{GROUP_WAIT, Writer};

/// Every step from an empty file to today's tables.
static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");
/// Another process (`status`) reads while this one writes; a writer waits for nobody longer than this.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Readers at a time: sessions that reconnect, and the discovery loop.
const READERS: u32 = 4;
/// Writes waiting for the writer; whoever comes later waits too.
const WRITE_QUEUE: usize = 1024;

/// The store cannot be used. Not transient: a miner that cannot remember its claims stops.
#[derive(Clone, Debug, Error)]
pub enum StoreError {
    /// The file cannot be opened.
    #[error("cannot open {path}")]
    Open {
        /// Which file.
        path: String,
        /// Why.
        source: Arc<sqlx::Error>,
    },
    /// The tables cannot be brought up to date.
    #[error("cannot bring the database up to date")]
    Migrate(#[source] Arc<sqlx::migrate::MigrateError>),
    /// A statement failed.
    #[error("the database failed")]
    Sql(#[from] Arc<sqlx::Error>),
    /// A row says what this program never wrote.
    #[error("the database holds a damaged row")]
    Row(#[from] NotARow),
    /// The writer has ended.
    #[error("the database is closed")]
    Closed,
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(Arc::new(error))
    }
}

/// A handle of the store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    readers: SqlitePool,
    writes: mpsc::Sender<Write>,
}

/// Changes that belong together, and who waits for them.
#[derive(Debug)]
struct Write {
    changes: Vec<Change>,
    done: oneshot::Sender<Result<(), StoreError>>,
}

impl Store {
    /// Opens or creates the database and brings it up to date. Nothing is written until the writer runs.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open(path: &Path) -> Result<(Self, Writer), StoreError> {
        let opened = |source| StoreError::Open {
            path: path.display().to_string(),
            source: Arc::new(source),
        };
        let options = options(path).create_if_missing(true);
        let mut connection = SqliteConnection::connect_with(&options)
            .await
            .map_err(opened)?;
        MIGRATIONS
            .run(&mut connection)
            .await
            .map_err(|source| StoreError::Migrate(Arc::new(source)))?;
        let readers = readers(path).await.map_err(opened)?;
        let (writes, queue) = mpsc::channel(WRITE_QUEUE);
        Ok((Self { readers, writes }, Writer::new(connection, queue)))
    }

    /// Opens an existing database to look at it, also while a miner is running.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        let opened = |source| StoreError::Open {
            path: path.display().to_string(),
            source: Arc::new(source),
        };
        let readers = readers(path).await.map_err(opened)?;
        // Without a writer every write is refused as closed.
        let (writes, _) = mpsc::channel(1);
        Ok(Self { readers, writes })
    }

    /// Makes changes durable, in order, all or none. Returns when they are on disk.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn apply(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        let (done, answer) = oneshot::channel();
        let write = Write { changes, done };
        self.writes
            .send(write)
            .await
            .map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
}

async fn readers(path: &Path) -> Result<SqlitePool, sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(BUSY_TIMEOUT);
    let pool = SqlitePoolOptions::new().max_connections(READERS);
    pool.connect_with(options).await
}
