// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {GioToken} from "src/GioToken.sol";
import {Treasury} from "src/Treasury.sol";
import {ITreasury} from "src/interfaces/ITreasury.sol";
import {Epoch} from "src/types/Governance.sol";
import {GovernanceBase} from "../utils/GovernanceBase.sol";

/// @notice The holders' share of the fees, per epoch and by past votes (GV-14, R13).
contract TreasuryDividendsTest is GovernanceBase {
    uint64 private constant FIRST_END = GENESIS + 30 days;

    /// @dev Epoch 1 with `fees` of it, closed one second after its end.
    function _closeFirst(uint128 fees) private {
        _fund(address(treasury), fees);
        vm.warp(FIRST_END + 1);
        assertEq(treasury.closeEpoch(), 1);
    }

    /* CLOSING */

    function test_closeEpoch_beforeItsEnd_reverts(uint256 time) public {
        vm.warp(bound(time, GENESIS, FIRST_END));
        vm.expectRevert(abi.encodeWithSelector(ITreasury.EpochNotEnded.selector, 1));
        treasury.closeEpoch();
    }

    function test_closeEpoch_twice_reverts(uint256 time) public {
        _closeFirst(GIO);
        vm.warp(bound(time, FIRST_END + 1, FIRST_END + 30 days));
        vm.expectRevert(abi.encodeWithSelector(ITreasury.EpochNotEnded.selector, 2));
        treasury.closeEpoch();
        vm.warp(FIRST_END + 30 days + 1);
        assertEq(treasury.closeEpoch(), 2);
    }

    function test_closeEpoch_dividesTheFees(uint128 fees) public {
        fees = uint128(bound(fees, 0, SUPPLY / 2));
        _fund(address(treasury), fees);
        vm.warp(FIRST_END + 1);
        uint128 dividend = fees / 2;
        vm.expectEmit(address(treasury));
        emit ITreasury.EpochClosed(1, FIRST_END, fees, dividend, SUPPLY, FIRST_END + 1 + 365 days);
        treasury.closeEpoch();
        Epoch memory e = treasury.epochOf(1);
        assertEq(e.dividend, dividend);
        assertEq(e.claimed, 0);
        assertEq(e.supply, SUPPLY);
        assertEq(e.snapshot, FIRST_END);
        assertEq(treasury.bucket(0).amount, fees - dividend);
        assertEq(treasury.fees(), 0);
        assertEq(treasury.lastEpoch(), 1);
    }

    function test_closeEpoch_skipsEpochsNobodyClosed() public {
        _fund(address(treasury), 100 * GIO);
        vm.warp(GENESIS + 95 days);
        assertEq(treasury.closeEpoch(), 3);
        assertEq(treasury.epochOf(3).snapshot, GENESIS + 90 days);
        assertEq(treasury.epochOf(3).dividend, 50 * GIO);
        assertEq(treasury.epochOf(2).claimBy, 0);
    }

    /// @dev The caller chooses the moment of the call, not whose votes count.
    function test_closeEpoch_later_takesTheVotesOfTheEnd() public {
        _fund(address(treasury), 100 * GIO);
        vm.warp(FIRST_END + 1 days);
        _giveVotes(stranger, SUPPLY / 10);
        skip(1 days);
        treasury.closeEpoch();
        assertEq(treasury.claimable(1, stranger), 0);
        assertEq(treasury.claimable(1, alice.addr), 5 * GIO);
    }

    function test_closeEpoch_withoutSupply_paysNoDividend() public {
        GioToken empty = new GioToken(bridge, address(0), 0);
        Treasury made = new Treasury(IERC20(address(empty)), address(timelock), _treasuryParameters());
        vm.warp(block.timestamp + 30 days + 1);
        vm.prank(bridge);
        empty.mint(address(made), GIO);
        made.closeEpoch();
        assertEq(made.epochOf(1).dividend, 0);
        assertEq(made.bucket(0).amount, GIO);
    }

    /* CLAIMING */

    function test_claimDividend_unknownEpoch_reverts(uint256 epoch) public {
        _closeFirst(GIO);
        vm.assume(epoch != 1);
        vm.expectRevert(abi.encodeWithSelector(ITreasury.EpochUnknown.selector, epoch));
        treasury.claimDividend(epoch, alice.addr);
        assertEq(treasury.claimable(epoch, alice.addr), 0);
    }

    function test_gv14_claimDividend_twice_reverts() public {
        _closeFirst(100 * GIO);
        treasury.claimDividend(1, alice.addr);
        vm.expectRevert(abi.encodeWithSelector(ITreasury.DividendClaimedAlready.selector, 1, alice.addr));
        treasury.claimDividend(1, alice.addr);
        assertEq(treasury.claimable(1, alice.addr), 0);
    }

    function test_claimDividend_withoutVotes_reverts() public {
        _closeFirst(100 * GIO);
        vm.expectRevert(abi.encodeWithSelector(ITreasury.NothingToClaim.selector, 1, faucet));
        treasury.claimDividend(1, faucet); // holds most, delegated to nobody
    }

    function test_claimDividend_afterTheClaimPeriod_reverts(uint256 late) public {
        _closeFirst(100 * GIO);
        uint64 claimBy = treasury.epochOf(1).claimBy;
        vm.warp(bound(late, claimBy + 1, type(uint48).max));
        vm.expectRevert(abi.encodeWithSelector(ITreasury.ClaimPeriodOver.selector, 1, claimBy));
        treasury.claimDividend(1, alice.addr);
        assertEq(treasury.claimable(1, alice.addr), 0);
    }

    function test_claimDividend_inTheLastSecond() public {
        _closeFirst(100 * GIO);
        vm.warp(treasury.epochOf(1).claimBy);
        assertEq(treasury.claimable(1, alice.addr), 5 * GIO);
        assertEq(treasury.claimDividend(1, alice.addr), 5 * GIO);
    }

    function test_gv14_claimDividend_paysTheShareOfPastVotes(uint128 fees) public {
        fees = uint128(bound(fees, 1000, SUPPLY / 2));
        _closeFirst(fees);
        // Votes moved after the snapshot do not move the dividend.
        uint256 all = token.balanceOf(alice.addr);
        vm.prank(alice.addr);
        token.transfer(stranger, all);
        uint128 share = uint128(uint256(SUPPLY / 10) * (fees / 2) / SUPPLY);
        assertEq(treasury.claimable(1, alice.addr), share);
        vm.expectEmit(address(treasury));
        emit ITreasury.DividendClaimed(1, alice.addr, share);
        vm.prank(stranger); // whoever calls
        assertEq(treasury.claimDividend(1, alice.addr), share);
        assertEq(token.balanceOf(alice.addr), share);
        assertEq(treasury.epochOf(1).claimed, share);
    }

    function test_r13_dividend_followsTheDelegate() public {
        vm.prank(alice.addr);
        token.delegate(bob.addr);
        _closeFirst(100 * GIO);
        assertEq(treasury.claimable(1, alice.addr), 0);
        assertEq(treasury.claimable(1, bob.addr), 8 * GIO); // 10 % and 6 % of 50 GIO
    }

    function test_gv14_sumOfClaims_neverExceedsTheDividend(uint256 seed, uint128 fees) public {
        // The whole supply votes, in uneven parts: the worst case for rounding.
        for (uint256 i = 0; i < 7; ++i) {
            address holder = address(uint160(0x1000 + i));
            _giveVotes(holder, bound(uint256(keccak256(abi.encode(seed, i))), 0, token.balanceOf(faucet) / 2));
        }
        vm.prank(faucet);
        token.delegate(faucet);
        vm.startPrank(alice.addr);
        token.transfer(address(treasury), bound(fees, 1, SUPPLY / 10));
        vm.stopPrank();
        vm.warp(FIRST_END + 1);
        treasury.closeEpoch();
        uint256 sum = _claim(alice.addr) + _claim(bob.addr) + _claim(carol.addr) + _claim(faucet);
        for (uint256 i = 0; i < 7; ++i) {
            sum += _claim(address(uint160(0x1000 + i)));
        }
        Epoch memory e = treasury.epochOf(1);
        assertEq(e.claimed, sum);
        assertLe(sum, e.dividend);
        // The fees of the treasury itself have no votes, the dust of eleven roundings is below eleven base units.
        uint256 silent = token.getPastTotalSupply(FIRST_END) - _votes(FIRST_END);
        assertGe(sum + 11 + silent * e.dividend / e.supply + 1, e.dividend);
    }

    function _claim(address account) private returns (uint256) {
        return treasury.claimable(1, account) == 0 ? 0 : treasury.claimDividend(1, account);
    }

    function _votes(uint256 time) private view returns (uint256 sum) {
        sum = token.getPastVotes(alice.addr, time) + token.getPastVotes(bob.addr, time);
        sum += token.getPastVotes(carol.addr, time) + token.getPastVotes(faucet, time);
        for (uint256 i = 0; i < 7; ++i) {
            sum += token.getPastVotes(address(uint160(0x1000 + i)), time);
        }
    }

    /* SWEEPING */

    function test_sweepDividend_early_reverts(uint256 time) public {
        vm.expectRevert(abi.encodeWithSelector(ITreasury.EpochUnknown.selector, 1));
        treasury.sweepDividend(1);
        _closeFirst(100 * GIO);
        uint64 claimBy = treasury.epochOf(1).claimBy;
        vm.warp(bound(time, block.timestamp, claimBy));
        vm.expectRevert(abi.encodeWithSelector(ITreasury.ClaimPeriodRunning.selector, 1, claimBy));
        treasury.sweepDividend(1);
    }

    function test_sweepDividend_makesTheRestGeneralMoney() public {
        _closeFirst(100 * GIO);
        treasury.claimDividend(1, alice.addr);
        vm.warp(uint256(treasury.epochOf(1).claimBy) + 1);
        vm.expectEmit(address(treasury));
        emit ITreasury.DividendSwept(1, 45 * GIO);
        assertEq(treasury.sweepDividend(1), 45 * GIO);
        assertEq(treasury.bucket(0).amount, 95 * GIO);
        assertEq(treasury.fees(), 0);
        vm.expectRevert(abi.encodeWithSelector(ITreasury.NothingToClaim.selector, 1, address(treasury)));
        treasury.sweepDividend(1);
    }
}
