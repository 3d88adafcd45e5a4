// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {DealTerms} from "../types/Deal.sol";
import {Ledger} from "../types/Wallet.sol";

/// @title Ledgers
/// @notice The only code that changes a wallet's sums, and the one function for its free balance (R6).
library Ledgers {
    /// @notice What of `balance` the hub may use, with `unclaimed` of it in payouts; zero if the wallet owes more than it holds.
    function free(Ledger storage ledger, uint256 balance, uint64 unclaimed) internal view returns (uint256) {
        uint256 kept = uint256(ledger.guarantees) + ledger.stake + ledger.locked;
        uint256 own_ = own(ledger, balance, unclaimed);
        return own_ > kept ? own_ - kept : 0;
    }

    /// @notice What of `balance` is the hub's, free or not: neither buyers' escrow nor owed to miners.
    function own(Ledger storage ledger, uint256 balance, uint64 unclaimed) internal view returns (uint256) {
        uint256 others = uint256(ledger.escrow) + ledger.approvals + unclaimed;
        return balance > others ? balance - others : 0;
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
    function payOut(Ledger storage ledger, uint128 held, uint128 net) internal {
        lock(ledger, held);
        ledger.approvals += net;
    }

    /// @notice A miner pulled: the tokens are gone, so they need not be kept apart any more.
    function notePull(Ledger storage ledger, uint128 pulled) internal {
        ledger.approvals -= pulled;
    }

    /// @notice A payout of an epoch: the lock stays until payday.
    function lock(Ledger storage ledger, uint128 amount) internal {
        ledger.locked += amount;
    }

    /// @notice Payday, rehabilitation or ban: nothing is held back any more.
    function unfreeze(Ledger storage ledger) internal {
        ledger.stake = 0;
        ledger.locked = 0;
    }
}
