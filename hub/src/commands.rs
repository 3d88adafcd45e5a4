//! The commands besides `start`. The only files that print.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "commands talk to people"
)]

mod init;
mod register;
mod status;

use gio_agent::{ConfigError, ExitStatus, Home, UserError, read_config};
use gio_evm::Chain;
use gio_protocol::Address;

use crate::config::Config;

pub(crate) use init::init;
pub(crate) use register::register;
pub(crate) use status::status;

pub(crate) fn print_error(text: &str) {
    eprintln!("{text}");
}

pub(crate) fn address(home: &Home) -> Result<(), UserError> {
    let key = home
        .key()
        .map_err(|error| usage(error).hint("run `gio-hub init` first"))?;
    println!("{}", key.address());
    Ok(())
}

/// Reads the config and checks it, with a hint where there is none.
pub(crate) fn config(home: &Home) -> Result<Config, UserError> {
    let path = home.config_path();
    let config: Config = read_config(&path).map_err(|error| match &error {
        ConfigError::Read { .. } => {
            usage(error).hint("run `gio-hub init` first, or name the folder with --home")
        }
        ConfigError::Parse { .. } => usage(error).hint(EXAMPLE),
    })?;
    let is_valid = config.check();
    is_valid.map_err(|error| usage(error).hint(format!("change it in {}", path.display())))?;
    Ok(config)
}

const EXAMPLE: &str = "hub/config.example.toml shows every key";

/// The only door to the chain, opened.
pub(crate) async fn connect(config: &Config, key: Option<[u8; 32]>) -> Result<Chain, UserError> {
    Chain::connect(&config.rpc_url, config.contracts, key)
        .await
        .map_err(|error| {
            let transient = error.is_transient();
            let told = UserError::new(error, ExitStatus::Unreachable)
                .hint("check `rpc_url` and `[contracts]` in config.toml");
            if transient { told.retryable() } else { told }
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
        UserError::new(format!("{owner} has no hub wallet"), ExitStatus::Usage)
            .hint("run `gio-hub register` first")
    })
}

fn usage(error: impl std::error::Error + Send + Sync + 'static) -> UserError {
    UserError::new(error, ExitStatus::Usage)
}
