// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {HubWallet} from "src/HubWallet.sol";
import {IHubWallet} from "src/interfaces/IHubWallet.sol";
import {IWhitelist} from "src/interfaces/IWhitelist.sol";
import {HubRecord, WalletState} from "src/types/Wallet.sol";
import {BaseTest} from "../utils/BaseTest.sol";

contract HubWalletRegisterTest is BaseTest {
    function test_register_byOthers_reverts(address caller) public {
        vm.assume(caller != hub.addr);
        _fund(address(wallet), QUOTA);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.NotOwner.selector, caller, hub.addr));
        vm.prank(caller);
        wallet.register(_record());
    }

    function test_register_twice_reverts() public {
        _register();
        vm.expectRevert(
            abi.encodeWithSelector(IHubWallet.WalletStateMismatch.selector, WalletState.Registered, WalletState.Created)
        );
        vm.prank(hub.addr);
        wallet.register(_record());
    }

    /// @dev HW-05, HW-06: dust does not register.
    function test_r06_register_belowQuota_reverts(uint256 money) public {
        money = bound(money, 0, QUOTA - 1);
        _fund(address(wallet), money);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.FreeBalanceTooLow.selector, money, QUOTA));
        vm.prank(hub.addr);
        wallet.register(_record());
    }

    function test_register_withBadRecord_changesNothing() public {
        _fund(address(wallet), QUOTA);
        HubRecord memory record = _record();
        record.name = "";
        vm.expectRevert(
            abi.encodeWithSelector(IWhitelist.RecordFieldLength.selector, IWhitelist.RecordField.Name, 0, 64)
        );
        vm.prank(hub.addr);
        wallet.register(record);
        assertEq(uint8(wallet.state()), uint8(WalletState.Created));
        assertEq(wallet.ledger().stake, 0);
    }

    /// @dev HW-05, HW-06, HW-07: the quota is the stake, whatever is there before or after.
    function test_r06_register_freezesExactlyTheQuota(uint256 before, uint256 afterwards, uint32 delay) public {
        before = bound(before, QUOTA, SUPPLY / 4);
        afterwards = bound(afterwards, 0, SUPPLY / 4);
        vm.warp(GENESIS + uint256(delay));
        _fund(address(wallet), before);
        assertEq(wallet.freeBalance(), before);
        assertEq(wallet.registeredAt(), 0);

        vm.expectEmit(address(wallet));
        emit IHubWallet.WalletRegistered(hub.addr, QUOTA, uint64(block.timestamp));
        vm.expectEmit(address(whitelist));
        emit IWhitelist.HubRegistered(address(wallet), hub.addr, _record());
        vm.prank(hub.addr);
        wallet.register(_record());

        assertEq(uint8(wallet.state()), uint8(WalletState.Registered));
        assertEq(wallet.registeredAt(), block.timestamp);
        assertEq(wallet.ledger().stake, QUOTA);
        assertEq(wallet.freeBalance(), before - QUOTA);
        assertEq(token.balanceOf(address(wallet)), before, "nothing moves");

        _fund(address(wallet), afterwards);
        assertEq(wallet.ledger().stake, QUOTA);
        assertEq(wallet.freeBalance(), before - QUOTA + afterwards);
    }
}
