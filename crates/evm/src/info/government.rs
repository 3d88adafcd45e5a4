//! What the government says: proposals, cases, the treasury, standing.

use alloy::primitives::Bytes;
use alloy::sol_types::SolCall;
use gio_protocol::{Address, B256, Gio, U256, UnixSeconds};
use serde::{Deserialize, Serialize};

use crate::bindings::HubWallet;
use crate::bindings::government::{Standing, Treasury};

/// One call a passed proposal makes, in the name of the timelock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    pub(crate) to: Address,
    pub(crate) data: Bytes,
}

impl Action {
    fn of(to: Address, call: &impl SolCall) -> Self {
        Self {
            to,
            data: call.abi_encode().into(),
        }
    }

    /// Any call, for contracts this package has no word for.
    #[must_use]
    pub fn call(to: Address, data: Vec<u8>) -> Self {
        Self {
            to,
            data: data.into(),
        }
    }

    /// Freezes a hub's own money because of an undecided case.
    #[must_use]
    pub fn suspect(wallet: Address, case: U256) -> Self {
        Self::of(wallet, &HubWallet::suspectCall { caseId: case })
    }

    /// Ends a suspicion.
    #[must_use]
    pub fn rehab(wallet: Address) -> Self {
        Self::of(wallet, &HubWallet::rehabCall {})
    }

    /// Takes a suspected hub's own money, for ever. A grave proposal, and alone in it.
    #[must_use]
    pub fn ban(wallet: Address) -> Self {
        Self::of(wallet, &HubWallet::banCall {})
    }

    /// Pays out of a bucket of the treasury; bucket 0 is the general money.
    #[must_use]
    pub fn spend(treasury: Address, bucket: U256, to: Address, amount: Gio) -> Self {
        let call = Treasury::spendCall {
            bucketId: bucket,
            to,
            amount: amount.units().into(),
        };
        Self::of(treasury, &call)
    }

    /// Calls a hub verified, or takes that back.
    #[must_use]
    pub fn set_verified(standing: Address, wallet: Address, verified: bool) -> Self {
        Self::of(standing, &Standing::setVerifiedCall { wallet, verified })
    }

    /// Calls a hub trusted, or takes that back.
    #[must_use]
    pub fn set_trusted(standing: Address, wallet: Address, trusted: bool) -> Self {
        Self::of(standing, &Standing::setTrustedCall { wallet, trusted })
    }

    /// Ends the curator's power, for ever.
    #[must_use]
    pub fn end_curation(standing: Address) -> Self {
        Self::of(standing, &Standing::endCurationCall {})
    }

    /// Takes a false rating's stake.
    #[must_use]
    pub fn overturn(standing: Address, rating: U256) -> Self {
        Self::of(standing, &Standing::overturnCall { ratingId: rating })
    }
}

/// Where a proposal stands; the discriminants are OpenZeppelin's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProposalState {
    /// Before the snapshot of votes.
    Pending = 0,
    /// Being voted on.
    Active = 1,
    /// Taken back.
    Canceled = 2,
    /// Voted down, or too few voted.
    Defeated = 3,
    /// Passed: anybody may queue it.
    Succeeded = 4,
    /// Waiting for the timelock.
    Queued = 5,
    /// Never, with a timelock.
    Expired = 6,
    /// Carried out.
    Executed = 7,
}

/// A ballot; the discriminants are OpenZeppelin's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Support {
    /// No.
    Against = 0,
    /// Yes.
    For = 1,
    /// Counts for the quorum only.
    Abstain = 2,
}

/// A proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProposalInfo {
    /// Where it stands.
    pub state: ProposalState,
    /// Whose votes count: those of this second.
    pub snapshot: UnixSeconds,
    /// Last second of the vote.
    pub deadline: UnixSeconds,
    /// When it can be carried out; `None` unless it is queued.
    pub eta: Option<UnixSeconds>,
    /// Whether it needs the higher quorum and majority.
    pub is_grave: bool,
    /// Votes against, base units.
    pub against: U256,
    /// Votes for.
    pub in_favour: U256,
    /// Votes that only count for the quorum.
    pub abstained: U256,
}

/// The rules of voting as they are now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VotingRules {
    /// Seconds from a proposal to the snapshot.
    pub delay: u64,
    /// Seconds of voting.
    pub period: u64,
    /// Seconds from queue to execution.
    pub timelock: u64,
    /// Votes a proposer needs.
    pub threshold: U256,
}

/// What a case asks for; the discriminants are the contract's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseKind {
    /// Suspect a registered wallet.
    Accusation = 0,
    /// Rehabilitate a suspected one.
    Appeal = 1,
}

/// How a case ended; the discriminants are the contract's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseOutcome {
    /// It has not.
    Undecided = 0,
    /// Voted through: the bond went back.
    Upheld = 1,
    /// Voted down, or too few voted: the bond went to the treasury.
    Rejected = 2,
    /// Another decision made it superfluous: the bond went back.
    Moot = 3,
}

/// A case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaseInfo {
    /// Whose conduct it is about.
    pub wallet: Address,
    /// When it was opened.
    pub opened_at: UnixSeconds,
    /// What it asks for.
    pub kind: CaseKind,
    /// How it ended.
    pub outcome: CaseOutcome,
    /// Who gets the bond back.
    pub opener: Address,
    /// The bond.
    pub bond: Gio,
    /// The Dao's proposal it became.
    pub proposal: U256,
    /// Content root of the evidence.
    pub evidence: B256,
}

/// A part of the treasury that is spent from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketInfo {
    /// What is left.
    pub amount: Gio,
    /// First second at which it may be spent.
    pub unlock_at: UnixSeconds,
}

/// What one epoch paid to the holders of votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochInfo {
    /// For all votes together.
    pub dividend: Gio,
    /// Of it, claimed.
    pub claimed: Gio,
    /// Whose votes share it: those of this second.
    pub snapshot: UnixSeconds,
    /// Last second at which they can claim; `None` if the epoch was not closed.
    pub claim_by: Option<UnixSeconds>,
}

/// What the DAO says about a hub (GV-04, GV-06); the discriminants are the contract's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Nothing.
    Unverified = 0,
    /// The DAO looked at it.
    Verified = 1,
    /// The DAO, or in the beginning the curator, vouches for it.
    Trusted = 2,
}

/// What others say about a hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StandingInfo {
    /// The DAO's word.
    pub level: Level,
    /// Average of the ratings weighted by stake, in hundredths; 0 without any.
    pub score_hundredths: u64,
    /// The stake behind it.
    pub stake: Gio,
    /// Its payday is overdue (GV-13).
    pub is_delinquent: bool,
    /// Listed and registered (GV-19).
    pub is_certified: bool,
}
