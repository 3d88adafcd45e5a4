//! A market of one hub and one miner.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gio_keys::MachineKey;
use gio_miner::config::MinerConfig;
use gio_miner::domain::trust::Backing;
use gio_miner::infra::console::Console;
use gio_miner::run::{Miner, MinerError, Parts};
use gio_miner::services::Deps;
use gio_net::{Net, NetConfig};
use gio_protocol::{DealStage, Gio, PricePerPu, UnixSeconds};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::chain::{FakeChain, registered};
use crate::hub::{FakeHub, Session};
use crate::job::{CHAIN_ID, Deal, NET_PRICE};

/// Unpaid work for a hub that never paid: ten times what a unit of these tests may cost.
pub(crate) const EXPOSURE: u64 = NET_PRICE;
/// Long enough for a busy machine.
const SOON: Duration = Duration::from_secs(30);

pub(crate) struct Market {
    pub(crate) hub: FakeHub,
    pub(crate) chain: FakeChain,
    pub(crate) miner: Option<RunningMiner>,
    folder: tempfile::TempDir,
}

pub(crate) struct RunningMiner {
    pub(crate) deps: Arc<Deps>,
    stop: oneshot::Sender<()>,
    stop_net: CancellationToken,
    running: JoinHandle<Result<(), MinerError>>,
}

pub(crate) fn miner_key() -> MachineKey {
    MachineKey::from_bytes(&[0x33; 32]).unwrap()
}

pub(crate) fn config() -> MinerConfig {
    MinerConfig {
        cores: 2,
        prefetch: 6,
        net_price_min: PricePerPu(Gio::from_units(NET_PRICE)),
        exposure_initial: Gio::from_units(EXPOSURE),
        unit_memory_mib: 4,
        drain_seconds: 1,
        ..MinerConfig::default()
    }
}

impl Market {
    /// A hub that the chain confirms, announced; no miner yet.
    pub(crate) async fn without_miner() -> Self {
        let mut hub = FakeHub::start(0x11).await;
        hub.announce(NET_PRICE).await;
        let chain = FakeChain::default();
        {
            let mut facts = chain.facts();
            facts.hubs.insert(hub.wallet, registered(hub.key.address()));
            facts.backing = Backing {
                free: Gio::from_units(1_000_000_000),
                escrow: Gio::ZERO,
            };
            facts.time = UnixSeconds(1_850_000_000);
        }
        Self {
            hub,
            chain,
            miner: None,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// The same with a miner, and its work stream.
    pub(crate) async fn open() -> (Self, Session) {
        Self::open_with(config()).await
    }

    /// The same with a miner that would run a thousand PU on credit.
    pub(crate) async fn trusting() -> (Self, Session) {
        Self::trusting_with(config()).await
    }

    /// The same, with another config.
    pub(crate) async fn trusting_with(config: MinerConfig) -> (Self, Session) {
        let exposure_initial = Gio::from_units(1_000 * NET_PRICE);
        Self::open_with(MinerConfig {
            exposure_initial,
            ..config
        })
        .await
    }

    async fn open_with(config: MinerConfig) -> (Self, Session) {
        let mut market = Self::without_miner().await;
        market.start_miner(config).await;
        let session = market.hub.session().await;
        (market, session)
    }

    pub(crate) fn home(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join(gio_miner::run::DATABASE)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the handle is awaited by `stop_miner`"
    )]
    pub(crate) async fn start_miner(&mut self, config: MinerConfig) {
        let stop_net = CancellationToken::new();
        let settings = NetConfig {
            bootstrap: vec![self.hub.addr()],
            ..NetConfig::new(miner_key())
        };
        let net = Net::start(settings, stop_net.clone()).await.unwrap();
        let parts = Parts {
            key: miner_key(),
            config,
            chain_id: CHAIN_ID,
            chain: Arc::new(self.chain.clone()),
            net,
            console: Console::Silent,
        };
        let miner = Miner::build(self.folder.path(), parts).await.unwrap();
        let deps = miner.deps();
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async { drop(stopped.await) };
        self.miner = Some(RunningMiner {
            deps,
            stop,
            stop_net,
            running: tokio::spawn(miner.run(shutdown)),
        });
    }

    /// As SIGTERM would.
    pub(crate) async fn stop_miner(&mut self) {
        let miner = self.miner.take().unwrap();
        // What `deps` holds keeps the database open.
        drop(miner.deps);
        miner.stop.send(()).unwrap();
        let ended = timeout(SOON, miner.running).await;
        ended.expect("the miner stops").unwrap().unwrap();
        miner.stop_net.cancel();
    }

    pub(crate) fn deps(&self) -> &Deps {
        &self.miner.as_ref().unwrap().deps
    }

    /// Opens a deal on chain and serves its module.
    pub(crate) fn open_deal(&self, deal: &Deal) {
        self.chain.facts().stages.insert(deal.id, DealStage::Open);
        self.hub.serve(&deal.module);
    }
}

/// Waits for a condition.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut look: impl FnMut() -> F,
) -> T {
    let waiting = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    let found = timeout(SOON, waiting).await;
    found.unwrap_or_else(|_| panic!("{what} did not happen"))
}
