//! Compiles the shim's source to WebAssembly.
//!
//! The language is as small as the shim needs: functions over two integer types, `int` (32 bits) and `long`
//! (64 bits), all arithmetic unsigned, and two memories. `m8 m16 m32 m64 [address]` is the shim's own memory,
//! `g8 g16 g32 g64 [address]` the guest's. No optimisation: what is written is what is executed.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod instructions;
mod parser;
mod tokens;

use std::collections::BTreeMap;

use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, EntityType, ExportKind, ExportSection, Function,
    FunctionSection, ImportSection, Instruction, MemorySection, MemoryType, Module, TypeSection,
    ValType,
};

/// Where string constants stand in the shim's memory, behind its fixed cells.
const DATA_BASE: u32 = 0xf000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ty {
    Int,
    Long,
    Void,
}

impl Ty {
    fn val(self) -> Option<ValType> {
        match self {
            Self::Int => Some(ValType::I32),
            Self::Long => Some(ValType::I64),
            Self::Void => None,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Signature {
    pub(crate) index: u32,
    pub(crate) params: Vec<(String, Ty)>,
    pub(crate) result: Ty,
    pub(crate) exported: bool,
}

/// A compiled body.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) index: u32,
    pub(crate) locals: Vec<Ty>,
    pub(crate) code: Vec<Instruction<'static>>,
}

/// Everything that is known outside of functions.
#[derive(Debug, Default)]
pub(crate) struct Unit {
    pub(crate) constants: BTreeMap<String, i64>,
    pub(crate) functions: BTreeMap<String, Signature>,
    pub(crate) imports: Vec<(String, String, Signature)>,
    pub(crate) data: Vec<u8>,
}

impl Unit {
    /// The address of a string constant.
    pub(crate) fn string(&mut self, text: &[u8]) -> u32 {
        let at = DATA_BASE + u32::try_from(self.data.len()).unwrap();
        self.data.extend_from_slice(text);
        at
    }
}

/// Compiles sources, in order, to one module.
pub(crate) fn compile(sources: &[&str]) -> Vec<u8> {
    let mut unit = Unit::default();
    let tokens: Vec<_> = sources
        .iter()
        .flat_map(|source| tokens::tokens(source))
        .collect();
    parser::declare(&tokens, &mut unit);
    let mut bodies = parser::bodies(&tokens, &mut unit);
    bodies.sort_by_key(|body| body.index);
    assert!(DATA_BASE as usize + unit.data.len() <= 1 << 16);
    module(&unit, &bodies)
}

fn module(unit: &Unit, bodies: &[Compiled]) -> Vec<u8> {
    let mut types = TypeSection::new();
    let mut imports = ImportSection::new();
    let mut functions = FunctionSection::new();
    let mut exports = ExportSection::new();
    let mut code = CodeSection::new();
    let declare = |types: &mut TypeSection, signature: &Signature| {
        let params = signature.params.iter().filter_map(|(_, ty)| ty.val());
        types
            .ty()
            .function(params.collect::<Vec<_>>(), signature.result.val());
        types.len() - 1
    };
    for (from, name, signature) in &unit.imports {
        let ty = declare(&mut types, signature);
        imports.import(from, name, EntityType::Function(ty));
    }
    let memory = |minimum| MemoryType {
        minimum,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    };
    imports.import("guest", "memory", EntityType::Memory(memory(0)));
    let mut defined: Vec<_> = unit.functions.iter().collect();
    defined.sort_by_key(|(_, signature)| signature.index);
    for (name, signature) in defined {
        let ty = declare(&mut types, signature);
        functions.function(ty);
        if signature.exported {
            exports.export(name, ExportKind::Func, signature.index);
        }
    }
    for body in bodies {
        let locals = body.locals.iter().filter_map(|ty| ty.val());
        let mut function = Function::new_with_locals_types(locals.collect::<Vec<_>>());
        for instruction in &body.code {
            function.instruction(instruction);
        }
        code.function(&function);
    }
    let mut memories = MemorySection::new();
    memories.memory(memory(1));
    let mut data = DataSection::new();
    data.active(
        1,
        &ConstExpr::i32_const(DATA_BASE.cast_signed()),
        unit.data.iter().copied(),
    );
    let mut module = Module::new();
    module
        .section(&types)
        .section(&imports)
        .section(&functions)
        .section(&memories)
        .section(&exports)
        .section(&code)
        .section(&data);
    module.finish()
}
