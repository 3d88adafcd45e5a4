//! Builds the hub and runs it: every part in order, every loop by name.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Arc, Mutex};

use gio_agent::{ExitStatus, Home, UserError, shutdown_signal};
use gio_evm::{Chain, WalletState};
use gio_keys::MachineKey;
use gio_net::{Multiaddr, Net, NetConfig, Services};
use gio_protocol::Address;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::commands::{config, connect, wallet_of};
use crate::config::Config;
use crate::hub::{DealTable, Hub};
use crate::infra::api::{ContentApi, MarketApi, WorkApi};
use crate::infra::content::Contents;
use crate::infra::observe;
use crate::infra::progress::{ProgressTable, Stage};
use crate::infra::store::{Store, StoreError};
use crate::services::{announce, dispatch, finish, pay, watch_chain};

/// `gio-hub start`.
///
/// # Errors
/// Whatever keeps the hub from starting, or made one of its loops stop.
pub async fn start(home: &Home) -> Result<(), UserError> {
    let config = config(home)?;
    let key = home.key()?;
    let _lock = home.lock()?;
    let chain = connect(&config, Some(key.secret_bytes())).await?;
    let wallet = wallet_of(&config, &chain, key.address()).await?;
    let state = chain.wallet(wallet).await?.state;
    if state != WalletState::Registered {
        let text = format!("wallet {wallet} is {}, not registered", state.name());
        return Err(UserError::new(text, ExitStatus::Usage).hint("run `gio-hub register` first"));
    }
    let store = Store::open(&home.path("hub.db")).await?;
    let limit = config.hub.content_mib_max.saturating_mul(1 << 20);
    let contents = Contents::open(store.clone(), home.path("content"), limit)?;
    let stop = CancellationToken::new();
    let net = start_net(&config, &key, &stop).await?;
    let parts = Parts {
        config,
        key,
        wallet,
        chain,
        store,
        contents,
    };
    run(parts, &net, stop).await
}

/// What a hub is made of before its loops run.
struct Parts {
    config: Config,
    key: MachineKey,
    wallet: Address,
    chain: Chain,
    store: Store,
    contents: Contents,
}

async fn start_net(
    config: &Config,
    key: &MachineKey,
    stop: &CancellationToken,
) -> Result<Net, UserError> {
    let mut settings = NetConfig::new(key.clone());
    settings.listen = addrs(&config.listen)?;
    settings.bootstrap = addrs(&config.bootstrap)?;
    settings.mdns = config.mdns;
    settings.offer_relay = true;
    settings.reachable = true;
    settings.agent = format!("gio-hub/{}", env!("CARGO_PKG_VERSION"));
    Ok(Net::start(settings, stop.clone()).await?)
}

fn addrs(texts: &[String]) -> Result<Vec<Multiaddr>, UserError> {
    let parse = |text: &String| {
        text.parse::<Multiaddr>().map_err(|_| {
            UserError::new(format!("`{text}` is not a multiaddr"), ExitStatus::Usage)
                .hint("for example /ip4/127.0.0.1/tcp/7701")
        })
    };
    texts.iter().map(parse).collect()
}

async fn run(parts: Parts, net: &Net, stop: CancellationToken) -> Result<(), UserError> {
    let (dispatcher, inbox) = mpsc::channel(dispatch::INBOX);
    let (head_sender, head) = watch::channel(parts.chain.head().await?);
    let hub = Arc::new(Hub {
        config: parts.config,
        key: parts.key,
        wallet: parts.wallet,
        chain: parts.chain,
        store: parts.store,
        contents: parts.contents,
        progress: ProgressTable::default(),
        deals: DealTable::default(),
        dispatcher,
        head,
        look_at_chain: Notify::new(),
        look_at_deals: Notify::new(),
        look_at_pay: Notify::new(),
        waiting_for_pay: Mutex::new(BTreeSet::new()),
        tasks: TaskTracker::new(),
        stop: stop.clone(),
    });
    let mut loops = Loops {
        tasks: JoinSet::new(),
    };
    loops.add("dispatcher", dispatch::run(Arc::clone(&hub), inbox));
    for deal in hub.store.deals_in(&[Stage::Open, Stage::Running]).await? {
        watch_chain::begin(&hub, &deal).await?;
    }
    loops.add(
        "chain watcher",
        watch_chain::run(Arc::clone(&hub), head_sender),
    );
    loops.add("finisher", finish::run(Arc::clone(&hub)));
    loops.add("payer", pay::run(Arc::clone(&hub)));
    let services = Services::new()
        .market(MarketApi(Arc::clone(&hub)))
        .work(WorkApi(Arc::clone(&hub)))
        .content(ContentApi(Arc::clone(&hub)));
    net.serve(services)?;
    loops.add("announcer", announce::run(Arc::clone(&hub), net.clone()));
    let addrs: Vec<String> = net.listen_addrs().iter().map(ToString::to_string).collect();
    observe::started(hub.key.address(), hub.wallet, &addrs);
    let outcome = loops.until_stopped().await;
    observe::stopping();
    stop.cancel();
    loops.tasks.join_all().await;
    hub.tasks.close();
    hub.tasks.wait().await;
    net.stopped().await;
    outcome
}

/// The hub's loops, each with its name.
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

    /// Waits for the signal to stop, or for a loop that could not go on.
    async fn until_stopped(&mut self) -> Result<(), UserError> {
        tokio::select! {
            () = shutdown_signal() => Ok(()),
            ended = self.tasks.join_next() => match ended {
                Some(Ok((_, Err(error)))) => Err(error.into()),
                Some(Ok((name, Ok(())))) => Err(UserError::new(format!("the {name} ended"), ExitStatus::Failure)),
                Some(Err(error)) => Err(error.into()),
                None => Ok(()),
            },
        }
    }
}
