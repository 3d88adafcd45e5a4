// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Alu
/// @notice Integer arithmetic of WebAssembly, and the float instructions that only touch a sign bit
/// (docs/step-machine.md sections 4.6 and 4.7).
/// @dev Nothing here relies on the high half of a 32-bit operand being zero. `unchecked` throughout: results are masked
/// to their width, and intermediate values have at most 128 bits.
library Alu {
    uint256 private constant I32 = 32;
    uint256 private constant I64 = 64;

    /// @dev The instruction's result, or that it traps. `op` is one of those classified as Stack from 0x45 on.
    function run(uint256 op, uint256 x, uint256 y) internal pure returns (uint256 result, bool trap) {
        unchecked {
            if (op < 0x50) return (compare(op - 0x45, x, y, I32), false);
            if (op < 0x5b) return (compare(op - 0x50, x, y, I64), false);
            if (op < 0x79) return arithmetic(op - 0x67, x, y, I32);
            if (op < 0x8b) return arithmetic(op - 0x79, x, y, I64);
            if (op < 0xa7) return (sign(op, x, y), false);
            return (convert(op, x), false);
        }
    }

    /// @dev eqz eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u
    function compare(uint256 kind, uint256 x, uint256 y, uint256 bits) internal pure returns (uint256) {
        (x, y) = (narrow(x, bits), narrow(y, bits));
        if (kind == 0) return bit(x == 0);
        if (kind == 1) return bit(x == y);
        if (kind == 2) return bit(x != y);
        if (kind == 3) return bit(signed(x, bits) < signed(y, bits));
        if (kind == 4) return bit(x < y);
        if (kind == 5) return bit(signed(x, bits) > signed(y, bits));
        if (kind == 6) return bit(x > y);
        if (kind == 7) return bit(signed(x, bits) <= signed(y, bits));
        if (kind == 8) return bit(x <= y);
        if (kind == 9) return bit(signed(x, bits) >= signed(y, bits));
        return bit(x >= y);
    }

    /// @dev clz ctz popcnt add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr
    function arithmetic(uint256 kind, uint256 x, uint256 y, uint256 bits) internal pure returns (uint256, bool) {
        (x, y) = (narrow(x, bits), narrow(y, bits));
        if (kind > 5 && kind < 10) return divide(kind, x, y, bits);
        return (narrow(simple(kind, x, y, bits), bits), false);
    }

    function simple(uint256 kind, uint256 x, uint256 y, uint256 bits) private pure returns (uint256) {
        unchecked {
            if (kind < 3) return count(kind, x, bits);
            if (kind == 3) return x + y;
            if (kind == 4) return x - y;
            if (kind == 5) return x * y;
            if (kind == 10) return x & y;
            if (kind == 11) return x | y;
            if (kind == 12) return x ^ y;
            y &= bits - 1;
            if (kind == 13) return x << y;
            // An arithmetic shift of a negative number is the same in 256 bits as in its own width.
            // forge-lint: disable-next-line(unsafe-typecast)
            if (kind == 14) return uint256(signed(x, bits) >> y);
            if (kind == 15) return x >> y;
            if (kind == 16) return (x << y) | (x >> (bits - y));
            return (x >> y) | (x << (bits - y));
        }
    }

    /// @dev clz ctz popcnt
    function count(uint256 kind, uint256 x, uint256 bits) private pure returns (uint256) {
        unchecked {
            if (kind == 2) return ones(x);
            if (x == 0) return bits;
            return kind == 0 ? bits - 1 - Math.log2(x) : Math.log2(x & (0 - x));
        }
    }

    /// @dev Ones in 64 bits: counted in pairs, fours and bytes, and the bytes added up in the highest.
    function ones(uint256 x) private pure returns (uint256) {
        unchecked {
            x -= (x >> 1) & 0x5555555555555555;
            x = (x & 0x3333333333333333) + ((x >> 2) & 0x3333333333333333);
            x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f;
            return ((x * 0x0101010101010101) >> 56) & 0xff;
        }
    }

    /// @dev div_s div_u rem_s rem_u, kinds 6 to 9
    function divide(uint256 kind, uint256 x, uint256 y, uint256 bits) private pure returns (uint256, bool) {
        unchecked {
            if (y == 0) return (0, true);
            if (kind == 7) return (x / y, false);
            if (kind == 9) return (x % y, false);
            (int256 n, int256 d) = (signed(x, bits), signed(y, bits));
            // In 256 bits the quotient of the least value and -1 exists; in its own width it does not.
            if (kind == 6 && d == -1 && x == 1 << (bits - 1)) return (0, true);
            // forge-lint: disable-next-line(unsafe-typecast)
            return (narrow(uint256(kind == 6 ? n / d : n % d), bits), false); // masked to its width
        }
    }

    /// @dev abs neg copysign of both widths
    function sign(uint256 op, uint256 x, uint256 y) internal pure returns (uint256) {
        uint256 bits = op < 0x99 ? I32 : I64;
        uint256 mask = 1 << (bits - 1);
        (x, y) = (narrow(x, bits), narrow(y, bits));
        if (op == 0x8b || op == 0x99) return x & ~mask;
        if (op == 0x8c || op == 0x9a) return x ^ mask;
        return (x & ~mask) | (y & mask);
    }

    /// @dev wrap, extend, reinterpret
    function convert(uint256 op, uint256 x) internal pure returns (uint256) {
        if (op == 0xbd || op == 0xbf) return x;
        if (op == 0xa7 || op == 0xad || op == 0xbc || op == 0xbe) return narrow(x, I32);
        if (op == 0xc0) return extend(x, 8, I32);
        if (op == 0xc1) return extend(x, 16, I32);
        if (op == 0xc2) return extend(x, 8, I64);
        if (op == 0xc3) return extend(x, 16, I64);
        return extend(x, 32, I64); // i64.extend_i32_s, i64.extend32_s
    }

    /// @dev The low `from` bits as a signed number of `to` bits.
    function extend(uint256 x, uint256 from, uint256 to) internal pure returns (uint256) {
        // forge-lint: disable-next-line(unsafe-typecast)
        return narrow(uint256(signed(narrow(x, from), from)), to); // masked to its width
    }

    function signed(uint256 x, uint256 bits) private pure returns (int256 result) {
        assembly ("memory-safe") {
            result := signextend(sub(shr(3, bits), 1), x)
        }
    }

    function narrow(uint256 x, uint256 bits) private pure returns (uint256) {
        return x & ((1 << bits) - 1);
    }

    function bit(bool condition) private pure returns (uint256 result) {
        assembly ("memory-safe") {
            result := condition
        }
    }
}
