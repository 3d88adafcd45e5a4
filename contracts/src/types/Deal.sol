// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

// The words of a deal, in the order and widths of docs/protocol.md sections 2 and 4. Structs that are signed have
// the fields of their EIP-712 type in the same order, so that `abi.encode` of the struct is its encoded data.

/// @notice The EIP-712 digest of a deal's terms: its only name (R1).
type DealId is bytes32;

/// @notice Life of a deal inside one wallet. The last four are final.
enum DealState {
    None, // never opened
    Open, // the cap is in escrow
    Posted, // a result root is posted, its window runs
    Settled, // paid as R2 says
    Refunded, // nothing was delivered, the cap went back
    Cancelled, // ended by both signatures
    Refuted // the posted bill was shown to be false, the cap went back and the guarantee is lost
}

/// @notice What buyer and hub co-sign (section 4.1).
struct DealTerms {
    address buyer;
    address wallet;
    bytes32 buyerNonce;
    bytes32 hubNonce;
    bytes32 seedCommitment;
    bytes32 jobRoot;
    uint32 unitCount;
    uint8 mode;
    bytes32 modeParams;
    uint32 machineVersion;
    bytes32 machineParams;
    uint128 pricePerPu;
    uint128 cap;
    uint128 guarantee;
    address royaltyTo;
    uint16 royaltyPerMille;
    address court;
    uint64 clockStart;
    uint64 openBy;
    uint64 deliverBy;
    uint64 window;
}

/// @notice What a wallet stores of a deal: only what the terms do not say.
struct Deal {
    // slot 0: 1 + 8 + 8 bytes
    DealState state;
    uint64 windowEnd; // first second at which anyone may settle; zero before a result is posted
    uint64 cuTotal; // CU the posted root sums up
    // slot 1
    bytes32 resultRoot; // zero before a result is posted
}

/// @notice What of a posted deal a refutation is checked against.
struct PostedBill {
    DealId dealId;
    bytes32 jobRoot;
    bytes32 resultRoot;
    uint32 unitCount;
    uint64 cuTotal;
}

/// @notice One unit of a job as the buyer computed it (F1, section 2.1).
struct UnitLeaf {
    uint32 index;
    uint8 kind;
    bytes32 programRoot;
    bytes32 inputRoot;
    uint64 inputLength;
    uint64 cuLimit;
    uint32 pagesMax;
    uint64 outputMax;
    bytes32 unitSeed;
}

/// @notice A miner's result of one unit (R14, section 4.3).
struct Claim {
    DealId dealId;
    uint32 unit;
    address owner;
    bytes32 programRoot;
    bytes32 inputRoot;
    uint8 status;
    uint32 exitCode;
    uint64 cu;
    bytes32 outputRoot;
    uint64 outputLength;
    bytes32 contentRoot;
}

/// @notice A node of the result tree: a hash and the CU below it (section 2.2).
struct SumNode {
    bytes32 hash;
    uint64 sum;
}

/// @notice One step of a walk down the result tree: a node's two children, and which of them the next step opens.
struct SumStep {
    SumNode left;
    SumNode right;
    bool goRight; // without meaning in the last step
}

/// @notice Arguments of the token's `permit`; skipped when `deadline` is zero.
struct PermitSignature {
    uint256 value;
    uint256 deadline;
    uint8 v;
    bytes32 r;
    bytes32 s;
}
