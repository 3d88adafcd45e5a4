//! The node's config file: TOML with checked keys, read once.

use std::net::SocketAddr;

use clap::ValueEnum;
use gio_coin::{Network, Params, Work};
use serde::{Deserialize, Serialize};

/// Which network, as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum NetworkName {
    /// Money.
    Main,
    /// The same rules, worthless coins.
    Test,
    /// Blocks at will.
    Regtest,
}

impl NetworkName {
    /// The network.
    #[must_use]
    pub const fn network(self) -> Network {
        match self {
            Self::Main => Network::Main,
            Self::Test => Network::Test,
            Self::Regtest => Network::Regtest,
        }
    }
}

/// `config.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The network; a folder never changes its network.
    pub network: NetworkName,
    /// Where to listen for peers; nowhere when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// Where to answer JSON-RPC; must be on this machine.
    pub rpc: SocketAddr,
    /// Nodes to stay connected to.
    #[serde(default)]
    pub connect: Vec<SocketAddr>,
    /// Whether to seek other nodes besides those.
    pub discover: bool,
    /// Addresses to begin that search with.
    #[serde(default)]
    pub seeds: Vec<SocketAddr>,
    /// The least work a branch must have to be worth memory, in expected hashes.
    #[serde(default)]
    pub min_work: u64,
}

impl Config {
    /// What `init` writes for a network.
    #[must_use]
    pub fn new(network: NetworkName) -> Self {
        let params = Params::of(network.network());
        // Blocks at will are for this machine only.
        let anywhere = match network {
            NetworkName::Regtest => [127, 0, 0, 1],
            NetworkName::Main | NetworkName::Test => [0, 0, 0, 0],
        };
        Self {
            network,
            listen: Some(SocketAddr::from((anywhere, params.port))),
            rpc: SocketAddr::from(([127, 0, 0, 1], params.rpc_port)),
            connect: Vec::new(),
            discover: network != NetworkName::Regtest,
            seeds: Vec::new(),
            min_work: 0,
        }
    }

    /// [`Self::min_work`] as work.
    #[must_use]
    pub fn min_work(&self) -> Work {
        Work::from_hashes(self.min_work)
    }
}
