//! What `prepare` refuses, by name.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use gio_machine::{PrepareError, PrepareLimits, WasiCall, prepare, prepare_provable};
use proptest::prelude::*;
use wasm_encoder::{
    CodeSection, ExportKind, ExportSection, Function, FunctionSection, Instruction, Module,
    TypeSection,
};

fn refusal(wat: &str) -> PrepareError {
    let wasm = wat::parse_str(wat).unwrap();
    prepare(&wasm, &PrepareLimits::default()).unwrap_err()
}

fn command(body: &str) -> String {
    format!(r#"(module (memory 1) (table 1 funcref) (func (export "_start") {body}))"#)
}

fn feature_of(wat: &str) -> &'static str {
    match refusal(wat) {
        PrepareError::Feature { feature, .. } => feature,
        other => panic!("{wat} is refused for another reason: {other}"),
    }
}

#[test]
fn features_outside_the_accepted_set_are_named() {
    let v128 = command("(drop (i8x16.splat (i32.const 0)))");
    assert_eq!(feature_of(&v128), "SIMD");
    let atomic = command("(drop (i32.atomic.load (i32.const 0)))");
    assert_eq!(feature_of(&atomic), "threads and atomics");
    assert_eq!(feature_of(&command("(return_call 0)")), "tail calls");
    assert_eq!(
        feature_of(&command("(drop (ref.null func))")),
        "reference types"
    );
    assert_eq!(
        feature_of(&command("(drop (table.size 0))")),
        "reference types"
    );
    assert_eq!(
        feature_of(&command(
            "(table.copy (i32.const 0) (i32.const 0) (i32.const 0))"
        )),
        "table.copy"
    );
    assert_eq!(feature_of("(module (memory i64 1))"), "64-bit memory");
    let memories = refusal("(module (memory 1) (memory 1))").to_string();
    assert!(memories.contains("multiple memories"), "{memories}");
    assert_eq!(
        feature_of("(module (memory 1 1 shared))"),
        "threads and atomics"
    );
    assert_eq!(
        feature_of("(module (global i32 (i32.add (i32.const 1) (i32.const 2))))"),
        "extended constant expressions"
    );
    let passive = r#"(module (table 1 funcref) (func $f) (elem func $f))"#;
    assert_eq!(feature_of(passive), "an element segment that is not active");
}

#[test]
fn a_refused_operator_is_located() {
    let wat = r#"(module (func) (func (export "_start") nop (drop (i8x16.splat (i32.const 0)))))"#;
    let PrepareError::Feature { place, .. } = refusal(wat) else {
        panic!("not refused as a feature")
    };
    assert_eq!(place.function, Some(1));
    let wasm = wat::parse_str(wat).unwrap();
    assert_eq!(
        wasm[place.offset..place.offset + 2],
        [0xfd, 0x0f],
        "i8x16.splat"
    );
}

#[test]
fn imports_are_known_wasi_functions_with_their_own_signature() {
    let import = |module: &str, name: &str, ty: &str| {
        refusal(&format!(
            r#"(module (import "{module}" "{name}" {ty}) (func (export "_start")))"#
        ))
    };
    let unknown = import("env", "abort", "(func)");
    assert_eq!(
        unknown.to_string(),
        "unknown import env.abort: only WASI preview 1 functions can be imported"
    );
    assert!(matches!(
        import("wasi_snapshot_preview1", "fd_teleport", "(func)"),
        PrepareError::UnknownImport { .. }
    ));
    assert!(matches!(
        import("wasi_snapshot_preview1", "fd_write", "(memory 1)"),
        PrepareError::UnknownImport { .. }
    ));
    assert!(matches!(
        import("gio", "refill", "(func (param i64 i64) (result i64))"),
        PrepareError::UnknownImport { .. }
    ));
    assert_eq!(
        import(
            "wasi_snapshot_preview1",
            "fd_write",
            "(func (param i32 i32) (result i32))"
        ),
        PrepareError::ImportSignature { name: "fd_write" }
    );
}

#[test]
fn all_wasi_calls_can_be_imported_at_once() {
    let mut wat = String::from("(module ");
    for call in WasiCall::ALL {
        let params: Vec<String> = call
            .params()
            .iter()
            .map(|p| format!("{p:?}").to_lowercase())
            .collect();
        let result = if call.answers() { "(result i32)" } else { "" };
        wat += &format!(
            r#"(import "wasi_snapshot_preview1" "{}" (func (param {}) {result}))"#,
            call.name(),
            params.join(" ")
        );
        assert_eq!(WasiCall::by_name(call.name()), Some(*call));
    }
    wat += r#"(func (export "_start")))"#;
    prepare(&wat::parse_str(wat).unwrap(), &PrepareLimits::default()).unwrap();
    assert_eq!(WasiCall::ALL.len(), 46);
}

#[test]
fn a_command_exports_start_and_nothing_of_ours() {
    assert_eq!(refusal("(module)"), PrepareError::NotCommand);
    assert_eq!(
        refusal(r#"(module (func (export "_start") (param i32)))"#),
        PrepareError::NotCommand
    );
    assert_eq!(
        refusal(r#"(module (global (export "_start") i32 (i32.const 0)))"#),
        PrepareError::NotCommand
    );
    let reserved = refusal(
        r#"(module (func (export "_start")) (global (export "gio:cu") i64 (i64.const 0)))"#,
    );
    assert_eq!(
        reserved,
        PrepareError::ReservedExport {
            name: "gio:cu".to_owned()
        }
    );
}

/// A module whose `_start` has the given instructions, as often as said.
fn repeated(instructions: &[Instruction<'_>], times: usize) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut body = Function::new([]);
    for _ in 0..times {
        for instruction in instructions {
            body.instruction(instruction);
        }
    }
    body.instruction(&Instruction::End);
    let mut code = CodeSection::new();
    code.function(&body);
    let mut module = Module::new();
    let mut exports = ExportSection::new();
    exports.export("_start", ExportKind::Func, 0);
    module.section(&types).section(&functions).section(&exports);
    module.section(&code);
    module.finish()
}

#[test]
fn sizes_are_bounded_and_refused_at_once() {
    use wasm_encoder::BlockType::Empty;
    let table: Vec<u32> = vec![0; 100_001];
    let cases: [(&str, Vec<u8>); 9] = [
        ("bytes of the module", vec![0; (32 << 20) + 1]),
        (
            "bytes of one function",
            repeated(&[Instruction::Nop], (512 << 10) + 1),
        ),
        (
            "nested blocks of one function",
            repeated(&[Instruction::Block(Empty)], 10_001),
        ),
        (
            "loops of one function",
            repeated(&[Instruction::Loop(Empty), Instruction::End], 2_001),
        ),
        (
            "branches of one function",
            repeated(&[Instruction::Block(Empty), Instruction::End], 30_001),
        ),
        (
            "complexity of all functions",
            wat::parse_str(format!(
                r#"(module (func (export "_start")) {})"#,
                format!("(func {})", "loop end ".repeat(2000)).repeat(16)
            ))
            .unwrap(),
        ),
        (
            "br_table targets of one function",
            repeated(
                &[
                    Instruction::I32Const(0),
                    Instruction::BrTable(table.into(), 0),
                ],
                1,
            ),
        ),
        (
            "locals of one function",
            wat::parse_str(format!(
                r#"(module (func (export "_start") (local {})))"#,
                "i32 ".repeat(10_001)
            ))
            .unwrap(),
        ),
        (
            "table elements",
            wat::parse_str("(module (table 100001 funcref))").unwrap(),
        ),
    ];
    for (expected, wasm) in cases {
        let refused = prepare(&wasm, &PrepareLimits::default()).unwrap_err();
        assert!(
            matches!(refused, PrepareError::TooLarge { what, .. } if what == expected),
            "{expected}: {refused}"
        );
    }
}

/// `_start`, and a function with that body and so many locals, all of which it reads and writes.
fn with_locals(count: usize, ty: &str, body: &str) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(module (global $c (mut i32) (i32.const 0)) (func (export "_start"))
        (func (local {}) {body}))"#,
        format!("{ty} ").repeat(count)
    ))
    .unwrap()
}

fn every_local(count: usize) -> String {
    let each = |local| format!("(local.set {local} (local.get {local}))");
    (0..count).map(each).collect()
}

fn nested_loops(count: usize, inside: &str) -> String {
    let ends = " (br_if 0 (global.get $c)))".repeat(count);
    "(loop ".repeat(count) + inside + &ends
}

/// A compiler may keep every local apart wherever ways meet: small modules that would take it minutes.
#[test]
fn locals_times_loops_and_branches_are_bounded() {
    let (few, many) = (every_local(1_000), every_local(5_000));
    let arms = |count| "(if (global.get $c) (then))".repeat(count);
    let refused = [
        with_locals(5_000, "f64", &nested_loops(200, &many)),
        with_locals(5_000, "i32", &nested_loops(200, &many)),
        with_locals(1_000, "f64", &nested_loops(1_990, &few)),
        // Alive all through the loops, which do not mention them.
        with_locals(
            5_000,
            "i32",
            &format!("{many}{}{many}", nested_loops(200, "")),
        ),
        with_locals(5_000, "i32", &(arms(4_000) + &many)),
    ];
    for wasm in refused {
        for refusal in [
            prepare(&wasm, &PrepareLimits::default()).err(),
            prepare_provable(&wasm, &PrepareLimits::default()).err(),
        ] {
            assert!(
                matches!(refusal, Some(PrepareError::TooLarge { what, .. }) if what == "complexity of all functions"),
                "{refusal:?}"
            );
        }
    }
    let accepted = [
        with_locals(5_000, "i32", &nested_loops(90, &many)),
        // Locals that nothing mentions cost nothing.
        with_locals(
            10_000,
            "f64",
            &nested_loops(1_990, "(local.set 0 (local.get 1))"),
        ),
        with_locals(1_000, "i32", &(arms(12_000) + &few)),
    ];
    for wasm in accepted {
        prepare(&wasm, &PrepareLimits::default()).unwrap();
    }
}

/// What [`PrepareLimits::complexity_max`] says, as docs/protocol.md section 10 has it.
#[test]
fn complexity_is_the_sum_that_the_protocol_names() {
    let body = format!(
        "{}(drop (local.get 0))",
        nested_loops(3, "(br_if 0 (local.tee 9 (local.get 1)))")
    );
    let wasm = with_locals(2_000, "i32", &(body + &every_local(1_000)));
    let (branches, loops, used) = (3 + 4_u64, 3_u64, 2_000_u64);
    let complexity = branches.pow(2)
        + 64 * loops.pow(2)
        + (loops * used / 8).pow(2)
        + (branches * used / 256).pow(2);
    let with = |complexity_max| PrepareLimits {
        complexity_max,
        ..PrepareLimits::default()
    };
    prepare(&wasm, &with(complexity)).unwrap();
    assert_eq!(
        prepare(&wasm, &with(complexity - 1)),
        Err(PrepareError::TooLarge {
            what: "complexity of all functions",
            found: complexity,
            max: complexity - 1
        })
    );
}

/// Metering makes such a function 14 times as long; the sandbox's compiler takes none above a length, and would take
/// minutes.
#[test]
fn functions_too_long_for_the_compiler_once_metered_are_refused() {
    let grown = |times| {
        let globals = "(global (mut i32) (i32.const 0))".repeat(9_900);
        let locals = "i32 ".repeat(300);
        let grow = "(drop (memory.grow (i32.const 0)))".repeat(times);
        let text = format!(
            r#"(module (memory (export "memory") 1) {globals}
            (func (export "_start") (local {locals}) {grow}))"#
        );
        wat::parse_str(text).unwrap()
    };
    let refusal = |wasm: &[u8], limits: &PrepareLimits| {
        let refused = [
            prepare(wasm, limits).err(),
            prepare_provable(wasm, limits).err(),
        ];
        refused.map(|error| match error {
            Some(PrepareError::TooLarge { what, .. }) => what,
            Some(other) => panic!("{other}"),
            None => "nothing",
        })
    };
    let default = PrepareLimits::default();
    let branches = "branches of one function";
    assert_eq!(refusal(&grown(30_001), &default), [branches; 2]);
    let lax = PrepareLimits {
        branches_max: u64::MAX,
        complexity_max: u64::MAX,
        ..default
    };
    let written = "bytes of one function as it is compiled";
    assert_eq!(refusal(&grown(104_000), &lax), ["nothing", written]);
    // What is accepted is what the compiler's validator takes.
    let features = wasmparser::WasmFeatures::default() | wasmparser::WasmFeatures::MULTI_MEMORY;
    let validates = |wasm: &[u8]| {
        wasmparser::Validator::new_with_features(features)
            .validate_all(wasm)
            .unwrap();
    };
    let metered = prepare(&grown(30_000), &default).unwrap();
    let provable = prepare_provable(&grown(29_000), &default).unwrap().builds;
    for builds in [metered, provable, prepare(&grown(104_000), &lax).unwrap()] {
        validates(&builds.fast);
        validates(&builds.exact);
    }
}

#[test]
fn the_largest_functions_are_prepared() {
    let selects =
        "(local.set 0 (select (local.get 0) (f64.add (local.get 0) (local.get 1)) (i32.const 1)))";
    let chain = format!(
        r#"(module (func (export "_start") (local f64 f64) {}))"#,
        selects.repeat(30_000)
    );
    prepare(&wat::parse_str(chain).unwrap(), &PrepareLimits::default()).unwrap();
}

#[test]
fn preparing_is_a_pure_function() {
    let wasm = wat::parse_str(command(
        "(memory.fill (i32.const 0) (i32.const 0) (i32.const 9))",
    ))
    .unwrap();
    let limits = PrepareLimits::default();
    assert_eq!(
        prepare(&wasm, &limits).unwrap(),
        prepare(&wasm, &limits).unwrap()
    );
}

proptest! {
    #[test]
    fn damaged_modules_never_panic(position in 8usize..2000, byte: u8, cut in 0usize..2000) {
        let wat = r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1) (table 2 funcref) (elem (i32.const 0) $f) (data (i32.const 3) "abc")
            (global (mut f64) (f64.const nan))
            (func $f (param f32) (result f32) (local f64) (f32.add (local.get 0) (f32.const 1)))
            (func (export "_start") (local i32)
              (loop (drop (call $f (f32.const 2))) (br_if 0 (i32.eqz (local.get 0))))
              (memory.fill (i32.const 0) (i32.const 1) (i32.const 2))))"#;
        let mut wasm = wat::parse_str(wat).unwrap();
        let at = position % wasm.len();
        wasm[at] = byte;
        wasm.truncate(wasm.len() - cut % 8);
        let _ = prepare(&wasm, &PrepareLimits::default());
    }
}
