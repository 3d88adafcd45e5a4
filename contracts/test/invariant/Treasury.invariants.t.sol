// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Epoch} from "src/types/Governance.sol";
import {GovernanceBase} from "../utils/GovernanceBase.sol";
import {TreasuryHandler} from "./TreasuryHandler.sol";

/// @notice What holds of the treasury after any sequence of allowed actions, and of refused attempts in between.
/// forge-config: ci.invariant.runs = 600
/// forge-config: long.invariant.runs = 6000
contract TreasuryInvariants is GovernanceBase {
    TreasuryHandler private handler;

    function setUp() public override {
        super.setUp();
        address[] memory holders = new address[](4);
        (holders[0], holders[1], holders[2], holders[3]) = (alice.addr, bob.addr, carol.addr, stranger);
        handler = new TreasuryHandler(treasury, token, address(timelock), holders);
        _fund(address(handler), 1_000_000 * GIO);
        targetContract(address(handler));
        targetSelector(FuzzSelector({addr: address(handler), selectors: _actions()}));
    }

    function _actions() private pure returns (bytes4[] memory actions) {
        actions = new bytes4[](11);
        actions[0] = TreasuryHandler.payFees.selector;
        actions[1] = TreasuryHandler.deposit.selector;
        actions[2] = TreasuryHandler.expropriate.selector;
        actions[3] = TreasuryHandler.spend.selector;
        actions[4] = TreasuryHandler.moveTokens.selector;
        actions[5] = TreasuryHandler.delegate.selector;
        actions[6] = TreasuryHandler.wait.selector;
        actions[7] = TreasuryHandler.closeEpoch.selector;
        actions[8] = TreasuryHandler.claim.selector;
        actions[9] = TreasuryHandler.sweep.selector;
        actions[10] = TreasuryHandler.tryWhatIsNotAllowed.selector;
    }

    /// @dev One campaign for all invariants: they are checked after every single action.
    function invariant_hw24_gv14_treasury() public view {
        uint256 kept = handler.pending();
        assertEq(treasury.fees(), handler.pending(), "fees");
        assertEq(treasury.bucketCount(), handler.bucketCount());
        // INVARIANT: a bucket falls by votes only, and not while it is locked (the handler spends no other way).
        for (uint256 i = 0; i < handler.bucketCount(); ++i) {
            assertEq(treasury.bucket(i).amount, handler.bucketAt(i), "bucket");
            kept += handler.bucketAt(i);
        }
        for (uint256 i = 0; i < handler.epochCount(); ++i) {
            kept += _checkEpoch(handler.bookAt(i));
        }
        // INVARIANT: solvency, to the base unit.
        assertEq(token.balanceOf(address(treasury)), kept, "solvency");
        assertEq(token.getVotes(address(treasury)), 0, "the treasury does not vote");
    }

    /// @dev INVARIANT: what an epoch paid is at most its dividend, and what a holder may claim stays until it does, or until
    /// the claim period is over.
    function _checkEpoch(TreasuryHandler.Book memory book) private view returns (uint256 left) {
        Epoch memory e = treasury.epochOf(book.number);
        assertEq(e.claimed, book.claimed, "claimed");
        assertLe(e.claimed, e.dividend, "more claimed than there is");
        left = book.swept ? 0 : book.dividend - book.claimed;
        assertEq(e.dividend - e.claimed, left, "left of a dividend");
        uint256 sum = 0;
        for (uint256 i = 0; i < handler.holderCount(); ++i) {
            address holder = handler.holderAt(i);
            uint256 owed = block.timestamp > book.claimBy ? 0 : handler.owed(book.number, holder);
            assertEq(treasury.claimable(book.number, holder), owed, "a holder's share");
            sum += owed;
        }
        assertLe(sum, left, "shares that are not there");
    }
}
