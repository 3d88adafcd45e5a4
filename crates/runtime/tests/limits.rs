//! R21: only the limits in the unit leaf decide a result, and each of them does; the host's own never do.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

use std::time::{Duration, Instant};

use gio_content::image::{InputImage, OutputImage};
use gio_protocol::Status;
use gio_runtime::{Engine, EngineConfig, Outcome, RunControl, RunError, UnitLimits};
use support::{LIMITS, engine, input, output, run, run_wat};

/// Writes `times` times a byte to standard output, `write` of them at once.
fn writer(write: u32, times: u32) -> String {
    format!(
        r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "_start") (local $left i32)
          (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const {write}))
          (local.set $left (i32.const {times}))
          (loop
            (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
            (br_if 0 (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))))"#
    )
}

const ENDLESS: &str = r#"(module (func (export "_start") (loop (br 0))))"#;

fn with(change: impl Fn(&mut UnitLimits)) -> UnitLimits {
    let mut limits = LIMITS;
    change(&mut limits);
    limits
}

#[test]
fn r21_cu_limit_ends_a_unit_at_the_block_that_would_pass_it() {
    let wat = writer(1, 10);
    let free = run_wat(&wat, &LIMITS);
    assert_eq!(free.status, Status::Exit);
    let exact = run_wat(&wat, &with(|limits| limits.cu_limit = free.cu));
    assert_eq!(exact, free);
    let short = run_wat(&wat, &with(|limits| limits.cu_limit = free.cu - 1));
    assert_eq!((short.status, short.exit_code), (Status::CuExhausted, 0));
    assert!(
        short.cu < free.cu && short.cu > free.cu / 2,
        "{} of {}",
        short.cu,
        free.cu
    );
    assert_eq!(
        output(&short).stdout.len(),
        9,
        "what was written until then is output"
    );
    let half = run_wat(&wat, &with(|limits| limits.cu_limit = free.cu / 2));
    assert!(half.cu <= free.cu / 2);
    let written = output(&half).stdout.len();
    assert!((3..7).contains(&written), "{written}");
}

#[test]
fn r21_an_endless_loop_uses_exactly_its_cu_limit() {
    for limit in [1, 1_000_000, (1 << 24) + 1] {
        let outcome = run_wat(ENDLESS, &with(|limits| limits.cu_limit = limit));
        assert_eq!((outcome.status, outcome.cu), (Status::CuExhausted, limit));
    }
}

#[test]
fn r21_a_unit_without_cu_does_nothing() {
    let outcome = run_wat(&writer(1, 1), &with(|limits| limits.cu_limit = 0));
    assert_eq!((outcome.status, outcome.cu), (Status::CuExhausted, 0));
    assert_eq!(output(&outcome), OutputImage::default());
}

#[test]
fn r21_pages_limit_growth_and_nothing_else_does() {
    // Grows page by page and exits with how many pages it got.
    let wat = r#"(module
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (func (export "_start")
          (loop (br_if 0 (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
          (i32.store8 (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 1)) (i32.const 1))
          (call $exit (memory.size))))"#;
    for pages in [1, 2, 100, 1024] {
        let outcome = run_wat(wat, &with(|limits| limits.pages_max = pages));
        assert_eq!((outcome.status, outcome.exit_code), (Status::Exit, pages));
    }
    let declared = wat.replace("1)\n        (func", "1 5)\n        (func");
    assert_eq!(run_wat(&declared, &LIMITS).exit_code, 5);
}

#[test]
fn r21_a_program_that_starts_with_more_pages_than_its_unit_allows_traps() {
    let wat = r#"(module (memory 3) (func (export "_start")))"#;
    let outcome = run_wat(wat, &with(|limits| limits.pages_max = 2));
    assert_eq!((outcome.status, outcome.cu), (Status::Trap, 0));
    assert_eq!(
        run_wat(wat, &with(|limits| limits.pages_max = 3)).status,
        Status::Exit
    );
}

#[test]
fn r21_writing_past_the_output_limit_traps_and_keeps_what_was_written() {
    let wat = writer(10, 10);
    let whole = run_wat(&wat, &LIMITS);
    let size = whole.output_image.len() as u64;
    assert_eq!(
        run_wat(&wat, &with(|limits| limits.output_max = size)),
        whole
    );
    let cut = run_wat(&wat, &with(|limits| limits.output_max = size - 1));
    assert_eq!(cut.status, Status::Trap);
    assert!((cut.output_image.len() as u64) < size);
    let kept = output(&cut).stdout.len();
    assert!(kept.is_multiple_of(10) && kept > 50, "{kept}");
    let early = run_wat(&wat, &with(|limits| limits.output_max = size - 64));
    assert!(early.cu < cut.cu && cut.cu <= whole.cu);
}

#[test]
fn r21_recursion_without_end_traps_and_never_overflows_the_native_stack() {
    let small = r#"(module (func $f (call $f)) (func (export "_start") (call $f)))"#;
    assert_eq!(run_wat(small, &LIMITS).status, Status::Trap);
    // Values that a compiler keeps across the call, though the program keeps none of them in a local.
    let sums: String = (1..400)
        .map(|n| format!("(i64.add (i64.mul (local.get 0) (i64.const {n})) (local.get 1))"))
        .collect();
    let xors = "i64.xor ".repeat(398);
    let wide = format!(
        r#"(module (global $sink (mut i64) (i64.const 0))
        (func $f (param i64 i64)
          {sums} {xors} global.set $sink
          (call $f (i64.add (local.get 0) (i64.const 1)) (local.get 1))
          {sums} {xors} global.set $sink)
        (func (export "_start") (call $f (i64.const 3) (i64.const 5))))"#
    );
    assert_eq!(run_wat(&wide, &LIMITS).status, Status::Trap);
    let locals = "f64 ".repeat(5000);
    let many = format!(
        r#"(module (func $f (local {locals}) (call $f)) (func (export "_start") (call $f)))"#
    );
    assert_eq!(run_wat(&many, &LIMITS).status, Status::Trap);
}

#[test]
fn r21_a_trap_costs_what_the_exact_build_counts() {
    // One block of 4 before the trap's own: const, const, div, drop and the nops behind them.
    let wat = r#"(module (func (export "_start") (local i32)
        (loop (br_if 0 (i32.ne (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 5))))
        (drop (i32.div_u (i32.const 1) (i32.const 0))) nop nop))"#;
    let outcome = run_wat(wat, &LIMITS);
    assert_eq!((outcome.status, outcome.cu), (Status::Trap, 5 * 7 + 6));
    let start = r#"(module (func $s nop unreachable) (start $s) (func (export "_start")))"#;
    assert_eq!(run_wat(start, &LIMITS).cu, 2);
    let data = r#"(module (memory 1) (data (i32.const 65536) "x") (func (export "_start")))"#;
    let outcome = run_wat(data, &LIMITS);
    assert_eq!((outcome.status, outcome.cu), (Status::Trap, 0));
}

#[test]
fn r20_charges_are_what_the_protocol_says() {
    let cases = [
        // Marks are free, reached or not; so is what cannot be reached.
        ("block nop loop nop end end", 2),
        ("i32.const 1 if nop else nop nop end", 3),
        ("i32.const 0 if nop else nop nop end", 4),
        ("block br 0 nop nop end", 1),
        ("nop unreachable", 2),
        // By the size.
        ("i32.const 0 i32.const 7 i32.const 17 memory.fill", 4 + 3),
        ("i32.const 0 i32.const 40 i32.const 16 memory.copy", 4 + 2),
        ("i32.const 0 i32.const 0 i32.const 3 memory.init 0", 4 + 1),
        ("i32.const 2 memory.grow drop", 3 + 2 * 1024),
        ("i32.const -1 memory.grow drop", 3 + 65_536 * 1024),
        // Calls of the host.
        ("call $yield drop", 2 + 100),
        ("i32.const 0 i32.const 9 call $random drop", 4 + 100 + 9 * 8),
        // Two strings of two bytes, a NUL and a pointer for each.
        ("i32.const 0 i32.const 64 call $args drop", 4 + 100 + 2),
        (
            "i32.const 3 i32.const 0 i32.const 17 call $remove drop",
            5 + 100 + 3,
        ),
    ];
    let image = input(&["ab", "cd"]);
    for (body, cu) in cases {
        let wasm = wat::parse_str(format!(
            r#"(module
            (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
            (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "path_unlink_file" (func $remove (param i32 i32 i32) (result i32)))
            (memory (export "memory") 1) (data "abc")
            (func (export "_start") {body}))"#
        ))
        .unwrap();
        assert_eq!(run(&wasm, &image, &LIMITS).cu, cu, "{body}");
        let enough = with(|limits| limits.cu_limit = cu);
        assert_eq!(run(&wasm, &image, &enough).cu, cu, "{body}");
        let short = run(&wasm, &image, &with(|limits| limits.cu_limit = cu - 1));
        assert_eq!(short.status, Status::CuExhausted, "{body}");
    }
}

#[test]
fn r20_an_exhausted_unit_has_used_what_it_used_before_the_charge_that_did_not_fit() {
    // Blocks of 2, 3 and 1.
    let wat = r#"(module (func (export "_start") i32.const 1 if nop nop nop end nop))"#;
    for (limit, cu) in [(0, 0), (1, 0), (2, 2), (4, 2), (5, 5)] {
        let outcome = run_wat(wat, &with(|limits| limits.cu_limit = limit));
        assert_eq!((outcome.status, outcome.cu), (Status::CuExhausted, cu));
    }
    // The operator's own block, and its size: what does not fit is not taken in part.
    let wat = r#"(module (memory 1)
        (func (export "_start") i32.const 0 i32.const 7 i32.const 800 memory.fill))"#;
    for (limit, cu) in [(3, 0), (4, 4), (103, 4)] {
        let outcome = run_wat(wat, &with(|limits| limits.cu_limit = limit));
        assert_eq!((outcome.status, outcome.cu), (Status::CuExhausted, cu));
    }
}

fn controlled(wat: &str, control: &RunControl, limits: &UnitLimits) -> Result<Outcome, RunError> {
    let program = engine().load(&wat::parse_str(wat).unwrap()).unwrap();
    let image = InputImage::default().encode().unwrap();
    engine().run(&program, &image, limits, control)
}

#[test]
fn r21_a_deadline_never_yields_a_result() {
    let endless = with(|limits| limits.cu_limit = u64::MAX);
    let start = Instant::now();
    let control = RunControl::with_deadline(start + Duration::from_millis(100));
    assert!(matches!(
        controlled(ENDLESS, &control, &endless),
        Err(RunError::DeadlinePassed)
    ));
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn r21_a_cancelled_run_never_yields_a_result() {
    let endless = with(|limits| limits.cu_limit = u64::MAX);
    let control = RunControl::none();
    std::thread::scope(|scope| {
        let run = scope.spawn(|| controlled(ENDLESS, &control, &endless));
        control.cancel();
        assert!(matches!(run.join().unwrap(), Err(RunError::Cancelled)));
    });
    // The host's own work can be stopped as well.
    let busy = r#"(module (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
        (memory (export "memory") 64)
        (func (export "_start") (loop (drop (call $random (i32.const 0) (i32.const 4194304))) (br 0))))"#;
    let start = Instant::now();
    let control = RunControl::with_deadline(start + Duration::from_millis(50));
    assert!(controlled(busy, &control, &endless).is_err());
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn r21_what_the_host_cannot_give_is_no_result() {
    let wat = r#"(module (func (export "_start")))"#;
    let beyond = with(|limits| limits.pages_max = 1025);
    assert!(matches!(
        controlled(wat, &RunControl::none(), &beyond),
        Err(RunError::PagesBeyondEngine {
            wanted: 1025,
            available: 1024
        })
    ));
    let program = engine().load(&wat::parse_str(wat).unwrap()).unwrap();
    let refused = engine().run(&program, b"no image", &LIMITS, &RunControl::none());
    assert!(matches!(refused, Err(RunError::Input(_))));
}

#[test]
fn r21_too_many_units_at_once_are_refused_and_not_judged() {
    let engine = Engine::new(EngineConfig {
        cache_dir: None,
        instances_max: 1,
        pages_max: 1,
    })
    .unwrap();
    let program = engine
        .load(
            &wat::parse_str(r#"(module (memory 1) (func (export "_start") (loop (br 0))))"#)
                .unwrap(),
        )
        .unwrap();
    let image = InputImage::default().encode().unwrap();
    let limits = with(|limits| (limits.cu_limit, limits.pages_max) = (u64::MAX, 1));
    let control = RunControl::none();
    let run = || engine.run(&program, &image, &limits, &control);
    std::thread::scope(|scope| {
        let runs = [scope.spawn(run), scope.spawn(run)];
        while !runs.iter().any(|run| run.is_finished()) {
            std::thread::yield_now();
        }
        control.cancel();
        let errors: Vec<RunError> = runs
            .into_iter()
            .map(|run| run.join().unwrap().unwrap_err())
            .collect();
        assert!(
            errors.iter().any(|error| matches!(error, RunError::Busy)),
            "{errors:?}"
        );
    });
}

/// Opens files named by a counter, forever; closes them if told so, and ends when opening fails.
fn file_maker(close: bool) -> String {
    let close = match close {
        true => "(drop (call $close (i32.load (i32.const 32))))",
        false => "",
    };
    format!(
        r#"(module
        (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (func (export "_start") (local $n i32) (local $errno i32)
          (loop
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            ;; Five characters @..O, one per four bits.
            (i64.store (i32.const 0) (i64.or (i64.const 0x4040404040)
              (i64.or (i64.extend_i32_u (i32.and (local.get $n) (i32.const 15)))
              (i64.or (i64.shl (i64.extend_i32_u (i32.and (i32.shr_u (local.get $n) (i32.const 4)) (i32.const 15))) (i64.const 8))
              (i64.or (i64.shl (i64.extend_i32_u (i32.and (i32.shr_u (local.get $n) (i32.const 8)) (i32.const 15))) (i64.const 16))
              (i64.or (i64.shl (i64.extend_i32_u (i32.and (i32.shr_u (local.get $n) (i32.const 12)) (i32.const 15))) (i64.const 24))
                      (i64.shl (i64.extend_i32_u (i32.and (i32.shr_u (local.get $n) (i32.const 16)) (i32.const 15))) (i64.const 32))))))))
            (local.set $errno (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 5) (i32.const 1)
              (i64.const 0x42) (i64.const 0x42) (i32.const 0) (i32.const 32)))
            {close}
            (br_if 0 (i32.eqz (local.get $errno))))
          (call $exit (local.get $errno))))"#
    )
}

#[test]
fn r21_a_million_files_cannot_fill_the_host() {
    let open = run_wat(&file_maker(false), &LIMITS);
    assert_eq!(open.exit_code, 33, "the table of descriptors is full");
    let by_bytes = run_wat(&file_maker(true), &LIMITS);
    assert_eq!(
        by_bytes.status,
        Status::Trap,
        "entries count against the output limit"
    );
    assert!(by_bytes.output_image.len() <= 1 << 20);
    let roomy = with(|limits| limits.output_max = 1 << 40);
    let by_entries = run_wat(&file_maker(true), &roomy);
    assert_eq!(by_entries.exit_code, 51, "an image has no more entries");
    assert_eq!(output(&by_entries).files.len(), 65_535);
}

#[test]
fn r21_a_hole_of_ten_gibibytes_traps_before_it_is_made() {
    let wat = r#"(module
        (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_pwrite" (func $pwrite (param i32 i32 i32 i64 i32) (result i32)))
        (memory (export "memory") 1) (data (i32.const 0) "f")
        (func (export "_start")
          (drop (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 1)
            (i64.const 0x42) (i64.const 0x42) (i32.const 0) (i32.const 8)))
          (i32.store (i32.const 20) (i32.const 1))
          (drop (call $pwrite (i32.load (i32.const 8)) (i32.const 16) (i32.const 1) (i64.const 10737418240) (i32.const 24)))))"#;
    let start = Instant::now();
    let outcome = run_wat(wat, &LIMITS);
    assert_eq!(outcome.status, Status::Trap);
    assert_eq!(output(&outcome).files["f"], b"");
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn r21_calling_the_host_is_charged_for_what_it_moves() {
    let cu = |write| run_wat(&writer(write, 1), &LIMITS).cu;
    assert_eq!(cu(8_000) - cu(0), 1_000);
    assert!(cu(0) >= 100);
}

#[test]
fn damaged_and_foreign_cache_files_are_ignored_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let config = EngineConfig {
        cache_dir: Some(folder.path().join("compiled")),
        instances_max: 2,
        pages_max: 16,
    };
    let wasm =
        wat::parse_str(r#"(module (memory 1) (func (export "_start") unreachable))"#).unwrap();
    let image = input(&["x"]).encode().unwrap();
    let limits = with(|limits| limits.pages_max = 16);
    let run = || {
        let engine = Engine::new(config.clone()).unwrap();
        let program = engine.load(&wasm).unwrap();
        engine
            .run(&program, &image, &limits, &RunControl::none())
            .unwrap()
    };
    let files = || {
        let mut files: Vec<_> = std::fs::read_dir(config.cache_dir.as_ref().unwrap())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        files
    };
    let first = run();
    assert_eq!(first.status, Status::Trap);
    let kept = files();
    assert_eq!(kept.len(), 2, "both builds");
    let sound: Vec<Vec<u8>> = kept
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect();
    assert_eq!(run(), first);
    for (path, bytes) in kept.iter().zip(&sound) {
        let mut damaged = bytes.clone();
        damaged[bytes.len() / 2] ^= 1;
        std::fs::write(path, damaged).unwrap();
        assert_eq!(run(), first);
        assert!(
            std::fs::read(path).unwrap() == *bytes,
            "the file was written again"
        );
        std::fs::write(path, b"short").unwrap();
        assert_eq!(run(), first);
    }
    assert_eq!(files(), kept);
}

#[cfg(unix)]
#[test]
fn a_cache_folder_that_others_can_write_to_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let engine = Engine::new(EngineConfig {
        cache_dir: Some(folder.path().to_owned()),
        instances_max: 1,
        pages_max: 1,
    })
    .unwrap();
    engine
        .load(&wat::parse_str(r#"(module (func (export "_start")))"#).unwrap())
        .unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
