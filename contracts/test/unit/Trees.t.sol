// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Trees} from "src/libraries/Trees.sol";
import {SumNode, UnitLeaf} from "src/types/Deal.sol";
import {BaseTest} from "../utils/BaseTest.sol";
import {FormatsHarness} from "../utils/FormatsHarness.sol";
import {JobTreeBuilder, ResultTreeBuilder} from "../utils/Merkle.sol";

/// @notice Openings of trees that no honest side would commit: a root can be of anything, an opening must not be.
contract TreesTest is BaseTest {
    using ResultTreeBuilder for SumNode[][];

    FormatsHarness private harness;

    function setUp() public override {
        super.setUp();
        harness = new FormatsHarness();
    }

    function _jobLeaves(UnitLeaf[] memory units, uint256 width) private pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](width);
        for (uint256 i = 0; i < units.length; ++i) {
            leaves[i] = JobTreeBuilder.leaf(units[i]);
        }
    }

    function test_r01_job_everyUnitOpens(uint256 count, uint256 seed) public view {
        count = bound(count, 1, 33);
        UnitLeaf[] memory units = _units(uint32(count), seed);
        bytes32[][] memory levels = JobTreeBuilder.build(units);
        bytes32 root = JobTreeBuilder.root(units);
        for (uint256 i = 0; i < count; ++i) {
            bytes32[] memory proof = JobTreeBuilder.proof(levels, i);
            assertTrue(harness.jobContains(root, uint32(count), units[i], proof));
            assertFalse(harness.jobContains(root, uint32(count) + 1, units[i], proof), "the count is committed");
        }
    }

    /// @dev A leaf hidden behind the last unit is no unit, though its path hashes to the committed root.
    function test_r01_job_leafBeyondTheCount_doesNotOpen(uint256 seed) public view {
        UnitLeaf[] memory units = _units(7, seed);
        bytes32[][] memory levels = JobTreeBuilder.buildFrom(_jobLeaves(units, 8));
        bytes32 root = JobTreeBuilder.rootOf(5, levels[3][0]);
        assertTrue(harness.jobContains(root, 5, units[4], JobTreeBuilder.proof(levels, 4)));
        assertFalse(harness.jobContains(root, 5, units[5], JobTreeBuilder.proof(levels, 5)));
        assertFalse(harness.jobContains(root, 5, units[6], JobTreeBuilder.proof(levels, 6)));
    }

    /// @dev A tree deeper or flatter than its count says opens nowhere.
    function test_r01_job_treeOfAnotherDepth_doesNotOpen(uint256 seed) public view {
        UnitLeaf[] memory units = _units(4, seed);
        bytes32[][] memory deep = JobTreeBuilder.buildFrom(_jobLeaves(units, 8));
        bytes32 root = JobTreeBuilder.rootOf(4, deep[3][0]);
        assertFalse(harness.jobContains(root, 4, units[1], JobTreeBuilder.proof(deep, 1)));
        bytes32[][] memory flat = JobTreeBuilder.buildFrom(_jobLeaves(units, 4));
        root = JobTreeBuilder.rootOf(5, flat[2][0]);
        assertFalse(harness.jobContains(root, 5, units[1], JobTreeBuilder.proof(flat, 1)));
    }

    function _resultLeaves(uint256 count, uint256 seed) private pure returns (SumNode[] memory leaves) {
        leaves = new SumNode[](count);
        for (uint32 i = 0; i < count; ++i) {
            uint64 cu = uint64(uint256(keccak256(abi.encode(seed, i))) % 1e12);
            leaves[i] = ResultTreeBuilder.leaf(i, keccak256(abi.encode("claim", i)), cu);
        }
    }

    function _opens(SumNode[][] memory tree, uint32 count, uint32 unit) private view returns (bool) {
        bytes32 root = ResultTreeBuilder.root(count, tree.top());
        return harness.resultContains(root, count, unit, tree[0][unit], tree.proof(unit));
    }

    function test_r02_result_everyUnitOpens(uint256 count, uint256 seed) public view {
        count = bound(count, 1, 33);
        SumNode[][] memory tree = ResultTreeBuilder.build(_resultLeaves(count, seed));
        for (uint32 unit = 0; unit < count; ++unit) {
            assertTrue(_opens(tree, uint32(count), unit));
        }
    }

    function test_r02_result_leafBeyondTheCount_doesNotOpen(uint256 seed) public view {
        SumNode[][] memory tree = ResultTreeBuilder.build(_resultLeaves(8, seed));
        assertTrue(_opens(tree, 5, 4));
        assertFalse(_opens(tree, 5, 5));
        assertFalse(_opens(tree, 5, 7));
    }

    function test_r02_result_treeOfAnotherDepth_doesNotOpen(uint256 seed) public view {
        SumNode[][] memory tree = ResultTreeBuilder.build(_resultLeaves(8, seed));
        assertFalse(_opens(tree, 4, 1), "deeper than its count");
        assertFalse(_opens(tree, 9, 1), "flatter than its count");
    }

    /// @dev Beside a missing unit with a sum nothing opens: the lie would be part of the proof.
    function test_r02_result_besideAMissingUnitWithSum_doesNotOpen(uint256 seed, uint64 sum) public view {
        SumNode[] memory leaves = _resultLeaves(4, seed);
        leaves[1] = SumNode(0, 0);
        assertTrue(_opens(ResultTreeBuilder.build(leaves), 4, 0));
        leaves[1] = SumNode(0, uint64(bound(sum, 1, 1e12)));
        SumNode[][] memory tree = ResultTreeBuilder.build(leaves);
        assertFalse(_opens(tree, 4, 0));
        assertTrue(_opens(tree, 4, 2), "further up the lie is not shown");
    }

    /// @dev Where the sums left 64 bits and wrapped, nothing opens.
    function test_r02_result_wrappedSums_doNotOpen(uint64 left, uint64 right) public view {
        left = uint64(bound(left, 1, type(uint64).max));
        right = uint64(bound(right, type(uint64).max - left + 1, type(uint64).max));
        SumNode[] memory leaves = new SumNode[](2);
        leaves[0] = ResultTreeBuilder.leaf(0, keccak256("a"), left);
        leaves[1] = ResultTreeBuilder.leaf(1, keccak256("b"), right);
        SumNode[][] memory tree = ResultTreeBuilder.build(leaves);
        assertFalse(_opens(tree, 2, 0));
        assertFalse(_opens(tree, 2, 1));
    }

    function test_depth_isTheLeastThatFits() public pure {
        assertEq(Trees.depthOf(1), 0);
        assertEq(Trees.depthOf(2), 1);
        assertEq(Trees.depthOf(3), 2);
        assertEq(Trees.depthOf(1_048_576), 20);
    }
}
