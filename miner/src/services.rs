//! The miner's loops, one per file, and what they share.
//!
//! - [`discovery`] judges hubs and opens a [`desk`] for each it works for
//! - [`session`] keeps a desk's work stream open and hands on what comes in
//! - [`orders`] checks orders, looks up their deals, fetches what they need
//! - [`runner`] runs units, as many at a time as there are cores, for all hubs together
//! - [`results`] makes claims durable, then sends them; [`uploads`] the large ones
//! - [`answers`] checks countersignatures and makes them durable
//! - [`collect`] pulls pay
//! - [`payouts`] proves and claims payouts
//! - [`operate`] does what the operator says

pub mod answers;
pub mod collect;
pub mod desk;
pub mod discovery;
pub mod fetch;
pub mod operate;
pub mod orders;
pub mod payouts;
pub mod programs;
pub mod results;
pub mod runner;
pub mod session;
pub mod uploads;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use gio_keys::MachineKey;
use gio_net::Net;
use gio_protocol::{Address, UnixSeconds};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::collect::CollectHandle;
use self::desk::Desk;
use self::fetch::Fetcher;
use self::programs::Programs;
use self::runner::Runner;
use crate::config::MinerConfig;
use crate::domain::order::OwnLimits;
use crate::infra::chain::MarketChain;
use crate::infra::console::Console;
use crate::infra::contents::Contents;
use crate::infra::leaves::Leaves;
use crate::infra::observe;
use crate::infra::store::{Store, StoreError};
use crate::operation::Operation;

/// Longest module: what compilers make of very large programs.
pub const MODULE_BYTES_MAX: u64 = 64 << 20;

/// What every service has in common. Built once, in `run.rs`.
#[derive(Debug)]
pub struct Deps {
    /// This miner: whose claims, whose pay.
    pub key: MachineKey,
    /// The chain every signature is made for.
    pub chain_id: u64,
    /// The config, and what an operator has said since the start.
    pub operation: Operation,
    /// The network.
    pub net: Net,
    /// The chain.
    pub chain: Arc<dyn MarketChain>,
    /// What must survive.
    pub store: Store,
    /// Contents on disk.
    pub contents: Contents,
    /// Leaf files of payouts on disk.
    pub leaves: Leaves,
    /// Gets contents from hubs.
    pub fetcher: Fetcher,
    /// Compiled modules.
    pub programs: Programs,
    /// Runs units.
    pub runner: Runner,
    /// Asks for pay to be pulled.
    pub collect: CollectHandle,
    /// Where people are told.
    pub console: Console,
    /// The hubs worked for.
    pub desks: Desks,
    /// Wakes discovery: something was paid, or was not.
    pub rejudge: Notify,
    /// Wakes the loop of payouts: what is worth a claim may be another sum.
    pub payouts_wake: Notify,
    /// How everything ends.
    pub stop: Stop,
}

impl Deps {
    /// This miner's account.
    #[must_use]
    pub fn owner(&self) -> Address {
        self.key.address()
    }

    /// What this machine gives and wants now; a `reload` makes others.
    #[must_use]
    pub fn config(&self) -> Arc<MinerConfig> {
        self.operation.config()
    }

    /// What this machine takes on.
    #[must_use]
    pub fn own_limits(&self) -> OwnLimits {
        let config = self.config();
        OwnLimits {
            pages_max: config.pages_max(),
            module_bytes_max: MODULE_BYTES_MAX,
            net_price_min: config.net_price_min,
        }
    }

    /// A failure nobody can go on after.
    pub fn fatal(&self, service: &'static str, error: StoreError) {
        self.stop.fail(service, error);
    }
}

/// The time by this machine's clock. Deadlines on chain are compared with block time instead (F5).
#[must_use]
pub fn now() -> UnixSeconds {
    UnixSeconds(gio_agent::unix_now())
}

/// How everything ends: first no new orders, then everything; and why, if not because somebody asked.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// No new orders.
    pub draining: CancellationToken,
    /// Every loop ends.
    pub ended: CancellationToken,
    /// Every task of the miner; none is detached.
    pub tasks: TaskTracker,
    cause: Arc<OnceLock<StoreError>>,
}

impl Stop {
    /// Ends the miner because of a failure.
    pub fn fail(&self, service: &'static str, error: StoreError) {
        observe::service_failed(service, &error);
        // The first failure is the cause, the others follow from it.
        let _ = self.cause.set(error);
        self.draining.cancel();
        self.ended.cancel();
    }

    /// Why the miner ended, if it failed.
    #[must_use]
    pub fn cause(&self) -> Option<StoreError> {
        self.cause.get().cloned()
    }
}

/// The open desks by wallet.
#[derive(Debug, Default)]
pub struct Desks(Mutex<HashMap<Address, Arc<Desk>>>);

impl Desks {
    /// The desk of a wallet.
    #[must_use]
    pub fn get(&self, wallet: Address) -> Option<Arc<Desk>> {
        self.lock().get(&wallet).cloned()
    }

    /// All desks.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Desk>> {
        self.lock().values().cloned().collect()
    }

    /// Adds a desk.
    pub fn insert(&self, desk: Arc<Desk>) {
        self.lock().insert(desk.hub.wallet, desk);
    }

    /// Takes a desk out; its loops are to be stopped by the caller.
    pub fn remove(&self, wallet: Address) {
        self.lock().remove(&wallet);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Address, Arc<Desk>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
