// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {DealTerms} from "src/types/Deal.sol";
import {BaseTest} from "./utils/BaseTest.sol";
import {PayoutBuilder} from "./utils/Payouts.sol";

/// @notice What the transactions of a deal's life cost their senders, in `snapshots/gas/wallet.json`: base cost, calldata
/// and execution on cold storage, refunds taken off.
/// @dev Each call is its own transaction. Everything is fixed, so that equal code gives equal figures.
/// forge-config: default.isolate = true
/// forge-config: ci.isolate = true
/// forge-config: long.isolate = true
contract GasTest is BaseTest {
    string private constant GROUP = "wallet";

    DealTerms private terms;
    bytes32 private resultRoot;

    function setUp() public override {
        super.setUp();
        terms = _terms();
    }

    function _posted() private {
        _register();
        _open(terms);
        resultRoot = _post(terms, keccak256("tree"), 10e9);
    }

    function test_gas_create_hub() public {
        vm.prank(stranger.addr);
        factory.createHub("gas");
        vm.snapshotGasLastCall(GROUP, "create_hub");
    }

    function test_gas_register() public {
        _register();
        vm.snapshotGasLastCall(GROUP, "register");
    }

    function test_gas_open_deal() public {
        _register();
        _open(terms);
        vm.snapshotGasLastCall(GROUP, "open_deal");
    }

    function test_gas_post_result() public {
        _posted();
        vm.snapshotGasLastCall(GROUP, "post_result");
    }

    function test_gas_confirm() public {
        _posted();
        vm.prank(buyer.addr);
        wallet.confirm(terms, resultRoot, "");
        vm.snapshotGasLastCall(GROUP, "confirm");
    }

    function test_gas_settle() public {
        _posted();
        vm.warp(GENESIS + terms.window);
        wallet.settle(terms);
        vm.snapshotGasLastCall(GROUP, "settle");
    }

    function test_gas_refund() public {
        _register();
        _open(terms);
        vm.warp(uint256(terms.deliverBy) + 1);
        wallet.refund(terms);
        vm.snapshotGasLastCall(GROUP, "refund");
    }

    function test_gas_transfer() public {
        _register();
        vm.startPrank(hub.addr);
        wallet.transfer(miner, 10 * GIO);
        vm.snapshotGasLastCall(GROUP, "transfer_first");
        wallet.transfer(miner, 10 * GIO);
        vm.snapshotGasLastCall(GROUP, "transfer");
    }

    /* PAYOUTS: a thousand miners, 0.01 GIO each */

    uint32 private constant MINERS = 1000;
    uint64 private constant NET = 1e6;

    function _payout() private returns (bytes32[][] memory levels) {
        _register();
        address[] memory miners = new address[](MINERS);
        uint64[] memory nets = new uint64[](MINERS);
        for (uint256 i = 0; i < MINERS; ++i) {
            (miners[i], nets[i]) = (PayoutBuilder.minerAt(i), NET);
        }
        levels = PayoutBuilder.build(miners, nets);
        vm.prank(hub.addr);
        wallet.postPayout(PayoutBuilder.top(levels), MINERS, keccak256("leaf file"));
    }

    function _claim(bytes32[][] memory levels, uint32 i) private {
        wallet.claimPayout(0, MINERS, i, PayoutBuilder.minerAt(i), NET, PayoutBuilder.proof(levels, i));
    }

    function test_gas_payout() public {
        bytes32[][] memory levels = _payout();
        vm.snapshotGasLastCall(GROUP, "payout_1000");
        // The worst case up to 1,020 miners: one that never held GIO, whose balance begins.
        _claim(levels, 700);
        vm.snapshotGasLastCall(GROUP, "payout_claim_first");
        // A miner that was paid before.
        _fund(PayoutBuilder.minerAt(701), 1);
        _claim(levels, 701);
        vm.snapshotGasLastCall(GROUP, "payout_claim");
    }

    function test_gas_payday() public {
        _register();
        vm.prank(hub.addr);
        wallet.transfer(miner, 10 * GIO);
        vm.warp(GENESIS + 30 days);
        vm.prank(hub.addr);
        wallet.payday();
        vm.snapshotGasLastCall(GROUP, "payday");
    }

    function test_gas_suspect_and_ban() public {
        _register();
        cases.open(1, address(wallet));
        vm.prank(dao);
        wallet.suspect(1);
        vm.snapshotGasLastCall(GROUP, "suspect_first");
        vm.warp(GENESIS + 120 days);
        vm.prank(dao);
        wallet.ban();
        vm.snapshotGasLastCall(GROUP, "ban");
    }
}
