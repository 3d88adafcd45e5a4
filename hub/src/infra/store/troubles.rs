//! Units that came back without a result, for the buyers who ask why. Only the newest of a deal are kept, whatever
//! miners do.

use gio_protocol::{Address, DealId, UnixSeconds};
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{Store, StoreError, address, number, signed, small, unsigned};
use crate::domain::board::Trouble;

/// Troubles kept of a deal: enough to see what is wrong with a job, and who it is wrong with.
pub const TROUBLES_MAX: u64 = 100;
/// Longest reason kept: most of them are a miner's words.
const REASON_CHARS_MAX: usize = 200;

/// A trouble on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct TroubleRow {
    pub number: u64,
    pub unit: u32,
    pub miner: Address,
    pub reason: String,
    pub at: UnixSeconds,
}

impl Store {
    /// Writes troubles down and forgets what is beyond [`TROUBLES_MAX`] of a deal.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn add_troubles(
        &self,
        troubles: &[Trouble],
        at: UnixSeconds,
    ) -> Result<(), StoreError> {
        if troubles.is_empty() {
            return Ok(());
        }
        let mut tx = self.pool.begin().await?;
        for trouble in troubles {
            let reason: String = trouble.reason.chars().take(REASON_CHARS_MAX).collect();
            let query = sqlx::query_scalar(
                "INSERT INTO unit_troubles (deal_id, number, unit, miner, reason, at) VALUES ($1, \
                 (SELECT COALESCE(MAX(number), 0) + 1 FROM unit_troubles WHERE deal_id = $1), $2, $3, $4, $5) \
                 RETURNING number",
            );
            let number: i64 = query
                .bind(trouble.unit.deal.0.as_slice())
                .bind(i64::from(trouble.unit.unit))
                .bind(trouble.miner.as_slice())
                .bind(reason)
                .bind(signed(at.0))
                .fetch_one(&mut *tx)
                .await?;
            let oldest = number.saturating_sub(signed(TROUBLES_MAX));
            sqlx::query("DELETE FROM unit_troubles WHERE deal_id = $1 AND number <= $2")
                .bind(trouble.unit.deal.0.as_slice())
                .bind(oldest)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        gio_failpoint::fail_point!("hub.wrote.troubles");
        Ok(())
    }

    /// The troubles of a deal, the newest last; the last one's number is how many there were.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn troubles(&self, deal: DealId) -> Result<Vec<TroubleRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT number, unit, miner, reason, at FROM unit_troubles WHERE deal_id = $1 ORDER BY number",
        )
        .bind(deal.0.as_slice())
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(read).collect()
    }
}

fn read(row: &AnyRow) -> Result<TroubleRow, StoreError> {
    Ok(TroubleRow {
        number: unsigned("number", row.try_get("number")?)?,
        unit: small(row, "unit")?,
        miner: address(row, "miner")?,
        reason: row.try_get("reason")?,
        at: UnixSeconds(number(row, "at")?),
    })
}
