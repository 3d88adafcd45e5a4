// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {HubFactory} from "src/HubFactory.sol";
import {HubWallet} from "src/HubWallet.sol";
import {Whitelist} from "src/Whitelist.sol";
import {IWhitelist} from "src/interfaces/IWhitelist.sol";
import {HubKind, HubRecord, WalletState} from "src/types/Wallet.sol";
import {BaseTest} from "../utils/BaseTest.sol";

/// @notice The register of hubs: only the factory's wallets, bounded texts, records changed by their owners (GV-07, GV-08).
contract WhitelistTest is BaseTest {
    function _text(uint256 length) private pure returns (string memory) {
        bytes memory text = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            text[i] = "x";
        }
        return string(text);
    }

    function _assertRecord(address wallet_, HubRecord memory expected) private view {
        assertEq(keccak256(abi.encode(whitelist.hub(wallet_).record)), keccak256(abi.encode(expected)));
    }

    function test_constructor_factoryZero_reverts() public {
        vm.expectRevert(IWhitelist.FactoryZero.selector);
        new Whitelist(address(0));
    }

    function test_list_byAnyoneButTheFactory_reverts(address caller) public {
        vm.assume(caller != address(factory));
        vm.expectRevert(abi.encodeWithSelector(IWhitelist.NotFactory.selector, caller, address(factory)));
        vm.prank(caller);
        whitelist.list(caller, caller);
    }

    /// @dev Not even an admitted factory changes whose wallet another one is.
    function test_list_again_reverts(address owner) public {
        vm.expectRevert(abi.encodeWithSelector(IWhitelist.WalletListedAlready.selector, address(wallet)));
        vm.prank(address(factory));
        whitelist.list(address(wallet), owner);
        assertEq(whitelist.hub(address(wallet)).owner, hub.addr);
    }

    function test_register_byUnlistedWallet_reverts(address caller) public {
        vm.assume(caller != address(wallet));
        vm.expectRevert(abi.encodeWithSelector(IWhitelist.WalletUnknown.selector, caller));
        vm.prank(caller);
        whitelist.register(_record());
    }

    function test_register_textOutOfBounds_reverts(uint256 length) public {
        HubRecord memory record = _record();
        record.endpoint = "";
        _expectLength(record, IWhitelist.RecordField.Endpoint, 0, 256);
        record.endpoint = _text(bound(length, 257, 600));
        _expectLength(record, IWhitelist.RecordField.Endpoint, bytes(record.endpoint).length, 256);

        record = _record();
        record.name = "";
        _expectLength(record, IWhitelist.RecordField.Name, 0, 64);
        record.name = _text(bound(length, 65, 600));
        _expectLength(record, IWhitelist.RecordField.Name, bytes(record.name).length, 64);

        record = _record();
        record.description = _text(bound(length, 513, 600));
        _expectLength(record, IWhitelist.RecordField.Description, bytes(record.description).length, 512);
    }

    function _expectLength(HubRecord memory record, IWhitelist.RecordField field, uint256 length, uint256 max) private {
        vm.expectRevert(abi.encodeWithSelector(IWhitelist.RecordFieldLength.selector, field, length, max));
        vm.prank(address(wallet));
        whitelist.register(record);
    }

    function test_register_longestTexts_areStored() public {
        HubRecord memory record = HubRecord(_text(256), _text(64), _text(512), HubKind.Service);
        vm.expectEmit(address(whitelist));
        emit IWhitelist.HubRegistered(address(wallet), hub.addr, record);
        vm.prank(address(wallet));
        whitelist.register(record);
        _assertRecord(address(wallet), record);
    }

    function test_register_again_replacesTheRecord() public {
        vm.startPrank(address(wallet));
        whitelist.register(_record());
        HubRecord memory record = HubRecord("/dns/hub", "n", "", HubKind.Other);
        whitelist.register(record);
        _assertRecord(address(wallet), record);
        assertEq(whitelist.hubCount(), 1);
    }

    function test_changeRecord_unknownWallet_reverts(address wallet_) public {
        vm.assume(wallet_ != address(wallet));
        vm.expectRevert(abi.encodeWithSelector(IWhitelist.WalletUnknown.selector, wallet_));
        whitelist.changeRecord(wallet_, _record());
    }

    function test_changeRecord_byOthers_reverts(address caller) public {
        vm.assume(caller != hub.addr);
        _register();
        vm.expectRevert(abi.encodeWithSelector(IWhitelist.NotHubOwner.selector, caller, hub.addr));
        vm.prank(caller);
        whitelist.changeRecord(address(wallet), _record());
    }

    function test_changeRecord_beforeRegistration_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IWhitelist.HubNotRegistered.selector, address(wallet)));
        vm.prank(hub.addr);
        whitelist.changeRecord(address(wallet), _record());
    }

    function test_changeRecord_toEmptyEndpoint_reverts() public {
        _register();
        HubRecord memory record = _record();
        record.endpoint = "";
        vm.expectRevert(
            abi.encodeWithSelector(IWhitelist.RecordFieldLength.selector, IWhitelist.RecordField.Endpoint, 0, 256)
        );
        vm.prank(hub.addr);
        whitelist.changeRecord(address(wallet), record);
    }

    function test_changeRecord_byOwner_changes() public {
        _register();
        HubRecord memory record = HubRecord("/dns/hub.example/tcp/1", "renamed", "", HubKind.Other);
        vm.expectEmit(address(whitelist));
        emit IWhitelist.HubRecordChanged(address(wallet), hub.addr, record);
        vm.prank(hub.addr);
        whitelist.changeRecord(address(wallet), record);
        _assertRecord(address(wallet), record);
    }

    function test_hub_unknownWallet_reverts(address wallet_) public {
        vm.assume(wallet_ != address(wallet));
        vm.expectRevert(abi.encodeWithSelector(IWhitelist.WalletUnknown.selector, wallet_));
        whitelist.hub(wallet_);
    }

    /// @dev HW-05, HW-07: the line follows the wallet in the same transaction.
    function test_hub_showsTheWalletsStateAndTime(uint32 later) public {
        vm.warp(GENESIS + uint256(later));
        _register();
        IWhitelist.Hub memory line = whitelist.hub(address(wallet));
        assertEq(uint8(line.state), uint8(WalletState.Registered));
        assertEq(line.registeredAt, GENESIS + uint256(later));
        assertEq(line.listedAt, GENESIS);
        assertEq(line.owner, hub.addr);
    }

    function test_hubs_pagesCoverTheList(uint256 count, uint256 offset, uint256 limit) public {
        count = bound(count, 0, 6);
        for (uint256 i = 0; i < count; ++i) {
            _createHub(stranger.addr, bytes32(i));
        }
        assertEq(whitelist.hubCount(), count + 1);
        IWhitelist.Hub[] memory page = whitelist.hubs(offset, limit);
        uint256 left = offset < count + 1 ? count + 1 - offset : 0;
        assertEq(page.length, limit < left ? limit : left);
        for (uint256 i = 0; i < page.length; ++i) {
            bool first = offset + i == 0;
            assertEq(page[i].owner, first ? hub.addr : stranger.addr);
            address expected = first ? address(wallet) : factory.predictHub(stranger.addr, bytes32(offset + i - 1));
            assertEq(page[i].wallet, expected);
        }
    }

    /* SEVERAL FACTORIES (GV-24) */

    function _second() private returns (HubFactory) {
        return new HubFactory(address(implementation), _parameters(address(token), address(whitelist)));
    }

    function test_admit_byOthers_reverts(address caller) public {
        vm.assume(caller != dao);
        HubFactory second = _second();
        vm.expectRevert(abi.encodeWithSelector(IWhitelist.NotWhitelistDao.selector, caller, dao));
        vm.prank(caller);
        whitelist.admit(address(second), true);
    }

    function test_admit_ofAForeignFactory_reverts() public {
        vm.startPrank(dao);
        vm.expectRevert(abi.encodeWithSelector(IWhitelist.FactoryForeign.selector, stranger.addr));
        whitelist.admit(stranger.addr, true);
        vm.stopPrank();
        (, HubFactory foreign) = _deployFactory(address(token));
        vm.expectRevert(abi.encodeWithSelector(IWhitelist.FactoryForeign.selector, address(foreign)));
        vm.prank(dao);
        whitelist.admit(address(foreign), true);
    }

    function test_admit_letsASecondFactoryList_untilItIsDismissed() public {
        HubFactory second = _second();
        vm.expectRevert(abi.encodeWithSelector(IWhitelist.NotFactory.selector, address(second), address(factory)));
        vm.prank(stranger.addr);
        second.createHub(0);

        vm.expectEmit(address(whitelist));
        emit IWhitelist.FactoryAdmitted(address(second), true);
        vm.prank(dao);
        whitelist.admit(address(second), true);
        vm.prank(stranger.addr);
        address made = second.createHub(0);
        assertTrue(whitelist.isListed(made));
        assertEq(whitelist.hub(made).owner, stranger.addr);

        vm.prank(dao);
        whitelist.admit(address(second), false);
        assertFalse(whitelist.isAdmitted(address(second)));
        assertTrue(whitelist.isListed(made), "a listed wallet stays listed (R13)");
        vm.expectRevert(abi.encodeWithSelector(IWhitelist.NotFactory.selector, address(second), address(factory)));
        vm.prank(stranger.addr);
        second.createHub("again");
    }
}
