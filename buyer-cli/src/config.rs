//! `config.toml` of a buyer's home.

use std::fmt::Write as _;

use gio_evm::Deployment;
use gio_protocol::Gio;
use serde::Deserialize;

/// Most a job locks that names no cap: a first job with a slip in its limits must not empty a wallet.
const CAP_DEFAULT_MAX: Gio = Gio::from_units(100 * gio_protocol::amount::UNITS_PER_GIO);

/// The buyer's configuration. Every key but the first and the contracts has a default.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The EVM chain's JSON-RPC.
    pub rpc_url: String,
    /// Peers to find hubs through, as multiaddrs that end in `/p2p/<peer>`.
    #[serde(default)]
    pub bootstrap: Vec<String>,
    /// Find peers on the local network.
    #[serde(default)]
    pub mdns: bool,
    /// Most a job locks that names no cap.
    #[serde(default = "cap_default_max", with = "gio_protocol::amount::as_text")]
    pub cap_default_max_gio: Gio,
    /// Units that `run` and `check` run at a time; default: one per core.
    pub sandboxes: Option<u32>,
    /// The contracts of the market.
    pub contracts: Deployment,
}

fn cap_default_max() -> Gio {
    CAP_DEFAULT_MAX
}

impl Config {
    /// The text of a new `config.toml`.
    ///
    /// # Panics
    /// Never: a deployment is a flat table.
    #[must_use]
    pub fn text(rpc_url: &str, bootstrap: &[String], contracts: &Deployment) -> String {
        let mut text = String::from("# A buyer's configuration; `gio-buyer init` wrote it.\n\n");
        let _ = writeln!(text, "# The EVM chain's JSON-RPC.\nrpc_url = {rpc_url:?}\n");
        text.push_str(
            "# Peers to find hubs through, as multiaddrs that end in /p2p/<peer>.\nbootstrap = [\n",
        );
        for addr in bootstrap {
            let _ = writeln!(text, "    {addr:?},");
        }
        text.push_str("]\n# Also find peers on the local network.\nmdns = false\n\n");
        let _ = writeln!(
            text,
            "# Most a job locks that names no cap.\ncap_default_max_gio = \"{CAP_DEFAULT_MAX}\"\n"
        );
        text.push_str("# Units that `run` and `check` run at a time; default: one per core.\n# sandboxes = 2\n\n");
        let contracts = toml::to_string(contracts).expect("addresses and a number are TOML");
        let _ = write!(text, "[contracts]\n{contracts}");
        text
    }
}

#[cfg(test)]
mod tests {
    use gio_protocol::Address;

    use super::*;

    fn deployment() -> Deployment {
        let least = Deployment::new(
            31337,
            Address::repeat_byte(1),
            Address::repeat_byte(2),
            Address::repeat_byte(3),
        );
        Deployment {
            app_pool: Some(Address::repeat_byte(4)),
            ..least
        }
    }

    #[test]
    fn what_init_writes_reads_back() {
        let bootstrap = vec!["/ip4/127.0.0.1/tcp/7701/p2p/x".to_owned()];
        let text = Config::text("http://127.0.0.1:8545", &bootstrap, &deployment());
        let config: Config = toml::from_str(&text).unwrap();
        let expected = Config {
            rpc_url: "http://127.0.0.1:8545".to_owned(),
            bootstrap,
            mdns: false,
            cap_default_max_gio: CAP_DEFAULT_MAX,
            sandboxes: None,
            contracts: deployment(),
        };
        assert_eq!(config, expected);
    }

    #[test]
    fn unknown_keys_are_refused() {
        let text = Config::text("x", &[], &deployment());
        let text = text.replace("mdns =", "mdsn =");
        let error = toml::from_str::<Config>(&text).unwrap_err();
        assert!(error.to_string().contains("unknown field `mdsn`"));
    }
}
