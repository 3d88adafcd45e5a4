//! What every command but `init` starts from: the home, its key, config, jobs and contents, and the way to the
//! chain and the network.

use gio_agent::{Code, Home, UserError, read_config, unix_now};
use gio_evm::{BlockHead, Chain};
use gio_keys::MachineKey;
use gio_net::{Multiaddr, Net, NetConfig};
use gio_protocol::{Address, UnixSeconds};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::config::Config;
use crate::content_store::ContentStore;
use crate::faults;
use crate::infra::sandbox::SandboxConfig;
use crate::job_store::JobStore;

/// A buyer's home, opened.
#[derive(Debug)]
pub struct Session {
    home: Home,
    key: MachineKey,
    config: Config,
    jobs: JobStore,
    contents: ContentStore,
}

/// The buyer's node; it ends when this is dropped.
#[derive(Debug)]
pub struct RunningNet {
    /// The node.
    pub net: Net,
    _stop: DropGuard,
}

impl Session {
    /// Opens a home that `init` made.
    ///
    /// # Errors
    /// A [`UserError`] that says what is missing.
    pub fn open(home: Home) -> Result<Self, UserError> {
        let key = home.key().map_err(faults::home)?;
        let config = read_config(&home.config_path()).map_err(faults::config)?;
        Ok(Self {
            key,
            config,
            jobs: JobStore::new(home.path("jobs")),
            contents: ContentStore::new(home.path("content")),
            home,
        })
    }

    /// The key that signs.
    #[must_use]
    pub fn key(&self) -> &MachineKey {
        &self.key
    }

    /// The buyer's account.
    #[must_use]
    pub fn address(&self) -> Address {
        self.key.address()
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The jobs.
    #[must_use]
    pub fn jobs(&self) -> &JobStore {
        &self.jobs
    }

    /// The buyer's own copies.
    #[must_use]
    pub fn contents(&self) -> &ContentStore {
        &self.contents
    }

    /// A folder of the home.
    #[must_use]
    pub fn folder(&self, name: &str) -> std::path::PathBuf {
        self.home.path(name)
    }

    /// How units run on this machine.
    #[must_use]
    pub fn sandbox(&self) -> SandboxConfig {
        SandboxConfig {
            cache_dir: Some(self.home.path("compiled")),
            threads: self.config.sandboxes,
        }
    }

    /// The chain, able to send transactions of the buyer.
    ///
    /// # Errors
    /// A [`UserError`] about the RPC or the contracts.
    pub async fn chain(&self) -> Result<Chain, UserError> {
        let key = Some(self.key.secret_bytes());
        Chain::connect(&self.config.rpc_url, self.config.contracts, key)
            .await
            .map_err(faults::connect)
    }

    /// Starts a node that only dials.
    ///
    /// # Errors
    /// A [`UserError`] about a bootstrap address or the transports.
    pub async fn net(&self) -> Result<RunningNet, UserError> {
        let addrs = self.config.bootstrap.iter();
        let bootstrap: Result<Vec<Multiaddr>, UserError> = addrs
            .map(|addr| {
                let error = |_| BadAddress(addr.clone());
                addr.parse()
                    .map_err(error)
                    .map_err(|error| UserError::of(Code::NetInvalid, error))
            })
            .collect();
        let stop = CancellationToken::new();
        let config = NetConfig {
            bootstrap: bootstrap?,
            mdns: self.config.mdns,
            agent: concat!("gio-buyer/", env!("CARGO_PKG_VERSION")).to_owned(),
            ..NetConfig::new(self.key.clone())
        };
        let net = Net::start(config, stop.clone())
            .await
            .map_err(faults::net)?;
        Ok(RunningNet {
            net,
            _stop: stop.drop_guard(),
        })
    }
}

/// A multiaddr that is none.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` in `bootstrap` is not a multiaddr such as /ip4/203.0.113.7/tcp/7701/p2p/<peer>")]
struct BadAddress(String);

/// The later of block time and local clock: an idle chain's last block lies back, and the next one will not (F5).
#[must_use]
pub fn now_at(head: &BlockHead) -> UnixSeconds {
    head.time.max(local_now())
}

/// The local clock.
#[must_use]
pub fn local_now() -> UnixSeconds {
    UnixSeconds(unix_now())
}
