//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use gio_agent::control::Request;
use gio_agent::{
    Completion, ConfigOption, Home, LogOptions, Role, UserError, init_logging, report,
};
use gio_protocol::Gio;

use crate::commands;

/// Runs a GIO hub: takes jobs from buyers, gives their units to miners, pays the miners.
#[derive(Debug, Parser)]
#[command(name = "gio-hub", version)]
struct Cli {
    /// The hub's folder: key, config, database [default: ~/.gio/hub]
    #[arg(long, env = "GIO_HUB_HOME", global = true, value_name = "DIR")]
    home: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigOption,
    #[command(flatten)]
    log: LogOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make the folder with a new key and a config file
    Init(Init),
    /// Make the wallet on chain, fund it, freeze the stake and enter the register of hubs
    Register(Register),
    /// Run until Ctrl-C or SIGTERM
    Start,
    /// Show the hub's deals and wallet
    Status {
        /// One JSON object on stdout
        #[arg(long)]
        json: bool,
    },
    /// Print the hub's account
    Address,
    /// Look into a wallet's books
    #[command(subcommand)]
    Wallet(commands::Wallet),
    /// Pay an epoch's miners by statistics: one transaction, and each miner claims its part with a proof
    ///
    /// Killed in the middle and run again, it goes on where it was; the same statistics are not paid twice.
    Payout(commands::Payout),
    /// End the payout period: the fee goes to the treasury, stake and locked sum are free again
    Payday(commands::Period),
    /// Send the free balance of an idle wallet to the hub's account
    Withdraw(commands::Period),
    /// Take no new deals; those under way are finished
    ///
    /// A hub that was stopped takes new deals again when it starts.
    Drain {
        /// Stay until no deal is under way
        #[arg(long)]
        wait: bool,
    },
    /// Take new deals again after `drain`
    Resume,
    /// Read prices and limits from the config file again, as a whole or not at all; SIGHUP does the same
    Reload,
    /// Look at key, config, database, disk, ports, clock, chain and money, and say what is wrong
    Doctor {
        /// One JSON object on stdout
        #[arg(long)]
        json: bool,
    },
    Completion(Completion),
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// JSON-RPC of the EVM chain
    #[arg(long, value_name = "URL")]
    pub(crate) rpc: String,
    /// File with the contracts' addresses
    #[arg(long, value_name = "FILE")]
    pub(crate) contracts: PathBuf,
    /// Where to listen; may be repeated
    #[arg(long, value_name = "MULTIADDR")]
    pub(crate) listen: Vec<String>,
    /// Peers to find others through; may be repeated
    #[arg(long, value_name = "MULTIADDR")]
    pub(crate) bootstrap: Vec<String>,
    /// What to call the hub
    #[arg(long, default_value = "a GIO hub")]
    pub(crate) name: String,
    /// What miners get for a PU, in GIO
    #[arg(long, value_name = "GIO")]
    pub(crate) net_price: Option<Gio>,
    /// Seconds from a posted result to settlement by anyone
    #[arg(long, value_name = "SECONDS")]
    pub(crate) window: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Register {
    /// GIO to move into the wallet: the stake, guarantees and working capital
    #[arg(long, value_name = "GIO")]
    pub(crate) deposit: Gio,
    /// Where buyers and miners reach the hub, as the register shows it
    #[arg(long, value_name = "MULTIADDR")]
    pub(crate) endpoint: String,
    /// A sentence about the hub
    #[arg(long, default_value = "")]
    pub(crate) description: String,
}

/// Parses, runs, reports.
pub async fn main() -> ExitCode {
    let cli = Cli::parse();
    init_logging(&cli.log, "info,libp2p=warn");
    // Two TLS providers are linked; ours must be chosen before anything asks.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let home = Home::new(cli.home, Role::Hub).with_config(cli.config.file);
    match run(&home, cli.command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            commands::print_error(&report(&error));
            error.status.into()
        }
    }
}

async fn run(home: &Home, command: Command) -> Result<(), UserError> {
    match command {
        Command::Init(args) => commands::init(home, &args),
        Command::Register(args) => commands::register(home, args).await,
        Command::Start => crate::run::start(home).await,
        Command::Status { json } => commands::status(home, json).await,
        Command::Address => commands::address(home),
        Command::Wallet(command) => Box::pin(commands::wallet(home, command)).await,
        Command::Payout(args) => Box::pin(commands::payout(home, &args)).await,
        Command::Payday(args) => commands::payday(home, args).await,
        Command::Withdraw(args) => commands::withdraw(home, args).await,
        Command::Drain { wait } => commands::drain(home, wait).await,
        Command::Resume => commands::tell(home, Request::Resume).await,
        Command::Reload => commands::tell(home, Request::Reload).await,
        Command::Doctor { json } => commands::doctor(home, json).await,
        Command::Completion(completion) => {
            completion.print::<Cli>();
            Ok(())
        }
    }
}
