//! Payments to miners: intended before they are sent, completed afterwards.

use gio_protocol::{Address, B256, Cu, DealId, Gio, PricePerPu};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::{Store, StoreError, fixed, signed, unsigned};
use crate::domain::payout::{Account, Due};
use crate::infra::progress::Stage;

/// A miner's work in one deal.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct MinerAccount {
    pub deal: DealId,
    pub miner: Address,
    pub units: u32,
    pub account: Account,
    /// Whether the deal is over: accepted work is paid however it ended.
    pub over: bool,
}

/// A payment, intended (`tx` absent) or made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct PayoutRow {
    pub id: i64,
    pub deal: DealId,
    pub miner: Address,
    pub cu: Cu,
    pub units: u32,
    pub net: Gio,
    pub gross: Gio,
    pub from_block: u64,
    pub tx: Option<B256>,
}

impl Store {
    /// All accounts of deals whose miners may have something to come.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn accounts(&self) -> Result<Vec<MinerAccount>, StoreError> {
        let rows = sqlx::query(
            "SELECT c.deal_id, c.miner, COUNT(*) AS units, SUM(c.cu) AS cu, d.net_price, d.stage, \
             COALESCE((SELECT SUM(net) FROM payouts p WHERE p.deal_id = c.deal_id AND p.miner = c.miner), 0) AS paid \
             FROM claims c JOIN deals d ON d.id = c.deal_id WHERE d.miners_paid = 0 GROUP BY c.deal_id, c.miner",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(read_account).collect()
    }

    /// Writes down a payment that is about to be sent.
    ///
    /// # Errors
    /// [`StoreError`], also if another payment to this miner is under way.
    pub async fn intend_payout(
        &self,
        of: &MinerAccount,
        due: Due,
        from_block: u64,
    ) -> Result<PayoutRow, StoreError> {
        let id = sqlx::query(
            "INSERT INTO payouts (deal_id, miner, cu, units, net, gross, from_block) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(of.deal.0.as_slice())
        .bind(of.miner.as_slice())
        .bind(signed(of.account.cu.0))
        .bind(of.units)
        .bind(signed(due.net.units()))
        .bind(signed(due.gross.units()))
        .bind(signed(from_block))
        .execute(&self.pool)
        .await?
        .last_insert_rowid();
        Ok(PayoutRow {
            id,
            deal: of.deal,
            miner: of.miner,
            cu: of.account.cu,
            units: of.units,
            net: due.net,
            gross: due.gross,
            from_block,
            tx: None,
        })
    }

    /// The payment was made.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn complete_payout(&self, id: i64, tx: B256) -> Result<(), StoreError> {
        sqlx::query("UPDATE payouts SET tx = ? WHERE id = ?")
            .bind(tx.as_slice())
            .bind(id)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The payment was certainly not made.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn drop_payout(&self, id: i64) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM payouts WHERE id = ? AND tx IS NULL")
            .bind(id)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Every miner of this deal has had everything.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_miners_paid(&self, deal: DealId) -> Result<(), StoreError> {
        let query =
            sqlx::query("UPDATE deals SET miners_paid = 1 WHERE id = ?").bind(deal.0.as_slice());
        query.execute(&self.pool).await?;
        Ok(())
    }

    /// Payments written down and not known to be made.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn payouts_under_way(&self) -> Result<Vec<PayoutRow>, StoreError> {
        let rows = sqlx::query("SELECT * FROM payouts WHERE tx IS NULL")
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(read_payout).collect()
    }

    /// Payments made for a deal.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn payouts_of(&self, deal: DealId) -> Result<Vec<PayoutRow>, StoreError> {
        let rows =
            sqlx::query("SELECT * FROM payouts WHERE deal_id = ? AND tx IS NOT NULL ORDER BY id");
        rows.bind(deal.0.as_slice())
            .fetch_all(&self.pool)
            .await?
            .iter()
            .map(read_payout)
            .collect()
    }

    /// Whether this transaction is already booked as a payment.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn is_booked(&self, tx: B256) -> Result<bool, StoreError> {
        let found = sqlx::query("SELECT 1 FROM payouts WHERE tx = ?").bind(tx.as_slice());
        Ok(found.fetch_optional(&self.pool).await?.is_some())
    }
}

fn read_account(row: &SqliteRow) -> Result<MinerAccount, StoreError> {
    let amount = |column: &'static str| unsigned(column, row.try_get(column)?).map(Gio::from_units);
    let stage = Stage::from_code(row.try_get("stage")?);
    Ok(MinerAccount {
        deal: DealId(B256::from(fixed::<32>("deal_id", row.try_get("deal_id")?)?)),
        miner: Address::from(fixed::<20>("miner", row.try_get("miner")?)?),
        units: row.try_get("units")?,
        account: Account {
            cu: Cu(unsigned("cu", row.try_get("cu")?)?),
            net_price: PricePerPu(amount("net_price")?),
            paid: amount("paid")?,
        },
        over: stage.is_some_and(Stage::is_final),
    })
}

fn read_payout(row: &SqliteRow) -> Result<PayoutRow, StoreError> {
    let amount = |column: &'static str| unsigned(column, row.try_get(column)?).map(Gio::from_units);
    let tx: Option<&[u8]> = row.try_get("tx")?;
    Ok(PayoutRow {
        id: row.try_get("id")?,
        deal: DealId(B256::from(fixed::<32>("deal_id", row.try_get("deal_id")?)?)),
        miner: Address::from(fixed::<20>("miner", row.try_get("miner")?)?),
        cu: Cu(unsigned("cu", row.try_get("cu")?)?),
        units: row.try_get("units")?,
        net: amount("net")?,
        gross: amount("gross")?,
        from_block: unsigned("from_block", row.try_get("from_block")?)?,
        tx: tx.map(|tx| fixed("tx", tx).map(B256::from)).transpose()?,
    })
}
