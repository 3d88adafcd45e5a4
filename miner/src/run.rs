//! Builds the miner and runs it: every part in order, and how it all ends.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use gio_keys::MachineKey;
use gio_net::Net;
use gio_runtime::{Engine, EngineConfig, EngineError};
use thiserror::Error;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::config::MinerConfig;
use crate::infra::chain::MarketChain;
use crate::infra::console::Console;
use crate::infra::contents::{Contents, ContentsError};
use crate::infra::leaves::Leaves;
use crate::infra::observe;
use crate::infra::store::{Store, StoreError, Writer};
use crate::operation::Operation;
use crate::services::collect::{self, CollectHandle};
use crate::services::fetch::Fetcher;
use crate::services::programs::Programs;
use crate::services::runner::{Runner, Tools};
use crate::services::{Deps, Desks, Stop, discovery, payouts};

/// The database in the home folder.
pub const DATABASE: &str = "miner.db";
/// Contents in the home folder.
const CONTENTS: &str = "contents";
/// Compiled modules in the home folder.
const COMPILED: &str = "compiled";
/// How long the last results may take to reach disk and hub after the last unit ended.
const FLUSH: Duration = Duration::from_secs(2);
/// How long loops may take to notice that everything ended.
const END: Duration = Duration::from_secs(5);
/// How often a wait for the desks looks at them.
const LOOK: Duration = Duration::from_millis(20);

/// What a miner is made of.
#[derive(Debug)]
pub struct Parts {
    /// Whose claims, whose pay.
    pub key: MachineKey,
    /// What this machine gives and wants.
    pub config: MinerConfig,
    /// The chain every signature is made for.
    pub chain_id: u64,
    /// The chain.
    pub chain: Arc<dyn MarketChain>,
    /// The network; it must outlive the miner's run.
    pub net: Net,
    /// Where people are told.
    pub console: Console,
}

/// A miner cannot start, or stopped by itself.
#[derive(Debug, Error)]
pub enum MinerError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The contents' folder.
    #[error(transparent)]
    Contents(#[from] ContentsError),
    /// The sandbox.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A thread.
    #[error("cannot start a worker thread")]
    Thread(#[source] std::io::Error),
}

/// A miner that is built and does not run yet.
#[derive(Debug)]
pub struct Miner {
    deps: Arc<Deps>,
    writer: Writer,
}

impl Miner {
    /// Builds every part; files are in `folder`.
    ///
    /// # Errors
    /// [`MinerError`].
    pub async fn build(folder: &Path, parts: Parts) -> Result<Self, MinerError> {
        let Parts {
            key,
            config,
            chain_id,
            chain,
            net,
            console,
        } = parts;
        let (store, writer) = Store::open(&folder.join(DATABASE)).await?;
        let contents = Contents::open(&folder.join(CONTENTS), config.cache_bytes())?;
        let engine = Engine::new(EngineConfig {
            cache_dir: Some(folder.join(COMPILED)),
            instances_max: config.cores().get(),
            pages_max: config.pages_max(),
        })?;
        let runner = Runner::new(Tools {
            engine: engine.clone(),
            key: key.clone(),
            contents: contents.clone(),
        });
        let deps = Arc::new(Deps {
            key,
            chain_id,
            operation: Operation::new(config),
            fetcher: Fetcher::new(net.clone(), contents.clone()),
            programs: Programs::new(engine, contents.clone()),
            net,
            chain,
            store,
            contents,
            leaves: Leaves::in_home(folder),
            runner,
            collect: CollectHandle::default(),
            console,
            desks: Desks::default(),
            rejudge: Notify::new(),
            payouts_wake: Notify::new(),
            stop: Stop::default(),
        });
        Ok(Self { deps, writer })
    }

    /// What the miner's parts share, for those who watch it.
    #[must_use]
    pub fn deps(&self) -> Arc<Deps> {
        Arc::clone(&self.deps)
    }

    /// Mines until `shutdown`, then drains: running units get their time, everything made is on disk at the end.
    ///
    /// # Errors
    /// [`MinerError`] if the miner stopped by itself.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), MinerError> {
        let deps = self.deps;
        let mut writer = JoinSet::new();
        writer.spawn(self.writer.run());
        let workers = start_workers(&deps)?;
        let tasks = &deps.stop.tasks;
        tasks.spawn(collect::run(Arc::clone(&deps)));
        tasks.spawn(payouts::run(Arc::clone(&deps)));
        tasks.spawn(discovery::find(Arc::clone(&deps)));
        tasks.spawn(discovery::run(Arc::clone(&deps)));
        let cores = deps.config().cores().get();
        observe::started(deps.owner(), cores, deps.config().exposure_initial);
        tokio::select! {
            () = shutdown => {}
            () = deps.stop.draining.cancelled() => {}
        }
        drain(&deps).await;
        end(&deps, workers).await;
        let cause = deps.stop.cause();
        // The writer ends with the last handle of the store.
        drop(deps);
        let written = timeout(END, writer.join_all()).await;
        observe::stopped();
        match cause {
            Some(cause) => Err(cause.into()),
            None => Ok(written.into_iter().flatten().collect::<Result<(), _>>()?),
        }
    }
}

/// One thread per core; units need nothing of the runtime.
fn start_workers(deps: &Deps) -> Result<Vec<thread::JoinHandle<()>>, MinerError> {
    let start = |number: u32| {
        let runner = deps.runner.clone();
        let named = thread::Builder::new().name(format!("unit-{number}"));
        named.spawn(move || runner.work())
    };
    let started = (0..deps.config().cores().get()).map(start);
    let started: Result<_, _> = started.collect();
    started.map_err(MinerError::Thread)
}

/// No new orders; running units end by themselves or are given back when their time is over.
async fn drain(deps: &Deps) {
    let running = deps.runner.running();
    observe::draining(running);
    deps.console.stopping(running);
    deps.stop.draining.cancel();
    deps.runner.give_back_queued().await;
    if timeout(deps.config().drain(), deps.runner.idle())
        .await
        .is_err()
    {
        for desk in deps.desks.all() {
            desk.cancel_all();
        }
        // Runs look at their control at every refill: milliseconds.
        let _ = timeout(END, deps.runner.idle()).await;
    }
    // What is not answered by then is in the store and is sent again at the next start.
    let _ = timeout(FLUSH, quiet(deps)).await;
}

/// Waits until every result is on disk, and answered where a hub is there to answer.
async fn quiet(deps: &Deps) {
    let busy = || {
        let desks = deps.desks.all();
        desks
            .iter()
            .any(|desk| !desk.is_settled() || (desk.is_connected() && !desk.is_idle()))
    };
    while busy() && !deps.stop.ended.is_cancelled() {
        sleep(LOOK).await;
    }
}

/// Ends every loop and thread.
async fn end(deps: &Deps, workers: Vec<thread::JoinHandle<()>>) {
    deps.stop.ended.cancel();
    deps.runner.close();
    let joined = tokio::task::spawn_blocking(move || {
        for worker in workers {
            // Workers catch the panics of units; one of their own has been printed.
            let _ = worker.join();
        }
    });
    let _ = timeout(END, joined).await;
    deps.stop.tasks.close();
    let _ = timeout(END, deps.stop.tasks.wait()).await;
    // The desks hold what the tasks held: with them goes the last handle of the store.
    for desk in deps.desks.all() {
        deps.desks.remove(desk.hub.wallet);
    }
}
