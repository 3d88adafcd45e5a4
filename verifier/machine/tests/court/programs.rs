//! Small programs from their first state to their last: at every step the engine's proof takes mirror and contract
//! from the engine's hash before to its hash after.

use std::sync::Arc;

use gio_content::image::InputImage;
use gio_machine::isa::{Instruction, Op};
use gio_machine::mirror;
use gio_machine::state::{DealDepths, STATUS_EXHAUSTED, STATUS_EXIT, STATUS_TRAP, UnitLimits};
use gio_machine::{Loaded, Machine, PrepareLimits, Snapshot, prepare_provable};
use gio_protocol::{B256, keccak256, word_root};

use crate::evm::Court;

/// 128 KiB of input and 64 KiB of output: not the same, so that neither depth passes for the other.
const INPUT_DEPTH: u8 = 12;
const OUTPUT_DEPTH: u8 = 11;

/// Steps that go through the contract besides the mirror: the first ones, and then one in so many.
const CONTRACT_STEPS: u64 = 400;
const CONTRACT_SHARE: u64 = 37;

/// A program of a memory, `_start` and what else it says.
pub fn command(body: &str) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
            (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 2 4)
            {body})"#
    ))
    .unwrap()
}

pub fn machine(wasm: &[u8], cu_limit: u64) -> Machine {
    let image = InputImage {
        args: vec![b"program".to_vec(), b"an argument".to_vec()],
        stdin: b"forty-two bytes that a program reads whole".to_vec(),
        ..InputImage::default()
    };
    machine_with(wasm, &image, cu_limit, 3)
}

/// A unit of that program and input before its first step.
pub fn machine_with(wasm: &[u8], image: &InputImage, cu_limit: u64, pages_max: u32) -> Machine {
    let provable = prepare_provable(wasm, &PrepareLimits::default()).unwrap();
    let loaded = Arc::new(Loaded::new(provable.program));
    unit_of(loaded, image.encode().unwrap(), cu_limit, pages_max)
}

/// The same with a program that is prepared already.
pub fn unit_of(loaded: Arc<Loaded>, image: Vec<u8>, cu_limit: u64, pages_max: u32) -> Machine {
    let unit = UnitLimits {
        input_root: word_root(&image, INPUT_DEPTH).unwrap(),
        input_length: image.len() as u64,
        cu_limit,
        pages_max,
        output_max: 65_536,
        unit_seed: keccak256("unit seed"),
    };
    let deal = DealDepths {
        input_depth: INPUT_DEPTH,
        output_depth: OUTPUT_DEPTH,
        clock_start: 1_790_000_000,
    };
    Machine::new(loaded, image, &unit, &deal).unwrap()
}

/// Runs it to its end, every step proven; answers the operations it executed and its status and exit code.
fn proven(court: &mut Court, wasm: &[u8], cu_limit: u64) -> (Vec<Op>, u8, u32) {
    let mut machine = machine(wasm, cu_limit);
    let seen = prove(court, &mut machine);
    let halted = *machine.halted().unwrap();
    (seen, halted.status, halted.exit_code)
}

/// Runs a machine to its end, every step proven; answers the operations it executed.
pub fn prove(court: &mut Court, machine: &mut Machine) -> Vec<Op> {
    let mut seen = Vec::new();
    let mut before = machine.state_hash();
    loop {
        seen.extend(
            machine
                .instruction()
                .and_then(|instruction| instruction.operation()),
        );
        let proof = machine.proof();
        let at = machine.steps();
        let was_halted = machine.halted().is_some();
        machine.run_to(at + 1);
        let after = machine.state_hash();
        let checked = mirror::step(&proof).unwrap_or_else(|invalid| panic!("step {at}: {invalid}"));
        assert_eq!(
            (checked.before, checked.next),
            (before, after),
            "step {at}, {:?}",
            seen.last()
        );
        if at < CONTRACT_STEPS || at.is_multiple_of(CONTRACT_SHARE) || was_halted {
            assert_eq!(court.step(&proof).0, Ok(checked), "step {at}");
        }
        assert!(at <= machine.cu(), "R20: steps ≤ CU");
        before = after;
        if was_halted {
            break;
        }
    }
    assert!(machine.steps() <= machine.cu());
    seen.sort_unstable();
    seen.dedup();
    seen
}

fn exits(body: &str, needs: &[Op]) {
    let (seen, status, code) = proven(&mut Court::new(), &command(body), 1 << 30);
    assert_eq!((status, code), (STATUS_EXIT, 0));
    for op in needs {
        assert!(
            seen.contains(op),
            "the program did not execute {}",
            op.name()
        );
    }
}

#[test]
fn numbers_are_proven_at_every_step() {
    exits(
        r#"(func $mix (param i32 i64 f32 f64) (result f64)
              local.get 0 i32.popcnt i32.const 3 i32.rotl i32.extend8_s f64.convert_i32_s
              local.get 1 i64.const -7 i64.rem_s i64.const 2 i64.shr_s f64.convert_i64_u f64.add
              local.get 2 f32.sqrt f32.nearest f64.promote_f32 f64.div
              local.get 3 f64.max local.get 3 f64.neg f64.copysign f64.floor)
           (func (export "_start") (local i32 f64)
              i32.const 6 local.set 0
              loop
                local.get 0 i64.const 0x123456789abcdef f32.const 2.5 f64.const 1e300
                local.get 0 f64.convert_i32_u f64.mul call $mix local.set 1
                local.get 1 i64.trunc_sat_f64_s drop
                local.get 1 f32.demote_f64 i32.reinterpret_f32 drop
                local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0
              end)"#,
        &[
            Op::F64Div,
            Op::F32Sqrt,
            Op::I64RemS,
            Op::F32DemoteF64,
            Op::LocalTee,
            Op::I64TruncSatF64S,
        ],
    );
}

#[test]
fn branches_are_proven_at_every_step() {
    exits(
        r#"(func $pick (param i32) (result i32)
              (block (result i32)
                (block (result i32)
                  (block (result i32)
                    i32.const 9 i32.const 100 local.get 0 br_table 0 1 2 0)
                  i32.const 1 i32.add br 1)
                i32.const 2 i32.add))
           (func $pair (param i32) (result i32 i64)
              i32.const 5 i64.const 6 i32.const 7 i64.const 8
              local.get 0 br_if 0
              drop drop return)
           (func (export "_start") (local i32)
              loop
                local.get 0 call $pick local.get 0 call $pair drop i32.add drop
                local.get 0 if (result i32) i32.const 1 else i32.const 2 end
                i32.const 3 local.get 0 select drop
                local.get 0 i32.const 1 i32.add local.tee 0 i32.const 5 i32.lt_u br_if 0
              end)"#,
        &[
            Op::JumpTable,
            Op::JumpUnless,
            Op::DropUnder,
            Op::Select,
            Op::Drop,
        ],
    );
}

#[test]
fn calls_and_globals_are_proven_at_every_step() {
    exits(
        r#"(type $unary (func (param i32) (result i32)))
           (table 7 funcref) (elem (i32.const 2) $fib $twice)
           (global $count (mut i64) (i64.const 3)) (global f64 (f64.const 1.5))
           (func $fib (param i32) (result i32)
              global.get $count i64.const 1 i64.add global.set $count
              local.get 0 i32.const 2 i32.lt_u
              if (result i32) local.get 0
              else
                local.get 0 i32.const 1 i32.sub call $fib
                local.get 0 i32.const 2 i32.sub i32.const 2 call_indirect (type $unary)
                i32.add
              end)
           (func $twice (param i32) (result i32) local.get 0 local.get 0 i32.add)
           (func $begin global.get 1 drop)
           (start $begin)
           (func (export "_start")
              i32.const 6 call $fib i32.const 3 call_indirect (type $unary) drop)"#,
        &[Op::CallIndirect, Op::GlobalSet, Op::Return, Op::Enter],
    );
}

/// Stores across leaves, across the engine's pages of 4 KiB and at the end of a memory that has grown, copies both
/// ways, fills, grows and fails to grow.
const MEMORY: &str = r#"(data $passive "some bytes that are longer than one leaf of the tree")
           (data (i32.const 65520) "across the page boundary")
           (func (export "_start")
              i32.const 29 i64.const 0x1122334455667788 i64.store
              i32.const 29 i64.load i32.const 65535 i32.load16_s drop drop
              i32.const 4093 i64.const 0x0102030405060708 i64.store
              i32.const 4093 i64.load drop
              i32.const 131064 i32.const -1 i32.store offset=4
              i32.const 100 i32.const 3 i32.const 40 memory.init $passive
              data.drop $passive
              i32.const 103 i32.const 100 i32.const 70 memory.copy
              i32.const 90 i32.const 103 i32.const 33 memory.copy
              i32.const 1000 i32.const 0xab i32.const 65 memory.fill
              i32.const 1 memory.grow drop
              i32.const 135165 i64.const 0x1112131415161718 i64.store
              i32.const 135165 i64.load drop
              i32.const 196604 i32.const 7 i32.store
              i32.const 9 memory.grow drop
              memory.size i32.const 16 i32.shl i32.const 8 i32.sub i64.load drop)"#;

#[test]
fn memory_is_proven_at_every_step() {
    exits(
        MEMORY,
        &[
            Op::Copy,
            Op::Fill,
            Op::MemoryGrow,
            Op::I64Store,
            Op::I32Load16S,
            Op::ChargeBulk,
        ],
    );
}

/// A hash that was asked for at every step, at some, or once at the end, is the same; so is one after coming back, and
/// so is what proves the steps from there on.
#[test]
fn bug_09_a_hash_does_not_depend_on_when_hashes_were_asked_for() {
    let wasm = command(MEMORY);
    let mut every = machine(&wasm, 1 << 30);
    let (hashes, snapshots) = hashes_and_snapshots(&mut every);
    let last = hashes.len() - 1;
    for stride in [7, 613, last] {
        let mut some = machine(&wasm, 1 << 30);
        for at in (0..=last).step_by(stride) {
            some.run_to(at as u64);
            assert_eq!(
                some.state_hash(),
                hashes[at],
                "step {at}, asked every {stride}"
            );
        }
    }
    // Back to each, from the end and from one another, past stores and growth that had not happened yet.
    for snapshot in snapshots.iter().rev().chain(&snapshots) {
        every.restore(snapshot);
        let first = usize::try_from(snapshot.steps()).unwrap();
        for at in first..last {
            let checked = mirror::step(&every.proof());
            let checked = checked.unwrap_or_else(|invalid| panic!("step {at}: {invalid}"));
            let here = (hashes[at], hashes[at + 1]);
            assert_eq!(
                (checked.before, checked.next),
                here,
                "step {at}, from {first}"
            );
            every.run_to(at as u64 + 1);
        }
        assert_eq!(every.state_hash(), hashes[last], "the end, from {first}");
    }
    assert_eq!(every.memory(0).len(), 3 << 16);
}

/// Runs `MEMORY` to its end. Snapshots are from within the shim's beginning, before the first store, before the memory
/// grows, and behind the stores into what has grown.
fn hashes_and_snapshots(machine: &mut Machine) -> (Vec<B256>, Vec<Snapshot>) {
    let constant = |imm: u64| Instruction::new(Op::Const).imm(imm);
    let mut places = [constant(29), Instruction::new(Op::MemoryGrow), constant(9)].into_iter();
    let mut next = None;
    let mut hashes = vec![machine.state_hash()];
    let mut snapshots = Vec::new();
    while machine.halted().is_none() {
        if machine.steps() == 100 || next.is_some() && machine.instruction() == next {
            snapshots.push(machine.snapshot());
            next = places.next();
        }
        machine.run_to(machine.steps() + 1);
        hashes.push(machine.state_hash());
    }
    assert_eq!(snapshots.len(), 4);
    (hashes, snapshots)
}

#[test]
fn input_output_randomness_and_clock_are_proven_at_every_step() {
    exits(
        r#"(func (export "_start")
              i32.const 512 i32.const 1024 call $args drop
              i32.const 16 i32.const 203 i32.store i32.const 20 i32.const 64 i32.store
              i32.const 0 i32.const 16 i32.const 1 i32.const 32 call $read drop
              i32.const 300 i32.const 40 call $random drop
              i32.const 0 i64.const 1 i32.const 400 call $clock drop
              i32.const 20 i32.const 32 i32.load i32.store
              i32.const 1 i32.const 16 i32.const 1 i32.const 32 call $write drop
              i32.const 2 i32.const 16 i32.const 1 i32.const 32 call $write drop)"#,
        &[
            Op::InputFetch,
            Op::ScratchStore,
            Op::ScratchLoad,
            Op::OutputWrite,
            Op::OutputClose,
            Op::Random,
            Op::Env,
            Op::Exit,
        ],
    );
}

#[test]
fn every_kind_of_end_is_proven() {
    let court = &mut Court::new();
    let mut ends = |body: &str, cu: u64| {
        let (_, status, code) = proven(court, &command(body), cu);
        (status, code)
    };
    let start = |body: &str| format!(r#"(func (export "_start") {body})"#);
    assert_eq!(
        ends(&start("i32.const 7 call $exit"), 1 << 30),
        (STATUS_EXIT, 7)
    );
    assert_eq!(ends(&start("unreachable"), 1 << 30), (STATUS_TRAP, 0));
    assert_eq!(
        ends(&start("i32.const -1 i32.load drop"), 1 << 30),
        (STATUS_TRAP, 0)
    );
    assert_eq!(
        ends(&start("i32.const 1 i32.const 0 i32.div_u drop"), 1 << 30),
        (STATUS_TRAP, 0)
    );
    assert_eq!(
        ends(&start("f64.const nan i32.trunc_f64_s drop"), 1 << 30),
        (STATUS_TRAP, 0)
    );
    for cu in [2, 3, 100, 101, 1000] {
        assert_eq!(ends(&start("loop br 0 end"), cu), (STATUS_EXHAUSTED, 0));
    }
    let locals = "i64 ".repeat(9_990);
    let deep =
        format!("(func $deep (local {locals}) call $deep) (func (export \"_start\") call $deep)");
    assert_eq!(ends(&deep, 1 << 30), (STATUS_TRAP, 0));
}
