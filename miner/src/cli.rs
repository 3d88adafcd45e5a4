//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use gio_agent::control::Request;
use gio_agent::{
    Completion, ConfigOption, Home, LogOptions, Role, UserError, init_logging, report,
};
use gio_protocol::Gio;

use crate::commands::{address, bond, claim, doctor, init, keys, operate, start, status};
use crate::infra::console;

/// What `start` logs when nobody asks for more: what people read is on stdout.
const LOG_DEFAULT: &str = "warn";

/// Sells this machine's computing power: finds hubs, runs their units in a sandbox, collects the pay.
#[derive(Debug, Parser)]
#[command(name = "gio-miner", version)]
struct Cli {
    /// The miner's folder: key, config, database [default: ~/.gio/miner]
    #[arg(long, env = "GIO_MINER_HOME", global = true, value_name = "DIR")]
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
    /// Run until Ctrl-C or SIGTERM
    Start,
    /// Show what was done and paid, hub by hub
    Status {
        /// One JSON object on stdout
        #[arg(long)]
        json: bool,
    },
    /// Print this miner's account
    Address,
    /// Bring the bond that answers for this miner's claims up to an amount
    Bond(bond::Bond),
    /// Ask the bond back, and take it when its time has come: the same command for both
    WithdrawBond(bond::WithdrawBond),
    /// Take this miner's parts of hubs' payouts, each with a proof
    Claim(claim::Claim),
    /// Say in the register where this miner wants to be paid
    PayoutTo(bond::PayoutTo),
    /// Print this machine's consent to sign for an owner, for `delegate` there
    Consent(keys::Consent),
    /// Make a machine's key sign for this account, whose bond answers for it
    Delegate(keys::Delegate),
    /// End a delegation, after the registry's delay
    Revoke(keys::Revoke),
    /// Take no new units; those that are here are finished
    ///
    /// A miner that was stopped takes new units again when it starts.
    Drain {
        /// Stay until no unit is here
        #[arg(long)]
        wait: bool,
    },
    /// Take new units again after `drain`
    Resume,
    /// Read prices and limits from the config file again, as a whole or not at all; SIGHUP does the same
    Reload,
    /// Look at key, config, database, payouts, disk, sandbox, clock, chain, peers and gas, and say what is wrong
    Doctor {
        /// One JSON object on stdout
        #[arg(long)]
        json: bool,
    },
    Completion(Completion),
}

/// Arguments of `init`.
#[derive(Debug, Args)]
pub struct Init {
    /// JSON-RPC of the EVM chain
    #[arg(long, value_name = "URL")]
    pub rpc: String,
    /// File with the addresses of the market's contracts
    #[arg(long, value_name = "FILE")]
    pub contracts: PathBuf,
    /// Peers to find hubs through; may be repeated
    #[arg(long, value_name = "MULTIADDR")]
    pub bootstrap: Vec<String>,
    /// Where to listen, if others are to reach this miner; may be repeated
    #[arg(long, value_name = "MULTIADDR")]
    pub listen: Vec<String>,
    /// Units at a time; 0: as many as the machine has cores
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub cores: u32,
    /// Least net pay per PU, in GIO
    #[arg(long, value_name = "GIO")]
    pub min_price: Option<Gio>,
    /// Find hubs on the local network
    #[arg(long)]
    pub mdns: bool,
}

/// Parses, runs, reports.
pub async fn main() -> ExitCode {
    let cli = Cli::parse();
    init_logging(&cli.log, LOG_DEFAULT);
    // Two TLS providers are linked; ours must be chosen before anything asks.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let home = Home::new(cli.home, Role::Miner).with_config(cli.config.file);
    match run(&home, cli.command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            console::complain(report(&error));
            error.status.into()
        }
    }
}

async fn run(home: &Home, command: Command) -> Result<(), UserError> {
    match command {
        Command::Init(args) => init::run(home, &args),
        Command::Start => start::run(home).await,
        Command::Status { json } => status::run(home, json).await,
        Command::Address => address::run(home),
        Command::Bond(args) => bond::bond(home, args).await,
        Command::WithdrawBond(args) => bond::withdraw(home, args).await,
        Command::Claim(args) => Box::pin(claim::run(home, &args)).await,
        Command::PayoutTo(args) => bond::payout_to(home, args).await,
        Command::Consent(args) => keys::consent(home, args).await,
        Command::Delegate(args) => keys::delegate(home, &args).await,
        Command::Revoke(args) => keys::revoke(home, args).await,
        Command::Drain { wait } => operate::drain(home, wait).await,
        Command::Resume => operate::tell(home, Request::Resume).await,
        Command::Reload => operate::tell(home, Request::Reload).await,
        Command::Doctor { json } => Box::pin(doctor::run(home, json)).await,
        Command::Completion(completion) => {
            completion.print::<Cli>();
            Ok(())
        }
    }
}
