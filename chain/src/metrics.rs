//! The node's metrics and health, as `docs/operations.md` lists them. One loop looks at the chain and at the peers; what
//! happens to the tip is counted as it happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gio_agent::http::{Health, Source};
use gio_agent::metrics::Metric;
use gio_agent::unix_now;
use gio_coin::Network;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use crate::chain::ChainEvent;
use crate::ledger::LedgerHandle;
use crate::peers::{Command, PeersHandle};

/// The port of `/metrics` and `/health` on loopback.
pub(crate) const PORT: u16 = 9643;
/// How often chain and peers are looked at; a scraper comes every few seconds.
const LOOK: Duration = Duration::from_secs(1);
/// A node whose chain and peers have not answered for so long is stuck.
const SILENT_SECONDS: u64 = 30;

static BLOCKS: Metric = Metric::gauge(
    "gio_chain_blocks",
    "Height of the tip: blocks that are checked and applied.",
);
static HEADERS: Metric = Metric::gauge(
    "gio_chain_headers",
    "Height of the best header, which is above the tip while the node syncs.",
);
static TIP_TIME: Metric = Metric::gauge(
    "gio_chain_tip_time_seconds",
    "When the tip was made, as it says itself, in seconds of Unix time.",
);
static PEERS: Metric = Metric::gauge("gio_chain_peers", "Connected nodes.");
static MEMPOOL: Metric = Metric::gauge(
    "gio_chain_mempool_transactions",
    "Transactions that wait for a block.",
);
static MEMPOOL_BYTES: Metric = Metric::gauge(
    "gio_chain_mempool_bytes",
    "Size of the transactions that wait.",
);
static CONNECTED: Metric = Metric::counter("gio_chain_blocks_connected_total", "Blocks applied.");
static DISCONNECTED: Metric = Metric::counter(
    "gio_chain_blocks_disconnected_total",
    "Blocks undone, because another branch has more work.",
);

/// Every metric, in the order of the document.
#[must_use]
pub(crate) fn all() -> Vec<&'static Metric> {
    vec![
        &BLOCKS,
        &HEADERS,
        &TIP_TIME,
        &PEERS,
        &MEMPOOL,
        &MEMPOOL_BYTES,
        &CONNECTED,
        &DISCONNECTED,
    ]
}

/// What is served of a node.
#[derive(Debug)]
pub(crate) struct ChainSource {
    /// A node of a network for tests mines alone.
    needs_peers: bool,
    /// When chain and peers answered last, by the local clock.
    seen: AtomicU64,
}

impl ChainSource {
    pub(crate) fn new(network: Network) -> Arc<Self> {
        Arc::new(Self {
            needs_peers: network != Network::Regtest,
            seen: AtomicU64::new(unix_now()),
        })
    }

    /// Keeps the metrics up to date until the node stops.
    pub(crate) async fn watch(
        self: Arc<Self>,
        ledger: LedgerHandle,
        peers: PeersHandle,
        stop: CancellationToken,
    ) {
        let mut news = ledger.listen();
        let mut tick = interval(LOOK);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                event = news.recv() => match event {
                    Ok(ChainEvent::Connected { .. }) => CONNECTED.inc(),
                    Ok(ChainEvent::Disconnected { .. }) => DISCONNECTED.inc(),
                    // So many were missed, most of them blocks of a node that catches up.
                    Err(RecvError::Lagged(missed)) => CONNECTED.add(missed),
                    Err(RecvError::Closed) => return,
                },
                _ = tick.tick() => tokio::select! {
                    () = stop.cancelled() => return,
                    () = self.look(&ledger, &peers) => {}
                },
            }
        }
    }

    async fn look(&self, ledger: &LedgerHandle, peers: &PeersHandle) {
        let heights = ledger.call(|ledger| {
            let (chain, tree) = (ledger.chain(), ledger.chain().headers());
            BLOCKS.set(chain.tip_height().into());
            HEADERS.set(tree.height(&tree.best_header()).unwrap_or(0).into());
            let tip = tree.header(&chain.tip());
            TIP_TIME.set(tip.map_or(0, |tip| tip.time.into()));
            MEMPOOL.set(ledger.mempool().len() as u64);
            MEMPOOL_BYTES.set(ledger.mempool().bytes() as u64);
        });
        if heights.await.is_err() {
            return;
        }
        if let Ok(connected) = peers.ask(Command::Peers).await {
            PEERS.set(connected.len() as u64);
            self.seen.store(unix_now(), Ordering::Relaxed);
        }
    }
}

impl Source for ChainSource {
    fn role(&self) -> &'static str {
        "chain"
    }

    fn metrics(&self) -> Vec<&'static Metric> {
        all()
    }

    fn health(&self) -> Health {
        let silent = unix_now().saturating_sub(self.seen.load(Ordering::Relaxed));
        let stuck = silent > SILENT_SECONDS;
        let (blocks, headers) = (BLOCKS.get(), HEADERS.get());
        let alone = self.needs_peers && PEERS.get() == 0;
        Health {
            checks: vec![
                (
                    "node",
                    stuck.then(|| format!("has not answered for {silent} s")),
                ),
                (
                    "chain",
                    (blocks < headers).then(|| format!("syncing: {blocks} of {headers} blocks")),
                ),
                (
                    "peers",
                    alone.then(|| "connected to no other node".to_owned()),
                ),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use gio_agent::metrics::{bless_table, misnamed};

    use super::*;

    #[test]
    fn names_and_the_table_of_docs_operations_md_are_right() {
        assert_eq!(misnamed(&all(), "chain"), Vec::<&str>::new());
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md");
        bless_table(&path, "chain", &all()).unwrap();
    }

    #[test]
    fn a_node_of_a_network_with_money_needs_peers_and_one_for_tests_does_not() {
        let trouble = |network| {
            let health = ChainSource::new(network).health();
            let peers = health.checks.into_iter().find(|(name, _)| *name == "peers");
            peers.unwrap().1
        };
        assert_eq!(trouble(Network::Regtest), None);
        assert!(trouble(Network::Main).is_some());
    }

    #[test]
    fn a_node_that_does_not_answer_itself_is_not_well() {
        let source = ChainSource::new(Network::Regtest);
        assert!(source.health().is_good());
        let long_ago = unix_now() - SILENT_SECONDS - 1;
        source.seen.store(long_ago, Ordering::Relaxed);
        let (_, trouble) = source.health().checks.remove(0);
        assert!(trouble.unwrap().contains("has not answered for"));
    }
}
