//! Quotes, deals and what became of them.

use gio_content::ContentRef;
use gio_protocol::{Address, B256, Cu, DealId, DealTerms, Gio, PricePerPu, Signature, UnixSeconds};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::{Store, StoreError, fixed, signed, unsigned};
use crate::domain::quote::Quote;
use crate::infra::progress::Stage;

/// A signed deal.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct DealRow {
    pub id: DealId,
    pub job_spec: Vec<u8>,
    pub terms: DealTerms,
    pub buyer_signature: Vec<u8>,
    pub hub_signature: Signature,
    pub net_price: PricePerPu,
    pub stage: Stage,
    pub posted: Option<Posted>,
    pub confirmation: Option<Vec<u8>>,
    pub settled: Option<Settled>,
}

/// A result root, computed and perhaps already on chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Posted {
    pub result_root: B256,
    pub tree_hash: B256,
    pub cu_total: Cu,
    pub claims: ContentRef,
    pub tx: Option<B256>,
    pub window_end: Option<UnixSeconds>,
}

/// How a deal was settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Settled {
    pub payment: Gio,
    pub royalty: Gio,
    pub refund: Gio,
    pub tx: B256,
}

/// Something a deal went through.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct StageEvent {
    pub id: u64,
    pub stage: Stage,
    pub message: String,
    pub at: UnixSeconds,
}

impl Store {
    /// Remembers a quote.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn add_quote(&self, quote: &Quote) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO quotes (hub_nonce, buyer, seed_commitment, price_per_pu, net_price, guarantee, window_seconds, valid_until) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(quote.hub_nonce.as_slice())
        .bind(quote.buyer.as_slice())
        .bind(quote.seed_commitment.as_slice())
        .bind(signed(quote.price.0.units()))
        .bind(signed(quote.net_price.0.units()))
        .bind(signed(quote.guarantee.units()))
        .bind(signed(quote.window_seconds))
        .bind(signed(quote.valid_until.0))
        .execute(&self.pool)
        .await?;
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
            sqlx::query("SELECT * FROM quotes WHERE hub_nonce = ?").bind(hub_nonce.as_slice());
        row.fetch_optional(&self.pool)
            .await?
            .map(|row| read_quote(&row))
            .transpose()
    }

    /// Forgets quotes that are over and became no deal.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn drop_quotes_before(&self, now: UnixSeconds) -> Result<u64, StoreError> {
        let query = sqlx::query("DELETE FROM quotes WHERE deal_id IS NULL AND valid_until < ?")
            .bind(signed(now.0));
        Ok(query.execute(&self.pool).await?.rows_affected())
    }

    /// Remembers a deal before the hub's signature leaves; uses up its quote. Returns false if the quote already
    /// became another deal.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn add_deal(&self, deal: &DealRow, at: UnixSeconds) -> Result<bool, StoreError> {
        let mut tx = self.pool.begin().await?;
        let used = sqlx::query("UPDATE quotes SET deal_id = ?1 WHERE hub_nonce = ?2 AND (deal_id IS NULL OR deal_id = ?1)")
            .bind(deal.id.0.as_slice())
            .bind(deal.terms.hub_nonce.as_slice())
            .execute(&mut *tx)
            .await?;
        if used.rows_affected() == 0 {
            return Ok(false);
        }
        let added = sqlx::query(
            "INSERT INTO deals (id, job_spec, terms, buyer_signature, hub_signature, net_price, stage, signed_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        )
        .bind(deal.id.0.as_slice())
        .bind(&deal.job_spec)
        .bind(deal.terms.to_bytes())
        .bind(&deal.buyer_signature)
        .bind(deal.hub_signature.as_bytes().as_slice())
        .bind(signed(deal.net_price.0.units()))
        .bind(deal.stage.code())
        .bind(signed(at.0))
        .execute(&mut *tx)
        .await?;
        if added.rows_affected() == 1 {
            add_event(
                &mut tx,
                deal.id,
                deal.stage,
                "both signatures are on disk",
                at,
            )
            .await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// One deal.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn deal(&self, id: DealId) -> Result<Option<DealRow>, StoreError> {
        let row = sqlx::query("SELECT * FROM deals WHERE id = ?").bind(id.0.as_slice());
        row.fetch_optional(&self.pool)
            .await?
            .map(|row| read_deal(&row))
            .transpose()
    }

    /// Deals in any of these stages, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn deals_in(&self, stages: &[Stage]) -> Result<Vec<DealRow>, StoreError> {
        let mut deals = Vec::new();
        for stage in stages {
            let rows = sqlx::query("SELECT * FROM deals WHERE stage = ? ORDER BY signed_at")
                .bind(stage.code());
            for row in rows.fetch_all(&self.pool).await? {
                deals.push(read_deal(&row)?);
            }
        }
        Ok(deals)
    }

    /// Moves a deal on, if it is not there or further already. Returns whether it moved.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_stage(
        &self,
        id: DealId,
        stage: Stage,
        message: &str,
        at: UnixSeconds,
    ) -> Result<bool, StoreError> {
        let mut tx = self.pool.begin().await?;
        let query = sqlx::query("UPDATE deals SET stage = ?1 WHERE id = ?2 AND stage < ?1");
        let moved = query
            .bind(stage.code())
            .bind(id.0.as_slice())
            .execute(&mut *tx)
            .await?
            .rows_affected()
            == 1;
        if moved {
            add_event(&mut tx, id, stage, message, at).await?;
        }
        tx.commit().await?;
        Ok(moved)
    }

    /// Remembers the result root before it is posted, and the transaction once it is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_posted(&self, id: DealId, posted: &Posted) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE deals SET result_root = ?, tree_hash = ?, cu_total = ?, claims_root = ?, claims_length = ?, \
             posted_tx = ?, window_end = ? WHERE id = ?",
        )
        .bind(posted.result_root.as_slice())
        .bind(posted.tree_hash.as_slice())
        .bind(signed(posted.cu_total.0))
        .bind(posted.claims.root.as_slice())
        .bind(signed(posted.claims.length))
        .bind(posted.tx.as_ref().map(|tx| tx.as_slice()))
        .bind(posted.window_end.map(|end| signed(end.0)))
        .bind(id.0.as_slice())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Remembers the buyer's signed confirmation.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_confirmation(&self, id: DealId, signature: &[u8]) -> Result<(), StoreError> {
        let query = sqlx::query("UPDATE deals SET confirmation = ? WHERE id = ?");
        query
            .bind(signature)
            .bind(id.0.as_slice())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Remembers how a deal was settled.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_settled(&self, id: DealId, settled: &Settled) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE deals SET payment = ?, royalty = ?, refund = ?, settled_tx = ? WHERE id = ?",
        )
        .bind(signed(settled.payment.units()))
        .bind(signed(settled.royalty.units()))
        .bind(signed(settled.refund.units()))
        .bind(settled.tx.as_slice())
        .bind(id.0.as_slice())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// What a deal went through after event `after`, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn events(&self, id: DealId, after: u64) -> Result<Vec<StageEvent>, StoreError> {
        let rows = sqlx::query("SELECT id, stage, message, at FROM deal_events WHERE deal_id = ? AND id > ? ORDER BY id")
            .bind(id.0.as_slice())
            .bind(signed(after))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(read_event).collect()
    }
}

async fn add_event(
    tx: &mut sqlx::SqliteConnection,
    id: DealId,
    stage: Stage,
    message: &str,
    at: UnixSeconds,
) -> Result<(), StoreError> {
    let query =
        sqlx::query("INSERT INTO deal_events (deal_id, stage, message, at) VALUES (?, ?, ?, ?)");
    query
        .bind(id.0.as_slice())
        .bind(stage.code())
        .bind(message)
        .bind(signed(at.0))
        .execute(tx)
        .await?;
    Ok(())
}

fn read_quote(row: &SqliteRow) -> Result<(Quote, Option<DealId>), StoreError> {
    let amount = |column: &'static str| unsigned(column, row.try_get(column)?).map(Gio::from_units);
    let deal_id: Option<Vec<u8>> = row.try_get("deal_id")?;
    let quote = Quote {
        hub_nonce: hash(row, "hub_nonce")?,
        buyer: Address::from(fixed::<20>("buyer", row.try_get("buyer")?)?),
        seed_commitment: hash(row, "seed_commitment")?,
        price: PricePerPu(amount("price_per_pu")?),
        net_price: PricePerPu(amount("net_price")?),
        guarantee: amount("guarantee")?,
        window_seconds: unsigned("window_seconds", row.try_get("window_seconds")?)?,
        valid_until: UnixSeconds(unsigned("valid_until", row.try_get("valid_until")?)?),
    };
    Ok((quote, deal_id.as_deref().map(DealId::try_from).transpose()?))
}

fn read_deal(row: &SqliteRow) -> Result<DealRow, StoreError> {
    Ok(DealRow {
        id: DealId(hash(row, "id")?),
        job_spec: row.try_get("job_spec")?,
        terms: DealTerms::from_bytes(row.try_get("terms")?)?,
        buyer_signature: row.try_get("buyer_signature")?,
        hub_signature: Signature::try_from(row.try_get::<&[u8], _>("hub_signature")?)?,
        net_price: PricePerPu(Gio::from_units(unsigned(
            "net_price",
            row.try_get("net_price")?,
        )?)),
        stage: Stage::from_code(row.try_get("stage")?)
            .ok_or(StoreError::Damaged { column: "stage" })?,
        posted: read_posted(row)?,
        confirmation: row.try_get("confirmation")?,
        settled: read_settled(row)?,
    })
}

fn read_posted(row: &SqliteRow) -> Result<Option<Posted>, StoreError> {
    if row.try_get::<Option<&[u8]>, _>("result_root")?.is_none() {
        return Ok(None);
    }
    let tx: Option<&[u8]> = row.try_get("posted_tx")?;
    let window_end: Option<i64> = row.try_get("window_end")?;
    let length = unsigned("claims_length", row.try_get("claims_length")?)?;
    Ok(Some(Posted {
        result_root: hash(row, "result_root")?,
        tree_hash: hash(row, "tree_hash")?,
        cu_total: Cu(unsigned("cu_total", row.try_get("cu_total")?)?),
        claims: ContentRef {
            root: hash(row, "claims_root")?,
            length,
        },
        tx: tx
            .map(|tx| fixed("posted_tx", tx).map(B256::from))
            .transpose()?,
        window_end: window_end
            .map(|end| unsigned("window_end", end).map(UnixSeconds))
            .transpose()?,
    }))
}

fn read_settled(row: &SqliteRow) -> Result<Option<Settled>, StoreError> {
    if row.try_get::<Option<&[u8]>, _>("settled_tx")?.is_none() {
        return Ok(None);
    }
    let amount = |column: &'static str| unsigned(column, row.try_get(column)?).map(Gio::from_units);
    Ok(Some(Settled {
        payment: amount("payment")?,
        royalty: amount("royalty")?,
        refund: amount("refund")?,
        tx: hash(row, "settled_tx")?,
    }))
}

fn read_event(row: &SqliteRow) -> Result<StageEvent, StoreError> {
    Ok(StageEvent {
        id: unsigned("id", row.try_get("id")?)?,
        stage: Stage::from_code(row.try_get("stage")?)
            .ok_or(StoreError::Damaged { column: "stage" })?,
        message: row.try_get("message")?,
        at: UnixSeconds(unsigned("at", row.try_get("at")?)?),
    })
}

fn hash(row: &SqliteRow, column: &'static str) -> Result<B256, StoreError> {
    Ok(B256::from(fixed::<32>(column, row.try_get(column)?)?))
}
