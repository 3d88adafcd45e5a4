//! The float unit: `contracts/src/court/Floats.sol` and `FloatVerifier.sol`, transcribed function by function
//! (docs/step-machine.md section 4.7).
//!
//! A finite value is `(-1)^sign · significand · 2^exponent` with a whole significand, so that every operation is exact
//! until `round` rounds it once. A format is given by the bits of its fraction: 23 or 52. No native float is
//! touched, so the answer is the same on every machine.

use gio_protocol::U256;

const F32: u32 = 23;
const F64: u32 = 52;

/// Bits an operand is moved up so that what is lost below cannot change how the result rounds.
const GUARD: u32 = 128;

/// A float taken apart.
#[derive(Clone, Copy, Debug)]
struct Float {
    sign: u64,
    significand: u64,
    exponent: i32,
    is_nan: bool,
    is_infinite: bool,
}

/// Result of one float instruction and whether it traps instead; nothing if the number is no instruction of the
/// float unit.
#[must_use]
pub fn compute(op: u64, x: u64, y: u64) -> Option<(u64, bool)> {
    let result = match op {
        0x5b..0x61 => compare(op - 0x5b, x, y, F32),
        0x61..0x67 => compare(op - 0x61, x, y, F64),
        0x8d..0x98 => arithmetic(op - 0x8d, x, y, F32),
        0x9b..0xa6 => arithmetic(op - 0x9b, x, y, F64),
        0xa8..0xac => return Some(truncate(op - 0xa8, x, 32)),
        0xae..0xb2 => return Some(truncate(op - 0xae, x, 64)),
        0xb2..0xb6 => convert_integer(op - 0xb2, x, F32),
        0xb6 => convert(x, F64, F32),
        0xb7..0xbb => convert_integer(op - 0xb7, x, F64),
        0xbb => convert(x, F32, F64),
        0xc8..0xd0 => truncate(op & 3, x, if op < 0xcc { 32 } else { 64 }).0,
        _ => return None,
    };
    Some((result, false))
}

/// From f32 signed, f32 unsigned, f64 signed, f64 unsigned.
fn truncate(kind: u64, x: u64, width: u32) -> (u64, bool) {
    to_integer(x, if kind < 2 { F32 } else { F64 }, width, kind & 1 == 0)
}

/// Of i32 signed, i32 unsigned, i64 signed, i64 unsigned.
fn convert_integer(kind: u64, x: u64, format: u32) -> u64 {
    from_integer(x, if kind < 2 { 32 } else { 64 }, kind & 1 == 0, format)
}

/// Exponent of the last bit of a subnormal.
fn least_exponent(format: u32) -> i32 {
    if format == F32 { -149 } else { -1074 }
}

fn infinity(format: u32) -> u64 {
    if format == F32 {
        0x7f80_0000
    } else {
        0x7ff0_0000_0000_0000
    }
}

fn nan(format: u32) -> u64 {
    if format == F32 {
        0x7fc0_0000
    } else {
        0x7ff8_0000_0000_0000
    }
}

fn sign_bit(format: u32) -> u32 {
    if format == F32 { 31 } else { 63 }
}

/// The bits of the operand in a slot.
fn bits_of(slot: u64, format: u32) -> u64 {
    if format == F32 {
        slot & 0xffff_ffff
    } else {
        slot
    }
}

fn magnitude_of(slot: u64, format: u32) -> u64 {
    bits_of(slot, format) & ((1 << sign_bit(format)) - 1)
}

fn open(slot: u64, format: u32) -> Float {
    let magnitude = magnitude_of(slot, format);
    let biased = magnitude >> format;
    let fraction = magnitude & ((1 << format) - 1);
    let above = i32::try_from(biased).expect("at most 2047") - 1;
    let hidden = u64::from(biased != 0) << format;
    Float {
        sign: bits_of(slot, format) >> sign_bit(format),
        significand: fraction | hidden,
        exponent: least_exponent(format) + above.max(0),
        is_nan: magnitude > infinity(format),
        is_infinite: magnitude == infinity(format),
    }
}

/// The nearest float to `significand · 2^exponent`; a lowest bit of 1 may stand for anything below it, if the
/// significand has at least two bits more than the format.
fn round(sign: u64, mut significand: U256, exponent: i32, format: u32) -> u64 {
    let bits = sign << sign_bit(format);
    if significand == U256::ZERO {
        return bits;
    }
    let least = least_exponent(format);
    let highest = i32::try_from(significand.bit_len()).expect("at most 256") - 1;
    let last = (exponent + highest - format.cast_signed()).max(least);
    if last <= exponent {
        significand <<= usize::try_from(exponent - last).expect("not negative");
    } else {
        significand = shift_rounding(significand, (last - exponent).unsigned_abs());
    }
    // A normal's hidden bit counts one into the exponent, which begins one lower; a carry out of the fraction does
    // the same.
    let above = u64::from((last - least).unsigned_abs());
    let magnitude = (U256::from(above) << format as usize) + significand;
    let magnitude = magnitude.min(U256::from(infinity(format)));
    bits | magnitude.to::<u64>()
}

/// `value / 2^shift`, to nearest, ties to even.
fn shift_rounding(value: U256, shift: u32) -> U256 {
    if shift > 255 {
        return U256::ZERO;
    }
    let rounded = value >> shift as usize;
    let lost = value - (rounded << shift as usize);
    let half = U256::from(1) << (shift - 1) as usize;
    let odd = rounded.bit(0);
    rounded + U256::from(lost > half || (lost == half && odd))
}

/// eq ne lt gt le ge
fn compare(kind: u64, x: u64, y: u64, format: u32) -> u64 {
    if open(x, format).is_nan || open(y, format).is_nan {
        return u64::from(kind == 1);
    }
    let (a, b) = (order(x, format), order(y, format));
    u64::from(match kind {
        0 => a == b,
        1 => a != b,
        2 => a < b,
        3 => a > b,
        4 => a <= b,
        _ => a >= b,
    })
}

/// A whole number that orders all floats but NaNs; both zeros are 0.
fn order(x: u64, format: u32) -> i64 {
    let magnitude = magnitude_of(x, format).cast_signed();
    if bits_of(x, format) >> sign_bit(format) == 0 {
        magnitude
    } else {
        -magnitude
    }
}

/// ceil floor trunc nearest sqrt add sub mul div min max
fn arithmetic(kind: u64, x: u64, y: u64, format: u32) -> u64 {
    let f = open(x, format);
    if f.is_nan {
        return nan(format);
    }
    if kind < 4 {
        return whole(kind, f, bits_of(x, format), format);
    }
    if kind == 4 {
        return square_root(f, bits_of(x, format), format);
    }
    let mut g = open(y, format);
    if g.is_nan {
        return nan(format);
    }
    if kind == 6 {
        g.sign ^= 1;
    }
    match kind {
        5 | 6 => add(f, g, format),
        7 => multiply(f, g, format),
        8 => divide(f, g, format),
        _ => extreme(kind == 9, bits_of(x, format), bits_of(y, format), format),
    }
}

fn signed_infinity(sign: u64, format: u32) -> u64 {
    infinity(format) | sign << sign_bit(format)
}

fn raised(significand: u64) -> U256 {
    U256::from(significand) << GUARD as usize
}

fn add(mut f: Float, mut g: Float, format: u32) -> u64 {
    if f.is_infinite || g.is_infinite {
        if f.is_infinite && g.is_infinite && f.sign != g.sign {
            return nan(format);
        }
        return signed_infinity(if f.is_infinite { f.sign } else { g.sign }, format);
    }
    if f.exponent < g.exponent {
        (f, g) = (g, f);
    }
    let apart = f.exponent.abs_diff(g.exponent);
    let mut a = raised(f.significand);
    let mut b = raised(g.significand);
    // Further apart, `f` is normal and `g` less than a quarter of its last bit: any such value rounds alike.
    if apart > GUARD {
        b = U256::from(b != U256::ZERO);
    } else {
        b >>= apart as usize;
    }
    let mut sign = f.sign;
    if f.sign == g.sign {
        a += b;
    } else if a > b {
        a -= b;
    } else {
        // Values that cancel make +0.
        sign = if a == b { 0 } else { g.sign };
        a = b - a;
    }
    round(sign, a, f.exponent - GUARD.cast_signed(), format)
}

fn multiply(f: Float, g: Float, format: u32) -> u64 {
    let sign = f.sign ^ g.sign;
    if f.is_infinite || g.is_infinite {
        if f.significand == 0 || g.significand == 0 {
            // An infinity's significand is not zero: it has the hidden bit.
            return nan(format);
        }
        return signed_infinity(sign, format);
    }
    let product = U256::from(f.significand) * U256::from(g.significand);
    round(sign, product, f.exponent + g.exponent, format)
}

fn divide(f: Float, g: Float, format: u32) -> u64 {
    let sign = f.sign ^ g.sign;
    if f.is_infinite {
        return if g.is_infinite {
            nan(format)
        } else {
            signed_infinity(sign, format)
        };
    }
    if g.is_infinite {
        return sign << sign_bit(format);
    }
    if g.significand == 0 {
        return if f.significand == 0 {
            nan(format)
        } else {
            signed_infinity(sign, format)
        };
    }
    let dividend = raised(f.significand);
    let divisor = U256::from(g.significand);
    let mut quotient = dividend / divisor;
    if quotient * divisor != dividend {
        quotient |= U256::from(1);
    }
    round(
        sign,
        quotient,
        f.exponent - g.exponent - GUARD.cast_signed(),
        format,
    )
}

fn square_root(f: Float, bits: u64, format: u32) -> u64 {
    if f.significand == 0 {
        return bits; // both zeros are their own roots
    }
    if f.sign == 1 {
        return nan(format);
    }
    if f.is_infinite {
        return bits;
    }
    // The exponent is made even, so that half of it is whole.
    let up = GUARD + u32::from(f.exponent & 1 != 0);
    let square = U256::from(f.significand) << up as usize;
    let mut root = integer_root(square);
    if root * root != square {
        root |= U256::from(1);
    }
    round(0, root, (f.exponent - up.cast_signed()) / 2, format)
}

/// The greatest whole number whose square is at most `square`, by Newton's method from above.
fn integer_root(square: U256) -> U256 {
    let mut root = U256::from(1) << square.bit_len().div_ceil(2);
    loop {
        let next = (root + square / root) >> 1;
        if next >= root {
            return root;
        }
        root = next;
    }
}

/// min, or max
fn extreme(least: bool, x: u64, y: u64, format: u32) -> u64 {
    let (a, b) = (order(x, format), order(y, format));
    // Equal values differ at most in the sign of zero.
    if a == b {
        return if least { x | y } else { x & y };
    }
    if (a < b) == least { x } else { y }
}

/// ceil floor trunc nearest
fn whole(kind: u64, f: Float, bits: u64, format: u32) -> u64 {
    if f.is_infinite || f.exponent >= 0 {
        return bits;
    }
    let shift = f.exponent.unsigned_abs();
    let significand = U256::from(f.significand);
    let n = if kind == 3 {
        shift_rounding(significand, shift)
    } else {
        let n = significand >> shift as usize;
        // ceil is 0 and goes up, floor is 1
        let up = n << shift as usize != significand && kind == f.sign;
        n + U256::from(up)
    };
    round(f.sign, n, 0, format)
}

/// A whole number of `width` bits, towards zero; fails if there is none, and answers the nearest then.
fn to_integer(x: u64, format: u32, width: u32, is_signed: bool) -> (u64, bool) {
    let f = open(x, format);
    if f.is_nan {
        return (0, true);
    }
    // More than 64 bits up is out of range, whatever the significand; it is not zero there.
    let exponent = f.exponent.min(64);
    let significand = u128::from(f.significand);
    let mut n = if exponent < 0 {
        significand
            .checked_shr(exponent.unsigned_abs())
            .unwrap_or(0)
    } else {
        significand << exponent
    };
    if f.is_infinite {
        n = 1 << 64;
    }
    let mut greatest: u128 = (1 << if is_signed { width - 1 } else { width }) - 1;
    if f.sign == 1 {
        greatest = if is_signed { greatest + 1 } else { 0 };
    }
    let fails = n > greatest;
    let n = u64::try_from(n.min(greatest)).expect("at most 2^64 - 1");
    let result = if f.sign == 1 { n.wrapping_neg() } else { n };
    (result & (u64::MAX >> (64 - width)), fails)
}

/// The nearest float to a whole number of `width` bits.
fn from_integer(x: u64, width: u32, is_signed: bool, format: u32) -> u64 {
    let modulus = 1u128 << width;
    let x = u128::from(x) & (modulus - 1);
    let sign = if is_signed { x >> (width - 1) } else { 0 };
    let magnitude = if sign == 1 { modulus - x } else { x };
    round(u64::from(sign == 1), U256::from(magnitude), 0, format)
}

/// demote, promote
fn convert(x: u64, from: u32, to: u32) -> u64 {
    let f = open(x, from);
    if f.is_nan {
        return nan(to);
    }
    if f.is_infinite {
        return signed_infinity(f.sign, to);
    }
    round(f.sign, U256::from(f.significand), f.exponent, to)
}
