//! Machine version 1: the linked program under wasmtime is the step machine, and its shim is the host's WASI.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

use gio_content::image::InputImage;
use gio_machine::{PrepareLimits, prepare, prepare_provable};
use gio_protocol::{Status, keccak256};
use gio_runtime::{BuildHashes, MachineVersion, RunControl, RunError, UnitLimits};
use support::machine::{run_everywhere, run_provable, run_version};
use support::{LIMITS, engine, everything, input, output};

const ECHO: &[u8] = include_bytes!("../../../apps/echo/echo.wasm");
const RENDER: &[u8] = include_bytes!("../../../apps/render/render.wasm");
const SHA256: &[u8] = include_bytes!("../../../apps/bench/sha256.wasm");
const DEFLATE: &[u8] = include_bytes!("../../../apps/tools/deflate.wasm");
const FORTH: &[u8] = include_bytes!("../../../apps/tools/forth.wasm");

#[test]
fn a_users_program_does_the_same_on_every_machine() {
    let image = everything();
    let outcome = run_everywhere(ECHO, &image, &LIMITS);
    assert_eq!((outcome.status, outcome.exit_code), (Status::Exit, 3));
    run_everywhere(ECHO, &input(&["echo"]), &LIMITS);
    run_everywhere(ECHO, &input(&["echo", "missing"]), &LIMITS);
}

#[test]
fn wasmtime_is_given_what_prepare_answers_byte_for_byte() {
    let limits = PrepareLimits::default();
    // Traps at once, so that the exact build is compiled as well.
    let trap =
        wat::parse_str(r#"(module (memory 1) (func (export "_start") unreachable))"#).unwrap();
    for module in [ECHO, RENDER, SHA256, DEFLATE, FORTH, &trap] {
        for (version, prepared) in [
            (MachineVersion::Metered, prepare(module, &limits).unwrap()),
            (
                MachineVersion::Provable,
                prepare_provable(module, &limits).unwrap().builds,
            ),
        ] {
            let expected = BuildHashes {
                fast: keccak256(&prepared.fast),
                exact: keccak256(&prepared.exact),
            };
            let program = engine().load_version(module, version).unwrap();
            assert_eq!(program.builds(), expected);
            if module == trap {
                let outcome = run_version(module, &InputImage::default(), &LIMITS, version);
                assert_eq!(outcome.status, Status::Trap);
                assert_eq!(program.builds(), expected);
            }
        }
    }
}

#[test]
fn a_program_without_memory_may_exit() {
    let exit = r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (func (export "_start") (call $exit (i32.const 77))))"#;
    let wasm = wat::parse_str(exit).unwrap();
    let outcome = run_everywhere(&wasm, &InputImage::default(), &LIMITS);
    assert_eq!((outcome.status, outcome.exit_code), (Status::Exit, 77));
}

#[test]
fn a_limit_ends_both_at_the_same_place() {
    let image = input(&["echo", "missing"]);
    let full = run_provable(ECHO, &image, &LIMITS);
    assert_eq!(full.status, Status::Exit);
    assert!(!output(&full).stdout.is_empty());
    let ends = (0..40).map(|part| full.cu * part / 40);
    for cu_limit in ends.chain([2, 6, 7, 8, full.cu - 1]).filter(|cu| *cu > 1) {
        let limits = UnitLimits { cu_limit, ..LIMITS };
        let outcome = run_provable(ECHO, &image, &limits);
        assert_eq!(
            (outcome.status, outcome.cu),
            (Status::CuExhausted, cu_limit)
        );
    }
    let limits = UnitLimits {
        cu_limit: full.cu,
        ..LIMITS
    };
    assert_eq!(run_provable(ECHO, &image, &limits), full);
}

#[test]
fn a_trap_has_the_same_cu_everywhere() {
    for body in [
        "unreachable",
        "(drop (i32.div_u (i32.const 1) (i32.const 0)))",
        "(drop (i32.load (i32.const -1)))",
        "(drop (i32.load offset=65533 (i32.const 0)))",
        "(loop (br_if 0 (i32.const 0))) (memory.fill (i32.const 1) (i32.const 2) (i32.const 65536))",
        "(call $deep (i32.const 0))",
    ] {
        let text = format!(
            r#"(module (memory 1)
                (func $deep (param i32) (call $deep (i32.add (local.get 0) (i32.const 1))))
                (func (export "_start") {body}))"#
        );
        let wasm = wat::parse_str(text).unwrap();
        let outcome = run_everywhere(&wasm, &InputImage::default(), &LIMITS);
        assert_eq!(outcome.status, Status::Trap, "{body}");
    }
}

#[test]
fn a_program_grows_to_its_pages_and_no_further() {
    let text = r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory 1 20)
        (func (export "_start")
          (if (i32.ne (memory.grow (i32.const 7)) (i32.const 1)) (then (call $exit (i32.const 1))))
          (if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then (call $exit (i32.const 2))))
          (if (i32.ne (memory.grow (i32.const 0)) (i32.const 8)) (then (call $exit (i32.const 3))))
          (if (i32.ne (memory.grow (i32.const -1)) (i32.const -1)) (then (call $exit (i32.const 4))))))"#;
    let wasm = wat::parse_str(text).unwrap();
    let limits = UnitLimits {
        pages_max: 8,
        ..LIMITS
    };
    let outcome = run_everywhere(&wasm, &InputImage::default(), &limits);
    assert_eq!((outcome.status, outcome.exit_code), (Status::Exit, 0));
}

#[test]
fn a_program_grows_to_its_own_maximum_and_no_further() {
    let text = r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory 1 5)
        (func (export "_start")
          (if (i32.ne (memory.grow (i32.const 5)) (i32.const -1)) (then (call $exit (i32.const 1))))
          (if (i32.ne (memory.grow (i32.const 4)) (i32.const 1)) (then (call $exit (i32.const 2))))
          (if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then (call $exit (i32.const 3))))
          (if (i32.ne (memory.grow (i32.const -1)) (i32.const -1)) (then (call $exit (i32.const 4))))))"#;
    let wasm = wat::parse_str(text).unwrap();
    let outcome = run_everywhere(&wasm, &InputImage::default(), &LIMITS);
    assert_eq!((outcome.status, outcome.exit_code), (Status::Exit, 0));
}

/// A call that ends the run, in a block that also calls functions whose cost their callers pay.
#[test]
fn an_exit_costs_what_was_executed_and_nothing_behind_it() {
    let text = r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (func $leaf (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3)))
        (func $end (call $exit (call $leaf (i32.const 2))) (drop (call $leaf (i32.const 9))))
        (func (export "_start")
          (drop (call $leaf (i32.const 1)))
          (call $end)
          (drop (call $leaf (call $leaf (i32.const 4))))
          (loop (br_if 0 (call $leaf (i32.const 0))))))"#;
    let wasm = wat::parse_str(text).unwrap();
    let image = InputImage::default();
    let outcome = run_everywhere(&wasm, &image, &LIMITS);
    assert_eq!((outcome.status, outcome.exit_code), (Status::Exit, 6));
    // The exact build has the last word on a limit: one unit less is too little in both versions.
    for version in [MachineVersion::Metered, MachineVersion::Provable] {
        let full = run_version(&wasm, &image, &LIMITS, version);
        let limit = |cu_limit| UnitLimits { cu_limit, ..LIMITS };
        assert_eq!(run_version(&wasm, &image, &limit(full.cu), version), full);
        let less = run_version(&wasm, &image, &limit(full.cu - 1), version);
        assert_eq!(less.status, Status::CuExhausted, "{version:?}");
    }
}

/// Every way of going round without coming by what the fast build would like to look at the counter with.
#[test]
fn no_loop_runs_without_end() {
    let bodies = [
        // Back from an arm, before the call.
        "(loop $a (if (local.get 0) (then (br $a))) (call $f))",
        "(loop $a (if (i32.eqz (local.get 0)) (then) (else (br $a))) (call $f))",
        "(loop $a (block $b (br_if $b (local.get 0)) (br $b)) (br_if $a (local.get 0)) (call $f))",
        // Out of an inner loop to the head of the outer one, before the inner one's call.
        "(loop $a (loop $b (br_if $a (local.get 0)) (call $f) (br_if $b (local.get 0))))",
        "(loop $a (loop $b (if (local.get 0) (then (br $a))) (call $f) (br_if $b (local.get 0))))",
        "(loop $a (block $c (loop $b (br_if $c (local.get 0)) (call $f) (br_if $b (local.get 0)))) (br_if $a (local.get 0)))",
        "(loop $a (block $c (loop $b (if (local.get 0) (then (br $c))) (call $f) (br_if $b (local.get 0)))) (br_if $a (local.get 0)))",
        "(loop $a (block $c (loop $b (br_table $c $a (local.get 0)) )) (br_if $a (local.get 0)))",
        "(loop $a (loop $b (loop $d (br_if $a (local.get 0)) (call $f) (br_if $d (local.get 0))) (br_if $b (local.get 0))))",
        "(loop $a (loop $b (loop $d (br_if $b (local.get 0)) (call $f) (br_if $d (local.get 0))) (call $f)) (br_if $a (local.get 0)))",
    ];
    let limits = UnitLimits {
        cu_limit: 100_000,
        ..LIMITS
    };
    for body in bodies {
        let text = format!(
            r#"(module (memory 1)
                (func $f (memory.fill (i32.const 0) (i32.const 1) (i32.const 2)))
                (func $run (param i32) {body})
                (func (export "_start") (call $run (i32.const 1))))"#
        );
        println!("{body}");
        let wasm = wat::parse_str(text).unwrap();
        let outcome = run_everywhere(&wasm, &InputImage::default(), &limits);
        assert_eq!(outcome.status, Status::CuExhausted, "{body}");
    }
}

/// What a court values at zero never gets a result here either.
#[test]
fn r20_a_unit_outside_the_machines_bounds_has_no_outcome() {
    let wasm = wat::parse_str(r#"(module (memory 3) (func (export "_start")))"#).unwrap();
    let image = InputImage::default().encode().unwrap();
    let program = engine()
        .load_version(&wasm, MachineVersion::Provable)
        .unwrap();
    let run = |change: fn(&mut UnitLimits)| {
        let mut limits = LIMITS;
        change(&mut limits);
        engine().run(&program, &image, &limits, &RunControl::none())
    };
    let inside: [fn(&mut UnitLimits); 5] = [
        |limits| limits.cu_limit = 2,
        |limits| limits.cu_limit = 1 << 45,
        |limits| limits.pages_max = 3,
        |limits| limits.output_max = 128 << 20,
        |limits| limits.output_max = 0,
    ];
    for change in inside {
        run(change).unwrap();
    }
    type Change = fn(&mut UnitLimits);
    let outside: [(Change, &str); 5] = [
        (|limits| limits.cu_limit = 0, "CU limit"),
        (|limits| limits.cu_limit = 1, "CU limit"),
        (|limits| limits.cu_limit = (1 << 45) + 1, "CU limit"),
        (|limits| limits.pages_max = 2, "pages max"),
        (|limits| limits.output_max = (128 << 20) + 1, "output max"),
    ];
    for (change, expected) in outside {
        match run(change) {
            Err(RunError::Bounds(error)) => assert_eq!(error.what, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
}
