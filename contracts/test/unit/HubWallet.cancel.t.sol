// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IHubWallet} from "src/interfaces/IHubWallet.sol";
import {DealId, DealState, DealTerms} from "src/types/Deal.sol";
import {BaseTest} from "../utils/BaseTest.sol";
import {Typed} from "../utils/Typed.sol";

/// @notice `cancel`: what both sides sign ends an open or posted deal.
contract HubWalletCancelTest is BaseTest {
    DealTerms private terms;
    DealId private dealId;

    function setUp() public override {
        super.setUp();
        _register();
        terms = _terms();
        dealId = _open(terms);
    }

    function _cancel(uint128 payment) private {
        bytes32 digest = _digest(Typed.cancellation(dealId, payment));
        bytes memory buyerSignature = _sign(buyer, digest);
        bytes memory hubSignature = _sign(hub, digest);
        vm.prank(stranger.addr);
        wallet.cancel(terms, payment, buyerSignature, hubSignature);
    }

    function _cancelRefused(uint128 payment, bytes memory refusal) private {
        bytes32 digest = _digest(Typed.cancellation(dealId, payment));
        bytes memory buyerSignature = _sign(buyer, digest);
        bytes memory hubSignature = _sign(hub, digest);
        vm.expectRevert(refusal);
        wallet.cancel(terms, payment, buyerSignature, hubSignature);
    }

    function test_cancel_unopenedDeal_reverts() public {
        terms.hubNonce = "never opened";
        dealId = _dealId(terms);
        _cancelRefused(0, abi.encodeWithSelector(IHubWallet.DealStateMismatch.selector, dealId, DealState.None));
    }

    function test_cancel_endedDeal_reverts() public {
        _cancel(0);
        _cancelRefused(0, abi.encodeWithSelector(IHubWallet.DealStateMismatch.selector, dealId, DealState.Cancelled));
    }

    function test_cancel_paymentAboveCap_reverts(uint128 payment) public {
        payment = uint128(bound(payment, terms.cap + 1, type(uint128).max));
        _cancelRefused(payment, abi.encodeWithSelector(IHubWallet.PaymentAboveCap.selector, payment, terms.cap));
    }

    function test_cancel_withOneSignature_reverts(uint128 payment) public {
        payment = uint128(bound(payment, 0, terms.cap));
        bytes32 digest = _digest(Typed.cancellation(dealId, payment));
        bytes memory bySomeone = _sign(stranger, digest);
        bytes memory byBuyer = _sign(buyer, digest);
        bytes memory byHub = _sign(hub, digest);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.BuyerSignatureInvalid.selector, buyer.addr, digest));
        vm.prank(buyer.addr);
        wallet.cancel(terms, payment, bySomeone, byHub);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.HubSignatureInvalid.selector, hub.addr, digest));
        vm.prank(hub.addr);
        wallet.cancel(terms, payment, byBuyer, bySomeone);
    }

    /// @dev Both signed one payment; nobody makes it another.
    function test_cancel_anotherPayment_reverts(uint128 signed, uint128 payment) public {
        signed = uint128(bound(signed, 0, terms.cap));
        payment = uint128(bound(payment, 0, terms.cap));
        vm.assume(signed != payment);
        bytes32 digest = _digest(Typed.cancellation(dealId, signed));
        bytes memory byBuyer = _sign(buyer, digest);
        bytes memory byHub = _sign(hub, digest);
        bytes32 other = _digest(Typed.cancellation(dealId, payment));
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.BuyerSignatureInvalid.selector, buyer.addr, other));
        wallet.cancel(terms, payment, byBuyer, byHub);
    }

    function test_cancel_paysAsAgreed(uint128 payment, bool posted, uint32 later) public {
        payment = uint128(bound(payment, 0, terms.cap));
        if (posted) _post(terms, keccak256("tree"), 10e9);
        vm.warp(GENESIS + uint256(later));
        uint128 royalty = payment * 50 / 1000;

        vm.expectEmit(address(wallet));
        emit IHubWallet.DealCancelled(dealId, buyer.addr, payment, royalty, terms.cap - payment);
        _cancel(payment);

        _assertState(dealId, DealState.Cancelled);
        _assertLedger(0, 0, 0, 0);
        assertEq(token.balanceOf(buyer.addr), BUYER_MONEY - payment);
        assertEq(token.balanceOf(author), royalty);
        assertEq(token.balanceOf(address(wallet)), HUB_MONEY + payment - royalty);
        assertEq(wallet.freeBalance(), HUB_MONEY - QUOTA + payment - royalty);
    }
}
