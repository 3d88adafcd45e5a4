//! The commands besides `start`. The only file that prints.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "commands talk to people"
)]

use gio_agent::files::{Access, write_durably};
use gio_agent::{ConfigError, ExitStatus, Home, UserError, read_config};
use gio_evm::{Chain, Deployment, HubKind, HubRecord, WalletState};
use gio_protocol::{Address, B256, Gio, PricePerPu};
use serde_json::json;

use crate::cli::{Init, Register};
use crate::config::{Config, HubConfig, Prices, default_listen};
use crate::infra::progress::Stage;
use crate::infra::store::Store;

pub(crate) fn print_error(text: &str) {
    eprintln!("{text}");
}

pub(crate) fn init(home: &Home, args: &Init) -> Result<(), UserError> {
    let text = std::fs::read_to_string(&args.contracts).map_err(|error| {
        usage(error).hint(format!(
            "--contracts {} must be a file",
            args.contracts.display()
        ))
    })?;
    let contracts: Deployment = serde_json::from_str(&text).map_err(usage)?;
    let mut prices = Prices::default();
    if let Some(net) = args.net_price {
        prices.net_price = PricePerPu(net);
    }
    if let Some(window) = args.window {
        prices.window_seconds = window;
    }
    let config = Config {
        rpc_url: args.rpc.clone(),
        listen: if args.listen.is_empty() {
            default_listen()
        } else {
            args.listen.clone()
        },
        bootstrap: args.bootstrap.clone(),
        mdns: false,
        contracts,
        hub: HubConfig {
            name: args.name.clone(),
            ..HubConfig::default()
        },
        prices,
    };
    let key = home.create_key().map_err(usage)?;
    let text = toml::to_string_pretty(&config)?;
    write_durably(&home.config_path(), text.as_bytes(), Access::Public)?;
    println!("{}", key.address());
    eprintln!(
        "made {}; fund this account, then run `gio-hub register`",
        home.folder().display()
    );
    Ok(())
}

pub(crate) fn address(home: &Home) -> Result<(), UserError> {
    println!("{}", home.key()?.address());
    Ok(())
}

/// Every step looks at the chain first, so that the command can be repeated after a kill.
pub(crate) async fn register(home: &Home, args: Register) -> Result<(), UserError> {
    let config = config(home)?;
    let key = home.key()?;
    let _lock = home.lock()?;
    let chain = connect(&config, Some(key.secret_bytes())).await?;
    let wallet = match chain.wallets_of(key.address()).await?.first() {
        Some(wallet) => *wallet,
        None => chain.create_hub(B256::ZERO).await?.0,
    };
    if chain.wallet(wallet).await?.state == WalletState::Registered {
        println!("{wallet}");
        eprintln!("already registered");
        return Ok(());
    }
    let missing = args.deposit.minus_or_zero(chain.balance(wallet).await?);
    if missing > Gio::ZERO {
        let have = chain.balance(key.address()).await?;
        if have < missing {
            let text = format!(
                "{} holds {have} GIO, the deposit needs {missing} GIO",
                key.address()
            );
            return Err(UserError::new(text, ExitStatus::Funds).hint("send GIO to this account"));
        }
        chain.send_gio(wallet, missing).await?;
    }
    let record = HubRecord {
        endpoint: args.endpoint,
        name: config.hub.name,
        description: args.description,
        kind: HubKind::Compute,
    };
    chain.register(wallet, record).await?;
    println!("{wallet}");
    eprintln!("registered; run `gio-hub start`");
    Ok(())
}

pub(crate) async fn status(home: &Home, as_json: bool) -> Result<(), UserError> {
    let config = config(home)?;
    let key = home.key()?;
    let chain = connect(&config, None).await?;
    let wallet = wallet_of(&config, &chain, key.address()).await?;
    let info = chain.wallet(wallet).await?;
    let store = Store::open(&home.path("hub.db")).await?;
    let mut deals = Vec::new();
    for stage in [
        Stage::Signed,
        Stage::Open,
        Stage::Running,
        Stage::Assembling,
        Stage::Posted,
    ] {
        deals.extend(store.deals_in(&[stage]).await?);
    }
    if as_json {
        let rows: Vec<_> = deals
            .iter()
            .map(|deal| json!({"id": deal.id, "stage": format!("{:?}", deal.stage)}))
            .collect();
        println!(
            "{}",
            json!({
                "owner": key.address(), "wallet": wallet, "state": info.state,
                "free": info.free, "locked": info.locked, "stake": info.stake, "escrow": info.escrow, "deals": rows,
            })
        );
        return Ok(());
    }
    println!(
        "owner   {}\nwallet  {wallet} ({})",
        key.address(),
        info.state.name()
    );
    println!(
        "free    {:>20} GIO\nescrow  {:>20} GIO",
        info.free, info.escrow
    );
    println!(
        "stake   {:>20} GIO\nlocked  {:>20} GIO",
        info.stake, info.locked
    );
    println!("{} deals under way", deals.len());
    for deal in deals {
        println!(
            "  {}  {:?}  {} units, cap {} GIO",
            deal.id, deal.stage, deal.terms.unit_count, deal.terms.cap
        );
    }
    Ok(())
}

/// Reads the config, with a hint where there is none.
pub(crate) fn config(home: &Home) -> Result<Config, UserError> {
    read_config(&home.config_path()).map_err(|error| match &error {
        ConfigError::Read { .. } => {
            usage(error).hint("run `gio-hub init` first, or name the folder with --home")
        }
        ConfigError::Parse { .. } => usage(error),
    })
}

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
