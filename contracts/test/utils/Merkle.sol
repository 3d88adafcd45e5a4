// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SumNode, SumStep, UnitLeaf} from "src/types/Deal.sol";

// Builders of the trees of docs/protocol.md section 2, written from that page and not from `src/libraries`: what the
// contracts verify is made by other code here.

function treeDepth(uint256 count) pure returns (uint256 depth) {
    uint256 width = 1;
    while (width < count) {
        width *= 2;
        depth += 1;
    }
}

/// @notice The job tree (F1).
library JobTreeBuilder {
    function leaf(UnitLeaf memory unit) internal pure returns (bytes32) {
        return keccak256(
            bytes.concat(
                bytes.concat(hex"00", bytes4(unit.index), bytes1(unit.kind), unit.programRoot, unit.inputRoot),
                bytes.concat(bytes8(unit.inputLength), bytes8(unit.cuLimit), bytes4(unit.pagesMax)),
                bytes.concat(bytes8(unit.outputMax), unit.unitSeed)
            )
        );
    }

    /// @return levels From the leaves up to the single top node.
    function build(UnitLeaf[] memory units) internal pure returns (bytes32[][] memory levels) {
        bytes32[] memory leaves = new bytes32[](units.length);
        for (uint256 i = 0; i < units.length; ++i) {
            leaves[i] = leaf(units[i]);
        }
        return buildFrom(leaves);
    }

    /// @param leaves One per unit; positions beyond them hold the zero word.
    function buildFrom(bytes32[] memory leaves) internal pure returns (bytes32[][] memory levels) {
        uint256 depth = treeDepth(leaves.length);
        levels = new bytes32[][](depth + 1);
        levels[0] = new bytes32[](1 << depth);
        for (uint256 i = 0; i < leaves.length; ++i) {
            levels[0][i] = leaves[i];
        }
        for (uint256 level = 1; level <= depth; ++level) {
            levels[level] = new bytes32[](1 << (depth - level));
            for (uint256 i = 0; i < levels[level].length; ++i) {
                levels[level][i] =
                    keccak256(bytes.concat(hex"01", levels[level - 1][2 * i], levels[level - 1][2 * i + 1]));
            }
        }
    }

    function root(UnitLeaf[] memory units) internal pure returns (bytes32) {
        bytes32[][] memory levels = build(units);
        return rootOf(units.length, levels[levels.length - 1][0]);
    }

    function rootOf(uint256 count, bytes32 topHash) internal pure returns (bytes32) {
        return keccak256(bytes.concat(hex"02", bytes4(uint32(count)), topHash));
    }

    function proof(bytes32[][] memory levels, uint256 index) internal pure returns (bytes32[] memory siblings) {
        siblings = new bytes32[](levels.length - 1);
        for (uint256 level = 0; level < siblings.length; ++level) {
            siblings[level] = levels[level][(index >> level) ^ 1];
        }
    }
}

/// @notice The result tree (R2), honest or with lies in chosen places.
library ResultTreeBuilder {
    function leaf(uint32 unit, bytes32 claimHash, uint64 cu) internal pure returns (SumNode memory) {
        return SumNode(keccak256(bytes.concat(hex"00", bytes4(unit), claimHash, bytes8(cu))), cu);
    }

    function node(SumNode memory left, SumNode memory right) internal pure returns (bytes32) {
        return keccak256(bytes.concat(hex"01", left.hash, bytes8(left.sum), right.hash, bytes8(right.sum)));
    }

    /// @param leaves One per unit; the zero node for a missing one.
    /// @return levels From the leaves up to the single top node.
    function build(SumNode[] memory leaves) internal pure returns (SumNode[][] memory levels) {
        uint256 depth = treeDepth(leaves.length);
        SumNode[] memory row = new SumNode[](1 << depth);
        for (uint256 i = 0; i < leaves.length; ++i) {
            row[i] = leaves[i];
        }
        return buildFrom(row);
    }

    /// @param row All positions of the lowest level, padding included.
    function buildFrom(SumNode[] memory row) internal pure returns (SumNode[][] memory levels) {
        uint256 depth = treeDepth(row.length);
        levels = new SumNode[][](depth + 1);
        levels[0] = row;
        for (uint256 level = 1; level <= depth; ++level) {
            levels[level] = new SumNode[](1 << (depth - level));
            for (uint256 i = 0; i < levels[level].length; ++i) {
                _join(levels, level, i);
            }
        }
    }

    /// @notice Gives one node a sum its children do not have, and rebuilds what is above it on top of the lie.
    function lie(SumNode[][] memory levels, uint256 level, uint256 index, uint64 sum) internal pure {
        levels[level][index].sum = sum;
        for (uint256 above = level + 1; above < levels.length; ++above) {
            index /= 2;
            _join(levels, above, index);
        }
    }

    function top(SumNode[][] memory levels) internal pure returns (SumNode memory) {
        return levels[levels.length - 1][0];
    }

    function root(uint32 count, SumNode memory topNode) internal pure returns (bytes32) {
        return keccak256(bytes.concat(hex"02", bytes4(count), topNode.hash, bytes8(topNode.sum)));
    }

    function proof(SumNode[][] memory levels, uint256 index) internal pure returns (SumNode[] memory siblings) {
        siblings = new SumNode[](levels.length - 1);
        for (uint256 level = 0; level < siblings.length; ++level) {
            siblings[level] = levels[level][(index >> level) ^ 1];
        }
    }

    /// @notice The walk whose last step shows the children of the node at (level, index), level 1 being above the leaves.
    function path(SumNode[][] memory levels, uint256 level, uint256 index)
        internal
        pure
        returns (SumStep[] memory steps)
    {
        uint256 depth = levels.length - 1;
        steps = new SumStep[](depth - level + 1);
        for (uint256 step = 0; step < steps.length; ++step) {
            uint256 height = depth - step;
            uint256 place = index >> (height - level);
            steps[step].left = levels[height - 1][2 * place];
            steps[step].right = levels[height - 1][2 * place + 1];
            if (height > level) steps[step].goRight = (index >> (height - level - 1)) & 1 == 1;
        }
    }

    function _join(SumNode[][] memory levels, uint256 level, uint256 index) private pure {
        SumNode memory left = levels[level - 1][2 * index];
        SumNode memory right = levels[level - 1][2 * index + 1];
        // A liar's tree may carry sums that leave 64 bits; they wrap as they would in careless code.
        unchecked {
            levels[level][index] = SumNode(node(left, right), left.sum + right.sum);
        }
    }
}

/// @notice The word tree of images (F2, R4); no contract needs it before deliveries are proven on chain.
library WordTreeBuilder {
    function root(bytes memory data, uint256 depth) internal pure returns (bytes32) {
        uint256 words = (data.length + 31) / 32;
        bytes32[] memory row = new bytes32[](words);
        for (uint256 i = 0; i < words; ++i) {
            row[i] = _word(data, i);
        }
        bytes32 zero = 0;
        for (uint256 level = 0; level < depth; ++level) {
            row = _parents(row, zero);
            zero = keccak256(bytes.concat(zero, zero));
        }
        return row.length == 0 ? zero : row[0];
    }

    function _parents(bytes32[] memory row, bytes32 zero) private pure returns (bytes32[] memory above) {
        above = new bytes32[]((row.length + 1) / 2);
        for (uint256 i = 0; i < above.length; ++i) {
            bytes32 right = 2 * i + 1 < row.length ? row[2 * i + 1] : zero;
            above[i] = keccak256(bytes.concat(row[2 * i], right));
        }
    }

    function _word(bytes memory data, uint256 index) private pure returns (bytes32 word) {
        for (uint256 i = 0; i < 32; ++i) {
            uint256 offset = 32 * index + i;
            if (offset < data.length) word |= bytes32(data[offset]) >> (8 * i);
        }
    }
}

/// @notice The content root (R4): SHA-256 over 16 KiB blocks as BEP 52 computes `pieces root`.
library ContentTreeBuilder {
    uint256 private constant BLOCK = 16_384;

    function root(bytes memory data) internal pure returns (bytes32) {
        if (data.length == 0) return sha256("");
        uint256 blocks = (data.length + BLOCK - 1) / BLOCK;
        bytes32[] memory row = new bytes32[](uint256(1) << treeDepth(blocks));
        for (uint256 i = 0; i < blocks; ++i) {
            row[i] = sha256(_slice(data, i * BLOCK));
        }
        for (uint256 width = row.length / 2; width > 0; width /= 2) {
            for (uint256 i = 0; i < width; ++i) {
                row[i] = sha256(bytes.concat(row[2 * i], row[2 * i + 1]));
            }
        }
        return row[0];
    }

    function _slice(bytes memory data, uint256 offset) private pure returns (bytes memory part) {
        uint256 left = data.length - offset;
        part = new bytes(left < BLOCK ? left : BLOCK);
        for (uint256 i = 0; i < part.length; ++i) {
            part[i] = data[offset + i];
        }
    }
}
