//! The hub's database: embedded SQLite, or PostgreSQL where several processes are one hub. Every commit is on disk
//! before it returns.
//!
//! One text of SQL serves both: numbered parameters, `ON CONFLICT`, sums cast to what both count in. Only opening the
//! database knows which it is.
//!
//! # Correctness
//! The dispatcher is the only writer of assignments and claims and commits once per turn; everything else writes few
//! rows at a time. Nothing is announced before its commit returned. Transactions begin with a write, so that none has
//! to start over because another came between its reading and its writing.

mod cancellations;
mod check;
mod contents;
mod deals;
mod depth;
mod open;
mod payouts;
mod quotes;
mod shared;
#[cfg(test)]
pub(crate) mod tests;
mod troubles;
mod work;

use gio_protocol::{Address, B256, DealId, DecodeError, Gio, UnixSeconds};
use sqlx::any::AnyRow;
use sqlx::{AnyPool, Row as _};
use thiserror::Error;

pub use cancellations::Cancellation;
pub use check::integrity;
pub use contents::{ContentRow, Dropped};
pub use deals::{Added, DealRow, Load, NewDeal, Posted, Settled, StageEvent};
pub use depth::{LostEnd, Whereabouts};
pub use payouts::{MinerAccount, PayoutRow};
pub use shared::{LEASE_SECONDS, Role, Turn, TurnGuard};
pub use troubles::{TROUBLES_MAX, TroubleRow};
pub use work::{AcceptedClaim, BLOB_BYTES_MAX, OUTPUT_WITH_CLAIM_MAX, WorkBatch};

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
    /// This process was silent for too long, and another works on what it had.
    #[error("another process has taken deal {deal} over")]
    LeaseLost {
        /// One of the deals.
        deal: DealId,
    },
    /// The database was not heard of for so long that another process may have everything.
    #[error(
        "the database has not answered for {LEASE_SECONDS} s; another process may have taken over"
    )]
    Silent,
    /// A row's canonical bytes are damaged.
    #[error("the hub's database is damaged")]
    Decode(#[from] DecodeError),
}

/// The database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pool: AnyPool,
    /// `None` if the database is this process's alone.
    process: Option<B256>,
}

/// A block the chain was read up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Cursor {
    pub block: u64,
    pub hash: B256,
}

impl Store {
    /// Up to which block the chain was read; `None` before the first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn cursor(&self) -> Result<Option<Cursor>, StoreError> {
        let row = sqlx::query("SELECT block, hash FROM chain_cursor");
        let row = row.fetch_optional(&self.pool).await?;
        row.map(|row| {
            Ok(Cursor {
                block: number(&row, "block")?,
                hash: hash(&row, "hash")?,
            })
        })
        .transpose()
    }

    /// Everything up to this block is written down, by somebody who began where the cursor was `before`. `false` if it is
    /// elsewhere now: another process has read on, or an end was taken back.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_cursor(
        &self,
        before: Option<Cursor>,
        cursor: Cursor,
    ) -> Result<bool, StoreError> {
        let query = sqlx::query(
            "INSERT INTO chain_cursor (id, block, hash) VALUES (1, $1, $2) \
             ON CONFLICT (id) DO UPDATE SET block = excluded.block, hash = excluded.hash \
             WHERE chain_cursor.block = $3 AND chain_cursor.hash = $4",
        );
        // No block has this number.
        let was = before.map_or(-1, |before| signed(before.block));
        let set = query
            .bind(signed(cursor.block))
            .bind(cursor.hash.as_slice())
            .bind(was)
            .bind(before.unwrap_or(cursor).hash.as_slice().to_vec())
            .execute(&self.pool)
            .await?;
        gio_failpoint::fail_point!("hub.wrote.cursor");
        Ok(set.rows_affected() == 1)
    }

    /// The next announcement's sequence, which grows across restarts.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn next_sequence(&self, now: UnixSeconds) -> Result<u64, StoreError> {
        // At least the clock, so that a lost database does not make peers ignore this hub.
        let query = sqlx::query_scalar(
            "INSERT INTO meta (key, value) VALUES ('announcement_sequence', $1) \
             ON CONFLICT (key) DO UPDATE SET value = \
             CASE WHEN meta.value > $1 THEN meta.value ELSE $1 END + 1 RETURNING value",
        );
        let value: i64 = query.bind(signed(now.0)).fetch_one(&self.pool).await?;
        gio_failpoint::fail_point!("hub.wrote.sequence");
        unsigned("value", value)
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

/// A list of `rows` rows of `columns` numbered parameters each, `($1, $2), ($3, $4)`; one row of one column is `($1)`.
fn values(rows: usize, columns: usize) -> String {
    let mut text = String::with_capacity(rows * columns * 6);
    for number in 0..rows * columns {
        text.push_str(match number % columns {
            0 if number == 0 => "(",
            0 => "), (",
            _ => ", ",
        });
        text.push('$');
        text.push_str(&(number + 1).to_string());
    }
    text.push(')');
    text
}

fn fixed<const N: usize>(column: &'static str, bytes: &[u8]) -> Result<[u8; N], StoreError> {
    bytes.try_into().map_err(|_| StoreError::Damaged { column })
}

fn number(row: &AnyRow, column: &'static str) -> Result<u64, StoreError> {
    unsigned(column, row.try_get(column)?)
}

fn small(row: &AnyRow, column: &'static str) -> Result<u32, StoreError> {
    let value: i64 = row.try_get(column)?;
    u32::try_from(value).map_err(|_| StoreError::Damaged { column })
}

fn amount(row: &AnyRow, column: &'static str) -> Result<Gio, StoreError> {
    number(row, column).map(Gio::from_units)
}

fn hash(row: &AnyRow, column: &'static str) -> Result<B256, StoreError> {
    Ok(B256::from(fixed::<32>(column, row.try_get(column)?)?))
}

fn address(row: &AnyRow, column: &'static str) -> Result<Address, StoreError> {
    Ok(Address::from(fixed::<20>(column, row.try_get(column)?)?))
}

fn deal_id(row: &AnyRow) -> Result<DealId, StoreError> {
    hash(row, "deal_id").map(DealId)
}
