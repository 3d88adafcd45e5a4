//! One file per command.

pub mod address;
pub mod bond;
mod chain;
pub mod claim;
pub mod doctor;
pub mod init;
pub mod keys;
pub mod operate;
pub mod start;
pub mod status;

use std::error::Error;

use gio_agent::{Code, ConfigError, ExitStatus, Home, HomeError, UserError};
use gio_keys::MachineKey;

use crate::config::Config;

/// Reads the config, with a hint where there is none.
fn config(home: &Home) -> Result<Config, UserError> {
    Config::load(&home.config_path()).map_err(|error| match &error {
        ConfigError::Read { .. } => UserError::of(Code::HomeMissing, error).hint(INIT),
        ConfigError::Parse { .. } => UserError::of(Code::ConfigInvalid, error)
            .hint("miner/config.example.toml shows every key"),
    })
}

/// Reads the key, with a hint where there is none.
fn key(home: &Home) -> Result<MachineKey, UserError> {
    home.key().map_err(|error| match &error {
        HomeError::NotInitialised { .. } => UserError::of(Code::HomeMissing, error).hint(INIT),
        _ => UserError::of(Code::HomeDamaged, error),
    })
}

const INIT: &str = "`gio-miner init` makes a home; --home names another folder";

/// The command line, the config or the home is wrong.
fn usage(error: impl Error + Send + Sync + 'static) -> UserError {
    UserError::new(error, ExitStatus::Usage)
}
