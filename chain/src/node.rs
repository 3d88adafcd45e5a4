//! Builds the node and runs it: every part in order, every loop by name.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gio_agent::files::{Access, write_durably};
use gio_agent::http::HttpServer;
use gio_agent::{Code, ExitStatus, Home, Shutdowns, UserError, random_word};
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::commands::config;
use crate::config::Config;
use crate::folder::open_chain;
use crate::ledger::{Ledger, LedgerHandle};
use crate::metrics::{self, ChainSource};
use crate::peers::{Manager, Patience, PeerSettings, PeersHandle};
use crate::rpc::{Api, Rpc};
use crate::trouble;

/// How often progress is looked at.
const PROGRESS: Duration = Duration::from_secs(5);

/// `gio-chain node`.
///
/// # Errors
/// Whatever keeps the node from starting, or made one of its loops stop.
pub(crate) async fn start(home: &Home, reindex: bool) -> Result<(), UserError> {
    let config = config(home)?;
    let _lock = home.lock().map_err(|error| {
        UserError::of(Code::HomeBusy, error).hint("one node at a time uses a folder")
    })?;
    let chain = open_chain(home, &config, reindex)?;
    info!(height = chain.tip_height(), tip = %chain.tip(), "the chain is open");
    let random = random_word();
    let (tag, nonce) = (first_eight(&random.0), first_eight(&random.0[24..]));
    let (ledger, work) = LedgerHandle::new(Ledger::new(chain, tag));
    let stop = CancellationToken::new();
    let mut loops = Loops {
        tasks: JoinSet::new(),
    };
    loops
        .tasks
        .spawn_blocking(move || (LEDGER, work().map_err(trouble::broken)));
    let mut outcome = run(
        home,
        &config,
        ledger,
        u64::from_le_bytes(nonce),
        &stop,
        &mut loops,
    )
    .await;
    info!("stopping");
    stop.cancel();
    while let Some(ended) = loops.tasks.join_next().await {
        // When the chain fails, whoever asks it fails too: the ledger's own error says why.
        if let Ok((LEDGER, Err(error))) = ended {
            outcome = Err(error);
        }
    }
    for name in [COOKIE, ENDPOINTS, METRICS_ADDR] {
        // Gone already is fine: they are only true while the node runs.
        let _ = std::fs::remove_file(home.path(name));
    }
    outcome
}

/// The loop that owns the chain.
const LEDGER: &str = "ledger";
/// The password of JSON-RPC, new at every start.
pub(crate) const COOKIE: &str = ".cookie";
/// Where the node listens.
pub(crate) const ENDPOINTS: &str = "endpoints.json";
/// Where the address of `/metrics` is written.
const METRICS_ADDR: &str = "metrics.addr";

fn first_eight(bytes: &[u8]) -> [u8; 8] {
    bytes.first_chunk().copied().unwrap_or_default()
}

async fn run(
    home: &Home,
    config: &Config,
    ledger: LedgerHandle,
    nonce: u64,
    stop: &CancellationToken,
    loops: &mut Loops,
) -> Result<(), UserError> {
    let http = HttpServer::open(config.metrics_listen, metrics::PORT).await;
    let http = http.map_err(|error| UserError::of(Code::NetInvalid, error))?;
    let (peers, commands) = PeersHandle::new();
    let settings = PeerSettings {
        listen: config.listen,
        connect: config.connect.clone(),
        discover: config.discover,
        seeds: config.seeds.clone(),
        min_work: config.min_work(),
        book: home.path("peers.json"),
        bans: home.path("bans.json"),
        agent: concat!("/gio-chain:", env!("CARGO_PKG_VERSION"), "/").to_owned(),
        nonce,
        patience: Patience::default(),
    };
    let manager = Manager::start(settings, ledger.clone(), commands, stop.clone()).await?;
    let listening = manager.listening();
    let api = Api {
        ledger: ledger.clone(),
        peers: peers.clone(),
        stop: stop.clone(),
        network: config.network.network(),
        listening,
        started: Instant::now(),
        mine_to: config.mine_to()?,
    };
    let cookie = format!("__cookie__:{:x}", random_word());
    write_durably(&home.path(COOKIE), cookie.as_bytes(), Access::Secret)?;
    let rpc = Rpc::bind(config.rpc, api, &cookie).await?;
    let endpoints = json!({"peers": listening, "rpc": rpc.address()});
    write_durably(
        &home.path(ENDPOINTS),
        endpoints.to_string().as_bytes(),
        Access::Public,
    )?;
    serve_metrics(home, config, http, (&ledger, &peers), stop, loops);
    let mut shutdowns = Shutdowns::listen();
    info!(peers = %listening, rpc = %rpc.address(), "the node is ready");
    loops.add("peers", async move {
        manager.run().await.map_err(trouble::peers)
    });
    loops.add(
        "rpc",
        async move { rpc.run().await.map_err(UserError::from) },
    );
    let until = stop.clone();
    loops.add("progress", async move {
        progress(ledger, listening, until).await;
        Ok(())
    });
    tokio::select! {
        () = shutdowns.next() => Ok(()),
        () = stop.cancelled() => Ok(()),
        ended = loops.tasks.join_next() => match ended {
            Some(Ok((_, Err(error)))) => Err(error),
            // A loop may have heard of the stop before this one did.
            Some(Ok((_, Ok(())))) if stop.is_cancelled() => Ok(()),
            Some(Ok((name, Ok(())))) => Err(UserError::new(format!("the {name} ended"), ExitStatus::Failure)),
            Some(Err(error)) => Err(error.into()),
            None => Ok(()),
        },
    }
}

/// The operator's door: metrics and health, and the loop that keeps them up to date.
fn serve_metrics(
    home: &Home,
    config: &Config,
    http: Option<HttpServer>,
    (ledger, peers): (&LedgerHandle, &PeersHandle),
    stop: &CancellationToken,
    loops: &mut Loops,
) {
    let Some(server) = http else { return };
    info!(addr = %server.addr(), "serving /metrics and /health");
    // Only for people and tests that look for it.
    let _ = std::fs::write(home.path(METRICS_ADDR), server.addr().to_string());
    let source = ChainSource::new(config.network.network());
    let watch = Arc::clone(&source).watch(ledger.clone(), peers.clone(), stop.clone());
    let serve = server.run(source, stop.clone());
    loops.add("metrics", async move {
        tokio::join!(watch, serve);
        Ok(())
    });
}

/// The node's loops, each with its name.
struct Loops {
    tasks: JoinSet<(&'static str, Result<(), UserError>)>,
}

impl Loops {
    fn add(
        &mut self,
        name: &'static str,
        work: impl Future<Output = Result<(), UserError>> + Send + 'static,
    ) {
        self.tasks.spawn(async move { (name, work.await) });
    }
}

/// Says how far the node is while it catches up.
async fn progress(ledger: LedgerHandle, listening: SocketAddr, stop: CancellationToken) {
    let mut told = 0;
    let mut tick = tokio::time::interval(PROGRESS);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        let heights = ledger.call(|ledger| {
            let (chain, tree) = (ledger.chain(), ledger.chain().headers());
            let headers = tree.height(&tree.best_header()).unwrap_or(0);
            (chain.tip_height(), headers)
        });
        let Ok((blocks, headers)) = heights.await else {
            return;
        };
        if blocks < headers {
            let percent = u64::from(blocks) * 100 / u64::from(headers.max(1));
            info!(blocks, headers, percent, "syncing");
            if blocks == told {
                warn!(%listening, "no block came since; no peer may have them");
            }
        } else if blocks != told {
            info!(blocks, "at the tip");
        }
        told = blocks;
    }
}
