// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {treeDepth} from "./Merkle.sol";

/// @notice One epoch's payout from the text of docs/protocol.md section 7.1, independent of the contracts.
library PayoutBuilder {
    function node(bytes memory preimage, uint64 total) internal pure returns (bytes32) {
        return bytes32(bytes.concat(bytes24(keccak256(preimage)), bytes8(total)));
    }

    function leaf(uint32 index, address miner, uint64 net) internal pure returns (bytes32) {
        return node(bytes.concat(hex"00", bytes4(index), bytes20(miner), bytes8(net)), net);
    }

    /// @return levels From the leaves, padded with zero nodes, up to the single top node.
    function build(address[] memory miners, uint64[] memory nets) internal pure returns (bytes32[][] memory levels) {
        uint256 depth = treeDepth(miners.length);
        levels = new bytes32[][](depth + 1);
        levels[0] = new bytes32[](1 << depth);
        for (uint32 i = 0; i < miners.length; ++i) {
            levels[0][i] = leaf(i, miners[i], nets[i]);
        }
        for (uint256 level = 1; level <= depth; ++level) {
            levels[level] = new bytes32[](1 << (depth - level));
            for (uint256 i = 0; i < levels[level].length; ++i) {
                (bytes32 left, bytes32 right) = (levels[level - 1][2 * i], levels[level - 1][2 * i + 1]);
                levels[level][i] = node(bytes.concat(left, right), sum(left) + sum(right));
            }
        }
    }

    function sum(bytes32 node_) internal pure returns (uint64) {
        return uint64(bytes8(node_ << 192));
    }

    function top(bytes32[][] memory levels) internal pure returns (bytes32) {
        return levels[levels.length - 1][0];
    }

    function root(uint32 count, bytes32 top_) internal pure returns (bytes24) {
        return bytes24(keccak256(bytes.concat(hex"02", bytes4(count), top_)));
    }

    function proof(bytes32[][] memory levels, uint256 index) internal pure returns (bytes32[] memory siblings) {
        siblings = new bytes32[](levels.length - 1);
        for (uint256 level = 0; level < siblings.length; ++level) {
            siblings[level] = levels[level][(index >> level) ^ 1];
        }
    }

    function minerAt(uint256 index) internal pure returns (address) {
        return address(uint160(uint256(keccak256(abi.encode("payout miner", index)))));
    }
}
