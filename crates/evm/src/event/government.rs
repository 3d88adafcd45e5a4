//! What the government, the application pool and the register of miners say.

use alloy::primitives::Bytes;
use alloy::rpc::types::Log;
use alloy::sol_types::SolEvent;
use gio_protocol::{Address, B256, Gio, U256, UnixSeconds};

use crate::bindings::government as sol;
use crate::convert::{OutOfRange, Read};
use crate::event::LogPlace;
use crate::info::{AppKind, CaseKind, CaseOutcome};

/// An event and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GovernmentLog {
    /// The contract that spoke.
    pub contract: Address,
    /// Where.
    pub place: LogPlace,
    /// What.
    pub event: GovernmentEvent,
}

/// `Variant { field: Type = the contract's field, ... } of contract::Event;`
macro_rules! events {
    ($($variant:ident { $($field:ident: $type:ty = $($theirs:ident).+),* } of $contract:ident::$event:ident;)*) => {
        /// An event of these contracts, with the words and values of `contracts/src/interfaces`.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the events of contracts/src/interfaces, documented there")]
        pub enum GovernmentEvent {
            $($variant { $($field: $type),* },)*
        }

        impl GovernmentEvent {
            #[expect(unused_variables, reason = "an event may have no values")]
            /// `None` for events nobody here has a word for.
            pub(crate) fn read(log: &Log) -> Result<Option<Self>, String> {
                let topic = log.topic0().copied().unwrap_or_default();
                $(if topic == sol::$contract::$event::SIGNATURE_HASH {
                    let e = sol::$contract::$event::decode_raw_log(log.topics(), &log.data().data);
                    let e = e.map_err(|error| error.to_string())?;
                    let told = |error: OutOfRange| error.to_string();
                    return Ok(Some(Self::$variant {
                        $($field: Read::read(stringify!($field), e.$($theirs).+).map_err(told)?),*
                    }));
                })*
                Ok(None)
            }
        }
    };
}

events! {
    ProposalCreated { proposal: U256 = proposalId, proposer: Address = proposer, targets: Vec<Address> = targets,
        calls: Vec<Bytes> = calldatas, snapshot: UnixSeconds = voteStart, deadline: UnixSeconds = voteEnd,
        description: String = description } of Dao::ProposalCreated;
    GraveProposed { proposal: U256 = proposalId } of Dao::GraveProposed;
    VoteCast { voter: Address = voter, proposal: U256 = proposalId, support: u8 = support, weight: U256 = weight,
        reason: String = reason } of Dao::VoteCast;
    ProposalQueued { proposal: U256 = proposalId, eta: UnixSeconds = etaSeconds } of Dao::ProposalQueued;
    ProposalExecuted { proposal: U256 = proposalId } of Dao::ProposalExecuted;
    ProposalCanceled { proposal: U256 = proposalId } of Dao::ProposalCanceled;
    TimelockDelayChanged { before: U256 = oldDuration, after: U256 = newDuration } of Timelock::MinDelayChange;

    CaseOpened { case: U256 = caseId, wallet: Address = wallet, opener: Address = opener, kind: CaseKind = kind,
        bond: Gio = bond, evidence: B256 = evidence, found_at: String = r#where, proposal: U256 = proposalId }
        of Cases::CaseOpened;
    CaseDecided { case: U256 = caseId, wallet: Address = wallet, outcome: CaseOutcome = outcome, bond: Gio = bond }
        of Cases::CaseDecided;

    GeneralDeposited { from: Address = from, amount: Gio = amount } of Treasury::GeneralDeposited;
    ExpropriatedLocked { bucket: U256 = bucketId, from: Address = from, amount: Gio = amount,
        unlock_at: UnixSeconds = unlockAt } of Treasury::ExpropriatedLocked;
    Spent { bucket: U256 = bucketId, to: Address = to, amount: Gio = amount } of Treasury::Spent;
    EpochClosed { epoch: U256 = epoch, snapshot: UnixSeconds = snapshot, fees: Gio = fees, dividend: Gio = dividend,
        supply: Gio = supply, claim_by: UnixSeconds = claimBy } of Treasury::EpochClosed;
    DividendClaimed { epoch: U256 = epoch, account: Address = account, amount: Gio = amount } of Treasury::DividendClaimed;
    DividendSwept { epoch: U256 = epoch, amount: Gio = amount } of Treasury::DividendSwept;

    VerifiedSet { wallet: Address = wallet, verified: bool = verified } of Standing::VerifiedSet;
    TrustedSet { wallet: Address = wallet, by: Address = by, trusted: bool = trusted } of Standing::TrustedSet;
    CurationEnded {} of Standing::CurationEnded;
    HubRated { rating: U256 = ratingId, wallet: Address = wallet, rater: Address = rater, score: u8 = score,
        stake: Gio = stake } of Standing::HubRated;
    RatingTakenBack { rating: U256 = ratingId } of Standing::RatingTakenBack;
    RatingOverturned { rating: U256 = ratingId, stake: Gio = stake } of Standing::RatingOverturned;

    NameTaken { name_hash: B256 = nameHash, owner: Address = owner, name: String = name } of AppPool::NameTaken;
    ReleasePublished { name: String = name, version: String = version, kind: AppKind = draft.kind,
        digest: B256 = draft.digest, royalty_to: Address = draft.royaltyTo, royalty_per_mille: u16 = draft.royaltyPerMille }
        of AppPool::ReleasePublished;
    ReleaseDeprecated { name: String = name, version: String = version } of AppPool::ReleaseDeprecated;
    RoyaltyMoved { name: String = name, version: String = version, to: Address = to } of AppPool::RoyaltyMoved;
    NameOffered { name_hash: B256 = nameHash, owner: Address = owner, to: Address = to } of AppPool::NameOffered;
    NameAccepted { name_hash: B256 = nameHash, from: Address = from, owner: Address = owner } of AppPool::NameAccepted;

    Bonded { owner: Address = owner, by: Address = by, amount: Gio = amount, bond: Gio = bond } of MinerRegistry::Bonded;
    WithdrawalRequested { owner: Address = owner, leaving: Gio = leaving, leaves_at: UnixSeconds = leavesAt }
        of MinerRegistry::WithdrawalRequested;
    BondWithdrawn { owner: Address = owner, amount: Gio = amount, bond: Gio = bond } of MinerRegistry::BondWithdrawn;
    PayoutChanged { owner: Address = owner, to: Address = to } of MinerRegistry::PayoutChanged;
    KeyDelegated { key: Address = key, owner: Address = owner } of MinerRegistry::KeyDelegated;
    KeyRevoked { key: Address = key, owner: Address = owner, ends_at: UnixSeconds = endsAt } of MinerRegistry::KeyRevoked;
    BondReserved { claim: B256 = claim, owner: Address = owner, amount: Gio = amount } of MinerRegistry::BondReserved;
    BondReleased { claim: B256 = claim, owner: Address = owner, amount: Gio = amount } of MinerRegistry::BondReleased;
    BondSlashed { claim: B256 = claim, owner: Address = owner, to: Address = to, amount: Gio = amount }
        of MinerRegistry::BondSlashed;
}
