// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice How the Dao votes. The first four may be changed by a grave vote, the last two never.
struct DaoParameters {
    uint48 votingDelay; // seconds from a proposal to the snapshot of its votes
    uint32 votingPeriod; // seconds from the snapshot to the end of the vote
    uint128 proposalThreshold; // votes a proposer needs, base units
    uint8 quorumPercent; // for and abstain, of the supply at the snapshot
    uint8 graveQuorumPercent; // the same for grave proposals
    uint8 graveMajorityPercent; // for, of for and against, in grave proposals
}

/// @notice What the treasury is made with, for ever.
struct TreasuryParameters {
    uint32 expropriationLock; // seconds until expropriated money may be spent (HW-24)
    uint32 epochLength; // seconds from one dividend snapshot to the next
    uint32 claimPeriod; // seconds from the close of an epoch in which its dividends can be claimed
    uint16 dividendPerMille; // of an epoch's fees; the rest is the general money of the treasury
}

/// @notice A part of the treasury that is spent from.
struct Bucket {
    // slot 0
    uint128 amount; // base units left
    uint64 unlockAt; // first second at which it may be spent
}

/// @notice What one epoch paid to the holders of votes.
struct Epoch {
    // slot 0
    uint128 dividend; // base units for all votes together
    uint128 claimed; // of it
    // slot 1
    uint128 supply; // of the token at the snapshot
    uint64 snapshot; // whose votes at this second share the dividend
    uint64 claimBy; // last second at which they can claim; zero if the epoch was not closed
}

/// @notice What a case asks for.
enum CaseKind {
    Accusation, // suspect a registered wallet
    Appeal // rehabilitate a suspected one
}

/// @notice How a case ended.
enum CaseOutcome {
    Undecided,
    Upheld, // voted through: the bond went back
    Rejected, // voted down, or too few voted: the bond went to the treasury
    Moot // another decision made this one superfluous, or it was cancelled: the bond went back
}

/// @notice One case.
struct Case {
    // slot 0
    address wallet; // zero: no such case
    uint64 openedAt;
    CaseKind kind;
    CaseOutcome outcome;
    // slot 1
    address opener; // who gets the bond back
    // slot 2
    uint128 bond; // base units
    // slots 3 and 4
    uint256 proposalId; // of the Dao
    bytes32 evidence; // content root of the evidence
}
