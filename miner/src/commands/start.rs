//! `gio-miner start`.

use std::sync::Arc;

use gio_agent::control::ControlSocket;
use gio_agent::http::HttpServer;
use gio_agent::{Code, Hangups, Home, Shutdowns, UserError, clock_off, unix_now};
use gio_evm::{Chain, ConnectError};
use gio_net::{Net, Services};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{config, key, usage};
use crate::config::Config;
use crate::infra::chain::EvmChain;
use crate::infra::console::Console;
use crate::infra::metrics::{self, MinerSource};
use crate::infra::observe;
use crate::run::{Miner, MinerError, Parts};
use crate::services::{Deps, operate};

/// Where the address of `/metrics` is written, in the home.
const METRICS_ADDR: &str = "metrics.addr";

/// Mines until the stop signal.
///
/// # Errors
/// Whatever keeps the miner from starting, or made it stop.
pub async fn run(home: &Home) -> Result<(), UserError> {
    // The config is about to be read.
    let _early = Hangups::listen();
    let config = config(home)?;
    let key = key(home)?;
    let _lock = home.lock().map_err(|error| {
        UserError::of(Code::HomeBusy, error).hint("stop the other one, or use a second --home")
    })?;
    let owner = key.address();
    let chain = Chain::connect(&config.rpc_url, config.contracts, Some(key.secret_bytes()))
        .await
        .map_err(|error| told(error, &config))?;
    if let Some(off) = clock_off(unix_now(), chain.head().await?.time.0) {
        observe::clock_is_off(&off);
    }
    let http = HttpServer::open(config.metrics_listen, metrics::PORT).await;
    let http = http.map_err(|error| UserError::of(Code::NetInvalid, error))?;
    let stop_net = CancellationToken::new();
    let settings = config.net(key.clone()).map_err(usage)?;
    let net = Net::start(settings, stop_net.clone()).await?;
    net.serve(Services::new())?;
    let parts = Parts {
        key,
        chain_id: config.contracts.chain_id,
        chain: Arc::new(EvmChain::new(chain, owner)),
        net: net.clone(),
        console: Console::Stdout,
        config: config.miner,
    };
    let cores = parts.config.cores().get();
    let mut shutdowns = Shutdowns::listen();
    parts.console.started(owner, cores, home.folder());
    let miner = Miner::build(home.folder(), parts).await.map_err(ended)?;
    let doors = open_doors(home, &miner.deps(), http);
    let result = miner.run(async move { shutdowns.next().await }).await;
    doors.stop.cancel();
    doors.tasks.join_all().await;
    stop_net.cancel();
    net.stopped().await;
    result.map_err(ended)
}

/// Why a miner did not start, or did not go on.
fn ended(error: MinerError) -> UserError {
    if !matches!(error, MinerError::Store(_)) {
        return error.into();
    }
    UserError::of(Code::Database, error)
        .hint("make room on its disk, or see docs/recovery.md for a damaged miner.db; then start again")
        .next("gio-miner doctor")
}

/// The operator's doors: metrics and health, the control socket, SIGHUP.
struct Doors {
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

fn open_doors(home: &Home, deps: &Arc<Deps>, http: Option<HttpServer>) -> Doors {
    // They close when the miner ends, not after it: the store ends with the last of its holders, and they are some.
    let (mut tasks, stop) = (JoinSet::new(), deps.stop.ended.child_token());
    if let Some(server) = http {
        observe::serving_metrics(server.addr());
        // Only for people and tests that look for it.
        let _ = std::fs::write(home.path(METRICS_ADDR), server.addr().to_string());
        tasks.spawn(server.run(Arc::new(MinerSource(Arc::clone(deps))), stop.clone()));
    }
    match ControlSocket::bind(home) {
        Ok(socket) => {
            let (deps, home) = (Arc::clone(deps), home.clone());
            let answer = move |request| std::future::ready(operate::answer(&deps, &home, request));
            tasks.spawn(socket.run(answer, stop.clone()));
        }
        Err(error) => observe::without_control(&error),
    }
    tasks.spawn(operate::run(Arc::clone(deps), home.clone()));
    Doors { tasks, stop }
}

/// Why the chain's door stays shut, and what to do.
pub(super) fn told(error: ConnectError, config: &Config) -> UserError {
    let code = match &error {
        ConnectError::WrongChain { .. } => Code::WrongChain,
        error if error.is_transient() => Code::RpcUnreachable,
        _ => Code::ContractsWrong,
    };
    UserError::of(code, error).hint(format!(
        "is an RPC of chain {} at {}? `rpc_url` and `[contracts]` are in config.toml",
        config.contracts.chain_id, config.rpc_url
    ))
}
