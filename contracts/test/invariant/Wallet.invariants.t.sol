// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {DealId, DealState} from "src/types/Deal.sol";
import {Ledger, WalletState} from "src/types/Wallet.sol";
import {BaseTest} from "../utils/BaseTest.sol";
import {WalletHandler} from "./WalletHandler.sol";

/// @notice What holds after any sequence of allowed actions, and of refused attempts in between.
/// forge-config: ci.invariant.runs = 1200
/// forge-config: long.invariant.runs = 12000
contract WalletInvariants is BaseTest {
    WalletHandler private handler;

    function setUp() public override {
        super.setUp();
        _register();
        handler = new WalletHandler(wallet, token, hub, author);
        _fund(address(handler), 1_000_000 * GIO);
        for (uint256 i = 0; i < 3; ++i) {
            _fund(handler.buyerAddress(i), BUYER_MONEY);
        }
        targetContract(address(handler));
        targetSelector(FuzzSelector({addr: address(handler), selectors: _actions()}));
    }

    function _actions() private pure returns (bytes4[] memory actions) {
        actions = new bytes4[](15);
        actions[0] = WalletHandler.topUp.selector;
        actions[1] = WalletHandler.pay.selector;
        actions[2] = WalletHandler.payNet.selector;
        actions[3] = WalletHandler.pull.selector;
        actions[4] = WalletHandler.reconcile.selector;
        actions[5] = WalletHandler.wait.selector;
        actions[6] = WalletHandler.open.selector;
        actions[7] = WalletHandler.post.selector;
        actions[8] = WalletHandler.confirm.selector;
        actions[9] = WalletHandler.settle.selector;
        actions[10] = WalletHandler.refund.selector;
        actions[11] = WalletHandler.cancel.selector;
        actions[12] = WalletHandler.refute.selector;
        actions[13] = WalletHandler.tryWhatIsNotAllowed.selector;
        actions[14] = WalletHandler.openAndPost.selector;
    }

    /// @dev One campaign for all invariants: they are checked after every single action.
    function invariant_r01_r02_r06_wallet() public view {
        _checkSolvency();
        _checkSumsOfParts();
        _checkTransitions();
        _checkFreeBalance();
        assertEq(token.totalSupply(), SUPPLY, "no action mints or burns");
    }

    /// @dev INVARIANT: whatever is kept for others is there, and so is everything miners may pull.
    function _checkSolvency() private view {
        Ledger memory l = wallet.ledger();
        uint256 kept = uint256(l.escrow) + l.guarantees + l.stake + l.locked;
        for (uint256 i = 0; i < handler.minerCount(); ++i) {
            kept += token.allowance(address(wallet), handler.miners(i));
        }
        assertGe(token.balanceOf(address(wallet)), kept, "solvency");
    }

    /// @dev INVARIANT: sums are the sums of their parts.
    function _checkSumsOfParts() private view {
        uint256 seen = 0;
        for (uint256 i = 0; i < handler.minerCount(); ++i) {
            address m = handler.miners(i);
            seen += wallet.approvedTo(m);
            assertEq(token.allowance(address(wallet), m), handler.owed(m), "a miner may pull what it is owed");
            assertGe(wallet.approvedTo(m), handler.owed(m), "the wallet never forgets what a miner may pull");
        }
        Ledger memory l = wallet.ledger();
        assertEq(l.escrow, handler.escrowed(), "escrow");
        assertEq(l.guarantees, handler.guaranteed(), "guarantees");
        assertEq(l.stake, QUOTA, "stake");
        assertEq(l.locked, handler.lockedSum(), "locked");
        assertEq(l.approvals, seen, "approvals");
    }

    /// @dev INVARIANT: deals are where the last allowed action left them; final states stay.
    function _checkTransitions() private view {
        for (uint256 i = 0; i < handler.bookCount(); ++i) {
            (DealId dealId, DealState state) = handler.stateOf(i);
            assertEq(uint8(wallet.deal(dealId).state), uint8(state), "deal state");
        }
        assertEq(uint8(wallet.state()), uint8(WalletState.Registered), "wallet state");
    }

    /// @dev INVARIANT: the hub's own money is what it put in and earned, less what it paid, lost and set aside; the free
    /// balance is never above it.
    function _checkFreeBalance() private view {
        uint256 income = HUB_MONEY + handler.toppedUp() + handler.earned();
        uint256 gone = handler.grossSum() + handler.forfeited() + handler.guaranteed() + QUOTA;
        assertEq(handler.ownMoney(), income - gone, "the hub's own money");
        assertLe(wallet.freeBalance(), handler.ownMoney(), "free balance too high");
    }

    /// @dev Liveness: after every deadline anyone can move every deal on, and then nothing is left in escrow. Once the
    /// wallet has looked at its miners, the free balance is exactly the hub's own money.
    function afterInvariant() public {
        address[] memory miners = new address[](handler.minerCount());
        for (uint256 i = 0; i < miners.length; ++i) {
            miners[i] = handler.miners(i);
        }
        wallet.reconcile(miners);
        assertEq(wallet.freeBalance(), handler.ownMoney());

        vm.warp(block.timestamp + 365 days);
        for (uint256 i = 0; i < handler.bookCount(); ++i) {
            (, DealState state) = handler.stateOf(i);
            if (state == DealState.Open) wallet.refund(handler.termsOf(i));
            if (state == DealState.Posted) wallet.settle(handler.termsOf(i));
        }
        Ledger memory l = wallet.ledger();
        assertEq(l.escrow, 0);
        assertEq(l.guarantees, 0);
    }
}
