// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";

import {AppPool} from "src/AppPool.sol";
import {IAppPool} from "src/interfaces/IAppPool.sol";
import {AppKind, AppSummary, ReleaseDraft} from "src/types/App.sol";

/// @notice Handing a name on, and reading the pool a page at a time.
contract AppPoolNamesTest is Test {
    AppPool private pool = new AppPool();
    address private author = makeAddr("author");
    address private heir = makeAddr("heir");

    function setUp() public {
        _publish(author, "tool", "1");
    }

    function _publish(address by, string memory name, string memory version) private {
        ReleaseDraft memory draft = ReleaseDraft(AppKind.WasmModule, 0, address(0), keccak256(bytes(version)), "");
        vm.prank(by);
        pool.publish(name, version, draft);
    }

    /* HANDING ON */

    function test_offerName_byAnyoneElse_reverts(address caller) public {
        vm.assume(caller != author);
        vm.expectRevert(abi.encodeWithSelector(IAppPool.NotAppOwner.selector, caller, author));
        vm.prank(caller);
        pool.offerName("tool", caller);
        vm.expectRevert(abi.encodeWithSelector(IAppPool.AppUnknown.selector, "other"));
        vm.prank(caller);
        pool.offerName("other", caller);
    }

    function test_acceptName_withoutOffer_reverts(address caller) public {
        vm.assume(caller != heir && caller != address(0));
        vm.expectRevert(abi.encodeWithSelector(IAppPool.NotOffered.selector, caller, address(0)));
        vm.prank(caller);
        pool.acceptName("tool");
        vm.prank(author);
        pool.offerName("tool", heir);
        vm.expectRevert(abi.encodeWithSelector(IAppPool.NotOffered.selector, caller, heir));
        vm.prank(caller);
        pool.acceptName("tool");
        vm.expectRevert(abi.encodeWithSelector(IAppPool.AppUnknown.selector, "other"));
        pool.acceptName("other");
    }

    function test_offerName_changesNothingYet() public {
        vm.expectEmit(address(pool));
        emit IAppPool.NameOffered(keccak256("tool"), author, heir);
        vm.prank(author);
        pool.offerName("tool", heir);
        assertEq(pool.app("tool").owner, author);
        assertEq(pool.app("tool").offeredTo, heir);
        _publish(author, "tool", "2");
    }

    function test_acceptName_inTwoSteps() public {
        vm.prank(author);
        pool.offerName("tool", heir);
        vm.expectEmit(address(pool));
        emit IAppPool.NameAccepted(keccak256("tool"), author, heir);
        vm.prank(heir);
        pool.acceptName("tool");
        assertEq(pool.app("tool").owner, heir);
        assertEq(pool.app("tool").offeredTo, address(0));
        _publish(heir, "tool", "2");
        vm.expectRevert(abi.encodeWithSelector(IAppPool.NotAppOwner.selector, author, heir));
        _publish(author, "tool", "3");
    }

    function test_offerName_takenBack_cannotBeAccepted() public {
        vm.startPrank(author);
        pool.offerName("tool", heir);
        pool.offerName("tool", address(0));
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(IAppPool.NotOffered.selector, heir, address(0)));
        vm.prank(heir);
        pool.acceptName("tool");
        // Nobody is the zero address, but it must not be able to accept either.
        assertEq(pool.app("tool").owner, author);
    }

    /* PAGES */

    function test_views_unknown_revert() public {
        vm.expectRevert(abi.encodeWithSelector(IAppPool.AppUnknown.selector, "nothing"));
        pool.app("nothing");
        vm.expectRevert(abi.encodeWithSelector(IAppPool.AppUnknown.selector, "nothing"));
        pool.versions("nothing", 0, 1);
        vm.expectRevert(abi.encodeWithSelector(IAppPool.AppUnknown.selector, "nothing"));
        pool.release("nothing", "1");
        vm.expectRevert(abi.encodeWithSelector(IAppPool.ReleaseUnknown.selector, "tool", "9"));
        pool.termsOf("tool", "9");
    }

    function test_apps_pagesInOrder(uint256 offset, uint256 limit) public {
        string[4] memory names = ["tool", "b", "c", "d"];
        for (uint256 i = 1; i < 4; ++i) {
            _publish(author, names[i], "1");
        }
        assertEq(pool.appCount(), 4);
        offset = bound(offset, 0, 6);
        uint256 left = offset < 4 ? 4 - offset : 0;
        uint256 length = limit < left ? limit : left;
        AppSummary[] memory page = pool.apps(offset, limit);
        assertEq(page.length, length);
        for (uint256 i = 0; i < length; ++i) {
            assertEq(page[i].name, names[offset + i]);
        }
    }

    function test_versions_pagesInOrder(uint256 offset, uint256 limit) public {
        string[3] memory published = ["1", "0.9", "2"];
        _publish(author, "tool", "0.9");
        _publish(author, "tool", "2");
        assertEq(pool.app("tool").latestVersion, "2");
        offset = bound(offset, 0, 5);
        uint256 left = offset < 3 ? 3 - offset : 0;
        uint256 length = limit < left ? limit : left;
        string[] memory page = pool.versions("tool", offset, limit);
        assertEq(page.length, length);
        for (uint256 i = 0; i < length; ++i) {
            assertEq(page[i], published[offset + i]);
        }
    }
}
