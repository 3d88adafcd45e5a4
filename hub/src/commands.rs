//! The commands besides `start`. The only files that print.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "commands talk to people"
)]

mod audit;
mod doctor;
mod init;
mod operate;
mod payout;
mod period;
mod register;
mod status;

use gio_agent::{Code, ConfigError, ExitStatus, Home, HomeError, UserError, read_config};
use gio_evm::{Chain, ConnectError};
use gio_keys::MachineKey;
use gio_protocol::Address;

use crate::config::Config;
use crate::infra::store::Store;

pub(crate) use audit::{Wallet, wallet};
pub(crate) use doctor::doctor;
pub(crate) use init::init;
pub(crate) use operate::{drain, tell};
pub(crate) use payout::{Payout, payout};
pub(crate) use period::{Period, payday, withdraw};
pub(crate) use register::register;
pub(crate) use status::status;

pub(crate) fn print_error(text: &str) {
    eprintln!("{text}");
}

/// A command's result: text for people, or one JSON object.
fn print_result(as_json: bool, text: &str, value: &serde_json::Value) {
    if as_json {
        println!("{value:#}");
    } else {
        println!("{}", text.trim_end());
    }
}

pub(crate) fn address(home: &Home) -> Result<(), UserError> {
    let key = key(home)?;
    println!("{}", key.address());
    Ok(())
}

/// Reads the key, with a hint where there is none.
pub(crate) fn key(home: &Home) -> Result<MachineKey, UserError> {
    home.key().map_err(|error| match &error {
        HomeError::NotInitialised { .. } => UserError::of(Code::HomeMissing, error).hint(INIT),
        _ => UserError::of(Code::HomeDamaged, error),
    })
}

/// Reads the config and checks it, with a hint where there is none.
pub(crate) fn config(home: &Home) -> Result<Config, UserError> {
    let path = home.config_path();
    let config: Config = read_config(&path).map_err(|error| match &error {
        ConfigError::Read { .. } => UserError::of(Code::HomeMissing, error).hint(INIT),
        ConfigError::Parse { .. } => UserError::of(Code::ConfigInvalid, error).hint(EXAMPLE),
    })?;
    config.check().map_err(|error| {
        let hint = format!("change it in {}", path.display());
        UserError::of(Code::ConfigInvalid, error).hint(hint)
    })?;
    Ok(config)
}

const INIT: &str = "`gio-hub init` makes a home; --home names another folder";

const EXAMPLE: &str = "hub/config.example.toml shows every key";

/// The only door to the chain, opened.
pub(crate) async fn connect(config: &Config, key: Option<[u8; 32]>) -> Result<Chain, UserError> {
    Chain::connect(&config.rpc_url, config.contracts, key)
        .await
        .map_err(|error| {
            let (code, hint) = match &error {
                ConnectError::WrongChain { .. } => (
                    Code::WrongChain,
                    "`rpc_url` and `contracts.chain_id` in config.toml must be of one chain",
                ),
                error if error.is_transient() => (
                    Code::RpcUnreachable,
                    "is the `rpc_url` in config.toml right, and the node up?",
                ),
                _ => (
                    Code::ContractsWrong,
                    "`rpc_url` and `[contracts]` in config.toml must be those of this market",
                ),
            };
            UserError::of(code, error).hint(hint)
        })
}

/// The hub's database: a file in its folder, or what the config names.
pub(crate) async fn open_store(config: &Config, home: &Home) -> Result<Store, UserError> {
    let Some(url) = &config.database_url else {
        let opened = Store::open(&home.path("hub.db")).await;
        return opened.map_err(crate::run::database);
    };
    let opened = Store::connect(url).await;
    opened.map_err(|error| {
        UserError::new(error, ExitStatus::Unreachable)
            .hint("check `database_url` in config.toml, and that PostgreSQL answers there")
            .retryable()
    })
}

/// The wallet of the config, or the account's first on chain.
pub(crate) async fn wallet_of(
    config: &Config,
    chain: &Chain,
    owner: Address,
) -> Result<Address, UserError> {
    if let Some(wallet) = config.hub.wallet {
        return Ok(wallet);
    }
    let wallets = chain.wallets_of(owner).await?;
    wallets.first().copied().ok_or_else(|| {
        UserError::of(Code::WalletState, format!("{owner} has no hub wallet"))
            .hint("register it")
            .next("gio-hub register --deposit GIO --endpoint MULTIADDR")
    })
}

fn usage(error: impl std::error::Error + Send + Sync + 'static) -> UserError {
    UserError::new(error, ExitStatus::Usage)
}
