//! What buyers cancelled (R10).

use std::collections::BTreeMap;

use gio_protocol::{DealId, UnixSeconds};
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{Store, StoreError, deal_id, number, signed};
use crate::domain::stage::Stage;

/// A buyer's word that no more units are to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancellation {
    /// The buyer's signature of a cancellation that pays nothing.
    pub signature: Vec<u8>,
    /// When it came.
    pub at: UnixSeconds,
    /// Claims of units given out before are taken until then.
    pub until: UnixSeconds,
}

impl Store {
    /// Writes a cancellation down; the first one stands. Returns the one that stands.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn cancel(
        &self,
        deal: DealId,
        new: &Cancellation,
    ) -> Result<Cancellation, StoreError> {
        let query = sqlx::query(
            "INSERT INTO cancellations (deal_id, signature, at, until) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (deal_id) DO NOTHING",
        );
        query
            .bind(deal.0.as_slice())
            .bind(new.signature.as_slice())
            .bind(signed(new.at.0))
            .bind(signed(new.until.0))
            .execute(&self.pool)
            .await?;
        gio_failpoint::fail_point!("hub.wrote.cancellation");
        let stands = self.cancellation(deal).await?;
        stands.ok_or(StoreError::Damaged { column: "deal_id" })
    }

    /// The cancellation of a deal.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn cancellation(&self, deal: DealId) -> Result<Option<Cancellation>, StoreError> {
        let row = sqlx::query("SELECT * FROM cancellations WHERE deal_id = $1");
        let row = row.bind(deal.0.as_slice()).fetch_optional(&self.pool);
        row.await?.map(|row| read(&row)).transpose()
    }

    /// Until when claims of cancelled deals that are being worked on are taken.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn cancelled_until(&self) -> Result<BTreeMap<DealId, UnixSeconds>, StoreError> {
        let query = sqlx::query(
            "SELECT c.deal_id, c.until FROM cancellations c JOIN deals d ON d.id = c.deal_id WHERE d.stage < $1",
        );
        let rows = query
            .bind(Stage::Posted.code())
            .fetch_all(&self.pool)
            .await?;
        let read = |row: &AnyRow| Ok((deal_id(row)?, UnixSeconds(number(row, "until")?)));
        rows.iter().map(read).collect()
    }
}

fn read(row: &AnyRow) -> Result<Cancellation, StoreError> {
    Ok(Cancellation {
        signature: row.try_get("signature")?,
        at: UnixSeconds(number(row, "at")?),
        until: UnixSeconds(number(row, "until")?),
    })
}
