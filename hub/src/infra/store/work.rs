//! Assignments, accepted claims and small contents.

use gio_protocol::{Address, B256, Claim, Cu, DealId, Gio, PricePerPu, Signature, SignedClaim};
use sqlx::Row as _;

use super::{Store, StoreError, fixed, signed, unsigned};
use crate::domain::board::{Restored, UnitRef};

/// Contents up to this size live in the database, larger ones in files: SQLite reads small blobs faster than the
/// file system opens files.
pub const BLOB_BYTES_MAX: usize = 64 * 1024;

/// Everything one turn of the dispatcher decided, written in one transaction.
#[derive(Debug, Default)]
pub struct WorkBatch {
    /// Units given to miners.
    pub assigned: Vec<(UnitRef, Address)>,
    /// Units back in the queue.
    pub requeued: Vec<UnitRef>,
    /// Claims accepted.
    pub accepted: Vec<AcceptedClaim>,
    /// Time of the turn, Unix seconds.
    pub at: u64,
}

/// A claim the hub has countersigned.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct AcceptedClaim {
    pub signed: SignedClaim,
    pub hub_signature: Signature,
    /// The output image, where it is small enough for the database.
    pub output: Option<Vec<u8>>,
}

impl WorkBatch {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.assigned.is_empty() && self.requeued.is_empty() && self.accepted.is_empty()
    }
}

impl Store {
    /// Writes a turn of the dispatcher; on disk when it returns.
    ///
    /// # Errors
    /// [`StoreError`]; nothing of the batch is kept then.
    pub async fn write_work(&self, batch: &WorkBatch) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let mut tx = self.pool.begin().await?;
        for unit in &batch.requeued {
            sqlx::query("DELETE FROM assignments WHERE deal_id = ? AND unit = ?")
                .bind(unit.deal.0.as_slice())
                .bind(unit.unit)
                .execute(&mut *tx)
                .await?;
        }
        for accepted in &batch.accepted {
            write_claim(&mut tx, accepted).await?;
        }
        for (unit, miner) in &batch.assigned {
            sqlx::query(
                "INSERT OR REPLACE INTO assignments (deal_id, unit, miner, at) VALUES (?, ?, ?, ?)",
            )
            .bind(unit.deal.0.as_slice())
            .bind(unit.unit)
            .bind(miner.as_slice())
            .bind(signed(batch.at))
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// What a restart needs to know of a deal's units.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn restored(&self, deal: DealId) -> Result<Restored, StoreError> {
        let mut restored = Restored::default();
        let rows = sqlx::query("SELECT unit, miner, cu FROM claims WHERE deal_id = ?")
            .bind(deal.0.as_slice());
        for row in rows.fetch_all(&self.pool).await? {
            let cu = Cu(unsigned("cu", row.try_get("cu")?)?);
            restored.done.push((row.try_get("unit")?, miner(&row)?, cu));
        }
        let rows = sqlx::query("SELECT unit, miner FROM assignments WHERE deal_id = ?")
            .bind(deal.0.as_slice());
        for row in rows.fetch_all(&self.pool).await? {
            restored.assigned.push((row.try_get("unit")?, miner(&row)?));
        }
        Ok(restored)
    }

    /// All accepted claims of a deal, in unit order.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claims(&self, deal: DealId) -> Result<Vec<SignedClaim>, StoreError> {
        let rows =
            sqlx::query("SELECT claim, signature FROM claims WHERE deal_id = ? ORDER BY unit")
                .bind(deal.0.as_slice())
                .fetch_all(&self.pool)
                .await?;
        let read = |row: &sqlx::sqlite::SqliteRow| {
            Ok(SignedClaim {
                claim: Claim::from_bytes(row.try_get("claim")?)?,
                signature: Signature::try_from(row.try_get::<&[u8], _>("signature")?)?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// The countersignature of an accepted claim, if this miner made it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn acceptance(
        &self,
        unit: UnitRef,
        of: Address,
    ) -> Result<Option<Signature>, StoreError> {
        let row = sqlx::query(
            "SELECT hub_signature FROM claims WHERE deal_id = ? AND unit = ? AND miner = ?",
        )
        .bind(unit.deal.0.as_slice())
        .bind(unit.unit)
        .bind(of.as_slice())
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| {
            Ok(Signature::try_from(
                row.try_get::<&[u8], _>("hub_signature")?,
            )?)
        })
        .transpose()
    }

    /// What a miner has earned over all deals and not been paid, before rounding.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn unpaid(&self, of: Address) -> Result<Gio, StoreError> {
        let rows = sqlx::query(
            "SELECT c.deal_id, d.net_price, SUM(c.cu) AS cu, \
             COALESCE((SELECT SUM(net) FROM payouts p WHERE p.deal_id = c.deal_id AND p.miner = c.miner AND p.tx IS NOT NULL), 0) AS paid \
             FROM claims c JOIN deals d ON d.id = c.deal_id WHERE c.miner = ? GROUP BY c.deal_id",
        )
        .bind(of.as_slice())
        .fetch_all(&self.pool)
        .await?;
        let mut total = Gio::ZERO;
        for row in rows {
            let price = PricePerPu(Gio::from_units(unsigned(
                "net_price",
                row.try_get("net_price")?,
            )?));
            let net = price
                .cost(Cu(unsigned("cu", row.try_get("cu")?)?))
                .unwrap_or_default();
            let paid = Gio::from_units(unsigned("paid", row.try_get("paid")?)?);
            total = total.plus(net.minus_or_zero(paid)).unwrap_or(total);
        }
        Ok(total)
    }

    /// Keeps a small content.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_blob(&self, root: B256, bytes: &[u8]) -> Result<(), StoreError> {
        let query = sqlx::query("INSERT OR IGNORE INTO blobs (root, bytes) VALUES (?, ?)");
        query
            .bind(root.as_slice())
            .bind(bytes)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// A small content.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn blob(&self, root: B256) -> Result<Option<Vec<u8>>, StoreError> {
        let query =
            sqlx::query_scalar("SELECT bytes FROM blobs WHERE root = ?").bind(root.as_slice());
        Ok(query.fetch_optional(&self.pool).await?)
    }
}

async fn write_claim(
    tx: &mut sqlx::SqliteConnection,
    accepted: &AcceptedClaim,
) -> Result<(), StoreError> {
    let claim = &accepted.signed.claim;
    sqlx::query("DELETE FROM assignments WHERE deal_id = ? AND unit = ?")
        .bind(claim.deal_id.0.as_slice())
        .bind(claim.unit)
        .execute(&mut *tx)
        .await?;
    sqlx::query("INSERT INTO claims (deal_id, unit, miner, claim, signature, hub_signature, cu) VALUES (?, ?, ?, ?, ?, ?, ?)")
        .bind(claim.deal_id.0.as_slice())
        .bind(claim.unit)
        .bind(claim.owner.as_slice())
        .bind(claim.to_bytes())
        .bind(accepted.signed.signature.as_bytes().as_slice())
        .bind(accepted.hub_signature.as_bytes().as_slice())
        .bind(signed(claim.cu.0))
        .execute(&mut *tx)
        .await?;
    if let Some(output) = &accepted.output {
        sqlx::query("INSERT OR IGNORE INTO blobs (root, bytes) VALUES (?, ?)")
            .bind(claim.content_root.as_slice())
            .bind(output)
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

fn miner(row: &sqlx::sqlite::SqliteRow) -> Result<Address, StoreError> {
    Ok(Address::from(fixed::<20>("miner", row.try_get("miner")?)?))
}
