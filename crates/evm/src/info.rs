//! What the chain says, in our words.

mod government;
mod market;

use gio_protocol::{
    Address, B256, Claim, Cu, DealStage, Gio, Signature, SumNode, UnitLeaf, UnixSeconds,
};
use serde::{Deserialize, Serialize};

use crate::deployment::WalletParameters;
use crate::event::{WalletEvent, WalletLog};

pub use government::{
    Action, BucketInfo, CaseInfo, CaseKind, CaseOutcome, EpochInfo, Level, ProposalInfo,
    ProposalState, StandingInfo, Support, VotingRules,
};
pub use market::{AppInfo, AppKind, KeyInfo, MinerInfo, RegistryRules, ReleaseDraft, ReleaseInfo};

/// A block, as far as anyone here needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockHead {
    /// Its height.
    pub number: u64,
    /// Its hash: if it changes at the same height, the chain was reorganised.
    pub hash: B256,
    /// Block time, which is what the contracts compare deadlines with (F5).
    pub time: UnixSeconds,
}

/// A mined transaction that did what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxInfo {
    /// Its hash. A replacement with a higher fee has another one than the first attempt.
    pub hash: B256,
    /// The block it is in.
    pub block: u64,
    /// That block's hash.
    pub block_hash: B256,
    /// Gas it used.
    pub gas_used: u64,
    /// What the called wallet said; empty if no wallet was called.
    pub events: Vec<WalletLog>,
}

impl TxInfo {
    /// The first event that `pick` accepts.
    pub fn find<T>(&self, pick: impl FnMut(&WalletEvent) -> Option<T>) -> Option<T> {
        self.events.iter().map(|log| &log.event).find_map(pick)
    }
}

/// States of a hub's wallet (HW-02); the discriminants are the contract's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WalletState {
    /// Made by the factory, nothing frozen yet.
    Created = 0,
    /// Stake frozen: may open deals and pay miners.
    Registered = 1,
    /// After payday.
    Idle = 2,
    /// The hub's own money is frozen by the DAO.
    Suspected = 3,
    /// Final.
    Punished = 4,
}

impl WalletState {
    /// The word users read.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Registered => "registered",
            Self::Idle => "idle",
            Self::Suspected => "suspected",
            Self::Punished => "punished",
        }
    }
}

/// What a hub offers (GV-19); the discriminants are the contract's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HubKind {
    /// Computing power.
    #[default]
    Compute = 0,
    /// A lasting service.
    Service = 1,
    /// Anything else.
    Other = 2,
}

/// What a hub says about itself in the whitelist (GV-07, GV-08).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubRecord {
    /// Multiaddress with peer id.
    pub endpoint: String,
    /// What it calls itself.
    pub name: String,
    /// Free text.
    pub description: String,
    /// What it offers.
    pub kind: HubKind,
}

/// A line of the register of hubs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubInfo {
    /// The hub's wallet.
    pub wallet: Address,
    /// Whose it is.
    pub owner: Address,
    /// When the factory made the wallet.
    pub listed_at: UnixSeconds,
    /// When the stake was frozen; `None` before the first registration.
    pub registered_at: Option<UnixSeconds>,
    /// Where the wallet stands.
    pub state: WalletState,
    /// Multiaddress with peer id; empty before the first registration, like the texts below.
    pub endpoint: String,
    /// What it calls itself.
    pub name: String,
    /// Free text.
    pub description: String,
    /// What it offers.
    pub kind: HubKind,
}

/// A hub's wallet, all of it read at one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalletInfo {
    /// The block the figures are of.
    pub at: BlockHead,
    /// Where the wallet stands.
    pub state: WalletState,
    /// Whose it is.
    pub owner: Address,
    /// Who made it.
    pub factory: Address,
    /// When the stake was frozen; `None` before.
    pub registered_at: Option<UnixSeconds>,
    /// What the token says it holds.
    pub balance: Gio,
    /// What the hub may use (R6): too low rather than too high.
    pub free: Gio,
    /// Frozen at registration.
    pub stake: Gio,
    /// The part of payouts held back until payday.
    pub locked: Gio,
    /// Caps of deals that are neither settled nor given back.
    pub escrow: Gio,
    /// Guarantees of the same deals.
    pub guarantees: Gio,
    /// Approved to miners and, as far as the wallet has seen, not yet pulled.
    pub approvals: Gio,
    /// Of all payouts, not yet claimed.
    pub unclaimed: Gio,
    /// When the DAO suspected it last; `None` before.
    pub suspected_at: Option<UnixSeconds>,
    /// What the wallet was made with.
    pub parameters: WalletParameters,
}

/// What a wallet stores of a deal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DealInfo {
    /// Where the deal stands.
    pub stage: DealStage,
    /// First second at which anyone may settle; `None` before a result is posted.
    pub window_end: Option<UnixSeconds>,
    /// CU the posted root sums up.
    pub cu_total: Cu,
    /// The posted root; `None` before.
    pub result_root: Option<B256>,
}

/// A signed EIP-2612 permit of the buyer for a wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    /// What the wallet may take, at least the cap.
    pub value: Gio,
    /// Until when the permit counts.
    pub deadline: UnixSeconds,
    /// Over [`crate::Chain::permit_digest`].
    pub signature: Signature,
}

/// One step of a walk down a result tree: a node's two children, and which of them the next step opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SumStep {
    /// The left child.
    pub left: SumNode,
    /// The right child.
    pub right: SumNode,
    /// Whether the next step opens the right one; without meaning in the last step.
    pub go_right: bool,
}

/// The proof that a posted result bills a unit falsely.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FalseBill {
    /// The unit as the job commits it.
    pub unit: UnitLeaf,
    /// Siblings of its leaf in the job tree, from the leaf upwards.
    pub job_proof: Vec<B256>,
    /// The claim the hub put at the unit's position.
    pub claim: Claim,
    /// The sum the result tree shows for that leaf.
    pub billed: Cu,
    /// Siblings of the claim's leaf in the result tree, from the leaf upwards.
    pub result_proof: Vec<SumNode>,
}

/// A miner's leaf of an epoch's payout, with the proof that it is in the tree (R9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayoutClaim {
    /// The payout.
    pub epoch: u32,
    /// How many leaves its tree has.
    pub count: u32,
    /// Which of them this is.
    pub index: u32,
    /// Who is paid.
    pub miner: Address,
    /// How much.
    pub net: Gio,
    /// Sibling nodes from the leaf upwards: 24 bytes of hash and 8 bytes of sum each.
    pub proof: Vec<B256>,
}
