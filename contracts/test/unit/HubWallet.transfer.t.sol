// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IHubWallet} from "src/interfaces/IHubWallet.sol";
import {WalletState} from "src/types/Wallet.sol";
import {BaseTest} from "../utils/BaseTest.sol";

/// @notice `transfer` and `transferNet`: 30 % of the gross is locked, the miner pulls the rest (HW-09..13, X-06).
contract HubWalletTransferTest is BaseTest {
    function setUp() public override {
        super.setUp();
        _register();
    }

    function _free() private pure returns (uint128) {
        return HUB_MONEY - QUOTA;
    }

    function _pay(address to, uint128 gross) private {
        vm.prank(hub.addr);
        wallet.transfer(to, gross);
    }

    function test_transfer_byOthers_reverts(address caller, uint128 gross) public {
        vm.assume(caller != hub.addr);
        bytes memory refusal = abi.encodeWithSelector(IHubWallet.NotOwner.selector, caller, hub.addr);
        vm.startPrank(caller);
        vm.expectRevert(refusal);
        wallet.transfer(miner, gross);
        vm.expectRevert(refusal);
        wallet.transferNet(miner, gross / 2);
    }

    /// @dev HW-01: a wallet that never registered pays nobody.
    function test_transfer_beforeRegistration_reverts() public {
        wallet = _createHub(hub.addr, "second");
        _fund(address(wallet), HUB_MONEY);
        vm.expectRevert(
            abi.encodeWithSelector(IHubWallet.WalletStateMismatch.selector, WalletState.Created, WalletState.Registered)
        );
        _pay(miner, 1 * GIO);
    }

    function test_transfer_ofNothing_reverts() public {
        vm.startPrank(hub.addr);
        vm.expectRevert(IHubWallet.AmountZero.selector);
        wallet.transfer(miner, 0);
        vm.expectRevert(IHubWallet.AmountZero.selector);
        wallet.transferNet(miner, 0);
    }

    function test_transfer_toNobody_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.MinerInvalid.selector, address(0)));
        _pay(address(0), 1);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.MinerInvalid.selector, address(wallet)));
        _pay(address(wallet), 1);
    }

    /// @dev HW-10: the wallet's own balance decides, and all of it that is kept for others is out of reach.
    function test_r06_transfer_aboveFreeBalance_reverts(uint128 gross) public {
        gross = uint128(bound(gross, _free() + 1, type(uint128).max));
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.FreeBalanceTooLow.selector, _free(), gross));
        _pay(miner, gross);
        _assertLedger(0, 0, 0, 0);
        assertEq(token.allowance(address(wallet), miner), 0);
    }

    function test_r06_transfer_ofTheWholeFreeBalance_leavesNothingFree() public {
        _pay(miner, _free());
        assertEq(wallet.freeBalance(), 0);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.FreeBalanceTooLow.selector, 0, 1));
        _pay(miner, 1);
    }

    /// @dev HW-09, HW-11, HW-12.
    function test_transfer_locksAndApproves(uint128 gross) public {
        gross = uint128(bound(gross, 1, _free()));
        uint128 lock = uint128(uint256(gross) * 30 / 100);
        uint128 net = gross - lock;
        vm.expectEmit(address(wallet));
        emit IHubWallet.PaymentApproved(miner, gross, lock, net, net);
        vm.expectEmit(address(token));
        emit IERC20.Approval(address(wallet), miner, net);
        _pay(miner, gross);

        _assertLedger(0, 0, lock, net);
        assertEq(wallet.approvedTo(miner), net);
        assertEq(token.allowance(address(wallet), miner), net);
        assertEq(token.balanceOf(miner), 0, "an approval moves nothing");
        assertEq(token.balanceOf(address(wallet)), HUB_MONEY);
        assertEq(wallet.freeBalance(), _free() - gross);

        vm.prank(miner);
        token.transferFrom(address(wallet), miner, net);
        assertEq(token.balanceOf(miner), net);
    }

    /// @dev HW-11: payouts before a pull add up, whatever was pulled in between.
    function test_r06_transfer_again_addsToWhatIsNotPulled(uint128 first, uint128 pulled, uint128 second) public {
        first = uint128(bound(first, 1, _free() / 2));
        second = uint128(bound(second, 1, _free() / 2));
        uint128 firstNet = first - first * 30 / 100;
        uint128 secondNet = second - second * 30 / 100;
        pulled = uint128(bound(pulled, 0, firstNet));
        _pay(miner, first);
        vm.prank(miner);
        token.transferFrom(address(wallet), miner, pulled);

        if (pulled > 0) {
            vm.expectEmit(address(wallet));
            emit IHubWallet.PullSeen(miner, pulled, firstNet - pulled);
        }
        vm.expectEmit(address(wallet));
        emit IHubWallet.PaymentApproved(miner, second, second - secondNet, secondNet, firstNet - pulled + secondNet);
        _pay(miner, second);

        assertEq(token.allowance(address(wallet), miner), firstNet - pulled + secondNet);
        _assertLedger(0, 0, first - firstNet + second - secondNet, firstNet - pulled + secondNet);
        assertEq(wallet.freeBalance(), _free() - first - second);
    }

    function test_transfer_minersDoNotShareAllowances(uint128 first, uint128 second) public {
        address other = makeAddr("other miner");
        first = uint128(bound(first, 1, _free() / 2));
        second = uint128(bound(second, 1, _free() / 2));
        _pay(miner, first);
        _pay(other, second);
        assertEq(token.allowance(address(wallet), miner), first - first * 30 / 100);
        assertEq(token.allowance(address(wallet), other), second - second * 30 / 100);
    }

    function test_transferNet_aboveFreeBalance_reverts() public {
        uint128 net = _free() * 70 / 100 + 1;
        uint128 gross = wallet.grossOf(net);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.FreeBalanceTooLow.selector, _free(), gross));
        vm.prank(hub.addr);
        wallet.transferNet(miner, net);
    }

    function test_transferNet_grossBeyond128Bits_reverts() public {
        vm.expectRevert(
            abi.encodeWithSelector(
                SafeCast.SafeCastOverflowedUintDowncast.selector, 128, (uint256(type(uint128).max) * 100 + 69) / 70
            )
        );
        vm.prank(hub.addr);
        wallet.transferNet(miner, type(uint128).max);
    }

    /// @dev X-06: never less than agreed, at most one base unit more.
    function test_transferNet_leavesAtLeastTheNet(uint128 net) public {
        net = uint128(bound(net, 1, _free() * 70 / 100));
        uint128 gross = uint128((uint256(net) * 100 + 69) / 70);
        assertEq(wallet.grossOf(net), gross);
        vm.prank(hub.addr);
        wallet.transferNet(miner, net);
        uint256 allowance = token.allowance(address(wallet), miner);
        assertGe(allowance, net);
        assertLe(allowance, uint256(net) + 1);
        assertEq(allowance + wallet.ledger().locked, gross);
    }

    /// @dev HW-09 over all amounts, not only those a wallet can hold.
    function test_lockOf_isThirtyPerCentRoundedDown(uint128 gross) public view {
        assertEq(wallet.lockOf(gross), uint256(gross) * 30 / 100);
    }

    /// @dev X-06 over all amounts.
    function test_grossOf_leavesTheNetAndAtMostOneMore(uint128 net) public view {
        net = uint128(bound(net, 0, uint256(type(uint128).max) * 70 / 100));
        uint128 gross = wallet.grossOf(net);
        assertEq(gross, (uint256(net) * 100 + 69) / 70);
        assertGe(gross - wallet.lockOf(gross), net);
        assertLe(gross - wallet.lockOf(gross), uint256(net) + 1);
    }
}
