// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {IHubWallet} from "src/interfaces/IHubWallet.sol";
import {DealId, DealState, DealTerms} from "src/types/Deal.sol";
import {BaseTest} from "../utils/BaseTest.sol";

/// @notice `settle`: when the buyer is silent, anyone pays the hub exactly what R2 says.
contract HubWalletSettleTest is BaseTest {
    DealTerms private terms;
    DealId private dealId;

    function setUp() public override {
        super.setUp();
        _register();
        terms = _terms();
    }

    function test_settle_unopenedDeal_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.DealStateMismatch.selector, _dealId(terms), DealState.None));
        wallet.settle(terms);
    }

    function test_settle_withoutResult_reverts(uint32 time) public {
        dealId = _open(terms);
        vm.warp(GENESIS + uint256(time));
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.DealStateMismatch.selector, dealId, DealState.Open));
        wallet.settle(terms);
    }

    function test_settle_insideTheWindow_reverts(uint64 time) public {
        dealId = _open(terms);
        _post(terms, keccak256("tree"), 1);
        uint64 windowEnd = GENESIS + terms.window;
        time = uint64(bound(time, GENESIS, windowEnd - 1));
        vm.warp(time);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.WindowOpen.selector, windowEnd, time));
        wallet.settle(terms);
    }

    function test_settle_lastSecondOfTheWindow_reverts() public {
        dealId = _open(terms);
        _post(terms, keccak256("tree"), 1);
        vm.warp(GENESIS + terms.window - 1);
        vm.expectRevert(
            abi.encodeWithSelector(IHubWallet.WindowOpen.selector, GENESIS + terms.window, GENESIS + terms.window - 1)
        );
        wallet.settle(terms);
    }

    function test_settle_twice_reverts() public {
        dealId = _open(terms);
        _post(terms, keccak256("tree"), 1);
        vm.warp(GENESIS + terms.window);
        wallet.settle(terms);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.DealStateMismatch.selector, dealId, DealState.Settled));
        wallet.settle(terms);
    }

    function test_settle_firstSecondAfterTheWindow_settles() public {
        dealId = _open(terms);
        _post(terms, keccak256("tree"), 1);
        vm.warp(GENESIS + terms.window);
        wallet.settle(terms);
        _assertState(dealId, DealState.Settled);
    }

    /// @dev The buyer never confirms: after the window anyone settles.
    function test_settle_silentBuyer_anyoneSettlesAfterTheWindow(address caller, uint32 later) public {
        dealId = _open(terms);
        _post(terms, keccak256("tree"), 10e9);
        vm.warp(GENESIS + terms.window + uint256(later));
        vm.expectEmit(address(wallet));
        emit IHubWallet.DealSettled(dealId, buyer.addr, 20 * GIO, 1 * GIO, 80 * GIO, false);
        vm.expectEmit(address(token));
        emit IERC20.Transfer(address(wallet), author, 1 * GIO);
        vm.expectEmit(address(token));
        emit IERC20.Transfer(address(wallet), buyer.addr, 80 * GIO);
        vm.prank(caller);
        wallet.settle(terms);

        _assertState(dealId, DealState.Settled);
        _assertLedger(0, 0, 0, 0);
        assertEq(token.balanceOf(buyer.addr), BUYER_MONEY - 20 * GIO);
        assertEq(token.balanceOf(author), 1 * GIO);
        assertEq(token.balanceOf(address(wallet)), HUB_MONEY + 19 * GIO);
        assertEq(wallet.freeBalance(), HUB_MONEY - QUOTA + 19 * GIO);
    }

    /// @dev min(cap, floor(CU x price / 10^9)), rounded once, against another way to compute it.
    function test_r02_settle_paysExactlyTheBill(uint64 cuTotal, uint128 price, uint128 cap, uint16 perMille) public {
        terms.cap = uint128(bound(cap, 1, BUYER_MONEY));
        terms.pricePerPu = price;
        terms.royaltyPerMille = uint16(bound(perMille, 0, 1000));
        dealId = _open(terms);
        _post(terms, keccak256("tree"), cuTotal);
        vm.warp(GENESIS + terms.window);
        wallet.settle(terms);

        uint256 pu = cuTotal / 1e9;
        uint256 bill = pu * price + (uint256(cuTotal) - pu * 1e9) * price / 1e9;
        uint256 payment = bill < terms.cap ? bill : terms.cap;
        uint256 royalty = payment / 1000 * terms.royaltyPerMille + payment % 1000 * terms.royaltyPerMille / 1000;
        assertEq(token.balanceOf(author), royalty, "royalty");
        assertEq(token.balanceOf(buyer.addr), BUYER_MONEY - payment, "refund");
        assertEq(token.balanceOf(address(wallet)), HUB_MONEY + payment - royalty, "hub's part");
        assertEq(wallet.freeBalance(), HUB_MONEY - QUOTA + payment - royalty, "free");
    }

    /// @dev A bill that is really small: the fraction of a base unit stays with the buyer.
    function test_r02_settle_roundsDownOncePerDeal() public {
        terms.pricePerPu = 1;
        dealId = _open(terms);
        _post(terms, keccak256("tree"), 2e9 - 1);
        vm.warp(GENESIS + terms.window);
        wallet.settle(terms);
        assertEq(token.balanceOf(buyer.addr), BUYER_MONEY - 1);
    }

    function test_r02_settle_nothingDelivered_refundsEverything() public {
        dealId = _open(terms);
        _post(terms, 0, 0);
        vm.warp(GENESIS + terms.window);
        wallet.settle(terms);
        assertEq(token.balanceOf(buyer.addr), BUYER_MONEY);
        assertEq(token.balanceOf(author), 0);
        assertEq(wallet.freeBalance(), HUB_MONEY - QUOTA);
    }

    /// @dev Deals of one wallet do not touch each other's money.
    function test_r02_settle_leavesOtherDealsAlone() public {
        _open(terms);
        DealTerms memory second = terms;
        _freshNonce(second, "second");
        DealId secondId = _open(second);
        _post(terms, keccak256("tree"), 10e9);
        vm.warp(GENESIS + terms.window);
        wallet.settle(terms);
        _assertLedger(second.cap, second.guarantee, 0, 0);
        _assertState(secondId, DealState.Open);
    }
}
