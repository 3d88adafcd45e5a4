//! The float unit against others: the mirror on 50,000 operands and more of every instruction, the contract on 2,000
//! and more, both on all pairs of special ones besides.
//!
//! Three others know most instructions; two know square roots, minima and maxima (`others`).

use gio_machine::float;
use gio_machine::isa::{Class, Op};

use crate::evm::Court;
use crate::oracles::{self, Compiled, NAN_32, NAN_64};
use crate::rng::Rng;
use crate::values::{self, float_operations, operand, special_pairs};

/// Random operands of every instruction, besides all pairs of the special ones.
const MIRROR_CASES: u32 = 50_000;
const CONTRACT_CASES: u32 = 2_000;

/// How many oracles know an instruction: APFloat has no square root; SoftFloat and Rust have no minimum and maximum as
/// WebAssembly defines them, so wasmtime gives the second opinion there.
fn others(op: Op) -> usize {
    match op {
        Op::F32Sqrt | Op::F64Sqrt | Op::F32Min | Op::F32Max | Op::F64Min | Op::F64Max => 2,
        _ => 3,
    }
}

/// What all oracles that know the operation answer.
fn expected(compiled: &mut Compiled, op: Op, x: u64, y: u64) -> (u64, bool) {
    let answers = [
        ("SoftFloat", oracles::soft(op, x, y)),
        ("APFloat", oracles::apfloat(op, x, y)),
        ("this machine", oracles::native(op, x, y)),
        ("wasmtime", compiled.extreme(op, x, y)),
    ];
    let mut known = answers
        .into_iter()
        .filter_map(|(whose, answer)| answer.map(|answer| (whose, answer)));
    let (first, expected) = known.next().unwrap();
    let mut count = 1;
    for (whose, answer) in known {
        let name = op.name();
        assert_eq!(
            expected, answer,
            "{first} and {whose}: {name} {x:#x} {y:#x}"
        );
        count += 1;
    }
    assert_eq!(count, others(op), "oracles of {}", op.name());
    expected
}

#[test]
fn the_mirror_rounds_as_other_float_units_do() {
    let mut compiled = Compiled::new();
    let mut rng = Rng::new(0xf10a7);
    let (mut cases, mut least) = (0u32, u32::MAX);
    for op in float_operations() {
        let random = (0..values::scaled(MIRROR_CASES))
            .map(|_| (operand(op, &mut rng), operand(op, &mut rng)));
        let mut of_this = 0;
        for (x, y) in special_pairs(op).into_iter().chain(random) {
            let found = float::compute(u64::from(op.code()), x, y);
            let expected = expected(&mut compiled, op, x, y);
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
fn the_contract_rounds_as_other_float_units_do() {
    let mut court = Court::new();
    let mut compiled = Compiled::new();
    let mut rng = Rng::new(0xc0a7);
    let (mut cases, mut least) = (0u32, u32::MAX);
    for op in float_operations() {
        let random = (0..values::scaled(CONTRACT_CASES))
            .map(|_| (operand(op, &mut rng), operand(op, &mut rng)));
        let mut of_this = 0;
        for (x, y) in special_pairs(op).into_iter().chain(random) {
            let (result, trap) = court.float(u64::from(op.code()), x, y).unwrap();
            let found = if trap { (0, true) } else { (result, false) };
            assert_eq!(
                found,
                expected(&mut compiled, op, x, y),
                "{} {x:#x} {y:#x}",
                op.name()
            );
            of_this += 1;
        }
        least = least.min(of_this);
        cases += of_this;
    }
    println!("{cases} cases, at least {least} of each instruction");
}

/// Minimum and maximum against the definition.
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
