//! The one writer: group commit. Everything that waits goes into one transaction, because a sync to disk costs more
//! than a thousand rows.

use std::time::Duration;

use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::{StoreError, Write};

/// How long the first write waits for others: below what anybody notices, above the gap between two tiny units.
pub const GROUP_WAIT: Duration = Duration::from_millis(2);
/// Writes in one transaction: what can be waiting.
const GROUP_MAX: usize = 1024;

/// Runs until every [`super::Store`] handle is gone, and has then written everything.
#[derive(Debug)]
pub struct Writer {
    connection: SqliteConnection,
    queue: mpsc::Receiver<Write>,
}

impl Writer {
    pub(super) fn new(connection: SqliteConnection, queue: mpsc::Receiver<Write>) -> Self {
        Self { connection, queue }
    }

    /// Writes groups until nobody can write any more.
    ///
    /// # Errors
    /// [`StoreError`] after a failed write; everybody waiting was told.
    pub async fn run(mut self) -> Result<(), StoreError> {
        let mut group = Vec::new();
        while self.next_group(&mut group).await {
            let mut waiting = Vec::with_capacity(group.len());
            let mut changes = Vec::with_capacity(group.len());
            for write in group.drain(..) {
                changes.extend(write.changes);
                waiting.push(write.done);
            }
            let result = commit(&mut self.connection, changes).await;
            for done in waiting {
                // Whoever stopped waiting does not want to know.
                let _ = done.send(result.clone());
            }
            result?;
        }
        self.connection.close().await.map_err(StoreError::from)
    }

    /// Waits for a write, then a moment for more. False at the end.
    async fn next_group(&mut self, group: &mut Vec<Write>) -> bool {
        if self.queue.recv_many(group, GROUP_MAX).await == 0 {
            return false;
        }
        let deadline = Instant::now() + GROUP_WAIT;
        while group.len() < GROUP_MAX {
            let room = GROUP_MAX - group.len();
            match timeout_at(deadline, self.queue.recv_many(group, room)).await {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
        true
    }
}

async fn commit(
    connection: &mut SqliteConnection,
    changes: Vec<super::Change>,
) -> Result<(), StoreError> {
    let mut transaction = connection.begin().await?;
    for change in changes {
        change.write(&mut transaction).await?;
    }
    Ok(transaction.commit().await?)
}
