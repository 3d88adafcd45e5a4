//! Payouts by proof (R9): what wallets posted, and what became of this miner's leaves.

use gio_evm::{PayoutClaim, PostedPayout};
use gio_protocol::{Address, B256, Gio, UnixSeconds};
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::change::{SqlResult, int};
use super::rows::{Columns, NotARow};
use super::{Store, StoreError};

/// A payout as its wallet posted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it, the migration the rest")]
pub struct PayoutRow {
    pub wallet: Address,
    pub epoch: u32,
    pub count: u32,
    pub net: Gio,
    pub top: B256,
    pub leaves_root: B256,
}

impl PayoutRow {
    /// What matters of an announced payout.
    #[must_use]
    pub fn of(wallet: Address, posted: &PostedPayout) -> Self {
        Self {
            wallet,
            epoch: posted.epoch,
            count: posted.count,
            net: posted.net,
            top: posted.top,
            leaves_root: posted.leaves_root,
        }
    }
}

/// A leaf of this miner's in a payout, proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartRow {
    /// The payout.
    pub payout: PayoutRow,
    /// The leaf's index.
    pub leaf: u32,
    /// What it pays.
    pub net: Gio,
    /// The nodes beside its way to the top.
    pub proof: Vec<B256>,
    /// Whether it was found claimed.
    pub is_claimed: bool,
}

impl PartRow {
    /// What the wallet is shown, by the miner of this leaf.
    #[must_use]
    pub fn claim(&self, miner: Address) -> PayoutClaim {
        PayoutClaim {
            epoch: self.payout.epoch,
            count: self.payout.count,
            index: self.leaf,
            miner,
            net: self.net,
            proof: self.proof.clone(),
        }
    }

    /// A proven claim as it is kept.
    #[must_use]
    pub fn of(payout: PayoutRow, claim: PayoutClaim) -> Self {
        Self {
            payout,
            leaf: claim.index,
            net: claim.net,
            proof: claim.proof,
            is_claimed: false,
        }
    }
}

/// What payouts by proof came to, of one wallet or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct PayoutTotals {
    pub claimed: Gio,
    pub claimed_parts: u64,
    pub open: Gio,
    pub open_parts: u64,
    /// Posted, and nobody knows yet whether there is a leaf of this miner's.
    pub unproven: u64,
}

impl Store {
    /// Up to which block a wallet's payouts are known.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn payouts_until(&self, wallet: Address) -> Result<Option<u64>, StoreError> {
        let sql = "SELECT until FROM payout_looks WHERE wallet = ?";
        let query = sqlx::query(sql).bind(wallet.to_vec());
        let row = query.fetch_optional(&self.readers).await?;
        let until = row.as_ref().map(|row| Columns(row).u64("until"));
        Ok(until.transpose()?)
    }

    /// A payout of a wallet.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn payout(
        &self,
        wallet: Address,
        epoch: u32,
    ) -> Result<Option<PayoutRow>, StoreError> {
        let sql = "SELECT * FROM payouts WHERE wallet = ? AND epoch = ?";
        let query = sqlx::query(sql).bind(wallet.to_vec()).bind(epoch);
        let row = query.fetch_optional(&self.readers).await?;
        Ok(row.as_ref().map(PayoutRow::try_from).transpose()?)
    }

    /// A wallet's payouts of at least `least` in all whose leaf files were not proven, the largest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn unproven_payouts(
        &self,
        wallet: Address,
        least: Gio,
    ) -> Result<Vec<PayoutRow>, StoreError> {
        let sql = "SELECT * FROM payouts WHERE wallet = ? AND state = 0 AND net >= ?
            ORDER BY net DESC, epoch";
        let query = sqlx::query(sql).bind(wallet.to_vec());
        let query = query.bind(int(least.units()));
        let rows = query.fetch_all(&self.readers).await?;
        let parsed: Result<_, NotARow> = rows.iter().map(PayoutRow::try_from).collect();
        Ok(parsed?)
    }

    /// This miner's leaves in a wallet's payouts that are not claimed, or were found claimed since `since`; the largest
    /// first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn unsettled_parts(
        &self,
        wallet: Address,
        since: UnixSeconds,
    ) -> Result<Vec<PartRow>, StoreError> {
        let sql = "SELECT payouts.*, parts.leaf, parts.net AS part_net, parts.proof, parts.state AS part_state
            FROM payout_parts parts JOIN payouts ON payouts.wallet = parts.wallet AND payouts.epoch = parts.epoch
            WHERE parts.wallet = ? AND (parts.state = 0 OR parts.ended_at >= ?)
            ORDER BY parts.net DESC, parts.epoch, parts.leaf";
        let query = sqlx::query(sql).bind(wallet.to_vec()).bind(int(since.0));
        let rows = query.fetch_all(&self.readers).await?;
        let parsed: Result<_, NotARow> = rows.iter().map(PartRow::try_from).collect();
        Ok(parsed?)
    }

    /// What payouts by proof came to: a wallet's, or all.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn payout_totals(&self, wallet: Option<Address>) -> Result<PayoutTotals, StoreError> {
        let sql = "SELECT
            coalesce(sum(state = 1), 0) AS claimed_parts,
            coalesce(sum((net >> 32) * (state = 1)), 0) AS claimed_high,
            coalesce(sum((net & 4294967295) * (state = 1)), 0) AS claimed_low,
            coalesce(sum(state = 0), 0) AS open_parts,
            coalesce(sum((net >> 32) * (state = 0)), 0) AS open_high,
            coalesce(sum((net & 4294967295) * (state = 0)), 0) AS open_low,
            (SELECT count(*) FROM payouts WHERE state = 0 AND wallet = coalesce(?1, wallet)) AS unproven
            FROM payout_parts WHERE wallet = coalesce(?1, wallet)";
        let query = sqlx::query(sql).bind(wallet.map(|wallet| wallet.to_vec()));
        let row = query.fetch_one(&self.readers).await?;
        let columns = Columns(&row);
        Ok(PayoutTotals {
            claimed: columns.halves("claimed_high", "claimed_low")?,
            claimed_parts: columns.u64("claimed_parts")?,
            open: columns.halves("open_high", "open_low")?,
            open_parts: columns.u64("open_parts")?,
            unproven: columns.u64("unproven")?,
        })
    }
}

impl TryFrom<&SqliteRow> for PayoutRow {
    type Error = NotARow;

    fn try_from(row: &SqliteRow) -> Result<Self, NotARow> {
        let columns = Columns(row);
        Ok(Self {
            wallet: columns.address("wallet")?,
            epoch: columns.u32("epoch")?,
            count: columns.u32("count")?,
            net: columns.gio("net")?,
            top: columns.word("top")?,
            leaves_root: columns.word("leaves_root")?,
        })
    }
}

impl TryFrom<&SqliteRow> for PartRow {
    type Error = NotARow;

    fn try_from(row: &SqliteRow) -> Result<Self, NotARow> {
        let columns = Columns(row);
        Ok(Self {
            payout: PayoutRow::try_from(row)?,
            leaf: columns.u32("leaf")?,
            net: columns.gio("part_net")?,
            proof: columns.words("proof")?,
            is_claimed: columns.u64("part_state")? != 0,
        })
    }
}

/// Payouts that a wallet posted up to a block. One that stands in the place of another, which a reorganisation of the
/// chain took back, begins anew.
pub(super) async fn write_posted(
    wallet: Address,
    posted: &[PayoutRow],
    until: u64,
    connection: &mut SqliteConnection,
) -> SqlResult {
    for payout in posted {
        let sql = "DELETE FROM payout_parts WHERE wallet = ?1 AND epoch = ?2 AND EXISTS
            (SELECT 1 FROM payouts WHERE wallet = ?1 AND epoch = ?2 AND (top <> ?3 OR leaves_root <> ?4))";
        let query = sqlx::query(sql).bind(wallet.to_vec()).bind(payout.epoch);
        let query = query.bind(payout.top.to_vec());
        let query = query.bind(payout.leaves_root.to_vec());
        query.execute(&mut *connection).await?;
        let sql = "INSERT INTO payouts (wallet, epoch, count, net, top, leaves_root) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (wallet, epoch) DO UPDATE SET count = excluded.count, net = excluded.net,
                top = excluded.top, leaves_root = excluded.leaves_root, state = 0
            WHERE payouts.top <> excluded.top OR payouts.leaves_root <> excluded.leaves_root";
        let query = sqlx::query(sql).bind(wallet.to_vec());
        let query = query.bind(payout.epoch).bind(payout.count);
        let query = query.bind(int(payout.net.units()));
        let query = query.bind(payout.top.to_vec());
        let query = query.bind(payout.leaves_root.to_vec());
        query.execute(&mut *connection).await?;
    }
    let sql = "INSERT INTO payout_looks (wallet, until) VALUES (?, ?)
        ON CONFLICT (wallet) DO UPDATE SET until = max(until, excluded.until)";
    let query = sqlx::query(sql).bind(wallet.to_vec()).bind(int(until));
    query.execute(connection).await.map(drop)
}

/// This miner's leaves of a payout, proven. Nothing is written if another payout stands in its place by now.
pub(super) async fn write_proven(
    payout: &PayoutRow,
    parts: &[PartRow],
    connection: &mut SqliteConnection,
) -> SqlResult {
    let sql = "UPDATE payouts SET state = 1 WHERE wallet = ? AND epoch = ? AND top = ? AND leaves_root = ?";
    let query = sqlx::query(sql)
        .bind(payout.wallet.to_vec())
        .bind(payout.epoch);
    let query = query.bind(payout.top.to_vec());
    let query = query.bind(payout.leaves_root.to_vec());
    let done = query.execute(&mut *connection).await?;
    if done.rows_affected() == 0 {
        return Ok(());
    }
    for part in parts {
        let sql =
            "INSERT INTO payout_parts (wallet, epoch, leaf, net, proof) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT DO NOTHING";
        let query = sqlx::query(sql).bind(payout.wallet.to_vec());
        let query = query.bind(payout.epoch).bind(part.leaf);
        let query = query.bind(int(part.net.units()));
        let proof: Vec<u8> = part.proof.iter().flat_map(|node| node.0).collect();
        query.bind(proof).execute(&mut *connection).await?;
    }
    Ok(())
}

/// A leaf was found claimed, or claimed by a transaction of this miner's.
pub(super) async fn write_claimed(
    part: &PartRow,
    tx: Option<B256>,
    at: UnixSeconds,
    connection: &mut SqliteConnection,
) -> SqlResult {
    let sql = "UPDATE payout_parts SET state = 1, tx = coalesce(?, tx), ended_at = ?
        WHERE wallet = ? AND epoch = ? AND leaf = ?";
    let query = sqlx::query(sql).bind(tx.map(|tx| tx.to_vec()));
    let query = query.bind(int(at.0)).bind(part.payout.wallet.to_vec());
    let query = query.bind(part.payout.epoch).bind(part.leaf);
    query.execute(connection).await.map(drop)
}
