// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IHubWallet} from "src/interfaces/IHubWallet.sol";
import {BaseTest} from "../utils/BaseTest.sol";

/// @notice A token does not tell its holder that somebody pulled: the free balance is too low until someone looks (R6).
contract HubWalletReconcileTest is BaseTest {
    address[] private miners;

    function setUp() public override {
        super.setUp();
        _register();
        miners.push(miner);
        miners.push(makeAddr("second miner"));
        miners.push(makeAddr("never paid"));
    }

    function _pay(address to, uint128 gross) private returns (uint128 net) {
        vm.prank(hub.addr);
        wallet.transfer(to, gross);
        return gross - gross * 30 / 100;
    }

    function _pull(address by, uint128 amount) private {
        vm.prank(by);
        token.transferFrom(address(wallet), by, amount);
    }

    function test_r06_reconcile_raisesFreeBalanceByWhatWasPulled(uint128 gross, uint128 pulled) public {
        gross = uint128(bound(gross, 10, 300 * GIO));
        uint128 net = _pay(miner, gross);
        _pay(miners[1], gross);
        pulled = uint128(bound(pulled, 1, net));
        uint256 free = wallet.freeBalance();
        _pull(miner, pulled);
        assertEq(wallet.freeBalance(), free - pulled, "too low, never too high");

        vm.expectEmit(address(wallet));
        emit IHubWallet.PullSeen(miner, pulled, net - pulled);
        vm.prank(stranger.addr);
        wallet.reconcile(miners);

        assertEq(wallet.freeBalance(), free);
        assertEq(wallet.approvedTo(miner), net - pulled);
        assertEq(wallet.approvedTo(miners[1]), net);
        assertEq(wallet.ledger().approvals, 2 * net - pulled);
    }

    function test_r06_reconcile_withoutPulls_changesNothing(uint128 gross) public {
        gross = uint128(bound(gross, 10, 300 * GIO));
        _pay(miner, gross);
        uint256 free = wallet.freeBalance();
        vm.recordLogs();
        wallet.reconcile(miners);
        wallet.reconcile(new address[](0));
        assertEq(vm.getRecordedLogs().length, 0);
        assertEq(wallet.freeBalance(), free);
    }

    function test_r06_reconcile_sameMinerTwice_countsOnce(uint128 gross) public {
        gross = uint128(bound(gross, 10, 300 * GIO));
        uint128 net = _pay(miner, gross);
        _pull(miner, net);
        address[] memory twice = new address[](2);
        (twice[0], twice[1]) = (miner, miner);
        wallet.reconcile(twice);
        assertEq(wallet.ledger().approvals, 0);
        assertEq(wallet.freeBalance(), HUB_MONEY - QUOTA - gross);
    }
}
