//! A market of our own: anvil, the contracts, and accounts with money.

use std::path::{Path, PathBuf};
use std::time::Duration;

use alloy::network::Ethereum;
use alloy::node_bindings::{Anvil, AnvilInstance};
use alloy::providers::RootProvider;
use alloy::providers::ext::AnvilApi;
use gio_evm::devnet::{DeployParams, deploy};
use gio_evm::{Chain, Deployment, HubKind, HubRecord, Permit, Timing, WalletEvent};
use gio_keys::MachineKey;
use gio_protocol::{
    Address, B256, Cu, DealTerms, Gio, MachineParams, PricePerPu, UnixSeconds, VerificationMode,
    keccak256, seed_commitment,
};

/// Not the one anvil would choose, so that nothing works by accident.
pub(crate) const CHAIN_ID: u64 = 31_338;

pub(crate) struct Market {
    pub(crate) anvil: AnvilInstance,
    pub(crate) deployment: Deployment,
    /// Owner of a registered wallet.
    pub(crate) hub: Actor,
    pub(crate) buyer: Actor,
    pub(crate) miner: Actor,
    /// Holds the initial supply.
    pub(crate) treasury: Actor,
    pub(crate) wallet: Address,
}

/// A key and its connection.
pub(crate) struct Actor {
    pub(crate) key: MachineKey,
    pub(crate) chain: Chain,
}

impl Actor {
    pub(crate) fn address(&self) -> Address {
        self.key.address()
    }
}

pub(crate) fn gio(text: &str) -> Gio {
    text.parse().unwrap()
}

/// A started node; everything anvil's own accounts hold is gas money.
pub(crate) fn start_anvil() -> AnvilInstance {
    let path = contracts().join("node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil");
    assert!(
        path.exists(),
        "{} is missing: run scripts/bootstrap",
        path.display()
    );
    Anvil::at(path).chain_id(CHAIN_ID).try_spawn().unwrap()
}

pub(crate) fn contracts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts")
}

/// The nth account of anvil, which holds gas money.
pub(crate) fn key(anvil: &AnvilInstance, n: usize) -> MachineKey {
    MachineKey::from_bytes(&anvil.nth_key(n).unwrap().to_bytes().into()).unwrap()
}

pub(crate) fn record() -> HubRecord {
    HubRecord {
        endpoint: "/ip4/127.0.0.1/tcp/4001".to_owned(),
        name: "first hub".to_owned(),
        description: "a hub of a test".to_owned(),
        kind: HubKind::Compute,
    }
}

impl Market {
    /// A market with a registered hub that has 100 GIO free, a buyer with 100 GIO and a miner with nothing.
    pub(crate) async fn start() -> Self {
        let market = Self::start_unregistered().await;
        let hub = &market.hub.chain;
        hub.register(market.wallet, record()).await.unwrap();
        market
    }

    /// The same before the hub registered.
    pub(crate) async fn start_unregistered() -> Self {
        let anvil = start_anvil();
        let treasury = key(&anvil, 0);
        let deployment = deploy(
            &anvil.endpoint(),
            treasury.secret_bytes(),
            &contracts().join("out"),
            DeployParams::of_the_design(treasury.address(), treasury.address()),
        )
        .await
        .unwrap();
        let actor = async |n| {
            let key = key(&anvil, n);
            let secret = Some(key.secret_bytes());
            let chain = Chain::connect(&anvil.endpoint(), deployment, secret)
                .await
                .unwrap();
            Actor { key, chain }
        };
        let (treasury, hub) = (actor(0).await, actor(1).await);
        let (buyer, miner) = (actor(2).await, actor(3).await);
        let (wallet, _) = hub.chain.create_hub(B256::repeat_byte(7)).await.unwrap();
        treasury.chain.send_gio(wallet, gio("101")).await.unwrap();
        treasury
            .chain
            .send_gio(buyer.address(), gio("100"))
            .await
            .unwrap();
        Self {
            anvil,
            deployment,
            hub,
            buyer,
            miner,
            treasury,
            wallet,
        }
    }

    /// Anvil's own interface: time, mining, accidents.
    pub(crate) fn node(&self) -> RootProvider<Ethereum> {
        RootProvider::new_http(self.anvil.endpoint_url())
    }

    pub(crate) async fn pass_time(&self, seconds: u64) {
        self.node().anvil_increase_time(seconds).await.unwrap();
    }

    /// Another connection of an actor, with its own idea of the nonce.
    pub(crate) async fn reconnect(&self, actor: &Actor, timing: Timing) -> Chain {
        let secret = Some(actor.key.secret_bytes());
        Chain::connect_with(&self.anvil.endpoint(), self.deployment, secret, timing)
            .await
            .unwrap()
    }

    /// Terms both sides would sign: 2 units, cap 10 GIO, price 1 GIO per PU, an hour to deliver.
    pub(crate) async fn terms(&self, nonce: u8) -> DealTerms {
        let now = self.hub.chain.head().await.unwrap().time;
        let buyer_nonce = B256::repeat_byte(nonce);
        DealTerms {
            buyer: self.buyer.address(),
            wallet: self.wallet,
            buyer_nonce,
            hub_nonce: B256::repeat_byte(0xbb),
            seed_commitment: seed_commitment(buyer_nonce),
            job_root: keccak256("a job"),
            unit_count: 2,
            mode: VerificationMode::None,
            mode_params: B256::ZERO,
            machine_version: 0,
            machine_params: MachineParams::version_0(256).hash(),
            price_per_pu: PricePerPu(gio("1")),
            cap: gio("10"),
            guarantee: gio("2"),
            royalty_to: self.miner.address(),
            royalty_per_mille: 100,
            court: Address::ZERO,
            clock_start: now,
            open_by: now.after(600),
            deliver_by: now.after(3600),
            window: 1000,
        }
    }

    /// The deal id signed by both.
    pub(crate) fn sign(&self, terms: &DealTerms) -> (Vec<u8>, Vec<u8>) {
        self.sign_digest(terms.deal_id(CHAIN_ID).0)
    }

    pub(crate) fn sign_digest(&self, digest: B256) -> (Vec<u8>, Vec<u8>) {
        let bytes = |key: &MachineKey| key.sign(digest).as_bytes().to_vec();
        (bytes(&self.buyer.key), bytes(&self.hub.key))
    }

    /// The buyer's permit for the wallet.
    pub(crate) async fn permit(&self, value: Gio) -> Permit {
        let chain = &self.buyer.chain;
        let deadline = UnixSeconds(u64::MAX);
        let digest = chain
            .permit_digest(self.buyer.address(), self.wallet, value, deadline)
            .await
            .unwrap();
        Permit {
            value,
            deadline,
            signature: self.buyer.key.sign(digest),
        }
    }

    /// Opens a deal and, if asked, posts a result of this much work.
    pub(crate) async fn deal(&self, nonce: u8, posted: Option<Cu>) -> DealTerms {
        let terms = self.terms(nonce).await;
        let (buyer, hub) = self.sign(&terms);
        let permit = Some(self.permit(terms.cap).await);
        let chain = &self.hub.chain;
        chain.open(&terms, &buyer, &hub, permit).await.unwrap();
        if let Some(cu) = posted {
            chain
                .post_result(&terms, keccak256("tree"), cu, keccak256("claims"))
                .await
                .unwrap();
        }
        terms
    }

    pub(crate) async fn balances(&self, of: &[Address]) -> Vec<Gio> {
        let mut balances = Vec::new();
        for account in of {
            balances.push(self.treasury.chain.balance(*account).await.unwrap());
        }
        balances
    }
}

/// Everything in a receipt but its places.
pub(crate) fn said(tx: &gio_evm::TxInfo) -> Vec<WalletEvent> {
    tx.events.iter().map(|log| log.event.clone()).collect()
}

/// Waits until `ready` says so; a test that would wait for ever fails instead.
pub(crate) async fn wait_until(what: &str, mut ready: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !ready().await {
        assert!(
            tokio::time::Instant::now() < deadline,
            "waited too long: {what}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
