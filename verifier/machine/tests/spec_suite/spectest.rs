//! The suite's host module `spectest`, linked into the modules that import it: what they import becomes their own, at
//! the same numbers. The step machine has no imports but host calls.
//!
//! Globals that a module exports get a function `get:` and their name, so that every machine can be asked for them.

use wasm_encoder::reencode::{Error, Reencode};
use wasm_encoder::{
    CodeSection, ConstExpr, DataCountSection, DataSection, ElementSection, ExportKind,
    ExportSection, Function, FunctionSection, GlobalSection, GlobalType, MemorySection, MemoryType,
    Module, RefType, StartSection, TableSection, TableType, TypeSection, ValType,
};
use wasmparser::{ExternalKind, FunctionBody, Import, Parser, Payload, TypeRef};

/// What functions that read globals are called.
pub const GET: &str = "get:";

/// Elements of `spectest.table` and pages of `spectest.memory`: at first, and at most.
const TABLE: (u64, u64) = (10, 20);
const MEMORY: (u64, u64) = (1, 2);

/// Why a module cannot be linked: nobody has what it imports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlinked {
    /// It imports what another module of its file exports.
    AnotherModule,
    /// `spectest` has no such thing, or one of another type.
    Spectest,
}

/// The module with `spectest` linked in. A module that cannot be read stays as it is.
pub fn link(wasm: &[u8]) -> Result<Vec<u8>, Unlinked> {
    let Ok(module) = Sections::read(wasm) else {
        return Ok(wasm.to_vec());
    };
    if module.imports.is_empty() && module.exported_globals().is_empty() {
        return Ok(wasm.to_vec());
    }
    let mut linked = Linked::default();
    for import in &module.imports {
        linked.take(import, &module)?;
    }
    Ok(linked.module(&module).unwrap_or_else(|_| wasm.to_vec()))
}

#[derive(Default)]
struct Sections<'a> {
    types: Vec<wasmparser::FuncType>,
    imports: Vec<Import<'a>>,
    functions: Vec<u32>,
    tables: Option<wasmparser::TableSectionReader<'a>>,
    memories: Option<wasmparser::MemorySectionReader<'a>>,
    globals: Option<wasmparser::GlobalSectionReader<'a>>,
    exports: Option<wasmparser::ExportSectionReader<'a>>,
    start: Option<u32>,
    elements: Option<wasmparser::ElementSectionReader<'a>>,
    data_count: Option<u32>,
    bodies: Vec<FunctionBody<'a>>,
    data: Option<wasmparser::DataSectionReader<'a>>,
}

impl<'a> Sections<'a> {
    fn read(wasm: &'a [u8]) -> wasmparser::Result<Self> {
        let mut all = Self::default();
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::TypeSection(reader) => {
                    all.types = reader
                        .into_iter_err_on_gc_types()
                        .collect::<wasmparser::Result<_>>()?;
                }
                Payload::ImportSection(reader) => {
                    all.imports = reader.into_imports().collect::<wasmparser::Result<_>>()?;
                }
                Payload::FunctionSection(reader) => {
                    all.functions = reader.into_iter().collect::<wasmparser::Result<_>>()?;
                }
                Payload::TableSection(reader) => all.tables = Some(reader),
                Payload::MemorySection(reader) => all.memories = Some(reader),
                Payload::GlobalSection(reader) => all.globals = Some(reader),
                Payload::ExportSection(reader) => all.exports = Some(reader),
                Payload::StartSection { func, .. } => all.start = Some(func),
                Payload::ElementSection(reader) => all.elements = Some(reader),
                Payload::DataCountSection { count, .. } => all.data_count = Some(count),
                Payload::CodeSectionEntry(body) => all.bodies.push(body),
                Payload::DataSection(reader) => all.data = Some(reader),
                _ => {}
            }
        }
        Ok(all)
    }

    /// Names, numbers and types of the globals it exports.
    fn exported_globals(&self) -> Vec<(&'a str, u32, ValType)> {
        let mut types = Vec::new();
        for import in &self.imports {
            if let TypeRef::Global(ty) = import.ty {
                types.push(ty.content_type);
            }
        }
        for global in self
            .globals
            .iter()
            .flat_map(|reader| reader.clone())
            .flatten()
        {
            types.push(global.ty.content_type);
        }
        let exports = self
            .exports
            .iter()
            .flat_map(|reader| reader.clone())
            .flatten();
        exports
            .filter(|export| export.kind == ExternalKind::Global)
            .filter_map(|export| {
                let ty = types.get(export.index as usize)?;
                let ty = ValType::try_from(*ty).ok()?;
                Some((export.name, export.index, ty))
            })
            .collect()
    }
}

/// The imports, made the module's own.
#[derive(Default)]
struct Linked {
    functions: FunctionSection,
    tables: TableSection,
    memories: MemorySection,
    globals: GlobalSection,
    /// What the imported globals are.
    constants: Vec<ConstExpr>,
    code: CodeSection,
}

impl Linked {
    fn take(&mut self, import: &Import<'_>, module: &Sections<'_>) -> Result<(), Unlinked> {
        if import.module != "spectest" {
            return Err(Unlinked::AnotherModule);
        }
        match (import.name, import.ty) {
            (name, TypeRef::Func(ty)) => {
                let found = module.types.get(ty as usize).ok_or(Unlinked::Spectest)?;
                let params = print(name).ok_or(Unlinked::Spectest)?;
                if found.params() != params || !found.results().is_empty() {
                    return Err(Unlinked::Spectest);
                }
                self.functions.function(ty);
                let mut body = Function::new([]);
                body.instructions().end();
                self.code.function(&body);
            }
            ("table", TypeRef::Table(ty)) if fits(ty.initial, ty.maximum, TABLE) => {
                self.tables.table(TableType {
                    element_type: RefType::FUNCREF,
                    table64: false,
                    minimum: TABLE.0,
                    maximum: Some(TABLE.1),
                    shared: false,
                });
            }
            ("memory", TypeRef::Memory(ty)) if fits(ty.initial, ty.maximum, MEMORY) => {
                self.memories.memory(MemoryType {
                    minimum: MEMORY.0,
                    maximum: Some(MEMORY.1),
                    memory64: false,
                    shared: false,
                    page_size_log2: None,
                });
            }
            (name, TypeRef::Global(ty)) if !ty.mutable => {
                let (val_type, value) = constant(name).ok_or(Unlinked::Spectest)?;
                if ValType::try_from(ty.content_type).ok() != Some(val_type) {
                    return Err(Unlinked::Spectest);
                }
                let ty = GlobalType {
                    val_type,
                    mutable: false,
                    shared: false,
                };
                self.globals.global(ty, &value);
                self.constants.push(value);
            }
            _ => return Err(Unlinked::Spectest),
        }
        Ok(())
    }

    fn module(mut self, all: &Sections<'_>) -> Result<Vec<u8>, Error> {
        let mut types = TypeSection::new();
        for ty in &all.types {
            let ty = self.func_type(ty.clone())?;
            types.ty().func_type(&ty);
        }
        let mut functions = std::mem::take(&mut self.functions);
        for ty in &all.functions {
            functions.function(*ty);
        }
        let mut tables = std::mem::take(&mut self.tables);
        if let Some(reader) = &all.tables {
            self.parse_table_section(&mut tables, reader.clone())?;
        }
        let mut memories = std::mem::take(&mut self.memories);
        if let Some(reader) = &all.memories {
            self.parse_memory_section(&mut memories, reader.clone())?;
        }
        let mut globals = std::mem::take(&mut self.globals);
        if let Some(reader) = &all.globals {
            self.parse_global_section(&mut globals, reader.clone())?;
        }
        let mut exports = ExportSection::new();
        if let Some(reader) = &all.exports {
            self.parse_export_section(&mut exports, reader.clone())?;
        }
        let mut elements = ElementSection::new();
        if let Some(reader) = &all.elements {
            self.parse_element_section(&mut elements, reader.clone())?;
        }
        let mut code = std::mem::take(&mut self.code);
        for body in &all.bodies {
            self.parse_function_body(&mut code, body.clone())?;
        }
        let mut data = DataSection::new();
        if let Some(reader) = &all.data {
            self.parse_data_section(&mut data, reader.clone())?;
        }
        for (name, global, ty) in all.exported_globals() {
            let mut get = Function::new([]);
            get.instructions().global_get(global).end();
            code.function(&get);
            exports.export(&format!("{GET}{name}"), ExportKind::Func, functions.len());
            functions.function(types.len());
            types.ty().function([], [ty]);
        }
        let mut module = Module::new();
        module.section(&types);
        module.section(&functions);
        module.section(&tables);
        module.section(&memories);
        module.section(&globals);
        module.section(&exports);
        if let Some(function_index) = all.start {
            module.section(&StartSection { function_index });
        }
        module.section(&elements);
        if let Some(count) = all.data_count {
            module.section(&DataCountSection { count });
        }
        module.section(&code);
        module.section(&data);
        Ok(module.finish())
    }
}

impl Reencode for Linked {
    type Error = std::convert::Infallible;

    /// Constant expressions may name imported globals only; those are constants now.
    fn const_expr(&mut self, expression: wasmparser::ConstExpr<'_>) -> Result<ConstExpr, Error> {
        if let Ok(wasmparser::Operator::GlobalGet { global_index }) =
            expression.get_operators_reader().read()
            && let Some(constant) = self.constants.get(global_index as usize)
        {
            return Ok(constant.clone());
        }
        wasm_encoder::reencode::utils::const_expr(self, expression)
    }
}

fn fits(least: u64, most: Option<u64>, (at_first, at_most): (u64, u64)) -> bool {
    least <= at_first && most.is_none_or(|most| at_most <= most)
}

/// The parameters of a function of `spectest`; it does nothing with them.
fn print(name: &str) -> Option<&'static [wasmparser::ValType]> {
    use wasmparser::ValType::{F32, F64, I32, I64};
    match name {
        "print" => Some(&[]),
        "print_i32" => Some(&[I32]),
        "print_i64" => Some(&[I64]),
        "print_f32" => Some(&[F32]),
        "print_f64" => Some(&[F64]),
        "print_i32_f32" => Some(&[I32, F32]),
        "print_f64_f64" => Some(&[F64, F64]),
        _ => None,
    }
}

fn constant(name: &str) -> Option<(ValType, ConstExpr)> {
    match name {
        "global_i32" => Some((ValType::I32, ConstExpr::i32_const(666))),
        "global_i64" => Some((ValType::I64, ConstExpr::i64_const(666))),
        "global_f32" => Some((ValType::F32, ConstExpr::f32_const(666.6_f32.into()))),
        "global_f64" => Some((ValType::F64, ConstExpr::f64_const(666.6_f64.into()))),
        _ => None,
    }
}
