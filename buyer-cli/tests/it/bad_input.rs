//! Bad input and bad guests, one row each: what is said, the hint, the exit code, and that no job and no money came of
//! it. Rows that need a hub and a chain are in the package gio-e2e, file `bad_input.rs`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::offline::{echo, home};
use crate::{gio_buyer, stderr, stdout};

/// A command line that is refused before anybody is asked.
struct Refused {
    name: &'static str,
    args: Vec<String>,
    code: &'static str,
    says: &'static [&'static str],
}

fn words(args: &[&str]) -> Vec<String> {
    args.iter().map(|word| (*word).to_owned()).collect()
}

fn write(dir: &Path, name: &str, bytes: impl AsRef<[u8]>) -> String {
    let path = dir.join(name);
    fs::write(&path, bytes).unwrap();
    path.display().to_string()
}

fn refused(dir: &Path) -> Vec<Refused> {
    let module = |text: &str| wat::parse_str(text).unwrap();
    let foreign = module(
        r#"(module (import "env" "socket" (func)) (memory (export "memory") 1) (func (export "_start")))"#,
    );
    let threads =
        module(r#"(module (memory (export "memory") 1 1 shared) (func (export "_start")))"#);
    let text = write(dir, "text.wasm", "no module at all");
    let foreign = write(dir, "foreign.wasm", foreign);
    let threads = write(dir, "threads.wasm", threads);
    let large = module(r#"(module (memory (export "memory") 4096) (func (export "_start")))"#);
    let large = write(dir, "large.wasm", large);
    let echo = echo();
    let none = dir.join("none.wasm").display().to_string();
    let unknown = write(
        dir,
        "unknown.toml",
        format!("wasm = {echo:?}\nmemory_mb = 3\n"),
    );
    let nearly = write(
        dir,
        "nearly.toml",
        format!("wasm = {echo:?}\n[price]\ncap_gi = 3\n"),
    );
    let past = write(
        dir,
        "past.toml",
        format!("wasm = {echo:?}\n[price]\ndeadline_minutes = 0\n"),
    );
    let row = |name, args: &[&str], code, says| Refused {
        name,
        args: words(args),
        code,
        says,
    };
    vec![
        row(
            "missing job file",
            &["submit", "nowhere.toml"],
            "job-invalid",
            &["cannot read nowhere.toml", "hint: the job file"],
        ),
        row(
            "missing program",
            &["submit", "--wasm", &none],
            "job-invalid",
            &["cannot read", "none.wasm"],
        ),
        row(
            "missing input",
            &["submit", "--wasm", &echo, "--input", &none],
            "job-invalid",
            &["cannot read", "none.wasm"],
        ),
        row(
            "no WASM module",
            &["submit", "--wasm", &text],
            "job-invalid",
            &["text.wasm cannot be run", "hint: "],
        ),
        row(
            "unknown import",
            &["submit", "--wasm", &foreign],
            "job-invalid",
            &["foreign.wasm cannot be run", "env", "socket", "hint: "],
        ),
        row(
            "threads",
            &["submit", "--wasm", &threads],
            "job-invalid",
            &["threads.wasm cannot be run", "hint: "],
        ),
        row(
            "more memory than allowed",
            &["submit", "--wasm", &large, "--memory-mib", "16"],
            "job-invalid",
            &["4096 pages", "hint: --memory-mib 256"],
        ),
        row(
            "unknown job key",
            &["submit", &unknown],
            "job-invalid",
            &[
                "line 2: unknown field `memory_mb`",
                "hint: `gio-buyer submit --help` lists every key",
            ],
        ),
        row(
            "job key with a slip",
            &["submit", &nearly],
            "job-invalid",
            &["did you mean `cap_gio`?"],
        ),
        row(
            "deadline in the past",
            &["submit", "--wasm", &echo, "--deadline", "-5m"],
            "",
            &["`-5m` lies in the past"],
        ),
        row(
            "deadline now",
            &["submit", "--wasm", &echo, "--deadline", "0s"],
            "job-invalid",
            &["the deadline lies in the past", "hint: --deadline 10m"],
        ),
        row(
            "deadline now, in the file",
            &["submit", &past],
            "job-invalid",
            &["the deadline lies in the past", "hint: --deadline 10m"],
        ),
        row(
            "a price that is none",
            &["submit", "--wasm", &echo, "--cap", "0.0000000001"],
            "job-invalid",
            &["decimals"],
        ),
        row(
            "reduce of nothing",
            &["reduce", "j-00000000"],
            "job-unknown",
            &["hint: gio-buyer list"],
        ),
    ]
}

#[test]
fn bad_input_is_refused_with_a_hint_before_a_job_comes_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(dir.path());
    for Refused {
        name,
        args,
        code,
        says,
    } in refused(dir.path())
    {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let output = gio_buyer(&home, &args);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{name}: {said}");
        assert_eq!(stdout(&output), "", "{name}");
        for words in says {
            assert!(said.contains(words), "{name}: `{words}` is not in: {said}");
        }
        if !code.is_empty() {
            assert!(said.contains(&format!("error[{code}]: ")), "{name}: {said}");
        }
    }
    let list = stdout(&gio_buyer(&home, &["list", "--json"]));
    assert_eq!(
        serde_json::from_str::<Value>(&list).unwrap(),
        serde_json::json!([])
    );
}

#[test]
fn an_rpc_that_does_not_answer_is_named_and_nothing_is_touched() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(dir.path());
    for args in [vec!["submit", "--wasm"], vec!["plan", "--wasm"]] {
        let echo = echo();
        let args: Vec<&str> = args.into_iter().chain([echo.as_str()]).collect();
        let output = gio_buyer(&home, &args);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(14), "{said}");
        assert!(
            said.contains("error[rpc-unreachable]: the RPC does not answer"),
            "{said}"
        );
        assert!(said.contains("127.0.0.1:9"), "{said}");
        assert!(
            said.contains("hint: is the `rpc_url` in config.toml right"),
            "{said}"
        );
        assert!(said.contains("retry: "), "{said}");
        if args[0] == "submit" {
            assert!(said.contains("escrow: untouched"), "{said}");
            assert!(said.contains("next: gio-buyer attach j-"), "{said}");
        }
    }
}

/// Imports and a memory, for guests that misbehave.
fn guest(body: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
          (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "path_open"
            (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
          (memory (export "memory") 2)
          (data (i32.const 64) "00000000")
          {body})"#
    );
    wat::parse_str(&text).unwrap()
}

/// Writes 64 KiB to standard output for ever.
const CHATTERBOX: &str = r#"(func (export "_start")
  (i32.store (i32.const 0) (i32.const 128)) (i32.store (i32.const 4) (i32.const 65536))
  (loop (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))) (br 0)))"#;
/// Makes files 00000000, 00000001, ... until it has a million.
const FILER: &str = r#"(func $next (local $at i32)
    (local.set $at (i32.const 71))
    (loop
      (i32.store8 (local.get $at) (i32.add (i32.load8_u (local.get $at)) (i32.const 1)))
      (if (i32.gt_u (i32.load8_u (local.get $at)) (i32.const 57))
        (then
          (i32.store8 (local.get $at) (i32.const 48))
          (local.set $at (i32.sub (local.get $at) (i32.const 1)))
          (br 1)))))
  (func (export "_start") (local $left i32)
    (local.set $left (i32.const 1000000))
    (loop
      (if (call $open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 8) (i32.const 1)
            (i64.const 64) (i64.const 64) (i32.const 0) (i32.const 16)) (then (unreachable)))
      (drop (call $close (i32.load (i32.const 16))))
      (call $next)
      (br_if 0 (local.tee $left (i32.sub (local.get $left) (i32.const 1))))))"#;
/// Grows its memory until it gets none, then traps.
const GLUTTON: &str = r#"(func (export "_start")
  (loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable)"#;

#[test]
fn guests_that_misbehave_end_within_their_limits_and_say_how() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(dir.path());
    let rows: [(&str, &str, &[&str], &str); 5] = [
        (
            "traps",
            r#"(func (export "_start") unreachable)"#,
            &[],
            "a trap",
        ),
        (
            "loops forever",
            r#"(func (export "_start") (loop (br 0)))"#,
            &["--pu", "0.01"],
            "out of CU; raise --pu",
        ),
        ("eats memory", GLUTTON, &["--memory-mib", "8"], "a trap"),
        (
            "prints too much",
            CHATTERBOX,
            &["--output-mib", "1"],
            "a trap",
        ),
        (
            "writes a million files",
            FILER,
            &["--output-mib", "1"],
            "a trap",
        ),
    ];
    for (name, body, flags, ending) in rows {
        let wasm = write(dir.path(), "guest.wasm", guest(body));
        let out = dir.path().join("out").display().to_string();
        let args = [&["run", "--wasm", &wasm, "--out", &out], flags].concat();
        let output = gio_buyer(&home, &args);
        let said = format!("{}{}", stdout(&output), stderr(&output));
        assert_eq!(output.status.code(), Some(10), "{name}: {said}");
        assert!(
            said.contains(&format!("unit 0: {ending}")),
            "{name}: {said}"
        );
        let units = fs::read_to_string(Path::new(&out).join("units.json")).unwrap();
        let units: Value = serde_json::from_str(&units).unwrap();
        assert_ne!(units[0]["status"], "exit", "{name}");
        let stdout_bytes = fs::metadata(Path::new(&out).join("stdout")).unwrap().len();
        assert!(stdout_bytes <= 1 << 20, "{name}: {stdout_bytes}");
        fs::remove_dir_all(&out).unwrap();
    }
}
