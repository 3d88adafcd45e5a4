//! Measures a whole market of real processes; prints one JSON object. `scripts/bench` runs it.
#![expect(clippy::print_stdout, reason = "its output is its result")]

use anyhow::Result;
use clap::{Parser, Subcommand};
use gio_e2e::bench::{Bench, Load, p50_p95};
use serde_json::json;

/// Figures of a market on this machine.
#[derive(Debug, Parser)]
#[command(name = "gio-bench", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Jobs of many tiny units: how many a second, and what one costs
    Dispatch {
        #[arg(long, default_value_t = 10_000)]
        units: u32,
        #[arg(long, default_value_t = 5)]
        rounds: u32,
        #[arg(long, default_value_t = 1)]
        miners: usize,
        /// Workers of each miner
        #[arg(long, default_value_t = 2)]
        cores: u32,
        /// Units a miner may queue
        #[arg(long, default_value_t = 4000)]
        prefetch: u32,
    },
    /// One small job after the other: how soon the first unit runs
    Latency {
        #[arg(long, default_value_t = 40)]
        jobs: u32,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let folder = tempfile::Builder::new().prefix("gio-bench-").tempdir()?;
    let figures = match Cli::parse().command {
        Command::Dispatch {
            units,
            rounds,
            miners,
            cores,
            prefetch,
        } => {
            let load = Load {
                miners,
                cores_per_miner: cores,
                prefetch,
            };
            let bench = Bench::start(folder.path(), &load).await?;
            // Before anything is measured programs are compiled, and the hub has seen what the miner can do: a newcomer
            // gets few units at a time at first.
            bench.dispatch(units).await?;
            let mut measured = Vec::new();
            for _ in 0..rounds {
                measured.push(bench.dispatch(units).await?);
            }
            bench.stop().await?;
            json!({ "units": units, "rounds": measured })
        }
        Command::Latency { jobs } => {
            let load = Load {
                miners: 1,
                cores_per_miner: 1,
                prefetch: 2,
            };
            let bench = Bench::start(folder.path(), &load).await?;
            bench.submit_to_running_ms().await?;
            let mut measured = Vec::new();
            for _ in 0..jobs {
                measured.push(bench.submit_to_running_ms().await?);
            }
            bench.stop().await?;
            let (p50, p95) = p50_p95(measured);
            json!({ "jobs": jobs, "p50_ms": p50, "p95_ms": p95 })
        }
    };
    println!("{figures}");
    Ok(())
}
