//! The commands besides `node`. The only file that prints.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "commands talk to people"
)]

use std::net::TcpListener;

use gio_agent::files::{Access, write_durably};
use gio_agent::{ConfigError, ExitStatus, Home, HomeError, UserError, read_config, unix_now};
use gio_coin::FUTURE_SECONDS_MAX;
use serde_json::{Value, json};

use crate::chain::Chain;
use crate::cli::Init;
use crate::client;
use crate::config::{Config, NetworkName};
use crate::ledger::causes;
use crate::node::open_chain;

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
        ConfigError::Read { .. } => UserError::new(error, ExitStatus::Usage)
            .hint("run `gio-chain init` first, or name the folder with --home"),
        ConfigError::Parse { .. } => UserError::new(error, ExitStatus::Usage),
    })?;
    check(&config)?;
    Ok(config)
}

fn check(config: &Config) -> Result<(), UserError> {
    if config.deployment.is_some() && config.network != NetworkName::Regtest {
        let text = "only a regtest network can name its deployment";
        return Err(UserError::new(text, ExitStatus::Usage)
            .hint("main and test networks have one first block each"));
    }
    if let Err(error) = config.mine_to() {
        let text = format!("`mine_to`: {error}");
        return Err(UserError::new(text, ExitStatus::Usage).hint("name an address of this network"));
    }
    if config.rpc.ip().is_loopback() {
        return Ok(());
    }
    let text = format!("JSON-RPC on {} would be reachable by others", config.rpc);
    Err(UserError::new(text, ExitStatus::Usage).hint("use 127.0.0.1"))
}

/// Asks the node that runs and prints what it says: a text as it is, anything else as JSON.
pub(crate) async fn rpc(home: &Home, method: &str, params: &[String]) -> Result<(), UserError> {
    match client::call(home, method, params).await? {
        Value::String(text) => println!("{text}"),
        other => println!("{other:#}"),
    }
    Ok(())
}

/// One thing that was looked at.
struct Finding {
    what: &'static str,
    is_good: bool,
    text: String,
}

fn finding(what: &'static str, is_good: bool, text: impl Into<String>) -> Finding {
    let text = text.into();
    Finding {
        what,
        is_good,
        text,
    }
}

/// Looks at everything that can be looked at without a network.
pub(crate) fn doctor(home: &Home, as_json: bool) -> Result<(), UserError> {
    let config = config(home)?;
    let mut findings = vec![finding("config", true, config.network.network().name())];
    match home.lock() {
        Err(HomeError::Locked { .. }) => {
            findings.push(finding(
                "node",
                true,
                "running; stop it to look at its files",
            ));
        }
        Err(error) => findings.push(finding("folder", false, error.to_string())),
        Ok(_lock) => {
            findings.push(finding("node", true, "not running"));
            findings.extend(look_at_files(home, &config));
            findings.extend(look_at_ports(&config));
        }
    }
    let healthy = findings.iter().all(|finding| finding.is_good);
    if as_json {
        let rows: Vec<_> = findings
            .iter()
            .map(|row| json!({"what": row.what, "ok": row.is_good, "text": row.text}))
            .collect();
        println!("{}", json!({"healthy": healthy, "findings": rows}));
    } else {
        for row in &findings {
            let mark = if row.is_good { "ok " } else { "BAD" };
            println!("{mark} {:<8} {}", row.what, row.text);
        }
    }
    if healthy {
        return Ok(());
    }
    Err(UserError::new(
        "something is wrong with this node",
        ExitStatus::Failure,
    ))
}

fn look_at_files(home: &Home, config: &Config) -> Vec<Finding> {
    if !home.path("index").exists() {
        return vec![finding("chain", true, "empty: nothing was synced yet")];
    }
    let mut chain = match open_chain(home, config, false) {
        Ok(chain) => chain,
        Err(error) => {
            let hint = error.hint.unwrap_or_default();
            return vec![finding("chain", false, format!("{}; {hint}", error.cause))];
        }
    };
    let text = format!("{} blocks, tip {}", chain.tip_height(), chain.tip());
    let mut findings = vec![finding("chain", true, text)];
    findings.push(look_at_index(&mut chain));
    let time = chain
        .headers()
        .header(&chain.tip())
        .map_or(0, |tip| u64::from(tip.time));
    let clock = unix_now();
    let is_good = time <= clock + u64::from(FUTURE_SECONDS_MAX);
    let text = match is_good {
        true => format!("the tip is {} s old", clock.saturating_sub(time)),
        false => format!("this machine's clock is at least {} s slow", time - clock),
    };
    findings.push(finding("clock", is_good, text));
    match chain.block(&chain.tip()) {
        Ok(_) => findings.push(finding("blocks", true, "the tip can be read")),
        Err(error) => findings.push(finding("blocks", false, error.to_string())),
    }
    findings
}

fn look_at_index(chain: &mut Chain) -> Finding {
    const REINDEX: &str = "run `gio-chain node --reindex`";
    match chain.is_index_intact() {
        Ok(true) => finding("index", true, "every page is as it was written"),
        Ok(false) => finding("index", false, format!("a page is damaged; {REINDEX}")),
        Err(error) => finding("index", false, format!("{}; {REINDEX}", causes(&error))),
    }
}

fn look_at_ports(config: &Config) -> Vec<Finding> {
    let ports = [("peers", config.listen), ("rpc", Some(config.rpc))];
    let asked = ports.into_iter().filter_map(|(what, at)| Some((what, at?)));
    asked
        .map(|(what, address)| match TcpListener::bind(address) {
            Ok(_) => finding(what, true, format!("{address} is free")),
            Err(error) => finding(what, false, format!("{address}: {error}")),
        })
        .collect()
}
