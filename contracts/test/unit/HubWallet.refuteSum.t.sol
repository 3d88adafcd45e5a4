// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IHubWallet} from "src/interfaces/IHubWallet.sol";
import {Claim, DealId, DealState, DealTerms, SumNode, SumStep, UnitLeaf} from "src/types/Deal.sol";
import {BaseTest} from "../utils/BaseTest.sol";
import {ResultTreeBuilder, treeDepth} from "../utils/Merkle.sol";

/// @notice `refuteSum` succeeds exactly on result trees with a node that does not add up (R2).
/// @dev Every run builds two trees of up to 33 units, hence fewer runs than elsewhere in the long profile.
/// forge-config: ci.fuzz.runs = 600
contract HubWalletRefuteSumTest is BaseTest {
    using ResultTreeBuilder for SumNode[][];

    DealTerms private terms;
    DealId private dealId;

    function setUp() public override {
        super.setUp();
        _register();
        terms = _terms();
    }

    /// @dev Opens a deal of `count` units and builds the honest tree over claims drawn from `seed`.
    function _tree(uint256 count, uint256 seed) private returns (SumNode[][] memory) {
        terms.unitCount = uint32(count);
        UnitLeaf[] memory units = _units(terms.unitCount, seed);
        terms.jobRoot = _jobRoot(units);
        dealId = _open(terms);
        (Claim[] memory claims, bool[] memory missing) = _claims(dealId, units, seed);
        return ResultTreeBuilder.build(_leaves(claims, missing));
    }

    function _postTree(SumNode[][] memory tree) private {
        SumNode memory top = tree.top();
        _post(terms, top.hash, top.sum);
    }

    function _expectRefuted(SumStep[] memory path) private {
        vm.expectEmit(address(wallet));
        uint128 compensation = terms.guarantee * 70 / 100;
        emit IHubWallet.DealRefuted(dealId, buyer.addr, stranger.addr, terms.cap, terms.guarantee, compensation);
        vm.prank(stranger.addr);
        wallet.refuteSum(terms, path);
        _assertState(dealId, DealState.Refuted);
        _assertLedger(0, 0, 0, 0);
        assertEq(token.balanceOf(buyer.addr), BUYER_MONEY + compensation, "the cap back, and the compensation");
        assertEq(token.balanceOf(address(vault)), terms.guarantee - compensation, "the rest is the treasury's");
        assertEq(token.balanceOf(address(wallet)), HUB_MONEY - terms.guarantee);
    }

    /* REFUSALS */

    function test_refuteSum_withoutResult_reverts() public {
        SumNode[][] memory tree = _tree(4, 0);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.DealStateMismatch.selector, dealId, DealState.Open));
        wallet.refuteSum(terms, tree.path(1, 0));
    }

    function test_refuteSum_afterTheWindow_reverts(uint32 late) public {
        SumNode[][] memory tree = _tree(4, 0);
        tree.lie(1, 0, 1);
        _postTree(tree);
        uint64 windowEnd = GENESIS + terms.window;
        vm.warp(uint256(windowEnd) + late);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.WindowOver.selector, windowEnd, uint256(windowEnd) + late));
        wallet.refuteSum(terms, tree.path(1, 0));
    }

    function test_refuteSum_pathOfWrongLength_reverts(uint256 count, uint256 seed, uint256 length) public {
        count = bound(count, 1, 33);
        uint256 depth = treeDepth(count);
        _postTree(_tree(count, seed));
        length = bound(length, depth + 1, depth + 5);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.PathLengthInvalid.selector, 0, depth));
        wallet.refuteSum(terms, new SumStep[](0));
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.PathLengthInvalid.selector, length, depth));
        wallet.refuteSum(terms, new SumStep[](length));
    }

    /// @dev A path of another tree proves nothing about this one, wherever it leaves it.
    function test_r02_refuteSum_invalidPath_reverts(uint256 count, uint256 seed, uint256 step, uint64 delta) public {
        count = bound(count, 2, 33);
        delta = uint64(bound(delta, 1, type(uint64).max));
        SumNode[][] memory tree = _tree(count, seed);
        _postTree(tree);
        SumStep[] memory path = tree.path(1, seed % tree[1].length);
        step = bound(step, 0, path.length - 1);
        unchecked {
            path[step].left.sum += delta;
        }
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.PathBroken.selector, step));
        wallet.refuteSum(terms, path);
    }

    /// @dev No walk through an honest tree, of any length, refutes it.
    function test_r02_refuteSum_honestTree_neverRefuted(uint256 count, uint256 seed) public {
        count = bound(count, 2, 33);
        SumNode[][] memory tree = _tree(count, seed);
        _postTree(tree);
        for (uint256 level = 1; level < tree.length; ++level) {
            for (uint256 i = 0; i < tree[level].length; ++i) {
                vm.expectRevert(IHubWallet.NothingRefuted.selector);
                wallet.refuteSum(terms, tree.path(level, i));
            }
        }
    }

    /* LIES */

    /// @dev A node claims more (or less) than its children have.
    function test_r02_refuteSum_nodeThatDoesNotAddUp(uint256 count, uint256 seed, uint256 place, uint64 sum) public {
        count = bound(count, 2, 33);
        SumNode[][] memory tree = _tree(count, seed);
        uint256 level = bound(place, 1, tree.length - 1);
        uint256 index = place % tree[level].length;
        vm.assume(sum != tree[level][index].sum);
        tree.lie(level, index, sum);
        _postTree(tree);
        _expectRefuted(tree.path(level, index));
    }

    /// @dev Only a path that reaches the lie shows it.
    function test_r02_refuteSum_pathBesideTheLie_reverts(uint256 seed, uint64 sum) public {
        SumNode[][] memory tree = _tree(8, seed);
        // Small enough that the nodes above still add up: the lie is in one place.
        sum = uint64(bound(sum, 0, 1 << 60));
        vm.assume(sum != tree[1][3].sum);
        tree.lie(1, 3, sum);
        _postTree(tree);
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(IHubWallet.NothingRefuted.selector);
            wallet.refuteSum(terms, tree.path(1, i));
        }
        _expectRefuted(tree.path(1, 3));
    }

    /// @dev A total that wrapped around 2^64 is no sum.
    function test_r02_refuteSum_sumsThatLeave64Bits(uint64 left, uint64 right) public {
        left = uint64(bound(left, 1, type(uint64).max));
        right = uint64(bound(right, type(uint64).max - left + 1, type(uint64).max));
        terms.unitCount = 2;
        dealId = _open(terms);
        SumNode[] memory leaves = new SumNode[](2);
        leaves[0] = ResultTreeBuilder.leaf(0, keccak256("a"), left);
        leaves[1] = ResultTreeBuilder.leaf(1, keccak256("b"), right);
        SumNode[][] memory tree = ResultTreeBuilder.build(leaves);
        assertLt(tree.top().sum, left, "it wrapped");
        _postTree(tree);
        _expectRefuted(tree.path(1, 0));
    }

    /// @dev A missing unit costs nothing: the zero hash with a sum is a lie even where sums add up.
    function test_r02_refuteSum_missingUnitWithSum(uint256 count, uint256 seed, uint256 unit, uint64 sum) public {
        count = bound(count, 2, 33);
        SumNode[][] memory tree = _tree(count, seed);
        unit = bound(unit, 0, count - 1);
        sum = uint64(bound(sum, 1, 1 << 40));
        tree[0][unit] = SumNode(0, sum);
        tree = ResultTreeBuilder.buildFrom(tree[0]);
        _postTree(tree);
        _expectRefuted(tree.path(1, unit / 2));
    }

    /// @dev Positions beyond the last unit bill nothing, whatever hash stands there.
    function test_r02_refuteSum_positionBeyondTheUnitsWithSum(uint256 count, uint256 seed, uint256 place, uint64 sum)
        public
    {
        count = bound(count, 3, 33);
        uint256 width = 1 << treeDepth(count);
        vm.assume(width > count);
        SumNode[][] memory tree = _tree(count, seed);
        place = bound(place, count, width - 1);
        sum = uint64(bound(sum, 1, 1 << 40));
        tree[0][place] = ResultTreeBuilder.leaf(uint32(place), keccak256("nobody's claim"), sum);
        tree = ResultTreeBuilder.buildFrom(tree[0]);
        _postTree(tree);
        _expectRefuted(tree.path(1, place / 2));
    }

    /// @dev The same with a subtree made of one hash, above the leaves.
    function test_r02_refuteSum_subtreeBeyondTheUnitsWithSum(uint256 seed, uint64 sum) public {
        sum = uint64(bound(sum, 1, 1 << 40));
        SumNode[][] memory tree = _tree(5, seed);
        tree[1][3] = SumNode(keccak256("opaque"), sum);
        SumNode[][] memory upper = ResultTreeBuilder.buildFrom(tree[1]);
        _postTree(upper);
        SumStep[] memory path = new SumStep[](2);
        path[0] = SumStep(upper[1][0], upper[1][1], true);
        path[1] = SumStep(upper[0][2], upper[0][3], false);
        _expectRefuted(path);
    }
}
