//! The float unit against three others: the mirror on 50,000 operand pairs and more of every instruction, the
//! contract on 2,000 and more.

use gio_machine::float;
use gio_machine::isa::{Class, Op};

use crate::evm::Court;
use crate::oracles::{self, NAN_32, NAN_64};
use crate::rng::Rng;
use crate::values::{self, DOUBLE, Format, SINGLE};

/// Random operands of every instruction, besides all pairs of the special ones.
const MIRROR_CASES: u32 = 50_000;
const CONTRACT_CASES: u32 = 2_000;
/// Pairs of special operands that the contract gets too, one in so many.
const CONTRACT_SHARE: u32 = 4;

fn float_operations() -> impl Iterator<Item = Op> {
    Op::ALL
        .iter()
        .copied()
        .filter(|op| op.class() == Class::Float)
}

fn format_of_operands(op: Op) -> Option<Format> {
    let name = op.name();
    if name.contains("convert_i") {
        return None;
    }
    let source = name.split_once('.').unwrap().1;
    let is_double = source.contains("f64") || name.starts_with("f64") && !source.contains("f32");
    Some(if is_double { DOUBLE } else { SINGLE })
}

fn operand(op: Op, rng: &mut Rng) -> u64 {
    match format_of_operands(op) {
        None => values::whole(rng),
        // The high half of a slot is not part of a 32-bit operand.
        Some(SINGLE) if rng.one_in(2) => values::float(rng, SINGLE) | rng.next() << 32,
        Some(format) => values::float(rng, format),
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

fn special_pairs(op: Op) -> Vec<(u64, u64)> {
    let edges = match format_of_operands(op) {
        None => (0..64)
            .flat_map(|bit| [1u64 << bit, (1 << bit) - 1, !(1 << bit), (1 << bit) + 1])
            .collect(),
        Some(format) => [special(format), values::bounds(format)].concat(),
    };
    if op.pops() == 1 {
        return edges.into_iter().map(|x| (x, 0)).collect();
    }
    let few = special(format_of_operands(op).unwrap());
    few.iter()
        .flat_map(|x| few.iter().map(|y| (*x, *y)))
        .collect()
}

/// Every oracle that knows the operation agrees; at least two do.
fn expected(op: Op, x: u64, y: u64) -> (u64, bool) {
    let answers = [
        oracles::soft(op, x, y),
        oracles::apfloat(op, x, y),
        oracles::native(op, x, y),
    ];
    let mut answers = answers.into_iter().flatten();
    let first = answers.next().unwrap();
    for (nth, answer) in answers.enumerate() {
        assert_eq!(
            first,
            answer,
            "oracles 0 and {} differ: {} {x:#x} {y:#x}",
            nth + 1,
            op.name()
        );
    }
    first
}

#[test]
fn the_mirror_rounds_as_three_other_float_units_do() {
    let mut rng = Rng::new(0xf10a7);
    let (mut cases, mut least) = (0u32, u32::MAX);
    for op in float_operations() {
        let random = (0..values::scaled(MIRROR_CASES))
            .map(|_| (operand(op, &mut rng), operand(op, &mut rng)));
        let mut of_this = 0;
        for (x, y) in special_pairs(op).into_iter().chain(random) {
            let found = float::compute(u64::from(op.code()), x, y);
            let expected = expected(op, x, y);
            let name = op.name();
            let found = found.map(|(result, trap)| if trap { (0, true) } else { (result, false) });
            assert_eq!(found, Some(expected), "{name} {x:#x} {y:#x}");
            of_this += 1;
        }
        least = least.min(of_this);
        cases += of_this;
    }
    println!("{cases} cases, at least {least} of each instruction");
}

#[test]
fn the_contract_rounds_as_three_other_float_units_do() {
    let mut court = Court::new();
    let mut rng = Rng::new(0xc0a7);
    let (mut cases, mut least) = (0u32, u32::MAX);
    for op in float_operations() {
        let random: Vec<_> = (0..values::scaled(CONTRACT_CASES))
            .map(|_| (operand(op, &mut rng), operand(op, &mut rng)))
            .collect();
        let mut share = special_pairs(op);
        share.retain(|_| rng.one_in(CONTRACT_SHARE));
        let mut of_this = 0;
        for (x, y) in share.into_iter().chain(random) {
            let (result, trap) = court.float(u64::from(op.code()), x, y).unwrap();
            let found = if trap { (0, true) } else { (result, false) };
            assert_eq!(found, expected(op, x, y), "{} {x:#x} {y:#x}", op.name());
            of_this += 1;
        }
        least = least.min(of_this);
        cases += of_this;
    }
    println!("{cases} cases, at least {least} of each instruction");
}

/// Minimum and maximum, which only one oracle has, against the definition.
#[test]
fn minimum_and_maximum_of_zeros_and_nans_are_webassemblys() {
    let mut court = Court::new();
    let mut both = |op: Op, x: u64, y: u64| {
        let found = court.float(u64::from(op.code()), x, y).unwrap().0;
        assert_eq!(
            float::compute(u64::from(op.code()), x, y),
            Some((found, false))
        );
        found
    };
    let (minus_32, minus_64) = (0x8000_0000, 0x8000_0000_0000_0000);
    for (x, y) in [(0, minus_32), (minus_32, 0)] {
        assert_eq!(both(Op::F32Min, x, y), minus_32);
        assert_eq!(both(Op::F32Max, x, y), 0);
    }
    for (x, y) in [(0, minus_64), (minus_64, 0)] {
        assert_eq!(both(Op::F64Min, x, y), minus_64);
        assert_eq!(both(Op::F64Max, x, y), 0);
    }
    let signalling = 0xffa0_0001;
    for op in [Op::F32Min, Op::F32Max] {
        assert_eq!(both(op, signalling, 0x3f80_0000), NAN_32);
        assert_eq!(both(op, 0xff80_0000, signalling), NAN_32);
    }
    for op in [Op::F64Min, Op::F64Max] {
        assert_eq!(both(op, 0x7ff0_0000_0000_0001, 0), NAN_64);
    }
}

#[test]
fn numbers_of_other_instructions_are_refused() {
    let mut court = Court::new();
    for code in 0..=0x1ff {
        let known = u16::try_from(code).ok().and_then(Op::from_code);
        let is_float = known.is_some_and(|op| op.class() == Class::Float);
        assert_eq!(court.float(code, 1, 1).is_some(), is_float, "{code:#x}");
        assert_eq!(float::compute(code, 1, 1).is_some(), is_float, "{code:#x}");
    }
}
