//! A market of our own with one hub in it, a buyer, and miners that claim without running anything.

mod buyer;
mod miner;

use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use alloy::network::Ethereum;
use alloy::node_bindings::{Anvil, AnvilInstance};
use alloy::providers::RootProvider;
use alloy::providers::ext::AnvilApi;
use gio_agent::{Home, Role};
use gio_evm::devnet::{DeployParams, deploy};
use gio_evm::{Chain, Deployment, HubKind, HubRecord, WalletEvent};
use gio_hub::config::{Config, HubConfig, Limits, Prices};
use gio_hub::infra::store::Store;
use gio_hub::run::RunningHub;
use gio_keys::MachineKey;
use gio_net::{Multiaddr, Net, NetConfig, PeerId, peer_id_of};
use gio_protocol::{Address, B256, DealId, Gio};
use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

use crate::proxy::Proxy;

pub(crate) use buyer::{Buyer, Signed, job, module};
pub(crate) use miner::{FakeMiner, Given, hello, large_output, output, refused};

/// Not the one anvil would choose, so that nothing works by accident.
pub(crate) const CHAIN_ID: u64 = 31_338;
/// Far longer than anything here takes: a test that reaches it has failed.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn gio(text: &str) -> Gio {
    text.parse().unwrap()
}

/// Waits for something that must happen.
pub(crate) async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    match timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what} did not happen within {PATIENCE:?}"),
    }
}

/// Waits until `ready` says so.
pub(crate) async fn until(what: &str, mut ready: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !ready().await {
        assert!(Instant::now() < deadline, "waited too long: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// A chain with the contracts, and the home of a hub with a registered wallet.
pub(crate) struct Market {
    pub(crate) anvil: AnvilInstance,
    pub(crate) deployment: Deployment,
    pub(crate) home: TempDir,
    /// The hub's own connection, beside the one of the running hub.
    pub(crate) chain: Chain,
    pub(crate) key: MachineKey,
    pub(crate) wallet: Address,
    treasury: Chain,
}

impl Market {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A market whose hub has another config. Its wallet holds 10 GIO beside the stake of 1 GIO.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        install_tls();
        let path = contracts().join("node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil");
        assert!(
            path.exists(),
            "{} is missing: run scripts/bootstrap",
            path.display()
        );
        let anvil = Anvil::at(path).chain_id(CHAIN_ID).try_spawn().unwrap();
        let holder = key(&anvil, 0);
        let params = DeployParams::of_the_design(holder.address(), holder.address());
        let (rpc, out) = (anvil.endpoint(), contracts().join("out"));
        let deployment = deploy(&rpc, holder.secret_bytes(), &out, params)
            .await
            .unwrap();
        let connect = async |key: &MachineKey| {
            let secret = Some(key.secret_bytes());
            Chain::connect(&rpc, deployment, secret).await.unwrap()
        };
        let (treasury, hub) = (connect(&holder).await, key(&anvil, 1));
        let chain = connect(&hub).await;
        let (wallet, _) = chain.create_hub(B256::ZERO).await.unwrap();
        treasury.send_gio(wallet, gio("11")).await.unwrap();
        chain.register(wallet, record()).await.unwrap();
        let home = tempfile::tempdir().unwrap();
        write_home(&home, &hub, &rpc, deployment, change);
        Self {
            anvil,
            deployment,
            home,
            chain,
            key: hub,
            wallet,
            treasury,
        }
    }

    pub(crate) fn home(&self) -> Home {
        Home::new(Some(self.home.path().to_owned()), Role::Hub)
    }

    pub(crate) async fn launch(&self) -> TestHub {
        let home = self.home();
        let launched = Box::pin(RunningHub::launch(&home));
        let running = soon("the hub's start", launched).await;
        TestHub {
            running: running.unwrap_or_else(|error| panic!("{}", gio_agent::report(&error))),
            peer: peer_id_of(&self.key.public_key()),
        }
    }

    /// The hub's database, beside the running hub.
    pub(crate) async fn store(&self) -> Store {
        Store::open(&self.home.path().join("hub.db")).await.unwrap()
    }

    /// A connection of the nth account of anvil, and that account's key.
    pub(crate) async fn account(&self, n: usize) -> (MachineKey, Chain) {
        let key = key(&self.anvil, n);
        let secret = Some(key.secret_bytes());
        let chain = Chain::connect(&self.anvil.endpoint(), self.deployment, secret).await;
        (key, chain.unwrap())
    }

    pub(crate) async fn give(&self, to: Address, amount: Gio) {
        self.treasury.send_gio(to, amount).await.unwrap();
    }

    /// Anvil's own interface.
    pub(crate) fn node(&self) -> RootProvider<Ethereum> {
        RootProvider::new_http(self.anvil.endpoint_url())
    }

    /// From its next start on, the hub talks to the chain through this.
    pub(crate) async fn proxy(&self) -> Proxy {
        let proxy = Proxy::start(self.anvil.endpoint()).await;
        let path = self.home().config_path();
        let config = std::fs::read_to_string(&path).unwrap();
        let changed = config.replace(&self.anvil.endpoint(), &proxy.url());
        assert_ne!(changed, config);
        std::fs::write(&path, changed).unwrap();
        proxy
    }

    /// Block time moves on.
    pub(crate) async fn pass(&self, seconds: u64) {
        self.node().anvil_increase_time(seconds).await.unwrap();
        self.node().evm_mine(None).await.unwrap();
    }

    /// Gross sums of all payments of the wallet to a miner.
    pub(crate) async fn payments(&self, to: Address) -> Vec<Gio> {
        let head = self.chain.head().await.unwrap().number;
        let logs = self
            .chain
            .wallet_events(self.wallet, 0, head)
            .await
            .unwrap();
        let payments = logs.into_iter().filter_map(|log| match log.event {
            WalletEvent::PaymentApproved { miner, gross, .. } if miner == to => Some(gross),
            _ => None,
        });
        payments.collect()
    }

    /// Waits until the hub has written down that a deal reached a stage, and returns all it went through.
    pub(crate) async fn reaches(&self, deal: DealId, stage: &str) -> Vec<&'static str> {
        let store = self.store().await;
        let mut names = Vec::new();
        until(&format!("stage {stage}"), async || {
            let events = store.events(deal, 0).await.unwrap();
            names = events.iter().map(|event| event.stage.name()).collect();
            names.contains(&stage)
        })
        .await;
        names
    }
}

/// A hub in this process.
pub(crate) struct TestHub {
    pub(crate) running: RunningHub,
    pub(crate) peer: PeerId,
}

impl TestHub {
    pub(crate) fn addrs(&self) -> Vec<Multiaddr> {
        self.running.listen_addrs()
    }

    pub(crate) async fn stop(self) {
        soon("the hub's end", self.running.stop()).await;
    }
}

/// Somebody's node.
pub(crate) struct Node {
    pub(crate) net: Net,
    stop: CancellationToken,
}

impl Node {
    pub(crate) async fn start(key: &MachineKey) -> Self {
        let stop = CancellationToken::new();
        let net = Net::start(NetConfig::new(key.clone()), stop.clone())
            .await
            .unwrap();
        Self { net, stop }
    }

    pub(crate) async fn channel(&self, hub: &TestHub) -> Channel {
        let addrs = hub.addrs();
        let channel = self.net.channel(hub.peer, &addrs);
        soon("a connection", channel).await.unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub(crate) fn contracts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../contracts")
}

/// The nth account of anvil, which holds gas money.
fn key(anvil: &AnvilInstance, n: usize) -> MachineKey {
    MachineKey::from_bytes(&anvil.nth_key(n).unwrap().to_bytes().into()).unwrap()
}

fn record() -> HubRecord {
    HubRecord {
        endpoint: "/ip4/127.0.0.1/tcp/4001".to_owned(),
        name: "a hub".to_owned(),
        description: String::new(),
        kind: HubKind::Compute,
    }
}

/// Two TLS providers are linked; one must be chosen before anything asks.
fn install_tls() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    });
}

fn write_home(
    home: &TempDir,
    key: &MachineKey,
    rpc: &str,
    contracts: Deployment,
    change: impl FnOnce(&mut Config),
) {
    let mut config = Config {
        metrics_listen: gio_agent::http::Listen::Auto,
        rpc_url: rpc.to_owned(),
        listen: vec!["/ip4/127.0.0.1/tcp/0".to_owned()],
        bootstrap: Vec::new(),
        announce: Vec::new(),
        mdns: false,
        database_url: None,
        content_dir: None,
        contracts,
        hub: HubConfig {
            poll_ms: 20,
            ..HubConfig::default()
        },
        prices: Prices {
            net_price: gio("1").into(),
            margin: gio("0.1").into(),
            guarantee: gio("0.5"),
            window_seconds: 600,
            ..Prices::default()
        },
        limits: Limits::default(),
    };
    change(&mut config);
    config.check().unwrap();
    let text = toml::to_string(&config).unwrap();
    std::fs::write(home.path().join("config.toml"), text).unwrap();
    let home = Home::new(Some(home.path().to_owned()), Role::Hub);
    home.write_key(key).unwrap();
}
