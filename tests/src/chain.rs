//! A local EVM chain: anvil on a free port, its state in a file.

use std::net::TcpListener;
use std::path::Path;

use alloy::providers::ext::AnvilApi as _;
use alloy::providers::{DynProvider, Provider as _, ProviderBuilder};
use alloy_primitives::{Address, U256, b256};
use anyhow::{Result, ensure};

use crate::hosts::Place;
use crate::paths::foundry;
use crate::process::{Process, wait_for};

/// The key of the first account every development node funds, public knowledge: it deploys and holds the supply.
pub const DEPLOYER_KEY: [u8; 32] =
    b256!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80").0;
/// The chain id development nodes use.
pub const CHAIN_ID: u64 = 31_337;

/// A running anvil.
#[derive(Debug)]
pub struct LocalChain {
    /// The process.
    pub process: Process,
    /// Its JSON-RPC.
    pub rpc_url: String,
    provider: DynProvider,
}

impl LocalChain {
    /// Starts anvil at `place` on `port` with its state in `folder`; it mines at once and at least every second.
    ///
    /// # Errors
    /// If it does not come up.
    pub async fn start(folder: &Path, place: &Place, port: u16) -> Result<Self> {
        let mut command = place.command(&foundry("anvil"));
        command.args([
            "--host",
            &place.ip,
            "--port",
            &port.to_string(),
            "--chain-id",
            &CHAIN_ID.to_string(),
        ]);
        command.args([
            "--block-time",
            "1",
            "--mixed-mining",
            "--state-interval",
            "2",
            "--state",
        ]);
        command.arg(folder.join("anvil.json"));
        let mut process = Process::start("anvil", command, &folder.join("logs"))?;
        let rpc_url = format!("http://{}:{port}", place.ip);
        let provider = ProviderBuilder::new()
            .connect_http(rpc_url.parse()?)
            .erased();
        wait_for("anvil's RPC", 20, || {
            let alive = process.check();
            let provider = provider.clone();
            async move {
                alive?;
                Ok(provider.get_chain_id().await.ok())
            }
        })
        .await?;
        Ok(Self {
            process,
            rpc_url,
            provider,
        })
    }

    /// Gives an account ether for gas.
    ///
    /// # Errors
    /// If the RPC refuses.
    pub async fn fund_gas(&self, account: Address) -> Result<()> {
        let ten_ether = U256::from(10u128.pow(19));
        Ok(self.provider.anvil_set_balance(account, ten_ether).await?)
    }

    /// From now on no block comes.
    ///
    /// # Errors
    /// If the RPC refuses.
    pub async fn stand_still(&self) -> Result<()> {
        Ok(self.provider.anvil_set_interval_mining(0).await?)
    }

    /// A block every second again.
    ///
    /// # Errors
    /// If the RPC refuses.
    pub async fn go_on(&self) -> Result<()> {
        Ok(self.provider.anvil_set_interval_mining(1).await?)
    }

    /// The chain as it is, to come back to.
    ///
    /// # Errors
    /// If the RPC refuses.
    pub async fn snapshot(&self) -> Result<U256> {
        Ok(self.provider.anvil_snapshot().await?)
    }

    /// A reorganisation: everything since a snapshot never was, and empty blocks are in its place.
    ///
    /// # Errors
    /// If the RPC refuses.
    pub async fn take_back(&self, snapshot: U256, blocks: u64) -> Result<()> {
        ensure!(
            self.provider.anvil_revert(snapshot).await?,
            "no such snapshot"
        );
        self.mine(blocks).await
    }

    /// So many empty blocks at once.
    ///
    /// # Errors
    /// If the RPC refuses.
    pub async fn mine(&self, blocks: u64) -> Result<()> {
        Ok(self.provider.anvil_mine(Some(blocks), None).await?)
    }

    /// What the node has of accounts' transactions.
    #[must_use]
    pub fn node(&self) -> Node {
        Node(self.provider.clone())
    }

    /// Moves the chain's clock.
    ///
    /// # Errors
    /// If the RPC refuses.
    pub async fn pass(&self, seconds: u64) -> Result<()> {
        self.provider.anvil_increase_time(seconds).await?;
        self.provider.evm_mine(None).await?;
        Ok(())
    }
}

/// The node behind a chain: its pool.
#[derive(Clone, Debug)]
pub struct Node(DynProvider);

impl Node {
    /// Nonces of an account that are mined.
    ///
    /// # Errors
    /// If the RPC refuses.
    pub async fn used(&self, account: Address) -> Result<u64> {
        Ok(self.0.get_transaction_count(account).await?)
    }

    /// Nonces of an account that are mined or wait in the pool without a gap.
    ///
    /// # Errors
    /// If the RPC refuses.
    pub async fn used_and_waiting(&self, account: Address) -> Result<u64> {
        Ok(self.0.get_transaction_count(account).pending().await?)
    }

    /// Forgets every transaction that waits.
    ///
    /// # Errors
    /// If the RPC refuses.
    pub async fn forget_all(&self) -> Result<()> {
        Ok(self.0.anvil_drop_all_transactions().await?)
    }
}

/// A port nobody listens on now.
///
/// # Errors
/// If there is none.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
