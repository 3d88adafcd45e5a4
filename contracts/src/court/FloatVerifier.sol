// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Floats} from "./Floats.sol";
import {IFloatVerifier} from "./IFloatVerifier.sol";

/// @title FloatVerifier
/// @notice See {IFloatVerifier}.
contract FloatVerifier is IFloatVerifier {
    /// @inheritdoc IFloatVerifier
    function compute(uint256 op, uint256 x, uint256 y) external pure returns (uint256 result, bool trap) {
        if (op >= 0x5b && op < 0x61) return (Floats.compare(op - 0x5b, x, y, Floats.F32), false);
        if (op >= 0x61 && op < 0x67) return (Floats.compare(op - 0x61, x, y, Floats.F64), false);
        if (op >= 0x8d && op < 0x98) return (Floats.arithmetic(op - 0x8d, x, y, Floats.F32), false);
        if (op >= 0x9b && op < 0xa6) return (Floats.arithmetic(op - 0x9b, x, y, Floats.F64), false);
        if (op >= 0xa8 && op < 0xac) return _truncate(op - 0xa8, x, 32);
        if (op >= 0xae && op < 0xb2) return _truncate(op - 0xae, x, 64);
        if (op >= 0xb2 && op < 0xb6) return (_convert(op - 0xb2, x, Floats.F32), false);
        if (op == 0xb6) return (Floats.convert(x, Floats.F64, Floats.F32), false);
        if (op >= 0xb7 && op < 0xbb) return (_convert(op - 0xb7, x, Floats.F64), false);
        if (op == 0xbb) return (Floats.convert(x, Floats.F32, Floats.F64), false);
        if (op >= 0xc8 && op < 0xd0) {
            (result,) = _truncate(op & 3, x, op < 0xcc ? 32 : 64);
            return (result, false);
        }
        revert OpcodeUnknown(op);
    }

    /// @dev From f32 signed, f32 unsigned, f64 signed, f64 unsigned.
    function _truncate(uint256 kind, uint256 x, uint256 width) private pure returns (uint256, bool) {
        return Floats.toInteger(x, kind < 2 ? Floats.F32 : Floats.F64, width, kind & 1 == 0);
    }

    /// @dev Of i32 signed, i32 unsigned, i64 signed, i64 unsigned.
    function _convert(uint256 kind, uint256 x, uint256 format) private pure returns (uint256) {
        return Floats.fromInteger(x, kind < 2 ? 32 : 64, kind & 1 == 0, format);
    }
}
