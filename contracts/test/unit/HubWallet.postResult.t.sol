// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IHubWallet} from "src/interfaces/IHubWallet.sol";
import {Deal, DealId, DealState, DealTerms, SumNode} from "src/types/Deal.sol";
import {BaseTest} from "../utils/BaseTest.sol";
import {ResultTreeBuilder} from "../utils/Merkle.sol";

contract HubWalletPostResultTest is BaseTest {
    DealTerms private terms;
    DealId private dealId;

    function setUp() public override {
        super.setUp();
        _register();
        terms = _terms();
        dealId = _open(terms);
    }

    function _postRefused(bytes memory refusal) private {
        vm.expectRevert(refusal);
        vm.prank(hub.addr);
        wallet.postResult(terms, keccak256("tree"), 1, keccak256("claims"));
    }

    function test_postResult_byOthers_reverts(address caller) public {
        vm.assume(caller != hub.addr);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.NotOwner.selector, caller, hub.addr));
        vm.prank(caller);
        wallet.postResult(terms, keccak256("tree"), 1, keccak256("claims"));
    }

    function test_r01_postResult_ofOtherTerms_reverts(bytes32 nonce) public {
        vm.assume(nonce != terms.hubNonce);
        terms.hubNonce = nonce;
        _postRefused(abi.encodeWithSelector(IHubWallet.DealStateMismatch.selector, _dealId(terms), DealState.None));
    }

    function test_r03_postResult_twice_reverts() public {
        _post(terms, keccak256("tree"), 1);
        _postRefused(abi.encodeWithSelector(IHubWallet.DealStateMismatch.selector, dealId, DealState.Posted));
    }

    function test_postResult_afterDeliverBy_reverts(uint32 late) public {
        uint256 time = uint256(terms.deliverBy) + bound(late, 1, type(uint32).max);
        vm.warp(time);
        _postRefused(abi.encodeWithSelector(IHubWallet.DeliverByPassed.selector, terms.deliverBy, time));
    }

    function test_postResult_atDeliverBy_isInTime() public {
        vm.warp(terms.deliverBy);
        _post(terms, keccak256("tree"), 1);
        _assertState(dealId, DealState.Posted);
    }

    function test_r02_postResult_sumWithoutTree_reverts(uint64 cuTotal) public {
        cuTotal = uint64(bound(cuTotal, 1, type(uint64).max));
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.SumWithoutTree.selector, cuTotal));
        vm.prank(hub.addr);
        wallet.postResult(terms, 0, cuTotal, 0);
    }

    function test_r02_postResult_commitsCountTreeAndSum(
        bytes32 treeHash,
        uint64 cuTotal,
        bytes32 claimsRoot,
        uint64 time
    ) public {
        vm.assume(treeHash != 0 || cuTotal == 0);
        time = uint64(bound(time, GENESIS, terms.deliverBy));
        vm.warp(time);
        bytes32 root = ResultTreeBuilder.root(terms.unitCount, SumNode(treeHash, cuTotal));
        vm.expectEmit(address(wallet));
        emit IHubWallet.ResultPosted(dealId, root, treeHash, cuTotal, claimsRoot, time + terms.window);
        vm.prank(hub.addr);
        wallet.postResult(terms, treeHash, cuTotal, claimsRoot);

        Deal memory deal = wallet.deal(dealId);
        assertEq(uint8(deal.state), uint8(DealState.Posted));
        assertEq(deal.resultRoot, root);
        assertEq(deal.cuTotal, cuTotal);
        assertEq(deal.windowEnd, time + terms.window);
        _assertLedger(terms.cap, terms.guarantee, 0, 0);
    }
}
