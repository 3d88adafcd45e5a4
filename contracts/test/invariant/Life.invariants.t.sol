// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {DealState} from "src/types/Deal.sol";
import {Ledger, WalletState} from "src/types/Wallet.sol";
import {BaseTest} from "../utils/BaseTest.sol";
import {LifeHandler} from "./LifeHandler.sol";

/// @notice What holds through a wallet's whole life, suspicion and ban included.
/// forge-config: ci.invariant.runs = 1000
/// forge-config: long.invariant.runs = 10000
contract LifeInvariants is BaseTest {
    LifeHandler private handler;

    function setUp() public override {
        super.setUp();
        _register();
        handler = new LifeHandler(wallet, token, cases, vault, hub);
        _fund(address(handler), 1_000_000 * GIO);
        _fund(handler.buyerAddress(), 10 * BUYER_MONEY);
        targetContract(address(handler));
        targetSelector(FuzzSelector({addr: address(handler), selectors: _actions()}));
    }

    function _actions() private pure returns (bytes4[] memory actions) {
        actions = new bytes4[](18);
        actions[0] = LifeHandler.topUp.selector;
        actions[1] = LifeHandler.wait.selector;
        actions[2] = LifeHandler.register.selector;
        actions[3] = LifeHandler.payday.selector;
        actions[4] = LifeHandler.withdraw.selector;
        actions[5] = LifeHandler.pay.selector;
        actions[6] = LifeHandler.pull.selector;
        actions[7] = LifeHandler.reconcile.selector;
        actions[8] = LifeHandler.postPayout.selector;
        actions[9] = LifeHandler.claim.selector;
        actions[10] = LifeHandler.open.selector;
        actions[11] = LifeHandler.end.selector;
        actions[12] = LifeHandler.suspect.selector;
        actions[13] = LifeHandler.rehab.selector;
        actions[14] = LifeHandler.ban.selector;
        actions[15] = LifeHandler.expropriate.selector;
        actions[16] = LifeHandler.refute.selector;
        actions[17] = LifeHandler.tryWhatTheStateForbids.selector;
    }

    function invariant_r06_r07_r08_r09_life() public view {
        Ledger memory l = wallet.ledger();
        // INVARIANT: one state at a time, and the one the last action led to.
        assertEq(uint8(wallet.state()), uint8(handler.expected()), "state");
        // INVARIANT: escrow, guarantees and what is owed change by the acts of those they belong to, and by nothing else.
        assertEq(l.escrow, handler.escrowed(), "escrow");
        assertEq(l.guarantees, handler.guaranteed(), "guarantees");
        assertEq(wallet.payoutsUnclaimed(), handler.unclaimed(), "unclaimed");
        assertEq(l.locked, handler.locked(), "locked");
        bool frozen = wallet.state() == WalletState.Registered || wallet.state() == WalletState.Suspected;
        assertEq(l.stake, frozen ? QUOTA : 0, "stake");
        for (uint256 i = 0; i < 3; ++i) {
            address m = handler.miners(i);
            assertEq(token.allowance(address(wallet), m), handler.owed(m), "a miner's allowance outlives everything");
        }
        // INVARIANT: whatever is kept for others is there, in the wallet or in its freezer.
        uint256 kept = handler.escrowed() + handler.guaranteed() + handler.owedInAll() + l.stake + l.locked;
        assertGe(_held(), kept, "solvency");
        assertLe(wallet.freeBalance(), _held() - kept, "free balance too high");
        // INVARIANT: money goes to the treasury as fee, with a lost guarantee, or by a ban.
        uint256 income = handler.fees() + handler.forfeited() + vault.expropriated();
        assertEq(token.balanceOf(address(vault)), income, "treasury");
        if (wallet.state() != WalletState.Punished) assertEq(vault.expropriated(), 0);
        assertEq(token.totalSupply(), SUPPLY);
    }

    function _held() private view returns (uint256 held) {
        held = token.balanceOf(address(wallet));
        if (wallet.freezer() != address(0)) held += token.balanceOf(wallet.freezer());
    }

    /// @dev Liveness: whatever happened, every deal can be ended, every miner gets what it is owed, and what is left is the
    /// hub's, or the treasury's if it was banned.
    function afterInvariant() public {
        for (uint256 i = 0; i < handler.dealCount(); ++i) {
            handler.end(i);
            DealState state = handler.stateOf(i);
            assertTrue(state == DealState.Settled || state == DealState.Refunded || state == DealState.Refuted);
        }
        if (handler.expected() == WalletState.Suspected) handler.rehab();
        handler.takeAll();
        if (handler.expected() == WalletState.Registered) handler.payday();
        if (handler.expected() == WalletState.Punished) handler.expropriate();
        else handler.withdraw();
        assertEq(token.balanceOf(address(wallet)), 0, "nothing is stuck");
    }
}
