//! Operands worth trying.

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
