// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Floats
/// @notice IEEE 754 binary32 and binary64 in 256-bit integers: round to nearest, ties to even, canonical NaNs
/// (docs/step-machine.md section 4.7).
/// @dev A finite value is `(-1)^sign · significand · 2^exponent` with a whole significand, so that every operation is
/// exact until {round} rounds it once. `unchecked` throughout: significands have at most 53 bits when taken from a float
/// and at most 182 inside an operation, exponents are between -4,000 and 4,000.
/// A format is given by the bits of its fraction: 23 or 52.
library Floats {
    uint256 internal constant F32 = 23;
    uint256 internal constant F64 = 52;

    /// @dev Bits an operand is moved up so that what is lost below cannot change how the result rounds.
    uint256 private constant GUARD = 128;

    /// @notice A float taken apart.
    struct Float {
        uint256 sign;
        uint256 significand;
        int256 exponent;
        bool isNan;
        bool isInfinite;
    }

    /* FORMATS */

    /// @dev Exponent of the last bit of a subnormal: of 2^-149, 2^-1074.
    function leastExponent(uint256 format) internal pure returns (int256) {
        return format == F32 ? -149 : int256(-1074);
    }

    /// @dev Bits of infinity, and the mask of everything but the sign of it.
    function infinity(uint256 format) internal pure returns (uint256) {
        return format == F32 ? 0x7f800000 : 0x7ff0000000000000;
    }

    function nan(uint256 format) internal pure returns (uint256) {
        return format == F32 ? 0x7fc00000 : 0x7ff8000000000000;
    }

    function signBit(uint256 format) internal pure returns (uint256) {
        return format == F32 ? 31 : 63;
    }

    /// @dev The bits of the operand in a slot.
    function bitsOf(uint256 slot, uint256 format) internal pure returns (uint256) {
        return slot & (format == F32 ? 0xffffffff : 0xffffffffffffffff);
    }

    function open(uint256 slot, uint256 format) internal pure returns (Float memory f) {
        unchecked {
            uint256 bits = bitsOf(slot, format);
            f.sign = bits >> signBit(format);
            uint256 magnitude = bits & ((1 << signBit(format)) - 1);
            f.isNan = magnitude > infinity(format);
            f.isInfinite = magnitude == infinity(format);
            uint256 biased = magnitude >> format;
            f.significand = magnitude & ((1 << format) - 1);
            f.exponent = leastExponent(format);
            if (biased != 0) {
                f.significand |= 1 << format;
                // forge-lint: disable-next-line(unsafe-typecast)
                f.exponent += int256(biased) - 1; // at most 2047
            }
        }
    }

    /// @dev The nearest float to `significand · 2^exponent`; a lowest bit of 1 may stand for anything below it, if the
    /// significand has at least two bits more than the format.
    function round(uint256 sign, uint256 significand, int256 exponent, uint256 format) internal pure returns (uint256) {
        unchecked {
            uint256 bits = sign << signBit(format);
            if (significand == 0) return bits;
            int256 least = leastExponent(format);
            // forge-lint: disable-next-line(unsafe-typecast)
            int256 last = exponent + int256(Math.log2(significand)) - int256(format); // both at most 255
            if (last < least) last = least;
            // forge-lint: disable-next-line(unsafe-typecast)
            if (last <= exponent) significand <<= uint256(exponent - last);
            // forge-lint: disable-next-line(unsafe-typecast)
            else significand = shiftRounding(significand, uint256(last - exponent));
            // A normal's hidden bit counts one into the exponent, which begins one lower; a carry out of the fraction
            // does the same.
            // forge-lint: disable-next-line(unsafe-typecast)
            uint256 magnitude = (uint256(last - least) << format) + significand;
            if (magnitude > infinity(format)) magnitude = infinity(format);
            return bits | magnitude;
        }
    }

    /// @dev `value / 2^shift`, to nearest, ties to even. A shift of 256 or more leaves nothing of any significand.
    function shiftRounding(uint256 value, uint256 shift) private pure returns (uint256 rounded) {
        unchecked {
            if (shift > 255) return 0;
            rounded = value >> shift;
            uint256 lost = value - (rounded << shift);
            uint256 half = 1 << (shift - 1);
            if (lost > half || (lost == half && rounded & 1 == 1)) ++rounded;
        }
    }

    /* COMPARISONS */

    /// @dev eq ne lt gt le ge
    function compare(uint256 kind, uint256 x, uint256 y, uint256 format) internal pure returns (uint256) {
        if (isNan(x, format) || isNan(y, format)) return kind == 1 ? 1 : 0;
        (int256 a, int256 b) = (order(x, format), order(y, format));
        bool holds;
        if (kind == 0) holds = a == b;
        else if (kind == 1) holds = a != b;
        else if (kind == 2) holds = a < b;
        else if (kind == 3) holds = a > b;
        else if (kind == 4) holds = a <= b;
        else holds = a >= b;
        return holds ? 1 : 0;
    }

    function isNan(uint256 x, uint256 format) private pure returns (bool) {
        return bitsOf(x, format) & ((1 << signBit(format)) - 1) > infinity(format);
    }

    /// @dev A whole number that orders all floats but NaNs; both zeros are 0.
    function order(uint256 x, uint256 format) private pure returns (int256) {
        unchecked {
            uint256 bits = bitsOf(x, format);
            // forge-lint: disable-next-line(unsafe-typecast)
            int256 magnitude = int256(bits & ((1 << signBit(format)) - 1)); // at most 63 bits
            return bits >> signBit(format) == 0 ? magnitude : -magnitude;
        }
    }

    /* ARITHMETIC */

    /// @dev ceil floor trunc nearest sqrt add sub mul div min max
    function arithmetic(uint256 kind, uint256 x, uint256 y, uint256 format) internal pure returns (uint256) {
        Float memory f = open(x, format);
        if (f.isNan) return nan(format);
        if (kind < 4) return whole(kind, f, bitsOf(x, format), format);
        if (kind == 4) return squareRoot(f, bitsOf(x, format), format);
        Float memory g = open(y, format);
        if (g.isNan) return nan(format);
        if (kind == 6) g.sign ^= 1;
        if (kind < 7) return add(f, g, format);
        if (kind == 7) return multiply(f, g, format);
        if (kind == 8) return divide(f, g, format);
        return extreme(kind == 9, bitsOf(x, format), bitsOf(y, format), format);
    }

    function add(Float memory f, Float memory g, uint256 format) private pure returns (uint256) {
        unchecked {
            if (f.isInfinite || g.isInfinite) {
                if (f.isInfinite && g.isInfinite && f.sign != g.sign) return nan(format);
                return infinity(format) | ((f.isInfinite ? f.sign : g.sign) << signBit(format));
            }
            if (f.exponent < g.exponent) (f, g) = (g, f);
            // forge-lint: disable-next-line(unsafe-typecast)
            uint256 apart = uint256(f.exponent - g.exponent); // not negative
            uint256 a = f.significand << GUARD;
            uint256 b = g.significand << GUARD;
            // Further apart, `f` is normal and `g` less than a quarter of its last bit: any such value rounds alike.
            if (apart > GUARD) b = b == 0 ? 0 : 1;
            else b >>= apart;
            uint256 sign = f.sign;
            if (f.sign == g.sign) {
                a += b;
            } else if (a > b) {
                a -= b;
            } else {
                // Values that cancel make +0.
                sign = a == b ? 0 : g.sign;
                a = b - a;
            }
            // forge-lint: disable-next-line(unsafe-typecast)
            return round(sign, a, f.exponent - int256(GUARD), format);
        }
    }

    function multiply(Float memory f, Float memory g, uint256 format) private pure returns (uint256) {
        unchecked {
            uint256 sign = f.sign ^ g.sign;
            if (f.isInfinite || g.isInfinite) {
                if (f.significand == 0 && !f.isInfinite) return nan(format);
                if (g.significand == 0 && !g.isInfinite) return nan(format);
                return infinity(format) | (sign << signBit(format));
            }
            return round(sign, f.significand * g.significand, f.exponent + g.exponent, format);
        }
    }

    function divide(Float memory f, Float memory g, uint256 format) private pure returns (uint256) {
        unchecked {
            uint256 sign = f.sign ^ g.sign;
            if (f.isInfinite) return g.isInfinite ? nan(format) : infinity(format) | (sign << signBit(format));
            if (g.isInfinite) return sign << signBit(format);
            if (g.significand == 0) {
                return f.significand == 0 ? nan(format) : infinity(format) | (sign << signBit(format));
            }
            uint256 dividend = f.significand << GUARD;
            uint256 quotient = dividend / g.significand;
            if (quotient * g.significand != dividend) quotient |= 1;
            // forge-lint: disable-next-line(unsafe-typecast)
            return round(sign, quotient, f.exponent - g.exponent - int256(GUARD), format);
        }
    }

    function squareRoot(Float memory f, uint256 bits, uint256 format) private pure returns (uint256) {
        unchecked {
            if (f.significand == 0 && !f.isInfinite) return bits; // both zeros are their own roots
            if (f.sign == 1) return nan(format);
            if (f.isInfinite) return bits;
            // The exponent is made even, so that half of it is whole.
            // forge-lint: disable-next-line(unsafe-typecast)
            uint256 up = GUARD + (uint256(f.exponent) & 1); // two's complement keeps the parity
            uint256 square = f.significand << up;
            uint256 root = Math.sqrt(square);
            if (root * root != square) root |= 1;
            // forge-lint: disable-next-line(unsafe-typecast)
            return round(0, root, (f.exponent - int256(up)) / 2, format);
        }
    }

    /// @dev min, or max
    function extreme(bool least, uint256 x, uint256 y, uint256 format) private pure returns (uint256) {
        (int256 a, int256 b) = (order(x, format), order(y, format));
        // Equal values differ at most in the sign of zero.
        if (a == b) return least ? x | y : x & y;
        return (a < b) == least ? x : y;
    }

    /// @dev ceil floor trunc nearest
    function whole(uint256 kind, Float memory f, uint256 bits, uint256 format) private pure returns (uint256) {
        unchecked {
            if (f.isInfinite || f.exponent >= 0) return bits;
            // forge-lint: disable-next-line(unsafe-typecast)
            uint256 shift = uint256(-f.exponent); // at least 1
            uint256 n;
            if (kind == 3) {
                n = shiftRounding(f.significand, shift);
            } else {
                n = f.significand >> shift;
                if (n << shift != f.significand && kind == f.sign) ++n; // ceil is 0 and goes up, floor is 1
            }
            return round(f.sign, n, 0, format);
        }
    }

    /* CONVERSIONS */

    /// @dev A whole number of `width` bits, towards zero; `fails` if there is none, and `result` is then the nearest.
    function toInteger(uint256 x, uint256 format, uint256 width, bool isSigned)
        internal
        pure
        returns (uint256 result, bool fails)
    {
        unchecked {
            Float memory f = open(x, format);
            if (f.isNan) return (0, true);
            // More than 64 bits up is out of range, whatever the significand; it is not zero there.
            int256 exponent = f.exponent > 64 ? int256(64) : f.exponent;
            // forge-lint: disable-next-line(unsafe-typecast)
            uint256 n = exponent < 0 ? f.significand >> uint256(-exponent) : f.significand << uint256(exponent);
            if (f.isInfinite) n = 1 << 64;
            uint256 greatest = (1 << (isSigned ? width - 1 : width)) - 1;
            if (f.sign == 1) greatest = isSigned ? greatest + 1 : 0;
            fails = n > greatest;
            if (fails) n = greatest;
            result = (f.sign == 1 ? 0 - n : n) & ((1 << width) - 1);
        }
    }

    /// @dev The nearest float to a whole number of `width` bits.
    function fromInteger(uint256 x, uint256 width, bool isSigned, uint256 format) internal pure returns (uint256) {
        unchecked {
            uint256 modulus = 1 << width;
            x &= modulus - 1;
            uint256 sign = isSigned ? x >> (width - 1) : 0;
            return round(sign, sign == 1 ? modulus - x : x, 0, format);
        }
    }

    /// @dev demote, promote
    function convert(uint256 x, uint256 from, uint256 to) internal pure returns (uint256) {
        Float memory f = open(x, from);
        if (f.isNan) return nan(to);
        if (f.isInfinite) return infinity(to) | (f.sign << signBit(to));
        return round(f.sign, f.significand, f.exponent, to);
    }
}
