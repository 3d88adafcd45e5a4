//! Linking: a program and the WASI shim become one module that imports nothing but host calls.
//!
//! The guest keeps memory 0 and its own numbers of types, globals and data segments. The shim has memory 1, which
//! nothing the guest can say names. Functions are numbered: host calls, the guest's, the shim's.

use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{
    CodeSection, ConstExpr, DataCountSection, DataSection, ElementSection, EntityType, ExportKind,
    ExportSection, Function, FunctionSection, GlobalSection, ImportSection, MemorySection,
    MemoryType, Module, TableSection, TypeSection, ValType,
};
use wasmparser::{DataKind, ExternalKind, FunctionBody, Parser, Payload, TypeRef};

use crate::error::{PrepareError, check_size};
use crate::features::{linked, refusal};
use crate::host::{HOST_MODULE, HostCall};
use crate::limits::PrepareLimits;
use crate::source::{EncodeError, Imported, Profile, Source, encoding, index, value_type};
use crate::wasi::Param;

/// The compiled shim; its source stands beside it and a test compiles it again.
const SHIM: &[u8] = include_bytes!("../shim/shim.wasm");

/// Export of the shim's memory, on which host calls work.
pub const SHIM_MEMORY_EXPORT: &str = "gio:shim";

/// Where the guest's passive data segments begin in the shim's memory: behind the shim's cells and constants.
pub(crate) const PASSIVE_BASE: u32 = 1 << 16;

/// Export names of a library: its start function, and its own exports behind a prefix.
pub const LIBRARY_START: &str = "start";
/// See [`LIBRARY_START`].
pub const LIBRARY_PREFIX: &str = "fn:";

/// The cell that says where the shim's heap begins.
const HEAP_CELL: i32 = 0x84;

/// What the heap's beginning is a multiple of.
const HEAP_ALIGN: u32 = 16;

const PAGE_BYTES: u32 = 1 << 16;

/// Where each passive segment lies in the shim's memory; active ones have no place there.
pub(crate) fn passive_places(source: &Source<'_>) -> Result<(Vec<Option<u32>>, u32), PrepareError> {
    let mut places = Vec::new();
    let mut end = PASSIVE_BASE;
    let Some(reader) = &source.sections.data else {
        return Ok((places, end));
    };
    for data in reader.clone() {
        let data = data.map_err(|error| refusal(&error, None))?;
        let passive = matches!(data.kind, DataKind::Passive);
        places.push(passive.then_some(end));
        if passive {
            // The module's own size bounds the sum far below 2^32.
            end += index(data.data.len());
        }
    }
    Ok((places, end.next_multiple_of(HEAP_ALIGN)))
}

/// What is linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Linking {
    /// A command and the shim; only its beginning is exported.
    Command,
    /// A module without imports, whose functions tests call one by one.
    Library,
}

/// The linked module.
pub(crate) fn link(
    guest: &Source<'_>,
    bodies: &[FunctionBody<'_>],
    linking: Linking,
    limits: &PrepareLimits,
) -> Result<Vec<u8>, PrepareError> {
    let shim = match linking {
        Linking::Command => Shim::parse(limits)?,
        Linking::Library => Shim::default(),
    };
    let linker = Linker {
        guest,
        shim: &shim,
        linking,
        heap: passive_places(guest)?.1,
    };
    linker.module(bodies).map_err(|error| encoding(&error))
}

/// The shim's sections.
#[derive(Debug, Default)]
struct Shim {
    source: Source<'static>,
    /// Names of the imported functions.
    imports: Vec<&'static str>,
    exports: Vec<(&'static str, u32)>,
    bodies: Vec<FunctionBody<'static>>,
}

impl Shim {
    fn parse(limits: &PrepareLimits) -> Result<Self, PrepareError> {
        let mut shim = Self {
            source: Source::new(Profile::Linked),
            ..Self::default()
        };
        let mut parser = Parser::new(0);
        parser.set_features(linked());
        for payload in parser.parse_all(SHIM) {
            match payload.map_err(|error| refusal(&error, None))? {
                Payload::ImportSection(reader) => shim.take_imports(reader)?,
                Payload::ExportSection(reader) => {
                    for export in reader {
                        let export = export.map_err(|error| refusal(&error, None))?;
                        if export.kind == ExternalKind::Func {
                            shim.exports.push((export.name, export.index));
                        }
                    }
                }
                Payload::CodeSectionEntry(body) => shim.bodies.push(body),
                payload => shim.source.take(payload, limits)?,
            }
        }
        Ok(shim)
    }

    fn take_imports(
        &mut self,
        reader: wasmparser::ImportSectionReader<'static>,
    ) -> Result<(), PrepareError> {
        for import in reader.into_imports() {
            let import = import.map_err(|error| refusal(&error, None))?;
            if let TypeRef::Func(ty) = import.ty {
                self.source.functions.push(ty);
                self.imports.push(import.name);
            }
        }
        Ok(())
    }

    fn defined(&self) -> usize {
        self.source.functions.len() - self.imports.len()
    }
}

struct Linker<'a> {
    guest: &'a Source<'a>,
    shim: &'a Shim,
    linking: Linking,
    heap: u32,
}

impl Linker<'_> {
    fn host_calls() -> u32 {
        index(HostCall::ALL.len())
    }

    fn guest_defined(&self) -> u32 {
        index(self.guest.functions.len() - self.guest.imported.len())
    }

    /// The guest's function in the linked module.
    fn guest_function(&self, function: u32) -> u32 {
        match self.guest.imported.get(function as usize) {
            Some(Imported::Wasi(call)) => self.shim_export(call.name()),
            _ => Self::host_calls() + function - index(self.guest.imported.len()),
        }
    }

    fn shim_export(&self, name: &str) -> u32 {
        let mut exports = self.shim.exports.iter();
        let export = exports.find(|(export, _)| *export == name);
        let (_, function) = export.expect("the shim exports every call of the table");
        self.shim_function(*function)
    }

    /// The shim's function in the linked module.
    fn shim_function(&self, function: u32) -> u32 {
        let imports = index(self.shim.imports.len());
        let Some(name) = self.shim.imports.get(function as usize) else {
            return Self::host_calls() + self.guest_defined() + function - imports;
        };
        if let Some(at) = HostCall::ALL.iter().position(|call| call.name() == *name) {
            return index(at);
        }
        let entry = match *name {
            "start" => self.guest.start,
            _ => self.guest.command,
        };
        match entry {
            Some(entry) => self.guest_function(entry),
            None => self.nothing(),
        }
    }

    /// A function that does nothing, for a guest without start function.
    fn nothing(&self) -> u32 {
        Self::host_calls() + self.guest_defined() + index(self.shim.defined())
    }

    fn module(&self, bodies: &[FunctionBody<'_>]) -> Result<Vec<u8>, EncodeError> {
        let mut guest = GuestIndices(self);
        let sections = &self.guest.sections;
        let mut module = Module::new();
        module.section(&self.types());
        module.section(&self.imports());
        module.section(&self.functions());
        if let Some(reader) = &sections.tables {
            let mut tables = TableSection::new();
            guest.parse_table_section(&mut tables, reader.clone())?;
            module.section(&tables);
        }
        module.section(&self.memories()?);
        if let Some(reader) = &sections.globals {
            let mut globals = GlobalSection::new();
            guest.parse_global_section(&mut globals, reader.clone())?;
            module.section(&globals);
        }
        module.section(&self.exports()?);
        if let Some(reader) = &sections.elements {
            let mut elements = ElementSection::new();
            guest.parse_element_section(&mut elements, reader.clone())?;
            module.section(&elements);
        }
        let data = self.data()?;
        module.section(&DataCountSection { count: data.len() });
        module.section(&self.code(bodies)?);
        module.section(&data);
        Ok(module.finish())
    }

    fn types(&self) -> TypeSection {
        let mut types = TypeSection::new();
        for ty in self.guest.types.iter().chain(&self.shim.source.types) {
            let params = ty.params().iter().map(|ty| value_type(*ty));
            let results = ty.results().iter().map(|ty| value_type(*ty));
            types
                .ty()
                .function(params.collect::<Vec<_>>(), results.collect::<Vec<_>>());
        }
        for call in HostCall::ALL {
            let params = call.params().iter().map(|param| parameter(*param));
            let result = call.result().map(parameter);
            types.ty().function(params.collect::<Vec<_>>(), result);
        }
        types.ty().function([], []);
        types
    }

    /// The first type behind the guest's and the shim's.
    fn own_types(&self) -> u32 {
        index(self.guest.types.len() + self.shim.source.types.len())
    }

    fn imports(&self) -> ImportSection {
        let mut imports = ImportSection::new();
        for (call, nth) in HostCall::ALL.iter().zip(0..) {
            let ty = self.own_types() + nth;
            imports.import(HOST_MODULE, call.name(), EntityType::Function(ty));
        }
        imports
    }

    fn functions(&self) -> FunctionSection {
        let mut functions = FunctionSection::new();
        for ty in &self.guest.functions[self.guest.imported.len()..] {
            functions.function(*ty);
        }
        for ty in &self.shim.source.functions[self.shim.imports.len()..] {
            functions.function(index(self.guest.types.len()) + ty);
        }
        functions.function(self.own_types() + Self::host_calls());
        functions
    }

    fn memories(&self) -> Result<MemorySection, EncodeError> {
        let mut memories = MemorySection::new();
        match &self.guest.sections.memories {
            Some(reader) if reader.count() > 0 => {
                GuestIndices(self).parse_memory_section(&mut memories, reader.clone())?;
            }
            _ => {
                memories.memory(memory(0, Some(0)));
            }
        }
        memories.memory(memory(u64::from(self.heap.div_ceil(PAGE_BYTES)), None));
        Ok(memories)
    }

    fn exports(&self) -> Result<ExportSection, EncodeError> {
        let mut exports = ExportSection::new();
        exports.export("memory", ExportKind::Memory, 0);
        exports.export(SHIM_MEMORY_EXPORT, ExportKind::Memory, 1);
        if self.linking == Linking::Command {
            exports.export("_start", ExportKind::Func, self.shim_export("_start"));
            return Ok(exports);
        }
        exports.export("_start", ExportKind::Func, self.nothing());
        let start = self.guest.start.map(|start| self.guest_function(start));
        let start = start.unwrap_or_else(|| self.nothing());
        exports.export(LIBRARY_START, ExportKind::Func, start);
        if let Some(reader) = &self.guest.sections.exports {
            for export in reader.clone() {
                let export = export?;
                if export.kind == ExternalKind::Func {
                    let name = format!("{LIBRARY_PREFIX}{}", export.name);
                    let function = self.guest_function(export.index);
                    exports.export(&name, ExportKind::Func, function);
                }
            }
        }
        Ok(exports)
    }

    fn data(&self) -> Result<DataSection, EncodeError> {
        let mut data = DataSection::new();
        if let Some(reader) = &self.guest.sections.data {
            GuestIndices(self).parse_data_section(&mut data, reader.clone())?;
        }
        if let Some(reader) = &self.shim.source.sections.data {
            ShimIndices(self).parse_data_section(&mut data, reader.clone())?;
        }
        let heap = self.heap.to_le_bytes();
        data.active(1, &ConstExpr::i32_const(HEAP_CELL), heap);
        Ok(data)
    }

    fn code(&self, bodies: &[FunctionBody<'_>]) -> Result<CodeSection, EncodeError> {
        let mut code = CodeSection::new();
        for body in bodies {
            GuestIndices(self).parse_function_body(&mut code, body.clone())?;
        }
        for body in &self.shim.bodies {
            ShimIndices(self).parse_function_body(&mut code, body.clone())?;
        }
        let mut nothing = Function::new([]);
        nothing.instructions().end();
        code.function(&nothing);
        Ok(code)
    }
}

fn memory(minimum: u64, maximum: Option<u64>) -> MemoryType {
    MemoryType {
        minimum,
        maximum,
        memory64: false,
        shared: false,
        page_size_log2: None,
    }
}

fn parameter(param: Param) -> ValType {
    match param {
        Param::I32 => ValType::I32,
        Param::I64 => ValType::I64,
    }
}

struct GuestIndices<'l, 'a>(&'l Linker<'a>);

impl Reencode for GuestIndices<'_, '_> {
    type Error = std::convert::Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, reencode::Error<Self::Error>> {
        Ok(self.0.guest_function(function))
    }
}

struct ShimIndices<'l, 'a>(&'l Linker<'a>);

impl Reencode for ShimIndices<'_, '_> {
    type Error = std::convert::Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, reencode::Error<Self::Error>> {
        Ok(self.0.shim_function(function))
    }

    fn type_index(&mut self, ty: u32) -> Result<u32, reencode::Error<Self::Error>> {
        Ok(index(self.0.guest.types.len()) + ty)
    }
}

/// What the shim adds to a module, for limits that are meant for the guest alone.
pub(crate) fn with_shim(limits: &PrepareLimits) -> Result<PrepareLimits, PrepareError> {
    const ROOM: u64 = 1024;
    check_size("bytes of the shim", SHIM.len() as u64, 1 << 16)?;
    Ok(PrepareLimits {
        module_bytes_max: u64::MAX,
        functions_max: limits.functions_max + ROOM,
        entries_max: limits.entries_max + ROOM,
        type_bytes_max: limits.type_bytes_max + (1 << 16),
        complexity_max: limits.complexity_max.saturating_add(1 << 20),
        ..*limits
    })
}
