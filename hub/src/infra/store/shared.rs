//! Several processes on one database: who works on which deal, and what only one does at a time.
//!
//! # Correctness
//! A deal is worked on by the process that holds it. A lease ends [`LEASE_SECONDS`] after its holder was heard of last, by
//! the database's clock, and then anybody may take it: rows are taken with `FOR UPDATE SKIP LOCKED`, so that two that look
//! at the same time take different ones. Every write of assignments and claims asks in the same transaction whether the
//! deal is still held; a process that lost one stops ([`StoreError::LeaseLost`]), because what it has in memory is not so.
//! On SQLite the file is one process's own, everything is held, and none of this asks the database anything.

use std::collections::BTreeSet;

use gio_protocol::{Cu, DealId};
use sqlx::{Any, AnyConnection, AssertSqlSafe, Transaction};

use super::{Store, StoreError, deal_id, number, small, values};
use crate::domain::board::Progress;
use crate::domain::stage::Stage;

/// How long a process may be silent before its work goes to others: several times what a busy database takes, and short
/// against the deadlines of deals.
pub const LEASE_SECONDS: i64 = 15;
/// Deals taken at a look: others that look at the same time find some, too.
const TAKE_MAX: i64 = 32;
/// The database's clock in seconds.
const NOW: &str = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS BIGINT)";

/// What one process does at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Paying miners: accounts are sums over all deals.
    Payer,
}

/// What must not happen in two processes at the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// From the look at the free balance to the signature on disk.
    Promise = 1,
    /// A content's file and its row come or go.
    Files = 2,
}

/// A turn; it ends when this is dropped, also if the process dies.
#[derive(Debug)]
pub struct TurnGuard {
    _transaction: Option<Transaction<'static, Any>>,
}

impl Store {
    /// Whether other processes may be on this database.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.process.is_some()
    }

    /// This process, as deals are held by; nothing on a database of its own.
    pub(super) fn holder(&self) -> Option<&[u8]> {
        self.process.as_ref().map(|process| process.as_slice())
    }

    /// The condition, with this process as parameter 6, that no other process holds a deal now.
    pub(super) fn free_of_others(&self) -> Option<String> {
        let free = format!(" AND (held_by IS NULL OR held_by = $6 OR held_until < {NOW})");
        self.is_shared().then_some(free)
    }

    /// The condition, with a role's name as parameter 10 and this process as parameter 11, that this process has the role
    /// until the statement's end.
    pub(super) fn holds_role(&self) -> Option<String> {
        let holds = format!(
            " AND EXISTS (SELECT 1 FROM leases WHERE name = $10 AND holder = $11 AND until >= {NOW} FOR SHARE)"
        );
        self.is_shared().then_some(holds)
    }

    /// Counters of a deal another process works on, from what it has written down.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn progress(&self, deal: DealId, total: u32) -> Result<Progress, StoreError> {
        let row = sqlx::query(
            "SELECT COUNT(*) AS miners, CAST(COALESCE(SUM(units), 0) AS BIGINT) AS done, \
             CAST(COALESCE(SUM(cu), 0) AS BIGINT) AS cu, \
             (SELECT COUNT(*) FROM assignments WHERE deal_id = $1) AS running \
             FROM earnings WHERE deal_id = $1",
        );
        let row = row.bind(deal.0.as_slice()).fetch_one(&self.pool).await?;
        let (done, running) = (small(&row, "done")?, small(&row, "running")?);
        Ok(Progress {
            total,
            queued: total.saturating_sub(done).saturating_sub(running),
            running,
            done,
            cu_done: Cu(number(&row, "cu")?),
            miners: small(&row, "miners")?,
        })
    }

    /// Takes deals that are under way and that nobody holds: those with units to run only `with_units`, that is, if this
    /// process has miners, or if they are due by `due_by` anyway. Returns how many it took.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn take_deals(&self, with_units: bool, due_by: u64) -> Result<u64, StoreError> {
        let Some(holder) = self.holder() else {
            return Ok(0);
        };
        let query = format!(
            "UPDATE deals SET held_by = $1, held_until = {NOW} + $2 WHERE id IN (SELECT id FROM deals \
             WHERE stage IN ($3, $4, $5, $6) AND (held_by IS NULL OR held_until < {NOW}) \
             AND ($7 OR stage > $4 OR deliver_by <= $8) ORDER BY deliver_by LIMIT $9 FOR UPDATE SKIP LOCKED)"
        );
        let query = sqlx::query(AssertSqlSafe(query))
            .bind(holder)
            .bind(LEASE_SECONDS);
        let query = query.bind(Stage::Open.code()).bind(Stage::Running.code());
        let query = query
            .bind(Stage::Assembling.code())
            .bind(Stage::Posted.code());
        let query = query
            .bind(with_units)
            .bind(super::signed(due_by))
            .bind(TAKE_MAX);
        let taken = query.execute(&self.pool).await?;
        gio_failpoint::fail_point!("hub.wrote.deals_held");
        Ok(taken.rows_affected())
    }

    /// Gives a deal to whoever wants it. It is off this process's board.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn release_deal(&self, deal: DealId) -> Result<(), StoreError> {
        if let Some(holder) = self.holder() {
            let query =
                "UPDATE deals SET held_by = NULL, held_until = NULL WHERE id = $1 AND held_by = $2";
            let query = sqlx::query(query).bind(deal.0.as_slice()).bind(holder);
            query.execute(&self.pool).await?;
            gio_failpoint::fail_point!("hub.wrote.deal_released");
        }
        Ok(())
    }

    /// Says that this process is alive.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_leases(&self) -> Result<(), StoreError> {
        let Some(holder) = self.holder() else {
            return Ok(());
        };
        for (table, until) in [("deals", "held_until"), ("leases", "until")] {
            let by = if table == "deals" {
                "held_by"
            } else {
                "holder"
            };
            let query = format!("UPDATE {table} SET {until} = {NOW} + $1 WHERE {by} = $2");
            let query = sqlx::query(AssertSqlSafe(query));
            query
                .bind(LEASE_SECONDS)
                .bind(holder)
                .execute(&self.pool)
                .await?;
            gio_failpoint::fail_point!("hub.wrote.leases_kept");
        }
        Ok(())
    }

    /// Gives everything back: this process stops in order.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn release_all(&self) -> Result<(), StoreError> {
        if let Some(holder) = self.holder() {
            let query = "UPDATE deals SET held_by = NULL, held_until = NULL WHERE held_by = $1";
            sqlx::query(query).bind(holder).execute(&self.pool).await?;
            let query = sqlx::query("DELETE FROM leases WHERE holder = $1");
            query.bind(holder).execute(&self.pool).await?;
            gio_failpoint::fail_point!("hub.wrote.leases_released");
        }
        Ok(())
    }

    /// Whether this process has the role now; it has it then for [`LEASE_SECONDS`] at least.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn hold(&self, role: Role) -> Result<bool, StoreError> {
        let Some(holder) = self.holder() else {
            return Ok(true);
        };
        let query = format!(
            "INSERT INTO leases (name, holder, until) VALUES ($1, $2, {NOW} + $3) ON CONFLICT (name) DO UPDATE \
             SET holder = excluded.holder, until = excluded.until WHERE leases.holder = $2 OR leases.until < {NOW}"
        );
        let query = sqlx::query(AssertSqlSafe(query))
            .bind(role.name())
            .bind(holder);
        let taken = query.bind(LEASE_SECONDS).execute(&self.pool).await?;
        gio_failpoint::fail_point!("hub.wrote.lease_taken");
        Ok(taken.rows_affected() == 1)
    }

    /// Whether a live process other than this one holds the deal.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn is_held_elsewhere(&self, deal: DealId) -> Result<bool, StoreError> {
        let Some(holder) = self.holder() else {
            return Ok(false);
        };
        let query = format!(
            "SELECT 1 FROM deals WHERE id = $1 AND held_by IS NOT NULL AND held_by <> $2 AND held_until >= {NOW}"
        );
        let query = sqlx::query(AssertSqlSafe(query));
        let found = query.bind(deal.0.as_slice()).bind(holder);
        Ok(found.fetch_optional(&self.pool).await?.is_some())
    }

    /// Whether this process holds the deal.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn is_held_here(&self, deal: DealId) -> Result<bool, StoreError> {
        let Some(holder) = self.holder() else {
            return Ok(true);
        };
        let query = sqlx::query("SELECT 1 FROM deals WHERE id = $1 AND held_by = $2");
        let found = query.bind(deal.0.as_slice()).bind(holder);
        Ok(found.fetch_optional(&self.pool).await?.is_some())
    }

    /// Waits for a turn among all processes.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn turn(&self, turn: Turn) -> Result<TurnGuard, StoreError> {
        if !self.is_shared() {
            return Ok(TurnGuard { _transaction: None });
        }
        let mut transaction = self.pool.begin().await?;
        let query = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(turn as i64);
        query.execute(&mut *transaction).await?;
        Ok(TurnGuard {
            _transaction: Some(transaction),
        })
    }

    /// Asks inside a transaction whether these deals are still this process's, and keeps them so until its end.
    pub(super) async fn check_held(
        &self,
        tx: &mut AnyConnection,
        deals: &BTreeSet<DealId>,
    ) -> Result<(), StoreError> {
        let Some(holder) = self.holder().filter(|_| !deals.is_empty()) else {
            return Ok(());
        };
        let list = &values(1, deals.len() + 1)["($1, ".len()..];
        let query = format!(
            "SELECT id AS deal_id FROM deals WHERE held_by = $1 AND id IN ({list} FOR SHARE"
        );
        let mut query = sqlx::query(AssertSqlSafe(query)).bind(holder);
        for deal in deals {
            query = query.bind(deal.0.as_slice());
        }
        let held = query.fetch_all(&mut *tx).await?;
        let held: Result<BTreeSet<DealId>, StoreError> = held.iter().map(deal_id).collect();
        let lost = deals.difference(&held?).next().copied();
        lost.map_or(Ok(()), |deal| Err(StoreError::LeaseLost { deal }))
    }
}

impl Role {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Payer => "payer",
        }
    }
}
