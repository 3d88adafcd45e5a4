//! The development network: anvil, the contracts, the coin's node, one hub, three miners and a buyer, as real processes
//! with their own keys and folders. Everything lives in one folder and survives a restart.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use gio_agent::files::{Access, write_durably};
use gio_agent::{Home, Role};
use gio_evm::devnet::{DeployParams, Numbers, deploy};
use gio_evm::{Chain, Deployment};
use gio_keys::MachineKey;
use gio_net::peer_id_of;
use gio_protocol::{Address, Gio};
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use crate::chain::{DEPLOYER_KEY, LocalChain, free_port};
use crate::coin::CoinNode;
use crate::hosts::Place;
use crate::paths::{agent, artifacts};
use crate::process::{Process, run, wait_for};

/// How a network is made.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Settings {
    pub miners: usize,
    pub cores_per_miner: u32,
    pub net_price: String,
    pub window_seconds: u64,
    /// What answers for each miner's claims, in whole GIO; 0: no bond.
    pub bond: u64,
    /// Programs that run on a host of their own, by `chain`, `hub`, `miner-1`, `buyer`; all others run on this one.
    pub places: BTreeMap<String, Place>,
    /// Logs as JSON lines, for programs that read them.
    pub json_logs: bool,
}

impl Settings {
    fn place(&self, name: &str) -> Place {
        self.places.get(name).cloned().unwrap_or_default()
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            miners: 3,
            cores_per_miner: 1,
            net_price: "0.01".to_owned(),
            window_seconds: 3600,
            bond: 10,
            places: BTreeMap::new(),
            json_logs: false,
        }
    }
}

/// Ports of this network, the same after a restart.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Ports {
    rpc: u16,
    hub: u16,
}

/// A running network.
#[derive(Debug)]
pub struct Devnet {
    /// Everything is in here.
    pub folder: PathBuf,
    /// The EVM chain.
    pub anvil: LocalChain,
    /// The chain as the initial holder sees it.
    pub chain: Chain,
    /// The coin's regtest node, unless it was taken out.
    pub coin: Option<CoinNode>,
    /// The hub's process, unless it was stopped.
    pub hub: Option<Process>,
    /// The miners' processes by number, unless stopped.
    pub miners: Vec<Option<Process>>,
    /// Homes of hubs and buyers that were made besides, with their accounts.
    more: Vec<(String, Address)>,
    settings: Settings,
    ports: Ports,
}

impl Devnet {
    /// Starts the network in `folder`, making whatever is not there yet.
    ///
    /// # Errors
    /// If a part does not come up; its log is in `<folder>/logs`.
    pub async fn start(folder: &Path, settings: Settings) -> Result<Self> {
        let mut net = Self::prepare(folder, settings).await?;
        net.start_hub().await?;
        for number in 0..net.settings.miners {
            net.start_miner(number).await?;
        }
        Ok(net)
    }

    /// The chain with its contracts and every account set up and funded, no agent running.
    ///
    /// # Errors
    /// If a part does not come up.
    pub async fn prepare(folder: &Path, settings: Settings) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let folder = folder.canonicalize()?;
        let ports = ports(&folder)?;
        let anvil = LocalChain::start(&folder, &settings.place("chain"), ports.rpc).await?;
        let deployment = deployment(&folder, &anvil).await?;
        // It comes up while the accounts are made.
        let coin = CoinNode::start(&folder, &deployment).await?;
        let chain = Chain::connect(&anvil.rpc_url, deployment, Some(DEPLOYER_KEY)).await?;
        let miners = (0..settings.miners).map(|_| None).collect();
        let mut net = Self {
            folder,
            anvil,
            chain,
            coin: Some(coin),
            hub: None,
            miners,
            more: Vec::new(),
            settings,
            ports,
        };
        net.set_up_votes().await?;
        net.set_up_hub().await?;
        for number in 0..net.settings.miners {
            net.set_up_miner(number).await?;
        }
        net.set_up_buyer().await?;
        if let Some(coin) = &mut net.coin {
            coin.ready().await?;
        }
        Ok(net)
    }

    /// Starts the hub and waits until it serves.
    ///
    /// # Errors
    /// If it does not come up.
    pub async fn start_hub(&mut self) -> Result<()> {
        let mut process = Process::start(
            "hub",
            self.agent("gio-hub", "hub", &["start"]),
            &self.folder.join("logs"),
        )?;
        let (ip, port) = (self.settings.place("hub").ip, self.ports.hub);
        wait_for("the hub", 30, || {
            let (alive, ip) = (process.check(), ip.clone());
            async move {
                alive?;
                Ok(tokio::net::TcpStream::connect((ip, port)).await.ok())
            }
        })
        .await?;
        self.hub = Some(process);
        Ok(())
    }

    /// Starts a miner.
    ///
    /// # Errors
    /// If it cannot be started.
    pub async fn start_miner(&mut self, number: usize) -> Result<()> {
        let name = miner_name(number);
        let command = self.agent("gio-miner", &name, &["start"]);
        let mut process = Process::start(&name, command, &self.folder.join("logs"))?;
        process.check()?;
        self.miners[number] = Some(process);
        tokio::task::yield_now().await;
        Ok(())
    }

    /// A `gio-buyer` command on this network's buyer.
    #[must_use]
    pub fn buyer(&self, args: &[&str]) -> Command {
        self.agent("gio-buyer", "buyer", args)
    }

    /// One of the agents with its folder.
    #[must_use]
    pub fn agent(&self, program: &str, home: &str, args: &[&str]) -> Command {
        let mut command = self.settings.place(home).command(&agent(program));
        command.arg("--home").arg(self.folder.join(home)).args(args);
        if self.settings.json_logs {
            command.env("GIO_LOG_FORMAT", "json");
        }
        command
    }

    /// Every account that can hold GIO, with its name.
    ///
    /// # Errors
    /// If the chain or a key file cannot be read.
    pub async fn accounts(&self) -> Result<Vec<(String, Address)>> {
        let hub = self.key("hub", Role::Hub)?.address();
        let mut accounts = vec![
            ("initial holder".to_owned(), self.holder()),
            ("hub owner".to_owned(), hub),
        ];
        for wallet in self.chain.wallets_of(hub).await? {
            accounts.push(("hub wallet".to_owned(), wallet));
        }
        for number in 0..self.settings.miners {
            let name = miner_name(number);
            accounts.push((name.clone(), self.key(&name, Role::Miner)?.address()));
        }
        accounts.push((
            "buyer".to_owned(),
            self.key("buyer", Role::Buyer)?.address(),
        ));
        accounts.extend(self.more.iter().cloned());
        Ok(accounts)
    }

    /// GIO of every account, all at one moment: read again if a block came in between.
    ///
    /// # Errors
    /// If the chain cannot be read, or never stands still.
    pub async fn balances(&self) -> Result<Vec<(String, Gio)>> {
        const TRIES: usize = 50;
        let accounts = self.accounts().await?;
        for _ in 0..TRIES {
            let before = self.chain.head().await?.hash;
            let mut balances = Vec::new();
            for (name, account) in &accounts {
                balances.push((name.clone(), self.chain.balance(*account).await?));
            }
            if self.chain.head().await?.hash == before {
                return Ok(balances);
            }
        }
        bail!("the chain did not stand still for one reading of all balances")
    }

    /// Stops every process, the last started first.
    ///
    /// # Errors
    /// If one does not stop by itself.
    pub async fn stop(self) -> Result<()> {
        for miner in self.miners.into_iter().flatten() {
            miner.stop().await?;
        }
        if let Some(hub) = self.hub {
            hub.stop().await?;
        }
        if let Some(coin) = self.coin {
            coin.stop().await?;
        }
        self.anvil.process.stop().await?;
        Ok(())
    }

    /// Where others reach the hub.
    ///
    /// # Errors
    /// If the hub has no key.
    pub fn hub_addr(&self) -> Result<String> {
        let peer = peer_id_of(&self.key("hub", Role::Hub)?.public_key());
        let ip = self.settings.place("hub").ip;
        Ok(format!("/ip4/{ip}/tcp/{}/p2p/{peer}", self.ports.hub))
    }

    fn key(&self, home: &str, role: Role) -> Result<MachineKey> {
        Ok(Home::new(Some(self.folder.join(home)), role).key()?)
    }

    fn holder(&self) -> Address {
        self.chain
            .account()
            .expect("the network's own connection has a key")
    }

    /// Votes count where they are delegated: the holder of the supply can decide alone.
    async fn set_up_votes(&self) -> Result<()> {
        let holder = self.holder();
        if self.chain.votes(holder).await?.is_zero() {
            self.chain.delegate_votes(holder).await?;
            // They count from the next second on.
            self.anvil.pass(1).await?;
        }
        Ok(())
    }

    async fn set_up_hub(&self) -> Result<()> {
        if self.folder.join("hub/config.toml").exists() {
            return Ok(());
        }
        let listen = format!(
            "/ip4/{}/tcp/{}",
            self.settings.place("hub").ip,
            self.ports.hub
        );
        let window = self.settings.window_seconds.to_string();
        let mut args = vec![
            "init",
            "--listen",
            &listen,
            "--name",
            "devnet hub",
            "--window",
            &window,
        ];
        args.extend(["--net-price", &self.settings.net_price]);
        self.init("gio-hub", "hub", &args).await?;
        let owner = self.key("hub", Role::Hub)?.address();
        self.anvil.fund_gas(owner).await?;
        self.chain.send_gio(owner, Gio::from_whole(100)?).await?;
        let endpoint = self.hub_addr()?;
        run(self.agent(
            "gio-hub",
            "hub",
            &["register", "--deposit", "50", "--endpoint", &endpoint],
        ))
        .await?;
        Ok(())
    }

    /// Another hub's home with its owner's account funded, not registered.
    ///
    /// # Errors
    /// If the home cannot be made or the account not be funded.
    pub async fn make_hub(&mut self, home: &str) -> Result<Address> {
        let listen = format!("/ip4/127.0.0.1/tcp/{}", free_port()?);
        self.init("gio-hub", home, &["init", "--listen", &listen])
            .await?;
        self.fund(home, Role::Hub, Gio::from_whole(100)?).await
    }

    /// Another buyer's home with its account funded.
    ///
    /// # Errors
    /// If the home cannot be made or the account not be funded.
    pub async fn make_buyer(&mut self, home: &str, gio: Gio) -> Result<Address> {
        let bootstrap = self.hub_addr()?;
        self.init("gio-buyer", home, &["init", "--bootstrap", &bootstrap])
            .await?;
        self.fund(home, Role::Buyer, gio).await
    }

    async fn fund(&mut self, home: &str, role: Role, gio: Gio) -> Result<Address> {
        let account = self.key(home, role)?.address();
        self.anvil.fund_gas(account).await?;
        self.chain.send_gio(account, gio).await?;
        self.more.push((home.to_owned(), account));
        Ok(account)
    }

    async fn set_up_miner(&self, number: usize) -> Result<()> {
        let name = miner_name(number);
        if self.folder.join(&name).join("config.toml").exists() {
            return Ok(());
        }
        let (bootstrap, cores) = (self.hub_addr()?, self.settings.cores_per_miner.to_string());
        let listen = format!("/ip4/{}/tcp/0", self.settings.place(&name).ip);
        let args = [
            "init",
            "--bootstrap",
            &bootstrap,
            "--listen",
            &listen,
            "--cores",
            &cores,
        ];
        self.init("gio-miner", &name, &args).await?;
        let miner = self.key(&name, Role::Miner)?.address();
        self.anvil.fund_gas(miner).await?;
        if self.settings.bond > 0 {
            let bond = Gio::from_whole(self.settings.bond)?;
            self.chain.send_gio(miner, bond).await?;
            run(self.agent("gio-miner", &name, &["bond", &bond.to_string()])).await?;
        }
        Ok(())
    }

    async fn set_up_buyer(&self) -> Result<()> {
        if self.folder.join("buyer/config.toml").exists() {
            return Ok(());
        }
        let bootstrap = self.hub_addr()?;
        self.init("gio-buyer", "buyer", &["init", "--bootstrap", &bootstrap])
            .await?;
        let buyer = self.key("buyer", Role::Buyer)?.address();
        self.anvil.fund_gas(buyer).await?;
        self.chain.send_gio(buyer, Gio::from_whole(100)?).await?;
        Ok(())
    }

    async fn init(&self, program: &str, home: &str, args: &[&str]) -> Result<()> {
        let contracts = self.folder.join("contracts.json");
        let mut command = self.agent(program, home, args);
        command
            .arg("--rpc")
            .arg(&self.anvil.rpc_url)
            .arg("--contracts")
            .arg(contracts);
        run(command).await?;
        Ok(())
    }
}

/// How a miner's folder, log and account are called; people count from one.
fn miner_name(number: usize) -> String {
    format!("miner-{}", number + 1)
}

fn ports(folder: &Path) -> Result<Ports> {
    let path = folder.join("ports.json");
    if path.exists() {
        return serde_json::from_slice(&fs::read(&path)?).context("ports.json is damaged");
    }
    let ports = Ports {
        rpc: free_port()?,
        hub: free_port()?,
    };
    write_durably(&path, &serde_json::to_vec_pretty(&ports)?, Access::Public)?;
    Ok(ports)
}

async fn deployment(folder: &Path, anvil: &LocalChain) -> Result<Deployment> {
    let path = folder.join("contracts.json");
    if path.exists() {
        return serde_json::from_slice(&fs::read(&path)?).context("contracts.json is damaged");
    }
    let holder = MachineKey::from_bytes(&DEPLOYER_KEY)?.address();
    let numbers = Numbers::of_a_development_network();
    let params = DeployParams::with(numbers, holder, holder);
    let deployment = deploy(&anvil.rpc_url, DEPLOYER_KEY, &artifacts(), params).await?;
    write_durably(
        &path,
        &serde_json::to_vec_pretty(&deployment)?,
        Access::Public,
    )?;
    Ok(deployment)
}
