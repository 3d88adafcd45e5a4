//! The node's config file: TOML with checked keys, read once.

use std::net::SocketAddr;
use std::str::FromStr;

use clap::ValueEnum;
use gio_agent::http::Listen;
use gio_coin::{Backing, Network, Params, Script, Work};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::address::{AddressError, script_of};

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

/// An EVM deployment, as `CHAIN_ID:TOKEN`: the chain's id and the wrapped token's address in hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeploymentName(pub Backing);

/// The text names no deployment.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "a deployment is CHAIN_ID:TOKEN, for example 31337:0x5fbdb2315678afecb367f032d93f642f64180aa3"
)]
pub struct NotADeployment;

impl FromStr for DeploymentName {
    type Err = NotADeployment;

    fn from_str(text: &str) -> Result<Self, NotADeployment> {
        let (chain_id, token) = text.split_once(':').ok_or(NotADeployment)?;
        let chain_id = chain_id.parse().map_err(|_| NotADeployment)?;
        let digits = token.strip_prefix("0x").unwrap_or(token);
        let mut token = [0; 20];
        hex::decode_to_slice(digits, &mut token).map_err(|_| NotADeployment)?;
        Ok(Self(Backing { chain_id, token }))
    }
}

impl TryFrom<String> for DeploymentName {
    type Error = NotADeployment;

    fn try_from(text: String) -> Result<Self, NotADeployment> {
        text.parse()
    }
}

impl From<DeploymentName> for String {
    fn from(name: DeploymentName) -> Self {
        let Backing { chain_id, token } = name.0;
        format!("{chain_id}:0x{}", hex::encode(token))
    }
}

/// `config.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The network; a folder never changes its network.
    pub network: NetworkName,
    /// On regtest, the EVM deployment that the first block names: another deployment is another network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<DeploymentName>,
    /// Where to listen for peers; nowhere when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// Where to answer JSON-RPC; must be on this machine.
    pub rpc: SocketAddr,
    /// Where `/metrics` and `/health` are served: `auto`, `off` or an address.
    #[serde(default)]
    pub metrics_listen: Listen,
    /// The address that `getblocktemplate` pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mine_to: Option<String>,
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
            deployment: None,
            listen: Some(SocketAddr::from((anywhere, params.port))),
            rpc: SocketAddr::from(([127, 0, 0, 1], params.rpc_port)),
            metrics_listen: Listen::Auto,
            mine_to: None,
            connect: Vec::new(),
            discover: network != NetworkName::Regtest,
            seeds: Vec::new(),
            min_work: 0,
        }
    }

    /// The parameters of the network.
    #[must_use]
    pub fn params(&self) -> Params {
        match (self.network, self.deployment) {
            (NetworkName::Regtest, Some(name)) => Params::regtest(name.0),
            _ => Params::of(self.network.network()),
        }
    }

    /// The script of [`Self::mine_to`].
    ///
    /// # Errors
    /// It is no address of the network.
    pub fn mine_to(&self) -> Result<Option<Script>, AddressError> {
        let prefixes = Params::of(self.network.network()).prefixes;
        let address = self.mine_to.as_deref();
        address.map(|text| script_of(text, &prefixes)).transpose()
    }

    /// [`Self::min_work`] as work.
    #[must_use]
    pub fn min_work(&self) -> Work {
        Work::from_hashes(self.min_work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_regtest_config_may_name_its_deployment() {
        let text = "31337:0x5fbdb2315678afecb367f032d93f642f64180aa3";
        let name: DeploymentName = text.parse().unwrap();
        let mut config = Config::new(NetworkName::Regtest);
        let plain = config.params().genesis_id();
        config.deployment = Some(name);
        let written = toml::to_string(&config).unwrap();
        assert!(written.contains(text), "{written}");
        let read: Config = toml::from_str(&written).unwrap();
        assert_eq!(read, config);
        assert_ne!(read.params().genesis_id(), plain);
        for wrong in [
            "",
            "1",
            "1:",
            "x:00",
            "1:0x00",
            "-1:0x5fbdb2315678afecb367f032d93f642f64180aa3",
        ] {
            assert_eq!(
                wrong.parse::<DeploymentName>(),
                Err(NotADeployment),
                "{wrong}"
            );
        }
    }
}
