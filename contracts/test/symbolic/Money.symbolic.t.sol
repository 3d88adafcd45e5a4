// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Amounts} from "src/libraries/Amounts.sol";
import {Ledgers} from "src/libraries/Ledgers.sol";
import {DealTerms} from "src/types/Deal.sol";
import {Ledger} from "src/types/Wallet.sol";

/// @notice The two properties everything else stands on, for all inputs at once: what is kept for others cannot be spent
/// (R6), and every division of money gives out at most what there is, rounded as docs/protocol.md section 6 says.
/// @dev `scripts/analyse` gives this to halmos, which explores every path with symbols for values. forge only compiles
/// it: no function is named like a test. Per cents are those of the deployment, because a product of two unknowns is out
/// of a solver's reach; the fuzz tests draw the others.
contract MoneySymbolic {
    using Ledgers for Ledger;

    uint8 private constant LOCK_PERCENT = 30;
    uint16 private constant FEE_PER_MILLE = 5;

    Ledger private ledger;
    uint256 private balance;
    uint64 private unclaimed;

    /* THE WALLET'S MONEY */

    /// @dev Any wallet that holds what it keeps for others and for itself.
    function _anyWallet(Ledger memory l, uint256 balance_, uint64 unclaimed_) private {
        (ledger, balance, unclaimed) = (l, balance_, unclaimed_);
        _assume(balance_ <= type(uint128).max); // the supply is far below
        _assume(balance_ >= _kept());
    }

    function _kept() private view returns (uint256) {
        Ledger memory l = ledger;
        return uint256(l.escrow) + l.guarantees + l.stake + l.locked + l.approvals + unclaimed;
    }

    function _free() private view returns (uint256) {
        return ledger.free(balance, unclaimed);
    }

    /// @dev Not `require`, which halmos would count as a failure's excuse only where nothing else reverts.
    function _assume(bool condition) private pure {
        if (!condition) {
            assembly {
                stop()
            }
        }
    }

    /// @dev Every check ends here: what is kept for others is there.
    function _assertSolvent() private view {
        assert(balance >= _kept());
    }

    function check_withdraw(Ledger memory l, uint256 balance_, uint64 unclaimed_) external {
        _anyWallet(l, balance_, unclaimed_);
        balance -= _free();
        _assertSolvent();
    }

    function check_transfer(Ledger memory l, uint256 balance_, uint64 unclaimed_, uint128 gross) external {
        _anyWallet(l, balance_, unclaimed_);
        _assume(_free() >= gross);
        uint128 lock = Amounts.lockDown(gross, LOCK_PERCENT);
        ledger.payOut(lock, gross - lock);
        _assertSolvent();
    }

    function check_postPayout(Ledger memory l, uint256 balance_, uint64 unclaimed_, uint64 net) external {
        _anyWallet(l, balance_, unclaimed_);
        uint128 gross = Amounts.grossUp(net, LOCK_PERCENT);
        _assume(_free() >= gross && uint256(unclaimed_) + net <= type(uint64).max);
        unclaimed += net;
        ledger.lock(gross - net);
        _assertSolvent();
    }

    function check_claim(Ledger memory l, uint256 balance_, uint64 unclaimed_, uint64 net) external {
        _anyWallet(l, balance_, unclaimed_);
        _assume(net <= unclaimed_);
        unclaimed -= net;
        balance -= net;
        _assertSolvent();
    }

    function check_open(Ledger memory l, uint256 balance_, uint64 unclaimed_, uint128 cap, uint128 guarantee) external {
        _anyWallet(l, balance_, unclaimed_);
        _assume(_free() >= guarantee && cap <= type(uint128).max - l.escrow);
        this.reserve(_terms(cap, guarantee));
        balance += cap;
        _assertSolvent();
    }

    /// @dev Settlement, cancellation and refund: at most the cap leaves, whatever the bill.
    function check_end(Ledger memory l, uint256 balance_, uint64 unclaimed_, uint128 cap, uint128 leaves) external {
        _anyWallet(l, balance_, unclaimed_);
        _assume(cap <= l.escrow && leaves <= cap);
        this.release(_terms(cap, 0));
        balance -= leaves;
        _assertSolvent();
    }

    /// @dev Refutation: cap and guarantee leave, and nothing else.
    function check_refute(Ledger memory l, uint256 balance_, uint64 unclaimed_, uint128 cap, uint128 guarantee)
        external
    {
        _anyWallet(l, balance_, unclaimed_);
        _assume(cap <= l.escrow && guarantee <= l.guarantees);
        this.release(_terms(cap, guarantee));
        uint128 compensation = Amounts.compensationDown(guarantee, LOCK_PERCENT);
        balance -= guarantee - compensation;
        balance -= uint256(cap) + compensation;
        _assertSolvent();
    }

    function check_payday(Ledger memory l, uint256 balance_, uint64 unclaimed_) external {
        _anyWallet(l, balance_, unclaimed_);
        ledger.unfreeze();
        balance -= Amounts.feeDown(l.locked, FEE_PER_MILLE);
        _assertSolvent();
    }

    /// @dev Whatever the wallet holds and owes, even if it were too little: free is never more than is there.
    function check_free_isWhatIsLeft(Ledger memory l, uint256 balance_, uint64 unclaimed_) external {
        (ledger, balance, unclaimed) = (l, balance_, unclaimed_);
        uint256 free = _free();
        if (balance_ >= _kept()) assert(free == balance_ - _kept());
        else assert(free == 0);
    }

    /* ARITHMETIC */

    function check_gross_leavesTheNet(uint64 net) external pure {
        uint128 gross = Amounts.grossUp(net, LOCK_PERCENT);
        uint128 left = gross - Amounts.lockDown(gross, LOCK_PERCENT);
        assert(left >= net && left <= uint256(net) + 1);
    }

    function check_lock_isPartOfTheGross(uint128 gross) external pure {
        uint128 lock = Amounts.lockDown(gross, LOCK_PERCENT);
        assert(uint256(lock) * 100 <= uint256(gross) * LOCK_PERCENT);
        assert((uint256(lock) + 1) * 100 > uint256(gross) * LOCK_PERCENT);
    }

    /// @dev HW-18: a lost guarantee pays no more than a payout of the same gross.
    function check_compensation_isAtMostAPayout(uint128 guarantee) external pure {
        uint128 payout = guarantee - Amounts.lockDown(guarantee, LOCK_PERCENT);
        assert(Amounts.compensationDown(guarantee, LOCK_PERCENT) <= payout);
    }

    function check_payment_isAtMostTheCap(uint128 cap, uint64 cu, uint128 price) external pure {
        assert(Amounts.paymentDown(cap, cu, price) <= cap);
    }

    function check_royalty_isAtMostThePayment(uint128 payment, uint16 perMille) external pure {
        _assume(perMille <= 1000);
        assert(Amounts.royaltyDown(payment, perMille) <= payment);
    }

    function check_fee_isAtMostTheLocked(uint128 locked) external pure {
        assert(Amounts.feeDown(locked, FEE_PER_MILLE) <= locked);
    }

    /* CALLDATA FOR THE LIBRARY */

    function _terms(uint128 cap, uint128 guarantee) private pure returns (DealTerms memory terms) {
        (terms.cap, terms.guarantee) = (cap, guarantee);
    }

    function reserve(DealTerms calldata terms) external {
        ledger.reserve(terms);
    }

    function release(DealTerms calldata terms) external {
        ledger.release(terms);
    }
}
