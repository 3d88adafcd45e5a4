// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Leaves
/// @notice Roots from a leaf and its path in calldata, and what a leaf's 32 bytes hold.
/// @dev Every level of a proof is hashed here, which is most of what a step costs; hence the assembly. Calldata is read
/// where the caller says, and callers compare the end of what was read with the proof's length.
library Leaves {
    /// @dev Root over `leaf` at `index` with `depth` siblings at calldata `cursor`. `fits` is false if the index has no place
    /// in a tree of this depth.
    function rootOf(uint256 leaf, uint256 index, uint256 cursor, uint256 depth)
        internal
        pure
        returns (bytes32 root, bool fits)
    {
        assembly ("memory-safe") {
            root := leaf
            for { let end := add(cursor, shl(5, depth)) } lt(cursor, end) { cursor := add(cursor, 32) } {
                let side := shl(5, and(index, 1))
                mstore(side, root)
                mstore(xor(side, 32), calldataload(cursor))
                root := keccak256(0, 64)
                index := shr(1, index)
            }
            fits := iszero(index)
        }
    }

    /// @dev The same for two leaves at the same place: the tree before and after a write.
    function rootsOf(uint256 leaf, uint256 written, uint256 index, uint256 cursor, uint256 depth)
        internal
        pure
        returns (bytes32 root, bytes32 next, bool fits)
    {
        assembly ("memory-safe") {
            root := leaf
            next := written
            for { let end := add(cursor, shl(5, depth)) } lt(cursor, end) { cursor := add(cursor, 32) } {
                let side := shl(5, and(index, 1))
                mstore(side, root)
                mstore(xor(side, 32), calldataload(cursor))
                root := keccak256(0, 64)
                mstore(side, next)
                next := keccak256(0, 64)
                index := shr(1, index)
            }
            fits := iszero(index)
        }
    }

    /// @dev Root of an empty tree.
    function emptyRoot(uint256 depth) internal pure returns (bytes32 root) {
        assembly ("memory-safe") {
            for {} depth { depth := sub(depth, 1) } {
                mstore(0, root)
                mstore(32, root)
                root := keccak256(0, 64)
            }
        }
    }

    /// @dev The word at calldata `cursor`.
    function word(uint256 cursor) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := calldataload(cursor)
        }
    }

    /// @dev Slot, or table element, `index` of a leaf of four.
    function slot(uint256 leaf, uint256 index) internal pure returns (uint256) {
        return (leaf >> (192 - ((index & 3) << 6))) & 0xffffffffffffffff;
    }

    /// @dev The leaf with slot `index` replaced.
    function withSlot(uint256 leaf, uint256 index, uint256 value) internal pure returns (uint256) {
        uint256 shift = 192 - ((index & 3) << 6);
        return (leaf & ~(0xffffffffffffffff << shift)) | (value << shift);
    }

    /// @dev The 8 bytes of a slot in the opposite order: memory is little-endian.
    function swap(uint256 value) internal pure returns (uint256) {
        value = ((value & 0xff00ff00ff00ff00) >> 8) | ((value & 0x00ff00ff00ff00ff) << 8);
        value = ((value & 0xffff0000ffff0000) >> 16) | ((value & 0x0000ffff0000ffff) << 16);
        return (value >> 32) | ((value & 0xffffffff) << 32);
    }

    /// @dev `count` bytes from byte `offset` of a leaf, in front of zeros. At most 32.
    function bytesOf(uint256 leaf, uint256 offset, uint256 count) internal pure returns (uint256) {
        return (leaf << (offset << 3)) & front(count);
    }

    /// @dev The leaf with `count` bytes from byte `offset` replaced by the first ones of `bytes_`.
    function withBytes(uint256 leaf, uint256 offset, uint256 count, uint256 bytes_) internal pure returns (uint256) {
        uint256 mask = front(count) >> (offset << 3);
        return (leaf & ~mask) | ((bytes_ >> (offset << 3)) & mask);
    }

    /// @dev A mask of the first `count` bytes of a word, at most 32.
    function front(uint256 count) internal pure returns (uint256) {
        unchecked {
            // A shift by 256 gives zero, so that 32 bytes are all of the word.
            return ~(type(uint256).max >> (count << 3));
        }
    }
}
