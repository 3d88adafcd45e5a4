// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";

import {AppPool} from "src/AppPool.sol";
import {IAppPool} from "src/interfaces/IAppPool.sol";
import {AppKind, AppSummary, Release, ReleaseDraft} from "src/types/App.sol";

/// @notice Publishing, deprecating and royalties (GV-20, GV-21).
contract AppPoolPublishTest is Test {
    AppPool private pool = new AppPool();
    address private author = makeAddr("author");
    address private stranger = makeAddr("stranger");

    bytes32 private constant NAME_HASH = keccak256("blender-render");

    function _draft() private view returns (ReleaseDraft memory) {
        return ReleaseDraft({
            kind: AppKind.WasmModule,
            royaltyPerMille: 50,
            royaltyTo: author,
            digest: keccak256("module"),
            about: "MIT; https://example.com/blender-render"
        });
    }

    function _publish(string memory version) private returns (bytes32) {
        vm.prank(author);
        return pool.publish("blender-render", version, _draft());
    }

    function _text(uint256 length, bytes1 letter) private pure returns (string memory) {
        bytes memory text = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            text[i] = letter;
        }
        return string(text);
    }

    function _releaseId(string memory version) private pure returns (bytes32) {
        return keccak256(abi.encode(NAME_HASH, keccak256(bytes(version))));
    }

    /* PUBLISH: REVERTS */

    function _badName(string memory name) private {
        vm.expectRevert(abi.encodeWithSelector(IAppPool.AppNameInvalid.selector, name));
        pool.publish(name, "1.0.0", _draft());
    }

    function test_publish_badName_reverts(uint256 length, bytes1 bad) public {
        _badName("");
        _badName("-a");
        _badName("a-");
        _badName("Blender");
        _badName(_text(bound(length, 64, 500), "x"));
        bool isGood = (bad >= "a" && bad <= "z") || (bad >= "0" && bad <= "9") || bad == "-";
        vm.assume(!isGood);
        _badName(string(bytes.concat("a", bad, "b")));
    }

    function _badVersion(string memory version) private {
        vm.expectRevert(abi.encodeWithSelector(IAppPool.AppVersionInvalid.selector, version));
        pool.publish("a", version, _draft());
    }

    function test_publish_badVersion_reverts(uint256 length, bytes1 bad) public {
        _badVersion("");
        _badVersion("1.0.0 beta");
        _badVersion("1@2");
        _badVersion(_text(bound(length, 33, 500), "1"));
        bool isLetter = (bad >= "a" && bad <= "z") || (bad >= "A" && bad <= "Z");
        bool isGood = isLetter || (bad >= "0" && bad <= "9") || bad == "." || bad == "+" || bad == "-";
        vm.assume(!isGood);
        _badVersion(string(bytes.concat("1", bad)));
    }

    function test_publish_aboutTooLong_reverts(uint256 length) public {
        ReleaseDraft memory draft = _draft();
        length = bound(length, 513, 2000);
        draft.about = _text(length, "x");
        vm.expectRevert(abi.encodeWithSelector(IAppPool.AppTextTooLong.selector, length, 512));
        pool.publish("a", "1", draft);
    }

    function test_publish_digestZero_reverts() public {
        ReleaseDraft memory draft = _draft();
        draft.digest = 0;
        vm.expectRevert(IAppPool.DigestZero.selector);
        pool.publish("a", "1", draft);
    }

    function test_publish_royaltyNobodyCouldGet_reverts(uint16 perMille) public {
        ReleaseDraft memory draft = _draft();
        draft.royaltyPerMille = uint16(bound(perMille, 1001, type(uint16).max));
        vm.expectRevert(abi.encodeWithSelector(IAppPool.AppRoyaltyTooHigh.selector, draft.royaltyPerMille));
        pool.publish("a", "1", draft);
        draft.royaltyPerMille = uint16(bound(perMille, 1, 1000));
        draft.royaltyTo = address(0);
        vm.expectRevert(IAppPool.AppRoyaltyRecipientZero.selector);
        pool.publish("a", "1", draft);
    }

    function test_publish_nameOfSomebodyElse_reverts() public {
        _publish("1.0.0");
        vm.expectRevert(abi.encodeWithSelector(IAppPool.NotAppOwner.selector, stranger, author));
        vm.prank(stranger);
        pool.publish("blender-render", "1.0.1", _draft());
    }

    /// @notice What a buyer tried is what it gets: the bytes of a version never change.
    function test_publish_sameVersionTwice_reverts() public {
        _publish("1.0.0");
        vm.expectRevert(abi.encodeWithSelector(IAppPool.ReleaseExists.selector, "blender-render", "1.0.0"));
        _publish("1.0.0");
    }

    /* PUBLISH */

    function test_gv20_publish_takesTheNameAndStoresTheRelease() public {
        vm.expectEmit(address(pool));
        emit IAppPool.NameTaken(NAME_HASH, author, "blender-render");
        vm.expectEmit(address(pool));
        emit IAppPool.ReleasePublished(NAME_HASH, _releaseId("1.0.0"), "blender-render", "1.0.0", _draft());
        assertEq(_publish("1.0.0"), _releaseId("1.0.0"));

        Release memory r = pool.release("blender-render", "1.0.0");
        assertEq(uint8(r.kind), uint8(AppKind.WasmModule));
        assertFalse(r.deprecated);
        assertEq(r.royaltyPerMille, 50);
        assertEq(r.royaltyTo, author);
        assertEq(r.publishedAt, block.timestamp);
        assertEq(r.digest, keccak256("module"));
        assertEq(r.about, "MIT; https://example.com/blender-render");
        AppSummary memory a = pool.app("blender-render");
        assertEq(a.owner, author);
        assertEq(a.offeredTo, address(0));
        assertEq(a.releaseCount, 1);
        assertEq(a.latestVersion, "1.0.0");
    }

    function test_gv20_termsOf_isWhatABuyerNeeds(uint16 perMille, bytes32 digest) public {
        vm.assume(digest != 0);
        ReleaseDraft memory draft = _draft();
        draft.kind = AppKind.DockerImage;
        draft.digest = digest;
        draft.royaltyPerMille = uint16(bound(perMille, 0, 1000));
        vm.prank(author);
        pool.publish("app", "2", draft);
        (AppKind kind, bytes32 stored, address to, uint16 royalty) = pool.termsOf("app", "2");
        assertEq(uint8(kind), uint8(AppKind.DockerImage));
        assertEq(stored, digest);
        assertEq(to, author);
        assertEq(royalty, draft.royaltyPerMille);
    }

    function test_publish_longestTexts_areStored() public {
        ReleaseDraft memory draft = _draft();
        draft.about = _text(512, "x");
        draft.royaltyPerMille = 0;
        draft.royaltyTo = address(0);
        pool.publish(_text(63, "a"), _text(32, "9"), draft);
        assertEq(pool.release(_text(63, "a"), _text(32, "9")).about, draft.about);
    }

    /// @dev "ab" + "c" and "a" + "bc" are different releases.
    function test_publish_namesAndVersionsDoNotRunTogether() public {
        pool.publish("ab", "c", _draft());
        pool.publish("a", "bc", _draft());
        assertEq(pool.appCount(), 2);
    }

    /* DEPRECATE */

    function test_deprecate_byAnyoneElse_reverts(address caller) public {
        vm.assume(caller != author);
        _publish("1.0.0");
        vm.expectRevert(abi.encodeWithSelector(IAppPool.NotAppOwner.selector, caller, author));
        vm.prank(caller);
        pool.deprecate("blender-render", "1.0.0");
    }

    function test_deprecate_unknown_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IAppPool.AppUnknown.selector, "blender-render"));
        pool.deprecate("blender-render", "1.0.0");
        _publish("1.0.0");
        vm.expectRevert(abi.encodeWithSelector(IAppPool.ReleaseUnknown.selector, "blender-render", "2"));
        vm.prank(author);
        pool.deprecate("blender-render", "2");
    }

    function test_deprecate_stopsNewTermsForGood() public {
        _publish("1.0.0");
        _publish("1.0.1");
        vm.expectEmit(address(pool));
        emit IAppPool.ReleaseDeprecated(NAME_HASH, _releaseId("1.0.0"), "blender-render", "1.0.0");
        vm.prank(author);
        pool.deprecate("blender-render", "1.0.0");

        bytes memory expected = abi.encodeWithSelector(IAppPool.ReleaseIsDeprecated.selector, "blender-render", "1.0.0");
        vm.expectRevert(expected);
        pool.termsOf("blender-render", "1.0.0");
        assertTrue(pool.release("blender-render", "1.0.0").deprecated);
        pool.termsOf("blender-render", "1.0.1");
        vm.expectRevert(expected);
        vm.prank(author);
        pool.deprecate("blender-render", "1.0.0");
    }

    /* ROYALTIES */

    function test_moveRoyalty_byAnyoneElse_reverts(address caller) public {
        vm.assume(caller != author);
        _publish("1.0.0");
        vm.expectRevert(abi.encodeWithSelector(IAppPool.NotAppOwner.selector, caller, author));
        vm.prank(caller);
        pool.moveRoyalty("blender-render", "1.0.0", caller);
    }

    function test_moveRoyalty_toNobody_reverts() public {
        _publish("1.0.0");
        vm.expectRevert(IAppPool.AppRoyaltyRecipientZero.selector);
        vm.prank(author);
        pool.moveRoyalty("blender-render", "1.0.0", address(0));
    }

    function test_gv21_moveRoyalty_changesTheRecipientOnly(address to) public {
        vm.assume(to != address(0));
        _publish("1.0.0");
        vm.expectEmit(address(pool));
        emit IAppPool.RoyaltyMoved(NAME_HASH, _releaseId("1.0.0"), "blender-render", "1.0.0", to);
        vm.prank(author);
        pool.moveRoyalty("blender-render", "1.0.0", to);
        (, bytes32 digest, address royaltyTo, uint16 perMille) = pool.termsOf("blender-render", "1.0.0");
        assertEq(royaltyTo, to);
        assertEq(perMille, 50);
        assertEq(digest, keccak256("module"));
    }
}
