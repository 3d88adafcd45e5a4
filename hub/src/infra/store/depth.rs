//! What a reorganisation may take back or has taken back: payments, and ends of deals.
//!
//! # Correctness
//! A payment that was taken back is under way again, with its nonce: it goes through the same doubts as one whose answer
//! was lost. The block it was in stays noted, and says that the chain has changed its mind about it.

use gio_protocol::{B256, DealId, UnixSeconds};
use sqlx::AssertSqlSafe;

use super::deals::{COLUMNS, add_event, read_deal};
use super::payouts::read_payout;
use super::{DealRow, PayoutRow, Store, StoreError, number, signed};
use crate::domain::stage::Stage;

/// Where the transaction of a payment is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// In this block, which is deep enough.
    Deep(u64),
    /// In this block, which is not.
    Shallow(u64),
    /// In no block.
    Gone,
}

/// An end that was written down and is on chain no more.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct LostEnd {
    pub deal: DealId,
    pub ended: Stage,
    pub over_block: u64,
    /// Where the deal is instead.
    pub stage: Stage,
    /// Of a posted deal, as the chain says.
    pub window_end: Option<UnixSeconds>,
}

impl Store {
    /// Payments made that a reorganisation may still take back.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn shallow_payouts(&self) -> Result<Vec<PayoutRow>, StoreError> {
        let rows =
            sqlx::query("SELECT * FROM payouts WHERE deep = 0 AND tx IS NOT NULL ORDER BY id");
        let rows = rows.fetch_all(&self.pool).await?;
        rows.iter().map(read_payout).collect()
    }

    /// Writes down where a payment's transaction is. One that is gone is under way again, but not while another one to
    /// its miner is. Returns whether the payment was still as it was known.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_whereabouts(
        &self,
        id: i64,
        tx: B256,
        now: Whereabouts,
    ) -> Result<bool, StoreError> {
        let (change, block) = match now {
            Whereabouts::Deep(block) => ("block = $3, deep = 1", Some(block)),
            Whereabouts::Shallow(block) => ("block = $3", Some(block)),
            Whereabouts::Gone => ("tx = NULL", None),
        };
        let mut query =
            format!("UPDATE payouts SET {change} WHERE id = $1 AND tx = $2 AND deep = 0");
        if block.is_none() {
            query += " AND NOT EXISTS (SELECT 1 FROM payouts o WHERE o.miner = payouts.miner AND o.tx IS NULL)";
        }
        let mut query = sqlx::query(AssertSqlSafe(query))
            .bind(id)
            .bind(tx.as_slice());
        if let Some(block) = block {
            query = query.bind(signed(block));
        }
        let noted = query.execute(&self.pool).await?;
        gio_failpoint::fail_point!("hub.wrote.payment_depth");
        Ok(noted.rows_affected() == 1)
    }

    /// Has payments that were made from this block on looked up again, however deep they were. Returns how many there
    /// are.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn doubt_payouts_since(&self, block: u64) -> Result<u64, StoreError> {
        let mut tx = self.pool.begin().await?;
        let query = sqlx::query(
            "UPDATE payouts SET deep = 0 WHERE block >= $1 AND deep = 1 AND tx IS NOT NULL",
        );
        let doubted = query.bind(signed(block)).execute(&mut *tx).await?;
        // The payer looks at these deals again.
        let query = sqlx::query(
            "UPDATE deals SET miners_paid = 0 WHERE miners_paid = 1 \
             AND id IN (SELECT deal_id FROM payouts WHERE deep = 0)",
        );
        query.execute(&mut *tx).await?;
        tx.commit().await?;
        gio_failpoint::fail_point!("hub.wrote.payments_doubted");
        Ok(doubted.rows_affected())
    }

    /// Deals whose ends were seen in this block or later, each with that block.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ends_since(&self, block: u64) -> Result<Vec<(DealRow, u64)>, StoreError> {
        let query = format!(
            "SELECT {COLUMNS}, over_block FROM deals WHERE over_block >= $1 ORDER BY over_block"
        );
        let rows = sqlx::query(AssertSqlSafe(query));
        let rows = rows.bind(signed(block)).fetch_all(&self.pool).await?;
        let read = |row| Ok((read_deal(row)?, number(row, "over_block")?));
        rows.iter().map(read).collect()
    }

    /// The event that ended a deal was seen again, in this block.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_end_block(&self, id: DealId, block: u64) -> Result<(), StoreError> {
        let query =
            sqlx::query("UPDATE deals SET over_block = $1 WHERE id = $2 AND over_block <> $1");
        let query = query.bind(signed(block)).bind(id.0.as_slice());
        query.execute(&self.pool).await?;
        gio_failpoint::fail_point!("hub.wrote.end_block");
        Ok(())
    }

    /// Moves a deal back from its end, and the cursor to no block there is, so that the chain is read again from below.
    /// Returns whether that end was still the one in the books.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn take_end_back(
        &self,
        lost: &LostEnd,
        message: &str,
        at: UnixSeconds,
    ) -> Result<bool, StoreError> {
        let mut tx = self.pool.begin().await?;
        let query = sqlx::query(
            "UPDATE deals SET stage = $1, window_end = $2, over_at = NULL, over_block = NULL, miners_paid = 0, \
             payment = NULL, royalty = NULL, refund = NULL, settled_tx = NULL \
             WHERE id = $3 AND stage = $4 AND over_block = $5",
        )
        .bind(lost.stage.code())
        .bind(lost.window_end.map(|end| signed(end.0)))
        .bind(lost.deal.0.as_slice())
        .bind(lost.ended.code())
        .bind(signed(lost.over_block));
        let moved = query.execute(&mut *tx).await?.rows_affected() == 1;
        if moved {
            add_event(&mut tx, lost.deal, lost.stage, message, at).await?;
            let query = sqlx::query("UPDATE chain_cursor SET hash = $1");
            query.bind(B256::ZERO.as_slice()).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        gio_failpoint::fail_point!("hub.wrote.end_taken_back");
        Ok(moved)
    }
}
