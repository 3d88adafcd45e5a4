//! The contracts of the government and of the register of miners. Those whose ABI the generator can read come from it;
//! the others are written out, and a test holds every function, event and error of them to the committed ABI.
#![allow(
    missing_debug_implementations,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    reason = "generated code"
)]

use alloy::sol;

sol!(
    #[sol(extra_derives(Debug))]
    Treasury,
    "../../contracts/abi/Treasury.json"
);
sol!(
    #[sol(extra_derives(Debug))]
    Cases,
    "../../contracts/abi/Cases.json"
);
sol!(
    #[sol(extra_derives(Debug))]
    AppPool,
    "../../contracts/abi/AppPool.json"
);
sol!(
    #[sol(extra_derives(Debug))]
    MinerRegistry,
    "../../contracts/abi/MinerRegistry.json"
);

sol! {
    #[derive(Debug)]
    struct Rating {
        address rater;
        uint64 ratedAt;
        uint8 score;
        uint8 state;
        address wallet;
        uint128 stake;
    }

    #[derive(Debug)]
    interface Standing {
        event VerifiedSet(address indexed wallet, bool verified);
        event TrustedSet(address indexed wallet, address indexed by, bool trusted);
        event CurationEnded();
        event HubRated(uint256 indexed ratingId, address indexed wallet, address indexed rater, uint8 score, uint128 stake);
        event RatingTakenBack(uint256 indexed ratingId);
        event RatingOverturned(uint256 indexed ratingId, uint128 stake);

        error CurationOver();
        error NotCurator(address caller);
        error NotRater(address caller, address rater);
        error NotStandingDao(address caller, address dao);
        error RatedAlready(uint64 nextAt);
        error RatingNotStanding(uint256 ratingId, uint8 state);
        error SafeERC20FailedOperation(address token);
        error ScoreOutOfRange(uint8 score);
        error StakeHeld(uint64 until);
        error StakeTooLow(uint128 stake, uint128 min);
        error StandingParametersInvalid();
        error WalletNotListed(address wallet);

        function setVerified(address wallet, bool verified) external;
        function setTrusted(address wallet, bool trusted) external;
        function endCuration() external;
        function rate(address wallet, uint8 score, uint128 stake) external returns (uint256 ratingId);
        function takeBack(uint256 ratingId) external;
        function overturn(uint256 ratingId) external;
        function levelOf(address wallet) external view returns (uint8);
        function scoreOf(address wallet) external view returns (uint256 hundredths, uint128 stake);
        function isDelinquent(address wallet) external view returns (bool);
        function isCertified(address wallet) external view returns (bool);
        function ratingOf(uint256 ratingId) external view returns (Rating memory);
        function ratingCount() external view returns (uint256);
        function isCurating() external view returns (bool);
    }

    /// OpenZeppelin's Governor, as far as the agents and the development network use it.
    #[derive(Debug)]
    interface Dao {
        event ProposalCreated(
            uint256 proposalId, address proposer, address[] targets, uint256[] values, string[] signatures,
            bytes[] calldatas, uint256 voteStart, uint256 voteEnd, string description
        );
        event ProposalQueued(uint256 proposalId, uint256 etaSeconds);
        event ProposalExecuted(uint256 proposalId);
        event ProposalCanceled(uint256 proposalId);
        event GraveProposed(uint256 indexed proposalId);
        event VoteCast(address indexed voter, uint256 proposalId, uint8 support, uint256 weight, string reason);

        error BanNotAlone(uint256 actions);
        error CheckpointUnorderedInsertion();
        error DaoParametersInvalid();
        error DecisionOutdated(uint256 proposalId, address wallet, uint256 since, uint256 snapshot);
        error ERC6372InconsistentClock();
        error FailedCall();
        error GovernorAlreadyCastVote(address voter);
        error GovernorAlreadyQueuedProposal(uint256 proposalId);
        error GovernorDisabledDeposit();
        error GovernorInsufficientProposerVotes(address proposer, uint256 votes, uint256 threshold);
        error GovernorInvalidProposalLength(uint256 targets, uint256 calldatas, uint256 values);
        error GovernorInvalidQuorumFraction(uint256 quorumNumerator, uint256 quorumDenominator);
        error GovernorInvalidSignature(address voter);
        error GovernorInvalidVoteParams();
        error GovernorInvalidVoteType();
        error GovernorInvalidVotingPeriod(uint256 votingPeriod);
        error GovernorNonexistentProposal(uint256 proposalId);
        error GovernorOnlyExecutor(address account);
        error GovernorProposalQueueingFailed(uint256 proposalId);
        error GovernorProposalQueueingNotRequired(uint256 proposalId);
        error GovernorRestrictedProposer(address proposer);
        error GovernorUnableToCancel(uint256 proposalId, address account);
        error GovernorUnexpectedProposalState(uint256 proposalId, uint8 current, bytes32 expectedStates);
        error InvalidAccountNonce(address account, uint256 currentNonce);
        error InvalidShortString();
        error SafeCastOverflowedUintDowncast(uint8 bits, uint256 value);
        error StringTooLong(string str);
        error TimelockFixed();
        error TimelockOfOtherDao(address timelock);

        function propose(address[] memory targets, uint256[] memory values, bytes[] memory calldatas, string memory description)
            external returns (uint256);
        function castVoteWithReason(uint256 proposalId, uint8 support, string calldata reason) external returns (uint256);
        function queue(uint256 proposalId) external;
        function execute(uint256 proposalId) external payable;
        function hashProposal(address[] memory targets, uint256[] memory values, bytes[] memory calldatas, bytes32 descriptionHash)
            external pure returns (uint256);
        function state(uint256 proposalId) external view returns (uint8);
        function proposalSnapshot(uint256 proposalId) external view returns (uint256);
        function proposalDeadline(uint256 proposalId) external view returns (uint256);
        function proposalEta(uint256 proposalId) external view returns (uint256);
        function proposalVotes(uint256 proposalId)
            external view returns (uint256 againstVotes, uint256 forVotes, uint256 abstainVotes);
        function isGrave(uint256 proposalId) external view returns (bool);
        function votingDelay() external view returns (uint256);
        function votingPeriod() external view returns (uint256);
        function proposalThreshold() external view returns (uint256);
    }

    #[derive(Debug)]
    interface Timelock {
        event MinDelayChange(uint256 oldDuration, uint256 newDuration);

        error AccessControlBadConfirmation();
        error AccessControlUnauthorizedAccount(address account, bytes32 neededRole);
        error DaoZero();
        error FailedCall();
        error TimelockInsufficientDelay(uint256 delay, uint256 minDelay);
        error TimelockInvalidOperationLength(uint256 targets, uint256 payloads, uint256 values);
        error TimelockUnauthorizedCaller(address caller);
        error TimelockUnexecutedPredecessor(bytes32 predecessorId);
        error TimelockUnexpectedOperationState(bytes32 operationId, bytes32 expectedStates);

        function getMinDelay() external view returns (uint256);
    }

    #[derive(Debug)]
    interface Freezer {
        error NotFrozenWallet(address caller);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use alloy::json_abi::JsonAbi;
    use alloy::primitives::B256;
    use alloy::sol_types::{SolEventInterface, SolInterface};

    use super::*;

    fn abi(contract: &str) -> JsonAbi {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../contracts/abi");
        let text = std::fs::read_to_string(format!("{folder}/{contract}.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// Every selector of ours is one of the ABI's; of the errors all are.
    fn check<C: SolInterface, E: SolInterface, V: SolEventInterface>(
        contract: &str,
        topics: &[[u8; 32]],
    ) {
        let abi = abi(contract);
        let functions: BTreeSet<_> = abi.functions().map(|f| f.selector().0).collect();
        for ours in C::selectors() {
            assert!(functions.contains(&ours), "{contract}: function {ours:?}");
        }
        let committed: BTreeSet<_> = abi.errors().map(|e| e.selector().0).collect();
        let ours: BTreeSet<_> = E::selectors().collect();
        assert_eq!(ours, committed, "{contract}: errors");
        let events: BTreeSet<_> = abi.events().map(|e| e.selector()).collect();
        assert_eq!(topics.len(), V::COUNT, "{contract}: events");
        for topic in topics.iter().map(B256::from) {
            assert!(events.contains(&topic), "{contract}: event {topic}");
        }
    }

    #[test]
    fn what_is_written_out_is_what_was_committed() {
        use Dao::DaoEvents;
        use Standing::StandingEvents;
        use Timelock::TimelockEvents;
        check::<Standing::StandingCalls, Standing::StandingErrors, StandingEvents>(
            "Standing",
            StandingEvents::SELECTORS,
        );
        check::<Dao::DaoCalls, Dao::DaoErrors, DaoEvents>("Dao", DaoEvents::SELECTORS);
        check::<Timelock::TimelockCalls, Timelock::TimelockErrors, TimelockEvents>(
            "Timelock",
            TimelockEvents::SELECTORS,
        );
    }
}
