//! The command line: one file per command in `commands`, only dispatch here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use gio_agent::{Completion, ConfigOption, ExitStatus, Home, LogOptions, Role, UserError};

use crate::commands::{
    address, app, attach, balance, cancel, check, doctor, get, init, list, logs, plan, reduce,
    refund, run, status, submit, why,
};
use crate::output::Output;

/// Buys computing power: a job goes in, a checked result comes out, and only metered work is paid
#[derive(Debug, Parser)]
#[command(name = "gio-buyer", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// The folder with key, config and jobs [default: ~/.gio/buyer]
    #[arg(
        long,
        global = true,
        env = "GIO_BUYER_HOME",
        value_name = "DIR",
        help_heading = "Global options"
    )]
    pub home: Option<PathBuf>,
    /// Print one JSON object on standard output
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
    /// The config file.
    #[command(flatten, next_help_heading = "Global options")]
    pub config: ConfigOption,
    /// Logs.
    #[command(flatten, next_help_heading = "Global options")]
    pub log: LogOptions,
}

impl Global {
    /// The buyer's home.
    #[must_use]
    pub fn home(&self) -> Home {
        let home = Home::new(self.home.clone(), Role::Buyer);
        home.with_config(self.config.file.clone())
    }

    /// Where results go.
    #[must_use]
    pub fn output(&self) -> Output {
        Output::new(self.json)
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Init),
    Plan(Box<plan::Plan>),
    Submit(Box<submit::Submit>),
    Run(Box<run::Run>),
    Status(status::Status),
    List(list::List),
    Why(why::Why),
    Logs(logs::Logs),
    Attach(attach::Attach),
    Cancel(cancel::Cancel),
    Get(get::Get),
    Check(check::Check),
    Reduce(Box<reduce::Reduce>),
    Refund(refund::Refund),
    Address(address::Address),
    Balance(balance::Balance),
    App(app::App),
    Doctor(doctor::Doctor),
    Completion(Completion),
}

impl Cli {
    /// The options of every command.
    #[must_use]
    pub fn global(&self) -> &Global {
        &self.global
    }

    /// Runs the command.
    ///
    /// # Errors
    /// The command's.
    pub async fn run(self) -> Result<ExitStatus, UserError> {
        let global = &self.global;
        match self.command {
            Command::Init(command) => command.run(global),
            Command::Submit(command) => Box::pin(command.run(global)).await,
            Command::Run(command) => command.run(global).await,
            Command::Status(command) => Box::pin(command.run(global)).await,
            Command::List(command) => command.run(global),
            Command::Attach(command) => Box::pin(command.run(global)).await,
            Command::Get(command) => Box::pin(command.run(global)).await,
            Command::Check(command) => command.run(global).await,
            Command::Refund(command) => command.run(global).await,
            Command::Address(command) => command.run(global),
            Command::Balance(command) => command.run(global).await,
            Command::App(command) => Box::pin(command.run(global)).await,
            Command::Reduce(command) => Box::pin(command.run(global)).await,
            Command::Plan(command) => Box::pin(command.run(global)).await,
            Command::Why(command) => Box::pin(command.run(global)).await,
            Command::Logs(command) => Box::pin(command.run(global)).await,
            Command::Cancel(command) => Box::pin(command.run(global)).await,
            Command::Doctor(command) => Box::pin(command.run(global)).await,
            Command::Completion(completion) => {
                completion.print::<Self>();
                Ok(ExitStatus::Ok)
            }
        }
    }
}
