// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Marks
/// @notice Which leaves of a payout were claimed: one bit a leaf, 255 in a word.
/// @dev The lowest bit of a word says nothing about a leaf. It is there so that the first words of a payout can be begun by
/// the hub that posts it: beginning a word costs 17,100 gas more than changing it, and would otherwise be paid by
/// whichever miner claims first.
library Marks {
    /// @notice Leaves in a word.
    uint256 private constant LEAVES = 255;
    /// @notice Words a posting begins: 1,020 miners, what the gas of a posting has room for. Later words are begun by the
    /// first claim in each.
    uint256 private constant WORDS_BEGUN_MAX = 4;
    uint256 private constant BEGUN = 1;

    /// @notice Begins the words of a payout of `count` leaves.
    function prepare(mapping(uint256 word => uint256) storage marks, uint32 count) internal {
        for (uint256 word = 0; word < WORDS_BEGUN_MAX && word * LEAVES < count; ++word) {
            marks[word] = BEGUN;
        }
    }

    /// @notice Marks a leaf. False if it was marked before.
    function take(mapping(uint256 word => uint256) storage marks, uint32 index) internal returns (bool) {
        (uint256 word, uint256 bit) = _place(index);
        uint256 found = marks[word];
        if (found & bit != 0) return false;
        marks[word] = found | bit;
        return true;
    }

    /// @notice Whether a leaf was marked.
    function isTaken(mapping(uint256 word => uint256) storage marks, uint32 index) internal view returns (bool) {
        (uint256 word, uint256 bit) = _place(index);
        return marks[word] & bit != 0;
    }

    function _place(uint32 index) private pure returns (uint256 word, uint256 bit) {
        return (index / LEAVES, BEGUN << (index % LEAVES + 1));
    }
}
