//! A chain that says what the test wants.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use gio_evm::SendError;
use gio_miner::domain::trust::{Backing, HubFacts, WalletStanding};
use gio_miner::infra::chain::{Approval, ChainFailure, Funds, MarketChain, PullFailure};
use gio_protocol::{Address, B256, DealId, DealStage, Gio, UnixSeconds};

/// What the chain knows. All wallets have the same money.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) hubs: HashMap<Address, HubFacts>,
    pub(crate) stages: HashMap<DealId, DealStage>,
    pub(crate) backing: Backing,
    pub(crate) time: UnixSeconds,
    pub(crate) block: u64,
    /// What each wallet lets the miner pull.
    pub(crate) approved: HashMap<Address, Gio>,
    /// What wallets approved, by block.
    pub(crate) approvals: Vec<(u64, Address, Gio)>,
    pub(crate) pulled: Vec<(Address, Gio)>,
    /// The next pull moves the money and is then reported as lost.
    pub(crate) lose_next_pull: bool,
}

/// A handle; the miner holds another one.
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeChain(Arc<Mutex<Facts>>);

impl FakeChain {
    pub(crate) fn facts(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().unwrap()
    }

    /// A payout: the wallet approves more.
    pub(crate) fn approve(&self, wallet: Address, net: Gio) {
        let mut facts = self.facts();
        facts.block += 1;
        let block = facts.block;
        facts.approvals.push((block, wallet, net));
        let approved = facts.approved.entry(wallet).or_default();
        *approved = approved.plus(net).unwrap();
    }

    pub(crate) fn pulled(&self) -> Vec<(Address, Gio)> {
        self.facts().pulled.clone()
    }
}

/// A registered hub with everything in order.
pub(crate) fn registered(owner: Address) -> HubFacts {
    HubFacts {
        owner,
        standing: WalletStanding::Registered,
        stake: Gio::from_units(100_000_000),
        stake_due: Gio::from_units(100_000_000),
        backing: Backing {
            free: Gio::from_units(1),
            escrow: Gio::ZERO,
        },
        endpoint: String::new(),
        endpoint_peer: None,
        is_delinquent: false,
    }
}

#[async_trait]
impl MarketChain for FakeChain {
    async fn hub(&self, wallet: Address) -> Result<Option<HubFacts>, ChainFailure> {
        Ok(self.facts().hubs.get(&wallet).cloned())
    }

    async fn funds(&self, wallet: Address) -> Result<Funds, ChainFailure> {
        let facts = self.facts();
        Ok(Funds {
            backing: facts.backing,
            approved: facts.approved.get(&wallet).copied().unwrap_or_default(),
            time: facts.time,
        })
    }

    async fn deal_stage(&self, _wallet: Address, deal: DealId) -> Result<DealStage, ChainFailure> {
        let stage = self.facts().stages.get(&deal).copied();
        Ok(stage.unwrap_or(DealStage::None))
    }

    async fn approval(&self, wallet: Address) -> Result<Approval, ChainFailure> {
        let facts = self.facts();
        Ok(Approval {
            amount: facts.approved.get(&wallet).copied().unwrap_or_default(),
            block: facts.block,
        })
    }

    async fn approved_between(
        &self,
        wallet: Address,
        after: u64,
        until: u64,
    ) -> Result<Gio, ChainFailure> {
        let facts = self.facts();
        let found = facts
            .approvals
            .iter()
            .filter(|(block, from, _)| *from == wallet && *block > after && *block <= until);
        Ok(found.fold(Gio::ZERO, |sum, (_, _, net)| sum.plus(*net).unwrap()))
    }

    async fn pull(&self, wallet: Address, amount: Gio) -> Result<B256, PullFailure> {
        let mut facts = self.facts();
        let lost = std::mem::take(&mut facts.lose_next_pull);
        let approved = facts.approved.entry(wallet).or_default();
        *approved = approved.minus(amount).unwrap();
        facts.block += 1;
        facts.pulled.push((wallet, amount));
        if lost {
            return Err(PullFailure::Send(Box::new(SendError::KeyMissing)));
        }
        Ok(B256::with_last_byte(
            u8::try_from(facts.pulled.len()).unwrap(),
        ))
    }

    async fn await_pull(&self, tx: B256) -> Result<B256, PullFailure> {
        Ok(tx)
    }
}
