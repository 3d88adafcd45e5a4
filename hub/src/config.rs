//! The hub's config file: TOML with checked keys, read once.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use alloy_primitives::Address;
use gio_agent::http::Listen;
use gio_agent::maintenance::Window;
use gio_evm::Deployment;
use gio_net::Multiaddr;
use gio_protocol::terms::WINDOW_MAX_SECONDS;
use gio_protocol::{Gio, PricePerPu, least_gross_price};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::domain::agreement::OPEN_SECONDS_MAX;
use crate::domain::size::SizeLimits;
use crate::infra::content::CONTENT_BYTES_MAX;

/// Longest name: what the register of hubs and an announcement take.
const NAME_BYTES_MAX: usize = 64;
/// Longest region: what an announcement takes.
const REGION_BYTES_MAX: usize = 128;
/// Most units of one deal: the list of its outputs still fits one message.
const UNITS_MAX: u32 = 131_072;
/// Least memory budget: one content of the largest size, read and decoded.
const MEMORY_MIB_MIN: u64 = 8 * (CONTENT_BYTES_MAX >> 20);

/// `config.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Where others reach this hub, if it is not where it listens: behind a load balancer or a router.
    #[serde(default)]
    pub announce: Vec<String>,
    /// Find peers on the local network.
    #[serde(default)]
    pub mdns: bool,
    /// Where `/metrics` and `/health` are served: `auto`, `off` or an address.
    #[serde(default)]
    pub metrics_listen: Listen,
    /// A PostgreSQL database that several processes share; a file in the hub's folder when not set.
    pub database_url: Option<String>,
    /// Where large contents lie, for processes that share a database; in the hub's folder when not set.
    pub content_dir: Option<PathBuf>,
    /// The contracts.
    pub contracts: Deployment,
    /// What the hub is and wants.
    #[serde(default)]
    pub hub: HubConfig,
    /// Prices and the terms of a quote.
    #[serde(default)]
    pub prices: Prices,
    /// What others may ask of this machine.
    #[serde(default)]
    pub limits: Limits,
}

/// What the hub says of itself, and how it works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Blocks on top of an event, or of a payment of its own, before the hub believes it.
    pub confirmations: u64,
    /// How often the chain is asked for news.
    pub poll_ms: u64,
    /// How long units that run may go on after a stop signal.
    pub drain_seconds: u64,
    /// Hours of every day, UTC, in which no new deals are taken.
    pub maintenance: Vec<Window>,
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
    /// From the posted result to settlement by anyone; a buyer may ask for more.
    pub window_seconds: u64,
    /// Longest window this hub signs: its miners wait for their pay until the window is over.
    pub window_seconds_max: u64,
    /// How long a quote holds.
    pub quote_seconds: u64,
    /// A job due sooner than this is not quoted.
    pub deliver_seconds_min: u64,
    /// A job due later than this is not signed: its guarantee is held until then.
    pub deliver_seconds_max: u64,
}

/// What others may ask of this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Deals signed or worked on at once.
    pub deals: u32,
    /// Units of one deal.
    pub units: u32,
    /// Module and inputs of one job, in MiB.
    pub input_mib: u64,
    /// All input images of one job's units together, in MiB: they are hashed before the hub signs.
    pub image_mib: u64,
    /// Memory for checking jobs and results, in MiB; one job takes at most half of it.
    pub memory_mib: u64,
    /// Memory for the deals being worked on, in MiB.
    pub deals_mib: u64,
    /// Disk for contents of all kinds, in MiB.
    pub content_mib: u64,
    /// Uploads of one peer that no deal uses yet, in MiB.
    pub upload_mib: u64,
    /// Uploads that no deal uses are dropped after this long.
    pub upload_minutes: u64,
    /// Results are kept this long after their deal is over.
    pub result_days: u64,
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
            // What service managers give a process before they kill it is longer.
            drain_seconds: 10,
            maintenance: Vec::new(),
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
            window_seconds_max: 24 * 3600,
            quote_seconds: 600,
            deliver_seconds_min: 30,
            deliver_seconds_max: 7 * 24 * 3600,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deals: 256,
            units: UNITS_MAX,
            input_mib: 256,
            // Eight seconds of one core at the 128 MB/s keccak makes.
            image_mib: 1024,
            memory_mib: 2048,
            deals_mib: 4096,
            content_mib: 16 * 1024,
            upload_mib: 1024,
            upload_minutes: 60,
            result_days: 30,
        }
    }
}

impl Limits {
    /// The limits on one job, in bytes.
    #[must_use]
    pub fn job(&self) -> SizeLimits {
        SizeLimits {
            units: self.units,
            input_bytes: mib(self.input_mib),
            image_bytes: mib(self.image_mib),
            memory_bytes: mib(self.memory_mib) / 2,
        }
    }
}

/// A config that cannot be worked with.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{key}` {problem}")]
pub struct InvalidConfig {
    /// Which key.
    pub key: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

impl Config {
    /// The rules that types cannot hold.
    ///
    /// # Errors
    /// The first key that breaks one.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        let invalid = |key, problem: &dyn ToString| InvalidConfig {
            key,
            problem: problem.to_string(),
        };
        let addrs = [
            ("listen", &self.listen),
            ("bootstrap", &self.bootstrap),
            ("announce", &self.announce),
        ];
        for (key, texts) in addrs {
            let wrong = texts.iter().find(|text| !is_multiaddr(text));
            if let Some(text) = wrong {
                return Err(invalid(
                    key,
                    &format!("holds `{text}`, which is no multiaddr"),
                ));
            }
        }
        let is_postgres =
            |url: &str| url.starts_with("postgres://") || url.starts_with("postgresql://");
        if self
            .database_url
            .as_deref()
            .is_some_and(|url| !is_postgres(url))
        {
            // Not shown: it may hold a password.
            return Err(invalid("database_url", &"is no postgres:// address"));
        }
        let name = self.hub.name.len();
        if name == 0 || name > NAME_BYTES_MAX {
            return Err(invalid(
                "hub.name",
                &format!("must have 1 to {NAME_BYTES_MAX} bytes"),
            ));
        }
        if self.hub.region.len() > REGION_BYTES_MAX {
            return Err(invalid(
                "hub.region",
                &format!("has at most {REGION_BYTES_MAX} bytes"),
            ));
        }
        self.check_prices().and_then(|()| self.check_numbers())
    }

    /// The first key that another config has different and that only a restart takes over.
    #[must_use]
    pub fn fixed_difference(&self, other: &Self) -> Option<&'static str> {
        let (hub, limits) = (&self.hub, &self.limits);
        let keys = [
            ("rpc_url", self.rpc_url != other.rpc_url),
            ("listen", self.listen != other.listen),
            ("bootstrap", self.bootstrap != other.bootstrap),
            ("mdns", self.mdns != other.mdns),
            (
                "metrics_listen",
                self.metrics_listen != other.metrics_listen,
            ),
            ("contracts", self.contracts != other.contracts),
            ("hub.wallet", hub.wallet != other.hub.wallet),
            (
                "hub.unit_seconds",
                hub.unit_seconds != other.hub.unit_seconds,
            ),
            (
                "hub.confirmations",
                hub.confirmations != other.hub.confirmations,
            ),
            ("hub.poll_ms", hub.poll_ms != other.hub.poll_ms),
            (
                "limits.memory_mib",
                limits.memory_mib != other.limits.memory_mib,
            ),
            (
                "limits.content_mib",
                limits.content_mib != other.limits.content_mib,
            ),
            (
                "limits.upload_mib",
                limits.upload_mib != other.limits.upload_mib,
            ),
            (
                "limits.upload_minutes",
                limits.upload_minutes != other.limits.upload_minutes,
            ),
        ];
        keys.into_iter()
            .find(|(_, differs)| *differs)
            .map(|(key, _)| key)
    }

    fn check_prices(&self) -> Result<(), InvalidConfig> {
        let invalid = |key, problem: &str| InvalidConfig {
            key,
            problem: problem.to_owned(),
        };
        let prices = &self.prices;
        if least_gross_price(prices.net_price, prices.margin).is_err() {
            return Err(invalid("prices.net_price", "leaves the range of amounts"));
        }
        if prices.net_price.0 == Gio::ZERO {
            return Err(invalid(
                "prices.net_price",
                "is zero; no miner works for that",
            ));
        }
        if prices.window_seconds > prices.window_seconds_max {
            return Err(invalid(
                "prices.window_seconds",
                "is above `window_seconds_max`",
            ));
        }
        if prices.deliver_seconds_min > prices.deliver_seconds_max {
            return Err(invalid(
                "prices.deliver_seconds_min",
                "is above `deliver_seconds_max`",
            ));
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<(), InvalidConfig> {
        let (hub, prices, limits) = (&self.hub, &self.prices, &self.limits);
        let (day, input) = (24 * 3600, limits.input_mib);
        within("hub.unit_seconds", hub.unit_seconds, 1..=day)?;
        within("hub.confirmations", hub.confirmations, 0..=10_000)?;
        within("hub.poll_ms", hub.poll_ms, 10..=60_000)?;
        within("hub.drain_seconds", hub.drain_seconds, 0..=3600)?;
        let window_max = prices.window_seconds_max;
        within(
            "prices.window_seconds_max",
            window_max,
            0..=WINDOW_MAX_SECONDS,
        )?;
        within(
            "prices.quote_seconds",
            prices.quote_seconds,
            10..=OPEN_SECONDS_MAX,
        )?;
        let deliver_max = prices.deliver_seconds_max;
        within("prices.deliver_seconds_max", deliver_max, 1..=365 * day)?;
        within("limits.deals", limits.deals.into(), 1..=1 << 20)?;
        within("limits.units", limits.units.into(), 1..=UNITS_MAX.into())?;
        within("limits.input_mib", input, 1..=1 << 20)?;
        within("limits.image_mib", limits.image_mib, 1..=1 << 20)?;
        within(
            "limits.memory_mib",
            limits.memory_mib,
            MEMORY_MIB_MIN..=1 << 20,
        )?;
        within("limits.deals_mib", limits.deals_mib, input..=1 << 22)?;
        within("limits.content_mib", limits.content_mib, input..=1 << 30)?;
        within("limits.upload_mib", limits.upload_mib, input..=1 << 30)?;
        within(
            "limits.upload_minutes",
            limits.upload_minutes,
            1..=365 * 24 * 60,
        )?;
        within("limits.result_days", limits.result_days, 0..=3650)
    }
}

fn within(
    key: &'static str,
    value: u64,
    allowed: RangeInclusive<u64>,
) -> Result<(), InvalidConfig> {
    if allowed.contains(&value) {
        return Ok(());
    }
    let (least, most) = allowed.into_inner();
    let problem = format!("is {value}; allowed are {least} to {most}");
    Err(InvalidConfig { key, problem })
}

pub(crate) fn default_listen() -> Vec<String> {
    vec![
        "/ip4/0.0.0.0/tcp/7701".to_owned(),
        "/ip4/0.0.0.0/udp/7701/quic-v1".to_owned(),
    ]
}

fn is_multiaddr(text: &str) -> bool {
    text.parse::<Multiaddr>().is_ok_and(|addr| !addr.is_empty())
}

/// MiB in bytes.
pub(crate) fn mib(mib: u64) -> u64 {
    mib.saturating_mul(1 << 20)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const EXAMPLE: &str = include_str!("../config.example.toml");

    fn example() -> Config {
        toml::from_str(EXAMPLE).unwrap()
    }

    #[test]
    fn the_example_is_valid_and_shows_every_default() {
        let example = example();
        assert_eq!(example.check(), Ok(()));
        assert_eq!(example.prices, Prices::default());
        assert_eq!(example.limits, Limits::default());
        let hub = HubConfig {
            name: example.hub.name.clone(),
            region: example.hub.region.clone(),
            ..HubConfig::default()
        };
        assert_eq!(example.hub, hub);
        assert_eq!(example.listen, default_listen());
    }

    #[test]
    fn the_example_names_every_key() {
        let written: toml::Table = toml::from_str(&toml::to_string(&example()).unwrap()).unwrap();
        let shown: toml::Table = toml::from_str(EXAMPLE).unwrap();
        let keys = |table: &toml::Table, section: &str| -> Vec<String> {
            let section = table.get(section).and_then(toml::Value::as_table);
            section.unwrap().keys().cloned().collect()
        };
        for section in ["contracts", "hub", "prices", "limits"] {
            assert_eq!(
                keys(&written, section),
                keys(&shown, section),
                "[{section}]"
            );
        }
        assert_eq!(
            written.keys().collect::<Vec<_>>(),
            shown.keys().collect::<Vec<_>>()
        );
    }

    #[test]
    fn unknown_keys_are_refused() {
        let text = EXAMPLE.replace("poll_ms", "pol_ms");
        assert!(toml::from_str::<Config>(&text).is_err());
    }

    #[test]
    fn values_nobody_can_work_with_are_named() {
        type Change = fn(&mut Config);
        let changes: [(&str, Change); 11] = [
            ("announce", |c| c.announce = vec!["here".to_owned()]),
            ("database_url", |c| {
                c.database_url = Some("mysql://here".to_owned())
            }),
            ("listen", |c| c.listen = vec!["localhost:1".to_owned()]),
            ("bootstrap", |c| c.bootstrap = vec!["/ip4".to_owned()]),
            ("hub.name", |c| c.hub.name.clear()),
            ("hub.region", |c| c.hub.region = "x".repeat(129)),
            ("prices.net_price", |c| {
                c.prices.net_price.0 = Gio::from_units(u64::MAX)
            }),
            ("prices.window_seconds", |c| {
                c.prices.window_seconds = 86_401
            }),
            ("hub.poll_ms", |c| c.hub.poll_ms = 0),
            ("limits.units", |c| c.limits.units = UNITS_MAX + 1),
            ("limits.memory_mib", |c| {
                c.limits.memory_mib = MEMORY_MIB_MIN - 1
            }),
        ];
        for (key, change) in changes {
            let mut config = example();
            change(&mut config);
            assert_eq!(config.check().map_err(|error| error.key), Err(key));
        }
    }
}
