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
        text.contains("before  stack") && text.contains("holds"),
        "{text}"
    );
    let beyond = verifier(&["step", "99999999999", ECHO]);
    assert_eq!(beyond.status.code(), Some(2));
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
