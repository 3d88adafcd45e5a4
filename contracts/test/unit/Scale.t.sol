// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {HubWallet} from "src/HubWallet.sol";
import {IWhitelist} from "src/interfaces/IWhitelist.sol";
import {Standing} from "src/Standing.sol";
import {WalletParameters} from "src/types/Wallet.sol";
import {BaseTest} from "../utils/BaseTest.sol";

/// @notice An admitted factory that lists as many wallets as one likes in one call.
contract CrowdFactory {
    WalletParameters private p;
    IWhitelist private immutable WHITELIST;
    uint160 private next = 0xc0de << 64;

    constructor(WalletParameters memory p_) {
        p = p_;
        WHITELIST = IWhitelist(p_.whitelist);
    }

    function parameters() external view returns (WalletParameters memory) {
        return p;
    }

    function list(uint256 count) external {
        for (uint256 i = 0; i < count; ++i) {
            WHITELIST.list(address(++next), address(next));
        }
    }
}

/// @notice No call becomes dearer by what others did: with 100,000 records in the whitelist everything costs what it costs
/// with ten.
/// @dev Each call is its own transaction, so that storage is as cold as it is for its sender.
/// forge-config: default.isolate = true
/// forge-config: ci.isolate = true
/// forge-config: long.isolate = true
contract ScaleTest is BaseTest {
    uint256 private constant FEW = 10;
    uint256 private constant MANY = 100_000;
    uint256 private constant BATCH = 500;
    /// @dev A number in the arguments may have two bytes that are not zero more: 2 x (16 - 4) gas each.
    uint256 private constant CALLDATA_GAS = 2 * 24;

    CrowdFactory private crowd;
    Standing private standing;

    function setUp() public override {
        super.setUp();
        standing = new Standing(whitelist, token, address(vault), address(0));
        crowd = new CrowdFactory(_parameters(address(token), address(whitelist)));
        vm.prank(dao);
        whitelist.admit(address(crowd), true);
        _fund(stranger.addr, 10 * GIO);
        vm.prank(stranger.addr);
        token.approve(address(standing), type(uint256).max);
    }

    function _fill(uint256 count) private {
        while (whitelist.hubCount() < count) {
            uint256 missing = count - whitelist.hubCount();
            crowd.list(missing < BATCH ? missing : BATCH);
        }
    }

    function _gas() private returns (uint256) {
        return vm.lastCallGas().gasTotalUsed;
    }

    /// @dev What every call that meets the whitelist costs, reading included, with `count` records in it.
    function _costs(uint256 count) private returns (uint256[10] memory gas) {
        _fill(count - 1);
        vm.prank(hub.addr);
        wallet = HubWallet(factory.createHub("late"));
        gas[0] = _gas();
        assertEq(whitelist.hubCount(), count);
        _fund(address(wallet), HUB_MONEY);
        vm.prank(hub.addr);
        wallet.register(_record());
        gas[1] = _gas();
        vm.prank(hub.addr);
        whitelist.changeRecord(address(wallet), _record());
        gas[2] = _gas();
        whitelist.hub(address(wallet));
        gas[3] = _gas();
        whitelist.isListed(address(wallet));
        gas[4] = _gas();
        whitelist.hubs(count - 1, 20);
        gas[5] = _gas();
        whitelist.hubs(count, type(uint256).max);
        gas[6] = _gas();
        vm.prank(stranger.addr);
        standing.rate(address(wallet), 5, GIO);
        gas[7] = _gas();
        standing.isCertified(address(wallet));
        gas[8] = _gas();
        vm.prank(dao);
        whitelist.admit(address(crowd), true);
        gas[9] = _gas();
    }

    function test_whitelist_hundredThousandRecords_costNobodyAnything() public {
        uint256 snapshot = vm.snapshotState();
        uint256[10] memory few = _costs(FEW);
        vm.revertToState(snapshot);
        uint256[10] memory many = _costs(MANY);
        for (uint256 i = 0; i < few.length; ++i) {
            assertGt(few[i], 0);
            assertApproxEqAbs(many[i], few[i], CALLDATA_GAS, vm.toString(i));
        }
    }
}
