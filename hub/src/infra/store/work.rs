//! Assignments and accepted claims.

use std::collections::BTreeMap;

use gio_protocol::{
    Address, B256, Claim, Cu, DealId, PricePerPu, Signature, SignedClaim, UnixSeconds, Work,
};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::{Store, StoreError, address, amount, number, signed, small, values};
use crate::domain::board::{Restored, UnitRef};

/// Contents up to this size live in the database, larger ones in files: SQLite reads small blobs faster than the
/// file system opens files.
pub const BLOB_BYTES_MAX: usize = 64 * 1024;
/// Outputs up to this size lie with their claims: a row and two indexes of their own would cost a tiny unit more than
/// everything else the hub writes of it.
pub const OUTPUT_WITH_CLAIM_MAX: usize = 1024;
/// Rows in one statement, as a power of two: longer batches are cut into pages of such sizes, so that there are few
/// different statements and all of them stay prepared. More rows make a statement slower, not faster: sqlx asks SQLite for
/// the name of every parameter, and SQLite looks through all of them each time.
const PAGE_MAX: usize = 32;

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
    /// The claim's struct hash, which is countersigned.
    pub claim_hash: B256,
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
        let assigned = batch.assigned.iter().map(|(unit, _)| unit.deal);
        let done = batch.accepted.iter().map(|one| one.signed.claim.deal_id);
        let deals = batch.requeued.iter().map(|unit| unit.deal);
        let deals = deals.chain(assigned).chain(done).collect();
        self.check_held(&mut tx, &deals).await?;
        let done = batch.accepted.iter().map(AcceptedClaim::unit);
        drop_assignments(&mut tx, batch.requeued.iter().copied().chain(done)).await?;
        write_claims(&mut tx, &batch.accepted).await?;
        write_outputs(&mut tx, &batch.accepted).await?;
        write_earnings(&mut tx, &batch.accepted).await?;
        write_assignments(&mut tx, &batch.assigned, at).await?;
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
        let rows =
            sqlx::query("SELECT unit, miner, cu FROM claims WHERE deal_id = $1 ORDER BY unit")
                .bind(deal.0.as_slice());
        for row in rows.fetch_all(&self.pool).await? {
            let cu = Cu(number(&row, "cu")?);
            restored
                .done
                .push((small(&row, "unit")?, address(&row, "miner")?, cu));
        }
        let rows =
            sqlx::query("SELECT unit, miner, at FROM assignments WHERE deal_id = $1 ORDER BY unit")
                .bind(deal.0.as_slice());
        for row in rows.fetch_all(&self.pool).await? {
            let at = UnixSeconds(number(&row, "at")?);
            restored
                .assigned
                .push((small(&row, "unit")?, address(&row, "miner")?, at));
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
            sqlx::query("SELECT claim, signature FROM claims WHERE deal_id = $1 ORDER BY unit")
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
            "SELECT claim, signature FROM claims WHERE deal_id = $1 AND unit >= $2 ORDER BY unit LIMIT $3",
        )
        .bind(deal.0.as_slice())
        .bind(i64::from(from_unit))
        .bind(i64::from(most))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(read_claim).collect()
    }

    /// Whether any claim of a deal was accepted.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn has_claims(&self, deal: DealId) -> Result<bool, StoreError> {
        let found = sqlx::query("SELECT 1 FROM earnings WHERE deal_id = $1 LIMIT 1");
        let found = found.bind(deal.0.as_slice()).fetch_optional(&self.pool);
        Ok(found.await?.is_some())
    }

    /// An accepted claim and its price, if this miner made it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn acceptance(
        &self,
        unit: UnitRef,
        of: Address,
    ) -> Result<Option<(Claim, PricePerPu)>, StoreError> {
        let row = sqlx::query(
            "SELECT c.claim, d.net_price FROM claims c JOIN deals d ON d.id = c.deal_id \
             WHERE c.deal_id = $1 AND c.unit = $2 AND c.miner = $3",
        )
        .bind(unit.deal.0.as_slice())
        .bind(i64::from(unit.unit))
        .bind(of.as_slice())
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| {
            let claim = Claim::from_bytes(row.try_get("claim")?)?;
            Ok((claim, PricePerPu(amount(&row, "net_price")?)))
        })
        .transpose()
    }

    /// Outputs that lie with their claims, in unit order from unit `first` on, `count` at most.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn small_outputs(
        &self,
        deal: DealId,
        first: u32,
        count: u32,
    ) -> Result<Vec<(u32, Vec<u8>)>, StoreError> {
        let rows = sqlx::query(
            "SELECT unit, output FROM claims WHERE deal_id = $1 AND unit >= $2 AND output IS NOT NULL \
             ORDER BY unit LIMIT $3",
        )
        .bind(deal.0.as_slice())
        .bind(i64::from(first))
        .bind(i64::from(count))
        .fetch_all(&self.pool)
        .await?;
        let read = |row: &AnyRow| Ok((small(row, "unit")?, row.try_get("output")?));
        rows.iter().map(read).collect()
    }

    /// What a miner has earned and not been paid, over all deals whose miners have something coming. A payment under
    /// way is not counted as made.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn owed(&self, to: Address) -> Result<Work, StoreError> {
        let rows = sqlx::query(
            "SELECT e.cu, d.net_price, (SELECT CAST(COALESCE(SUM(net), 0) AS BIGINT) FROM payouts p WHERE p.deal_id = e.deal_id \
             AND p.miner = e.miner AND p.tx IS NOT NULL) AS paid \
             FROM earnings e JOIN deals d ON d.id = e.deal_id WHERE e.miner = $1 AND d.miners_paid = 0",
        )
        .bind(to.as_slice())
        .fetch_all(&self.pool)
        .await?;
        rows.iter().try_fold(Work::NONE, |sum, row| {
            let price = PricePerPu(amount(row, "net_price")?);
            let earned = Work::of(Cu(number(row, "cu")?), price);
            Ok(sum.plus(earned.after_paying(amount(row, "paid")?)))
        })
    }
}

fn read_claim(row: &AnyRow) -> Result<SignedClaim, StoreError> {
    Ok(SignedClaim {
        claim: Claim::from_bytes(row.try_get("claim")?)?,
        signature: Signature::try_from(row.try_get::<&[u8], _>("signature")?)?,
    })
}

impl AcceptedClaim {
    fn unit(&self) -> UnitRef {
        UnitRef {
            deal: self.signed.claim.deal_id,
            unit: self.signed.claim.unit,
        }
    }

    /// The output, if it lies with the claim.
    fn own_output(&self) -> Option<&[u8]> {
        let output = self.output.as_deref();
        output.filter(|output| output.len() <= OUTPUT_WITH_CLAIM_MAX)
    }
}

/// Cuts rows into pages, the large ones first.
pub(super) fn pages<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let fitting = 1usize << rows.len().checked_ilog2()?;
        let (page, rest) = rows.split_at(fitting.min(PAGE_MAX));
        rows = rest;
        Some(page)
    })
}

async fn drop_assignments(
    tx: &mut AnyConnection,
    units: impl Iterator<Item = UnitRef>,
) -> Result<(), StoreError> {
    let mut by_deal: BTreeMap<DealId, Vec<u32>> = BTreeMap::new();
    for unit in units {
        by_deal.entry(unit.deal).or_default().push(unit.unit);
    }
    for (deal, units) in by_deal {
        for page in pages(&units) {
            // The deal's parameter comes first; the list is of one row.
            let list = &values(1, page.len() + 1)["($1, ".len()..];
            let query = format!("DELETE FROM assignments WHERE deal_id = $1 AND unit IN ({list}");
            let mut query = sqlx::query(AssertSqlSafe(query)).bind(deal.0.as_slice());
            for unit in page {
                query = query.bind(i64::from(*unit));
            }
            query.execute(&mut *tx).await?;
        }
    }
    Ok(())
}

async fn write_assignments(
    tx: &mut AnyConnection,
    assigned: &[(UnitRef, Address)],
    at: UnixSeconds,
) -> Result<(), StoreError> {
    for page in pages(assigned) {
        let rows = values(page.len(), 4);
        let query = format!(
            "INSERT INTO assignments (deal_id, unit, miner, at) VALUES {rows} ON CONFLICT (deal_id, unit) \
             DO UPDATE SET miner = excluded.miner, at = excluded.at"
        );
        let mut query = sqlx::query(AssertSqlSafe(query));
        for (unit, miner) in page {
            query = query
                .bind(unit.deal.0.as_slice())
                .bind(i64::from(unit.unit));
            query = query.bind(miner.as_slice()).bind(signed(at.0));
        }
        query.execute(&mut *tx).await?;
    }
    Ok(())
}

async fn write_claims(
    tx: &mut AnyConnection,
    accepted: &[AcceptedClaim],
) -> Result<(), StoreError> {
    for page in pages(accepted) {
        let rows = values(page.len(), 7);
        let query = format!(
            "INSERT INTO claims (deal_id, unit, miner, claim, signature, cu, output) VALUES {rows}"
        );
        let mut query = sqlx::query(AssertSqlSafe(query));
        for accepted in page {
            let SignedClaim { claim, signature } = &accepted.signed;
            query = query
                .bind(claim.deal_id.0.as_slice())
                .bind(i64::from(claim.unit));
            query = query.bind(claim.owner.as_slice()).bind(claim.to_bytes());
            query = query.bind(signature.as_bytes().as_slice());
            query = query.bind(signed(claim.cu.0)).bind(accepted.own_output());
        }
        query.execute(&mut *tx).await?;
    }
    Ok(())
}

/// Outputs that are contents of their own: kept here when small enough, and used by their deal either way.
async fn write_outputs(
    tx: &mut AnyConnection,
    accepted: &[AcceptedClaim],
) -> Result<(), StoreError> {
    for accepted in accepted.iter().filter(|one| one.own_output().is_none()) {
        let claim = &accepted.signed.claim;
        if let Some(output) = &accepted.output {
            keep_output(tx, claim.content_root, output).await?;
        }
        super::contents::add_use(tx, claim.content_root, claim.deal_id).await?;
    }
    Ok(())
}

async fn keep_output(tx: &mut AnyConnection, root: B256, output: &[u8]) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO contents (root, length, bytes) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    )
    .bind(root.as_slice())
    .bind(signed(output.len() as u64))
    .bind(output)
    .execute(tx)
    .await?;
    Ok(())
}

async fn write_earnings(
    tx: &mut AnyConnection,
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
            "INSERT INTO earnings (deal_id, miner, units, cu) VALUES ($1, $2, $3, $4) ON CONFLICT (deal_id, miner) \
             DO UPDATE SET units = earnings.units + excluded.units, cu = earnings.cu + excluded.cu",
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
