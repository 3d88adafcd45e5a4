//! Deals and what became of them.

use gio_content::ContentRef;
use gio_protocol::{Address, B256, Cu, DealId, DealTerms, Gio, PricePerPu, Signature, UnixSeconds};
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::{Store, StoreError, amount, fixed, hash, number, signed, unsigned};
use crate::domain::stage::Stage;

/// A signed deal.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct DealRow {
    pub id: DealId,
    pub terms: DealTerms,
    pub buyer_signature: Vec<u8>,
    pub hub_signature: Signature,
    pub net_price: PricePerPu,
    pub stage: Stage,
    pub posted: Option<Posted>,
    pub confirmation: Option<Vec<u8>>,
    pub settled: Option<Settled>,
}

/// A deal about to be signed.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct NewDeal<'a> {
    pub row: &'a DealRow,
    pub job_spec: &'a [u8],
    /// Module and inputs; they stay as long as the deal needs them.
    pub contents: &'a [B256],
    /// Bytes it takes while it is worked on.
    pub memory: u64,
}

/// What became of a new deal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is on disk.
    Yes,
    /// Its quote became another deal.
    QuoteUsed,
    /// A content it needs is gone.
    ContentMissing(B256),
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

/// What is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Deals that may come to the board or are on it.
    pub deals: u64,
    /// Bytes they take there.
    pub memory: u64,
    /// Guarantees of deals that are signed and may still be opened.
    pub guarantees: Gio,
}

/// A deal without its job, which may have megabytes.
pub(super) const COLUMNS: &str = "id, terms, buyer_signature, hub_signature, net_price, stage, result_root, tree_hash, cu_total, \
     claims_root, claims_length, posted_tx, window_end, confirmation, payment, royalty, refund, settled_tx";

impl Store {
    /// Remembers a deal before the hub's signature leaves; uses up its quote and keeps its contents.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn add_deal(&self, new: &NewDeal<'_>, at: UnixSeconds) -> Result<Added, StoreError> {
        let deal = new.row;
        let mut tx = self.pool.begin().await?;
        let used = sqlx::query("UPDATE quotes SET deal_id = $1 WHERE hub_nonce = $2 AND (deal_id IS NULL OR deal_id = $1)")
            .bind(deal.id.0.as_slice())
            .bind(deal.terms.hub_nonce.as_slice())
            .execute(&mut *tx)
            .await?;
        if used.rows_affected() == 0 {
            return Ok(Added::QuoteUsed);
        }
        if insert_deal(&mut tx, new, at).await? {
            add_event(
                &mut tx,
                deal.id,
                deal.stage,
                "both signatures are on disk",
                at,
            )
            .await?;
        }
        for root in new.contents {
            if !super::contents::add_use(&mut tx, *root, deal.id).await? {
                return Ok(Added::ContentMissing(*root));
            }
        }
        tx.commit().await?;
        gio_failpoint::fail_point!("hub.wrote.deal");
        Ok(Added::Yes)
    }

    /// One deal.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn deal(&self, id: DealId) -> Result<Option<DealRow>, StoreError> {
        let row = sqlx::query("SELECT * FROM deals WHERE id = $1").bind(id.0.as_slice());
        row.fetch_optional(&self.pool)
            .await?
            .map(|row| read_deal(&row))
            .transpose()
    }

    /// The job a deal is about, until it is dropped some time after the deal's end.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn job_spec(&self, id: DealId) -> Result<Option<Vec<u8>>, StoreError> {
        let query = sqlx::query_scalar("SELECT job_spec FROM deals WHERE id = $1");
        let spec = query.bind(id.0.as_slice()).fetch_optional(&self.pool);
        Ok(spec.await?.flatten())
    }

    /// Deals in any of these stages, oldest first in each.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn deals_in(&self, stages: &[Stage]) -> Result<Vec<DealRow>, StoreError> {
        let mut deals = Vec::new();
        for stage in stages {
            let query = format!("SELECT {COLUMNS} FROM deals WHERE stage = $1 ORDER BY signed_at");
            let rows = sqlx::query(AssertSqlSafe(query)).bind(stage.code());
            for row in rows.fetch_all(&self.pool).await? {
                deals.push(read_deal(&row)?);
            }
        }
        Ok(deals)
    }

    /// Deals of this process that are worked on, and posted ones that may be settled or must be posted again, the most
    /// urgent first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn deals_to_carry(&self, now: UnixSeconds) -> Result<Vec<DealRow>, StoreError> {
        let query = format!(
            "SELECT {COLUMNS} FROM deals WHERE ($6 IS NULL OR held_by = $6) AND (stage IN ($1, $2, $3) \
             OR (stage = $4 AND (confirmation IS NOT NULL OR window_end IS NULL OR window_end <= $5))) ORDER BY deliver_by"
        );
        let rows = sqlx::query(AssertSqlSafe(query))
            .bind(Stage::Open.code())
            .bind(Stage::Running.code())
            .bind(Stage::Assembling.code())
            .bind(Stage::Posted.code())
            .bind(signed(now.0))
            .bind(self.holder())
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(read_deal).collect()
    }

    /// What is signed, open or running.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn load(&self) -> Result<Load, StoreError> {
        let row = sqlx::query(
            "SELECT COUNT(*) AS deals, CAST(COALESCE(SUM(memory), 0) AS BIGINT) AS memory, \
             CAST(COALESCE(SUM(CASE WHEN stage = $1 THEN guarantee ELSE 0 END), 0) AS BIGINT) AS guarantees \
             FROM deals WHERE stage IN ($1, $2, $3)",
        )
        .bind(Stage::Signed.code())
        .bind(Stage::Open.code())
        .bind(Stage::Running.code())
        .fetch_one(&self.pool)
        .await?;
        Ok(Load {
            deals: number(&row, "deals")?,
            memory: number(&row, "memory")?,
            guarantees: amount(&row, "guarantees")?,
        })
    }

    /// Caps of a buyer's deals that are signed and may still be opened.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn unopened_caps(&self, buyer: Address) -> Result<Gio, StoreError> {
        let sum = sqlx::query_scalar(
            "SELECT CAST(COALESCE(SUM(cap), 0) AS BIGINT) FROM deals WHERE stage = $1 AND buyer = $2",
        );
        let sum = sum.bind(Stage::Signed.code()).bind(buyer.as_slice());
        unsigned("cap", sum.fetch_one(&self.pool).await?).map(Gio::from_units)
    }

    /// Moves a deal on, if it is not there or further already; to its end only if no other process works on it. Returns
    /// whether it moved.
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
        self.move_to(id, stage, None, message, at).await
    }

    /// [`Self::set_stage`] for an end that an event in this block tells of.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_end(
        &self,
        id: DealId,
        (stage, block): (Stage, u64),
        message: &str,
        at: UnixSeconds,
    ) -> Result<bool, StoreError> {
        self.move_to(id, stage, Some(block), message, at).await
    }

    async fn move_to(
        &self,
        id: DealId,
        stage: Stage,
        block: Option<u64>,
        message: &str,
        at: UnixSeconds,
    ) -> Result<bool, StoreError> {
        let mut tx = self.pool.begin().await?;
        let free = self.free_of_others().filter(|_| stage.is_final());
        let query = format!(
            "UPDATE deals SET stage = $1, over_at = $3, over_block = $5 WHERE id = $2 AND stage < $1 AND stage < $4{}",
            free.as_deref().unwrap_or_default()
        );
        let mut query = sqlx::query(AssertSqlSafe(query))
            .bind(stage.code())
            .bind(id.0.as_slice())
            .bind(stage.is_final().then_some(signed(at.0)))
            .bind(Stage::Settled.code())
            .bind(block.map(signed));
        if free.is_some() {
            query = query.bind(self.holder());
        }
        let moved = query.execute(&mut *tx).await?.rows_affected() == 1;
        if moved {
            add_event(&mut tx, id, stage, message, at).await?;
        }
        tx.commit().await?;
        gio_failpoint::fail_point!("hub.wrote.stage");
        Ok(moved)
    }

    /// Has the payer look no further at deals that ended before `before` without any work. Returns how many.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn close_accounts_without_work(
        &self,
        before: UnixSeconds,
    ) -> Result<u64, StoreError> {
        let query = sqlx::query(
            "UPDATE deals SET miners_paid = 1 WHERE miners_paid = 0 AND over_at < $1 \
             AND NOT EXISTS (SELECT 1 FROM earnings WHERE deal_id = deals.id)",
        );
        let done = query.bind(signed(before.0)).execute(&self.pool).await?;
        gio_failpoint::fail_point!("hub.wrote.accounts_closed");
        Ok(done.rows_affected())
    }

    /// Remembers the result root before it is posted. The first one stays.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_result(&self, id: DealId, posted: &Posted) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE deals SET result_root = $1, tree_hash = $2, cu_total = $3, claims_root = $4, claims_length = $5 \
             WHERE id = $6 AND result_root IS NULL",
        )
        .bind(posted.result_root.as_slice())
        .bind(posted.tree_hash.as_slice())
        .bind(signed(posted.cu_total.0))
        .bind(posted.claims.root.as_slice())
        .bind(signed(posted.claims.length))
        .bind(id.0.as_slice())
        .execute(&self.pool)
        .await?;
        gio_failpoint::fail_point!("hub.wrote.result");
        Ok(())
    }

    /// Remembers where the result was posted, if that is known, and when its window ends, as the chain says; no end if
    /// a reorganisation took the posting back.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_posted(
        &self,
        id: DealId,
        tx: Option<B256>,
        window_end: Option<UnixSeconds>,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE deals SET posted_tx = COALESCE($1, posted_tx), window_end = $2 WHERE id = $3",
        )
        .bind(tx.as_ref().map(|tx| tx.as_slice()))
        .bind(window_end.map(|end| signed(end.0)))
        .bind(id.0.as_slice())
        .execute(&self.pool)
        .await?;
        gio_failpoint::fail_point!("hub.wrote.posted");
        Ok(())
    }

    /// Remembers the buyer's signed confirmation.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_confirmation(&self, id: DealId, signature: &[u8]) -> Result<(), StoreError> {
        let query = sqlx::query("UPDATE deals SET confirmation = $1 WHERE id = $2");
        query
            .bind(signature)
            .bind(id.0.as_slice())
            .execute(&self.pool)
            .await?;
        gio_failpoint::fail_point!("hub.wrote.confirmation");
        Ok(())
    }

    /// Remembers how a deal was settled.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_settled(&self, id: DealId, settled: &Settled) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE deals SET payment = $1, royalty = $2, refund = $3, settled_tx = $4 WHERE id = $5",
        )
        .bind(signed(settled.payment.units()))
        .bind(signed(settled.royalty.units()))
        .bind(signed(settled.refund.units()))
        .bind(settled.tx.as_slice())
        .bind(id.0.as_slice())
        .execute(&self.pool)
        .await?;
        gio_failpoint::fail_point!("hub.wrote.settlement");
        Ok(())
    }

    /// What a deal went through after event `after`, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn events(&self, id: DealId, after: u64) -> Result<Vec<StageEvent>, StoreError> {
        let rows = sqlx::query("SELECT id, stage, message, at FROM deal_events WHERE deal_id = $1 AND id > $2 ORDER BY id")
            .bind(id.0.as_slice())
            .bind(signed(after))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(read_event).collect()
    }
}

/// Returns false if the deal is there already.
async fn insert_deal(
    tx: &mut sqlx::AnyConnection,
    new: &NewDeal<'_>,
    at: UnixSeconds,
) -> Result<bool, StoreError> {
    let deal = new.row;
    let added = sqlx::query(
        "INSERT INTO deals (id, job_spec, terms, buyer, cap, guarantee, memory, buyer_signature, hub_signature, \
         net_price, stage, deliver_by, signed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT (id) DO NOTHING",
    )
    .bind(deal.id.0.as_slice())
    .bind(new.job_spec)
    .bind(deal.terms.to_bytes())
    .bind(deal.terms.buyer.as_slice())
    .bind(signed(deal.terms.cap.units()))
    .bind(signed(deal.terms.guarantee.units()))
    .bind(signed(new.memory))
    .bind(&deal.buyer_signature)
    .bind(deal.hub_signature.as_bytes().as_slice())
    .bind(signed(deal.net_price.0.units()))
    .bind(deal.stage.code())
    .bind(signed(deal.terms.deliver_by.0))
    .bind(signed(at.0))
    .execute(&mut *tx)
    .await?;
    Ok(added.rows_affected() == 1)
}

pub(super) async fn add_event(
    tx: &mut sqlx::AnyConnection,
    id: DealId,
    stage: Stage,
    message: &str,
    at: UnixSeconds,
) -> Result<(), StoreError> {
    let query = sqlx::query(
        "INSERT INTO deal_events (deal_id, stage, message, at) VALUES ($1, $2, $3, $4)",
    );
    query
        .bind(id.0.as_slice())
        .bind(stage.code())
        .bind(message)
        .bind(signed(at.0))
        .execute(tx)
        .await?;
    Ok(())
}

pub(super) fn read_deal(row: &AnyRow) -> Result<DealRow, StoreError> {
    Ok(DealRow {
        id: DealId(hash(row, "id")?),
        terms: DealTerms::from_bytes(row.try_get("terms")?)?,
        buyer_signature: row.try_get("buyer_signature")?,
        hub_signature: Signature::try_from(row.try_get::<&[u8], _>("hub_signature")?)?,
        net_price: PricePerPu(amount(row, "net_price")?),
        stage: read_stage(row)?,
        posted: read_posted(row)?,
        confirmation: row.try_get("confirmation")?,
        settled: read_settled(row)?,
    })
}

fn read_stage(row: &AnyRow) -> Result<Stage, StoreError> {
    let damaged = StoreError::Damaged { column: "stage" };
    Stage::from_code(row.try_get("stage")?).ok_or(damaged)
}

fn read_posted(row: &AnyRow) -> Result<Option<Posted>, StoreError> {
    if row.try_get::<Option<&[u8]>, _>("result_root")?.is_none() {
        return Ok(None);
    }
    let tx: Option<&[u8]> = row.try_get("posted_tx")?;
    let window_end: Option<i64> = row.try_get("window_end")?;
    Ok(Some(Posted {
        result_root: hash(row, "result_root")?,
        tree_hash: hash(row, "tree_hash")?,
        cu_total: Cu(number(row, "cu_total")?),
        claims: ContentRef {
            root: hash(row, "claims_root")?,
            length: number(row, "claims_length")?,
        },
        tx: tx
            .map(|tx| fixed("posted_tx", tx).map(B256::from))
            .transpose()?,
        window_end: window_end
            .map(|end| unsigned("window_end", end).map(UnixSeconds))
            .transpose()?,
    }))
}

fn read_settled(row: &AnyRow) -> Result<Option<Settled>, StoreError> {
    if row.try_get::<Option<&[u8]>, _>("settled_tx")?.is_none() {
        return Ok(None);
    }
    Ok(Some(Settled {
        payment: amount(row, "payment")?,
        royalty: amount(row, "royalty")?,
        refund: amount(row, "refund")?,
        tx: hash(row, "settled_tx")?,
    }))
}

fn read_event(row: &AnyRow) -> Result<StageEvent, StoreError> {
    Ok(StageEvent {
        id: number(row, "id")?,
        stage: read_stage(row)?,
        message: row.try_get("message")?,
        at: UnixSeconds(number(row, "at")?),
    })
}
