//! The miner's config file: TOML with checked keys, read once and turned into valid types.

use std::num::NonZeroU32;
use std::path::Path;
use std::thread::available_parallelism;
use std::time::Duration;

use gio_agent::http::Listen;
use gio_agent::maintenance::Window;
use gio_agent::{ConfigError, read_config};
use gio_evm::Deployment;
use gio_keys::MachineKey;
use gio_net::{Multiaddr, NetConfig};
use gio_protocol::{Gio, PricePerPu};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use thiserror::Error;

/// Units a machine may be told to run at a time: more than any machine has cores.
const CORES_MAX: u32 = 1024;
/// Units queued beyond those running: a second of the tiniest, and a bound on what the queue holds in memory.
const PREFETCH_MAX: u32 = 8192;
/// Pages of 64 KiB in a MiB.
const PAGES_PER_MIB: u32 = 16;
/// The most a 32-bit program can address.
const UNIT_MEMORY_MIB_MAX: u32 = 4096;
/// A miner with more hubs than this only keeps them waiting.
const HUBS_MAX: usize = 256;

/// `config.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// JSON-RPC of the EVM chain.
    pub rpc_url: String,
    /// Where to listen, as multiaddresses.
    #[serde(default)]
    pub listen: Vec<String>,
    /// Peers to find hubs through.
    #[serde(default)]
    pub bootstrap: Vec<String>,
    /// Find hubs on the local network.
    #[serde(default)]
    pub mdns: bool,
    /// Where `/metrics` and `/health` are served: `auto`, `off` or an address.
    #[serde(default)]
    pub metrics_listen: Listen,
    /// The market's contracts.
    pub contracts: Deployment,
    /// What this machine gives and wants.
    #[serde(default)]
    pub miner: MinerConfig,
}

/// What this machine gives and wants.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MinerConfig {
    /// Units at a time; 0: as many as the machine has cores.
    pub cores: u32,
    /// Units to queue beyond those running; 0: twice the cores.
    pub prefetch: u32,
    /// Least net pay per PU.
    #[serde(deserialize_with = "price")]
    pub net_price_min: PricePerPu,
    /// Unpaid work for a hub that has never paid (R25).
    #[serde(deserialize_with = "amount")]
    pub exposure_initial: Gio,
    /// Least part of a hub's payout that the running miner claims; 0: none.
    #[serde(deserialize_with = "amount")]
    pub payout_claim_min: Gio,
    /// Most hubs to work for at a time.
    pub hubs_max: usize,
    /// Most memory of one unit.
    pub unit_memory_mib: u32,
    /// Disk for modules, inputs and results.
    pub cache_mib: u64,
    /// How long running units may go on after a stop signal.
    pub drain_seconds: u64,
    /// Hours of every day, UTC, in which no new units are taken.
    pub maintenance: Vec<Window>,
}

impl Default for MinerConfig {
    fn default() -> Self {
        Self {
            cores: 0,
            prefetch: 0,
            // A tenth of what hubs offer by default: below it electricity costs more.
            net_price_min: PricePerPu(Gio::from_units(100_000)),
            // One prefetch batch on an eight-core machine: 24 units of 10 PU, the default limit, at default prices.
            exposure_initial: Gio::from_units(250_000_000),
            // A hundred PU at what hubs offer by default: days of work bring far more, and each claim costs up to 75,000 gas
            // (docs/benchmarks.md).
            payout_claim_min: Gio::from_units(100_000_000),
            hubs_max: 8,
            unit_memory_mib: 1024,
            cache_mib: 4096,
            // What service managers give a process before they kill it is longer.
            drain_seconds: 10,
            maintenance: Vec::new(),
        }
    }
}

/// A value in the config file that its type does not rule out and the miner cannot work with.
#[derive(Debug, Error)]
pub enum ConfigProblem {
    /// Not a multiaddress.
    #[error("`{0}` in `{1}` is not a multiaddress")]
    Multiaddr(String, &'static str),
    /// Outside what makes sense.
    #[error("`{field}` must be between {min} and {max}, not {value}")]
    Range {
        /// Its name in the file.
        field: &'static str,
        /// What it says.
        value: u64,
        /// Least.
        min: u64,
        /// Most.
        max: u64,
    },
}

impl Config {
    /// Reads and checks a config file.
    ///
    /// # Errors
    /// [`ConfigError`] for a file that cannot be read as one; a [`ConfigProblem`] inside it names the line's key.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        read_config::<Self>(path)?.checked(path)
    }

    /// Reads and checks the text of a config file that is not written yet.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let parsed = toml::from_str::<Self>(text);
        let parsed = parsed.map_err(|error| ConfigError::Parse {
            path: path.to_owned(),
            message: error.message().to_owned(),
        });
        parsed?.checked(path)
    }

    fn checked(self, path: &Path) -> Result<Self, ConfigError> {
        match self.check() {
            Ok(()) => Ok(self),
            Err(problem) => Err(ConfigError::Parse {
                path: path.to_owned(),
                message: problem.to_string(),
            }),
        }
    }

    fn check(&self) -> Result<(), ConfigProblem> {
        let miner = &self.miner;
        let ranges = [
            ("cores", u64::from(miner.cores), 0, u64::from(CORES_MAX)),
            (
                "prefetch",
                u64::from(miner.prefetch),
                0,
                u64::from(PREFETCH_MAX),
            ),
            ("hubs_max", miner.hubs_max as u64, 1, HUBS_MAX as u64),
            (
                "unit_memory_mib",
                u64::from(miner.unit_memory_mib),
                1,
                u64::from(UNIT_MEMORY_MIB_MAX),
            ),
            ("cache_mib", miner.cache_mib, 16, 1 << 30),
            ("drain_seconds", miner.drain_seconds, 0, 3600),
        ];
        let outside = ranges
            .into_iter()
            .find(|(_, value, min, max)| value < min || value > max);
        if let Some((field, value, min, max)) = outside {
            return Err(ConfigProblem::Range {
                field,
                value,
                min,
                max,
            });
        }
        multiaddrs(&self.listen, "listen")?;
        multiaddrs(&self.bootstrap, "bootstrap").map(drop)
    }

    /// The network node this config describes.
    ///
    /// # Errors
    /// [`ConfigProblem`], never for a config that [`Self::load`] gave.
    pub fn net(&self, key: MachineKey) -> Result<NetConfig, ConfigProblem> {
        Ok(NetConfig {
            listen: multiaddrs(&self.listen, "listen")?,
            bootstrap: multiaddrs(&self.bootstrap, "bootstrap")?,
            mdns: self.mdns,
            agent: concat!("gio-miner/", env!("CARGO_PKG_VERSION")).to_owned(),
            ..NetConfig::new(key)
        })
    }
}

impl MinerConfig {
    /// The first key that another config has different and that only a restart takes over.
    #[must_use]
    pub fn fixed_difference(&self, other: &Self) -> Option<&'static str> {
        let keys = [
            ("miner.cores", self.cores != other.cores),
            ("miner.prefetch", self.prefetch != other.prefetch),
            (
                "miner.unit_memory_mib",
                self.unit_memory_mib != other.unit_memory_mib,
            ),
            ("miner.cache_mib", self.cache_mib != other.cache_mib),
        ];
        keys.into_iter()
            .find(|(_, differs)| *differs)
            .map(|(key, _)| key)
    }

    /// Units at a time.
    #[must_use]
    pub fn cores(&self) -> NonZeroU32 {
        let all = || {
            let cores = available_parallelism().map_or(1, usize::from);
            u32::try_from(cores).unwrap_or(CORES_MAX).min(CORES_MAX)
        };
        let cores = if self.cores == 0 { all() } else { self.cores };
        NonZeroU32::new(cores).unwrap_or(NonZeroU32::MIN)
    }

    /// Units queued beyond those running.
    #[must_use]
    pub fn prefetch(&self) -> u32 {
        match self.prefetch {
            0 => self.cores().get() * 2,
            prefetch => prefetch,
        }
    }

    /// Most pages of one unit.
    #[must_use]
    pub fn pages_max(&self) -> u32 {
        self.unit_memory_mib * PAGES_PER_MIB
    }

    /// Disk for contents, in bytes.
    #[must_use]
    pub fn cache_bytes(&self) -> u64 {
        self.cache_mib << 20
    }

    /// How long running units may go on after a stop signal.
    #[must_use]
    pub fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }
}

fn multiaddrs(texts: &[String], field: &'static str) -> Result<Vec<Multiaddr>, ConfigProblem> {
    let parse = |text: &String| {
        let bad = |_| ConfigProblem::Multiaddr(text.clone(), field);
        text.parse().map_err(bad)
    };
    texts.iter().map(parse).collect()
}

fn amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Gio, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(D::Error::custom)
}

fn price<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PricePerPu, D::Error> {
    amount(deserializer).map(PricePerPu)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const EXAMPLE: &str = include_str!("../config.example.toml");

    fn load(text: &str) -> Result<Config, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        fs::write(&path, text).unwrap();
        Config::load(&path)
    }

    #[test]
    fn the_example_shows_every_key_with_its_default() {
        let config = load(EXAMPLE).unwrap();
        assert_eq!(
            format!("{:?}", config.miner),
            format!("{:?}", MinerConfig::default())
        );
        let key = MachineKey::from_bytes(&[7; 32]).unwrap();
        assert_eq!(config.net(key).unwrap().bootstrap.len(), 1);
        for field in format!("{:?}", config.miner).split([' ', '{', ',']) {
            if let Some(name) = field.strip_suffix(':') {
                assert!(EXAMPLE.contains(&format!("\n{name} = ")), "{name}");
            }
        }
    }

    #[test]
    fn wrong_values_are_named() {
        let wrong = [
            ("cores = 0", "cores = 5000", "`cores` must be between"),
            ("listen = []", "listen = [\"here\"]", "`here` in `listen`"),
            ("\"2.5\"", "2.5", "expected a string"),
            ("\"2.5\"", "\"2.5 GIO\"", "not an amount"),
            ("cache_mib", "cash_mib", "did you mean `cache_mib`?"),
        ];
        for (right, wrong, message) in wrong {
            let text = EXAMPLE.replacen(right, wrong, 1);
            let error = load(&text).unwrap_err().to_string();
            assert!(error.contains(message), "{wrong}: {error}");
        }
    }

    #[test]
    fn zero_cores_are_all_cores() {
        let config = MinerConfig::default();
        let cores = config.cores().get();
        assert!(cores >= 1);
        assert_eq!(config.prefetch(), 2 * cores);
        assert_eq!(config.pages_max(), 16 * 1024);
    }
}
