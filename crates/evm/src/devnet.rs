//! Setting up a market of one's own: deploys the contracts for development networks and tests.
//!
//! Creation code comes from `contracts/out`, which `forge build` writes; nothing here is needed to take part in a
//! market that exists.

use std::path::{Path, PathBuf};

use alloy::primitives::{Bytes, TxKind};
use alloy::rpc::types::BlockNumberOrTag;
use alloy::sol_types::SolValue;
use gio_protocol::{Address, Gio, U256};
use serde::Deserialize;
use thiserror::Error;

use crate::convert::factory_parameters;
use crate::deployment::{Deployment, WalletParameters};
use crate::error::{ChainError, ConnectError, SendError};
use crate::rpc::{Rpc, Timing};
use crate::sender::{Order, Sender};

/// What a new market starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeployParams {
    /// Who receives the initial supply.
    pub initial_holder: Address,
    /// Base units that exist from the start.
    pub initial_supply: Gio,
    /// Who may mint, for ever: the bridge.
    pub minter: Address,
    /// What the factory gives every wallet.
    pub wallets: WalletParameters,
}

impl DeployParams {
    /// New users' and bounty coins (R29): 17 and 3 million GIO.
    pub const SUPPLY: Gio = Gio::from_units(20_000_000 * gio_protocol::amount::UNITS_PER_GIO);

    /// The parameters of the design, with `authority` in the places of the DAO and the bridge.
    #[must_use]
    pub fn of_the_design(initial_holder: Address, authority: Address) -> Self {
        Self {
            initial_holder,
            initial_supply: Self::SUPPLY,
            minter: authority,
            wallets: WalletParameters::of_the_design(authority),
        }
    }
}

impl WalletParameters {
    /// Stake 1 GIO, lock 30 %, payday fee 0.5 %, period 30 days, suspicion 120 days; no court, and the DAO is its own
    /// treasury.
    #[must_use]
    pub fn of_the_design(dao: Address) -> Self {
        const DAY: u32 = 24 * 3600;
        Self {
            dao,
            treasury: dao,
            cases: Address::ZERO,
            freeze_quota: Gio::from_units(gio_protocol::amount::UNITS_PER_GIO),
            lock_percent: 30,
            dao_fee_per_mille: 5,
            payout_period: 30 * DAY,
            suspicion_period: 120 * DAY,
        }
    }
}

/// A market that could not be set up.
#[derive(Debug, Error)]
pub enum DeployError {
    /// The creation code of a contract is missing.
    #[error(
        "no creation code in {path}; run `forge build` in contracts/ (scripts/bootstrap installs forge)"
    )]
    ArtifactMissing {
        /// The artifact.
        path: PathBuf,
        /// Why it cannot be read.
        #[source]
        source: std::io::Error,
    },
    /// The file is not forge's artifact of a contract that can be deployed as it is.
    #[error("{path} is not the artifact of a deployable contract")]
    ArtifactInvalid {
        /// The artifact.
        path: PathBuf,
        /// Why it cannot be read.
        #[source]
        source: serde_json::Error,
    },
    /// The RPC's address or the key cannot be used.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The RPC fails.
    #[error(transparent)]
    Rpc(#[from] ChainError),
    /// A contract could not be created.
    #[error("cannot create {contract}")]
    Create {
        /// Which.
        contract: &'static str,
        /// Why.
        #[source]
        source: SendError,
    },
    /// The receipt of a creation names no contract.
    #[error("the receipt of the creation of {0} names no address")]
    AddressMissing(&'static str),
}

#[derive(Debug, Deserialize)]
struct Artifact {
    bytecode: Bytecode,
}

#[derive(Debug, Deserialize)]
struct Bytecode {
    object: Bytes,
}

/// Deploys token, wallet implementation, whitelist and factory, in this order, from `deployer_key`'s account.
/// `artifacts_dir` is forge's output folder (`contracts/out`).
///
/// # Errors
/// [`DeployError`]. Contracts created before the failing one stay; a repetition makes a new market.
pub async fn deploy(
    rpc_url: &str,
    deployer_key: [u8; 32],
    artifacts_dir: &Path,
    params: DeployParams,
) -> Result<Deployment, DeployError> {
    let rpc = Rpc::new(rpc_url, Timing::default())?;
    let chain_id = rpc.chain_id().await?;
    let deployer = Deployer {
        sender: Sender::new(rpc, chain_id, deployer_key)?,
        artifacts_dir,
    };
    let supply = U256::from(params.initial_supply.units());
    let holder = (params.minter, params.initial_holder, supply);
    let token = deployer
        .create("GioToken", holder.abi_encode_params())
        .await?;
    let implementation = deployer.create("HubWallet", Vec::new()).await?;
    // The two name each other: the factory comes right after the whitelist, so its address is known.
    let nonce = deployer.sender.count(BlockNumberOrTag::Latest).await?;
    let factory = deployer.sender.account().create(nonce + 1);
    let whitelist = deployer.create("Whitelist", factory.abi_encode()).await?;
    let wallets = factory_parameters(&params.wallets, token, whitelist);
    let arguments = (implementation, wallets).abi_encode_params();
    let factory = deployer.create("HubFactory", arguments).await?;
    Ok(Deployment {
        chain_id,
        token,
        factory,
        whitelist,
    })
}

struct Deployer<'a> {
    sender: Sender,
    artifacts_dir: &'a Path,
}

impl Deployer<'_> {
    async fn create(
        &self,
        contract: &'static str,
        arguments: Vec<u8>,
    ) -> Result<Address, DeployError> {
        let mut code = self.creation_code(contract).await?.to_vec();
        code.extend(arguments);
        let order = Order {
            to: TxKind::Create,
            input: code.into(),
        };
        let receipt = Box::pin(self.sender.send(order))
            .await
            .map_err(|source| DeployError::Create { contract, source })?;
        receipt
            .contract_address
            .ok_or(DeployError::AddressMissing(contract))
    }

    async fn creation_code(&self, contract: &str) -> Result<Bytes, DeployError> {
        let path = self
            .artifacts_dir
            .join(format!("{contract}.sol"))
            .join(format!("{contract}.json"));
        let text = tokio::fs::read(&path)
            .await
            .map_err(|source| DeployError::ArtifactMissing {
                path: path.clone(),
                source,
            })?;
        let artifact: Artifact = serde_json::from_slice(&text)
            .map_err(|source| DeployError::ArtifactInvalid { path, source })?;
        Ok(artifact.bytecode.object)
    }
}
