//! Every page of help and every error of `gio-verifier`, word for word.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "../../tests/support/golden.rs"]
mod golden;

use std::fs;

use golden::Golden;

const ECHO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../apps/echo/echo.wasm");

#[test]
fn every_command_explains_itself() {
    Golden::new(
        env!("CARGO_BIN_EXE_gio-verifier"),
        "gio-verifier",
        env!("CARGO_MANIFEST_DIR"),
    )
    .check_help();
}

#[test]
fn every_command_says_what_is_wrong_as_written_down() {
    let dir = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_gio-verifier");
    let mut golden = Golden::new(program, "gio-verifier", env!("CARGO_MANIFEST_DIR"));
    golden.replace(dir.path().display().to_string(), "DIR");
    golden.replace(ECHO, "ECHO");
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let none = dir.path().join("none.wasm").display().to_string();
    let text = file("notes.wasm", b"this is no program");
    let empty = file("empty.wasm", b"\0asm\x01\0\0\0");
    let foreign = file(
        "foreign.wasm",
        &wat(
            r#"(module (import "env" "now" (func)) (memory (export "memory") 1) (func (export "_start")))"#,
        ),
    );
    let tables = file(
        "tables.wasm",
        &wat(r#"(module (table 1 funcref) (table 1 funcref) (func (export "_start")))"#),
    );
    let nowhere = dir.path().join("none/proof").display().to_string();
    let mut lines: Vec<Vec<&str>> = Vec::new();
    for wasm in [&none, &text, &empty, &foreign, &tables] {
        lines.push(vec!["prepare", wasm]);
    }
    lines.push(vec!["--json", "prepare", &empty]);
    lines.push(vec!["trace", &none]);
    lines.push(vec!["check", &none]);
    lines.push(vec!["prepare", "/dev/zero"]);
    lines.push(vec!["trace", ECHO, "--stdin", "/dev/zero"]);
    lines.push(vec!["step", "10", ECHO, "--proof", &nowhere]);
    let shown: Vec<&[&str]> = lines.iter().map(Vec::as_slice).collect();
    golden.check_lines("errors-input", &shown);
    let usage: [&[&str]; 6] = [
        &[],
        &["prepar", ECHO],
        &["prepare"],
        &["--json", "prepare"],
        &["step", "first", ECHO],
        &["trace", ECHO, "--form", "1"],
    ];
    golden.check_lines("errors-usage", &usage);
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}
