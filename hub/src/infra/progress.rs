//! What people see of a deal while it is worked on: live counters for those who follow it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gio_protocol::DealId;
use tokio::sync::watch;

use crate::domain::board::Progress;

/// Live counters by deal; followers are woken when one changes. Rows live as long as somebody follows the deal or it
/// is worked on.
#[derive(Clone, Debug, Default)]
pub struct ProgressTable {
    rows: Arc<Mutex<BTreeMap<DealId, watch::Sender<Progress>>>>,
}

impl ProgressTable {
    /// New counters.
    pub fn publish(&self, deal: DealId, progress: Progress) {
        self.rows().entry(deal).or_default().send_replace(progress);
    }

    /// News of another kind: followers look again.
    pub fn wake(&self, deal: DealId) {
        if let Some(row) = self.rows().get(&deal) {
            row.send_modify(|_| {});
        }
    }

    /// The counters of a deal, live.
    #[must_use]
    pub fn subscribe(&self, deal: DealId) -> watch::Receiver<Progress> {
        self.rows().entry(deal).or_default().subscribe()
    }

    /// Deals that somebody follows.
    #[must_use]
    pub fn followed(&self) -> Vec<DealId> {
        let rows = self.rows();
        let followed = rows.iter().filter(|(_, row)| row.receiver_count() > 0);
        followed.map(|(deal, _)| *deal).collect()
    }

    /// Forgets deals that nobody follows and nobody works on.
    pub fn prune(&self, is_live: impl Fn(DealId) -> bool) {
        self.rows()
            .retain(|deal, row| row.receiver_count() > 0 || is_live(*deal));
    }

    fn rows(&self) -> MutexGuard<'_, BTreeMap<DealId, watch::Sender<Progress>>> {
        // A panic elsewhere leaves whole rows.
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use gio_protocol::B256;

    use super::*;

    #[tokio::test]
    async fn rows_live_as_long_as_somebody_needs_them() {
        let table = ProgressTable::default();
        let deal = |byte| DealId(B256::repeat_byte(byte));
        table.wake(deal(1));
        let mut follower = table.subscribe(deal(1));
        let progress = Progress {
            total: 3,
            ..Progress::default()
        };
        table.publish(deal(1), progress);
        table.publish(deal(2), progress);
        follower.changed().await.unwrap();
        assert_eq!(*follower.borrow_and_update(), progress);
        table.prune(|_| false);
        assert_eq!(table.rows().len(), 1, "one is followed");
        table.wake(deal(1));
        follower.changed().await.unwrap();
        drop(follower);
        table.prune(|live| live == deal(1));
        assert_eq!(table.rows().len(), 1, "one is worked on");
        table.prune(|_| false);
        assert_eq!(table.rows().len(), 0);
    }
}
