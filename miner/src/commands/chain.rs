//! What the commands that talk to the chain share.

use gio_agent::{Code, Home, HomeLock, UserError};
use gio_evm::{Chain, SendError};
use gio_protocol::Address;

use super::start::told;
use super::{config, key, usage};
use crate::config::Config;

/// The miner's config, key and connection.
pub(super) struct Own {
    pub(super) config: Config,
    pub(super) chain: Chain,
    pub(super) account: Address,
}

impl Own {
    /// What an earlier command sent is mined before this one looks at the chain.
    pub(super) async fn settle(&self) -> Result<(), UserError> {
        let waited = self.chain.await_own().await;
        waited.map_err(|error| {
            send_error(
                error,
                "not known yet: an earlier transaction may still be mined",
            )
        })
    }

    /// Nobody runs two of these commands at a time; the running miner does not mind.
    pub(super) fn lock(&self, home: &Home) -> Result<HomeLock, UserError> {
        home.lock_for("commands.lock").map_err(usage)
    }
}

/// Opens home and chain.
pub(super) async fn open(home: &Home) -> Result<Own, UserError> {
    let config = config(home)?;
    let key = key(home)?;
    let chain = Chain::connect(&config.rpc_url, config.contracts, Some(key.secret_bytes()))
        .await
        .map_err(|error| told(error, &config))?;
    Ok(Own {
        config,
        chain,
        account: key.address(),
    })
}

/// A transaction that did not do what was asked; `effect` is what became of the money if it certainly was not mined.
pub(super) fn send_error(error: SendError, effect: &str) -> UserError {
    let unresolved = error.unresolved_tx().is_some();
    let transient = error.is_transient();
    let code = match &error {
        SendError::InsufficientGas { .. } => Code::FundsGas,
        SendError::Rpc(_) => Code::RpcUnreachable,
        SendError::WrongChain { .. } => Code::WrongChain,
        SendError::Reverted(_) | SendError::RevertedOnChain { .. } => Code::ContractRefused,
        _ => Code::Internal,
    };
    let told = UserError::of(code, error);
    let told = if unresolved {
        told.escrow("not known yet: the transaction may still be mined")
            .hint("run the same command again; it looks at the chain first")
    } else {
        told.escrow(effect)
    };
    if transient { told.retryable() } else { told }
}
