//! Why a contract of the government, the application pool or the register of miners said no.
//!
//! One table: the enum people read, and how each variant is read from the contract's error. Errors of OpenZeppelin's
//! that no correct call meets stay [`crate::RevertReason::Library`].

use alloy::sol_types::SolError;
use gio_protocol::{Address, B256, Gio, U256, UnixSeconds};
use thiserror::Error;

use crate::bindings::government as sol;
use crate::convert::{OutOfRange, Read};

/// `Variant { field: Type = the contract's field, ... } of contract::Error, "text";`
macro_rules! reverts {
    ($($variant:ident { $($field:ident: $type:ty = $theirs:ident),* } of $contract:ident::$error:ident, $text:literal;)*) => {
        /// A custom error of these contracts, with the values that explain it.
        #[derive(Clone, Debug, PartialEq, Eq, Error)]
        #[expect(missing_docs, reason = "the errors of contracts/src/interfaces, documented there; the texts say the rest")]
        pub enum GovernmentRevert {
            $(#[error($text)] $variant { $($field: $type),* },)*
        }

        impl GovernmentRevert {
            #[expect(unused_variables, reason = "an error may have no values")]
            /// `None` if it is an error of other contracts.
            pub(crate) fn from_data(data: &[u8]) -> Result<Option<Self>, OutOfRange> {
                $(if data.starts_with(&sol::$contract::$error::SELECTOR) {
                    let Ok(e) = sol::$contract::$error::abi_decode(data) else {
                        return Ok(None);
                    };
                    return Ok(Some(Self::$variant { $($field: Read::read(stringify!($field), e.$theirs)?),* }));
                })*
                Ok(None)
            }
        }
    };
}

reverts! {
    // Dao and timelock.
    BanNotAlone { actions: U256 = actions } of Dao::BanNotAlone,
        "a ban is voted on alone, this proposal makes {actions} calls";
    DaoParametersInvalid {} of Dao::DaoParametersInvalid, "under these rules nothing, or anything, could be voted through";
    TimelockOfOtherDao { timelock: Address = timelock } of Dao::TimelockOfOtherDao, "the timelock {timelock} is of another Dao";
    DecisionOutdated {
        proposal: U256 = proposalId, wallet: Address = wallet, since: UnixSeconds = since, snapshot: UnixSeconds = snapshot
    } of Dao::DecisionOutdated,
        "proposal {proposal} was voted on before {wallet} was registered or suspected again";
    TimelockFixed {} of Dao::TimelockFixed, "the Dao's timelock is fixed";
    TooFewVotes { proposer: Address = proposer, votes: U256 = votes, threshold: U256 = threshold }
        of Dao::GovernorInsufficientProposerVotes,
        "{proposer} has {votes} votes, a proposal needs {threshold}; delegate to yourself first";
    VotedAlready { voter: Address = voter } of Dao::GovernorAlreadyCastVote, "{voter} has voted already";
    VoteSignatureInvalid { voter: Address = voter } of Dao::GovernorInvalidSignature, "this is not a vote signed by {voter}";
    VoteUnknown {} of Dao::GovernorInvalidVoteType, "a vote is 0 against, 1 for, 2 abstain";
    ProposalUnknown { proposal: U256 = proposalId } of Dao::GovernorNonexistentProposal, "there is no proposal {proposal}";
    ProposalStateMismatch { proposal: U256 = proposalId, state: u8 = current, expected: B256 = expectedStates }
        of Dao::GovernorUnexpectedProposalState,
        "proposal {proposal} is in state {state}, which does not allow this";
    TimelockNotReady { operation: B256 = operationId, expected: B256 = expectedStates }
        of Timelock::TimelockUnexpectedOperationState,
        "the timelock's delay of operation {operation} is not over, or it was carried out";
    DaoZero {} of Timelock::DaoZero, "a timelock needs a Dao";

    // Treasury.
    TreasuryParametersInvalid {} of Treasury::TreasuryParametersInvalid, "the treasury's parameters are invalid";
    NotDaoTimelock { caller: Address = caller, dao: Address = dao } of Treasury::NotDaoTimelock,
        "only the Dao's timelock {dao} spends, not {caller}";
    TreasuryAmountZero {} of Treasury::TreasuryAmountZero, "the amount is zero";
    RecipientInvalid { to: Address = to } of Treasury::RecipientInvalid, "{to} cannot receive the treasury's money";
    BucketLocked { bucket: U256 = bucketId, unlock_at: UnixSeconds = unlockAt } of Treasury::BucketLocked,
        "bucket {bucket} is locked until {unlock_at}";
    BucketTooLow { bucket: U256 = bucketId, amount: Gio = amount, needed: Gio = needed } of Treasury::BucketTooLow,
        "bucket {bucket} holds {amount} GIO, this needs {needed} GIO";
    EpochNotEnded { epoch: U256 = epoch } of Treasury::EpochNotEnded, "epoch {epoch} has not ended";
    EpochUnknown { epoch: U256 = epoch } of Treasury::EpochUnknown, "nobody closed epoch {epoch}";
    ClaimPeriodOver { epoch: U256 = epoch, claim_by: UnixSeconds = claimBy } of Treasury::ClaimPeriodOver,
        "dividends of epoch {epoch} could be claimed until {claim_by}";
    ClaimPeriodRunning { epoch: U256 = epoch, claim_by: UnixSeconds = claimBy } of Treasury::ClaimPeriodRunning,
        "dividends of epoch {epoch} can be claimed until {claim_by}";
    DividendClaimedAlready { epoch: U256 = epoch, account: Address = account } of Treasury::DividendClaimedAlready,
        "{account} has claimed epoch {epoch}";
    NothingToClaim { epoch: U256 = epoch, account: Address = account } of Treasury::NothingToClaim,
        "epoch {epoch} has nothing for {account}";

    // Cases.
    CasesParametersInvalid {} of Cases::CasesParametersInvalid, "the cases' parameters are invalid";
    DaoOfOtherCases { cases: Address = cases } of Cases::DaoOfOtherCases, "the Dao was made for the cases {cases}";
    WalletNotInQuestion { wallet: Address = wallet, kind: u8 = kind } of Cases::WalletNotInQuestion,
        "{wallet} is not in the state such a case is about";
    NotAppellant { caller: Address = caller, owner: Address = owner } of Cases::NotAppellant,
        "only {owner} appeals for the wallet, not {caller}";
    EvidenceMissing {} of Cases::EvidenceMissing, "a case needs evidence";
    EvidencePlaceInvalid { length: U256 = length, max: U256 = max } of Cases::EvidencePlaceInvalid,
        "the place of the evidence has {length} bytes; at most {max}, visible ASCII without spaces";
    BondTooLow { bond: Gio = bond, min: Gio = min } of Cases::BondTooLow, "the bond is {bond} GIO, at least {min} GIO is asked";
    CaseUnknown { case: U256 = caseId } of Cases::CaseUnknown, "there is no case {case}";
    CaseClosed { case: U256 = caseId, outcome: u8 = outcome } of Cases::CaseClosed, "case {case} ended before";
    CaseOpen { case: U256 = caseId, proposal: U256 = proposalId } of Cases::CaseOpen,
        "case {case} waits for proposal {proposal}";

    // Standing.
    StandingParametersInvalid {} of Standing::StandingParametersInvalid, "the standing's parameters are invalid";
    NotStandingDao { caller: Address = caller, dao: Address = dao } of Standing::NotStandingDao,
        "only the Dao {dao} may do this, not {caller}";
    NotCurator { caller: Address = caller } of Standing::NotCurator, "{caller} is neither the curator nor the Dao";
    CurationOver {} of Standing::CurationOver, "the curator's power is over";
    WalletNotListed { wallet: Address = wallet } of Standing::WalletNotListed, "{wallet} is not in the whitelist";
    ScoreOutOfRange { score: u8 = score } of Standing::ScoreOutOfRange, "a score is 1 to 5, not {score}";
    StakeTooLow { stake: Gio = stake, min: Gio = min } of Standing::StakeTooLow,
        "a rating's stake is at least {min} GIO, not {stake} GIO";
    RatedAlready { next_at: UnixSeconds = nextAt } of Standing::RatedAlready, "the next rating of this wallet is possible at {next_at}";
    RatingNotStanding { rating: U256 = ratingId, state: u8 = state } of Standing::RatingNotStanding,
        "rating {rating} does not stand any more";
    NotRater { caller: Address = caller, rater: Address = rater } of Standing::NotRater,
        "only {rater} takes the rating back, not {caller}";
    StakeHeld { until: UnixSeconds = until } of Standing::StakeHeld, "the stake is held until {until}";

    // Applications.
    AppNameInvalid { name: String = name } of AppPool::AppNameInvalid,
        "`{name}` is no name: 1 to 63 lower-case letters, digits and inner hyphens";
    AppVersionInvalid { version: String = version } of AppPool::AppVersionInvalid,
        "`{version}` is no version: 1 to 32 letters, digits, dots, plus signs and hyphens";
    AppTextTooLong { length: U256 = length, max: U256 = max } of AppPool::AppTextTooLong,
        "the text has {length} bytes, at most {max}";
    DigestZero {} of AppPool::DigestZero, "a release of nothing";
    AppRoyaltyTooHigh { per_mille: u16 = perMille } of AppPool::AppRoyaltyTooHigh,
        "a royalty of {per_mille} per mille is more than the payment";
    AppRoyaltyRecipientZero {} of AppPool::AppRoyaltyRecipientZero, "a royalty needs somebody to pay it to";
    AppUnknown { name: String = name } of AppPool::AppUnknown, "there is no application `{name}`";
    ReleaseUnknown { name: String = name, version: String = version } of AppPool::ReleaseUnknown,
        "there is no release {name}@{version}";
    ReleaseExists { name: String = name, version: String = version } of AppPool::ReleaseExists,
        "{name}@{version} is published already";
    ReleaseDeprecated { name: String = name, version: String = version } of AppPool::ReleaseIsDeprecated,
        "the publisher advises against {name}@{version}";
    NotAppOwner { caller: Address = caller, owner: Address = owner } of AppPool::NotAppOwner,
        "the name belongs to {owner}, not to {caller}";
    NotOffered { caller: Address = caller, offered_to: Address = offeredTo } of AppPool::NotOffered,
        "the name is offered to {offered_to}, not to {caller}";

    // Miners.
    RegistryParametersInvalid {} of MinerRegistry::RegistryParametersInvalid, "the registry's parameters are invalid";
    NotCourt { caller: Address = caller, court: Address = court } of MinerRegistry::NotCourt,
        "only the court {court} may do this, not {caller}";
    BondAmountZero {} of MinerRegistry::BondAmountZero, "the amount is zero";
    OwnerInvalid { owner: Address = owner } of MinerRegistry::OwnerInvalid, "{owner} is no owner: zero, or somebody's machine";
    OwnerOut { owner: Address = owner } of MinerRegistry::OwnerOut, "{owner} lost a claim and is out for good";
    BondLeftTooLow { left: Gio = left, needed: Gio = needed } of MinerRegistry::BondLeftTooLow,
        "{left} GIO of the bond are not leaving already, this needs {needed} GIO";
    NothingLeaving { owner: Address = owner } of MinerRegistry::NothingLeaving, "{owner} has asked nothing back";
    LeavesLater { leaves_at: UnixSeconds = leavesAt, time: UnixSeconds = time } of MinerRegistry::LeavesLater,
        "the bond leaves at {leaves_at}, it is {time}";
    BondAtRisk { at_risk: Gio = atRisk } of MinerRegistry::BondAtRisk, "{at_risk} GIO of the bond are at risk in the court";
    PayoutInvalid { to: Address = to } of MinerRegistry::PayoutInvalid, "nobody can be paid at {to}";
    KeyTaken { key: Address = key, owner: Address = owner } of MinerRegistry::KeyTaken, "{key} signs for {owner} already";
    KeyHasBond { key: Address = key } of MinerRegistry::KeyHasBond, "{key} has a bond of its own and signs for itself only";
    ConsentExpired { deadline: UnixSeconds = deadline, time: UnixSeconds = time } of MinerRegistry::ConsentExpired,
        "the consent counted until {deadline}, it is {time}";
    ConsentInvalid { key: Address = key, digest: B256 = digest } of MinerRegistry::ConsentInvalid,
        "{key} did not consent to this";
    NotKeyHolder { caller: Address = caller, key: Address = key } of MinerRegistry::NotKeyHolder,
        "{caller} is neither {key} nor its owner";
    KeyNotDelegated { key: Address = key } of MinerRegistry::KeyNotDelegated, "{key} was revoked before, or never delegated";
    ReservedOfOther { claim: B256 = claim, owner: Address = owner } of MinerRegistry::ReservedOfOther,
        "claim {claim} is reserved from the bond of {owner}";
    NotReserved { claim: B256 = claim } of MinerRegistry::NotReserved, "nothing is reserved for claim {claim}";

    // The freezer.
    NotFrozenWallet { caller: Address = caller } of Freezer::NotFrozenWallet, "only the frozen wallet moves this money, not {caller}";
}
