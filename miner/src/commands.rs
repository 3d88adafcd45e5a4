//! One file per command.

pub mod address;
pub mod init;
pub mod start;
pub mod status;

use std::error::Error;

use gio_agent::{ConfigError, ExitStatus, Home, UserError};

use crate::config::Config;

/// Reads the config, with a hint where there is none.
fn config(home: &Home) -> Result<Config, UserError> {
    Config::load(&home.config_path()).map_err(|error| match &error {
        ConfigError::Read { .. } => {
            usage(error).hint("run `gio-miner init` first, or name the folder with --home")
        }
        ConfigError::Parse { .. } => usage(error),
    })
}

/// The command line, the config or the home is wrong.
fn usage(error: impl Error + Send + Sync + 'static) -> UserError {
    UserError::new(error, ExitStatus::Usage)
}
