//! Operands worth trying.

use gio_machine::isa::{Class, Op};

use crate::rng::Rng;

/// So many cases, or as many times more as `GIO_STEP_SCALE` says (`scripts/test-long`).
pub fn scaled(cases: u32) -> u32 {
    let scale = std::env::var("GIO_STEP_SCALE").map_or(1, |text| text.parse().unwrap());
    cases * scale
}

const WHOLE: [u64; 26] = [
    0,
    1,
    2,
    7,
    8,
    31,
    32,
    33,
    63,
    64,
    65,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fffe,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_ffff_fffe,
    0xffff_ffff_ffff_ffff,
];

/// A whole number: an edge, near an edge, or anything.
pub fn whole(rng: &mut Rng) -> u64 {
    match rng.below(4) {
        0 => rng.next(),
        1 => rng.next() >> rng.below(64),
        2 => rng
            .pick(&WHOLE)
            .wrapping_add(u64::from(rng.below(5)))
            .wrapping_sub(2),
        _ => rng.pick(&WHOLE),
    }
}

/// Exponent and fraction bits of a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    pub fraction: u32,
    pub exponent: u32,
}

pub const SINGLE: Format = Format {
    fraction: 23,
    exponent: 8,
};
pub const DOUBLE: Format = Format {
    fraction: 52,
    exponent: 11,
};

/// Bits of a float as testers choose them: every kind of exponent with every kind of fraction.
pub fn float(rng: &mut Rng, format: Format) -> u64 {
    let Format { fraction, exponent } = format;
    let greatest = (1u64 << exponent) - 1;
    let bias = greatest >> 1;
    let near = |rng: &mut Rng, middle: u64, span: u32| {
        (middle + u64::from(rng.below(2 * span + 1)))
            .saturating_sub(u64::from(span))
            .min(greatest)
    };
    let biased = match rng.below(10) {
        0 => 0,
        1 => greatest,
        2 => 1 + u64::from(rng.below(3)),
        3 => greatest - 1 - u64::from(rng.below(3)),
        4 => near(rng, bias, 3),
        5 => near(rng, bias + u64::from(fraction), 3),
        6 => near(rng, bias + 31, 34),
        7 => near(rng, bias + 63, 4),
        _ => rng.next() & greatest,
    };
    let mask = (1u64 << fraction) - 1;
    let shape = match rng.below(8) {
        0 => 0,
        1 => mask,
        2 => 1 << rng.below(fraction),
        3 => mask << rng.below(fraction),
        4 => mask >> rng.below(fraction),
        5 => (1 << (fraction - 1)) + u64::from(rng.below(3)) - 1,
        _ => rng.next(),
    };
    let sign = rng.next() & 1;
    sign << (fraction + exponent) | biased << fraction | shape & mask
}

/// Both edges of every integer type as floats, and their neighbours.
pub fn bounds(format: Format) -> Vec<u64> {
    let powers = [7, 15, 23, 24, 31, 32, 52, 53, 63, 64];
    let bias = (1u64 << (format.exponent - 1)) - 1;
    let sign = 1 << (format.fraction + format.exponent);
    let mut all = Vec::new();
    for power in powers {
        let exact = (bias + power) << format.fraction;
        for bits in [exact - 2, exact - 1, exact, exact + 1, exact + 2] {
            all.extend([bits, bits | sign]);
        }
    }
    all
}

/// The instructions that the float unit computes.
pub fn float_operations() -> impl Iterator<Item = Op> {
    Op::ALL
        .iter()
        .copied()
        .filter(|op| op.class() == Class::Float)
}

/// What the operands of a float instruction are; nothing if they are whole numbers.
pub fn format_of_operands(op: Op) -> Option<Format> {
    let name = op.name();
    if name.contains("convert_i") {
        return None;
    }
    let source = name.split_once('.').unwrap().1;
    let is_double = source.contains("f64") || name.starts_with("f64") && !source.contains("f32");
    Some(if is_double { DOUBLE } else { SINGLE })
}

/// An operand of a float instruction, in the format that it reads.
pub fn operand(op: Op, rng: &mut Rng) -> u64 {
    match format_of_operands(op) {
        None => whole(rng),
        // The high half of a slot is not part of a 32-bit operand.
        Some(SINGLE) if rng.one_in(2) => float(rng, SINGLE) | rng.next() << 32,
        Some(format) => float(rng, format),
    }
}

/// Zeros, subnormals, ones and their neighbours, greatest, infinities, NaNs of every kind; both signs.
fn special(format: Format) -> Vec<u64> {
    let Format { fraction, exponent } = format;
    let infinity = ((1u64 << exponent) - 1) << fraction;
    let one = ((1u64 << (exponent - 1)) - 1) << fraction;
    let normal = 1 << fraction;
    let quiet = 1 << (fraction - 1);
    let half = one - normal;
    let plain = [
        0,
        1,
        2,
        normal - 1,
        normal,
        normal + 1,
        half - 1,
        half,
        half + 1,
        one - 1,
        one,
        one + 1,
        one + normal,
        one + normal + quiet,
        one + quiet,
        infinity - 1,
        infinity,
        infinity + 1,
        infinity + quiet,
        infinity + quiet + 1,
        infinity + normal - 1,
    ];
    let whole = one + (u64::from(fraction) << fraction);
    let all = plain.into_iter().chain([whole - 1, whole, whole + 1]);
    let sign = 1 << (fraction + exponent);
    all.flat_map(|bits| [bits, bits | sign]).collect()
}

/// All pairs of special operands; for one operand these and both edges of every integer type.
pub fn special_pairs(op: Op) -> Vec<(u64, u64)> {
    let edges = match format_of_operands(op) {
        None => (0..64)
            .flat_map(|bit| [1u64 << bit, (1 << bit) - 1, !(1 << bit), (1 << bit) + 1])
            .collect(),
        Some(format) => [special(format), bounds(format)].concat(),
    };
    if op.pops() == 1 {
        return edges.into_iter().map(|x| (x, 0)).collect();
    }
    let few = special(format_of_operands(op).unwrap());
    few.iter()
        .flat_map(|x| few.iter().map(|y| (*x, *y)))
        .collect()
}
