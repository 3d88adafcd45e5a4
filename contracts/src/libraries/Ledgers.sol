// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {DealTerms} from "../types/Deal.sol";
import {Ledger} from "../types/Wallet.sol";

/// @title Ledgers
/// @notice The only code that changes a wallet's sums, and the one function for its free balance (R6).
library Ledgers {
    /// @notice What of `balance` the hub may use; zero if the wallet owes more than it holds.
    function free(Ledger storage ledger, uint256 balance) internal view returns (uint256) {
        uint256 kept = uint256(ledger.escrow) + ledger.guarantees + ledger.stake + ledger.locked + ledger.approvals;
        return balance > kept ? balance - kept : 0;
    }

    /// @notice A deal opens: its cap and its guarantee are no longer free.
    function reserve(Ledger storage ledger, DealTerms calldata terms) internal {
        ledger.escrow += terms.cap;
        ledger.guarantees += terms.guarantee;
    }

    /// @notice A deal ends: what of both is not paid out is free again.
    function release(Ledger storage ledger, DealTerms calldata terms) internal {
        ledger.escrow -= terms.cap;
        ledger.guarantees -= terms.guarantee;
    }

    /// @notice A registration: what arrives later does not change the stake (HW-06).
    function freeze(Ledger storage ledger, uint128 stake) internal {
        ledger.stake = stake;
    }

    /// @notice A payout: the lock stays until payday, the net until the miner pulls it.
    function payOut(Ledger storage ledger, uint128 lock, uint128 net) internal {
        ledger.locked += lock;
        ledger.approvals += net;
    }

    /// @notice A miner pulled: the tokens are gone, so they need not be kept apart any more.
    function notePull(Ledger storage ledger, uint128 pulled) internal {
        ledger.approvals -= pulled;
    }
}
