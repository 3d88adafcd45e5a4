// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {MinerRegistry} from "src/MinerRegistry.sol";
import {IMinerRegistry} from "src/interfaces/IMinerRegistry.sol";
import {Reservation} from "src/types/Miner.sol";
import {RegistryBase} from "../utils/RegistryBase.sol";

/// @notice What of a bond is at risk, and what becomes of it (R15). Only the court.
contract MinerRegistryCourtTest is RegistryBase {
    bytes32 private constant CLAIM = keccak256("claim");
    bytes32 private constant SECOND = keccak256("second claim");

    function _reserve(bytes32 claim, uint128 deposit) private returns (uint128) {
        vm.prank(court);
        return registry.reserve(claim, owner.addr, deposit);
    }

    function _assertReservation(bytes32 claim, address who, uint128 amount) private view {
        Reservation memory r = registry.reservation(claim);
        assertEq(r.owner, who, "reserved of");
        assertEq(r.amount, amount, "reserved");
    }

    function test_court_anyoneElse_reverts(address caller) public {
        vm.assume(caller != court);
        bytes memory expected = abi.encodeWithSelector(IMinerRegistry.NotCourt.selector, caller, court);
        vm.startPrank(caller);
        vm.expectRevert(expected);
        registry.reserve(CLAIM, owner.addr, GIO);
        vm.expectRevert(expected);
        registry.release(CLAIM);
        vm.expectRevert(expected);
        registry.slash(CLAIM, caller);
    }

    function test_court_zero_meansNobody(address caller) public {
        vm.assume(caller != address(0));
        MinerRegistry made = new MinerRegistry(token, address(0), _registryParameters());
        vm.expectRevert(abi.encodeWithSelector(IMinerRegistry.NotCourt.selector, caller, address(0)));
        vm.prank(caller);
        made.reserve(CLAIM, owner.addr, GIO);
    }

    /* RESERVING */

    function test_reserve_ownerZero_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IMinerRegistry.OwnerInvalid.selector, address(0)));
        vm.prank(court);
        registry.reserve(CLAIM, address(0), GIO);
    }

    function test_reserve_sameClaimOfOtherOwner_reverts() public {
        _reserve(CLAIM, GIO);
        vm.expectRevert(abi.encodeWithSelector(IMinerRegistry.ReservedOfOther.selector, CLAIM, owner.addr));
        vm.prank(court);
        registry.reserve(CLAIM, other.addr, GIO);
    }

    function test_r15_reserve_isTheLesserOfDepositAndFreeBond(uint128 first, uint128 second) public {
        first = uint128(bound(first, 0, BOND));
        second = uint128(bound(second, 0, type(uint128).max));
        vm.expectEmit(address(registry));
        emit IMinerRegistry.BondReserved(CLAIM, owner.addr, first);
        assertEq(_reserve(CLAIM, first), first);
        uint128 left = BOND - first;
        uint128 got = second < left ? second : left;
        assertEq(_reserve(SECOND, second), got);
        _assertMiner(owner.addr, BOND, first + got, 0, 0);
        _assertReservation(SECOND, owner.addr, got);
    }

    function test_r15_reserve_oncePerClaim(uint128 again) public {
        _reserve(CLAIM, GIO);
        assertEq(_reserve(CLAIM, again), GIO);
        _assertMiner(owner.addr, BOND, GIO, 0, 0);
    }

    /// @notice R15: never refused merely because undecided games hold the bond.
    function test_r15_wholeBondAtRisk_staysActive() public {
        _reserve(CLAIM, type(uint128).max);
        assertTrue(registry.isActive(owner.addr));
        assertEq(_reserve(SECOND, GIO), 0);
        _assertReservation(SECOND, owner.addr, 0);
    }

    function test_r15_leavingBond_isStillAtRisk() public {
        vm.prank(owner.addr);
        registry.requestWithdrawal(BOND);
        skip(DELAY);
        assertEq(_reserve(CLAIM, BOND), BOND);
        vm.expectRevert(abi.encodeWithSelector(IMinerRegistry.BondAtRisk.selector, BOND));
        vm.prank(owner.addr);
        registry.withdraw();
    }

    function test_r15_withdraw_takesWhatIsNotAtRisk_andTheRestLater(uint128 risk) public {
        risk = uint128(bound(risk, 1, BOND - 1));
        _reserve(CLAIM, risk);
        vm.startPrank(owner.addr);
        registry.requestWithdrawal(BOND);
        skip(DELAY);
        assertEq(registry.withdraw(), BOND - risk);
        _assertMiner(owner.addr, risk, risk, risk, GENESIS + DELAY);
        vm.stopPrank();
        vm.prank(court);
        registry.release(CLAIM);
        vm.prank(owner.addr);
        assertEq(registry.withdraw(), risk);
        _assertMiner(owner.addr, 0, 0, 0, 0);
        assertEq(token.balanceOf(owner.addr), BOND);
    }

    /* DECIDING */

    function test_decide_withoutReservation_reverts() public {
        vm.startPrank(court);
        vm.expectRevert(abi.encodeWithSelector(IMinerRegistry.NotReserved.selector, CLAIM));
        registry.release(CLAIM);
        vm.expectRevert(abi.encodeWithSelector(IMinerRegistry.NotReserved.selector, CLAIM));
        registry.slash(CLAIM, challenger);
    }

    function test_release_frees() public {
        _reserve(CLAIM, GIO);
        vm.expectEmit(address(registry));
        emit IMinerRegistry.BondReleased(CLAIM, owner.addr, GIO);
        vm.startPrank(court);
        registry.release(CLAIM);
        _assertMiner(owner.addr, BOND, 0, 0, 0);
        _assertReservation(CLAIM, address(0), 0);
        vm.expectRevert(abi.encodeWithSelector(IMinerRegistry.NotReserved.selector, CLAIM));
        registry.release(CLAIM);
    }

    function test_slash_toNobody_reverts() public {
        _reserve(CLAIM, GIO);
        vm.expectRevert(abi.encodeWithSelector(IMinerRegistry.PayoutInvalid.selector, address(0)));
        vm.prank(court);
        registry.slash(CLAIM, address(0));
    }

    function test_r15_slash_paysTheChallenger_ownerIsOut(uint128 deposit) public {
        deposit = uint128(bound(deposit, 1, BOND));
        _reserve(CLAIM, deposit);
        vm.expectEmit(address(registry));
        emit IMinerRegistry.BondSlashed(CLAIM, owner.addr, challenger, deposit);
        vm.prank(court);
        assertEq(registry.slash(CLAIM, challenger), deposit);
        assertEq(token.balanceOf(challenger), deposit);
        _assertMiner(owner.addr, BOND - deposit, 0, 0, 0);
        assertFalse(registry.isActive(owner.addr));
        assertEq(registry.coveredUntil(owner.addr), 0);
        assertEq(registry.miner(owner.addr).claimsLost, 1);
        _fundFor(owner.addr, BOND);
        vm.expectRevert(abi.encodeWithSelector(IMinerRegistry.OwnerOut.selector, owner.addr));
        vm.prank(owner.addr);
        registry.bond(owner.addr, BOND);
    }

    /// @dev Nothing left to take, and out all the same.
    function test_r15_slash_ofNothing_ownerIsOut() public {
        _reserve(CLAIM, BOND);
        _reserve(SECOND, GIO);
        vm.startPrank(court);
        assertEq(registry.slash(SECOND, challenger), 0);
        assertFalse(registry.isActive(owner.addr));
        registry.release(CLAIM);
        vm.stopPrank();
        _assertMiner(owner.addr, BOND, 0, 0, 0);
    }

    function test_slash_cutsWhatIsLeaving(uint128 asked, uint128 deposit) public {
        asked = uint128(bound(asked, 1, BOND));
        deposit = uint128(bound(deposit, 1, BOND));
        vm.prank(owner.addr);
        registry.requestWithdrawal(asked);
        _reserve(CLAIM, deposit);
        vm.prank(court);
        registry.slash(CLAIM, challenger);
        uint128 left = BOND - deposit;
        uint128 leaving = asked < left ? asked : left;
        _assertMiner(owner.addr, left, 0, leaving, leaving == 0 ? 0 : GENESIS + DELAY);
    }

    /// @notice Who is out still gets back what it did not lose, after the delay.
    function test_slash_restCanBeWithdrawn() public {
        _reserve(CLAIM, GIO);
        vm.prank(court);
        registry.slash(CLAIM, challenger);
        vm.startPrank(owner.addr);
        registry.requestWithdrawal(BOND - GIO);
        skip(DELAY);
        assertEq(registry.withdraw(), BOND - GIO);
    }
}
