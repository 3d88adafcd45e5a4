//! A chain that says what the test wants.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use gio_evm::{PayoutClaim, PostedPayout, PostedPayouts, RevertReason, SendError};
use gio_miner::domain::trust::{Backing, HubFacts, WalletStanding};
use gio_miner::infra::chain::{Approval, ChainFailure, Funds, MarketChain, Notebook, SendFailure};
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
    /// Nonces of the miner's account that are used up.
    pub(crate) nonces_used: u64,
    /// A pull of another life that the node has and no block yet.
    pub(crate) waiting: Option<(Address, Gio)>,
    /// How often the miner found that it still waits.
    pub(crate) waits_seen: u32,
    /// Transactions that changed nothing.
    pub(crate) barriers: u32,
    /// What wallets posted, by block.
    pub(crate) payouts: Vec<(u64, Address, PostedPayout)>,
    /// From which blocks wallets were asked for their payouts.
    pub(crate) payouts_asked: Vec<(Address, Option<u64>)>,
    /// Leaves that are claimed: wallet, payout, leaf.
    pub(crate) claimed: BTreeSet<(Address, u32, u32)>,
    /// The same, in a transaction that waits to be mined.
    pub(crate) claim_waiting: Option<(Address, u32, u32)>,
    /// Claims this miner has sent and had to pay for.
    pub(crate) claims_sent: Vec<(Address, PayoutClaim)>,
    /// The next claim is sent and waits; its end is reported as unknown.
    pub(crate) leave_next_claim: bool,
    /// Every claim is refused by the account: no gas.
    pub(crate) gas_is_out: bool,
    /// How often a claim was asked for and refused.
    pub(crate) claims_refused: u32,
    /// Wallets the chain says nothing of.
    pub(crate) silent: BTreeSet<Address>,
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

    /// A block takes the pull that waits.
    pub(crate) fn mine(&self) {
        let mut facts = self.facts();
        let (wallet, amount) = facts.waiting.take().unwrap();
        let approved = facts.approved.entry(wallet).or_default();
        *approved = approved.minus(amount).unwrap();
        facts.block += 1;
        facts.nonces_used += 1;
    }

    /// A wallet posts a payout.
    pub(crate) fn post(&self, wallet: Address, payout: PostedPayout) {
        let mut facts = self.facts();
        facts.block += 1;
        let block = facts.block;
        facts.payouts.push((block, wallet, payout));
    }

    /// A block takes the claim that waits.
    pub(crate) fn mine_claim(&self) {
        let mut facts = self.facts();
        let claim = facts.claim_waiting.take().unwrap();
        facts.claimed.insert(claim);
        facts.block += 1;
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
            nonces_used: facts.nonces_used,
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

    async fn pull(
        &self,
        wallet: Address,
        amount: Gio,
        notebook: &dyn Notebook,
    ) -> Result<B256, SendFailure> {
        let nonce = self.facts().nonces_used;
        assert!(notebook.note(nonce).await);
        let mut facts = self.facts();
        let lost = std::mem::take(&mut facts.lose_next_pull);
        let approved = facts.approved.entry(wallet).or_default();
        *approved = approved.minus(amount).unwrap();
        facts.block += 1;
        facts.nonces_used += 1;
        facts.pulled.push((wallet, amount));
        if lost {
            return Err(Box::new(SendError::KeyMissing).into());
        }
        Ok(B256::with_last_byte(
            u8::try_from(facts.pulled.len()).unwrap(),
        ))
    }

    async fn is_taken(&self, nonce: u64) -> Result<bool, ChainFailure> {
        let mut facts = self.facts();
        let waiting = u64::from(facts.waiting.is_some());
        facts.waits_seen += u32::from(facts.waiting.is_some());
        Ok(facts.nonces_used + waiting > nonce)
    }

    async fn use_up_a_nonce(&self) -> Result<(), SendFailure> {
        let mut facts = self.facts();
        facts.block += 1;
        facts.nonces_used += 1;
        facts.barriers += 1;
        Ok(())
    }

    async fn payouts_since(
        &self,
        wallet: Address,
        from: Option<u64>,
    ) -> Result<PostedPayouts, ChainFailure> {
        let mut facts = self.facts();
        if facts.silent.contains(&wallet) {
            return Err(ChainFailure::Account(Box::new(SendError::KeyMissing)));
        }
        facts.payouts_asked.push((wallet, from));
        let posted = facts.payouts.iter();
        let posted =
            posted.filter(|(block, by, _)| *by == wallet && from.is_none_or(|from| *block >= from));
        Ok(PostedPayouts {
            payouts: posted.map(|(_, _, payout)| *payout).collect(),
            until: facts.block,
        })
    }

    async fn is_claimed(
        &self,
        wallet: Address,
        epoch: u32,
        index: u32,
    ) -> Result<bool, ChainFailure> {
        Ok(self.facts().claimed.contains(&(wallet, epoch, index)))
    }

    async fn claim_payout(
        &self,
        wallet: Address,
        claim: &PayoutClaim,
    ) -> Result<B256, SendFailure> {
        let mut facts = self.facts();
        let leaf = (wallet, claim.epoch, claim.index);
        // The simulation sees what waits.
        if facts.claimed.contains(&leaf) || facts.claim_waiting == Some(leaf) {
            facts.claims_refused += 1;
            let (epoch, index) = (claim.epoch, claim.index);
            let reason = RevertReason::PayoutClaimedAlready { epoch, index };
            return Err(Box::new(SendError::Reverted(reason)).into());
        }
        if facts.gas_is_out {
            facts.claims_refused += 1;
            return Err(Box::new(SendError::KeyMissing).into());
        }
        facts.claims_sent.push((wallet, claim.clone()));
        if std::mem::take(&mut facts.leave_next_claim) {
            facts.claim_waiting = Some(leaf);
            return Err(Box::new(SendError::KeyMissing).into());
        }
        facts.block += 1;
        facts.claimed.insert(leaf);
        Ok(B256::repeat_byte(0xcc))
    }
}
