//! `gio-hub init`: a folder with a config file and a key.

use std::fs;
use std::io::ErrorKind;

use gio_agent::files::{Access, read_text, write_durably};
use gio_agent::http::Listen;
use gio_agent::{Code, ExitStatus, Home, HomeError, UserError};
use gio_evm::Deployment;
use gio_keys::MachineKey;
use gio_protocol::PricePerPu;

use super::usage;
use crate::cli::Init;
use crate::config::{Config, HubConfig, Limits, Prices, default_listen};

/// The config comes before the key, so that a folder with a key is complete; whatever stops the command half-way, it
/// can be repeated. Nothing that exists is overwritten.
pub(crate) fn init(home: &Home, args: &Init) -> Result<(), UserError> {
    let config = config(args)?;
    config.check().map_err(usage)?;
    let text = toml::to_string_pretty(&config)?;
    let path = home.config_path();
    let has_key = has_key(home)?;
    match fs::read_to_string(&path) {
        Ok(found) if found == text => {}
        Ok(_) if has_key => {
            let text = format!("{} is set up already", home.folder().display());
            let hint = format!(
                "change {}, or name another folder with --home",
                path.display()
            );
            return Err(UserError::new(text, ExitStatus::Usage).hint(hint));
        }
        Ok(_) => {
            let text = format!("{} exists and says something else", path.display());
            return Err(UserError::new(text, ExitStatus::Usage).hint("remove it and try again"));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            write_durably(&path, text.as_bytes(), Access::Public)?;
        }
        Err(error) => return Err(usage(error)),
    }
    let key = key(home, has_key)?;
    println!("{}", key.address());
    eprintln!(
        "made {}; fund this account, then run `gio-hub register`",
        home.folder().display()
    );
    Ok(())
}

fn config(args: &Init) -> Result<Config, UserError> {
    let path = args.contracts.display();
    let text = read_text(&args.contracts).map_err(|error| {
        UserError::of(Code::Usage, format!("cannot read {path}: {error}"))
            .hint("--contracts names the file with the addresses of the contracts")
    })?;
    let contracts: Deployment = serde_json::from_str(&text).map_err(|error| {
        usage(error).hint(format!("{path} must be a deployment's contracts.json"))
    })?;
    let mut prices = Prices::default();
    if let Some(net) = args.net_price {
        prices.net_price = PricePerPu(net);
    }
    if let Some(window) = args.window {
        prices.window_seconds = window;
        prices.window_seconds_max = prices.window_seconds_max.max(window);
    }
    Ok(Config {
        rpc_url: args.rpc.clone(),
        listen: if args.listen.is_empty() {
            default_listen()
        } else {
            args.listen.clone()
        },
        bootstrap: args.bootstrap.clone(),
        announce: Vec::new(),
        mdns: false,
        metrics_listen: Listen::Auto,
        database_url: None,
        content_dir: None,
        contracts,
        hub: HubConfig {
            name: args.name.clone(),
            ..HubConfig::default()
        },
        prices,
        limits: Limits::default(),
    })
}

fn has_key(home: &Home) -> Result<bool, UserError> {
    match home.key() {
        Ok(_) => Ok(true),
        Err(HomeError::NotInitialised { .. }) => Ok(false),
        Err(error) => Err(usage(error)),
    }
}

fn key(home: &Home, has_key: bool) -> Result<MachineKey, UserError> {
    let key = if has_key {
        home.key()
    } else {
        home.create_key()
    };
    key.map_err(usage)
}
