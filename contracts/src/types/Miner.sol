// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice What the registry is made with, for ever.
struct RegistryParameters {
    uint128 bondMin; // base units below which a bond does not count
    uint32 clock; // seconds one side of a game has for all its moves
    uint32 grace; // seconds of all moves' grace in the longest game
}

/// @notice One owner of machines.
struct Miner {
    // slot 0
    uint128 bond; // base units; what is at risk or leaving is still part of it
    uint128 atRisk; // reserved by the court for claims in dispute
    // slot 1
    uint128 leaving; // asked back
    uint64 leavesAt; // first second at which it can be taken; zero if nothing is leaving
    uint32 claimsLost; // one is enough to be out for good
    // slot 2
    address payout; // zero: the owner itself
}

/// @notice A machine's key and whose bond answers for it.
struct Delegation {
    // slot 0
    address owner; // zero: never delegated
    uint64 endsAt; // first second at which a revocation works; zero: not revoked
}

/// @notice What the court reserved of a bond for one claim.
struct Reservation {
    // slot 0
    address owner; // zero: none
    // slot 1
    uint128 amount; // may be zero when the rest of the bond was already at risk
}
