//! The commands as people run them.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::process::{Command, Output};

const ECHO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../apps/echo/echo.wasm");

fn verifier(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gio-verifier"))
        .args(args)
        .output()
        .unwrap()
}

fn json(args: &[&str]) -> serde_json::Value {
    let output = verifier(args);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn prepare_names_the_program_root() {
    let value = json(&["--json", "prepare", ECHO]);
    assert_eq!(value["version"], 1);
    let root = value["program_root"].as_str().unwrap();
    let text = verifier(&["prepare", ECHO]);
    assert!(String::from_utf8(text.stdout).unwrap().contains(root));
}

#[test]
fn what_is_no_program_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.wasm");
    std::fs::write(&path, b"\0asm\x01\0\0\0").unwrap();
    let output = verifier(&["prepare", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("not a command"), "{text}");
    assert!(text.contains("hint:"), "{text}");
    assert_eq!(verifier(&["prepare", "/nowhere"]).status.code(), Some(2));
    assert_eq!(verifier(&["dance"]).status.code(), Some(2));
}

#[test]
fn an_input_larger_than_any_image_is_refused_before_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sparse");
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(3 << 30).unwrap();
    let sparse = path.to_str().unwrap();
    let named = format!("in={sparse}");
    let many = ["--file", "a=/dev/zero", "--file", &named];
    for option in [&["--stdin", sparse][..], &["--stdin", "/dev/zero"], &many] {
        let output = verifier(&[&["trace", ECHO][..], option].concat());
        assert_eq!(output.status.code(), Some(2));
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains("more than 134217728 bytes"), "{text}");
    }
}

#[test]
fn a_traced_state_is_where_the_step_before_it_leads() {
    let traced = json(&["--json", "trace", ECHO, "--at", "1000", "--at", "1001"]);
    let states = &traced["states"];
    let step = json(&["--json", "step", "1000", ECHO, "--explain"]);
    assert_eq!(step["proven"], true);
    assert_eq!(step["before"]["hash"], states[0]["hash"]);
    assert_eq!(step["after"]["hash"], states[1]["hash"]);
    assert_eq!(states[2]["halted"]["exit_code"], 3);
    let text = verifier(&["step", "1000", ECHO, "--explain"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(
        text.contains("  pops  ") && text.contains("  CU  ") && text.contains("holds"),
        "{text}"
    );
    let beyond = verifier(&["step", "99999999999", ECHO]);
    assert_eq!(beyond.status.code(), Some(2));
}

/// A program that touches every kind of thing an instruction can touch, and traps at its end.
const TOUCHES: &str = r#"(module (memory 1 4) (global (mut i32) (i32.const 5)) (table 1 funcref) (elem (i32.const 0) $add)
    (type $unary (func (param i32) (result i32)))
    (func $add (type $unary) (i32.add (local.get 0) (i32.const 2)))
    (func $main (export "_start") (local i32)
        (local.set 0 (i32.const 7))
        (i32.store (i32.const 30) (i32.const 0x11223344))
        (local.set 0 (i32.load (i32.const 30)))
        (global.set 0 (i32.const 9))
        (drop (memory.grow (i32.const 1)))
        (local.set 0 (call $add (i32.const 3)))
        (local.set 0 (call_indirect (type $unary) (i32.const 3) (i32.const 0)))
        (memory.fill (i32.const 64) (i32.const 1) (i32.const 40))
        (memory.copy (i32.const 160) (i32.const 64) (i32.const 8))
        (i32.store8 (i32.const -1) (i32.const 0))))"#;

#[test]
fn an_explained_step_shows_what_its_instruction_touches() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("touches.wasm");
    std::fs::write(&path, wat::parse_str(TOUCHES).unwrap()).unwrap();
    let path = path.to_str().unwrap();
    let last = json(&["--json", "trace", path])["states"][0]["step"].as_u64();
    let at: Vec<String> = (0..last.unwrap())
        .map(|step| format!("--at={step}"))
        .collect();
    let at: Vec<&str> = at.iter().map(String::as_str).collect();
    let traced = json(&[&["--json", "trace", path], &at[..]].concat());
    let states = traced["states"].as_array().unwrap();
    let explained = |name: &str, function: &str| {
        let state = states.iter().find(|state| {
            let is =
                |key: &str, text: &str| state[key].as_str().is_some_and(|it| it.starts_with(text));
            is("function", function) && is("instruction", name)
        });
        let step = state.unwrap_or_else(|| panic!("no {name} in {function}"))["step"].to_string();
        let value = json(&["--json", "step", &step, path, "--explain"]);
        assert_eq!(value["proven"], true, "{name}");
        assert!(value["function_bytes"][1].as_u64() > value["function_bytes"][0].as_u64());
        value["explained"].clone()
    };
    let (add, main) = ("function 0 `add`", "function 1 `main`");
    for (function, name, pops, pushes, touched) in [
        (
            main,
            "local.set",
            &["0x7"][..],
            &[][..],
            &[["local 0", "0x0", "0x7"]][..],
        ),
        (
            main,
            "i32.store",
            &["0x1e", "0x11223344"],
            &[],
            &[["4 bytes at 0x1e of memory 0", "00000000", "44332211"]],
        ),
        (
            main,
            "i32.load",
            &["0x1e"],
            &["0x11223344"],
            &[["4 bytes at 0x1e of memory 0", "44332211", "44332211"]],
        ),
        (
            main,
            "global.set",
            &["0x9"],
            &[],
            &[["global 0", "0x5", "0x9"]],
        ),
        (
            main,
            "memory.grow",
            &["0x1"],
            &["0x1"],
            &[["pages of memory 0", "1", "2"]],
        ),
        (main, "call ", &[], &[], &[["call depth", "2", "3"]]),
        (
            main,
            "call_indirect",
            &["0x0"],
            &[],
            &[["call depth", "2", "3"]],
        ),
        (add, "return", &[], &[], &[["call depth", "3", "2"]]),
        (add, "i32.add", &["0x3", "0x2"], &["0x5"], &[]),
        (
            main,
            "fill",
            &["0x40", "0x1", "0x28"],
            &["0x60", "0x1", "0x8"],
            &[[
                "32 bytes at 0x40 of memory 0",
                &"00".repeat(32),
                &"01".repeat(32),
            ]],
        ),
        (
            main,
            "copy",
            &["0xa0", "0x40", "0x8"],
            &[],
            &[
                [
                    "8 bytes at 0xa0 of memory 0",
                    "0000000000000000",
                    "0101010101010101",
                ],
                [
                    "8 bytes at 0x40 of memory 0",
                    "0101010101010101",
                    "0101010101010101",
                ],
            ],
        ),
        (
            main,
            "i32.store8",
            &["0xffffffff", "0x0"],
            &[],
            &[["1 byte at 0xffffffff of memory 0", "outside", "outside"]],
        ),
    ] {
        let found = explained(name, function);
        assert_eq!(found["pops"], serde_json::json!(pops), "{name}");
        assert_eq!(found["pushes"], serde_json::json!(pushes), "{name}");
        let parts = found["touched"].as_array().unwrap();
        for [what, before, after] in touched {
            let part = serde_json::json!({"what": what, "before": before, "after": after});
            assert!(parts.contains(&part), "{name}: no {part} in {found}");
        }
    }
    let store = explained("i32.store", main);
    let leaves = store["touched"].as_array().unwrap().iter();
    let leaves = leaves.filter(|part| part["what"].as_str().unwrap().starts_with("leaf "));
    assert_eq!(leaves.count(), 2, "{store}");
    assert_eq!(explained("i32.store8", main)["ended"], "it traps");
}

#[test]
fn a_state_behind_the_last_is_refused_and_the_last_is_not() {
    let traced = json(&["--json", "trace", ECHO]);
    let last = traced["states"][0]["step"].as_u64().unwrap();
    let same = json(&["--json", "trace", ECHO, "--at", &last.to_string()]);
    assert_eq!(traced, same);
    let behind = (last + 1).to_string();
    let output = verifier(&["trace", ECHO, "--at", "10", "--at", &behind]);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    let said = format!("halts after {last} steps");
    assert!(text.contains(&said) && text.contains(&behind), "{text}");
}

#[test]
fn a_proof_that_cannot_be_written_names_its_place() {
    let output = verifier(&["step", "10", ECHO, "--proof", "/nowhere/x"]);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("cannot write /nowhere/x"), "{text}");
}

#[test]
fn check_finds_all_engines_of_one_mind() {
    let value = json(&["--json", "check", ECHO, "--steps", "40", "--", "a", "b"]);
    assert_eq!(value["wasmtime_agrees"], true);
    assert_eq!(value["mirror_disagrees_at"], serde_json::Value::Null);
    assert_eq!(value["halted"]["status"], "exit");
    assert_eq!(value["steps_proven"], 40);
}

#[test]
fn check_proves_every_step_of_a_short_program() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("short.wasm");
    let text = r#"(module (memory 1) (func (export "_start") (drop (i32.const 1))))"#;
    std::fs::write(&path, wat::parse_str(text).unwrap()).unwrap();
    let path = path.to_str().unwrap();
    let steps = json(&["--json", "check", path])["steps"].as_u64().unwrap();
    assert!((3..10_000).contains(&steps), "{steps}");
    for (asked, proven) in [(steps + 1, steps), (steps, steps), (steps - 1, steps - 1)] {
        let value = json(&["--json", "check", path, "--steps", &asked.to_string()]);
        assert_eq!(value["steps_proven"], proven, "of {steps}");
    }
}
