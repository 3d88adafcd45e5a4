//! The verifier's tools: what a program becomes on the step machine, what any of its steps does, and whether all
//! engines of this machine agree about it.
//!
//! `unit` is what a run needs besides the program, `app` reads programs and knows their functions' names and places,
//! `explain` says what an instruction finds and leaves, `commands` holds one file per command. Nothing here talks to a network or spends anything.

mod app;
mod commands;
mod explain;
mod unit;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use gio_agent::{Completion, ExitStatus, UserError, report};
use serde_json::Value;

/// Looks into programs of the market: prepares, replays, explains and checks them
#[derive(Debug, Parser)]
#[command(name = "gio-verifier", version, propagate_version = true)]
struct Cli {
    /// Print one JSON object instead of text; what is wrong with the command line itself stays text
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the program root and the sizes of a WASI module, or why it is refused
    Prepare(commands::prepare::Prepare),
    /// Run a program on the step machine and print its states
    Trace(commands::trace::Trace),
    /// Print one step: the instruction, where it stands, values before and after, hashes, proof
    Step(commands::step::Step),
    /// Run a program on every engine and check that they agree
    Check(commands::check::Check),
    /// Print shell completion
    Completion(Completion),
}

/// What a command has to say: lines for people, and the same for programs.
#[derive(Debug, Default)]
struct Report {
    lines: Vec<String>,
    json: Value,
    status: Option<ExitStatus>,
}

/// Runs the command line to its exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = Cli::parse_from(args);
    let done = match cli.command {
        Command::Prepare(prepare) => prepare.run(),
        Command::Trace(trace) => trace.run(),
        Command::Step(step) => step.run(),
        Command::Check(check) => check.run(),
        Command::Completion(completion) => {
            completion.print::<Cli>();
            return ExitStatus::Ok.into();
        }
    };
    match done {
        Ok(report) => report.print(cli.json).into(),
        Err(error) => fail(&error, cli.json).into(),
    }
}

impl Report {
    fn print(self, json: bool) -> ExitStatus {
        // A reader that went away ends the output, nothing else.
        let mut out = io::stdout().lock();
        if json {
            let _ = writeln!(out, "{}", self.json);
        } else {
            for line in &self.lines {
                let _ = writeln!(out, "{line}");
            }
        }
        self.status.unwrap_or(ExitStatus::Ok)
    }
}

fn fail(error: &UserError, json: bool) -> ExitStatus {
    let mut err = io::stderr().lock();
    if json {
        let value = serde_json::json!({
            "error": error.code.name(),
            "cause": error.cause.to_string(),
            "hint": error.hint,
            "retryable": error.retryable,
        });
        let _ = writeln!(err, "{value}");
    } else {
        let _ = writeln!(err, "{}", report(error));
    }
    error.status
}
