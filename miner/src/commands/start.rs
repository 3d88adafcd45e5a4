//! `gio-miner start`.

use std::sync::Arc;

use gio_agent::{ExitStatus, Home, UserError, shutdown_signal};
use gio_evm::{Chain, ConnectError};
use gio_net::{Net, Services};
use tokio_util::sync::CancellationToken;

use super::{config, usage};
use crate::config::Config;
use crate::infra::chain::EvmChain;
use crate::infra::console::Console;
use crate::run::{Miner, Parts};

/// Mines until the stop signal.
///
/// # Errors
/// Whatever keeps the miner from starting, or made it stop.
pub async fn run(home: &Home) -> Result<(), UserError> {
    let config = config(home)?;
    let key = home.key().map_err(usage)?;
    let _lock = home.lock().map_err(usage)?;
    let owner = key.address();
    let chain = Chain::connect(&config.rpc_url, config.contracts, Some(key.secret_bytes()))
        .await
        .map_err(|error| unreachable(error, &config))?;
    let stop_net = CancellationToken::new();
    let settings = config.net(key.clone()).map_err(usage)?;
    let net = Net::start(settings, stop_net.clone()).await?;
    net.serve(Services::new())?;
    let parts = Parts {
        key,
        chain_id: config.contracts.chain_id,
        chain: Arc::new(EvmChain::new(chain, owner)),
        net: net.clone(),
        console: Console::Stdout,
        config: config.miner,
    };
    let cores = parts.config.cores().get();
    parts.console.started(owner, cores, home.folder());
    let miner = Miner::build(home.folder(), parts).await?;
    let result = miner.run(shutdown_signal()).await;
    stop_net.cancel();
    net.stopped().await;
    Ok(result?)
}

fn unreachable(error: ConnectError, config: &Config) -> UserError {
    let transient = error.is_transient();
    let told = UserError::new(error, ExitStatus::Unreachable).hint(format!(
        "is an RPC of chain {} at {}? `rpc_url` and `[contracts]` are in config.toml",
        config.contracts.chain_id, config.rpc_url
    ));
    if transient { told.retryable() } else { told }
}
