//! The commands besides `node`. The only file that prints.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "commands talk to people"
)]

use std::net::TcpListener;

use gio_agent::doctor::{Diagnosis, chain_of};
use gio_agent::files::{Access, write_durably};
use gio_agent::{Code, ConfigError, ExitStatus, Home, HomeError, UserError, read_config, unix_now};
use gio_coin::FUTURE_SECONDS_MAX;
use serde_json::Value;

use crate::chain::Chain;
use crate::cli::Init;
use crate::client;
use crate::config::{Config, NetworkName};
use crate::folder::{IndexState, index_state, open_chain};

pub(crate) fn print_error(text: &str) {
    eprintln!("{text}");
}

pub(crate) fn init(home: &Home, args: &Init) -> Result<(), UserError> {
    let path = home.config_path();
    if path.exists() {
        let text = format!("{} already exists", path.display());
        return Err(UserError::new(text, ExitStatus::Usage)
            .hint("edit it, or choose another folder with --home"));
    }
    let mut config = Config::new(args.network);
    config.listen = args.listen.or(config.listen);
    config.rpc = args.rpc.unwrap_or(config.rpc);
    config.connect.clone_from(&args.connect);
    config.deployment = args.deployment;
    config.mine_to.clone_from(&args.mine_to);
    // Whoever names nodes wants these.
    config.discover &= args.connect.is_empty();
    check(&config)?;
    let text = toml::to_string_pretty(&config)?;
    write_durably(&path, text.as_bytes(), Access::Public)?;
    println!("{}", home.folder().display());
    eprintln!(
        "made a node of the {} network; run `gio-chain node`",
        config.network.network().name()
    );
    Ok(())
}

/// Reads the config, with a hint where there is none.
pub(crate) fn config(home: &Home) -> Result<Config, UserError> {
    let config: Config = read_config(&home.config_path()).map_err(|error| match &error {
        ConfigError::Read { .. } => UserError::of(Code::HomeMissing, error)
            .hint("run `gio-chain init` first, or name the folder with --home"),
        ConfigError::Parse { .. } => UserError::of(Code::ConfigInvalid, error),
    })?;
    check(&config)?;
    Ok(config)
}

fn check(config: &Config) -> Result<(), UserError> {
    if config.deployment.is_some() && config.network != NetworkName::Regtest {
        let text = "only a regtest network can name its deployment";
        return Err(UserError::of(Code::ConfigInvalid, text)
            .hint("main and test networks have one first block each"));
    }
    if let Err(error) = config.mine_to() {
        let text = format!("`mine_to`: {error}");
        return Err(
            UserError::of(Code::ConfigInvalid, text).hint("name an address of this network")
        );
    }
    if config.rpc.ip().is_loopback() {
        return Ok(());
    }
    let text = format!("JSON-RPC on {} would be reachable by others", config.rpc);
    Err(UserError::of(Code::ConfigInvalid, text).hint("use 127.0.0.1"))
}

/// Asks the node that runs and prints what it says: a text as it is, anything else as JSON.
pub(crate) async fn rpc(home: &Home, method: &str, params: &[String]) -> Result<(), UserError> {
    match client::call(home, method, params).await? {
        Value::String(text) => println!("{text}"),
        other => println!("{other:#}"),
    }
    Ok(())
}

/// Looks at everything that can be looked at without a network, also beside a running node.
pub(crate) fn doctor(home: &Home, as_json: bool) -> Result<(), UserError> {
    let mut found = Diagnosis::default();
    let config = found.config(home, config(home));
    if home.folder().exists() {
        found.disk(home.folder());
    }
    if let Some(config) = &config {
        look_at_node(&mut found, home, config);
    }
    if as_json {
        println!("{}", serde_json::to_string_pretty(&found)?);
    } else {
        print!("{}", found.text());
    }
    found.verdict()
}

fn look_at_node(found: &mut Diagnosis, home: &Home, config: &Config) {
    match home.lock() {
        Err(HomeError::Locked { .. }) => {
            found.ok("process", "running; stop it to look at its files");
        }
        Err(error) => found.fail("process", chain_of(&error), "is the folder yours?"),
        Ok(_lock) => {
            found.warn("process", "not running", "gio-chain node");
            look_at_files(found, home, config);
            look_at_ports(found, config);
        }
    }
}

fn look_at_files(found: &mut Diagnosis, home: &Home, config: &Config) {
    let begin = "gio-chain node";
    match index_state(home) {
        IndexState::HalfMade => {
            let text = "its index is half made: the next start makes it anew from the blocks";
            return found.fail("chain", text, begin);
        }
        IndexState::Missing => {
            let text = "its index is gone: the next start makes it again from the blocks";
            return found.fail("chain", text, begin);
        }
        IndexState::Whole if !home.path("index").exists() => {
            return found.ok("chain", "empty: nothing was synced yet");
        }
        IndexState::Whole => {}
    }
    let mut chain = match open_chain(home, config, false) {
        Ok(chain) => chain,
        Err(error) => {
            let hint = error.hint.clone().unwrap_or_default();
            return found.fail("chain", chain_of(error.cause.as_ref()), hint);
        }
    };
    let text = format!("{} blocks, tip {}", chain.tip_height(), chain.tip());
    found.ok("chain", text);
    look_at_index(found, &mut chain);
    let time = chain
        .headers()
        .header(&chain.tip())
        .map_or(0, |tip| u64::from(tip.time));
    let clock = unix_now();
    if time <= clock + u64::from(FUTURE_SECONDS_MAX) {
        let age = clock.saturating_sub(time);
        found.ok("clock", format_args!("the tip is {age} s old"));
    } else {
        let text = format!("this machine's clock is at least {} s slow", time - clock);
        found.fail("clock", text, "set it, best by NTP");
    }
    match chain.block(&chain.tip()) {
        Ok(_) => found.ok("blocks", "the tip can be read"),
        Err(error) => found.fail("blocks", chain_of(&error), REINDEX),
    }
}

const REINDEX: &str = "gio-chain node --reindex";

fn look_at_index(found: &mut Diagnosis, chain: &mut Chain) {
    match chain.is_index_intact() {
        Ok(true) => found.ok("index", "every page is as it was written"),
        Ok(false) => found.fail("index", "a page is damaged", REINDEX),
        Err(error) => found.fail("index", chain_of(&error), REINDEX),
    }
}

fn look_at_ports(found: &mut Diagnosis, config: &Config) {
    for (key, address) in [("listen", config.listen), ("rpc", Some(config.rpc))] {
        let Some(address) = address else { continue };
        match TcpListener::bind(address) {
            Ok(_) => found.ok("port", format_args!("{address} of `{key}` is free")),
            Err(error) => found.fail(
                "port",
                format_args!("{address}: {error}"),
                format!("stop what uses it, or change `{key}`"),
            ),
        }
    }
}
