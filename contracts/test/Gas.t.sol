// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {DealTerms, SumNode} from "src/types/Deal.sol";
import {BaseTest} from "./utils/BaseTest.sol";

/// @notice What the transactions of a deal's life cost their senders, in `snapshots/gas/wallet.json`: base cost, calldata
/// and execution on cold storage, refunds taken off.
/// @dev Each call is its own transaction. Everything is fixed, so that equal code gives equal figures.
/// forge-config: default.isolate = true
/// forge-config: ci.isolate = true
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
}
