//! `gio-miner init`: the one set-up step.

use gio_agent::files::{Access, read_text, write_durably};
use gio_agent::{Code, ExitStatus, Home, HomeError, UserError};
use gio_evm::Deployment;
use gio_protocol::PricePerPu;

use super::usage;
use crate::cli::Init;
use crate::config::{Config, MinerConfig};
use crate::infra::console;

/// Makes key and config, and prints the account.
///
/// # Errors
/// If a config is there already, or an argument is wrong; nothing was made then.
pub fn run(home: &Home, args: &Init) -> Result<(), UserError> {
    let text = read_text(&args.contracts).map_err(|error| {
        let path = args.contracts.display();
        UserError::of(Code::Usage, format!("cannot read {path}: {error}"))
            .hint("--contracts names the file with the addresses of the contracts")
    })?;
    let contracts: Deployment = serde_json::from_str(&text).map_err(|error| {
        usage(error).hint("the file must be a deployment's addresses as JSON: chain_id, token, factory, whitelist and others")
    })?;
    let text = config_text(args, &contracts);
    Config::parse(&home.config_path(), &text).map_err(usage)?;
    if home.config_path().exists() {
        let path = home.config_path();
        let message = format!("{} already exists", path.display());
        return Err(UserError::new(message, ExitStatus::Usage)
            .hint("nothing was changed; choose another --home for a second miner"));
    }
    let key = match home.create_key() {
        // An earlier `init` was interrupted between key and config.
        Err(HomeError::KeyExists(_)) => home.key(),
        made => made,
    };
    let key = key.map_err(usage)?;
    write_durably(&home.config_path(), text.as_bytes(), Access::Public)?;
    console::line(key.address());
    let folder = home.folder().display();
    console::complain(format_args!(
        "made {folder}; send this account a little of the chain's own coin for gas, then run `gio-miner start`"
    ));
    Ok(())
}

/// A config file people can go on with: what was asked for, every other key with its default.
fn config_text(args: &Init, contracts: &Deployment) -> String {
    let defaults = MinerConfig::default();
    let quoted = |text: &String| format!("{text:?}");
    let list = |texts: &[String]| texts.iter().map(quoted).collect::<Vec<_>>().join(", ");
    let contracts = toml::to_string(contracts).expect("addresses and a number are TOML");
    let price = args.min_price.map_or(defaults.net_price_min, PricePerPu).0;
    format!(
        r#"# gio-miner. Every key is explained in config.example.toml. Amounts are GIO in quotes.
rpc_url = {rpc:?}
listen = [{listen}]
bootstrap = [{bootstrap}]
mdns = {mdns}

[contracts]
{contracts}
[miner]
cores = {cores}
prefetch = {prefetch}
net_price_min = "{price}"
exposure_initial = "{exposure}"
payout_claim_min = "{payout}"
hubs_max = {hubs_max}
unit_memory_mib = {unit_memory_mib}
cache_mib = {cache_mib}
drain_seconds = {drain_seconds}
"#,
        rpc = args.rpc,
        listen = list(&args.listen),
        bootstrap = list(&args.bootstrap),
        mdns = args.mdns,
        cores = args.cores,
        prefetch = defaults.prefetch,
        exposure = defaults.exposure_initial,
        payout = defaults.payout_claim_min,
        hubs_max = defaults.hubs_max,
        unit_memory_mib = defaults.unit_memory_mib,
        cache_mib = defaults.cache_mib,
        drain_seconds = defaults.drain_seconds,
    )
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use gio_agent::Role;

    use super::*;

    const CONTRACTS: &str = r#"{"chain_id": 31337,
        "token": "0x5FbDB2315678afecb367f032d93F642f64180aa3",
        "factory": "0x9fE46736679d2D9a65F0992F2272dE9f3c7fa6e0",
        "whitelist": "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512"}"#;

    fn args(folder: &Path) -> Init {
        let contracts = folder.join("contracts.json");
        fs::write(&contracts, CONTRACTS).unwrap();
        Init {
            rpc: "http://127.0.0.1:1".to_owned(),
            contracts,
            bootstrap: vec!["/ip4/127.0.0.1/tcp/7701".to_owned()],
            listen: Vec::new(),
            cores: 2,
            min_price: Some("0.25".parse().unwrap()),
            mdns: true,
        }
    }

    #[test]
    fn what_init_writes_start_reads() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(Some(dir.path().join("m")), Role::Miner);
        run(&home, &args(dir.path())).unwrap();
        let config = Config::load(&home.config_path()).unwrap();
        assert_eq!(config.rpc_url, "http://127.0.0.1:1");
        assert_eq!(config.bootstrap.len(), 1);
        assert!(config.mdns);
        assert_eq!(config.contracts.chain_id, 31_337);
        assert_eq!(config.miner.cores, 2);
        assert_eq!(config.miner.net_price_min.0.to_string(), "0.25000000");
        let expected = MinerConfig {
            cores: 2,
            net_price_min: config.miner.net_price_min,
            ..MinerConfig::default()
        };
        assert_eq!(format!("{:?}", config.miner), format!("{expected:?}"));
    }

    #[test]
    fn a_second_init_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(Some(dir.path().join("m")), Role::Miner);
        run(&home, &args(dir.path())).unwrap();
        let (key, config) = (home.key().unwrap(), fs::read(home.config_path()).unwrap());
        let error = run(&home, &args(dir.path())).unwrap_err();
        assert_eq!(error.status, ExitStatus::Usage);
        assert_eq!(home.key().unwrap().address(), key.address());
        assert_eq!(fs::read(home.config_path()).unwrap(), config);
    }

    #[test]
    fn an_interrupted_init_goes_on_with_its_key() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(Some(dir.path().join("m")), Role::Miner);
        let key = home.create_key().unwrap();
        run(&home, &args(dir.path())).unwrap();
        assert_eq!(home.key().unwrap().address(), key.address());
        Config::load(&home.config_path()).unwrap();
    }

    #[test]
    fn a_wrong_argument_makes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(Some(dir.path().join("m")), Role::Miner);
        let mut wrong = args(dir.path());
        wrong.bootstrap = vec!["there".to_owned()];
        let error = run(&home, &wrong).unwrap_err();
        assert!(
            error.cause.to_string().contains("`there`"),
            "{}",
            error.cause
        );
        assert!(!home.folder().exists());
    }
}
