//! What every service of the hub shares.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gio_evm::{BlockHead, Chain, ChainError};
use gio_keys::MachineKey;
use gio_protocol::{Address, DealId, Gio, UnixSeconds};
use thiserror::Error;
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::domain::stage::Stage;
use crate::infra::content::Contents;
use crate::infra::memory::MemoryBudget;
use crate::infra::observe;
use crate::infra::places::Places;
use crate::infra::progress::ProgressTable;
use crate::infra::store::{Store, StoreError};
use crate::operation::Operation;
use crate::services::bonds::KnownBonds;
use crate::services::dispatch::Command;

/// The hub's parts. Shared by reference; everything in it is cheap to use from any task.
#[derive(Debug)]
pub struct Hub {
    /// The config, and what an operator has said since the start.
    pub operation: Operation,
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
    /// Memory for large pieces of work.
    pub memory: MemoryBudget,
    /// Live counters for those who follow deals.
    pub progress: ProgressTable,
    /// The dispatcher's inbox.
    pub dispatcher: mpsc::Sender<Command>,
    /// The newest block the chain watcher has seen.
    pub head: watch::Receiver<BlockHead>,
    /// Wakes the chain watcher before its time.
    pub look_at_chain: Notify,
    /// Wakes the loop that carries deals on.
    pub look_at_deals: Notify,
    /// Wakes the loop that pays miners.
    pub look_at_pay: Notify,
    /// Wakes the loop that reads miners' bonds.
    pub look_at_bonds: Notify,
    /// What several tasks tell each other in a few words.
    pub notes: Notes,
    /// Places for checking jobs.
    pub checks: Semaphore,
    /// What peers may do at the same time.
    pub places: PeerPlaces,
    /// Tasks of connections; shutdown waits for them.
    pub tasks: TaskTracker,
    /// Shutdown.
    pub stop: CancellationToken,
}

/// What peers may do at the same time. Each of these costs the hub memory, reads of its disk, or file handles.
#[derive(Debug)]
pub struct PeerPlaces {
    /// Deals being checked before they are signed.
    pub signing: Places,
    /// Streams of progress.
    pub following: Places,
    /// Results being put together.
    pub results: Places,
    /// Uploads under way.
    pub uploads: Places,
    /// Downloads under way.
    pub downloads: Places,
    /// Work sessions being opened.
    pub joining: Places,
    /// Questions about machines and deals.
    pub questions: Places,
}

impl Default for PeerPlaces {
    fn default() -> Self {
        Self {
            signing: Places::new(1, 64),
            following: Places::new(16, 4096),
            results: Places::new(2, 16),
            // A miner sends the outputs of all its cores, a buyer its inputs.
            uploads: Places::new(32, 512),
            downloads: Places::new(256, 8192),
            joining: Places::new(1, 1024),
            questions: Places::new(4, 256),
        }
    }
}

/// Small facts that tasks of different services share.
#[derive(Debug, Default)]
pub struct Notes {
    /// Open deals of an earlier run that the dispatcher does not have yet.
    pub coming: watch::Sender<BTreeSet<DealId>>,
    /// Miners that have places and units to run, but no more trust: they want pay first.
    pub waiting_for_pay: Shared<BTreeSet<Address>>,
    /// Whether a miner is connected to this process.
    pub has_miners: AtomicBool,
    /// Deals the dispatcher has.
    pub on_board: Shared<BTreeSet<DealId>>,
    /// Held from a look at a deal's stage until the dispatcher has the deal, and from a deal's leaving the board until its
    /// end is written down: a deal that is over never comes to the board.
    pub board: tokio::sync::Mutex<()>,
    /// Held from the look at the free balance to the signature on disk.
    pub promise: tokio::sync::Mutex<()>,
    /// Miners that are here while a deal with a court is: their bonds decide what they get (R15).
    pub bonds_wanted: Shared<BTreeSet<Address>>,
    pub(crate) bonds: tokio::sync::Mutex<KnownBonds>,
    free: tokio::sync::Mutex<Option<FreeBalance>>,
}

/// A value behind a lock that is held for a moment.
#[derive(Debug, Default)]
pub struct Shared<T>(Mutex<T>);

impl<T> Shared<T> {
    /// The value. Never held over an await.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        // No holder panics half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Copy, Debug)]
struct FreeBalance {
    block: u64,
    amount: Gio,
}

/// How deep a reorganisation may be that the hub finds its way out of: so many blocks are read again. Deeper ones need
/// `hub.confirmations`.
pub(crate) const REORG_BLOCKS: u64 = 64;
/// Jobs being split and hashed at once: each keeps a core busy for seconds.
pub(crate) const CHECKS_MAX: usize = 2;
/// How long a caller waits for others who ask the chain the same.
const BALANCE_WAIT: Duration = Duration::from_secs(5);

/// The free balance is not known now.
#[derive(Debug, Error)]
pub enum BalanceError {
    /// The chain does not say.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Others have been waiting for the answer for a while.
    #[error("the chain has not answered for a while")]
    Waiting,
}

impl Hub {
    /// Prices and limits as they are now; a `reload` makes others.
    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        self.operation.config()
    }

    /// The machine's clock, for what is between the hub and its miners.
    #[must_use]
    pub fn clock(&self) -> UnixSeconds {
        UnixSeconds(gio_agent::unix_now())
    }

    /// The later of block time and the machine's clock: block time of a chain without news lies back. Whether a deadline on
    /// chain has passed is for the contracts to say (F5).
    #[must_use]
    pub fn now(&self) -> UnixSeconds {
        self.head.borrow().time.max(self.clock())
    }

    /// The wallet's free balance as of the newest block: it changes only with a block.
    ///
    /// # Errors
    /// [`BalanceError`].
    pub async fn free_balance(&self) -> Result<Gio, BalanceError> {
        let known = timeout(BALANCE_WAIT, self.notes.free.lock());
        let mut known = known.await.map_err(|_| BalanceError::Waiting)?;
        let block = self.head.borrow().number;
        if let Some(found) = known.filter(|found| found.block == block) {
            return Ok(found.amount);
        }
        let amount = self.chain.wallet(self.wallet).await?.free;
        *known = Some(FreeBalance { block, amount });
        Ok(amount)
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
        let moved = self.store.set_stage(deal, stage, message, self.now());
        Ok(self.tell_of(deal, stage, moved.await?))
    }

    /// Writes down that an event in this block ended a deal, then tells those who follow it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end(
        &self,
        deal: DealId,
        (stage, block): (Stage, u64),
        message: &str,
    ) -> Result<bool, StoreError> {
        let end = (stage, block);
        let moved = self.store.set_end(deal, end, message, self.now());
        Ok(self.tell_of(deal, stage, moved.await?))
    }

    fn tell_of(&self, deal: DealId, stage: Stage, moved: bool) -> bool {
        if moved {
            observe::stage(deal, stage);
            self.progress.wake(deal);
        }
        moved
    }

    /// A deal of an earlier run is on the board, or will never be.
    pub fn has_come(&self, deal: DealId) {
        self.notes
            .coming
            .send_if_modified(|coming| coming.remove(&deal));
    }

    /// Waits for work that may be given up at any time when the hub stops. `None` if it was.
    pub async fn unless_stopped<F: Future>(&self, work: F) -> Option<F::Output> {
        tokio::select! {
            () = self.stop.cancelled() => None,
            output = work => Some(output),
        }
    }
}
