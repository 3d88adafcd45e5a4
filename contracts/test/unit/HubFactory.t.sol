// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";

import {HubFactory} from "src/HubFactory.sol";
import {HubWallet} from "src/HubWallet.sol";
import {Whitelist} from "src/Whitelist.sol";
import {IHubFactory} from "src/interfaces/IHubFactory.sol";
import {IWhitelist} from "src/interfaces/IWhitelist.sol";
import {WalletConfig, WalletParameters, WalletState} from "src/types/Wallet.sol";
import {BaseTest} from "../utils/BaseTest.sol";

/// @notice Wallets are made here and nowhere else (R11, GV-01, GV-02).
contract HubFactoryTest is BaseTest {
    function _refused(address implementation_, WalletParameters memory parameters) private {
        vm.expectRevert(IHubFactory.ParametersInvalid.selector);
        new HubFactory(implementation_, parameters);
    }

    function test_constructor_whitelistOfAFactoryThatIsNotThere_reverts() public {
        Whitelist other = new Whitelist(makeAddr("never deployed"));
        WalletParameters memory parameters = _parameters(address(token), address(other));
        vm.expectRevert(
            abi.encodeWithSelector(IHubFactory.WhitelistOfOtherFactory.selector, makeAddr("never deployed"))
        );
        new HubFactory(address(implementation), parameters);
    }

    function test_constructor_parametersNoWalletCouldUse_reverts(uint8 percent, uint16 fee) public {
        WalletParameters memory good = _parameters(address(token), address(whitelist));
        _refused(makeAddr("no code"), good);

        WalletParameters memory bad = _parameters(makeAddr("no code"), address(whitelist));
        _refused(address(implementation), bad);
        bad = _parameters(address(token), makeAddr("no code"));
        _refused(address(implementation), bad);
        bad = _parameters(address(token), address(whitelist));
        bad.dao = address(0);
        _refused(address(implementation), bad);
        bad = _parameters(address(token), address(whitelist));
        bad.treasury = address(0);
        _refused(address(implementation), bad);
        bad = _parameters(address(token), address(whitelist));
        bad.freezeQuota = 0;
        _refused(address(implementation), bad);
        bad = _parameters(address(token), address(whitelist));
        bad.lockPercent = uint8(bound(percent, 100, 255));
        _refused(address(implementation), bad);
        bad = _parameters(address(token), address(whitelist));
        bad.daoFeePerMille = uint16(bound(fee, 1001, type(uint16).max));
        _refused(address(implementation), bad);
    }

    function test_constructor_whitelistOfOtherDaosFactory_reverts(address otherDao) public {
        vm.assume(otherDao != dao && otherDao != address(0));
        WalletParameters memory parameters = _parameters(address(token), address(whitelist));
        parameters.dao = otherDao;
        vm.expectRevert(abi.encodeWithSelector(IHubFactory.WhitelistOfOtherFactory.selector, address(factory)));
        new HubFactory(address(implementation), parameters);
    }

    function test_createHub_sameSaltTwice_reverts(bytes32 salt) public {
        vm.assume(salt != "first");
        HubWallet made = _createHub(hub.addr, salt);
        vm.expectRevert(abi.encodeWithSelector(IHubFactory.WalletExists.selector, address(made)));
        vm.prank(hub.addr);
        factory.createHub(salt);
    }

    function test_r11_createHub_saltIncludesSender(address other, bytes32 salt) public {
        vm.assume(other != hub.addr && other != address(0));
        address mine = factory.predictHub(hub.addr, salt);
        WalletConfig memory config = WalletConfig(hub.addr, address(factory), factory.parameters());
        assertEq(
            mine,
            Clones.predictDeterministicAddressWithImmutableArgs(
                address(implementation), abi.encode(config), keccak256(abi.encode(hub.addr, salt)), address(factory)
            )
        );
        vm.prank(other);
        address theirs = factory.createHub(salt);
        assertNotEq(theirs, mine, "nobody can take a hub's address");
        assertEq(HubWallet(theirs).owner(), other);
    }

    function test_createHub_makesListsAndConfigures(address owner, bytes32 salt) public {
        vm.assume(owner != hub.addr && owner != address(0));
        address predicted = factory.predictHub(owner, salt);
        assertFalse(factory.isWallet(predicted));

        vm.expectEmit(address(factory));
        emit IHubFactory.HubCreated(predicted, owner, salt, factory.parameters());
        vm.expectEmit(address(whitelist));
        emit IWhitelist.HubListed(predicted, owner);
        vm.prank(owner);
        address made = factory.createHub(salt);

        assertEq(made, predicted);
        assertTrue(factory.isWallet(made));
        assertEq(factory.walletCountOf(owner), 1);
        assertEq(factory.walletsOf(owner, 0, 10)[0], made);
        IWhitelist.Hub memory line = whitelist.hub(made);
        assertEq(line.owner, owner);
        assertEq(line.wallet, made);
        assertEq(line.listedAt, GENESIS);
        assertEq(line.registeredAt, 0);
        assertEq(uint8(line.state), uint8(WalletState.Created));
    }

    /// @dev HW-03: every getter returns what the factory was made with.
    function test_createHub_gettersReturnTheConfiguration() public view {
        WalletParameters memory p = factory.parameters();
        assertEq(wallet.owner(), hub.addr);
        assertEq(wallet.factory(), address(factory));
        assertEq(wallet.dao(), dao);
        assertEq(wallet.treasury(), address(vault));
        assertEq(wallet.cases(), address(cases));
        assertEq(wallet.token(), address(token));
        assertEq(wallet.whitelist(), address(whitelist));
        assertEq(wallet.freezeQuota(), QUOTA);
        assertEq(wallet.lockPercent(), 30);
        assertEq(wallet.daoFeePerMille(), 5);
        assertEq(wallet.payoutPeriod(), 30 days);
        assertEq(wallet.suspicionPeriod(), 120 days);
        WalletConfig memory config = wallet.config();
        assertEq(keccak256(abi.encode(config)), keccak256(abi.encode(WalletConfig(hub.addr, address(factory), p))));
        assertEq(factory.implementation(), address(implementation));
    }

    function test_isWallet_otherAddresses_areNot(address other) public view {
        vm.assume(other != address(wallet));
        assertFalse(factory.isWallet(other));
    }

    /// @dev GV-01: identical code deployed by hand is not a wallet of the factory and cannot register.
    function test_isWallet_cloneMadeByHand_isNot() public {
        address copy = makeAddr("copy");
        vm.etch(copy, address(wallet).code);
        assertEq(HubWallet(copy).owner(), hub.addr, "it is the same code");
        assertFalse(factory.isWallet(copy));
        _fund(copy, QUOTA);
        vm.expectRevert(abi.encodeWithSelector(IWhitelist.WalletUnknown.selector, copy));
        vm.prank(hub.addr);
        HubWallet(copy).register(_record());
    }

    function test_walletsOf_pagesCoverTheList(uint256 count, uint256 offset, uint256 limit) public {
        count = bound(count, 0, 8);
        address[] memory made = new address[](count);
        for (uint256 i = 0; i < count; ++i) {
            made[i] = address(_createHub(stranger.addr, bytes32(i)));
        }
        address[] memory page = factory.walletsOf(stranger.addr, offset, limit);
        uint256 left = offset < count ? count - offset : 0;
        assertEq(page.length, limit < left ? limit : left);
        for (uint256 i = 0; i < page.length; ++i) {
            assertEq(page[i], made[offset + i]);
        }
    }
}
