//! What the stories share: a network in a folder of its own, and a buyer whose answers are JSON.

use std::path::Path;

use gio_e2e::devnet::{Devnet, Settings};
use gio_evm::Support;
use gio_protocol::{Address, B256, DealId, Gio, U256, keccak256};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::sync::{Mutex, MutexGuard};

/// A whole market takes both cores of a small machine; two at once would only wait for each other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// A network that stops when the story ends, however it ends.
pub(crate) struct Story {
    pub(crate) net: Devnet,
    _folder: TempDir,
    _turn: MutexGuard<'static, ()>,
}

pub(crate) fn block_on<T>(story: impl Future<Output = T>) -> T {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(story)
}

/// A turn for a story that makes its network by itself.
pub(crate) async fn turn() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().await
}

impl Story {
    /// A network with chain, contracts and accounts, and no agent running yet.
    pub(crate) async fn prepare(settings: Settings) -> Self {
        Self::prepare_in(tempfile::tempdir().unwrap(), settings).await
    }

    /// The same in a folder that was prepared.
    pub(crate) async fn prepare_in(folder: TempDir, settings: Settings) -> Self {
        let turn = turn().await;
        let net = Devnet::prepare(folder.path(), settings).await.unwrap();
        Self {
            net,
            _folder: folder,
            _turn: turn,
        }
    }

    /// A network with its hub running, and so many miners that do not run yet.
    pub(crate) async fn with_hub(miners: usize) -> Self {
        let settings = Settings {
            miners,
            ..Settings::default()
        };
        let mut story = Self::prepare(settings).await;
        story.net.start_hub().await.unwrap();
        story
    }

    /// A network with its hub and all its miners running.
    pub(crate) async fn start(settings: Settings) -> Self {
        let mut story = Self::prepare(settings).await;
        story.net.start_hub().await.unwrap();
        for number in 0..story.net.miners.len() {
            story.net.start_miner(number).await.unwrap();
        }
        story
    }

    /// Runs a buyer's command to its end.
    pub(crate) async fn buyer(&self, args: &[&str]) -> Answer {
        answer(self.net.buyer(args)).await
    }

    /// A buyer's command with arguments of the job's own after `--`.
    pub(crate) async fn buyer_before_args(&self, args: &[&str], own: &[&str]) -> Answer {
        let mut command = self.net.buyer(args);
        command.arg("--json").args(own);
        finished(command).await
    }

    /// Runs a command of the hub's to its end.
    pub(crate) async fn hub(&self, args: &[&str]) -> Answer {
        answer(self.net.agent("gio-hub", "hub", args)).await
    }

    /// Runs a command of a miner's to its end; people count from one.
    pub(crate) async fn miner(&self, number: usize, args: &[&str]) -> Answer {
        let home = format!("miner-{number}");
        answer(self.net.agent("gio-miner", &home, args)).await
    }

    /// The address of an account, by its name in the balance table.
    pub(crate) async fn account(&self, name: &str) -> Address {
        let accounts = self.net.accounts().await.unwrap();
        let found = accounts.into_iter().find(|(account, _)| account == name);
        found.unwrap().1
    }

    /// Carries a proposal from its making to its execution; the holder of the supply decides alone.
    pub(crate) async fn decide(&self, proposal: U256) {
        let (chain, anvil) = (&self.net.chain, &self.net.anvil);
        let rules = chain.voting_rules().await.unwrap();
        anvil.pass(rules.delay + 1).await.unwrap();
        chain.vote(proposal, Support::For, "").await.unwrap();
        anvil.pass(rules.period + 1).await.unwrap();
        chain.queue(proposal).await.unwrap();
        anvil.pass(rules.timelock + 1).await.unwrap();
        chain.execute(proposal).await.unwrap();
    }

    /// An accusation that is voted through.
    pub(crate) async fn suspect(&self, wallet: Address) {
        let chain = &self.net.chain;
        let bond = chain.case_bond(wallet).await.unwrap();
        let evidence = keccak256("what a miner kept");
        let opened = chain.accuse(wallet, evidence, "https://evidence.example/1", bond);
        let (case, _) = opened.await.unwrap();
        self.decide(chain.case(case).await.unwrap().proposal).await;
        chain.decide(case).await.unwrap();
    }

    /// GIO of one account, by its name in the balance table.
    pub(crate) async fn balance(&self, name: &str) -> Gio {
        let balances = self.net.balances().await.unwrap();
        balances
            .into_iter()
            .find(|(account, _)| account == name)
            .unwrap()
            .1
    }

    /// The hub's wallet.
    pub(crate) async fn wallet(&self) -> Address {
        let accounts = self.net.accounts().await.unwrap();
        accounts
            .into_iter()
            .find(|(account, _)| account == "hub wallet")
            .unwrap()
            .1
    }
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) json: Value,
    pub(crate) stderr: String,
}

impl Answer {
    /// Of a command that was given `--json`.
    pub(crate) fn of(output: &std::process::Output) -> Self {
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        Self {
            code: output.status.code().unwrap(),
            json: serde_json::from_str(&stdout).unwrap_or(Value::String(stdout)),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The job's id, wherever a command tells it.
    pub(crate) fn job(&self) -> &str {
        self.json["job"]
            .as_str()
            .unwrap_or_else(|| panic!("no job in {self:?}"))
    }

    pub(crate) fn deal(&self) -> DealId {
        let text = self.json["receipt"]["deal_id"]
            .as_str()
            .unwrap_or_else(|| panic!("no deal in {self:?}"));
        DealId(text.parse::<B256>().unwrap())
    }

    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }
}

async fn answer(mut command: Command) -> Answer {
    command.arg("--json");
    finished(command).await
}

async fn finished(mut command: Command) -> Answer {
    Answer::of(&command.output().await.unwrap())
}

/// A text for a command line.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
