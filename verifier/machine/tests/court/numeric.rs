//! Every numeric instruction against wasmtime with Cranelift's canonical NaNs: another compiler's idea of the same
//! operators, and the engine that must agree with the step machine in production.

use std::fmt::Write as _;

use gio_machine::isa::{Class, Op};
use gio_machine::mirror::alu;
use gio_machine::{float, isa};
use wasmtime::{Config, Engine, Instance, Module, Store, Val, ValType};

use crate::rng::Rng;
use crate::values;

const CASES: u32 = 400;

pub fn numeric() -> Vec<Op> {
    let all = isa::Op::ALL.iter().copied();
    all.filter(|op| (0x45..0xd0).contains(&op.code())).collect()
}

/// Operand and result types by the operator's name: `i32.wrap_i64` takes an `i64`.
fn types(op: Op) -> (&'static str, &'static str) {
    let (to, rest) = op.name().split_once('.').unwrap();
    let named = ["i32", "i64", "f32", "f64"]
        .into_iter()
        .find(|ty| rest.contains(ty));
    let first = rest.split('_').next().unwrap();
    let compares = ["eqz", "eq", "ne", "lt", "gt", "le", "ge"].contains(&first);
    (named.unwrap_or(to), if compares { "i32" } else { to })
}

/// A function that does one instruction, exported by its name.
pub fn function(op: Op) -> String {
    let (from, to) = types(op);
    let (params, operands) = if op.pops() == 2 {
        (format!("{from} {from}"), "(local.get 0) (local.get 1)")
    } else {
        (from.to_owned(), "(local.get 0)")
    };
    let name = op.name();
    format!("(func (export \"{name}\") (param {params}) (result {to}) ({name} {operands}))")
}

#[test]
fn numeric_instructions_agree_with_wasmtime() {
    let mut config = Config::new();
    config.cranelift_nan_canonicalization(true);
    let engine = Engine::new(&config).unwrap();
    let mut text = "(module".to_owned();
    for op in numeric() {
        writeln!(text, "{}", function(op)).unwrap();
    }
    text.push(')');
    let module = Module::new(&engine, &text).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let mut rng = Rng::new(0x4e);
    for op in numeric() {
        let function = instance.get_func(&mut store, op.name()).unwrap();
        let ty = function.ty(&store).param(0).unwrap();
        for _ in 0..values::scaled(CASES) {
            let (x, y) = (operand(&ty, &mut rng), operand(&ty, &mut rng));
            let mut result = [Val::I32(0)];
            let operands = [value(&ty, x), value(&ty, y)];
            let operands = &operands[..usize::from(op.pops())];
            let called = function.call(&mut store, operands, &mut result);
            let expected = called.ok().map(|()| slot(&result[0]));
            let code = u64::from(op.code());
            let (found, trap) = if op.class() == Class::Float {
                float::compute(code, x, y).unwrap()
            } else {
                alu::run(code, x, y)
            };
            assert_eq!(
                (!trap).then_some(found),
                expected,
                "{} {x:#x} {y:#x}",
                op.name()
            );
        }
    }
}

fn operand(ty: &ValType, rng: &mut Rng) -> u64 {
    match ty {
        ValType::F32 => values::float(rng, values::SINGLE),
        ValType::F64 => values::float(rng, values::DOUBLE),
        // The high half of a 32-bit operand's slot does not count.
        _ => values::whole(rng),
    }
}

fn value(ty: &ValType, slot: u64) -> Val {
    let low = u32::try_from(slot & 0xffff_ffff).unwrap();
    match ty {
        ValType::I32 => Val::I32(low.cast_signed()),
        ValType::I64 => Val::I64(slot.cast_signed()),
        ValType::F32 => Val::F32(low),
        _ => Val::F64(slot),
    }
}

fn slot(value: &Val) -> u64 {
    match value {
        Val::I32(value) => u64::from(value.cast_unsigned()),
        Val::I64(value) => value.cast_unsigned(),
        Val::F32(bits) => u64::from(*bits),
        Val::F64(bits) => *bits,
        _ => unreachable!("numeric instructions answer numbers"),
    }
}
