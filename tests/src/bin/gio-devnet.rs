//! The development network for people: `demo` runs the story of the README, `up` keeps a network running.
#![expect(clippy::print_stdout, reason = "this program talks to people")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Parser, Subcommand};
use gio_agent::{Completion, shutdown_signal};
use gio_content::{InputImage, OutputImage};
use gio_e2e::devnet::{Devnet, Settings};
use gio_e2e::{paths, report};
use gio_protocol::{B256, Status};
use gio_runtime::{Engine, EngineConfig, RunControl, UnitLimits};

/// A whole market on this machine: an EVM chain, the contracts, a hub, three miners and a buyer.
#[derive(Debug, Parser)]
#[command(name = "gio-devnet", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Render a picture on three miners, check it, pay for it, show every balance
    Demo {
        /// Where the network and the picture go; emptied first
        #[arg(long, default_value = ".gio/demo", value_name = "DIR")]
        dir: PathBuf,
    },
    /// Keep a network running until Ctrl-C; started again on its folder it goes on where it was
    Up {
        /// The network's folder
        #[arg(long, default_value = ".gio/devnet", value_name = "DIR")]
        dir: PathBuf,
    },
    Completion(Completion),
}

#[tokio::main]
async fn main() -> Result<()> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match Cli::parse().command {
        Command::Demo { dir } => Box::pin(demo(&dir)).await,
        Command::Up { dir } => Box::pin(up(&dir)).await,
        Command::Completion(completion) => {
            completion.print::<Cli>();
            Ok(())
        }
    }
}

async fn demo(dir: &Path) -> Result<()> {
    let started = Instant::now();
    clear(dir)?;
    println!(
        "starting two chains, the contracts, a hub and three miners in {}",
        dir.display()
    );
    let net = Devnet::start(dir, Settings::default()).await?;
    let before = net.balances().await?;
    let out = net.folder.join("picture");
    let job = paths::repository().join("apps/render/job.toml");
    let mut buyer = net.buyer(&["submit"]);
    let status = buyer.arg(&job).arg("--out").arg(&out).status().await?;
    ensure!(
        status.success(),
        "the job failed ({status}); logs are in {}",
        net.folder.join("logs").display()
    );
    let after = net.balances().await?;
    let picture = fs::read(out.join("picture.png")).context("the job left no picture")?;
    println!("\nrendering the same picture in one local run");
    let alone = tokio::task::spawn_blocking(render_alone).await??;
    ensure!(
        picture == alone,
        "the picture differs from that of one local run"
    );
    println!(
        "the picture is byte for byte that of one local run: {}",
        out.join("picture.png").display()
    );
    println!("\n{}", report::balance_table(&before, &after));
    ensure!(
        report::total(&before) == report::total(&after),
        "GIO was made or lost"
    );
    net.stop().await?;
    println!("\ndone in {:.1} s", started.elapsed().as_secs_f32());
    Ok(())
}

/// Renders the demo's scene in this process, in one piece.
fn render_alone() -> Result<Vec<u8>> {
    let folder = paths::repository().join("apps/render");
    let engine = Engine::new(EngineConfig {
        cache_dir: None,
        instances_max: 1,
        pages_max: 1024,
    })?;
    let program = engine.load(&fs::read(folder.join("render.wasm"))?)?;
    let args = ["render.wasm", "scene.txt", "-o", "picture.png"].map(|arg| arg.as_bytes().to_vec());
    let scene = fs::read(folder.join("scene.txt"))?;
    let input = InputImage {
        args: args.into(),
        files: [("scene.txt".to_owned(), scene)].into(),
        ..InputImage::default()
    };
    let limits = UnitLimits {
        cu_limit: u64::MAX >> 1,
        pages_max: 1024,
        output_max: 1 << 24,
        unit_seed: B256::ZERO,
        clock_start: 0,
    };
    let outcome = engine.run(&program, &input.encode()?, &limits, &RunControl::none())?;
    let mut output = OutputImage::decode(&outcome.output_image)?;
    if outcome.status != Status::Exit || outcome.exit_code != 0 {
        bail!(
            "the local run failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    output
        .files
        .remove("picture.png")
        .context("the local run left no picture")
}

async fn up(dir: &Path) -> Result<()> {
    let net = Devnet::start(dir, Settings::default()).await?;
    let home = net.folder.join("buyer");
    let buyer = paths::agent("gio-buyer");
    println!(
        "a market is running in {}; Ctrl-C stops it",
        net.folder.display()
    );
    println!("  JSON-RPC  {}", net.anvil.rpc_url);
    println!(
        "  contracts {}",
        net.folder.join("contracts.json").display()
    );
    println!("  hub       {}", net.hub_addr()?);
    println!("  coin      {}", net.folder.join("coin").display());
    println!("  logs      {}", net.folder.join("logs").display());
    println!("\ntry:");
    println!(
        "  {0} --home {1} submit apps/render/job.toml",
        buyer.display(),
        home.display()
    );
    println!(
        "  {0} --home {1} submit --wasm apps/echo/echo.wasm --input README.md --split files -- '{{file}}'",
        buyer.display(),
        home.display()
    );
    println!("  {0} --home {1} list", buyer.display(), home.display());
    println!(
        "  {} --home {} status",
        paths::agent("gio-miner").display(),
        net.folder.join("miner-1").display()
    );
    println!(
        "  {} --home {} status",
        paths::agent("gio-hub").display(),
        net.folder.join("hub").display()
    );
    println!(
        "  {} --home {} rpc generate 1",
        paths::agent("gio-chain").display(),
        net.folder.join("coin").display()
    );
    print_voting(&net);
    shutdown_signal().await;
    println!("stopping");
    net.stop().await
}

/// How to vote here: the account that holds the supply is the first of every development chain.
fn print_voting(net: &Devnet) {
    let key = B256::from(gio_e2e::chain::DEPLOYER_KEY);
    let hub = format!(
        "{} --home {}",
        paths::agent("gio-hub").display(),
        net.folder.join("hub").display()
    );
    println!("  {hub} wallet audit");
    println!("\nvote; a decision takes 70 s here, docs/governance.md has every command:");
    println!("  export PATH={}:$PATH", parent(&paths::foundry("cast")));
    println!("  export ETH_RPC_URL={}", net.anvil.rpc_url);
    println!(
        "  export ADDRESSES={}",
        net.folder.join("contracts.json").display()
    );
    println!("  SIGN=\"--private-key {key}\" ME=$(cast wallet address --private-key {key})");
    let deployment = net.chain.deployment();
    if let (Some(dao), Some(cases)) = (deployment.dao, deployment.cases) {
        println!("  cast call {dao} \"proposalCount()(uint256)\"");
        println!("  cast call {cases} \"caseCount()(uint256)\"");
    }
}

fn parent(path: &Path) -> String {
    path.parent().unwrap_or(path).display().to_string()
}

/// Empties the demo's folder, but only one that a demo made.
fn clear(dir: &Path) -> Result<()> {
    if !dir.exists() {
        return Ok(());
    }
    let is_ours = dir.join("ports.json").exists() || fs::read_dir(dir)?.next().is_none();
    ensure!(
        is_ours,
        "{} holds something else; name another folder with --dir",
        dir.display()
    );
    fs::remove_dir_all(dir)?;
    Ok(())
}
