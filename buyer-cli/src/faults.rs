//! From the errors of the parts to what a person needs: exit code, hint, whether to try again.

use std::error::Error;

use gio_agent::{Code, ConfigError, HomeError, UserError};
use gio_evm::{ChainError, ConnectError, SendError};
use gio_net::StartNetError;

use crate::domain::work::WorkError;
use crate::infra::hub::HubError;
use crate::infra::inputs::InputError;
use crate::job_store::JobStoreError;

/// Something on the command line or in a file is wrong; nothing was sent.
pub fn usage(error: impl Error + Send + Sync + 'static) -> UserError {
    UserError::of(Code::Usage, error)
}

/// The job is wrong; nothing was sent.
pub fn job(error: impl Error + Send + Sync + 'static) -> UserError {
    UserError::of(Code::JobInvalid, error)
}

/// The job's files are wrong; nothing was sent.
pub fn input(error: InputError) -> UserError {
    let hint = match &error {
        InputError::Io { .. } | InputError::Kind(_) => {
            Some("paths are relative to the job file, or to this folder with --wasm".to_owned())
        }
        InputError::Program { .. } => Some(
            "a program is a WASI preview 1 command module without threads, SIMD or imports of its own; \
             `apps/build` shows how C becomes one"
                .to_owned(),
        ),
        InputError::Work(WorkError::Memory { needed, .. }) => {
            Some(format!("--memory-mib {}", needed.div_ceil(PAGES_PER_MIB)))
        }
        _ => None,
    };
    let error = job(error);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// Pages of 64 KiB in a MiB.
const PAGES_PER_MIB: u64 = 16;

/// The buyer's own records cannot be used.
pub fn jobs(error: JobStoreError) -> UserError {
    let code = match &error {
        JobStoreError::NotFound(_) | JobStoreError::Ambiguous { .. } => Code::JobUnknown,
        JobStoreError::Locked(_) => Code::JobBusy,
        JobStoreError::Io { .. } => Code::Internal,
        JobStoreError::Damaged { .. } | JobStoreError::Version { .. } => Code::JobDamaged,
    };
    let error = UserError::of(code, error);
    match code {
        Code::JobUnknown => error.hint("gio-buyer list"),
        Code::JobBusy => error.hint("stop the other one, or wait for it; the job itself goes on"),
        _ => error,
    }
}

/// The home cannot be used.
pub fn home(error: HomeError) -> UserError {
    match &error {
        HomeError::NotInitialised { .. } => UserError::of(Code::HomeMissing, error)
            .hint("gio-buyer init --rpc URL --contracts FILE.json --bootstrap MULTIADDR"),
        HomeError::Locked { .. } => UserError::of(Code::HomeBusy, error),
        _ => UserError::of(Code::HomeDamaged, error),
    }
}

/// The config cannot be used.
pub fn config(error: ConfigError) -> UserError {
    let code = match &error {
        ConfigError::Read { .. } => Code::HomeMissing,
        ConfigError::Parse { .. } => Code::ConfigInvalid,
    };
    let error = UserError::of(code, error);
    match code {
        Code::HomeMissing => {
            error.hint("gio-buyer init --rpc URL --contracts FILE.json --bootstrap MULTIADDR")
        }
        _ => error,
    }
}

/// The chain gave no answer.
pub fn chain(error: ChainError) -> UserError {
    if error.is_transient() {
        UserError::of(Code::RpcUnreachable, error).hint(RPC)
    } else {
        UserError::of(Code::Internal, error)
    }
}

/// The chain's door cannot be opened.
pub fn connect(error: ConnectError) -> UserError {
    match &error {
        ConnectError::WrongChain { .. } => UserError::of(Code::WrongChain, error)
            .hint("`rpc_url` and `contracts.chain_id` in config.toml must be of one chain"),
        transient if transient.is_transient() => {
            UserError::of(Code::RpcUnreachable, error).hint(RPC)
        }
        _ => UserError::of(Code::ContractsWrong, error)
            .hint("`rpc_url` and `[contracts]` in config.toml must be those of this market"),
    }
}

const RPC: &str = "is the `rpc_url` in config.toml right, and the node up?";

/// A transaction did not do what it should.
pub fn send(error: SendError) -> UserError {
    match &error {
        SendError::InsufficientGas { account, .. } => {
            let hint = format!("send some of the chain's own coin to {account}; it pays the gas");
            UserError::of(Code::FundsGas, error).hint(hint)
        }
        transient if transient.is_transient() => UserError::of(Code::RpcUnreachable, error),
        reverted if reverted.revert().is_some() => UserError::of(Code::ContractRefused, error),
        _ => UserError::of(Code::Internal, error),
    }
}

/// A hub did not do what it should.
pub fn hub(error: HubError) -> UserError {
    if error.is_transient() {
        unreachable(error)
    } else {
        UserError::of(Code::HubRefused, error)
    }
}

/// This node does not start.
pub fn net(error: StartNetError) -> UserError {
    UserError::of(Code::NetInvalid, error).hint("look at `bootstrap` in config.toml")
}

/// Somebody did not answer; later they may.
pub fn unreachable(error: impl Error + Send + Sync + 'static) -> UserError {
    UserError::of(Code::HubUnreachable, error)
}
