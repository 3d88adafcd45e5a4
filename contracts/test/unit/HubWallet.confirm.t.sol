// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IHubWallet} from "src/interfaces/IHubWallet.sol";
import {DealId, DealState, DealTerms} from "src/types/Deal.sol";
import {BaseTest} from "../utils/BaseTest.sol";
import {Typed} from "../utils/Typed.sol";

/// @notice `confirm`: the buyer's word ends the window, for the root it saw and no other.
contract HubWalletConfirmTest is BaseTest {
    DealTerms private terms;
    DealId private dealId;
    bytes32 private resultRoot;

    function setUp() public override {
        super.setUp();
        _register();
        terms = _terms();
        dealId = _open(terms);
    }

    function _posted() private {
        resultRoot = _post(terms, keccak256("tree"), 10e9);
    }

    function _confirmation(Account memory by) private view returns (bytes memory) {
        return _sign(by, _digest(Typed.confirmation(dealId, resultRoot)));
    }

    function test_confirm_withoutResult_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.DealStateMismatch.selector, dealId, DealState.Open));
        vm.prank(buyer.addr);
        wallet.confirm(terms, 0, "");
    }

    function test_confirm_anotherRoot_reverts(bytes32 other) public {
        _posted();
        vm.assume(other != resultRoot);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.ResultRootMismatch.selector, resultRoot, other));
        vm.prank(buyer.addr);
        wallet.confirm(terms, other, "");
    }

    function test_confirm_byOthersWithoutTheBuyersWord_reverts(address caller, uint256 key) public {
        _posted();
        vm.assume(caller != buyer.addr);
        Account memory other = makeAccount("other");
        other.key = boundPrivateKey(key);
        vm.assume(other.key != buyer.key);
        bytes32 digest = _digest(Typed.confirmation(dealId, resultRoot));
        bytes memory signature = _sign(other, digest);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.BuyerSignatureInvalid.selector, buyer.addr, digest));
        vm.prank(caller);
        wallet.confirm(terms, resultRoot, signature);
    }

    /// @dev The signature that opened the deal does not confirm it.
    function test_confirm_withTheOpeningSignature_reverts() public {
        _posted();
        bytes memory opening = _sign(buyer, DealId.unwrap(dealId));
        bytes32 digest = _digest(Typed.confirmation(dealId, resultRoot));
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.BuyerSignatureInvalid.selector, buyer.addr, digest));
        wallet.confirm(terms, resultRoot, opening);
    }

    function test_confirm_twice_reverts() public {
        _posted();
        vm.startPrank(buyer.addr);
        wallet.confirm(terms, resultRoot, "");
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.DealStateMismatch.selector, dealId, DealState.Settled));
        wallet.confirm(terms, resultRoot, "");
    }

    function test_r02_confirm_byTheBuyer_settles(uint64 time) public {
        _posted();
        vm.warp(bound(time, GENESIS, GENESIS + 365 days));
        vm.expectEmit(address(wallet));
        emit IHubWallet.DealSettled(dealId, buyer.addr, 20 * GIO, 1 * GIO, 80 * GIO, true);
        vm.prank(buyer.addr);
        wallet.confirm(terms, resultRoot, "");
        _assertSettled();
    }

    function test_r02_confirm_byAnyoneWithTheBuyersWord_settles(address caller) public {
        _posted();
        bytes memory signature = _confirmation(buyer);
        vm.prank(caller);
        wallet.confirm(terms, resultRoot, signature);
        _assertSettled();
    }

    function _assertSettled() private view {
        _assertState(dealId, DealState.Settled);
        _assertLedger(0, 0, 0, 0);
        assertEq(token.balanceOf(buyer.addr), BUYER_MONEY - 20 * GIO);
        assertEq(token.balanceOf(author), 1 * GIO);
        assertEq(wallet.freeBalance(), HUB_MONEY - QUOTA + 19 * GIO);
    }
}
