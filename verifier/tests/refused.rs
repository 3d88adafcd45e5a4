//! The worst modules there are to refuse: each is refused with its reason within a second and a gibibyte.
//!
//! Only an optimised build is held to the second (`scripts/test-long`); the slowest refusal is printed.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::path::{Path, PathBuf};
use std::process::Command;

use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, DataSection, ElementSection, Elements, Encode as _,
    ExportKind, ExportSection, Function, FunctionSection, GlobalSection, GlobalType,
    Instruction as I, MemorySection, MemoryType, Module, RefType, Section as _, TableSection,
    TableType, TypeSection, ValType,
};

/// Bytes of address space that a refusal may take: all of the program's, its code included.
const KIBIBYTES: u64 = 1 << 20;

/// Seconds of processor time: what is shipped has one, a build without optimisation is several times slower.
const SECONDS: u64 = if cfg!(debug_assertions) { 8 } else { 1 };

/// A module under construction: types, functions, and whatever stands before their code.
#[derive(Default)]
struct Hostile {
    functions: Vec<Function>,
    memory: Option<u64>,
    table: Option<u64>,
    globals: u32,
    elements: Vec<(i32, u32)>,
    data: Vec<(i32, Vec<u8>)>,
}

impl Hostile {
    /// A command whose `_start` has these instructions.
    fn start(instructions: &[I<'_>]) -> Self {
        Self::functions(1, instructions)
    }

    /// So many functions of the same instructions; the first is `_start`.
    fn functions(count: usize, instructions: &[I<'_>]) -> Self {
        let mut function = Function::new([]);
        for instruction in instructions {
            function.instruction(instruction);
        }
        function.instruction(&I::End);
        Self {
            functions: vec![function; count],
            ..Self::default()
        }
    }

    fn function(mut self, instructions: &[I<'_>]) -> Self {
        self.functions.extend(Self::start(instructions).functions);
        self
    }

    fn memory(mut self, pages: u64) -> Self {
        self.memory = Some(pages);
        self
    }

    fn data(mut self, at: i32, bytes: Vec<u8>) -> Self {
        self.data.push((at, bytes));
        self
    }

    fn finish(self) -> Vec<u8> {
        let mut types = TypeSection::new();
        types.ty().function([], []);
        let mut functions = FunctionSection::new();
        let mut code = CodeSection::new();
        for function in &self.functions {
            functions.function(0);
            code.function(function);
        }
        let mut module = Module::new();
        module.section(&types).section(&functions);
        if let Some(minimum) = self.table {
            let mut tables = TableSection::new();
            tables.table(TableType {
                element_type: RefType::FUNCREF,
                table64: false,
                minimum,
                maximum: None,
                shared: false,
            });
            module.section(&tables);
        }
        if let Some(minimum) = self.memory {
            let mut memories = MemorySection::new();
            memories.memory(MemoryType {
                minimum,
                maximum: None,
                memory64: false,
                shared: false,
                page_size_log2: None,
            });
            module.section(&memories);
        }
        if self.globals > 0 {
            let mut globals = GlobalSection::new();
            let ty = GlobalType {
                val_type: ValType::I32,
                mutable: true,
                shared: false,
            };
            for _ in 0..self.globals {
                globals.global(ty, &ConstExpr::i32_const(1));
            }
            module.section(&globals);
        }
        let mut exports = ExportSection::new();
        exports.export("_start", ExportKind::Func, 0);
        module.section(&exports);
        if !self.elements.is_empty() {
            let mut elements = ElementSection::new();
            for (at, count) in &self.elements {
                let functions = vec![0; *count as usize];
                let offset = ConstExpr::i32_const(*at);
                elements.active(None, &offset, Elements::Functions(functions.into()));
            }
            module.section(&elements);
        }
        module.section(&code);
        if !self.data.is_empty() {
            let mut data = DataSection::new();
            for (at, bytes) in self.data {
                data.active(0, &ConstExpr::i32_const(at), bytes);
            }
            module.section(&data);
        }
        module.finish()
    }
}

/// A function of about so many bytes, of instructions that each become some of the machine's.
fn long(bytes: usize) -> Vec<I<'static>> {
    let mut instructions = Vec::new();
    for _ in 0..bytes / 4 {
        instructions.extend([I::I32Const(0), I::Drop, I::Nop]);
    }
    instructions
}

/// A section of types that have so many parameters.
fn types(count: u32, params: usize) -> Vec<u8> {
    let mut types = TypeSection::new();
    for nth in 0..count {
        let last = [ValType::I32, ValType::I64][nth as usize % 2];
        let params = std::iter::repeat_n(ValType::F32, params).chain([last]);
        types.ty().function(params.collect::<Vec<_>>(), []);
    }
    let mut section = vec![types.id()];
    types.encode(&mut section);
    section
}

fn repeated(instructions: &[I<'static>], times: usize) -> Vec<I<'static>> {
    instructions
        .iter()
        .cloned()
        .cycle()
        .take(times * instructions.len())
        .collect()
}

/// What is named as a module.
enum Named {
    Module(Vec<u8>),
    /// A file of so many zeros that takes no room.
    Sparse(u64),
    /// A file that does not end.
    Endless,
}

impl Named {
    /// Where it is.
    fn path(self, folder: &Path) -> PathBuf {
        let path = folder.join("hostile.wasm");
        match self {
            Self::Module(wasm) => std::fs::write(&path, wasm).unwrap(),
            Self::Sparse(length) => {
                let file = std::fs::File::create(&path).unwrap();
                file.set_len(length).unwrap();
            }
            Self::Endless => return PathBuf::from("/dev/zero"),
        }
        path
    }
}

/// Names, what the refusal says, and what is refused.
fn cases() -> Vec<(&'static str, &'static str, Named)> {
    let modules = modules().into_iter();
    let mut cases: Vec<_> = modules
        .map(|(name, reason, wasm)| (name, reason, Named::Module(wasm)))
        .collect();
    let reason = "more than 33554432 bytes";
    cases.extend([
        ("three gibibytes", reason, Named::Sparse(3 << 30)),
        ("a device without end", reason, Named::Endless),
    ]);
    cases
}

/// Names, what the refusal says, and the modules.
fn modules() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let noise = |length: usize| -> Vec<u8> {
        let mut state = 1_u32;
        let byte = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        };
        (0..length).map(byte).collect()
    };
    let header = b"\0asm\x01\0\0\0".to_vec();
    let whole = Hostile::functions(60, &long(400_000)).finish();
    let block = I::Block(BlockType::Empty);
    let wide = I::BrTable(vec![0; 5_000_000].into(), 0);
    let outside = Hostile::functions(60, &long(400_000)).memory(1);
    vec![
        ("nothing", "unexpected end-of-file", Vec::new()),
        ("noise", "magic header not detected", noise(32 << 20)),
        (
            "noise behind a header",
            "malformed section",
            [header.clone(), noise(31 << 20)].concat(),
        ),
        (
            "too many bytes",
            "more than 33554432 bytes",
            vec![0; (32 << 20) + 1],
        ),
        (
            "truncated",
            "unexpected end-of-file",
            whole[..whole.len() - 1].to_vec(),
        ),
        (
            "a million functions",
            "functions",
            Hostile::functions(1_000_000, &[]).finish(),
        ),
        (
            "a million nested blocks",
            "bytes of one function: 2000002",
            Hostile::start(&repeated(std::slice::from_ref(&block), 1_000_000)).finish(),
        ),
        (
            "nested blocks",
            "nested blocks of one function",
            Hostile::start(&[repeated(&[block], 10_001), repeated(&[I::End], 10_001)].concat())
                .finish(),
        ),
        (
            "a giant br_table",
            "bytes of one function: 5000010",
            Hostile::start(&[I::I32Const(0), wide]).finish(),
        ),
        (
            "a br_table of too many targets",
            "br_table",
            Hostile::start(&[I::I32Const(0), I::BrTable(vec![0; 500_000].into(), 0)]).finish(),
        ),
        ("a giant program", "instructions", whole),
        (
            "data outside of memory behind a giant program",
            "data segment",
            outside.data(65_536, vec![1]).finish(),
        ),
        (
            "data at the end of addresses",
            "data segment",
            Hostile::start(&[])
                .memory(65_536)
                .data(-1, vec![0; 2])
                .finish(),
        ),
        (
            "scattered data, the last outside",
            "data segment",
            (0..100_000)
                .fold(Hostile::start(&[]).memory(65_535), |hostile, nth: u32| {
                    let at = if nth == 99_999 {
                        u32::MAX
                    } else {
                        nth * 42_949
                    };
                    hostile.data(at.cast_signed(), vec![1])
                })
                .finish(),
        ),
        (
            "elements outside of the table",
            "element segment",
            Hostile {
                table: Some(100_000),
                elements: vec![(0, 50_000), (60_000, 50_000)],
                ..Hostile::start(&[])
            }
            .finish(),
        ),
        (
            "nothing but nops until the last function",
            "SIMD",
            Hostile::functions(63, &repeated(&[I::Nop], 500_000))
                .function(&[I::V128Const(0), I::Drop])
                .finish(),
        ),
        (
            "nothing but blocks until the last function",
            "SIMD",
            Hostile::functions(
                400,
                &repeated(&[I::Block(BlockType::Empty), I::End], 25_000),
            )
            .function(&[I::V128Const(0), I::Drop])
            .finish(),
        ),
        (
            "giant types",
            "bytes of the types",
            [header.as_slice(), &types(100_000, 300)].concat(),
        ),
        (
            "as many bytes of types as there may be, nothing to start",
            "not a command",
            [header.as_slice(), &types(6_870, 300)].concat(),
        ),
        (
            "a giant table",
            "table elements",
            Hostile {
                table: Some(u64::from(u32::MAX)),
                ..Hostile::start(&[])
            }
            .finish(),
        ),
        (
            "a million globals",
            "globals",
            Hostile {
                globals: 1_000_000,
                ..Hostile::start(&[])
            }
            .finish(),
        ),
        (
            "loops in all functions",
            "complexity of all functions",
            Hostile::functions(100_000, &repeated(&[I::Loop(BlockType::Empty), I::End], 60))
                .finish(),
        ),
    ]
}

/// Seconds of processor time that a shell's children took: the second line of what its `times` prints.
fn seconds(times: &str) -> f64 {
    let children = times.lines().nth(1).unwrap().split_whitespace();
    let spent = children.map(|word| {
        let (minutes, seconds) = word.trim_end_matches('s').split_once('m').unwrap();
        60.0 * minutes.parse::<f64>().unwrap() + seconds.parse::<f64>().unwrap()
    });
    spent.sum()
}

#[test]
fn the_worst_modules_are_refused_within_a_second_and_a_gibibyte() {
    let folder = tempfile::tempdir().unwrap();
    let mut spent = Vec::new();
    for (name, reason, named) in cases() {
        let path = named.path(folder.path());
        let limits = format!("ulimit -v {KIBIBYTES} -t {SECONDS}");
        let script = format!("{limits}; \"$0\" prepare \"$1\"; code=$?; times; exit $code");
        let output = Command::new("bash")
            .args(["-c", &script])
            .arg(env!("CARGO_BIN_EXE_gio-verifier"))
            .arg(&path)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{name}: {output:?}");
        assert!(!reason.is_empty(), "{name} is refused for no reason");
        assert!(text.contains(reason), "{name}: {text}");
        spent.push((seconds(&String::from_utf8_lossy(&output.stdout)), name));
    }
    let (most, slowest) = spent
        .iter()
        .copied()
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .unwrap();
    println!(
        "{} refusals; the slowest took {most:.3} s of processor time: {slowest}",
        spent.len()
    );
}
