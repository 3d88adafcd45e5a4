//! A generated module as a command: its `_start` calls the functions with constants and tells everything that can be
//! seen of what they did, in its exit code and on standard output.

use wasm_encoder::reencode::{Error, Reencode};
use wasm_encoder::{
    CodeSection, ConstExpr, DataCountSection, DataSection, ElementSection, EntityType, ExportKind,
    ExportSection, Function, FunctionSection, GlobalSection, GlobalType, Ieee32, Ieee64,
    ImportSection, InstructionSink, MemorySection, MemoryType, Module, StartSection, TableSection,
    TypeSection, ValType,
};
use wasmparser::{CompositeInnerType, ElementKind, FuncType, FunctionBody, Parser, Payload};

use crate::rng::Rng;

/// Functions that the command imports besides those the module imports: `fd_write` and `proc_exit`.
const ADDED: u32 = 2;

/// How often the command calls functions of the module, at most.
const CALLS_MAX: u32 = 6;

/// Bytes that a bulk operation of the command moves, at most.
const BULK_MAX: u32 = 300;

/// What the words of a memory are multiplied with on their way into the digest: the golden ratio, as SplitMix64 has it.
const GOLDEN: i64 = 0x9e37_79b9_7f4a_7c15_u64.cast_signed();

type Fallible<T> = Result<T, Error<std::convert::Infallible>>;

/// A command that has the module's functions.
pub struct Command {
    pub wasm: Vec<u8>,
    /// Whether the module itself calls the host.
    pub calls_host: bool,
}

/// The sections of the module, and its functions' types.
#[derive(Default)]
struct Parts<'a> {
    types: Vec<FuncType>,
    imports: Option<wasmparser::ImportSectionReader<'a>>,
    /// Type of every function, imports first.
    functions: Vec<u32>,
    imported: u32,
    /// Which of them gives random bytes.
    random: Option<u32>,
    tables: Option<wasmparser::TableSectionReader<'a>>,
    memories: Option<wasmparser::MemorySectionReader<'a>>,
    /// Pages that the memory begins with, if there are any.
    pages: Option<u32>,
    globals: Vec<wasmparser::Global<'a>>,
    start: Option<u32>,
    elements: Option<wasmparser::ElementSectionReader<'a>>,
    data: Option<wasmparser::DataSectionReader<'a>>,
    bodies: Vec<FunctionBody<'a>>,
}

/// Makes the command; `rng` says which functions are called and with what.
pub fn of_module(wasm: &[u8], rng: &mut Rng) -> Command {
    let parts = Parts::read(wasm);
    Command {
        calls_host: parts.imported > 0,
        wasm: parts.command(rng).unwrap(),
    }
}

/// Function numbers make room for the added imports.
struct Shift(u32);

impl Reencode for Shift {
    type Error = std::convert::Infallible;

    fn function_index(&mut self, function: u32) -> Fallible<u32> {
        let added = if function < self.0 { 0 } else { ADDED };
        Ok(function + added)
    }
}

impl<'a> Parts<'a> {
    fn read(wasm: &'a [u8]) -> Self {
        let mut parts = Self::default();
        for payload in Parser::new(0).parse_all(wasm) {
            match payload.unwrap() {
                Payload::TypeSection(reader) => {
                    for group in reader {
                        for ty in group.unwrap().into_types() {
                            let CompositeInnerType::Func(ty) = ty.composite_type.inner else {
                                panic!("only functions have types in the accepted set")
                            };
                            parts.types.push(ty);
                        }
                    }
                }
                Payload::ImportSection(reader) => {
                    for import in reader.clone().into_imports() {
                        let import = import.unwrap();
                        let wasmparser::TypeRef::Func(ty) = import.ty else {
                            panic!("only functions are offered for import")
                        };
                        if import.name == "random_get" {
                            parts.random = Some(parts.imported);
                        }
                        parts.functions.push(ty);
                        parts.imported += 1;
                    }
                    parts.imports = Some(reader);
                }
                Payload::FunctionSection(reader) => {
                    parts
                        .functions
                        .extend(reader.into_iter().map(|ty| ty.unwrap()));
                }
                Payload::TableSection(reader) => parts.tables = Some(reader),
                Payload::MemorySection(reader) => {
                    let first = reader.clone().into_iter().next();
                    let pages = first.map_or(0, |memory| memory.unwrap().initial);
                    parts.pages = u32::try_from(pages).ok().filter(|pages| *pages > 0);
                    parts.memories = Some(reader);
                }
                Payload::GlobalSection(reader) => {
                    parts.globals = reader.into_iter().map(|global| global.unwrap()).collect();
                }
                Payload::StartSection { func, .. } => parts.start = Some(func),
                Payload::ElementSection(reader) => parts.elements = Some(reader),
                Payload::DataSection(reader) => parts.data = Some(reader),
                Payload::CodeSectionEntry(body) => parts.bodies.push(body),
                _ => {}
            }
        }
        parts
    }

    fn function_count(&self) -> u32 {
        u32::try_from(self.functions.len()).unwrap()
    }

    fn type_of(&self, function: u32) -> &FuncType {
        &self.types[self.functions[function as usize] as usize]
    }

    /// Types behind the module's own: `fd_write`, `proc_exit`, the digest's, `_start`.
    fn own_type(&self, nth: u32) -> u32 {
        u32::try_from(self.types.len()).unwrap() + nth
    }

    fn command(&self, rng: &mut Rng) -> Fallible<Vec<u8>> {
        let mut shift = Shift(self.imported);
        let mut module = Module::new();
        module.section(&self.type_section());
        module.section(&self.import_section(&mut shift)?);
        let mut functions = FunctionSection::new();
        for ty in &self.functions[self.imported as usize..] {
            functions.function(*ty);
        }
        functions
            .function(self.own_type(2))
            .function(self.own_type(3));
        module.section(&functions);
        let mut tables = TableSection::new();
        if let Some(reader) = &self.tables {
            shift.parse_table_section(&mut tables, reader.clone())?;
        }
        module.section(&tables);
        let mut memories = MemorySection::new();
        match &self.memories {
            Some(reader) if reader.count() > 0 => {
                shift.parse_memory_section(&mut memories, reader.clone())?;
            }
            _ => {
                memories.memory(MemoryType {
                    minimum: 1,
                    maximum: None,
                    memory64: false,
                    shared: false,
                    page_size_log2: None,
                });
            }
        }
        module.section(&memories);
        module.section(&self.global_section(&mut shift)?);
        let mut exports = ExportSection::new();
        exports.export("memory", ExportKind::Memory, 0);
        exports.export(
            "_start",
            ExportKind::Func,
            self.function_count() + ADDED + 1,
        );
        module.section(&exports);
        if let Some(start) = self.start {
            module.section(&StartSection {
                function_index: shift.function_index(start)?,
            });
        }
        module.section(&self.element_section(&mut shift)?);
        if let Some(data) = &self.data {
            module.section(&DataCountSection {
                count: data.count(),
            });
        }
        let mut code = CodeSection::new();
        for body in &self.bodies {
            shift.parse_function_body(&mut code, body.clone())?;
        }
        code.function(&self.digest()).function(&self.start(rng));
        module.section(&code);
        if let Some(reader) = &self.data {
            let mut data = DataSection::new();
            shift.parse_data_section(&mut data, reader.clone())?;
            module.section(&data);
        }
        Ok(module.finish())
    }

    fn type_section(&self) -> TypeSection {
        use ValType::{I32, I64};
        let mut types = TypeSection::new();
        for ty in &self.types {
            let params = ty.params().iter().map(|ty| value_type(*ty));
            let results = ty.results().iter().map(|ty| value_type(*ty));
            let (params, results): (Vec<_>, Vec<_>) = (params.collect(), results.collect());
            types.ty().function(params, results);
        }
        types.ty().function([I32; 4], [I32]);
        types.ty().function([I32], []);
        types.ty().function([I64], []);
        types.ty().function([], []);
        types
    }

    fn import_section(&self, shift: &mut Shift) -> Fallible<ImportSection> {
        let mut imports = ImportSection::new();
        if let Some(reader) = &self.imports {
            shift.parse_import_section(&mut imports, reader.clone())?;
        }
        for (name, nth) in ["fd_write", "proc_exit"].into_iter().zip(0..) {
            let ty = EntityType::Function(self.own_type(nth));
            imports.import("wasi_snapshot_preview1", name, ty);
        }
        Ok(imports)
    }

    /// The module's globals and the digest.
    fn global_section(&self, shift: &mut Shift) -> Fallible<GlobalSection> {
        let mut globals = GlobalSection::new();
        for global in &self.globals {
            shift.parse_global(&mut globals, global.clone())?;
        }
        let digest = GlobalType {
            val_type: ValType::I64,
            mutable: true,
            shared: false,
        };
        globals.global(digest, &ConstExpr::i64_const(0));
        Ok(globals)
    }

    /// Active segments only: nothing that is generated names another, and the machine refuses them.
    fn element_section(&self, shift: &mut Shift) -> Fallible<ElementSection> {
        let mut elements = ElementSection::new();
        if let Some(reader) = &self.elements {
            for element in reader.clone() {
                let element = element?;
                if matches!(element.kind, ElementKind::Active { .. }) {
                    shift.parse_element(&mut elements, element)?;
                }
            }
        }
        Ok(elements)
    }

    fn digest_global(&self) -> u32 {
        u32::try_from(self.globals.len()).unwrap()
    }

    /// `digest(word)`: takes a word into the digest.
    fn digest(&self) -> Function {
        let digest = self.digest_global();
        let mut function = Function::new([]);
        let mut to = function.instructions();
        to.global_get(digest)
            .i64_const(9)
            .i64_rotl()
            .local_get(0)
            .i64_xor();
        to.i64_const(GOLDEN).i64_mul().global_set(digest).end();
        function
    }

    fn start(&self, rng: &mut Rng) -> Function {
        let mut function = Function::new([(1, ValType::I32)]);
        let mut to = function.instructions();
        let digest = self.function_count() + ADDED;
        let defined = self.function_count() - self.imported;
        for _ in 0..=rng.below(CALLS_MAX) {
            self.bulk(&mut to, rng);
            self.random_bytes(&mut to, rng);
            if defined > 0 {
                let callee = self.imported + rng.below(defined);
                for ty in self.type_of(callee).params() {
                    constant(&mut to, *ty, rng);
                }
                to.call(callee + ADDED);
                for ty in self.type_of(callee).results().iter().rev() {
                    as_word(&mut to, *ty);
                    to.call(digest);
                }
            }
        }
        for (global, nth) in self.globals.iter().zip(0..) {
            to.global_get(nth);
            as_word(&mut to, global.ty.content_type);
            to.call(digest);
        }
        self.tell(&mut to, digest);
        to.end();
        function
    }

    /// A bulk operation inside of what the memory begins with: where traps are not wanted, none is generated.
    fn bulk(&self, to: &mut InstructionSink<'_>, rng: &mut Rng) {
        let Some(pages) = self.pages else { return };
        let mut place = || (rng.below(pages * 65_536 - BULK_MAX)).cast_signed();
        let (destination, source) = (place(), place());
        let count = rng.below(BULK_MAX).cast_signed();
        to.i32_const(destination);
        match rng.below(4) {
            0 => to.i32_const(source).i32_const(count).memory_copy(0, 0),
            1 => to
                .i32_const((destination + 20) % 65_000)
                .i32_const(count)
                .memory_copy(0, 0),
            2 => to.i32_const(source).i32_const(count).memory_fill(0),
            _ => to.drop(),
        };
    }

    /// Random bytes inside of what the memory begins with: what a module asks for by itself lies outside nearly always.
    fn random_bytes(&self, to: &mut InstructionSink<'_>, rng: &mut Rng) {
        let (Some(pages), Some(random)) = (self.pages, self.random) else {
            return;
        };
        let place = rng.below(pages * 65_536 - BULK_MAX).cast_signed();
        let count = rng.below(BULK_MAX).cast_signed();
        to.i32_const(place).i32_const(count).call(random).drop();
    }

    /// Memory and its size into the digest; the digest to standard output, if there is memory to say it from, and
    /// its halves into the exit code.
    fn tell(&self, to: &mut InstructionSink<'_>, digest: u32) {
        use wasm_encoder::{BlockType::Empty, MemArg};
        let word = |offset| MemArg {
            offset,
            align: 0,
            memory_index: 0,
        };
        to.memory_size(0).i64_extend_i32_u().call(digest);
        to.block(Empty).loop_(Empty);
        to.local_get(0)
            .memory_size(0)
            .i32_const(16)
            .i32_shl()
            .i32_ge_u()
            .br_if(1);
        to.local_get(0).i64_load(word(0));
        for nth in 1..8 {
            to.i64_const(7 * nth).i64_rotl();
            to.local_get(0)
                .i64_load(word(8 * nth.cast_unsigned()))
                .i64_add();
        }
        to.call(digest)
            .local_get(0)
            .i32_const(64)
            .i32_add()
            .local_set(0);
        to.br(0).end().end();
        let digest = self.digest_global();
        to.memory_size(0).if_(Empty);
        to.i32_const(0).i64_const(8 << 32 | 16).i64_store(word(0));
        to.i32_const(16).global_get(digest).i64_store(word(0));
        to.i32_const(1).i32_const(0).i32_const(1).i32_const(8);
        to.call(self.imported).drop().end();
        to.global_get(digest)
            .global_get(digest)
            .i64_const(32)
            .i64_shr_u()
            .i64_xor();
        to.i32_wrap_i64().call(self.imported + 1);
    }
}

/// The bits of the value on top, as 64 bits.
fn as_word(to: &mut InstructionSink<'_>, ty: wasmparser::ValType) {
    match value_type(ty) {
        ValType::I32 => to.i64_extend_i32_u(),
        ValType::F32 => to.i32_reinterpret_f32().i64_extend_i32_u(),
        ValType::F64 => to.i64_reinterpret_f64(),
        _ => to,
    };
}

/// A number, often one at the edge of things.
fn constant(to: &mut InstructionSink<'_>, ty: wasmparser::ValType, rng: &mut Rng) {
    let bits = match rng.below(4) {
        0 => rng.pick(&[
            0,
            1,
            2,
            7,
            31,
            32,
            63,
            64,
            1000,
            u64::MAX,
            1 << 63,
            (1 << 63) - 1,
        ]),
        1 => u64::from(rng.below(100_000)),
        _ => rng.next(),
    };
    let low = u32::try_from(bits & 0xffff_ffff).unwrap();
    let single = rng.pick(&[
        0.0_f32.to_bits(),
        1.5_f32.to_bits(),
        0x7fa0_0001,
        0xff80_0000,
        low,
    ]);
    let double = rng.pick(&[
        (-0.0_f64).to_bits(),
        1e10_f64.to_bits(),
        0x7ff4_0000_0000_0001,
        0xfff0_0000_0000_0000,
        bits,
    ]);
    match value_type(ty) {
        ValType::I32 => to.i32_const(low.cast_signed()),
        ValType::I64 => to.i64_const(bits.cast_signed()),
        ValType::F32 => to.f32_const(Ieee32::new(single)),
        _ => to.f64_const(Ieee64::new(double)),
    };
}

fn value_type(ty: wasmparser::ValType) -> ValType {
    match ty {
        wasmparser::ValType::I32 => ValType::I32,
        wasmparser::ValType::I64 => ValType::I64,
        wasmparser::ValType::F32 => ValType::F32,
        wasmparser::ValType::F64 => ValType::F64,
        other => panic!("the accepted set has no values of type {other}"),
    }
}
