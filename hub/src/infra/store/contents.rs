//! Contents as the database knows them: what is kept, for whom, until when.

use std::collections::BTreeMap;

use gio_protocol::{Address, B256, DealId, UnixSeconds};
use sqlx::{AnyConnection, AssertSqlSafe};

use super::{Store, StoreError, hash, number, signed, unsigned, values};
use crate::domain::stage::Stage;

/// Roots asked for in one statement; SQLite takes 32,766 parameters.
const ROOTS_PER_QUERY: usize = 1000;

/// Rows removed in one transaction, so that nobody waits long for the database.
const ROWS_AT_ONCE: i64 = 500;

/// A content to keep.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct ContentRow<'a> {
    pub root: B256,
    pub length: u64,
    /// Whose allowance it takes until a deal uses it; `None` for the hub's own.
    pub peer: Option<Address>,
    pub keep_until: UnixSeconds,
    /// `None` if they are in a file.
    pub bytes: Option<&'a [u8]>,
}

/// A content that is not kept any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Dropped {
    pub root: B256,
    pub is_file: bool,
}

impl Store {
    /// Keeps a content. One that is here already is kept at least as long.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_content(&self, content: &ContentRow<'_>) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO contents (root, length, peer, keep_until, bytes) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (root) \
             DO UPDATE SET keep_until = excluded.keep_until WHERE contents.keep_until < excluded.keep_until",
        )
        .bind(content.root.as_slice())
        .bind(signed(content.length))
        .bind(content.peer.as_ref().map(|peer| peer.as_slice()))
        .bind(signed(content.keep_until.0))
        .bind(content.bytes)
        .execute(&self.pool)
        .await?;
        gio_failpoint::fail_point!("hub.wrote.content");
        Ok(())
    }

    /// Keeps a content that is here at least until then.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn extend_content(&self, root: B256, until: UnixSeconds) -> Result<(), StoreError> {
        let query =
            sqlx::query("UPDATE contents SET keep_until = $1 WHERE root = $2 AND keep_until < $1");
        query
            .bind(signed(until.0))
            .bind(root.as_slice())
            .execute(&self.pool)
            .await?;
        gio_failpoint::fail_point!("hub.wrote.content_kept_longer");
        Ok(())
    }

    /// A deal needs this content. Returns false if it is not here.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn use_content(&self, root: B256, deal: DealId) -> Result<bool, StoreError> {
        let mut tx = self.pool.begin().await?;
        let is_here = add_use(&mut tx, root, deal).await?;
        tx.commit().await?;
        gio_failpoint::fail_point!("hub.wrote.content_use");
        Ok(is_here)
    }

    /// The lengths of those of these contents that are here.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn content_lengths(&self, roots: &[B256]) -> Result<BTreeMap<B256, u64>, StoreError> {
        let mut lengths = BTreeMap::new();
        for roots in roots.chunks(ROOTS_PER_QUERY) {
            let list = values(1, roots.len());
            let query = format!("SELECT root, length FROM contents WHERE root IN {list}");
            let mut query = sqlx::query(AssertSqlSafe(query)).persistent(false);
            for root in roots {
                query = query.bind(root.as_slice());
            }
            for row in query.fetch_all(&self.pool).await? {
                lengths.insert(hash(&row, "root")?, number(&row, "length")?);
            }
        }
        Ok(lengths)
    }

    /// The bytes of a small content; `Some(None)` if they are in a file.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn content_bytes(&self, root: B256) -> Result<Option<Option<Vec<u8>>>, StoreError> {
        let query = sqlx::query_scalar("SELECT bytes FROM contents WHERE root = $1");
        let bytes = query.bind(root.as_slice()).fetch_optional(&self.pool);
        Ok(bytes.await?)
    }

    /// Bytes of a peer's uploads that no deal uses.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn unused_bytes(&self, peer: Address) -> Result<u64, StoreError> {
        let sum = sqlx::query_scalar(
            "SELECT CAST(COALESCE(SUM(length), 0) AS BIGINT) FROM contents WHERE peer = $1",
        );
        let sum = sum.bind(peer.as_slice()).fetch_one(&self.pool);
        unsigned("length", sum.await?)
    }

    /// Bytes of all contents, and of those that are only uploads.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn content_bytes_total(&self) -> Result<(u64, u64), StoreError> {
        let row = sqlx::query(
            "SELECT CAST(COALESCE(SUM(length), 0) AS BIGINT) AS total, \
             CAST(COALESCE(SUM(CASE WHEN peer IS NOT NULL THEN length END), 0) AS BIGINT) AS unused FROM contents",
        );
        let row = row.fetch_one(&self.pool).await?;
        Ok((number(&row, "total")?, number(&row, "unused")?))
    }

    /// Roots of all contents that are files.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn content_files(&self) -> Result<Vec<B256>, StoreError> {
        let rows = sqlx::query("SELECT root FROM contents WHERE bytes IS NULL");
        let rows = rows.fetch_all(&self.pool).await?;
        rows.iter().map(|row| hash(row, "root")).collect()
    }

    /// Forgets some contents whose time is over and that no deal uses; call it until it finds none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn drop_contents_before(&self, now: UnixSeconds) -> Result<Vec<Dropped>, StoreError> {
        let rows = sqlx::query(
            "DELETE FROM contents WHERE root IN (SELECT root FROM contents WHERE keep_until < $1 LIMIT $2) \
             RETURNING root, CASE WHEN bytes IS NULL THEN 1 ELSE 0 END AS is_file",
        );
        let rows = rows.bind(signed(now.0)).bind(ROWS_AT_ONCE);
        let read = |row: &sqlx::any::AnyRow| {
            Ok(Dropped {
                root: hash(row, "root")?,
                is_file: number(row, "is_file")? == 1,
            })
        };
        let rows = rows.fetch_all(&self.pool).await?;
        gio_failpoint::fail_point!("hub.wrote.contents_dropped");
        rows.iter().map(read).collect()
    }

    /// Deals that were over before `before`, and those nobody ever opened, need their contents and their job no more.
    /// Returns how many there were.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn release_contents(
        &self,
        before: UnixSeconds,
        now: UnixSeconds,
    ) -> Result<u64, StoreError> {
        let over = sqlx::query(
            "SELECT id AS deal_id FROM deals WHERE job_spec IS NOT NULL AND over_at IS NOT NULL \
             AND (over_at < $1 OR stage = $2)",
        );
        let over = over.bind(signed(before.0)).bind(Stage::Expired.code());
        let over = over.fetch_all(&self.pool).await?;
        for row in &over {
            let deal = super::deal_id(row)?;
            while self.release_some(deal, now).await? {}
            let query = sqlx::query(
                "UPDATE claims SET output = NULL WHERE deal_id = $1 AND output IS NOT NULL",
            );
            query.bind(deal.0.as_slice()).execute(&self.pool).await?;
            let query = sqlx::query("UPDATE deals SET job_spec = NULL WHERE id = $1");
            let query = query.bind(deal.0.as_slice());
            query.execute(&self.pool).await?;
            gio_failpoint::fail_point!("hub.wrote.job_dropped");
        }
        Ok(over.len() as u64)
    }

    /// Returns false when the deal uses nothing any more.
    async fn release_some(&self, deal: DealId, now: UnixSeconds) -> Result<bool, StoreError> {
        let mut tx = self.pool.begin().await?;
        let rows = sqlx::query(
            "DELETE FROM content_uses WHERE deal_id = $1 AND root IN \
             (SELECT root FROM content_uses WHERE deal_id = $1 LIMIT $2) RETURNING root",
        );
        let rows = rows.bind(deal.0.as_slice()).bind(ROWS_AT_ONCE);
        let rows = rows.fetch_all(&mut *tx).await?;
        for row in &rows {
            sqlx::query(
                "UPDATE contents SET keep_until = $1 WHERE root = $2 \
                 AND NOT EXISTS (SELECT 1 FROM content_uses WHERE root = $2)",
            )
            .bind(signed(now.0))
            .bind(hash(row, "root")?.as_slice())
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        gio_failpoint::fail_point!("hub.wrote.contents_released");
        Ok(!rows.is_empty())
    }
}

/// Returns false if the content is not here.
pub(super) async fn add_use(
    tx: &mut AnyConnection,
    root: B256,
    deal: DealId,
) -> Result<bool, StoreError> {
    let query = sqlx::query("UPDATE contents SET peer = NULL, keep_until = NULL WHERE root = $1");
    let is_here = query.bind(root.as_slice()).execute(&mut *tx).await?;
    if is_here.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query("INSERT INTO content_uses (root, deal_id) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(root.as_slice())
        .bind(deal.0.as_slice())
        .execute(&mut *tx)
        .await?;
    Ok(true)
}
