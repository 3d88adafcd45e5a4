//! Builds the hub and runs it: every part in order, every loop by name.

use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use gio_agent::control::ControlSocket;
use gio_agent::http::HttpServer;
use gio_agent::{
    Code, ExitStatus, Hangups, Home, HomeLock, Shutdowns, UserError, clock_off, unix_now,
};
use gio_evm::{BlockHead, Chain, WalletState};
use gio_keys::MachineKey;
use gio_net::{Multiaddr, Net, NetConfig, Services};
use gio_protocol::Address;
use thiserror::Error;
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::commands::{config, connect, key, open_store, wallet_of};
use crate::config::Config;
use crate::domain::stage::Stage;
use crate::hub::{CHECKS_MAX, Hub, Notes, PeerPlaces};
use crate::infra::api::{ContentApi, MarketApi, WorkApi};
use crate::infra::content::Contents;
use crate::infra::memory::MemoryBudget;
use crate::infra::metrics::{self, HubSource};
use crate::infra::observe;
use crate::infra::progress::ProgressTable;
use crate::infra::store::{Store, StoreError};
use crate::operation::Operation;
use crate::services::dispatch::Question;
use crate::services::{announce, bonds, clean, deals, dispatch, keep, operate, pay, watch_chain};

/// How long connections may take to end; what they still had to say is said again by their miners.
const DRAIN: Duration = Duration::from_secs(2);
/// Between two looks at what still runs.
const LOOK: Duration = Duration::from_millis(50);

/// Where the address of `/metrics` is written, in the home.
const METRICS_ADDR: &str = "metrics.addr";

/// `gio-hub start`: runs until a signal, or until a part of the hub cannot go on.
///
/// # Errors
/// Whatever keeps the hub from starting, or made one of its loops stop.
pub async fn start(home: &Home) -> Result<(), UserError> {
    let mut shutdowns = Shutdowns::listen();
    // The config is about to be read.
    let _early = Hangups::listen();
    let mut running = tokio::select! {
        running = Box::pin(RunningHub::launch(home)) => running?,
        () = shutdowns.next() => {
            observe::stopping();
            return Ok(());
        }
    };
    let failed = tokio::select! {
        () = shutdowns.next() => None,
        error = running.failed() => Some(error),
    };
    if failed.is_none() {
        // A second signal does not wait.
        tokio::select! {
            () = running.drain() => {}
            () = shutdowns.next() => {}
        }
    }
    running.stop().await;
    failed.map_or(Ok(()), Err)
}

/// A hub that serves.
#[derive(Debug)]
pub struct RunningHub {
    hub: Arc<Hub>,
    net: Net,
    loops: Loops,
    stop: CancellationToken,
    _lock: HomeLock,
}

impl RunningHub {
    /// Starts a hub from its folder. It serves when this returns.
    ///
    /// # Errors
    /// Whatever keeps the hub from starting.
    pub async fn launch(home: &Home) -> Result<Self, UserError> {
        let config = config(home)?;
        let key = key(home)?;
        let lock = home.lock().map_err(|error| {
            UserError::of(Code::HomeBusy, error).hint("stop the other one, or use a second --home")
        })?;
        let chain = connect(&config, Some(key.secret_bytes())).await?;
        let wallet = wallet_of(&config, &chain, key.address()).await?;
        let state = check_wallet(&chain, wallet, key.address()).await?;
        let stop = CancellationToken::new();
        let parts = Parts {
            head: watch::channel(chain.head().await?),
            store: open_store(&config, home).await?,
            config,
            key,
            wallet,
            chain,
            stop: stop.clone(),
        };
        let http = HttpServer::open(parts.config.metrics_listen, metrics::PORT).await;
        let http = http.map_err(|error| UserError::of(Code::NetInvalid, error))?;
        let off = clock_off(unix_now(), parts.head.1.borrow().time.0);
        if let Some(off) = off {
            observe::clock_is_off(&off);
        }
        let (hub, inbox, head) = parts.build(home).await?;
        if state != WalletState::Registered {
            observe::wallet_condemned(state.name());
            hub.operation.set_draining(true);
        }
        let net = start_net(&hub).await?;
        let mut running = Self {
            loops: Loops {
                tasks: JoinSet::new(),
            },
            hub,
            net,
            stop,
            _lock: lock,
        };
        running.begin(inbox, head).await?;
        running.operate(home, http);
        Ok(running)
    }

    /// What the hub's services share.
    #[must_use]
    pub fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// Where the hub listens.
    #[must_use]
    pub fn listen_addrs(&self) -> Vec<Multiaddr> {
        self.net.listen_addrs()
    }

    /// Waits until a loop could not go on, and says why.
    pub async fn failed(&mut self) -> UserError {
        self.loops.failed().await
    }

    /// Takes nothing new and gives nothing out; returns when no unit runs any more, or the time for that is over. What
    /// still runs then is claimed after the next start.
    pub async fn drain(&self) {
        let hub = &self.hub;
        hub.operation.set_draining(true);
        let limit = Duration::from_secs(hub.config().hub.drain_seconds);
        let finish = async {
            let mut question = Question::Pause(true);
            while let Ok(view) = hub.ask_board(question).await {
                if view.units_running == 0 {
                    break;
                }
                if matches!(question, Question::Pause(_)) {
                    observe::draining(view.units_running);
                }
                question = Question::Load;
                sleep(LOOK).await;
            }
        };
        // What is not finished in time is finished after the next start.
        let _ = timeout(limit, finish).await;
    }

    /// Stops in order: what has arrived is written down, nothing new is begun, transactions under way are left to the
    /// next start.
    pub async fn stop(mut self) {
        observe::stopping();
        self.stop.cancel();
        self.hub.tasks.close();
        while self.loops.tasks.join_next().await.is_some() {}
        if let Err(error) = self.hub.store.release_all().await {
            // Others take it over when the leases end.
            observe::retrying("giving work back", &error);
        }
        // A connection may be in the middle of a check.
        let _ = timeout(DRAIN, self.hub.tasks.wait()).await;
        self.net.stopped().await;
        // Whoever still holds a connection loses nothing by its end: every commit is on disk.
        let _ = timeout(DRAIN, self.hub.store.close()).await;
    }

    async fn begin(
        &mut self,
        inbox: mpsc::Receiver<dispatch::Command>,
        head: watch::Sender<BlockHead>,
    ) -> Result<(), UserError> {
        let (hub, loops) = (&self.hub, &mut self.loops);
        // Of a database of its own, what is open was this process's before.
        let open = match hub.store.is_shared() {
            true => Vec::new(),
            false => hub.store.deals_in(&[Stage::Open, Stage::Running]).await?,
        };
        hub.notes
            .coming
            .send_replace(open.iter().map(|deal| deal.id).collect());
        loops.add("dispatcher", dispatch::run(Arc::clone(hub), inbox));
        loops.add("reader of bonds", bonds::run(Arc::clone(hub)));
        loops.add("chain watcher", watch_chain::run(Arc::clone(hub), head));
        loops.add("steward of deals", deals::run(Arc::clone(hub)));
        loops.add("payer", pay::run(Arc::clone(hub)));
        loops.add("cleaner", clean::run(Arc::clone(hub)));
        loops.add("keeper of leases", keep::run(Arc::clone(hub)));
        loops.add("mirror", keep::mirror(Arc::clone(hub)));
        let services = Services::new()
            .market(MarketApi(Arc::clone(hub)))
            .work(WorkApi(Arc::clone(hub)))
            .content(ContentApi(Arc::clone(hub)));
        self.net.serve(services)?;
        loops.add(
            "announcer",
            announce::run(Arc::clone(hub), self.net.clone()),
        );
        let addrs = self.net.listen_addrs();
        let addrs: Vec<String> = addrs.iter().map(ToString::to_string).collect();
        observe::started(hub.key.address(), hub.wallet, &addrs);
        Ok(())
    }
}

impl RunningHub {
    /// The operator's doors: metrics and health, the control socket, SIGHUP.
    fn operate(&mut self, home: &Home, http: Option<HttpServer>) {
        let (hub, stop) = (&self.hub, self.stop.clone());
        if let Some(server) = http {
            observe::serving_metrics(server.addr());
            let addr = server.addr().to_string();
            // Only for people and tests that look for it.
            let _ = std::fs::write(home.path(METRICS_ADDR), addr);
            let serve = server.run(Arc::new(HubSource(Arc::clone(hub))), stop.clone());
            self.loops.add("metrics", async {
                serve.await;
                Ok(())
            });
        }
        match ControlSocket::bind(home) {
            Ok(socket) => {
                let (hub, home) = (Arc::clone(hub), home.clone());
                let answer =
                    move |request| operate::answer(Arc::clone(&hub), home.clone(), request);
                let serve = socket.run(answer, stop);
                self.loops.add("control socket", async {
                    serve.await;
                    Ok(())
                });
            }
            Err(error) => observe::without_control(&error),
        }
        let hangups = operate::hangups(Arc::clone(hub), home.clone());
        self.loops.add("config watcher", hangups);
    }
}

impl Drop for RunningHub {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// What a hub is made of before its loops run.
struct Parts {
    config: Config,
    key: MachineKey,
    wallet: Address,
    chain: Chain,
    store: Store,
    head: (watch::Sender<BlockHead>, watch::Receiver<BlockHead>),
    stop: CancellationToken,
}

type Built = (
    Arc<Hub>,
    mpsc::Receiver<dispatch::Command>,
    watch::Sender<BlockHead>,
);

impl Parts {
    async fn build(self, home: &Home) -> Result<Built, UserError> {
        let memory = MemoryBudget::new(self.config.limits.memory_mib);
        let own = || home.path("content");
        let folder = self.config.content_dir.clone().unwrap_or_else(own);
        let limits = &self.config.limits;
        let contents = Contents::open(self.store.clone(), folder, limits, memory.clone()).await?;
        let (dispatcher, inbox) = mpsc::channel(dispatch::INBOX);
        let (sender, head) = self.head;
        let hub = Arc::new(Hub {
            operation: Operation::new(self.config),
            key: self.key,
            wallet: self.wallet,
            chain: self.chain,
            store: self.store,
            contents,
            memory,
            progress: ProgressTable::default(),
            dispatcher,
            head,
            look_at_chain: Notify::new(),
            look_at_deals: Notify::new(),
            look_at_pay: Notify::new(),
            look_at_bonds: Notify::new(),
            notes: Notes::default(),
            checks: Semaphore::new(CHECKS_MAX),
            places: PeerPlaces::default(),
            tasks: TaskTracker::new(),
            stop: self.stop,
        });
        Ok((hub, inbox, sender))
    }
}

/// A hub that is suspected or banned serves what it has and ends what is under way (R7), and takes nothing new.
async fn check_wallet(
    chain: &Chain,
    wallet: Address,
    owner: Address,
) -> Result<WalletState, UserError> {
    let info = chain.wallet(wallet).await?;
    if info.owner != owner {
        let text = format!("wallet {wallet} is {}'s, this hub is {owner}", info.owner);
        let hint = "change `wallet` in config.toml, or leave it out";
        return Err(UserError::new(text, ExitStatus::Usage).hint(hint));
    }
    if matches!(info.state, WalletState::Created | WalletState::Idle) {
        let text = format!("wallet {wallet} is {}, not registered", info.state.name());
        let hint = "run `gio-hub register` first";
        return Err(UserError::new(text, ExitStatus::Usage).hint(hint));
    }
    Ok(info.state)
}

async fn start_net(hub: &Hub) -> Result<Net, UserError> {
    let mut settings = NetConfig::new(hub.key.clone());
    settings.listen = addrs(&hub.config().listen)?;
    settings.bootstrap = addrs(&hub.config().bootstrap)?;
    settings.mdns = hub.config().mdns;
    settings.offer_relay = true;
    settings.reachable = true;
    settings.agent = format!("gio-hub/{}", env!("CARGO_PKG_VERSION"));
    Ok(Net::start(settings, hub.stop.clone()).await?)
}

fn addrs(texts: &[String]) -> Result<Vec<Multiaddr>, UserError> {
    let parse = |text: &String| text.parse::<Multiaddr>().map_err(UserError::from);
    texts.iter().map(parse).collect()
}

/// The database cannot be used: damaged, or its disk is full. What is under way waits for the next start.
pub(crate) fn database(error: impl Error + Send + Sync + 'static) -> UserError {
    UserError::of(Code::Database, error)
        .hint(
            "make room on its disk, or see docs/recovery.md for a damaged hub.db; then start again",
        )
        .next("gio-hub doctor")
}

/// A loop's database refused, so memory and disk may differ.
#[derive(Debug, Error)]
#[error("the {name} cannot go on")]
struct LoopEnded {
    name: &'static str,
    source: StoreError,
}

/// The hub's loops, each with its name.
#[derive(Debug)]
struct Loops {
    tasks: JoinSet<(&'static str, Result<(), StoreError>)>,
}

impl Loops {
    fn add(
        &mut self,
        name: &'static str,
        work: impl Future<Output = Result<(), StoreError>> + Send + 'static,
    ) {
        self.tasks.spawn(async move { (name, work.await) });
    }

    async fn failed(&mut self) -> UserError {
        match self.tasks.join_next().await {
            Some(Ok((name, Err(error)))) => database(LoopEnded {
                name,
                source: error,
            }),
            Some(Ok((name, Ok(())))) => {
                UserError::new(format!("the {name} ended"), ExitStatus::Failure)
            }
            Some(Err(error)) => error.into(),
            None => UserError::new("the hub has no loops", ExitStatus::Failure),
        }
    }
}
