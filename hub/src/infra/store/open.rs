//! Opening the database, and bringing its tables up to date.

use std::path::Path;
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions, install_default_drivers};
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AnyConnection, ConnectOptions as _};

use super::{Store, StoreError};

/// Every step from an empty database to today's tables; `tests` compares the two.
static SQLITE: Migrator = sqlx::migrate!("./migrations/sqlite");
/// The same tables on PostgreSQL.
static POSTGRES: Migrator = sqlx::migrate!("./migrations/postgres");

/// Readers beside the one writer: one per concurrent API call that touches the disk.
const CONNECTIONS_MAX: u32 = 8;
/// How long a call waits for a connection: longer than any commit, shorter than callers wait.
const ACQUIRE: Duration = Duration::from_secs(10);
/// What every connection to SQLite says first: wait 10 s for another writer (commits take milliseconds), readers beside
/// the writer, and every commit on disk before it returns.
const PRAGMAS: &str = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON";

impl Store {
    /// Opens the database in a file, making it or bringing it up to date.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        install_default_drivers();
        let file = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true);
        let options = AnyConnectOptions::from_url(&file.to_url_lossy())?;
        let pool = AnyPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(ACQUIRE)
            .after_connect(|connection, _| Box::pin(prepare_sqlite(connection)))
            .connect_with(options)
            .await?;
        SQLITE.run(&pool).await?;
        Ok(Self {
            pool,
            process: None,
        })
    }

    /// Opens a PostgreSQL database by its URL and brings it up to date. Several processes may do so at once.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        install_default_drivers();
        let options = AnyConnectOptions::from_str(url)?;
        let pool = AnyPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(ACQUIRE)
            .connect_with(options)
            .await?;
        POSTGRES.run(&pool).await?;
        let process = Some(gio_agent::random_word());
        Ok(Self { pool, process })
    }

    /// Closes every connection once its user has given it back. With the last one SQLite writes its journal into the
    /// file, which is then all there is of the database.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

async fn prepare_sqlite(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(PRAGMAS).execute(connection).await.map(drop)
}
