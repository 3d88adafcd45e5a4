//! A user's own program runs here as it runs under wasmtime alone, and what it can reach is the unit's own.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

use gio_content::image::InputImage;
use gio_protocol::{B256, Status, keccak256, tag};
use gio_runtime::UnitLimits;
use support::{LIMITS, everything, input, output, peer, run, run_wat};

const ECHO: &[u8] = include_bytes!("../../../apps/echo/echo.wasm");

fn assert_same_as_wasmtime(wasm: &[u8], image: &InputImage) {
    let outcome = run(wasm, image, &LIMITS);
    let found = output(&outcome);
    let expected = peer::run(wasm, image);
    assert_eq!(outcome.status, Status::Exit);
    let found = peer::Peer {
        exit_code: outcome.exit_code.cast_signed(),
        stdout: found.stdout,
        stderr: found.stderr,
        files: found.files,
    };
    assert_eq!(
        String::from_utf8_lossy(&found.stdout),
        String::from_utf8_lossy(&expected.stdout)
    );
    assert_eq!(found, expected);
}

#[test]
fn a_users_program_does_what_it_does_under_wasmtime() {
    let image = everything();
    assert_same_as_wasmtime(ECHO, &image);
    assert_eq!(run(ECHO, &image, &LIMITS).exit_code, 3);
}

#[test]
fn a_program_without_any_input_does_the_same_too() {
    assert_same_as_wasmtime(ECHO, &input(&["echo"]));
    assert_same_as_wasmtime(ECHO, &input(&["echo", "missing"]));
}

#[test]
fn absolute_paths_lead_to_the_same_files() {
    let mut image = input(&["echo", "/deep/er/file"]);
    image
        .files
        .insert("deep/er/file".into(), b"content".to_vec());
    assert_same_as_wasmtime(ECHO, &image);
}

#[test]
fn a_run_is_a_function_of_its_unit() {
    let image = input(&["echo", "x"]);
    assert_eq!(run(ECHO, &image, &LIMITS), run(ECHO, &image, &LIMITS));
}

/// A program whose `body` may call WASI and the helpers; everything it reports goes through `$say`.
fn program(body: &str) -> String {
    format!(
        r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_seek" (func $fd_seek (param i32 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_pwrite" (func $fd_pwrite (param i32 i32 i32 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_readdir" (func $fd_readdir (param i32 i32 i32 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_filestat_set_size" (func $set_size (param i32 i64) (result i32)))
        (import "wasi_snapshot_preview1" "path_open" (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "path_unlink_file" (func $unlink (param i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "path_rename" (func $rename (param i32 i32 i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "path_create_directory" (func $mkdir (param i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "path_remove_directory" (func $rmdir (param i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "sock_shutdown" (func $shutdown (param i32 i32) (result i32)))
        (memory (export "memory") 2)
        (data (i32.const 1024) "file") (data (i32.const 1040) "a/b") (data (i32.const 1056) "../up")
        (data (i32.const 1072) "in") (data (i32.const 1088) "a") (data (i32.const 1104) "back\5cslash")
        ;; Writes bytes to a descriptor; answers the errno.
        (func $put (param $fd i32) (param $at i32) (param $len i32) (result i32)
          (i32.store (i32.const 0) (local.get $at)) (i32.store (i32.const 4) (local.get $len))
          (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)))
        ;; Appends a byte to standard output.
        (func $say (param $byte i32)
          (i32.store8 (i32.const 16) (local.get $byte))
          (drop (call $put (i32.const 1) (i32.const 16) (i32.const 1))))
        ;; Opens for reading and writing; answers the errno, the descriptor is at 12.
        (func $open (param $at i32) (param $len i32) (param $flags i32) (result i32)
          (call $path_open (i32.const 3) (i32.const 0) (local.get $at) (local.get $len) (local.get $flags)
            (i64.const 0x42) (i64.const 0x42) (i32.const 0) (i32.const 12)))
        (func $fd (result i32) (i32.load (i32.const 12)))
        (func (export "_start") {body}))"#
    )
}

fn says(body: &str, image: &InputImage) -> Vec<u8> {
    let wasm = wat::parse_str(program(body)).unwrap();
    let outcome = run(&wasm, image, &LIMITS);
    assert_eq!(outcome.status, Status::Exit);
    output(&outcome).stdout
}

#[test]
fn the_clock_begins_at_the_deals_time_and_advances_a_millisecond_per_reading() {
    let body = "(drop (call $clock (i32.const 0) (i64.const 1) (i32.const 2000)))
        (drop (call $clock (i32.const 1) (i64.const 1) (i32.const 2008)))
        (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 2016)))
        (drop (call $put (i32.const 1) (i32.const 2000) (i32.const 24)))
        (call $say (call $clock (i32.const 4) (i64.const 1) (i32.const 2000)))";
    let start = LIMITS.clock_start * 1_000_000_000;
    let expected = [start, start + 1_000_000, start + 2_000_000];
    let mut bytes: Vec<u8> = expected
        .iter()
        .flat_map(|time| time.to_le_bytes())
        .collect();
    bytes.push(28);
    assert_eq!(says(body, &InputImage::default()), bytes);
}

#[test]
fn randomness_is_the_seeds_one_stream() {
    let body = "(drop (call $random (i32.const 2000) (i32.const 5)))
        (drop (call $random (i32.const 2005) (i32.const 60)))
        (drop (call $put (i32.const 1) (i32.const 2000) (i32.const 65)))";
    let mut expected = Vec::new();
    let name = tag("gio.random.v1");
    for block in 0u64..3 {
        let preimage = [&name[..], &LIMITS.unit_seed[..], &block.to_be_bytes()];
        expected.extend(keccak256(preimage.concat()));
    }
    expected.truncate(65);
    assert_eq!(says(body, &InputImage::default()), expected);
    let other = UnitLimits {
        unit_seed: B256::ZERO,
        ..LIMITS
    };
    assert_ne!(output(&run_wat(&program(body), &other)).stdout, expected);
}

#[test]
fn unsupported_calls_say_so() {
    let body = "(call $say (call $poll (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
        (call $say (call $shutdown (i32.const 1) (i32.const 0)))";
    assert_eq!(says(body, &InputImage::default()), [52, 52]);
}

#[test]
fn pointers_outside_memory_are_faults_and_change_nothing() {
    let body = "(call $say (call $put (i32.const 1) (i32.const 131070) (i32.const 3)))
        (call $say (call $put (i32.const 1) (i32.const -1) (i32.const -1)))
        (call $say (call $fd_write (i32.const 1) (i32.const 131068) (i32.const 1) (i32.const 8)))
        (call $say (call $fd_write (i32.const 1) (i32.const 0) (i32.const -1) (i32.const 8)))
        (i32.store (i32.const 0) (i32.const 16)) (i32.store (i32.const 4) (i32.const 1))
        (call $say (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 131069)))
        (call $say (call $random (i32.const 131071) (i32.const 2)))
        (call $say (call $open (i32.const 131071) (i32.const 2) (i32.const 1)))";
    assert_eq!(
        says(body, &InputImage::default()),
        [21, 21, 21, 28, 21, 21, 21]
    );
}

#[test]
fn bad_descriptors_and_paths_have_their_errors() {
    let body = "(call $say (call $put (i32.const 9) (i32.const 16) (i32.const 1))) ;; BADF
        (call $say (call $put (i32.const 0) (i32.const 16) (i32.const 1))) ;; BADF
        (call $say (call $put (i32.const 3) (i32.const 16) (i32.const 1))) ;; BADF
        (call $say (call $fd_seek (i32.const 1) (i64.const 0) (i32.const 0) (i32.const 32))) ;; SPIPE
        (call $say (call $open (i32.const 1024) (i32.const 4) (i32.const 0))) ;; NOENT
        (call $say (call $open (i32.const 1040) (i32.const 3) (i32.const 1))) ;; NOENT: no folder a
        (call $say (call $open (i32.const 1056) (i32.const 5) (i32.const 1))) ;; PERM: outside
        (call $say (call $open (i32.const 1104) (i32.const 10) (i32.const 1))) ;; ILSEQ: no image holds it
        (call $say (call $open (i32.const 1024) (i32.const 300) (i32.const 1))) ;; INVAL: holds NUL
        (call $say (call $mkdir (i32.const 3) (i32.const 1088) (i32.const 1)))
        (call $say (call $mkdir (i32.const 3) (i32.const 1088) (i32.const 1))) ;; EXIST
        (call $say (call $open (i32.const 1088) (i32.const 1) (i32.const 0))) ;; ISDIR
        (call $say (call $unlink (i32.const 3) (i32.const 1088) (i32.const 1))) ;; ISDIR
        (call $say (call $open (i32.const 1040) (i32.const 3) (i32.const 1)))
        (call $say (call $open (i32.const 1040) (i32.const 3) (i32.const 5))) ;; EXIST: exclusive
        (call $say (call $open (i32.const 1040) (i32.const 3) (i32.const 2))) ;; NOTDIR
        (call $say (call $rmdir (i32.const 3) (i32.const 1088) (i32.const 1))) ;; NOTEMPTY
        (call $say (call $unlink (i32.const 3) (i32.const 1040) (i32.const 3)))
        (call $say (call $rmdir (i32.const 3) (i32.const 1088) (i32.const 1)))
        (call $say (call $fd_close (call $fd)))
        (call $say (call $fd_close (call $fd)))";
    let expected = [
        8, 8, 8, 70, 44, 44, 63, 25, 28, 0, 20, 31, 31, 0, 20, 54, 55, 0, 0, 0, 8,
    ];
    assert_eq!(says(body, &InputImage::default()), expected);
}

#[test]
fn an_input_file_that_is_written_to_becomes_output_and_others_do_not() {
    let mut image = InputImage::default();
    image.files.insert("file".into(), b"0123456789".to_vec());
    image.files.insert("in".into(), b"input".to_vec());
    let body = "(call $say (call $open (i32.const 1072) (i32.const 2) (i32.const 0)))
        (call $say (call $open (i32.const 1024) (i32.const 4) (i32.const 0)))
        (drop (call $fd_seek (call $fd) (i64.const -3) (i32.const 2) (i32.const 32)))
        (call $say (call $put (call $fd) (i32.const 1072) (i32.const 2)))
        (call $say (call $set_size (call $fd) (i64.const 12)))";
    let outcome = run(&wat::parse_str(program(body)).unwrap(), &image, &LIMITS);
    let output = output(&outcome);
    assert_eq!(output.stdout, [0, 0, 0, 0]);
    let written: Vec<_> = output.files.into_iter().collect();
    assert_eq!(written, [("file".to_owned(), b"0123456in9\0\0".to_vec())]);
}

#[test]
fn a_renamed_file_replaces_what_was_there() {
    let mut image = InputImage::default();
    image.files.insert("file".into(), b"new".to_vec());
    image.files.insert("a/b".into(), b"old".to_vec());
    let body = "(call $say (call $rename (i32.const 3) (i32.const 1024) (i32.const 4) (i32.const 3) (i32.const 1040) (i32.const 3)))
        (call $say (call $open (i32.const 1024) (i32.const 4) (i32.const 0)))";
    let outcome = run(&wat::parse_str(program(body)).unwrap(), &image, &LIMITS);
    let output = output(&outcome);
    assert_eq!(output.stdout, [0, 44]);
    assert_eq!(output.files["a/b"], b"new");
    assert_eq!(output.files.len(), 1);
}

#[test]
fn a_removed_file_lives_while_it_is_open_and_is_no_output() {
    let body = "(call $say (call $open (i32.const 1024) (i32.const 4) (i32.const 1)))
        (call $say (call $unlink (i32.const 3) (i32.const 1024) (i32.const 4)))
        (call $say (call $put (call $fd) (i32.const 1024) (i32.const 4)))
        (drop (call $fd_seek (call $fd) (i64.const 1) (i32.const 0) (i32.const 32)))
        (i32.store (i32.const 0) (i32.const 2000)) (i32.store (i32.const 4) (i32.const 99))
        (call $say (call $fd_read (call $fd) (i32.const 0) (i32.const 1) (i32.const 40)))
        (call $say (i32.load (i32.const 40)))
        (call $say (i32.load8_u (i32.const 2000)))";
    let outcome = run_wat(&program(body), &LIMITS);
    let output = output(&outcome);
    assert_eq!(output.stdout, [0, 0, 0, 0, 3, b'i']);
    assert!(output.files.is_empty());
}

#[test]
fn a_folder_is_listed_piecewise_in_the_order_of_its_names() {
    let mut image = InputImage::default();
    for name in ["b", "a/x", "c"] {
        image.files.insert(name.into(), Vec::new());
    }
    // Entries 1 and 2 are `.` and `..`; a buffer of 26 bytes holds one entry with a name of one byte, and a bit.
    let body = "(call $say (call $fd_readdir (i32.const 3) (i32.const 2000) (i32.const 26) (i64.const 2) (i32.const 40)))
        (call $say (i32.load (i32.const 40)))
        (call $say (i32.load8_u (i32.const 2024))) (call $say (i32.load8_u (i32.const 2020)))
        (call $say (i32.load8_u (i32.const 2000)))
        (call $say (call $fd_readdir (i32.const 3) (i32.const 2000) (i32.const 999) (i64.const 4) (i32.const 40)))
        (call $say (i32.load (i32.const 40)))
        (call $say (i32.load8_u (i32.const 2024))) (call $say (i32.load8_u (i32.const 2020)))
        (call $say (call $fd_readdir (i32.const 3) (i32.const 2000) (i32.const 999) (i64.const -1) (i32.const 40)))
        (call $say (i32.load (i32.const 40)))";
    assert_eq!(
        says(body, &image),
        [0, 26, b'a', 3, 3, 0, 25, b'c', 4, 0, 0]
    );
}

#[test]
fn a_program_without_memory_may_exit_but_not_read() {
    let exit = r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (func (export "_start") (call $exit (i32.const 77))))"#;
    let outcome = run_wat(exit, &LIMITS);
    assert_eq!((outcome.status, outcome.exit_code), (Status::Exit, 77));
    let random = r#"(module (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (func (export "_start") (call $exit (call $random (i32.const 0) (i32.const 1)))))"#;
    assert_eq!(run_wat(random, &LIMITS).exit_code, 21);
}
