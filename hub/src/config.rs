//! The hub's config file: TOML with checked keys, read once.

use alloy_primitives::Address;
use gio_evm::Deployment;
use gio_protocol::{Gio, PricePerPu};
use serde::{Deserialize, Serialize};

/// `config.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The EVM chain's JSON-RPC.
    pub rpc_url: String,
    /// Where to listen, as multiaddrs.
    #[serde(default = "default_listen")]
    pub listen: Vec<String>,
    /// Peers to find others through.
    #[serde(default)]
    pub bootstrap: Vec<String>,
    /// Find peers on the local network.
    #[serde(default)]
    pub mdns: bool,
    /// The contracts.
    pub contracts: Deployment,
    /// What the hub is and wants.
    #[serde(default)]
    pub hub: HubConfig,
    /// Prices and the terms of a quote.
    #[serde(default)]
    pub prices: Prices,
}

/// What the hub says of itself, and its limits.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HubConfig {
    /// For people.
    pub name: String,
    /// Where it is, for example `eu-west`.
    pub region: String,
    /// Its wallet; found on chain when not set.
    pub wallet: Option<Address>,
    /// A unit without a result is given to another miner after this long.
    pub unit_seconds: u64,
    /// Blocks on top of an event before the hub believes it.
    pub confirmations: u64,
    /// How often the chain is asked for news.
    pub poll_ms: u64,
    /// Most bytes of uploads kept, in MiB.
    pub content_mib_max: u64,
}

/// Prices and the terms of a quote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Prices {
    /// What miners get for a PU.
    #[serde(with = "gio_protocol::amount::as_text")]
    pub net_price: PricePerPu,
    /// What the hub keeps of a PU, after the lock on the miners' part.
    #[serde(with = "gio_protocol::amount::as_text")]
    pub margin: PricePerPu,
    /// What the hub stakes on each deal.
    #[serde(with = "gio_protocol::amount::as_text")]
    pub guarantee: Gio,
    /// From the posted result to settlement by anyone.
    pub window_seconds: u64,
    /// How long a quote holds.
    pub quote_seconds: u64,
    /// A job due sooner than this is not quoted.
    pub deliver_seconds_min: u64,
}

impl Default for HubConfig {
    fn default() -> Self {
        Self {
            name: "a GIO hub".to_owned(),
            region: String::new(),
            wallet: None,
            // Four minutes of work at 1 PU a second and a transfer; a slower miner is better replaced.
            unit_seconds: 300,
            // Most EVM rollups and chains with fast finality; a chain that reorganises wants more.
            confirmations: 0,
            poll_ms: 250,
            content_mib_max: 16 * 1024,
        }
    }
}

impl Default for Prices {
    fn default() -> Self {
        Self {
            net_price: PricePerPu(Gio::from_units(1_000_000)),
            margin: PricePerPu(Gio::from_units(50_000)),
            guarantee: Gio::from_units(10_000_000),
            window_seconds: 3600,
            quote_seconds: 600,
            deliver_seconds_min: 30,
        }
    }
}

pub(crate) fn default_listen() -> Vec<String> {
    vec![
        "/ip4/0.0.0.0/tcp/7701".to_owned(),
        "/ip4/0.0.0.0/udp/7701/quic-v1".to_owned(),
    ]
}
