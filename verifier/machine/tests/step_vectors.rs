//! `tests/vectors/step-machine.json`: encodings and hashes of the step machine, which forge reads too.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![allow(
    clippy::disallowed_methods,
    reason = "the vectors are a file; what is tested has none"
)]

use std::fs;
use std::path::Path;

use gio_machine::isa::{Instruction, Op};
use gio_machine::state::{
    DealDepths, Halted, ProgramHeader, STATUS_EXHAUSTED, STATUS_EXIT, STATUS_TRAP, UnitLimits,
    VERSION, initial,
};
use gio_machine::trees;
use gio_protocol::{B256, keccak256};
use serde_json::{Value, json};

/// To accept a change of a format: `GIO_BLESS=1 cargo test -p gio-machine --test step_vectors`, then read the diff.
#[test]
fn the_committed_vectors_are_what_the_code_computes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/step-machine.json");
    let text = format!("{}\n", serde_json::to_string_pretty(&vectors()).unwrap());
    if std::env::var_os("GIO_BLESS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap() == text,
        "the vectors are stale"
    );
}

fn vectors() -> Value {
    json!({
        "about": "Checked by Rust (verifier/machine/tests/step_vectors.rs) and forge (contracts/test/court/StepVectors.t.sol); docs/step-machine.md says what each is.",
        "zeros": trees::zeros().to_vec(),
        "instructions": instructions(),
        "chains": chains(),
        "initial": [initial_state(0), initial_state(1)],
        "halted": halted(),
    })
}

fn hexed(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

fn instructions() -> Value {
    let encode = |op: &Op| {
        let instruction = Instruction::new(*op)
            .a(1)
            .b(0x0203_0405)
            .imm(0x0607_0809_0a0b_0c0d);
        json!({
            "name": op.name(), "bytes": hexed(&instruction.encode()),
            "pops": op.pops(), "pushes": op.pushes(), "weight": op.weight(),
        })
    };
    Op::ALL.iter().map(encode).collect()
}

fn chains() -> Value {
    let stack = [0, 1, u64::MAX].map(|slot| (slot, trees::push_slot(keccak256("stack"), slot)));
    let frame = trees::push_frame(
        keccak256("frames"),
        keccak256("locals"),
        0x0102_0304,
        0x0506_0708,
    );
    json!({
        "stack": stack.map(|(slot, hash)| json!({ "slot": slot.to_string(), "hash": hash })),
        "frame": frame,
    })
}

fn initial_state(nth: u8) -> Value {
    let root = |name: &str| keccak256(format!("{name} {nth}"));
    let program = ProgramHeader {
        code_root: root("code"),
        memory_roots: [root("memory 0"), root("memory 1")],
        globals_root: root("globals"),
        table_root: root("table"),
        version: VERSION,
        entry_pc: 77 + u32::from(nth),
        pages: [2, 1 + u32::from(nth)],
        table_size: 1000,
        code_depth: 18,
        table_depth: 8,
    };
    let unit = UnitLimits {
        input_root: root("input"),
        input_length: 1_000_001,
        cu_limit: 1 << 40,
        pages_max: 1024 >> nth,
        output_max: 128 << 20,
        unit_seed: root("seed"),
    };
    let deal = DealDepths {
        input_depth: 22,
        output_depth: 23,
        clock_start: 1_790_000_000,
    };
    let (header, rest, io, env) = initial(&program, &unit, &deal).unwrap();
    json!({
        "program": {
            "code_root": program.code_root, "memory_roots": program.memory_roots,
            "globals_root": program.globals_root, "table_root": program.table_root,
            "entry_pc": program.entry_pc, "pages": program.pages, "table_size": program.table_size,
            "code_depth": program.code_depth, "table_depth": program.table_depth, "root": program.hash(),
        },
        "unit": {
            "input_root": unit.input_root, "input_length": unit.input_length,
            "cu_limit": unit.cu_limit.to_string(), "pages_max": unit.pages_max,
            "output_max": unit.output_max, "unit_seed": unit.unit_seed,
        },
        "deal": { "input_depth": 22, "output_depth": 23, "clock_start": deal.clock_start },
        "header": hexed(&header.encode()), "rest": hexed(&rest.encode()),
        "io": hexed(&io.encode()), "env": hexed(&env.encode()), "hash": header.hash(),
    })
}

fn halted() -> Value {
    let one = |status: u8, exit_code: u32, cu: u64| {
        let output_root: B256 = keccak256([status]);
        let halted = Halted {
            status,
            exit_code,
            cu,
            output_root,
            output_length: cu / 2,
        };
        json!({ "bytes": hexed(&halted.encode()), "hash": halted.hash() })
    };
    json!([
        one(STATUS_EXIT, u32::MAX, 1 << 45),
        one(STATUS_TRAP, 0, 3),
        one(STATUS_EXHAUSTED, 0, u64::MAX)
    ])
}
