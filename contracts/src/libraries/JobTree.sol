// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Trees} from "./Trees.sol";
import {UnitLeaf} from "../types/Deal.sol";

/// @title JobTree
/// @notice The tree over a job's units (F1, docs/protocol.md section 2.1).
library JobTree {
    /// @notice Leaf of one unit. The tag keeps it apart from nodes and roots.
    function leafHash(UnitLeaf calldata unit) internal pure returns (bytes32) {
        // In two halves: a single `encodePacked` of ten values does not fit the stack.
        bytes memory head =
            abi.encodePacked(bytes1(0x00), unit.index, unit.kind, unit.programRoot, unit.inputRoot, unit.inputLength);
        return keccak256(abi.encodePacked(head, unit.cuLimit, unit.pagesMax, unit.outputMax, unit.unitSeed));
    }

    /// @notice Parent of two nodes.
    function nodeHash(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x01), left, right));
    }

    /// @notice The committed root: it names its count, so that a proof cannot be read for a tree of another size.
    function rootOf(uint32 unitCount, bytes32 treeRoot) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x02), unitCount, treeRoot));
    }

    /// @notice Whether `unit` stands at its index under `jobRoot`. The proof has exactly the tree's depth.
    function contains(bytes32 jobRoot, uint32 unitCount, UnitLeaf calldata unit, bytes32[] calldata proof)
        internal
        pure
        returns (bool)
    {
        if (unit.index >= unitCount || proof.length != Trees.depthOf(unitCount)) return false;
        bytes32 node = leafHash(unit);
        for (uint256 level = 0; level < proof.length; ++level) {
            bool isRight = (unit.index >> level) & 1 == 1;
            node = isRight ? nodeHash(proof[level], node) : nodeHash(node, proof[level]);
        }
        return rootOf(unitCount, node) == jobRoot;
    }
}
