//! `Alu.sol`: integer arithmetic of WebAssembly, and the float instructions that only touch a sign bit.
//!
//! Nothing here relies on the high half of a 32-bit operand being zero.

/// The instruction's result, or that it traps. `op` is one of those classified as Stack from 0x45 on.
#[must_use]
pub fn run(op: u64, x: u64, y: u64) -> (u64, bool) {
    match op {
        0x45..0x50 => (compare(op - 0x45, x, y, 32), false),
        0x50..0x5b => (compare(op - 0x50, x, y, 64), false),
        0x67..0x79 => arithmetic(op - 0x67, x, y, 32),
        0x79..0x8b => arithmetic(op - 0x79, x, y, 64),
        0x8b..0xa7 => (sign(op, x, y), false),
        _ => (convert(op, x), false),
    }
}

/// eqz eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u
fn compare(kind: u64, x: u64, y: u64, bits: u64) -> u64 {
    let (x, y) = (narrow(x, bits), narrow(y, bits));
    let (a, b) = (signed(x, bits), signed(y, bits));
    u64::from(match kind {
        0 => x == 0,
        1 => x == y,
        2 => x != y,
        3 => a < b,
        4 => x < y,
        5 => a > b,
        6 => x > y,
        7 => a <= b,
        8 => x <= y,
        9 => a >= b,
        _ => x >= y,
    })
}

/// clz ctz popcnt add sub mul `div_s` `div_u` `rem_s` `rem_u` and or xor shl `shr_s` `shr_u` rotl rotr
fn arithmetic(kind: u64, x: u64, y: u64, bits: u64) -> (u64, bool) {
    let (x, y) = (narrow(x, bits), narrow(y, bits));
    if kind > 5 && kind < 10 {
        return divide(kind, x, y, bits);
    }
    (narrow(simple(kind, x, y, bits), bits), false)
}

fn simple(kind: u64, x: u64, y: u64, bits: u64) -> u64 {
    let by = y & (bits - 1);
    match kind {
        0 => u64::from(x.leading_zeros()) - (64 - bits),
        1 => u64::from(x.trailing_zeros()).min(bits),
        2 => u64::from(x.count_ones()),
        3 => x.wrapping_add(y),
        4 => x.wrapping_sub(y),
        5 => x.wrapping_mul(y),
        10 => x & y,
        11 => x | y,
        12 => x ^ y,
        13 => x << by,
        14 => (signed(x, bits) >> by).cast_unsigned(),
        15 => x >> by,
        16 if by == 0 => x,
        16 => x << by | x >> (bits - by),
        17 if by == 0 => x,
        _ => x >> by | x << (bits - by),
    }
}

/// `div_s` `div_u` `rem_s` `rem_u`, kinds 6 to 9
fn divide(kind: u64, x: u64, y: u64, bits: u64) -> (u64, bool) {
    if y == 0 {
        return (0, true);
    }
    let (n, d) = (signed(x, bits), signed(y, bits));
    let result = match kind {
        7 => x / y,
        9 => x % y,
        6 if d == -1 && x == 1 << (bits - 1) => return (0, true),
        6 => n.wrapping_div(d).cast_unsigned(),
        _ => n.wrapping_rem(d).cast_unsigned(),
    };
    (narrow(result, bits), false)
}

/// abs neg copysign of both widths
fn sign(op: u64, x: u64, y: u64) -> u64 {
    let bits = if op < 0x99 { 32 } else { 64 };
    let mask = 1 << (bits - 1);
    let (x, y) = (narrow(x, bits), narrow(y, bits));
    match op {
        0x8b | 0x99 => x & !mask,
        0x8c | 0x9a => x ^ mask,
        _ => (x & !mask) | (y & mask),
    }
}

/// wrap, extend, reinterpret
fn convert(op: u64, x: u64) -> u64 {
    match op {
        0xbd | 0xbf => x,
        0xa7 | 0xad | 0xbc | 0xbe => narrow(x, 32),
        0xc0 => extend(x, 8, 32),
        0xc1 => extend(x, 16, 32),
        0xc2 => extend(x, 8, 64),
        0xc3 => extend(x, 16, 64),
        // i64.extend_i32_s, i64.extend32_s
        _ => extend(x, 32, 64),
    }
}

/// The low `from` bits as a signed number of `to` bits.
pub(super) fn extend(x: u64, from: u64, to: u64) -> u64 {
    narrow(signed(x, from).cast_unsigned(), to)
}

fn signed(x: u64, bits: u64) -> i64 {
    (x << (64 - bits)).cast_signed() >> (64 - bits)
}

fn narrow(x: u64, bits: u64) -> u64 {
    x & (u64::MAX >> (64 - bits))
}
