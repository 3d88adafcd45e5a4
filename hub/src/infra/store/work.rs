//! Assignments and accepted claims.

use std::collections::BTreeMap;

use gio_protocol::{
    Address, B256, Claim, Cu, DealId, PricePerPu, Signature, SignedClaim, UnixSeconds,
};
use sqlx::Row as _;
use sqlx::SqliteConnection;

use super::{Store, StoreError, address, amount, number, signed};
use crate::domain::board::{Restored, UnitRef};
use crate::domain::owed::Owed;

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
    /// Writes a turn of the dispatcher: what went back to the queue, what was accepted, what was given out. On disk
    /// when it returns.
    ///
    /// # Errors
    /// [`StoreError`]; nothing of the batch is kept then.
    pub async fn write_work(&self, batch: &WorkBatch, at: UnixSeconds) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let mut tx = self.pool.begin().await?;
        for unit in &batch.requeued {
            drop_assignment(&mut tx, *unit).await?;
        }
        for accepted in &batch.accepted {
            write_claim(&mut tx, accepted).await?;
        }
        write_earnings(&mut tx, &batch.accepted).await?;
        for (unit, miner) in &batch.assigned {
            sqlx::query(
                "INSERT OR REPLACE INTO assignments (deal_id, unit, miner, at) VALUES (?, ?, ?, ?)",
            )
            .bind(unit.deal.0.as_slice())
            .bind(unit.unit)
            .bind(miner.as_slice())
            .bind(signed(at.0))
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        gio_failpoint::fail_point!("hub.wrote.work");
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
            let cu = Cu(number(&row, "cu")?);
            restored
                .done
                .push((row.try_get("unit")?, address(&row, "miner")?, cu));
        }
        let rows = sqlx::query("SELECT unit, miner, at FROM assignments WHERE deal_id = ?")
            .bind(deal.0.as_slice());
        for row in rows.fetch_all(&self.pool).await? {
            let at = UnixSeconds(number(&row, "at")?);
            restored
                .assigned
                .push((row.try_get("unit")?, address(&row, "miner")?, at));
        }
        restored.stopped = self.cancellation(deal).await?.is_some();
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
        rows.iter().map(read_claim).collect()
    }

    /// Accepted claims of a deal from a unit on, in unit order, at most `most`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claims_from(
        &self,
        deal: DealId,
        from_unit: u32,
        most: u32,
    ) -> Result<Vec<SignedClaim>, StoreError> {
        let rows = sqlx::query(
            "SELECT claim, signature FROM claims WHERE deal_id = ? AND unit >= ? ORDER BY unit LIMIT ?",
        )
        .bind(deal.0.as_slice())
        .bind(from_unit)
        .bind(most)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(read_claim).collect()
    }

    /// Whether any claim of a deal was accepted.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn has_claims(&self, deal: DealId) -> Result<bool, StoreError> {
        let found = sqlx::query("SELECT 1 FROM earnings WHERE deal_id = ? LIMIT 1");
        let found = found.bind(deal.0.as_slice()).fetch_optional(&self.pool);
        Ok(found.await?.is_some())
    }

    /// The countersignature of an accepted claim and what it earned, if this miner made it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn acceptance(
        &self,
        unit: UnitRef,
        of: Address,
    ) -> Result<Option<(Signature, Cu, PricePerPu)>, StoreError> {
        let row = sqlx::query(
            "SELECT c.hub_signature, c.cu, d.net_price FROM claims c JOIN deals d ON d.id = c.deal_id \
             WHERE c.deal_id = ? AND c.unit = ? AND c.miner = ?",
        )
        .bind(unit.deal.0.as_slice())
        .bind(unit.unit)
        .bind(of.as_slice())
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| {
            let signature = Signature::try_from(row.try_get::<&[u8], _>("hub_signature")?)?;
            let price = PricePerPu(amount(&row, "net_price")?);
            Ok((signature, Cu(number(&row, "cu")?), price))
        })
        .transpose()
    }

    /// What a miner has earned and not been paid, over all deals whose miners have something coming. A payment under
    /// way is not counted as made.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn owed(&self, to: Address) -> Result<Owed, StoreError> {
        let rows = sqlx::query(
            "SELECT e.cu, d.net_price, COALESCE((SELECT SUM(net) FROM payouts p WHERE p.deal_id = e.deal_id \
             AND p.miner = e.miner AND p.tx IS NOT NULL), 0) AS paid \
             FROM earnings e JOIN deals d ON d.id = e.deal_id WHERE e.miner = ? AND d.miners_paid = 0",
        )
        .bind(to.as_slice())
        .fetch_all(&self.pool)
        .await?;
        rows.iter().try_fold(Owed::NOTHING, |sum, row| {
            let price = PricePerPu(amount(row, "net_price")?);
            let earned = Owed::of(Cu(number(row, "cu")?), price);
            Ok(sum.plus(earned.after_paying(amount(row, "paid")?)))
        })
    }
}

fn read_claim(row: &sqlx::sqlite::SqliteRow) -> Result<SignedClaim, StoreError> {
    Ok(SignedClaim {
        claim: Claim::from_bytes(row.try_get("claim")?)?,
        signature: Signature::try_from(row.try_get::<&[u8], _>("signature")?)?,
    })
}

async fn drop_assignment(tx: &mut SqliteConnection, unit: UnitRef) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM assignments WHERE deal_id = ? AND unit = ?")
        .bind(unit.deal.0.as_slice())
        .bind(unit.unit)
        .execute(tx)
        .await?;
    Ok(())
}

async fn write_claim(
    tx: &mut SqliteConnection,
    accepted: &AcceptedClaim,
) -> Result<(), StoreError> {
    let claim = &accepted.signed.claim;
    let unit = UnitRef {
        deal: claim.deal_id,
        unit: claim.unit,
    };
    drop_assignment(tx, unit).await?;
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
        keep_output(tx, claim.content_root, output).await?;
    }
    super::contents::add_use(tx, claim.content_root, claim.deal_id).await?;
    Ok(())
}

async fn keep_output(
    tx: &mut SqliteConnection,
    root: B256,
    output: &[u8],
) -> Result<(), StoreError> {
    sqlx::query("INSERT OR IGNORE INTO contents (root, length, bytes) VALUES (?, ?, ?)")
        .bind(root.as_slice())
        .bind(signed(output.len() as u64))
        .bind(output)
        .execute(tx)
        .await?;
    Ok(())
}

async fn write_earnings(
    tx: &mut SqliteConnection,
    accepted: &[AcceptedClaim],
) -> Result<(), StoreError> {
    let mut sums: BTreeMap<(DealId, Address), (i64, u64)> = BTreeMap::new();
    for accepted in accepted {
        let claim = &accepted.signed.claim;
        let sum = sums.entry((claim.deal_id, claim.owner)).or_default();
        *sum = (sum.0 + 1, sum.1.saturating_add(claim.cu.0));
    }
    for ((deal, miner), (units, cu)) in sums {
        sqlx::query(
            "INSERT INTO earnings (deal_id, miner, units, cu) VALUES (?, ?, ?, ?) ON CONFLICT (deal_id, miner) \
             DO UPDATE SET units = units + excluded.units, cu = cu + excluded.cu",
        )
        .bind(deal.0.as_slice())
        .bind(miner.as_slice())
        .bind(units)
        .bind(signed(cu))
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}
