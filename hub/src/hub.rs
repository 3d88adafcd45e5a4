//! What every service of the hub shares.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, RwLock};

use gio_evm::{BlockHead, Chain};
use gio_keys::MachineKey;
use gio_protocol::{Address, DealId, UnixSeconds};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::domain::deal::DealInfo;
use crate::infra::content::Contents;
use crate::infra::observe;
use crate::infra::progress::{ProgressTable, Stage};
use crate::infra::store::{Store, StoreError};
use crate::services::dispatch::Command;

/// The hub's parts. Shared by reference; everything in it is cheap to use from any task.
#[derive(Debug)]
pub struct Hub {
    /// Prices and limits.
    pub config: Config,
    /// Owner's key: account, peer identity, signer.
    pub key: MachineKey,
    /// The hub's wallet.
    pub wallet: Address,
    /// The EVM.
    pub chain: Chain,
    /// The database.
    pub store: Store,
    /// Bytes by root.
    pub contents: Contents,
    /// Live counters for those who follow deals.
    pub progress: ProgressTable,
    /// Deals being worked on.
    pub deals: DealTable,
    /// The dispatcher's inbox.
    pub dispatcher: mpsc::Sender<Command>,
    /// The newest block the chain watcher has seen.
    pub head: watch::Receiver<BlockHead>,
    /// Wakes the chain watcher before its time.
    pub look_at_chain: Notify,
    /// Wakes the loop that posts and settles.
    pub look_at_deals: Notify,
    /// Wakes the loop that pays miners.
    pub look_at_pay: Notify,
    /// Miners that have places and units to run, but no more trust: they want pay first.
    pub waiting_for_pay: Mutex<BTreeSet<Address>>,
    /// Tasks of connections; shutdown waits for them.
    pub tasks: TaskTracker,
    /// Shutdown.
    pub stop: CancellationToken,
}

impl Hub {
    /// Chain time (F5).
    #[must_use]
    pub fn now(&self) -> UnixSeconds {
        self.head.borrow().time
    }

    /// Writes a deal's new stage down, then tells those who follow it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn move_on(
        &self,
        deal: DealId,
        stage: Stage,
        message: &str,
    ) -> Result<bool, StoreError> {
        let moved = self
            .store
            .set_stage(deal, stage, message, self.now())
            .await?;
        if moved {
            observe::stage(deal, stage);
            self.progress.publish(deal, None);
        }
        Ok(moved)
    }
}

/// Deals being worked on, by id.
#[derive(Clone, Debug, Default)]
pub struct DealTable {
    rows: Arc<RwLock<BTreeMap<DealId, Arc<DealInfo>>>>,
}

impl DealTable {
    /// The deal, if it is being worked on.
    #[must_use]
    pub fn get(&self, id: DealId) -> Option<Arc<DealInfo>> {
        self.rows
            .read()
            .expect("no holder of this lock panics")
            .get(&id)
            .cloned()
    }

    pub(crate) fn insert(&self, deal: Arc<DealInfo>) {
        self.rows
            .write()
            .expect("no holder of this lock panics")
            .insert(deal.id, deal);
    }

    pub(crate) fn remove(&self, id: DealId) {
        self.rows
            .write()
            .expect("no holder of this lock panics")
            .remove(&id);
    }
}
