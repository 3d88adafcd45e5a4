// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IHubWallet} from "../interfaces/IHubWallet.sol";
import {DealTerms} from "../types/Deal.sol";

/// @title Terms
/// @notice The rules of docs/protocol.md section 4.1 that need no storage. One function, one error per rule.
library Terms {
    /// @notice A result tree of depth 20 keeps every opening below 1 KiB.
    uint32 internal constant UNIT_COUNT_MAX = 1 << 20;
    /// @notice none, fraud-proof, quorum, sample.
    uint8 internal constant MODE_MAX = 3;
    /// @notice The only version without a court (F3).
    uint32 internal constant MACHINE_VERSION = 0;
    /// @notice The whole payment.
    uint16 internal constant ROYALTY_PER_MILLE_MAX = 1000;
    /// @notice One payout period: a longer window would let a single deal hold a hub's guarantee and payday for ever.
    uint64 internal constant WINDOW_MAX = 30 days;

    /// @notice Reverts unless the calling wallet may open a deal on these terms.
    function check(DealTerms calldata terms) internal view {
        if (terms.wallet != address(this)) revert IHubWallet.WalletMismatch(terms.wallet);
        if (terms.seedCommitment != keccak256(abi.encode(terms.buyerNonce))) {
            revert IHubWallet.SeedCommitmentMismatch(terms.seedCommitment);
        }
        if (terms.unitCount == 0 || terms.unitCount > UNIT_COUNT_MAX) {
            revert IHubWallet.UnitCountOutOfRange(terms.unitCount);
        }
        if (terms.mode > MODE_MAX) revert IHubWallet.ModeUnknown(terms.mode);
        if (terms.mode == 0 && terms.modeParams != 0) revert IHubWallet.ModeParamsUnexpected(terms.modeParams);
        if (terms.machineVersion != MACHINE_VERSION) revert IHubWallet.MachineVersionUnknown(terms.machineVersion);
        if (terms.royaltyPerMille > ROYALTY_PER_MILLE_MAX) revert IHubWallet.RoyaltyTooHigh(terms.royaltyPerMille);
        // INVARIANT: nothing is sent to the wallet itself: while Suspected that would be money out of the freezer (R7).
        if (terms.royaltyPerMille != 0 && (terms.royaltyTo == address(0) || terms.royaltyTo == address(this))) {
            revert IHubWallet.RoyaltyRecipientInvalid(terms.royaltyTo);
        }
        if (terms.court != address(0)) revert IHubWallet.CourtUnexpected(terms.court);
        if (terms.openBy >= terms.deliverBy) revert IHubWallet.DeadlinesUnordered(terms.openBy, terms.deliverBy);
        if (terms.window > WINDOW_MAX) revert IHubWallet.WindowTooLong(terms.window, WINDOW_MAX);
        // INVARIANT: every deal that has not ended shows in the escrow, so payday waits for each (R8).
        if (terms.cap == 0) revert IHubWallet.CapZero();
    }
}
