//! `init`: the one set-up step, key and config.

use std::path::PathBuf;

use alloy_primitives::Address;
use clap::Args;
use gio_agent::files::{Access, read_text, write_durably};
use gio_agent::{ExitStatus, UserError};
use gio_evm::Deployment;
use gio_net::{Multiaddr, peer_of_addr};
use serde_json::json;

use crate::cli::Global;
use crate::config::Config;
use crate::faults;

/// Make a key and a config file
///
/// Prints the address to fund: GIO for jobs, and some of the chain's own coin for gas.
#[derive(Clone, Debug, Args)]
pub struct Init {
    /// The EVM chain's JSON-RPC
    #[arg(long, value_name = "URL")]
    rpc: String,
    /// The market's contracts: a JSON file with chain_id, token, factory and whitelist
    #[arg(long, value_name = "FILE.json")]
    contracts: PathBuf,
    /// Peers to find hubs through, as multiaddrs that end in /p2p/PEER
    #[arg(long, value_name = "MULTIADDR", num_args = 1..)]
    bootstrap: Vec<String>,
}

/// An address that leads nowhere in particular.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a multiaddr such as /ip4/203.0.113.7/tcp/7701/p2p/PEER")]
struct NoPeer(String);

/// A file that is no deployment.
#[derive(Debug, thiserror::Error)]
#[error("{} is not a JSON object with chain_id, token, factory and whitelist", path.display())]
struct NoDeployment {
    path: PathBuf,
    source: serde_json::Error,
}

impl Init {
    /// Makes the home.
    ///
    /// # Errors
    /// A [`UserError`] if there is one already, or the contracts cannot be read.
    pub fn run(self, global: &Global) -> Result<ExitStatus, UserError> {
        let contracts = self.read_contracts()?;
        self.check_bootstrap()?;
        let home = global.home();
        let key = home.create_key().map_err(faults::usage)?;
        let text = Config::text(&self.rpc, &self.bootstrap, &contracts);
        write_durably(&home.config_path(), text.as_bytes(), Access::Public)?;
        let address: Address = key.address();
        let folder = home.folder().display();
        let text = format!(
            "{address}\nmade {folder}; send GIO for jobs and some of the chain's own coin for gas to this address"
        );
        let value = json!({ "address": address, "home": home.folder() });
        global.output().result(&text, &value);
        Ok(ExitStatus::Ok)
    }

    /// A peer whose key is not named could be anybody.
    fn check_bootstrap(&self) -> Result<(), UserError> {
        let names_peer = |text: &&String| {
            let addr = text.parse::<Multiaddr>().ok();
            addr.is_some_and(|addr| peer_of_addr(&addr).is_some())
        };
        match self.bootstrap.iter().find(|text| !names_peer(text)) {
            None => Ok(()),
            Some(text) => Err(faults::usage(NoPeer(text.clone()))),
        }
    }

    fn read_contracts(&self) -> Result<Deployment, UserError> {
        let path = &self.contracts;
        let read = |error: std::io::Error| {
            let message = format!("cannot read {}: {error}", path.display());
            UserError::new(message, ExitStatus::Usage)
        };
        let text = read_text(path).map_err(read)?;
        serde_json::from_str(&text).map_err(|source| {
            faults::usage(NoDeployment {
                path: path.clone(),
                source,
            })
        })
    }
}
