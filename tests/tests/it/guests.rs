//! Programs that mean no good, bought on a running market: each unit ends within its limits, is metered and paid for, and
//! the miner works on.

use std::fs;

use gio_e2e::devnet::Settings;

use crate::story::{Answer, Story, block_on, text};

/// Writes the same 64 KiB again and again; 10 GiB if nobody stops it.
const PRINTER: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (func (export "_start") (local $n i32)
    (i32.store (i32.const 0) (i32.const 64))
    (i32.store (i32.const 4) (i32.const 65536))
    (loop $again
      (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $n) (i32.const 163840))))))"#;

/// Takes pages until it gets none, then traps.
const EATER: &str = r#"(module
  (memory (export "memory") 1)
  (func (export "_start")
    (loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
    unreachable))"#;

/// Makes files of five letters until it is refused, and ends with the refusal.
const FILES: &str = r#"(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start") (local $n i32) (local $place i32) (local $errno i32)
    (loop $again
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (local.set $place (i32.const 0))
      (loop $letter
        (i32.store8 (local.get $place) (i32.add (i32.const 97)
          (i32.and (i32.shr_u (local.get $n) (i32.mul (local.get $place) (i32.const 4))) (i32.const 15))))
        (local.set $place (i32.add (local.get $place) (i32.const 1)))
        (br_if $letter (i32.lt_u (local.get $place) (i32.const 5))))
      (local.set $errno (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 5) (i32.const 1)
        (i64.const 0x42) (i64.const 0x42) (i32.const 0) (i32.const 32)))
      (drop (call $close (i32.load (i32.const 32))))
      (br_if $again (i32.eqz (local.get $errno))))
    (call $exit (local.get $errno))))"#;

/// Name, program, and how its unit may end.
const GUESTS: [(&str, &str, &[&str]); 5] = [
    (
        "trap",
        r#"(module (memory (export "memory") 1) (func (export "_start") unreachable))"#,
        &["trap"],
    ),
    (
        "endless",
        r#"(module (memory (export "memory") 1) (func (export "_start") (loop $again (br $again))))"#,
        &["cu_exhausted"],
    ),
    ("eater", EATER, &["trap"]),
    ("printer", PRINTER, &["trap"]),
    ("files", FILES, &["trap", "exit"]),
];

#[test]
fn a_program_that_means_no_good_ends_within_its_limits_and_is_billed_within_its_cap() {
    block_on(async {
        let mut story = Story::start(Settings {
            miners: 1,
            ..Settings::default()
        })
        .await;
        for (name, program, ends) in GUESTS {
            let before = story.balance("buyer").await;
            let wasm = story.net.folder.join(format!("{name}.wasm"));
            fs::write(&wasm, wat::parse_str(program).unwrap()).unwrap();
            let out = story.net.folder.join(name);
            let args = [
                "submit",
                "--json",
                "--yes",
                "--wasm",
                text(&wasm),
                "--split",
                "none",
                "--pu",
                "1",
                "--cap",
                "1",
                "--out",
                text(&out),
            ];
            let answer = Answer::of(&story.net.buyer(&args).output().await.unwrap());
            let answer = answer.expect(10);
            let units: serde_json::Value =
                serde_json::from_slice(&fs::read(out.join("units.json")).unwrap()).unwrap();
            let end = units[0]["status"].as_str().unwrap();
            assert!(ends.contains(&end), "{name} ended as {end}");
            let paid = before.minus(story.balance("buyer").await).unwrap();
            assert!(
                paid.units() <= 100_000_000,
                "{name} cost {paid}, more than its cap: {answer:?}"
            );
            story.net.miners[0].as_mut().unwrap().check().unwrap();
            story.net.hub.as_mut().unwrap().check().unwrap();
        }
        story.net.stop().await.unwrap();
    });
}
