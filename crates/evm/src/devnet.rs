//! Setting up a market of one's own: deploys the contracts for development networks and tests.
//!
//! Creation code comes from `contracts/out`, which `forge build` writes; nothing here is needed to take part in a
//! market that exists.

mod numbers;

use std::path::{Path, PathBuf};

use alloy::primitives::{Bytes, TxKind};
use alloy::rpc::types::BlockNumberOrTag;
use alloy::sol_types::SolValue;
use gio_protocol::{Address, U256};
use serde::Deserialize;
use thiserror::Error;

use crate::convert::factory_parameters;
use crate::deployment::{Deployment, WalletParameters};
use crate::error::{ChainError, ConnectError, SendError};
use crate::rpc::{Rpc, Timing};
use crate::sender::{Order, Sender};

pub use numbers::{
    CaseNumbers, DaoNumbers, Numbers, RegistryNumbers, TokenNumbers, TreasuryNumbers, WalletNumbers,
};

/// What a new market starts with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeployParams {
    /// Who receives the initial supply; `None`: the treasury, which spends it by vote.
    pub initial_holder: Option<Address>,
    /// Who may mint, for ever: the bridge.
    pub minter: Address,
    /// Who may put miners' bonds at risk; `None`: nobody ever.
    pub court: Option<Address>,
    /// Who may call hubs trusted until a vote ends it; `None`: only votes do.
    pub curator: Option<Address>,
    /// Everything that is a number.
    pub numbers: Numbers,
}

impl DeployParams {
    /// The numbers of the design, with `minter` in the place of the bridge.
    #[must_use]
    pub fn of_the_design(initial_holder: Address, minter: Address) -> Self {
        Self::with(Numbers::of_the_design(), initial_holder, minter)
    }

    /// Other numbers.
    #[must_use]
    pub fn with(numbers: Numbers, initial_holder: Address, minter: Address) -> Self {
        Self {
            initial_holder: Some(initial_holder),
            minter,
            court: None,
            curator: None,
            numbers,
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
    /// Somebody else sent with the deployer's key in between; the contracts would name wrong addresses.
    #[error(
        "{contract} is at {found} instead of {expected}: is the deployer's key in use elsewhere?"
    )]
    OutOfOrder {
        /// Which.
        contract: &'static str,
        /// Where it is.
        found: Address,
        /// Where the others believe it.
        expected: Address,
    },
}

#[derive(Debug, Deserialize)]
struct Artifact {
    bytecode: Bytecode,
}

#[derive(Debug, Deserialize)]
struct Bytecode {
    object: Bytes,
}

/// Deploys a whole market from `deployer_key`'s account, as `contracts/script/Deploy.s.sol` does: the same contracts, in
/// the same order, from the same numbers; `scripts/test-governance` has that script verify the result of this function.
/// `artifacts_dir` is forge's output folder (`contracts/out`).
///
/// Several contracts name each other for ever, so each is told the address the other will have, which follows from the
/// deployer's nonce, and every second one refuses a first one that names somebody else.
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
    let sender = Sender::new(rpc, chain_id, deployer_key)?;
    let nonce = sender.count(BlockNumberOrTag::Latest).await?;
    let deployer = Deployer {
        sender,
        artifacts_dir,
        nonce,
        params,
    };
    let government = deployer.government().await?;
    deployer.market(chain_id, government).await
}

/// Contracts are created in this order, so that the addresses of later ones are known.
const ORDER: [&str; 11] = [
    "GioToken",
    "Timelock",
    "Dao",
    "Treasury",
    "HubWallet",
    "Whitelist",
    "Cases",
    "HubFactory",
    "AppPool",
    "MinerRegistry",
    "Standing",
];

/// The contracts that vote and hold the common money.
struct Government {
    token: Address,
    timelock: Address,
    dao: Address,
    treasury: Address,
}

struct Deployer<'a> {
    sender: Sender,
    artifacts_dir: &'a Path,
    nonce: u64,
    params: DeployParams,
}

impl Deployer<'_> {
    async fn government(&self) -> Result<Government, DeployError> {
        let (params, numbers) = (&self.params, &self.params.numbers);
        let treasury = self.address_of("Treasury");
        let supply = U256::from(numbers.token.initial_supply);
        let holder = params.initial_holder.unwrap_or(treasury);
        let arguments = (params.minter, holder, supply).abi_encode_params();
        let token = self.create("GioToken", arguments).await?;
        let delay = U256::from(numbers.dao.timelock_delay);
        let arguments = (delay, self.address_of("Dao")).abi_encode_params();
        let timelock = self.create("Timelock", arguments).await?;
        let rules = numbers.dao.rules();
        let arguments = (token, timelock, self.address_of("Cases"), rules).abi_encode_params();
        let dao = self.create("Dao", arguments).await?;
        let arguments = (token, timelock, numbers.treasury.rules()).abi_encode_params();
        let treasury = self.create("Treasury", arguments).await?;
        Ok(Government {
            token,
            timelock,
            dao,
            treasury,
        })
    }

    async fn market(
        &self,
        chain_id: u64,
        government: Government,
    ) -> Result<Deployment, DeployError> {
        let Government {
            token,
            timelock,
            dao,
            treasury,
        } = government;
        let numbers = &self.params.numbers;
        let implementation = self.create("HubWallet", Vec::new()).await?;
        let factory = self.address_of("HubFactory").abi_encode();
        let whitelist = self.create("Whitelist", factory).await?;
        let least = U256::from(numbers.cases.bond_min);
        let arguments = (token, dao, treasury, whitelist, least).abi_encode_params();
        let cases = self.create("Cases", arguments).await?;
        let wallets = WalletParameters {
            dao: timelock,
            treasury,
            cases,
            ..numbers.wallet.parameters()
        };
        let wallets = factory_parameters(&wallets, token, whitelist);
        let arguments = (implementation, wallets).abi_encode_params();
        let factory = self.create("HubFactory", arguments).await?;
        let app_pool = self.create("AppPool", Vec::new()).await?;
        let court = self.params.court.unwrap_or_default();
        let arguments = (token, court, numbers.registry.rules()).abi_encode_params();
        let miner_registry = self.create("MinerRegistry", arguments).await?;
        let curator = self.params.curator.unwrap_or_default();
        let arguments = (whitelist, token, treasury, curator).abi_encode_params();
        let standing = self.create("Standing", arguments).await?;
        Ok(Deployment {
            wallet_implementation: Some(implementation),
            timelock: Some(timelock),
            dao: Some(dao),
            treasury: Some(treasury),
            cases: Some(cases),
            app_pool: Some(app_pool),
            miner_registry: Some(miner_registry),
            standing: Some(standing),
            ..Deployment::new(chain_id, token, factory, whitelist)
        })
    }

    /// Where a contract of [`ORDER`] is or will be.
    fn address_of(&self, contract: &str) -> Address {
        let place = ORDER.iter().position(|other| *other == contract);
        let place = place.expect("only contracts of ORDER are asked for");
        self.sender.account().create(self.nonce + place as u64)
    }

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
        let found = receipt
            .contract_address
            .ok_or(DeployError::AddressMissing(contract))?;
        let expected = self.address_of(contract);
        if found != expected {
            return Err(DeployError::OutOfOrder {
                contract,
                found,
                expected,
            });
        }
        Ok(found)
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
