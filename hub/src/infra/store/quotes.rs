//! Quotes given, until they end or become a deal.

use gio_protocol::{Address, B256, DealId, PricePerPu, UnixSeconds};
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{Store, StoreError, address, amount, hash, number, signed, unsigned};
use crate::domain::quote::Quote;

impl Store {
    /// Remembers a quote, and which peer asked for it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn add_quote(&self, quote: &Quote, caller: Address) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO quotes (hub_nonce, caller, buyer, seed_commitment, price_per_pu, net_price, guarantee, \
             window_seconds, valid_until) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(quote.hub_nonce.as_slice())
        .bind(caller.as_slice())
        .bind(quote.buyer.as_slice())
        .bind(quote.seed_commitment.as_slice())
        .bind(signed(quote.price.0.units()))
        .bind(signed(quote.net_price.0.units()))
        .bind(signed(quote.guarantee.units()))
        .bind(signed(quote.window_seconds))
        .bind(signed(quote.valid_until.0))
        .execute(&self.pool)
        .await?;
        gio_failpoint::fail_point!("hub.wrote.quote");
        Ok(())
    }

    /// The quote with this nonce and the deal it became, if any.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn quote(
        &self,
        hub_nonce: B256,
    ) -> Result<Option<(Quote, Option<DealId>)>, StoreError> {
        let row =
            sqlx::query("SELECT * FROM quotes WHERE hub_nonce = $1").bind(hub_nonce.as_slice());
        row.fetch_optional(&self.pool)
            .await?
            .map(|row| read_quote(&row))
            .transpose()
    }

    /// How many quotes of a peer became no deal yet and are not over.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open_quotes(&self, caller: Address, now: UnixSeconds) -> Result<u64, StoreError> {
        let count = sqlx::query_scalar(
            "SELECT COUNT(*) FROM quotes WHERE caller = $1 AND deal_id IS NULL AND valid_until >= $2",
        );
        let count = count.bind(caller.as_slice()).bind(signed(now.0));
        unsigned("COUNT(*)", count.fetch_one(&self.pool).await?)
    }

    /// Forgets quotes that are over and became no deal.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn drop_quotes_before(&self, now: UnixSeconds) -> Result<u64, StoreError> {
        let query = sqlx::query("DELETE FROM quotes WHERE deal_id IS NULL AND valid_until < $1")
            .bind(signed(now.0));
        let done = query.execute(&self.pool).await?;
        gio_failpoint::fail_point!("hub.wrote.quotes_dropped");
        Ok(done.rows_affected())
    }
}

fn read_quote(row: &AnyRow) -> Result<(Quote, Option<DealId>), StoreError> {
    let deal_id: Option<Vec<u8>> = row.try_get("deal_id")?;
    let quote = Quote {
        hub_nonce: hash(row, "hub_nonce")?,
        buyer: address(row, "buyer")?,
        seed_commitment: hash(row, "seed_commitment")?,
        price: PricePerPu(amount(row, "price_per_pu")?),
        net_price: PricePerPu(amount(row, "net_price")?),
        guarantee: amount(row, "guarantee")?,
        window_seconds: number(row, "window_seconds")?,
        valid_until: UnixSeconds(number(row, "valid_until")?),
    };
    Ok((quote, deal_id.as_deref().map(DealId::try_from).transpose()?))
}
