// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {stdError} from "forge-std/StdError.sol";

import {MinerRegistry} from "src/MinerRegistry.sol";
import {IMinerRegistry} from "src/interfaces/IMinerRegistry.sol";
import {RegistryParameters} from "src/types/Miner.sol";
import {RegistryBase} from "../utils/RegistryBase.sol";

/// @notice Bonds in and out, the delay of R15, and where an owner is paid.
contract MinerRegistryBondsTest is RegistryBase {
    /* CONSTRUCTOR */

    function test_constructor_parametersThatMakeNoSense_revert() public {
        RegistryParameters memory p = _registryParameters();
        vm.expectRevert(IMinerRegistry.RegistryParametersInvalid.selector);
        new MinerRegistry(IERC20(makeAddr("no code")), court, p);
        p.bondMin = 0;
        vm.expectRevert(IMinerRegistry.RegistryParametersInvalid.selector);
        new MinerRegistry(token, court, p);
        p = _registryParameters();
        p.clock = 0;
        vm.expectRevert(IMinerRegistry.RegistryParametersInvalid.selector);
        new MinerRegistry(token, court, p);
    }

    /// @notice R15: longest window, both clocks, all grace.
    function test_r15_constructor_derivesTheDelay(uint32 clock, uint32 grace) public {
        clock = uint32(bound(clock, 1, 365 days));
        grace = uint32(bound(grace, 0, 365 days));
        MinerRegistry made = new MinerRegistry(token, court, RegistryParameters(BOND_MIN, clock, grace));
        assertEq(made.withdrawalDelay(), 30 days + 2 * uint256(clock) + grace);
        assertEq(made.bondMin(), BOND_MIN);
        assertEq(made.court(), court);
        assertEq(made.token(), address(token));
    }

    /* BOND */

    function test_bond_ofNothingOrForNobody_reverts() public {
        vm.expectRevert(IMinerRegistry.BondAmountZero.selector);
        registry.bond(owner.addr, 0);
        vm.expectRevert(abi.encodeWithSelector(IMinerRegistry.OwnerInvalid.selector, address(0)));
        registry.bond(address(0), 1);
    }

    function test_bond_forAMachine_reverts() public {
        _delegate(machine, owner.addr);
        vm.expectRevert(abi.encodeWithSelector(IMinerRegistry.OwnerInvalid.selector, machine.addr));
        registry.bond(machine.addr, 1);
    }

    function test_bond_withoutTheMoney_reverts(uint128 amount) public {
        amount = uint128(bound(amount, 1, type(uint128).max - BOND));
        vm.expectPartialRevert(IERC20Errors.ERC20InsufficientAllowance.selector);
        vm.prank(other.addr);
        registry.bond(owner.addr, amount);
        // A maximal amount overflows the bond before the token refuses it.
        vm.expectRevert(stdError.arithmeticError);
        registry.bond(owner.addr, type(uint128).max);
    }

    function test_bond_byAnyone_isTheOwners(uint128 amount) public {
        amount = uint128(bound(amount, 1, SUPPLY / 2));
        _fundFor(other.addr, amount);
        vm.expectEmit(address(registry));
        emit IMinerRegistry.Bonded(owner.addr, other.addr, amount, BOND + amount);
        vm.prank(other.addr);
        registry.bond(owner.addr, amount);
        _assertMiner(owner.addr, BOND + amount, 0, 0, 0);
        _assertMiner(other.addr, 0, 0, 0, 0);
        assertEq(token.balanceOf(address(registry)), BOND + amount);
    }

    function test_r15_isActive_fromTheLeastBondOn(uint128 amount) public {
        amount = uint128(bound(amount, 1, 2 * BOND_MIN));
        _bond(other.addr, amount);
        assertEq(registry.isActive(other.addr), amount >= BOND_MIN);
        assertEq(registry.coveredUntil(other.addr), amount >= BOND_MIN ? type(uint64).max : 0);
    }

    /* ASKING BACK */

    function test_requestWithdrawal_moreThanThere_reverts(uint128 amount) public {
        vm.startPrank(owner.addr);
        vm.expectRevert(IMinerRegistry.BondAmountZero.selector);
        registry.requestWithdrawal(0);
        registry.requestWithdrawal(GIO);
        amount = uint128(bound(amount, BOND - GIO + 1, type(uint128).max));
        vm.expectRevert(abi.encodeWithSelector(IMinerRegistry.BondLeftTooLow.selector, BOND - GIO, amount));
        registry.requestWithdrawal(amount);
    }

    function test_requestWithdrawal_again_waitsAgain() public {
        vm.startPrank(owner.addr);
        registry.requestWithdrawal(GIO);
        skip(1 days);
        vm.expectEmit(address(registry));
        emit IMinerRegistry.WithdrawalRequested(owner.addr, 3 * GIO, GENESIS + 1 days + DELAY);
        registry.requestWithdrawal(2 * GIO);
        _assertMiner(owner.addr, BOND, 0, 3 * GIO, GENESIS + 1 days + DELAY);
    }

    /// @notice R15: hubs refuse claims of miners whose withdrawal ends before their deal.
    function test_r15_coveredUntil_endsWithTheWithdrawal(uint128 amount) public {
        amount = uint128(bound(amount, 1, BOND));
        vm.prank(owner.addr);
        registry.requestWithdrawal(amount);
        bool stays = BOND - amount >= BOND_MIN;
        assertEq(registry.coveredUntil(owner.addr), stays ? type(uint64).max : GENESIS + DELAY);
        assertTrue(registry.isActive(owner.addr), "until it is taken it answers");
    }

    function test_cancelWithdrawal_ofNothing_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IMinerRegistry.NothingLeaving.selector, owner.addr));
        vm.prank(owner.addr);
        registry.cancelWithdrawal();
    }

    function test_cancelWithdrawal_leavesTheBond() public {
        vm.startPrank(owner.addr);
        registry.requestWithdrawal(BOND);
        vm.expectEmit(address(registry));
        emit IMinerRegistry.WithdrawalRequested(owner.addr, 0, 0);
        registry.cancelWithdrawal();
        _assertMiner(owner.addr, BOND, 0, 0, 0);
        skip(2 * uint256(DELAY));
        vm.expectRevert(abi.encodeWithSelector(IMinerRegistry.NothingLeaving.selector, owner.addr));
        registry.withdraw();
    }

    /* TAKING */

    function test_r15_withdraw_beforeTheDelay_reverts(uint256 time) public {
        vm.startPrank(owner.addr);
        vm.expectRevert(abi.encodeWithSelector(IMinerRegistry.NothingLeaving.selector, owner.addr));
        registry.withdraw();
        registry.requestWithdrawal(BOND);
        time = bound(time, GENESIS, GENESIS + DELAY - 1);
        vm.warp(time);
        vm.expectRevert(abi.encodeWithSelector(IMinerRegistry.LeavesLater.selector, GENESIS + DELAY, time));
        registry.withdraw();
    }

    function test_r15_withdraw_afterTheDelay(uint128 amount) public {
        amount = uint128(bound(amount, 1, BOND));
        vm.startPrank(owner.addr);
        registry.requestWithdrawal(amount);
        vm.warp(GENESIS + DELAY);
        vm.expectEmit(address(registry));
        emit IMinerRegistry.BondWithdrawn(owner.addr, amount, BOND - amount);
        assertEq(registry.withdraw(), amount);
        assertEq(token.balanceOf(owner.addr), amount);
        _assertMiner(owner.addr, BOND - amount, 0, 0, 0);
        assertEq(registry.isActive(owner.addr), BOND - amount >= BOND_MIN);
    }

    function test_withdraw_ofSomebodyElse_reverts() public {
        vm.prank(owner.addr);
        registry.requestWithdrawal(BOND);
        skip(DELAY);
        vm.expectRevert(abi.encodeWithSelector(IMinerRegistry.NothingLeaving.selector, other.addr));
        vm.prank(other.addr);
        registry.withdraw();
    }

    /* PAYOUT */

    function test_setPayout_zero_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IMinerRegistry.PayoutInvalid.selector, address(0)));
        registry.setPayout(address(0));
    }

    function test_setPayout_ofTheCaller(address to) public {
        vm.assume(to != address(0));
        assertEq(registry.payoutOf(owner.addr), owner.addr);
        vm.expectEmit(address(registry));
        emit IMinerRegistry.PayoutChanged(owner.addr, to);
        vm.prank(owner.addr);
        registry.setPayout(to);
        assertEq(registry.payoutOf(owner.addr), to);
        assertEq(registry.payoutOf(other.addr), other.addr);
    }
}
