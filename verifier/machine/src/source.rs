//! Everything of a module but its code, and putting it together again around instrumented code.

use std::collections::BTreeMap;

use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{
    BlockType, BranchHints, CodeSection, ConstExpr, DataCountSection, DataSection, ElementSection,
    EntityType, ExportKind, ExportSection, FunctionSection, GlobalSection, GlobalType, Ieee32,
    Ieee64, ImportSection, MemorySection, Module, TableSection, TypeSection, ValType,
};
use wasmparser::{ElementItems, ElementKind, ExternalKind, FuncType, Import, Payload, TypeRef};

use crate::calls::Reachable;
use crate::emit::{Added, Extras, Shift};
use crate::error::{Place, PrepareError, check_size};
use crate::features::refusal;
use crate::host::{HOST_MODULE, HostCall};
use crate::limits::PrepareLimits;
use crate::prepare::{
    COUNTER_EXPORT, Code, PAGES_EXPORT, Prepared, REFILL_MODULE, REFILL_NAME, STACK_EXPORT,
    START_EXPORT,
};
use crate::wasi::{Param, WASI_MODULE, WasiCall};

/// What a module may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Profile {
    /// As a compiler made it: it imports WASI.
    #[default]
    Command,
    /// With the shim linked in: it imports host calls and has two memories.
    Linked,
}

/// A function that a module imports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Imported {
    Wasi(WasiCall),
    Host(HostCall),
}

impl Imported {
    fn find(profile: Profile, module: &str, name: &str) -> Option<Self> {
        match (profile, module) {
            (Profile::Command, WASI_MODULE) => WasiCall::by_name(name).map(Self::Wasi),
            (Profile::Linked, HOST_MODULE) => HostCall::by_name(name).map(Self::Host),
            _ => None,
        }
    }

    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Wasi(call) => (WASI_MODULE, call.name()),
            Self::Host(call) => (HOST_MODULE, call.name()),
        }
    }

    fn params(self) -> &'static [Param] {
        match self {
            Self::Wasi(call) => call.params(),
            Self::Host(call) => call.params(),
        }
    }

    fn result(self) -> Option<Param> {
        match self {
            Self::Wasi(call) => call.answers().then_some(Param::I32),
            Self::Host(call) => call.result(),
        }
    }
}

/// The prefix of export names that instrumentation keeps for itself.
const RESERVED_PREFIX: &str = "gio:";

/// The sections of a validated module.
#[derive(Debug, Default)]
pub(crate) struct Source<'a> {
    pub(crate) profile: Profile,
    pub(crate) types: Vec<FuncType>,
    /// Type index of every function, imports first.
    pub(crate) functions: Vec<u32>,
    pub(crate) imported: Vec<Imported>,
    pub(crate) globals: u32,
    /// Functions that element segments name.
    in_table: Vec<u32>,
    pub(crate) start: Option<u32>,
    /// The command's entry.
    pub(crate) command: Option<u32>,
    /// Exported functions, in order.
    pub(crate) exported: Vec<(String, u32)>,
    /// Pages each memory begins with, and the most that the module itself lets it have.
    pub(crate) pages: Vec<u64>,
    pub(crate) pages_max: Vec<Option<u64>>,
    /// Types that instrumentation adds behind the source's own: no parameters, these results.
    result_types: BTreeMap<Vec<ValType>, u32>,
    pub(crate) sections: Sections<'a>,
}

#[derive(Debug, Default)]
pub(crate) struct Sections<'a> {
    pub(crate) tables: Option<wasmparser::TableSectionReader<'a>>,
    pub(crate) memories: Option<wasmparser::MemorySectionReader<'a>>,
    pub(crate) globals: Option<wasmparser::GlobalSectionReader<'a>>,
    pub(crate) exports: Option<wasmparser::ExportSectionReader<'a>>,
    pub(crate) elements: Option<wasmparser::ElementSectionReader<'a>>,
    pub(crate) data_count: Option<u32>,
    pub(crate) data: Option<wasmparser::DataSectionReader<'a>>,
}

impl<'a> Source<'a> {
    pub(crate) fn new(profile: Profile) -> Self {
        Self {
            profile,
            ..Self::default()
        }
    }

    /// Takes in a validated section.
    pub(crate) fn take(
        &mut self,
        payload: Payload<'a>,
        limits: &PrepareLimits,
    ) -> Result<(), PrepareError> {
        let entries = limits.entries_max;
        match payload {
            Payload::TypeSection(reader) => {
                check_size("types", reader.count(), entries)?;
                self.types = reader
                    .into_iter_err_on_gc_types()
                    .collect::<Result<_, _>>()
                    .map_err(|error| refusal(&error, None))?;
            }
            Payload::ImportSection(reader) => {
                check_size("imports", reader.count(), entries)?;
                for import in reader.into_imports() {
                    self.import(&import.map_err(|error| refusal(&error, None))?)?;
                }
            }
            Payload::FunctionSection(reader) => {
                check_size("functions", reader.count(), limits.functions_max)?;
                for ty in reader {
                    self.functions
                        .push(ty.map_err(|error| refusal(&error, None))?);
                }
            }
            Payload::TableSection(reader) => self.tables(reader, limits)?,
            Payload::MemorySection(reader) => {
                for memory in reader.clone() {
                    let memory = memory.map_err(|error| refusal(&error, None))?;
                    self.pages.push(memory.initial);
                    self.pages_max.push(memory.maximum);
                }
                self.sections.memories = Some(reader);
            }
            Payload::GlobalSection(reader) => {
                check_size("globals", reader.count(), limits.globals_max)?;
                self.globals = reader.count();
                self.sections.globals = Some(reader);
            }
            Payload::ExportSection(reader) => self.exports(reader, limits)?,
            Payload::StartSection { func, .. } => self.start = Some(func),
            Payload::ElementSection(reader) => self.elements(reader, limits)?,
            Payload::DataCountSection { count, .. } => self.sections.data_count = Some(count),
            Payload::DataSection(reader) => {
                check_size("data segments", reader.count(), entries)?;
                self.sections.data = Some(reader);
            }
            // Custom sections have no meaning for a run and are left out of the builds.
            _ => {}
        }
        Ok(())
    }

    fn import(&mut self, import: &Import<'_>) -> Result<(), PrepareError> {
        let unknown = || PrepareError::UnknownImport {
            module: import.module.to_owned(),
            name: import.name.to_owned(),
        };
        let TypeRef::Func(ty) = import.ty else {
            return Err(unknown());
        };
        let call = Imported::find(self.profile, import.module, import.name).ok_or_else(unknown)?;
        let found = &self.types[ty as usize];
        let params = call.params().iter().copied().map(parser_type);
        let result = call.result().map(parser_type);
        if !found.params().iter().copied().eq(params) || !found.results().iter().copied().eq(result)
        {
            return Err(PrepareError::ImportSignature {
                name: call.names().1,
            });
        }
        self.functions.push(ty);
        self.imported.push(call);
        Ok(())
    }

    fn tables(
        &mut self,
        reader: wasmparser::TableSectionReader<'a>,
        limits: &PrepareLimits,
    ) -> Result<(), PrepareError> {
        for table in reader.clone() {
            let table = table.map_err(|error| refusal(&error, None))?;
            check_size(
                "table elements",
                table.ty.initial,
                limits.table_elements_max,
            )?;
        }
        self.sections.tables = Some(reader);
        Ok(())
    }

    fn exports(
        &mut self,
        reader: wasmparser::ExportSectionReader<'a>,
        limits: &PrepareLimits,
    ) -> Result<(), PrepareError> {
        check_size("exports", reader.count(), limits.entries_max)?;
        for export in reader.clone() {
            let export = export.map_err(|error| refusal(&error, None))?;
            if export.name.starts_with(RESERVED_PREFIX) && self.profile == Profile::Command {
                return Err(PrepareError::ReservedExport {
                    name: export.name.to_owned(),
                });
            }
            if export.kind == ExternalKind::Func {
                self.exported.push((export.name.to_owned(), export.index));
            }
            if export.name == "_start" && export.kind == ExternalKind::Func {
                let ty = &self.types[self.functions[export.index as usize] as usize];
                self.command =
                    (ty.params().is_empty() && ty.results().is_empty()).then_some(export.index);
            }
        }
        self.sections.exports = Some(reader);
        Ok(())
    }

    fn elements(
        &mut self,
        reader: wasmparser::ElementSectionReader<'a>,
        limits: &PrepareLimits,
    ) -> Result<(), PrepareError> {
        check_size("element segments", reader.count(), limits.entries_max)?;
        for element in reader.clone() {
            let element = element.map_err(|error| refusal(&error, None))?;
            let (ElementKind::Active { .. }, ElementItems::Functions(functions)) =
                (&element.kind, element.items)
            else {
                return Err(PrepareError::Feature {
                    feature: "an element segment that is not active",
                    place: Place {
                        function: None,
                        offset: element.range.start,
                    },
                });
            };
            for function in functions {
                let function = function.map_err(|error| refusal(&error, None))?;
                check_size(
                    "functions in tables",
                    self.in_table.len() as u64 + 1,
                    limits.entries_max,
                )?;
                self.in_table.push(function);
            }
        }
        self.sections.elements = Some(reader);
        Ok(())
    }

    pub(crate) fn check_command(&self) -> Result<(), PrepareError> {
        match self.command {
            Some(_) => Ok(()),
            None => Err(PrepareError::NotCommand),
        }
    }

    /// Which functions indirect calls reach: those in tables whose type looks the same.
    pub(crate) fn reachable(&self) -> Reachable {
        let mut reachable = Reachable::default();
        let mut by_look: BTreeMap<String, usize> = BTreeMap::new();
        for (index, ty) in (0..).zip(&self.types) {
            let next = by_look.len();
            let set = *by_look.entry(ty.to_string()).or_insert(next);
            reachable.by_type.insert(index, set);
        }
        reachable.sets.resize(by_look.len(), Vec::new());
        for function in &self.in_table {
            let ty = self.functions[*function as usize];
            if let Some(set) = reachable.by_type.get(&ty) {
                reachable.sets[*set].push(*function);
            }
        }
        reachable
    }

    /// Where instrumentation puts what it adds.
    pub(crate) fn added(&self) -> Added {
        Added {
            imports: index(self.imported.len()),
            functions: index(self.functions.len()) + 1,
            counter: self.globals,
            stack: self.globals + 1,
            pages: (self.profile == Profile::Linked).then_some(self.globals + 2),
        }
    }

    /// The block type that leaves a function's results.
    pub(crate) fn result_type(&mut self, results: &[wasmparser::ValType]) -> BlockType {
        let results: Vec<ValType> = results.iter().map(|ty| value_type(*ty)).collect();
        match results[..] {
            [] => BlockType::Empty,
            [one] => BlockType::Result(one),
            _ => {
                let next = self.refill_type() + 1 + index(self.result_types.len());
                BlockType::FunctionType(*self.result_types.entry(results).or_insert(next))
            }
        }
    }

    fn refill_type(&self) -> u32 {
        index(self.types.len())
    }

    /// Both builds around instrumented code.
    pub(crate) fn builds(&self, code: &Code) -> Result<Prepared, PrepareError> {
        Ok(Prepared {
            fast: self.module(&code.fast, Some(&code.hints), &code.extras)?,
            exact: self.module(&code.exact, None, &Extras::default())?,
            pages_min: self.pages.first().copied().unwrap_or(0),
        })
    }

    /// The module around instrumented code.
    fn module(
        &self,
        code: &CodeSection,
        hints: Option<&BranchHints>,
        extras: &Extras,
    ) -> Result<Vec<u8>, PrepareError> {
        self.assemble(code, hints, extras)
            .map_err(|error| encoding(&error))
    }

    fn assemble(
        &self,
        code: &CodeSection,
        hints: Option<&BranchHints>,
        extras: &Extras,
    ) -> Result<Vec<u8>, EncodeError> {
        let mut shift = Shift(self.added().imports);
        let mut module = Module::new();
        module.section(&self.type_section());
        module.section(&self.import_section());
        let mut functions = FunctionSection::new();
        for ty in &self.functions[self.imported.len()..] {
            functions.function(*ty);
        }
        for function in &extras.copies {
            functions.function(self.functions[*function as usize]);
        }
        module.section(&functions);
        if let Some(reader) = &self.sections.tables {
            let mut tables = TableSection::new();
            shift.parse_table_section(&mut tables, reader.clone())?;
            module.section(&tables);
        }
        if let Some(reader) = &self.sections.memories {
            let mut memories = MemorySection::new();
            shift.parse_memory_section(&mut memories, reader.clone())?;
            module.section(&memories);
        }
        module.section(&self.global_section(&mut shift, extras)?);
        module.section(&self.export_section(&mut shift)?);
        if let Some(reader) = &self.sections.elements {
            let mut elements = ElementSection::new();
            shift.parse_element_section(&mut elements, reader.clone())?;
            module.section(&elements);
        }
        if let Some(count) = self.sections.data_count {
            module.section(&DataCountSection { count });
        }
        if let Some(hints) = hints {
            module.section(hints);
        }
        module.section(code);
        if let Some(reader) = &self.sections.data {
            let mut data = DataSection::new();
            shift.parse_data_section(&mut data, reader.clone())?;
            module.section(&data);
        }
        Ok(module.finish())
    }

    fn type_section(&self) -> TypeSection {
        let mut types = TypeSection::new();
        for ty in &self.types {
            let params = ty.params().iter().map(|ty| value_type(*ty));
            let results = ty.results().iter().map(|ty| value_type(*ty));
            types
                .ty()
                .function(params.collect::<Vec<_>>(), results.collect::<Vec<_>>());
        }
        types
            .ty()
            .function([ValType::I64, ValType::I64], [ValType::I64]);
        let mut added: Vec<_> = self.result_types.iter().collect();
        added.sort_by_key(|(_, index)| **index);
        for (results, _) in added {
            types.ty().function([], results.iter().copied());
        }
        types
    }

    fn import_section(&self) -> ImportSection {
        let mut imports = ImportSection::new();
        for (call, ty) in self.imported.iter().zip(&self.functions) {
            let (module, name) = call.names();
            imports.import(module, name, EntityType::Function(*ty));
        }
        imports.import(
            REFILL_MODULE,
            REFILL_NAME,
            EntityType::Function(self.refill_type()),
        );
        imports
    }

    fn global_section(
        &self,
        shift: &mut Shift,
        extras: &Extras,
    ) -> Result<GlobalSection, EncodeError> {
        let mut globals = GlobalSection::new();
        if let Some(reader) = &self.sections.globals {
            shift.parse_global_section(&mut globals, reader.clone())?;
        }
        let mutable = |val_type| GlobalType {
            val_type,
            mutable: true,
            shared: false,
        };
        globals.global(mutable(ValType::I64), &ConstExpr::i64_const(0));
        globals.global(mutable(ValType::I32), &ConstExpr::i32_const(0));
        if self.profile == Profile::Linked {
            globals.global(mutable(ValType::I32), &ConstExpr::i32_const(0));
        }
        for ty in &extras.saved {
            let zero = match ty {
                ValType::I64 => ConstExpr::i64_const(0),
                ValType::F32 => ConstExpr::f32_const(Ieee32::new(0)),
                ValType::F64 => ConstExpr::f64_const(Ieee64::new(0)),
                _ => ConstExpr::i32_const(0),
            };
            globals.global(mutable(*ty), &zero);
        }
        Ok(globals)
    }

    fn export_section(&self, shift: &mut Shift) -> Result<ExportSection, EncodeError> {
        let mut exports = ExportSection::new();
        if let Some(reader) = &self.sections.exports {
            shift.parse_export_section(&mut exports, reader.clone())?;
        }
        exports.export(COUNTER_EXPORT, ExportKind::Global, self.added().counter);
        exports.export(STACK_EXPORT, ExportKind::Global, self.added().stack);
        if let Some(pages) = self.added().pages {
            exports.export(PAGES_EXPORT, ExportKind::Global, pages);
        }
        if let Some(start) = self.start {
            exports.export(START_EXPORT, ExportKind::Func, shift.function_index(start)?);
        }
        Ok(exports)
    }
}

pub(crate) type EncodeError = reencode::Error<std::convert::Infallible>;

/// Something that does not encode although it was validated.
pub(crate) fn encoding(error: &EncodeError) -> PrepareError {
    PrepareError::Invalid {
        message: error.to_string(),
        place: Place {
            function: None,
            offset: 0,
        },
    }
}

pub(crate) fn index(count: usize) -> u32 {
    u32::try_from(count).expect("the validator limits every index space to less than 2^32")
}

fn parser_type(param: Param) -> wasmparser::ValType {
    match param {
        Param::I32 => wasmparser::ValType::I32,
        Param::I64 => wasmparser::ValType::I64,
    }
}

/// A value type of the accepted set.
pub(crate) fn value_type(ty: wasmparser::ValType) -> ValType {
    match ty {
        wasmparser::ValType::I32 => ValType::I32,
        wasmparser::ValType::I64 => ValType::I64,
        wasmparser::ValType::F32 => ValType::F32,
        wasmparser::ValType::F64 => ValType::F64,
        other => unreachable!("the accepted feature set has no values of type {other}"),
    }
}
