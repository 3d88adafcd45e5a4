// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {DealTerms, SumNode, SumStep} from "src/types/Deal.sol";
import {BaseTest} from "../utils/BaseTest.sol";
import {ResultTreeBuilder} from "../utils/Merkle.sol";
import {PayoutBuilder} from "../utils/Payouts.sol";

/// @notice Cheating never beats leaving honestly (HW-18). The cheater "pays" a miner that is itself, or is convicted by a
/// buyer that is itself.
contract HubWalletEconomicsTest is BaseTest {
    address private accomplice = makeAddr("accomplice");
    uint128 private money;

    function _start(uint128 money_) private {
        money = uint128(bound(money_, QUOTA + 2, 1_000_000 * GIO));
        _fund(address(wallet), money);
        vm.prank(hub.addr);
        wallet.register(_record());
    }

    function _pull() private {
        uint256 allowance = token.allowance(address(wallet), accomplice);
        vm.prank(accomplice);
        token.transferFrom(address(wallet), accomplice, allowance);
    }

    /// @dev Everything there is, paid to oneself in any number of steps, and gone before payday.
    function _cheat(uint256 steps, uint256 seed) private returns (uint256 extracted) {
        vm.startPrank(hub.addr);
        for (uint256 i = 1; i < steps; ++i) {
            uint256 free = wallet.freeBalance();
            if (free < 2) break;
            wallet.transfer(accomplice, uint128(1 + uint256(keccak256(abi.encode(seed, i))) % (free - 1)));
        }
        if (wallet.freeBalance() > 0) wallet.transfer(accomplice, uint128(wallet.freeBalance()));
        vm.stopPrank();
        _pull();
        return token.balanceOf(accomplice);
    }

    function _leave() private returns (uint256) {
        vm.warp(GENESIS + 30 days);
        address[] memory pulled = new address[](1);
        pulled[0] = accomplice;
        wallet.reconcile(pulled);
        vm.startPrank(hub.addr);
        wallet.payday();
        wallet.withdraw();
        vm.stopPrank();
        return token.balanceOf(hub.addr);
    }

    /// @dev With B=100 and stake 1: 69.3 out, 30.7 stuck. Rounding gives the cheater at most one base unit a step.
    function test_hw18_selfDealing_extractsAtMostSeventyPerCent(uint128 money_, uint256 steps, uint256 seed) public {
        _start(money_);
        steps = bound(steps, 1, 8);
        uint256 extracted = _cheat(steps, seed);
        assertLe(extracted, uint256(money - QUOTA) * 70 / 100 + steps);
        assertGe(wallet.ledger().stake + wallet.ledger().locked, QUOTA + uint256(money - QUOTA) * 30 / 100 - steps);
    }

    function test_hw18_theExampleOfTheReadme() public {
        _start(100 * GIO);
        assertEq(_cheat(1, 0), 693 * GIO / 10);
        assertEq(wallet.ledger().stake + wallet.ledger().locked, 307 * GIO / 10);
    }

    /// @dev Through a payout of an epoch it is the same.
    function test_hw18_selfDealingByPayout_extractsAtMostSeventyPerCent(uint128 money_) public {
        _start(money_);
        uint64 net = uint64(wallet.freeBalance() * 70 / 100);
        vm.assume(net > 0);
        vm.prank(hub.addr);
        wallet.postPayout(PayoutBuilder.leaf(0, accomplice, net), 1, 0);
        wallet.claimPayout(0, 1, 0, accomplice, net, new bytes32[](0));
        assertLe(token.balanceOf(accomplice), uint256(money - QUOTA) * 70 / 100);
    }

    /// @dev Who paid honestly for L of locks leaves with all but half a per cent of L; who never paid, with everything.
    function test_hw18_honestExit_costsHalfAPerCentOfTheLocks(uint128 money_, uint128 gross) public {
        _start(money_);
        gross = uint128(bound(gross, 0, money - QUOTA));
        if (gross > 0) {
            vm.prank(hub.addr);
            wallet.transfer(miner, gross);
        }
        uint256 locked = wallet.ledger().locked;
        uint256 paid = gross - locked;
        assertEq(_leave(), money - paid - locked * 5 / 1000);
    }

    /// @dev For every B above the stake: leaving after the period beats running with what one can.
    function test_hw18_honestBeatsCheating(uint128 money_, uint256 steps, uint256 seed) public {
        _start(money_);
        uint256 snapshot = vm.snapshotState();
        uint256 honest = _leave();
        vm.revertToState(snapshot);
        uint256 cheat = _cheat(bound(steps, 1, 8), seed);
        assertEq(honest, money);
        assertGt(honest, cheat);
    }

    /// @dev Nor does a hub that paid itself and then waited for payday gain against one that did not: it lost the fee.
    function test_hw18_selfDealingAndWaiting_costsTheFee(uint128 money_, uint256 steps, uint256 seed) public {
        _start(money_);
        uint256 cheat = _cheat(bound(steps, 1, 8), seed);
        uint256 fee = uint256(wallet.ledger().locked) * 5 / 1000;
        assertEq(cheat + _leave(), money - fee);
    }

    /* THE HUB'S OWN BUYER */

    /// @dev A deal with a buyer of the hub's own, who loses nothing of its cap in whatever follows.
    function _ownDeal(uint128 guarantee, uint256 nonce, uint64 cuTotal) private returns (DealTerms memory terms) {
        terms = _terms();
        _freshNonce(terms, bytes32(nonce));
        terms.guarantee = guarantee;
        terms.cap = 1;
        terms.royaltyPerMille = 0;
        terms.unitCount = 2;
        _open(terms);
        (SumNode memory left, SumNode memory right) = _children();
        _post(terms, ResultTreeBuilder.node(left, right), cuTotal);
    }

    function _children() private pure returns (SumNode memory left, SumNode memory right) {
        left = ResultTreeBuilder.leaf(0, keccak256("left"), 1);
        right = ResultTreeBuilder.leaf(1, keccak256("right"), 2);
    }

    /// @dev Posts a bill that does not add up and lets the accomplice show it.
    function _convictItself(uint128 guarantee, uint256 nonce) private {
        DealTerms memory terms = _ownDeal(guarantee, nonce, 4);
        SumStep[] memory path = new SumStep[](1);
        (path[0].left, path[0].right) = _children();
        wallet.refuteSum(terms, path);
    }

    function _buyersGain() private view returns (uint256) {
        return token.balanceOf(buyer.addr) - BUYER_MONEY;
    }

    /// @dev The whole free balance as a guarantee that is lost to oneself: 70 % comes out, as by a payout, and the rest is
    /// not locked until payday but gone.
    function test_hw18_ownFalseBill_paysLessThanPayingOneself(uint128 money_) public {
        _start(money_);
        uint128 free = uint128(wallet.freeBalance());
        _convictItself(free, 1);
        assertEq(_buyersGain(), uint256(free) * 70 / 100);
        assertEq(token.balanceOf(address(vault)), free - _buyersGain(), "the treasury keeps the rest");
        assertEq(wallet.freeBalance(), 0);
        assertEq(_leave(), QUOTA, "payday brings back the stake and nothing of the guarantee");
    }

    /// @dev The same while the DAO suspects the hub: what was set aside before cannot leave by more.
    function test_hw18_ownFalseBill_whileSuspected_paysNoMore(uint128 money_) public {
        _start(money_);
        uint128 free = uint128(wallet.freeBalance());
        DealTerms memory terms = _ownDeal(free, 1, 4);
        cases.open(1, address(wallet));
        vm.prank(dao);
        wallet.suspect(1);
        SumStep[] memory path = new SumStep[](1);
        (path[0].left, path[0].right) = _children();
        wallet.refuteSum(terms, path);
        assertEq(_buyersGain(), uint256(free) * 70 / 100);
        assertEq(token.balanceOf(address(vault)), free - _buyersGain());
    }

    /// @dev Every way a hub's money can reach keys of its own in one period, in any order and any parts.
    function test_hw18_allWaysTogether_extractAtMostSeventyPerCent(uint128 money_, uint256 steps, uint256 seed) public {
        _start(money_);
        steps = bound(steps, 1, 12);
        uint256 snapshot = vm.snapshotState();
        uint256 honest = _leave();
        vm.revertToState(snapshot);
        for (uint256 i = 0; i < steps; ++i) {
            uint256 free = wallet.freeBalance();
            if (free < 2) break;
            uint256 random = uint256(keccak256(abi.encode(seed, i)));
            _extract(i == steps - 1 ? free : 1 + random % (free - 1), random >> 128, i);
        }
        uint256 allowance = token.allowance(address(wallet), accomplice);
        vm.prank(accomplice);
        token.transferFrom(address(wallet), accomplice, allowance);
        uint256 extracted = token.balanceOf(accomplice) + _buyersGain();
        assertLe(extracted, uint256(money - QUOTA) * 70 / 100 + steps);
        assertLt(extracted, honest);
    }

    function _extract(uint256 amount, uint256 way, uint256 i) private {
        if (way % 4 == 0) {
            vm.prank(hub.addr);
            wallet.transfer(accomplice, uint128(amount));
        } else if (way % 4 == 1) {
            uint64 net = uint64(amount * 70 / 100);
            if (net == 0) return;
            vm.prank(hub.addr);
            uint32 epoch = wallet.postPayout(PayoutBuilder.leaf(0, accomplice, net), 1, 0);
            wallet.claimPayout(epoch, 1, 0, accomplice, net, new bytes32[](0));
        } else if (way % 4 == 2) {
            _convictItself(uint128(amount), i);
        } else {
            DealTerms memory terms = _ownDeal(uint128(amount), i, 3);
            vm.prank(hub.addr);
            wallet.giveBack(terms);
        }
    }
}
