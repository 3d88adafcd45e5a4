// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Trees} from "./Trees.sol";
import {IHubWallet} from "../interfaces/IHubWallet.sol";
import {SumNode, SumStep} from "../types/Deal.sol";

/// @title ResultTree
/// @notice The Merkle-sum tree over a deal's claims (R2, docs/protocol.md section 2.2): the posted total is the sum of
/// the claims, because anyone can show the node where it is not.
library ResultTree {
    /// @notice Hash of a claim's leaf; its sum is `cu`. A missing unit is the zero node instead.
    function leafHash(uint32 unit, bytes32 claimHash, uint64 cu) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x00), unit, claimHash, cu));
    }

    /// @notice Hash of the parent of two nodes.
    function nodeHash(SumNode memory left, SumNode memory right) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x01), left.hash, left.sum, right.hash, right.sum));
    }

    /// @notice The committed root: it names the count and the total.
    function rootOf(uint32 unitCount, bytes32 treeHash, uint64 total) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x02), unitCount, treeHash, total));
    }

    /// @notice Whether `leaf` stands at `unit` under `resultRoot`, with all hashes and sums recomputed from it upwards.
    function contains(bytes32 resultRoot, uint32 unitCount, uint32 unit, SumNode memory leaf, SumNode[] calldata proof)
        internal
        pure
        returns (bool)
    {
        if (unit >= unitCount || proof.length != Trees.depthOf(unitCount)) return false;
        SumNode memory node = leaf;
        for (uint256 level = 0; level < proof.length; ++level) {
            SumNode memory sibling = proof[level];
            if (!isWellFormed(sibling)) return false;
            uint256 sum = uint256(node.sum) + sibling.sum;
            if (sum > type(uint64).max) return false;
            bool isRight = (unit >> level) & 1 == 1;
            node = SumNode({
                hash: isRight ? nodeHash(sibling, node) : nodeHash(node, sibling),
                // forge-lint: disable-next-line(unsafe-typecast)
                sum: uint64(sum) // compared with the largest uint64 above
            });
        }
        return rootOf(unitCount, node.hash, node.sum) == resultRoot;
    }

    /// @notice Walks from the committed root down `path` and tells whether a node on it does not add up.
    /// @dev Reverts if the path is not one of the tree's: each pair shown must hash to the node it was opened from. The
    /// walk ends at the first bad node; what a path shows below it does not matter.
    function isRefutedBy(bytes32 resultRoot, uint32 unitCount, uint64 total, SumStep[] calldata path)
        internal
        pure
        returns (bool)
    {
        uint256 depth = Trees.depthOf(unitCount);
        if (path.length == 0 || path.length > depth) revert IHubWallet.PathLengthInvalid(path.length, depth);
        SumNode memory node = SumNode({hash: 0, sum: total});
        uint256 position = 0;
        for (uint256 step = 0; step < path.length; ++step) {
            SumNode memory left = path[step].left;
            SumNode memory right = path[step].right;
            bytes32 shown = nodeHash(left, right);
            // The top node's hash is known only through the root that commits it.
            bool known = step == 0 ? rootOf(unitCount, shown, total) == resultRoot : shown == node.hash;
            if (!known) revert IHubWallet.PathBroken(step);

            uint256 unitsBelow = uint256(1) << (depth - step - 1);
            if (uint256(left.sum) + right.sum != node.sum) return true;
            if (!isWellFormed(left) || !isWellFormed(right)) return true;
            // Positions at and above the count hold the zero leaf. The left child always covers a unit if its parent does.
            if ((2 * position + 1) * unitsBelow >= unitCount && right.sum != 0) return true;

            node = path[step].goRight ? right : left;
            position = 2 * position + (path[step].goRight ? 1 : 0);
        }
        return false;
    }

    /// @notice The zero hash stands for missing units only, and they cost nothing.
    function isWellFormed(SumNode memory node) internal pure returns (bool) {
        return node.hash != 0 || node.sum == 0;
    }
}
