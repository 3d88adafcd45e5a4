// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Miner} from "src/types/Miner.sol";
import {RegistryBase} from "../utils/RegistryBase.sol";
import {RegistryHandler} from "./RegistryHandler.sol";

/// @notice What holds of the bonds after any sequence of allowed actions, and of refused attempts in between.
/// forge-config: ci.invariant.runs = 600
/// forge-config: long.invariant.runs = 6000
contract RegistryInvariants is RegistryBase {
    RegistryHandler private handler;

    function setUp() public override {
        super.setUp();
        handler = new RegistryHandler(registry, token, court);
        _fundFor(address(handler), SUPPLY / 2);
        targetContract(address(handler));
        targetSelector(FuzzSelector({addr: address(handler), selectors: _actions()}));
    }

    function _actions() private pure returns (bytes4[] memory actions) {
        actions = new bytes4[](11);
        actions[0] = RegistryHandler.bond.selector;
        actions[1] = RegistryHandler.requestWithdrawal.selector;
        actions[2] = RegistryHandler.cancelWithdrawal.selector;
        actions[3] = RegistryHandler.withdraw.selector;
        actions[4] = RegistryHandler.delegate.selector;
        actions[5] = RegistryHandler.revoke.selector;
        actions[6] = RegistryHandler.wait.selector;
        actions[7] = RegistryHandler.reserve.selector;
        actions[8] = RegistryHandler.release.selector;
        actions[9] = RegistryHandler.slash.selector;
        actions[10] = RegistryHandler.tryWhatIsNotAllowed.selector;
    }

    /// @dev One campaign for all invariants: they are checked after every single action.
    function invariant_r14_r15_registry() public view {
        uint256 sum = BOND; // the base's own owner, whom nobody touches
        for (uint256 i = 0; i < handler.ownerCount(); ++i) {
            sum += _checkOwner(handler.ownerAt(i));
        }
        // INVARIANT: solvency, to the base unit.
        assertEq(token.balanceOf(address(registry)), sum, "solvency");
        assertEq(token.balanceOf(handler.CHALLENGER()), handler.paidToChallenger(), "challengers got what was slashed");
        for (uint256 i = 0; i < handler.claimCount(); ++i) {
            bytes32 claim = handler.claimAt(i);
            assertEq(registry.reservation(claim).owner, handler.reservedOf(claim), "reserved of");
            assertEq(registry.reservation(claim).amount, handler.reserved(claim), "reserved");
        }
        // INVARIANT: one owner per key, until a revocation works.
        for (uint256 i = 0; i < 3; ++i) {
            address key = handler.machineAt(i);
            assertEq(registry.ownerOf(key), handler.signerOf(key), "owner of a key");
        }
    }

    /// @dev INVARIANT: a bond falls by its owner's own withdrawals and by lost claims, and by nothing else; what is at risk
    /// and what is leaving are parts of it.
    function _checkOwner(address who) private view returns (uint256 bond) {
        Miner memory m = registry.miner(who);
        RegistryHandler.Book memory book = handler.bookOf(who);
        bond = handler.bondOf(who);
        assertEq(m.bond, bond, "bond");
        assertEq(m.atRisk, book.atRisk, "at risk");
        assertEq(m.leaving, book.asked, "leaving");
        assertLe(m.atRisk, m.bond, "more at risk than there is");
        assertLe(m.leaving, m.bond, "more leaving than there is");
        assertEq(m.claimsLost != 0, book.lost, "lost");
        assertEq(registry.isActive(who), !book.lost && bond >= BOND_MIN, "active");
    }

    /// @dev Liveness: when the court is done, every owner gets out all that it did not lose.
    function afterInvariant() public {
        for (uint256 i = 0; i < handler.claimCount(); ++i) {
            bytes32 claim = handler.claimAt(i);
            if (handler.reservedOf(claim) == address(0)) continue;
            vm.prank(court);
            registry.release(claim);
        }
        for (uint256 i = 0; i < handler.ownerCount(); ++i) {
            address who = handler.ownerAt(i);
            Miner memory m = registry.miner(who);
            if (m.bond == 0) continue;
            vm.startPrank(who);
            if (m.bond != m.leaving) registry.requestWithdrawal(m.bond - m.leaving);
            skip(DELAY);
            assertEq(registry.withdraw(), m.bond, "everything comes back");
            vm.stopPrank();
        }
        assertEq(token.balanceOf(address(registry)), BOND);
    }
}
