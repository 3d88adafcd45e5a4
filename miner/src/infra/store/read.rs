//! What the store is asked.

use gio_protocol::{Address, Cu, DealId, Gio, PricePerPu, UnixSeconds, Work};
use sqlx::sqlite::SqliteRow;

use super::rows::{
    ClaimRow, Columns, DealRow, HubRow, HubTotals, NotARow, PullRow, Totals, Unanswered,
};
use super::{Store, StoreError};
use crate::domain::order::UnitKey;
use crate::domain::trust::HubStatus;

/// Claims in one page: with outputs of at most 64 KiB each, 16 MiB.
pub(super) const PAGE: u32 = 256;

/// What a deal's accepted claims add up to.
struct AcceptedSum {
    price: PricePerPu,
    units: u64,
    cu: Cu,
}

impl Store {
    /// A deal this miner has worked on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn deal(&self, id: DealId) -> Result<Option<DealRow>, StoreError> {
        let query = sqlx::query("SELECT * FROM deals WHERE id = ?").bind(id.0.to_vec());
        let row = query.fetch_optional(&self.readers).await?;
        Ok(row.as_ref().map(DealRow::try_from).transpose()?)
    }

    /// The units of a deal whose claims are accepted.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn accepted_units(&self, deal: DealId) -> Result<Vec<u32>, StoreError> {
        let sql = "SELECT unit FROM claims WHERE deal = ? AND state = 1";
        let query = sqlx::query_scalar(sql).bind(deal.0.to_vec());
        Ok(query.fetch_all(&self.readers).await?)
    }

    /// Exact net work of all answered claims for a wallet: a hub that rejects a result has had it (R25).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn work_done(&self, wallet: Address) -> Result<Work, StoreError> {
        let deals = self.accepted_by_deal(wallet).await?;
        let accepted = deals.iter().map(|deal| Work::of(deal.cu, deal.price));
        let sql = "SELECT net_price, cu FROM claims JOIN deals ON deals.id = claims.deal
            WHERE deals.wallet = ? AND claims.state = 2";
        let query = sqlx::query(sql).bind(wallet.to_vec());
        let rows = query.fetch_all(&self.readers).await?;
        let parse = |row: &SqliteRow| {
            let columns = Columns(row);
            let price = PricePerPu(columns.gio("net_price")?);
            Ok(Work::of(Cu(columns.u64("cu")?), price))
        };
        let rejected: Result<Vec<Work>, NotARow> = rows.iter().map(parse).collect();
        Ok(accepted.chain(rejected?).fold(Work::NONE, Work::plus))
    }

    async fn accepted_by_deal(&self, wallet: Address) -> Result<Vec<AcceptedSum>, StoreError> {
        let sql = "SELECT net_price, accepted_units, accepted_cu FROM deals WHERE wallet = ?";
        let query = sqlx::query(sql).bind(wallet.to_vec());
        let rows = query.fetch_all(&self.readers).await?;
        let parse = |row: &SqliteRow| {
            let columns = Columns(row);
            Ok(AcceptedSum {
                price: PricePerPu(columns.gio("net_price")?),
                units: columns.u64("accepted_units")?,
                cu: Cu(columns.u64("accepted_cu")?),
            })
        };
        let parsed: Result<_, NotARow> = rows.iter().map(parse).collect();
        Ok(parsed?)
    }

    /// The claims for a wallet that its hub has not answered, without outputs.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn unanswered(&self, wallet: Address) -> Result<Vec<Unanswered>, StoreError> {
        let sql = "SELECT claim, net_price, output IS NULL AS in_file FROM claims JOIN deals ON deals.id = claims.deal
            WHERE deals.wallet = ? AND claims.state = 0";
        let query = sqlx::query(sql).bind(wallet.to_vec());
        let rows = query.fetch_all(&self.readers).await?;
        let parse = |row: &SqliteRow| {
            let columns = Columns(row);
            Ok(Unanswered {
                claim: columns.claim()?,
                net_price: PricePerPu(columns.gio("net_price")?),
                in_file: columns.u64("in_file")? != 0,
            })
        };
        let parsed: Result<_, NotARow> = rows.iter().map(parse).collect();
        Ok(parsed?)
    }

    /// The next page of unanswered claims for a wallet, in order, after `after`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn unanswered_page(
        &self,
        wallet: Address,
        after: Option<UnitKey>,
    ) -> Result<Vec<ClaimRow>, StoreError> {
        let sql = "SELECT claims.* FROM claims JOIN deals ON deals.id = claims.deal
            WHERE deals.wallet = ? AND claims.state = 0 AND (claims.deal, claims.unit) > (?, ?)
            ORDER BY claims.deal, claims.unit LIMIT ?";
        let (deal, unit) = match after {
            Some(key) => (key.deal.0.to_vec(), i64::from(key.unit)),
            None => (Vec::new(), -1),
        };
        let query = sqlx::query(sql).bind(wallet.to_vec()).bind(deal).bind(unit);
        let rows = query.bind(PAGE).fetch_all(&self.readers).await?;
        let parsed: Result<_, NotARow> = rows.iter().map(ClaimRow::try_from).collect();
        Ok(parsed?)
    }

    /// One unanswered claim.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn unanswered_claim(&self, key: UnitKey) -> Result<Option<ClaimRow>, StoreError> {
        let sql = "SELECT * FROM claims WHERE deal = ? AND unit = ? AND state = 0";
        let query = sqlx::query(sql).bind(key.deal.0.to_vec()).bind(key.unit);
        let row = query.fetch_optional(&self.readers).await?;
        Ok(row.as_ref().map(ClaimRow::try_from).transpose()?)
    }

    /// Every wallet this miner has worked for: where pay may come from (HW-13).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn wallets(&self) -> Result<Vec<Address>, StoreError> {
        let query = sqlx::query("SELECT DISTINCT wallet FROM deals ORDER BY wallet");
        let rows = query.fetch_all(&self.readers).await?;
        let parse = |row: &SqliteRow| Columns(row).address("wallet");
        let parsed: Result<_, NotARow> = rows.iter().map(parse).collect();
        Ok(parsed?)
    }

    /// The pull of a wallet whose fate is open.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn pull_under_way(&self, wallet: Address) -> Result<Option<PullRow>, StoreError> {
        let sql = "SELECT * FROM pulls WHERE wallet = ? AND state = 0";
        let query = sqlx::query(sql).bind(wallet.to_vec());
        let row = query.fetch_optional(&self.readers).await?;
        Ok(row.as_ref().map(PullRow::try_from).transpose()?)
    }

    /// What was last thought of whoever announces a wallet.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn hub(&self, wallet: Address, owner: Address) -> Result<Option<HubRow>, StoreError> {
        let query = sqlx::query("SELECT * FROM hubs WHERE wallet = ? AND owner = ?");
        let query = query.bind(wallet.to_vec()).bind(owner.to_vec());
        let row = query.fetch_optional(&self.readers).await?;
        Ok(row.as_ref().map(HubRow::try_from).transpose()?)
    }

    /// All hubs ever judged, in the order of their wallets.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn hubs(&self) -> Result<Vec<HubRow>, StoreError> {
        let query = sqlx::query("SELECT * FROM hubs ORDER BY wallet, owner");
        let rows = query.fetch_all(&self.readers).await?;
        let parsed: Result<_, NotARow> = rows.iter().map(HubRow::try_from).collect();
        Ok(parsed?)
    }

    /// Everything between this miner and one hub.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn totals(&self, wallet: Address) -> Result<Totals, StoreError> {
        let mut totals = Totals::default();
        for deal in self.accepted_by_deal(wallet).await? {
            let earned = deal.price.cost(deal.cu);
            let earned = earned.unwrap_or(Gio::from_units(u64::MAX));
            totals.earned = sum(totals.earned, earned);
            totals.units_accepted += deal.units;
            totals.cu_accepted = totals.cu_accepted.saturating_add(u128::from(deal.cu.0));
            totals.deals += 1;
        }
        self.add_units(wallet, &mut totals).await?;
        self.add_pay(wallet, &mut totals).await?;
        totals.payouts = self.payout_totals(Some(wallet)).await?;
        Ok(totals)
    }

    async fn add_units(&self, wallet: Address, totals: &mut Totals) -> Result<(), StoreError> {
        let sql = "SELECT
            (SELECT count(*) FROM claims JOIN deals ON deals.id = claims.deal
             WHERE deals.wallet = ?1 AND claims.state = 0) AS unanswered,
            (SELECT count(*) FROM claims JOIN deals ON deals.id = claims.deal
             WHERE deals.wallet = ?1 AND claims.state = 2) AS rejected";
        let query = sqlx::query(sql).bind(wallet.to_vec());
        let row = query.fetch_one(&self.readers).await?;
        let columns = Columns(&row);
        totals.units_unanswered = columns.u64("unanswered")?;
        totals.units_rejected = columns.u64("rejected")?;
        Ok(())
    }

    async fn add_pay(&self, wallet: Address, totals: &mut Totals) -> Result<(), StoreError> {
        let sql = "SELECT
            (SELECT coalesce(sum(net >> 32), 0) FROM promises WHERE wallet = ?1) AS promised_high,
            (SELECT coalesce(sum(net & 4294967295), 0) FROM promises WHERE wallet = ?1) AS promised_low,
            (SELECT coalesce(max(net), 0) FROM promises_before WHERE wallet = ?1) AS promised_before,
            (SELECT coalesce(sum(amount >> 32), 0) FROM pulls WHERE wallet = ?1 AND state = 1) AS pulled_high,
            (SELECT coalesce(sum(amount & 4294967295), 0) FROM pulls WHERE wallet = ?1 AND state = 1) AS pulled_low,
            (SELECT max(ended_at) FROM pulls WHERE wallet = ?1 AND state = 1) AS last_at,
            (SELECT tx FROM pulls WHERE wallet = ?1 AND state = 1 ORDER BY ended_at DESC LIMIT 1) AS last_tx,
            (SELECT coalesce(max(was_even), 0) FROM hubs WHERE wallet = ?1) AS was_even";
        let query = sqlx::query(sql).bind(wallet.to_vec());
        let row = query.fetch_one(&self.readers).await?;
        let columns = Columns(&row);
        let promised = columns.halves("promised_high", "promised_low")?;
        totals.promised = sum(promised, columns.gio("promised_before")?);
        totals.pulled = columns.halves("pulled_high", "pulled_low")?;
        totals.last_pull_at = columns.optional_u64("last_at")?.map(UnixSeconds);
        totals.last_pull_tx = columns.optional_word("last_tx")?;
        totals.was_even = columns.u64("was_even")? != 0;
        Ok(())
    }

    /// Every hub with its totals, for people. A fake has none: what its wallet paid, the true owner paid.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn all_totals(&self) -> Result<Vec<HubTotals>, StoreError> {
        let mut all = Vec::new();
        for hub in self.hubs().await? {
            let totals = match hub.status {
                HubStatus::Fake => Totals::default(),
                _ => self.totals(hub.wallet).await?,
            };
            all.push(HubTotals { hub, totals });
        }
        Ok(all)
    }
}

fn sum(a: Gio, b: Gio) -> Gio {
    a.plus(b).unwrap_or(Gio::from_units(u64::MAX))
}
