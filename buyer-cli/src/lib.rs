//! The buyer's agent: validates a job, cuts it, finds a hub, signs, locks the cap, follows, fetches, checks every byte
//! against what was signed and posted, puts the result together, confirms, and says in a receipt what it cost and what
//! was proven.
//!
//! `domain` decides and knows no clock, file or network; `steps` carries a job along its way; `infra` is what they are
//! carried out with; `commands` holds one file per command. What is on disk decides nothing: after a crash the chain is
//! asked what happened (`domain::next`).

pub mod apps;
pub mod cli;
pub mod commands;
pub mod config;
pub mod content_store;
pub mod decimal;
pub mod domain;
pub mod faults;
pub mod infra;
pub mod job;
pub mod job_file;
pub mod job_flags;
pub mod job_request;
pub mod job_store;
pub mod output;
pub mod results;
pub mod session;
pub mod steps;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;
use gio_agent::{ExitStatus, init_logging};

use crate::cli::Cli;

/// What is logged unless the user says otherwise: progress and results are not logs.
const LOG_DEFAULT: &str = "warn";

/// Runs the command line to its exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = Cli::parse_from(args);
    // Two TLS providers are linked in; a second call finds the first one's choice.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    init_logging(&cli.global().log, LOG_DEFAULT);
    let output = cli.global().output();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            output.failure(&error.into());
            return ExitStatus::Failure.into();
        }
    };
    let result = runtime.block_on(cli.run());
    // A reducing program that was left by Ctrl-C must not hold up the exit.
    runtime.shutdown_background();
    match result {
        Ok(status) => status.into(),
        Err(error) => {
            output.failure(&error);
            error.status.into()
        }
    }
}
