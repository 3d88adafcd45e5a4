//! Payments to miners: intended before they are sent, completed afterwards, and final once they are deep (`depth`).

use gio_protocol::{Address, B256, Cu, DealId, Gio, PricePerPu, UnixSeconds};
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::{
    Role, Store, StoreError, address, amount, deal_id, fixed, number, signed, small, unsigned,
};
use crate::domain::payout::{Account, Due};
use crate::domain::stage::Stage;

/// A miner's work in one deal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct MinerAccount {
    pub deal: DealId,
    pub miner: Address,
    pub units: u32,
    pub account: Account,
    /// When the miner was paid for this deal last.
    pub last: Option<UnixSeconds>,
    /// Whether the deal is over: accepted work is paid however it ended.
    pub over: bool,
    /// Whether a payment on it is under way, or may still be taken back by a reorganisation.
    pub is_undecided: bool,
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
    /// Of the transaction that was about to be sent last; none was sent without.
    pub nonce: Option<u64>,
    pub tx: Option<B256>,
    /// The block it was made in. Without `tx`: a reorganisation took it back.
    pub block: Option<u64>,
}

impl Store {
    /// All accounts of deals whose miners may have something to come. A payment under way counts as made: it is, or it
    /// is dropped.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn accounts(&self) -> Result<Vec<MinerAccount>, StoreError> {
        let rows = sqlx::query(
            "SELECT e.deal_id, e.miner, e.units, e.cu, d.net_price, d.stage, \
             (SELECT CAST(COALESCE(SUM(net), 0) AS BIGINT) FROM payouts p WHERE p.deal_id = e.deal_id AND p.miner = e.miner) AS paid, \
             (SELECT MAX(at) FROM payouts p WHERE p.deal_id = e.deal_id AND p.miner = e.miner) AS last, \
             (SELECT COUNT(*) FROM payouts p WHERE p.deal_id = e.deal_id AND p.miner = e.miner AND p.deep = 0) AS undecided \
             FROM deals d JOIN earnings e ON e.deal_id = d.id WHERE d.miners_paid = 0 ORDER BY d.signed_at",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(read_account).collect()
    }

    /// Writes down a payment that is about to be sent. `None` if another one to this miner is under way, or the account
    /// is not as it was read, or the payer is another process: this one may have been frozen since, while another paid.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn intend_payout(
        &self,
        of: &MinerAccount,
        due: Due,
        from_block: u64,
        at: UnixSeconds,
    ) -> Result<Option<PayoutRow>, StoreError> {
        let query = format!(
            "INSERT INTO payouts (deal_id, miner, cu, units, net, gross, from_block, at) SELECT $1, $2, $3, $4, $5, $6, $7, $8 \
             WHERE (SELECT COALESCE(SUM(net), 0) FROM payouts p WHERE p.deal_id = $1 AND p.miner = $2) = $9{} \
             ON CONFLICT DO NOTHING RETURNING *",
            self.holds_role().unwrap_or_default()
        );
        let query = sqlx::query(AssertSqlSafe(query))
            .bind(of.deal.0.as_slice())
            .bind(of.miner.as_slice())
            .bind(signed(of.account.cu.0))
            .bind(i64::from(of.units))
            .bind(signed(due.net.units()))
            .bind(signed(due.gross.units()))
            .bind(signed(from_block))
            .bind(signed(at.0))
            .bind(signed(of.account.paid.units()));
        let query = match self.holder() {
            Some(holder) => query.bind(Role::Payer.name()).bind(holder),
            None => query,
        };
        let row = query.fetch_optional(&self.pool).await?;
        gio_failpoint::fail_point!("hub.wrote.payout");
        row.map(|row| read_payout(&row)).transpose()
    }

    /// Writes down under which nonce a payment is sent next, instead of the one it had. `false` if the payment is not as
    /// it was any more, because another process has decided about it: then it must not be sent.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_nonce(
        &self,
        id: i64,
        before: Option<u64>,
        nonce: u64,
    ) -> Result<bool, StoreError> {
        let query = sqlx::query(
            "UPDATE payouts SET nonce = $1 WHERE id = $2 AND tx IS NULL AND COALESCE(nonce, -1) = $3",
        );
        let query = query.bind(signed(nonce)).bind(id).bind(or_none(before));
        let noted = query.execute(&self.pool).await?;
        gio_failpoint::fail_point!("hub.wrote.payment_nonce");
        Ok(noted.rows_affected() == 1)
    }

    /// The payment was made in this block, which is deep enough or not yet.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn complete_payout(
        &self,
        id: i64,
        tx: B256,
        block: u64,
        is_deep: bool,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE payouts SET tx = $1, block = $3, deep = $4 WHERE id = $2 AND tx IS NULL",
        )
        .bind(tx.as_slice())
        .bind(id)
        .bind(signed(block))
        .bind(i64::from(is_deep))
        .execute(&self.pool)
        .await?;
        gio_failpoint::fail_point!("hub.wrote.payout_made");
        Ok(())
    }

    /// The payment was certainly not made under this nonce, or under none. If it has got another one meanwhile, it stays.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn drop_payout(&self, id: i64, nonce: Option<u64>) -> Result<(), StoreError> {
        let query = sqlx::query(
            "DELETE FROM payouts WHERE id = $1 AND tx IS NULL AND COALESCE(nonce, -1) = $2",
        );
        let query = query.bind(id).bind(or_none(nonce));
        query.execute(&self.pool).await?;
        gio_failpoint::fail_point!("hub.wrote.payout_dropped");
        Ok(())
    }

    /// Every miner of this deal has had everything.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_miners_paid(&self, deal: DealId) -> Result<(), StoreError> {
        let query =
            sqlx::query("UPDATE deals SET miners_paid = 1 WHERE id = $1").bind(deal.0.as_slice());
        query.execute(&self.pool).await?;
        gio_failpoint::fail_point!("hub.wrote.miners_paid");
        Ok(())
    }

    /// Payments written down and not known to be made.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn payouts_under_way(&self) -> Result<Vec<PayoutRow>, StoreError> {
        let rows = sqlx::query("SELECT * FROM payouts WHERE tx IS NULL ORDER BY id");
        let rows = rows.fetch_all(&self.pool).await?;
        rows.iter().map(read_payout).collect()
    }

    /// Payments made for a deal, oldest first, each with the work it was for.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn payouts_of(&self, deal: DealId) -> Result<Vec<PayoutRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, deal_id, miner, net, gross, from_block, nonce, tx, block, cu - LAG(cu, 1, 0) OVER before AS cu, \
             units - LAG(units, 1, 0) OVER before AS units FROM payouts \
             WHERE deal_id = $1 AND tx IS NOT NULL WINDOW before AS (PARTITION BY miner ORDER BY id) ORDER BY id",
        );
        let rows = rows.bind(deal.0.as_slice()).fetch_all(&self.pool).await?;
        rows.iter().map(read_payout).collect()
    }

    /// Whether this transaction is already booked as a payment.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn is_booked(&self, tx: B256) -> Result<bool, StoreError> {
        let found = sqlx::query("SELECT 1 FROM payouts WHERE tx = $1").bind(tx.as_slice());
        Ok(found.fetch_optional(&self.pool).await?.is_some())
    }

    /// Miners paid lately, the latest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn paid_lately(&self, count: u32) -> Result<Vec<Address>, StoreError> {
        let rows = sqlx::query(
            "SELECT miner FROM payouts WHERE tx IS NOT NULL GROUP BY miner ORDER BY MAX(id) DESC LIMIT $1",
        );
        let rows = rows.bind(i64::from(count)).fetch_all(&self.pool).await?;
        rows.iter().map(|row| address(row, "miner")).collect()
    }
}

fn read_account(row: &AnyRow) -> Result<MinerAccount, StoreError> {
    let stage = Stage::from_code(row.try_get("stage")?);
    let last: Option<i64> = row.try_get("last")?;
    Ok(MinerAccount {
        deal: deal_id(row)?,
        miner: address(row, "miner")?,
        units: small(row, "units")?,
        account: Account {
            cu: Cu(number(row, "cu")?),
            net_price: PricePerPu(amount(row, "net_price")?),
            paid: amount(row, "paid")?,
        },
        last: last
            .map(|at| unsigned("last", at).map(UnixSeconds))
            .transpose()?,
        over: stage.is_some_and(Stage::is_final),
        is_undecided: number(row, "undecided")? > 0,
    })
}

/// A nonce as a statement compares it: no nonce is below all of them.
fn or_none(nonce: Option<u64>) -> i64 {
    nonce.map_or(-1, signed)
}

pub(super) fn read_payout(row: &AnyRow) -> Result<PayoutRow, StoreError> {
    let nonce: Option<i64> = row.try_get("nonce")?;
    let tx: Option<&[u8]> = row.try_get("tx")?;
    let block: Option<i64> = row.try_get("block")?;
    Ok(PayoutRow {
        id: row.try_get("id")?,
        deal: deal_id(row)?,
        miner: address(row, "miner")?,
        cu: Cu(number(row, "cu")?),
        units: small(row, "units")?,
        net: amount(row, "net")?,
        gross: amount(row, "gross")?,
        from_block: number(row, "from_block")?,
        nonce: nonce.map(|nonce| unsigned("nonce", nonce)).transpose()?,
        tx: tx.map(|tx| fixed("tx", tx).map(B256::from)).transpose()?,
        block: block.map(|block| unsigned("block", block)).transpose()?,
    })
}
