//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use gio_agent::{
    Completion, ConfigOption, Home, LogOptions, Role, UserError, init_logging, report,
};

use crate::commands;
use crate::config::{DeploymentName, NetworkName};

/// Runs a node of the GIO coin: keeps the chain, passes on blocks and transactions, answers JSON-RPC.
#[derive(Debug, Parser)]
#[command(name = "gio-chain", version)]
struct Cli {
    /// The node's folder: config, blocks, index
    #[arg(long, env = "GIO_CHAIN_HOME", global = true, value_name = "DIR")]
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
    /// Make the folder with a config file
    Init(Init),
    /// Run until Ctrl-C, SIGTERM or the RPC `stop`
    Node {
        /// Make the index again from the blocks first; heals a damaged index
        #[arg(long)]
        reindex: bool,
    },
    /// Ask the node that runs: `gio-chain rpc getblockhash 1`; `gio-chain rpc help` lists the methods
    Rpc {
        /// Which method
        method: String,
        /// Its parameters: JSON, or texts as they are
        #[arg(allow_negative_numbers = true)]
        params: Vec<String>,
    },
    /// Look at folder, index, ports and clock, and say what is wrong
    Doctor {
        /// One JSON object on stdout
        #[arg(long)]
        json: bool,
    },
    Completion(Completion),
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Which network
    #[arg(long, value_enum, default_value = "main")]
    pub(crate) network: NetworkName,
    /// On regtest, the EVM deployment that the first block names
    #[arg(long, value_name = "CHAIN_ID:TOKEN")]
    pub(crate) deployment: Option<DeploymentName>,
    /// Where to listen for peers
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Where to answer JSON-RPC, on this machine
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) rpc: Option<SocketAddr>,
    /// The address that getblocktemplate pays
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) mine_to: Option<String>,
    /// A node to stay connected to; may be repeated
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) connect: Vec<SocketAddr>,
}

/// Parses, runs, reports.
pub async fn main() -> ExitCode {
    let cli = Cli::parse();
    init_logging(&cli.log, "info");
    let home = Home::new(cli.home, Role::Chain).with_config(cli.config.file);
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
        Command::Node { reindex } => crate::node::start(home, reindex).await,
        Command::Rpc { method, params } => commands::rpc(home, &method, &params).await,
        Command::Doctor { json } => commands::doctor(home, json),
        Command::Completion(completion) => {
            completion.print::<Cli>();
            Ok(())
        }
    }
}
