//! Modules that nobody should have made: refused by name, never a panic.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "../../../verifier/machine/tests/support/prepared.rs"]
mod prepared;

use gio_machine::{PrepareError, PrepareLimits, prepare_provable};
use prepared::prepare_any;

const ECHO: &[u8] = include_bytes!("../../../apps/echo/echo.wasm");

fn refusal(text: &str) -> PrepareError {
    let wasm = wat::parse_str(text).unwrap();
    prepare_provable(&wasm, &PrepareLimits::default()).unwrap_err()
}

fn command(body: &str) -> String {
    format!("(module {body} (func (export \"_start\")))")
}

#[test]
fn a_truncated_module_is_refused_wherever_it_ends() {
    for end in (0..ECHO.len()).step_by(97) {
        let refused = prepare_provable(&ECHO[..end], &PrepareLimits::default());
        assert!(refused.is_err(), "the first {end} bytes are a program");
    }
}

#[test]
fn a_module_with_flipped_bits_does_no_harm() {
    for place in (8..ECHO.len()).step_by(61) {
        let mut bytes = ECHO.to_vec();
        bytes[place] ^= 1 << (place % 8);
        prepare_any(&bytes);
    }
}

#[test]
fn segments_outside_of_memory_and_table_are_refused() {
    let data = |at: u64| command(&format!("(memory 1) (data (i32.const {at}) \"ab\")"));
    assert!(
        prepare_provable(
            &wat::parse_str(data(65534)).unwrap(),
            &PrepareLimits::default()
        )
        .is_ok()
    );
    for at in [65535, 65536, 0xffff_ffff] {
        assert_eq!(
            refusal(&data(at)),
            PrepareError::Segment {
                what: "data segment",
                index: 0
            }
        );
    }
    let elements = command("(table 2 funcref) (func $f) (elem (i32.const 1) $f $f)");
    assert_eq!(
        refusal(&elements),
        PrepareError::Segment {
            what: "element segment",
            index: 0
        }
    );
}

#[test]
fn a_million_functions_are_refused_before_their_code() {
    let mut module = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03".to_vec();
    // The function section: 1,000,000 times type 0.
    let mut section = vec![0xc0, 0x84, 0x3d];
    section.resize(3 + 1_000_000, 0);
    module.extend([0xc3, 0x84, 0x3d]);
    module.extend(section);
    let error = prepare_provable(&module, &PrepareLimits::default()).unwrap_err();
    assert!(
        matches!(
            error,
            PrepareError::TooLarge {
                what: "functions",
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn nesting_tables_and_clean_ups_have_limits() {
    let deep = format!("{}{}", "(block ".repeat(10_001), ")".repeat(10_001));
    let deep = format!("(module (func (export \"_start\") {deep}))");
    assert!(matches!(refusal(&deep), PrepareError::TooLarge { .. }));
    let table = format!(
        "(module (func (export \"_start\") (block (br_table {} (i32.const 0)))))",
        "0 ".repeat(100_002)
    );
    assert!(matches!(refusal(&table), PrepareError::TooLarge { .. }));
    // Every entry has to drop a thousand operands, and there are three thousand targets.
    let mut clean_up = String::from("(module (func (export \"_start\")\n");
    for _ in 0..3000 {
        clean_up.push_str("(block (i32.const 1)\n");
    }
    let targets: Vec<String> = (0..3000).map(|depth| depth.to_string()).collect();
    clean_up.push_str(&format!("(br_table {} (i32.const 0))", targets.join(" ")));
    for _ in 0..3000 {
        clean_up.push_str("drop)\n");
    }
    clean_up.push_str("))");
    let error = refusal(&clean_up);
    assert!(
        matches!(
            error,
            PrepareError::TooLarge {
                what: "instructions of one function",
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn preparing_is_a_function_of_the_bytes() {
    let prepare = || prepare_provable(ECHO, &PrepareLimits::default()).unwrap();
    let (first, second) = (prepare(), prepare());
    assert_eq!(first.program, second.program);
    assert_eq!(first.builds, second.builds);
}

/// The roots of the committed programs; a change of any of them is a new machine version.
#[test]
fn program_roots_are_what_they_were() {
    let vectors = include_str!("../../../tests/vectors/programs.json");
    let apps = concat!(env!("CARGO_MANIFEST_DIR"), "/../../apps");
    let mut compared = 0;
    for line in vectors.lines() {
        let [_, path, _, root, _] = line.split('"').collect::<Vec<_>>()[..] else {
            continue;
        };
        let wasm = std::fs::read(format!("{apps}/{path}")).unwrap();
        let provable = prepare_provable(&wasm, &PrepareLimits::default()).unwrap();
        assert_eq!(provable.program.root().to_string(), root, "{path}");
        compared += 1;
    }
    assert_eq!(compared, 10);
}
