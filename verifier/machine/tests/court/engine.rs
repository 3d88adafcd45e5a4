//! The fast engine on single functions: the court knows contract and mirror, and a claim comes from neither.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock, Mutex};

use gio_content::image::InputImage;
use gio_machine::isa::Op;
use gio_machine::state::{STATUS_EXIT, STATUS_TRAP};
use gio_machine::{
    LIBRARY_PREFIX, Loaded, Machine, PrepareLimits, prepare_library, prepare_provable,
};

use crate::numeric;
use crate::programs::{command, unit_of};

/// A function for every numeric instruction, by its name.
static NUMERIC: LazyLock<Mutex<Machine>> = LazyLock::new(|| {
    let mut text = "(module".to_owned();
    for op in numeric::numeric() {
        writeln!(text, "{}", numeric::function(op)).unwrap();
    }
    text.push(')');
    Mutex::new(library(&text))
});

/// A machine for the functions that a module exports.
pub fn library(text: &str) -> Machine {
    let wasm = wat::parse_str(text).unwrap();
    let provable = prepare_library(&wasm, &PrepareLimits::default()).unwrap();
    unit_of(
        Arc::new(Loaded::new(provable.program)),
        Vec::new(),
        1 << 30,
        8,
    )
}

/// What a function answers; nothing if it traps.
pub fn call(machine: &mut Machine, function: &str, arguments: &[u64]) -> Option<Vec<u64>> {
    let name = format!("{LIBRARY_PREFIX}{function}");
    let pc = machine.program().export(&name).unwrap();
    machine.call(pc, arguments);
    machine.run_call();
    match machine.halted() {
        None => Some(machine.stack().to_vec()),
        Some(halted) => {
            assert_eq!(halted.status, STATUS_TRAP, "{function}");
            None
        }
    }
}

/// What a numeric instruction makes of these slots, whatever their high halves hold; nothing if it traps.
pub fn compute(op: Op, slots: &[u64]) -> Option<u64> {
    let results = {
        let mut machine = NUMERIC.lock().unwrap();
        call(&mut machine, op.name(), slots)
    };
    results.map(|results| match results[..] {
        [result] => result,
        _ => panic!("{} left {results:x?}", op.name()),
    })
}

/// Reads standard input to its end, to 1024 and on.
const READER: &str = r#"(func (export "_start") (local i32)
    i32.const 1024 local.set 0
    loop
      i32.const 16 local.get 0 i32.store
      i32.const 20 i32.const 100 i32.store
      i32.const 0 i32.const 16 i32.const 1 i32.const 32 call $read drop
      local.get 0 i32.const 32 i32.load i32.add local.set 0
      i32.const 32 i32.load br_if 0
    end
    i32.const 40 local.get 0 i32.store)"#;

/// The input ends at every place of a word in turn: without the zeros that fill an image's last one.
#[test]
fn bug_18_input_is_read_whole_whatever_its_length() {
    let provable = prepare_provable(&command(READER), &PrepareLimits::default()).unwrap();
    let loaded = Arc::new(Loaded::new(provable.program));
    let mut ends = BTreeSet::new();
    for length in 0..=65u8 {
        let stdin: Vec<u8> = (1..=length).collect();
        let image = InputImage {
            stdin: stdin.clone(),
            ..InputImage::default()
        };
        let mut image = image.encode().unwrap();
        let zeros = image.iter().rev().take_while(|byte| **byte == 0).count();
        image.truncate(image.len() - zeros);
        ends.insert(image.len() % 32);
        let mut machine = unit_of(Arc::clone(&loaded), image, 1 << 30, 3);
        assert_eq!(machine.run().status, STATUS_EXIT);
        let memory = machine.memory(0);
        let end = 1024 + usize::from(length);
        assert_eq!(memory[1024..end], stdin, "{length} bytes");
        assert_eq!(memory[40..44], u32::try_from(end).unwrap().to_le_bytes());
        assert_eq!(memory[end], 0, "{length} bytes");
    }
    assert_eq!(ends.len(), 32);
}

#[test]
fn every_numeric_function_is_its_instruction() {
    let machine = NUMERIC.lock().unwrap();
    for op in numeric::numeric() {
        let name = format!("{LIBRARY_PREFIX}{}", op.name());
        let pc = machine.program().export(&name).unwrap() as usize;
        let code = machine.program().code()[pc..].iter();
        let mut body = code.map_while(|instruction| instruction.operation());
        let before = body.by_ref().take_while(|found| *found != op);
        assert!(before.count() < 8, "{} is not in its function", op.name());
    }
}
