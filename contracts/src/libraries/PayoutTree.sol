// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";

/// @title PayoutTree
/// @notice The Merkle-sum tree of an epoch's payout (R9, docs/protocol.md section 7.1). Sums on a path add up to the
/// total, so no two leaves can take the same money.
/// @dev A node is one word, 24 bytes of hash and 8 bytes of sum: a claim's gas is mostly its proof's. A hub that found two
/// trees with one root could only divide its own reserve differently, because the reserve falls with every claim.
library PayoutTree {
    /// @notice A tree of depth 20 keeps every proof below 1 KiB.
    uint32 internal constant COUNT_MAX = 1 << 20;

    /// @notice The node of a miner's leaf. Its 33 bytes under the hash tell it from a node's 64.
    function leaf(uint32 index, address miner, uint64 net) internal pure returns (bytes32) {
        bytes32 hash = keccak256(abi.encodePacked(bytes1(0x00), index, miner, net));
        return _node(hash, net);
    }

    /// @notice What a wallet keeps of the top node: it names the count and, inside the node, the total.
    function rootOf(uint32 count, bytes32 top) internal pure returns (bytes24) {
        return bytes24(keccak256(abi.encodePacked(bytes1(0x02), count, top)));
    }

    /// @notice The sum of a node.
    function sumOf(bytes32 node) internal pure returns (uint64) {
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint64(uint256(node)); // the last 8 bytes
    }

    /// @notice Whether a leaf stands at `index` under `root`, with all hashes and sums recomputed from it upwards.
    function contains(bytes24 root, uint32 count, uint32 index, address miner, uint64 net, bytes32[] calldata proof)
        internal
        pure
        returns (bool)
    {
        if (index >= count || !_isDepthOf(count, proof.length)) return false;
        bytes32 node = leaf(index, miner, net);
        uint256 sum = net;
        for (uint256 level = 0; level < proof.length; ++level) {
            bytes32 sibling = proof[level];
            bytes32 hash = (index >> level) & 1 == 1
                ? Hashes.efficientKeccak256(sibling, node)
                : Hashes.efficientKeccak256(node, sibling);
            unchecked {
                sum += sumOf(sibling); // at most 32 sums of 64 bits
            }
            node = _node(hash, sum);
        }
        // INVARIANT: sums never shrink on the way up, so none left its 64 bits if the last did not.
        return sum <= type(uint64).max && rootOf(count, node) == root;
    }

    function _node(bytes32 hash, uint256 sum) private pure returns (bytes32) {
        // forge-lint: disable-next-line(unsafe-typecast)
        return bytes32(bytes24(hash)) | bytes32(sum); // the rest of the hash makes room for the sum
    }

    /// @dev `Trees.depthOf(count) == depth` without computing it.
    function _isDepthOf(uint32 count, uint256 depth) private pure returns (bool) {
        uint256 width = uint256(1) << depth;
        return width >= count && width >> 1 < count;
    }
}
