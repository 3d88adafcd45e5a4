// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Trees
/// @notice What the job tree and the result tree share: full binary trees over a committed number of positions.
library Trees {
    /// @notice Levels above the leaves: the least `d` with 2^d >= count. `count` must not be zero.
    function depthOf(uint32 count) internal pure returns (uint256) {
        return Math.log2(count, Math.Rounding.Ceil);
    }
}
