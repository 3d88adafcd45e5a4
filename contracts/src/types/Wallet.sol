// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice States of a hub's wallet (HW-02).
enum WalletState {
    Created, // made by the factory, nothing frozen yet
    Registered, // stake frozen: may open deals and pay miners
    Idle, // after payday
    Suspected, // the hub's own money is frozen by the DAO
    Punished // final
}

/// @notice What a hub offers (GV-19).
enum HubKind {
    Compute,
    Service,
    Other
}

/// @notice What a hub says about itself in the whitelist (GV-07, GV-08).
struct HubRecord {
    string endpoint; // multiaddress with peer id
    string name;
    string description;
    HubKind kind;
}

/// @notice What a factory gives every wallet it makes (HW-03).
struct WalletParameters {
    address token; // first: a claim reads nothing else of the configuration
    address dao; // decides suspicion, rehabilitation and ban: the timelock that executes votes
    address treasury; // receives the payday fee and what a ban takes
    address cases; // evidence before suspicion, and what payday waits for; zero: a market without a court
    address whitelist;
    uint128 freezeQuota; // stake, base units
    uint8 lockPercent; // of a payout's gross
    uint16 daoFeePerMille; // of the locked sum, at payday
    uint32 payoutPeriod; // seconds from registration to payday
    uint32 suspicionPeriod; // seconds from suspicion to the first possible ban
}

/// @notice A wallet's whole configuration, written into the clone's code and never changed (R11).
struct WalletConfig {
    address owner;
    address factory;
    WalletParameters parameters;
}

/// @notice Everything a wallet keeps apart from its free balance (R6), in base units.
struct Ledger {
    // slot 0
    uint128 escrow; // caps of deals that are neither settled nor given back
    uint128 guarantees; // of the same deals
    // slot 1
    uint128 stake; // frozen at registration
    uint128 locked; // the part of payouts held back until payday
    // slot 2
    uint128 approvals; // approved to miners and, as far as the wallet has seen, not yet pulled
}

/// @notice One epoch's payout (R9). Nothing replaces it: only claims change it.
struct Payout {
    // slot 0
    bytes24 root; // first bytes of the committed root of the Merkle-sum tree over miners' nets
    uint64 reserve; // base units not yet claimed
}
