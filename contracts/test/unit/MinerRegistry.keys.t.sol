// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {IMinerRegistry} from "src/interfaces/IMinerRegistry.sol";
import {ContractBuyer} from "../utils/ContractBuyer.sol";
import {RegistryBase} from "../utils/RegistryBase.sol";

/// @notice Machines' keys (R14): their own consent, one owner each, revocation that works only after the delay.
contract MinerRegistryKeysTest is RegistryBase {
    uint64 private constant DEADLINE = GENESIS + 1 hours;

    function _refused(address by, bytes memory consent) private {
        bytes32 digest = registry.consentDigest(machine.addr, by, DEADLINE);
        vm.expectRevert(abi.encodeWithSelector(IMinerRegistry.ConsentInvalid.selector, machine.addr, digest));
        vm.prank(by);
        registry.delegateKey(machine.addr, DEADLINE, consent);
    }

    /* DELEGATING */

    function test_r14_delegateKey_withoutTheKeysConsent_reverts() public {
        _refused(owner.addr, "");
        _refused(owner.addr, _consent(owner, owner.addr, 0, DEADLINE)); // the owner's word for itself
        bytes32 mine = _consentDigest(block.chainid, address(registry), machine.addr, owner.addr, 0, DEADLINE);
        _refused(owner.addr, _sign(owner, mine)); // signed by another key
        _refused(other.addr, _consent(machine, owner.addr, 0, DEADLINE)); // for another owner
        _refused(owner.addr, _consent(machine, owner.addr, 1, DEADLINE)); // another nonce
        _refused(owner.addr, _consent(machine, owner.addr, 0, DEADLINE + 1)); // another deadline
        bytes32 foreign = _consentDigest(1, address(registry), machine.addr, owner.addr, 0, DEADLINE);
        _refused(owner.addr, _sign(machine, foreign)); // another chain
        foreign = _consentDigest(block.chainid, address(token), machine.addr, owner.addr, 0, DEADLINE);
        _refused(owner.addr, _sign(machine, foreign)); // another registry
    }

    function test_r14_delegateKey_zeroKey_reverts() public {
        bytes32 digest = registry.consentDigest(address(0), owner.addr, DEADLINE);
        vm.expectRevert(abi.encodeWithSelector(IMinerRegistry.ConsentInvalid.selector, address(0), digest));
        vm.prank(owner.addr);
        registry.delegateKey(address(0), DEADLINE, new bytes(65));
    }

    function test_r14_delegateKey_afterTheDeadline_reverts(uint256 late) public {
        bytes memory consent = _consent(machine, owner.addr, 0, DEADLINE);
        late = bound(late, DEADLINE + 1, type(uint48).max);
        vm.warp(late);
        vm.expectRevert(abi.encodeWithSelector(IMinerRegistry.ConsentExpired.selector, DEADLINE, late));
        vm.prank(owner.addr);
        registry.delegateKey(machine.addr, DEADLINE, consent);
    }

    function test_r14_delegateKey_oneOwnerPerKey() public {
        _delegate(machine, owner.addr);
        bytes memory consent = _consent(machine, other.addr, 1, DEADLINE);
        vm.expectRevert(abi.encodeWithSelector(IMinerRegistry.KeyTaken.selector, machine.addr, owner.addr));
        vm.prank(other.addr);
        registry.delegateKey(machine.addr, DEADLINE, consent);
        // Not even its own owner a second time.
        consent = _consent(machine, owner.addr, 1, DEADLINE);
        vm.expectRevert(abi.encodeWithSelector(IMinerRegistry.KeyTaken.selector, machine.addr, owner.addr));
        vm.prank(owner.addr);
        registry.delegateKey(machine.addr, DEADLINE, consent);
    }

    /// @dev Otherwise an owner could disown its claims by becoming somebody's machine.
    function test_r14_delegateKey_withABondOfItsOwn_reverts() public {
        bytes memory consent = _consent(owner, other.addr, 0, DEADLINE);
        vm.expectRevert(abi.encodeWithSelector(IMinerRegistry.KeyHasBond.selector, owner.addr));
        vm.prank(other.addr);
        registry.delegateKey(owner.addr, DEADLINE, consent);
    }

    /// @dev A stranger's gift below the least bond does not keep a key from being a machine, and stays the key's.
    function test_r14_delegateKey_giftBelowTheLeastBond_doesNotStopIt(uint128 gift) public {
        gift = uint128(bound(gift, 1, BOND_MIN - 1));
        _fundFor(address(this), gift);
        registry.bond(machine.addr, gift);
        _delegate(machine, owner.addr);
        assertEq(registry.ownerOf(machine.addr), owner.addr);
        vm.startPrank(machine.addr);
        registry.requestWithdrawal(gift);
        skip(registry.withdrawalDelay());
        assertEq(registry.withdraw(), gift);
    }

    /// @dev What the court holds of a key's bond answers for a claim, however little it is.
    function test_r14_delegateKey_withABondAtRisk_reverts() public {
        _bond(machine.addr, BOND_MIN);
        vm.prank(court);
        registry.reserve("claim", machine.addr, 1);
        vm.startPrank(machine.addr);
        registry.requestWithdrawal(BOND_MIN);
        skip(registry.withdrawalDelay());
        registry.withdraw();
        vm.stopPrank();
        assertEq(registry.miner(machine.addr).bond, 1);
        bytes memory consent = _consent(machine, owner.addr, 0, uint64(block.timestamp));
        vm.expectRevert(abi.encodeWithSelector(IMinerRegistry.KeyHasBond.selector, machine.addr));
        vm.prank(owner.addr);
        registry.delegateKey(machine.addr, uint64(block.timestamp), consent);
    }

    function test_r14_delegateKey_makesItSignForItsOwner() public {
        assertEq(registry.ownerOf(machine.addr), machine.addr);
        assertEq(registry.nonces(machine.addr), 0);
        bytes memory consent = _consent(machine, owner.addr, 0, DEADLINE);
        vm.warp(DEADLINE); // the last second
        vm.expectEmit(address(registry));
        emit IMinerRegistry.KeyDelegated(machine.addr, owner.addr);
        vm.prank(owner.addr);
        registry.delegateKey(machine.addr, DEADLINE, consent);
        assertEq(registry.ownerOf(machine.addr), owner.addr);
        assertEq(registry.ownerOf(owner.addr), owner.addr);
        assertEq(registry.nonces(machine.addr), 1);
        assertEq(registry.delegation(machine.addr).endsAt, 0);
    }

    function test_r14_delegateKey_contractKey_consentsByEip1271() public {
        ContractBuyer key = new ContractBuyer(machine.addr, IERC20(address(token)));
        bytes32 digest = _consentDigest(block.chainid, address(registry), address(key), owner.addr, 0, DEADLINE);
        vm.startPrank(owner.addr);
        vm.expectRevert(abi.encodeWithSelector(IMinerRegistry.ConsentInvalid.selector, address(key), digest));
        registry.delegateKey(address(key), DEADLINE, _sign(other, digest));
        registry.delegateKey(address(key), DEADLINE, _sign(machine, digest));
        assertEq(registry.ownerOf(address(key)), owner.addr);
    }

    /* REVOKING */

    function test_r14_revokeKey_byAnyoneElse_reverts(address caller) public {
        vm.assume(caller != owner.addr && caller != machine.addr);
        vm.expectRevert(abi.encodeWithSelector(IMinerRegistry.KeyNotDelegated.selector, machine.addr));
        vm.prank(caller);
        registry.revokeKey(machine.addr);
        _delegate(machine, owner.addr);
        vm.expectRevert(abi.encodeWithSelector(IMinerRegistry.NotKeyHolder.selector, caller, machine.addr));
        vm.prank(caller);
        registry.revokeKey(machine.addr);
    }

    function test_r14_revokeKey_worksAfterTheDelay(bool byKey) public {
        _delegate(machine, owner.addr);
        vm.expectEmit(address(registry));
        emit IMinerRegistry.KeyRevoked(machine.addr, owner.addr, GENESIS + DELAY);
        vm.prank(byKey ? machine.addr : owner.addr);
        registry.revokeKey(machine.addr);
        vm.warp(GENESIS + DELAY - 1);
        assertEq(registry.ownerOf(machine.addr), owner.addr, "the old claims still have their owner");
        vm.warp(GENESIS + DELAY);
        assertEq(registry.ownerOf(machine.addr), machine.addr);
    }

    function test_r14_revokeKey_twice_reverts() public {
        _delegate(machine, owner.addr);
        vm.startPrank(owner.addr);
        registry.revokeKey(machine.addr);
        skip(1 days);
        vm.expectRevert(abi.encodeWithSelector(IMinerRegistry.KeyNotDelegated.selector, machine.addr));
        registry.revokeKey(machine.addr);
        assertEq(registry.delegation(machine.addr).endsAt, GENESIS + DELAY, "not put off");
    }

    function test_r14_revokedKey_isFreeForAnotherOwner_afterTheDelayOnly() public {
        _delegate(machine, owner.addr);
        vm.prank(machine.addr);
        registry.revokeKey(machine.addr);
        vm.warp(GENESIS + DELAY - 1);
        bytes memory consent = _consent(machine, other.addr, 1, GENESIS + DELAY);
        vm.expectRevert(abi.encodeWithSelector(IMinerRegistry.KeyTaken.selector, machine.addr, owner.addr));
        vm.prank(other.addr);
        registry.delegateKey(machine.addr, GENESIS + DELAY, consent);

        skip(1);
        vm.prank(other.addr);
        registry.delegateKey(machine.addr, GENESIS + DELAY, consent);
        assertEq(registry.ownerOf(machine.addr), other.addr);
    }

    /// @notice A used consent never brings a key back.
    function test_r14_consent_replayedAfterRevocation_reverts() public {
        uint64 deadline = type(uint64).max;
        bytes memory consent = _consent(machine, owner.addr, 0, deadline);
        vm.startPrank(owner.addr);
        registry.delegateKey(machine.addr, deadline, consent);
        registry.revokeKey(machine.addr);
        skip(DELAY);
        bytes32 next = registry.consentDigest(machine.addr, owner.addr, deadline);
        vm.expectRevert(abi.encodeWithSelector(IMinerRegistry.ConsentInvalid.selector, machine.addr, next));
        registry.delegateKey(machine.addr, deadline, consent);
    }

    function test_r14_freedKey_mayBondForItself() public {
        _delegate(machine, owner.addr);
        vm.prank(owner.addr);
        registry.revokeKey(machine.addr);
        skip(DELAY);
        _bond(machine.addr, BOND_MIN);
        assertTrue(registry.isActive(machine.addr));
    }
}
