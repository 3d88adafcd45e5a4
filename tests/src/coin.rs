//! The coin's regtest node of the development network: a process with a folder of its own that goes on where it was.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use gio_evm::Deployment;
use serde_json::Value;
use tokio::process::Command;

use crate::paths::agent;
use crate::process::{Process, run, wait_for};

/// A running `gio-chain node`.
#[derive(Debug)]
pub struct CoinNode {
    process: Process,
    home: PathBuf,
}

impl CoinNode {
    /// Starts the node in `<folder>/coin`; its first block names the deployment (R29).
    ///
    /// # Errors
    /// If it cannot be set up or started.
    pub async fn start(folder: &Path, deployment: &Deployment) -> Result<Self> {
        let home = folder.join("coin");
        if !home.join("config.toml").exists() {
            let name = format!("{}:{}", deployment.chain_id, deployment.token);
            let mut init = command(&home, &["init", "--network", "regtest"]);
            init.args(["--deployment", &name]);
            // Whoever asks it reads its ports from `endpoints.json`.
            init.args(["--listen", "127.0.0.1:0", "--rpc", "127.0.0.1:0"]);
            run(init).await?;
        }
        // A killed node leaves it behind.
        let stale = home.join("endpoints.json");
        if stale.exists() {
            fs::remove_file(&stale)?;
        }
        let process = Process::start("coin", command(&home, &["node"]), &folder.join("logs"))?;
        Ok(Self { process, home })
    }

    /// Waits until it answers.
    ///
    /// # Errors
    /// If it does not.
    pub async fn ready(&mut self) -> Result<()> {
        let endpoints = self.home.join("endpoints.json");
        wait_for("the coin's node", 30, || {
            let alive = self.process.check();
            let is_there = endpoints.exists();
            async move {
                alive?;
                Ok(is_there.then_some(()))
            }
        })
        .await
    }

    /// What it answers to `gio-chain rpc`.
    ///
    /// # Errors
    /// If it refuses.
    pub async fn rpc(&self, args: &[&str]) -> Result<Value> {
        let told = run(command(&self.home, &[&["rpc"], args].concat())).await?;
        let told = told.trim_end();
        Ok(serde_json::from_str(told).unwrap_or_else(|_| Value::String(told.to_owned())))
    }

    /// Stops it.
    ///
    /// # Errors
    /// If it does not stop by itself.
    pub async fn stop(self) -> Result<()> {
        let status = self.process.stop().await?;
        status
            .success()
            .then_some(())
            .context("the coin's node ended with an error")
    }

    /// Kills it on the spot, as a power failure would.
    ///
    /// # Errors
    /// If it cannot be waited for.
    pub async fn kill(self) -> Result<()> {
        self.process.kill().await
    }
}

fn command(home: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(agent("gio-chain"));
    command.arg("--home").arg(home).args(args);
    command
}
