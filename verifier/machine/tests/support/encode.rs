//! Encoding a generated program: plain, or with a call to `test.trace` before every operator.

use wasm_encoder::{
    CodeSection, ConstExpr, DataCountSection, DataSection, ElementSection, Elements, EntityType,
    ExportKind, ExportSection, Function, FunctionSection, GlobalSection, GlobalType, Ieee32,
    Ieee64, ImportSection, Instruction as I, MemorySection, MemoryType, Module, RefType,
    TableSection, TableType, TypeSection, ValType,
};

use super::generator::{
    COUNTERS, DOUBLES, Func, GLOBALS, Item, LEAVES, LOCALS, PARAMS, Program, SINGLES, TABLE,
    type_of,
};

/// Functions that the traced encoding imports: `trace(i32)`, `bulk(i32)`, `grow(i32)`.
const TRACERS: u32 = 3;

impl Program {
    /// Every function is exported by its index, memory and globals by name, and there is an empty `_start`.
    pub fn encode(&self, traced: bool) -> Vec<u8> {
        let mut start = Function::new([]);
        start.instruction(&I::End);
        self.encode_with(traced, &start)
    }

    /// The same with a `_start` that calls every function with operands made of `salt`, the last one first.
    pub fn encode_command(&self, salt: u32) -> Vec<u8> {
        let mut start = Function::new([]);
        for index in (0..u32::try_from(self.funcs.len()).unwrap()).rev() {
            let nth = (salt + index) as usize;
            start.instruction(&I::I32Const((salt ^ index).cast_signed() % 1000));
            start.instruction(&I::I64Const(i64::from(salt) << (nth % 30)));
            start.instruction(&I::F32Const(Ieee32::new(SINGLES[nth % SINGLES.len()])));
            start.instruction(&I::F64Const(Ieee64::new(DOUBLES[nth % DOUBLES.len()])));
            start.instruction(&I::Call(index));
            start.instruction(&I::Drop);
        }
        start.instruction(&I::End);
        self.encode_with(false, &start)
    }

    fn encode_with(&self, traced: bool, start: &Function) -> Vec<u8> {
        let shift = if traced { TRACERS } else { 0 };
        let mut module = Module::new();
        let mut types = TypeSection::new();
        for result in PARAMS {
            types.ty().function(PARAMS, [result]);
        }
        types.ty().function([], []);
        types.ty().function([ValType::I32], []);
        module.section(&types);
        if traced {
            let mut imports = ImportSection::new();
            for name in ["trace", "bulk", "grow"] {
                imports.import("test", name, EntityType::Function(5));
            }
            module.section(&imports);
        }
        let mut functions = FunctionSection::new();
        for func in &self.funcs {
            functions.function(type_of(func.result));
        }
        functions.function(4);
        module.section(&functions);
        self.environment(&mut module, shift);
        let mut code = CodeSection::new();
        let mut first = 0;
        for func in &self.funcs {
            code.function(&encode_function(func, traced.then_some(first)));
            first += i32::try_from(func.items.len()).unwrap();
        }
        code.function(start);
        module.section(&code);
        let mut data = DataSection::new();
        data.passive((0..200u8).rev());
        module.section(&data);
        module.finish()
    }

    fn environment(&self, module: &mut Module, shift: u32) {
        let mut tables = TableSection::new();
        tables.table(TableType {
            element_type: RefType::FUNCREF,
            table64: false,
            minimum: u64::from(TABLE),
            maximum: None,
            shared: false,
        });
        module.section(&tables);
        let mut memories = MemorySection::new();
        memories.memory(MemoryType {
            minimum: 1,
            maximum: Some(3),
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
        module.section(&memories);
        let mut globals = GlobalSection::new();
        for ty in PARAMS {
            for index in 0..GLOBALS {
                let init = match ty {
                    ValType::I32 => ConstExpr::i32_const(index.cast_signed()),
                    ValType::I64 => ConstExpr::i64_const(i64::from(index)),
                    ValType::F32 => ConstExpr::f32_const(Ieee32::new(SINGLES[9])),
                    _ => ConstExpr::f64_const(Ieee64::new(DOUBLES[9])),
                };
                let ty = GlobalType {
                    val_type: ty,
                    mutable: true,
                    shared: false,
                };
                globals.global(ty, &init);
            }
        }
        module.section(&globals);
        let mut exports = ExportSection::new();
        exports.export("memory", ExportKind::Memory, 0);
        let funcs = u32::try_from(self.funcs.len()).unwrap();
        exports.export("_start", ExportKind::Func, shift + funcs);
        for index in 0..funcs {
            exports.export(&index.to_string(), ExportKind::Func, shift + index);
        }
        for index in 0..4 * GLOBALS {
            exports.export(&format!("g{index}"), ExportKind::Global, index);
        }
        module.section(&exports);
        let mut elements = ElementSection::new();
        let leaves: Vec<u32> = (0..LEAVES.min(funcs)).map(|leaf| shift + leaf).collect();
        elements.active(
            None,
            &ConstExpr::i32_const(0),
            Elements::Functions(leaves.into()),
        );
        module.section(&elements);
        module.section(&DataCountSection { count: 1 });
    }
}

/// `first` is the id of the function's first item, if calls to the tracers are wanted.
fn encode_function(func: &Func, first: Option<i32>) -> Function {
    let mut locals = Vec::new();
    for ty in PARAMS {
        locals.push((LOCALS, ty));
    }
    locals.push((1 + COUNTERS, ValType::I32));
    let mut out = Function::new(locals);
    for (id, item) in func.items.iter().enumerate() {
        match (item, first) {
            (Item::Op(op), Some(first)) => {
                // Before `else` and `end` a call would not be seen where it counts, and neither is charged.
                if !matches!(op, I::Else | I::End) {
                    out.instruction(&I::I32Const(first + i32::try_from(id).unwrap()));
                    out.instruction(&I::Call(0));
                }
                match op {
                    I::Call(callee) => out.instruction(&I::Call(callee + TRACERS)),
                    op => out.instruction(op),
                };
            }
            (Item::Op(op), None) => drop(out.instruction(op)),
            (Item::BulkSize(local), Some(_)) => {
                out.instruction(&I::LocalGet(*local));
                out.instruction(&I::Call(1));
            }
            (Item::GrowSize(local), Some(_)) => {
                out.instruction(&I::LocalGet(*local));
                out.instruction(&I::Call(2));
            }
            (Item::BulkSize(_) | Item::GrowSize(_), None) => {}
        }
    }
    out
}
