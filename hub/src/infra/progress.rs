//! What people see of a deal: its stage, and live counters for those who follow it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use gio_net::wire;
use gio_protocol::DealId;
use tokio::sync::watch;

use crate::domain::board::Progress;

/// Where a deal is at the hub. The order is the order of life; a deal only moves on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(
    missing_docs,
    reason = "the words are those of docs/protocol.md section 7 and the glossary"
)]
pub enum Stage {
    Signed = 1,
    Open = 2,
    Running = 3,
    Assembling = 4,
    Posted = 5,
    Settled = 6,
    Refunded = 7,
    Cancelled = 8,
    Refuted = 9,
    Expired = 10,
}

impl Stage {
    const ALL: [Self; 10] = [
        Self::Signed,
        Self::Open,
        Self::Running,
        Self::Assembling,
        Self::Posted,
        Self::Settled,
        Self::Refunded,
        Self::Cancelled,
        Self::Refuted,
        Self::Expired,
    ];

    /// The number in the database.
    #[must_use]
    pub fn code(self) -> i64 {
        self as i64
    }

    /// Reads [`Self::code`].
    #[must_use]
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.code() == code)
    }

    /// Whether nothing can change any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        self >= Self::Settled
    }

    /// The wire's word.
    #[must_use]
    pub fn to_wire(self) -> wire::DealStage {
        match self {
            Self::Signed => wire::DealStage::Signed,
            Self::Open => wire::DealStage::Open,
            Self::Running => wire::DealStage::Running,
            Self::Assembling => wire::DealStage::Assembling,
            Self::Posted => wire::DealStage::Posted,
            Self::Settled => wire::DealStage::Settled,
            Self::Refunded => wire::DealStage::Refunded,
            Self::Cancelled => wire::DealStage::Cancelled,
            Self::Refuted => wire::DealStage::Refuted,
            Self::Expired => wire::DealStage::Expired,
        }
    }
}

/// Live counters by deal; followers are woken when one changes.
#[derive(Clone, Debug, Default)]
pub struct ProgressTable {
    rows: Arc<Mutex<BTreeMap<DealId, watch::Sender<Progress>>>>,
}

impl ProgressTable {
    /// New counters, or only news of another kind: followers look again.
    pub fn publish(&self, deal: DealId, progress: Option<Progress>) {
        let mut rows = self.rows.lock().expect("no holder of this lock panics");
        let row = rows
            .entry(deal)
            .or_insert_with(|| watch::Sender::new(Progress::default()));
        row.send_modify(|value| *value = progress.unwrap_or(*value));
    }

    /// The counters of a deal, live.
    #[must_use]
    pub fn subscribe(&self, deal: DealId) -> watch::Receiver<Progress> {
        let mut rows = self.rows.lock().expect("no holder of this lock panics");
        rows.entry(deal)
            .or_insert_with(|| watch::Sender::new(Progress::default()))
            .subscribe()
    }

    /// Forgets deals that nobody follows and nobody works on.
    pub fn prune(&self, is_live: impl Fn(DealId) -> bool) {
        let mut rows = self.rows.lock().expect("no holder of this lock panics");
        rows.retain(|deal, row| row.receiver_count() > 0 || is_live(*deal));
    }
}
