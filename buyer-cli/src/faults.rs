//! From the errors of the parts to what a person needs: exit code, hint, whether to try again.

use std::error::Error;

use gio_agent::{ExitStatus, HomeError, UserError};
use gio_evm::{ChainError, SendError};
use gio_net::StartNetError;

use crate::infra::hub::HubError;

/// Something on the command line or in a file is wrong; nothing was sent.
pub fn usage(error: impl Error + Send + Sync + 'static) -> UserError {
    UserError::new(error, ExitStatus::Usage)
}

/// The home cannot be used.
pub fn home(error: HomeError) -> UserError {
    let is_missing = matches!(error, HomeError::NotInitialised { .. });
    let error = usage(error);
    if is_missing {
        error.hint("gio-buyer init --rpc URL --contracts FILE.json --bootstrap MULTIADDR")
    } else {
        error
    }
}

/// The chain gave no answer.
pub fn chain(error: ChainError) -> UserError {
    if error.is_transient() {
        unreachable(error).hint("is the `rpc_url` in config.toml right, and the node up?")
    } else {
        UserError::new(error, ExitStatus::Failure)
    }
}

/// The chain's door cannot be opened.
pub fn connect(error: gio_evm::ConnectError) -> UserError {
    if error.is_transient() {
        unreachable(error).hint("is the `rpc_url` in config.toml right, and the node up?")
    } else {
        usage(error).hint("look at `rpc_url` and `contracts` in config.toml")
    }
}

/// A transaction did not do what it should.
pub fn send(error: SendError) -> UserError {
    match &error {
        SendError::InsufficientGas { account, .. } => {
            let hint = format!("send some of the chain's own coin to {account}; it pays the gas");
            UserError::new(error, ExitStatus::Funds).hint(hint)
        }
        transient if transient.is_transient() => unreachable(error),
        _ => UserError::new(error, ExitStatus::Failure),
    }
}

/// A hub did not do what it should.
pub fn hub(error: HubError) -> UserError {
    if error.is_transient() {
        unreachable(error)
    } else {
        UserError::new(error, ExitStatus::Failure)
    }
}

/// This node does not start.
pub fn net(error: StartNetError) -> UserError {
    usage(error).hint("look at `bootstrap` in config.toml")
}

/// Somebody did not answer; later they may.
pub fn unreachable(error: impl Error + Send + Sync + 'static) -> UserError {
    UserError::new(error, ExitStatus::Unreachable).retryable()
}
