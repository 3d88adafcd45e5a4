// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Pages
/// @notice Reads a growing list a page at a time: no call ever has to return all of what others can grow.
library Pages {
    /// @notice The items from `offset` on, at most `limit`, fewer at the end.
    /// @param items The list.
    /// @param offset How many to skip.
    /// @param limit How many to return at most.
    /// @return page The items.
    function slice(address[] storage items, uint256 offset, uint256 limit)
        internal
        view
        returns (address[] memory page)
    {
        uint256 length = items.length;
        uint256 left = offset < length ? length - offset : 0;
        page = new address[](limit < left ? limit : left);
        for (uint256 i = 0; i < page.length; ++i) {
            page[i] = items[offset + i];
        }
    }
}
