// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {IHubWallet} from "src/interfaces/IHubWallet.sol";
import {DealId, DealState, DealTerms} from "src/types/Deal.sol";
import {BaseTest} from "../utils/BaseTest.sol";

/// @notice `refund`: the hub never delivers, the buyer gets everything back.
contract HubWalletRefundTest is BaseTest {
    DealTerms private terms;

    function setUp() public override {
        super.setUp();
        _register();
        terms = _terms();
    }

    function test_refund_unopenedDeal_reverts() public {
        vm.warp(uint256(terms.deliverBy) + 1);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.DealStateMismatch.selector, _dealId(terms), DealState.None));
        wallet.refund(terms);
    }

    function test_refund_untilDeliverBy_reverts(uint64 time) public {
        _open(terms);
        time = uint64(bound(time, GENESIS, terms.deliverBy));
        vm.warp(time);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.DeliverByNotPassed.selector, terms.deliverBy, time));
        wallet.refund(terms);
    }

    function test_refund_lastSecondToDeliver_reverts() public {
        _open(terms);
        vm.warp(terms.deliverBy);
        vm.expectRevert(
            abi.encodeWithSelector(IHubWallet.DeliverByNotPassed.selector, terms.deliverBy, terms.deliverBy)
        );
        wallet.refund(terms);
    }

    function test_refund_deliveredDeal_reverts(uint32 later) public {
        DealId dealId = _open(terms);
        _post(terms, keccak256("tree"), 1);
        vm.warp(uint256(terms.deliverBy) + 1 + later);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.DealStateMismatch.selector, dealId, DealState.Posted));
        wallet.refund(terms);
    }

    function test_refund_twice_reverts() public {
        DealId dealId = _open(terms);
        vm.warp(uint256(terms.deliverBy) + 1);
        wallet.refund(terms);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.DealStateMismatch.selector, dealId, DealState.Refunded));
        wallet.refund(terms);
    }

    function test_refund_silentHub_anyoneGivesEverythingBack(address caller, uint32 later, uint128 cap) public {
        terms.cap = uint128(bound(cap, 1, BUYER_MONEY));
        DealId dealId = _open(terms);
        vm.warp(uint256(terms.deliverBy) + 1 + later);
        vm.expectEmit(address(wallet));
        emit IHubWallet.DealRefunded(dealId, buyer.addr, terms.cap);
        vm.expectEmit(address(token));
        emit IERC20.Transfer(address(wallet), buyer.addr, terms.cap);
        vm.prank(caller);
        wallet.refund(terms);

        _assertState(dealId, DealState.Refunded);
        _assertLedger(0, 0, 0, 0);
        assertEq(token.balanceOf(buyer.addr), BUYER_MONEY);
        assertEq(token.balanceOf(address(wallet)), HUB_MONEY);
        assertEq(wallet.freeBalance(), HUB_MONEY - QUOTA, "the guarantee is free again");
    }

    /// @notice R7: a buyer of a banned hub does not wait for a delivery that cannot come.
    function test_r07_refund_bannedWallet_doesNotWaitForDeliverBy(uint64 years_) public {
        terms.deliverBy = uint64(GENESIS + 121 days + bound(years_, 0, 10) * 365 days);
        DealId dealId = _open(terms);
        cases.open(1, address(wallet));
        vm.startPrank(dao);
        wallet.suspect(1);
        vm.warp(uint256(wallet.suspectedAt()) + 120 days);
        bytes memory early =
            abi.encodeWithSelector(IHubWallet.DeliverByNotPassed.selector, terms.deliverBy, uint64(block.timestamp));
        vm.expectRevert(early);
        wallet.refund(terms);
        wallet.ban();
        vm.stopPrank();
        wallet.refund(terms);
        _assertState(dealId, DealState.Refunded);
        assertEq(token.balanceOf(buyer.addr), BUYER_MONEY);
        assertEq(wallet.freeBalance(), 0, "the guarantee went the way of the rest");
    }
}
