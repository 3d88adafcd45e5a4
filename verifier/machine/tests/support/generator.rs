//! Generates modules of typed random functions: floats with every kind of NaN, memory, globals, blocks with
//! results, bounded loops, `br_table`, direct and indirect calls, bulk operations, and operations that trap.
//!
//! The same program can be encoded plain, or with a call to `test.trace` before every operator.

use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, DataCountSection, DataSection, ElementSection, Elements,
    EntityType, ExportKind, ExportSection, Function, FunctionSection, GlobalSection, GlobalType,
    Ieee32, Ieee64, ImportSection, Instruction as I, MemArg, MemorySection, MemoryType, Module,
    RefType, TableSection, TableType, TypeSection, ValType,
};

use super::rng::Rng;

/// What kind of programs to make.
#[derive(Clone, Copy, Debug)]
pub struct Taste {
    /// Whether operations that can trap are wanted.
    pub traps: bool,
    /// Whether bulk memory operations and `memory.grow` are wanted.
    pub bulk: bool,
    /// Of ten values, how many shall be floats.
    pub floats: u32,
    /// Statements at the top level of a function.
    pub statements: u32,
}

/// One item of a function: an operator, or what tells the oracle the size a bulk operation is about to have.
#[derive(Clone, Debug)]
pub enum Item {
    Op(I<'static>),
    BulkSize(u32),
    GrowSize(u32),
}

#[derive(Clone, Debug)]
pub struct Func {
    pub result: ValType,
    pub items: Vec<Item>,
}

#[derive(Clone, Debug)]
pub struct Program {
    pub funcs: Vec<Func>,
}

/// Every function takes one of each.
pub const PARAMS: [ValType; 4] = [ValType::I32, ValType::I64, ValType::F32, ValType::F64];
/// Locals of each type behind the parameters.
const LOCALS: u32 = 3;
/// Loop counters, one per depth.
const COUNTERS: u32 = 3;
const GLOBALS: u32 = 2;
/// Functions that call nothing and stand in the table.
const LEAVES: u32 = 4;
/// Table slots; those behind the leaves are null.
const TABLE: u32 = 5;
/// Every so many functions one has no blocks and calls nothing: it always costs the same.
const STRAIGHT_EVERY: u32 = 4;
/// Executed operators a function may reach by calling others, roughly.
const COST_MAX: u64 = 30_000;

fn local_of(ty: ValType, index: u32) -> u32 {
    let at = u32::try_from(PARAMS.iter().position(|param| *param == ty).unwrap()).unwrap();
    match index {
        0 => at,
        index => 4 + at * LOCALS + index - 1,
    }
}

const SIZE_LOCAL: u32 = 4 + 4 * LOCALS;

fn counter(depth: u32) -> u32 {
    SIZE_LOCAL + 1 + depth
}

fn global_of(ty: ValType, index: u32) -> u32 {
    let at = u32::try_from(PARAMS.iter().position(|param| *param == ty).unwrap()).unwrap();
    at * GLOBALS + index
}

pub fn generate(seed: u64, funcs: u32, taste: Taste) -> Program {
    let mut rng = Rng::new(seed);
    let mut made: Vec<(Func, u64)> = Vec::new();
    for index in 0..funcs {
        let mut writer = Writer {
            rng: Rng::new(rng.next()),
            taste,
            items: Vec::new(),
            results: made.iter().map(|(func, _)| func.result).collect(),
            costs: made.iter().map(|(_, cost)| *cost).collect(),
            calls: index >= LEAVES && index % STRAIGHT_EVERY != 0,
            straight: index % STRAIGHT_EVERY == 0,
            loops: 0,
            multiplier: 1,
            cost: 0,
            nesting: 0,
            result: rng.pick(&PARAMS),
        };
        writer.function();
        made.push((
            Func {
                result: writer.result,
                items: writer.items,
            },
            writer.cost,
        ));
    }
    Program {
        funcs: made.into_iter().map(|(func, _)| func).collect(),
    }
}

struct Writer {
    rng: Rng,
    taste: Taste,
    items: Vec<Item>,
    results: Vec<ValType>,
    costs: Vec<u64>,
    calls: bool,
    straight: bool,
    loops: u32,
    multiplier: u64,
    cost: u64,
    /// Open blocks.
    nesting: u32,
    result: ValType,
}

impl Writer {
    fn function(&mut self) {
        let statements = match self.straight {
            true => 2,
            false => self.taste.statements,
        };
        for _ in 0..statements {
            self.statement(if self.straight { 1 } else { 3 });
        }
        self.expr(self.result, 3);
        self.op(I::End);
    }

    fn op(&mut self, op: I<'static>) {
        self.cost += self.multiplier;
        self.items.push(Item::Op(op));
    }

    fn ty(&mut self) -> ValType {
        match self.rng.below(10) < self.taste.floats {
            true => self.rng.pick(&[ValType::F32, ValType::F64]),
            false => self.rng.pick(&[ValType::I32, ValType::I64]),
        }
    }

    fn local(&mut self, ty: ValType) -> u32 {
        let index = self.rng.below(LOCALS + 1);
        local_of(ty, index)
    }

    fn address(&mut self, depth: u32) -> MemArg {
        self.expr(ValType::I32, depth);
        self.op(I::I32Const(0xff8));
        self.op(I::I32And);
        MemArg {
            offset: u64::from(self.rng.below(16)),
            align: 0,
            memory_index: 0,
        }
    }

    fn statement(&mut self, depth: u32) {
        let depth = depth.saturating_sub(1);
        match self.rng.below(if depth == 0 { 8 } else { 17 }) {
            0..=3 => {
                let ty = self.ty();
                self.expr(ty, depth + 1);
                let local = self.local(ty);
                self.op(I::LocalSet(local));
            }
            4 | 5 => self.store(depth),
            6 => {
                let ty = self.ty();
                self.expr(ty, depth);
                let global = global_of(ty, self.rng.below(GLOBALS));
                self.op(I::GlobalSet(global));
            }
            7 => {
                let ty = self.ty();
                self.expr(ty, depth);
                self.op(I::Drop);
            }
            8 | 9 => self.if_statement(depth),
            10 | 11 => self.loop_statement(depth),
            12 => self.block_statement(depth),
            13 => self.table_statement(depth),
            14 if self.taste.bulk => self.bulk(depth),
            15 if self.taste.traps => self.trap(depth),
            16 => self.leave(depth),
            _ => self.op(I::Nop),
        }
    }

    fn store(&mut self, depth: u32) {
        let memarg = self.address(depth);
        let ty = self.ty();
        self.expr(ty, depth + 1);
        self.op(match ty {
            ValType::I32 => I::I32Store(memarg),
            ValType::I64 => I::I64Store(memarg),
            ValType::F32 => I::F32Store(memarg),
            _ => I::F64Store(memarg),
        });
    }

    fn open(&mut self, op: I<'static>) {
        self.op(op);
        self.nesting += 1;
    }

    fn close(&mut self) {
        self.op(I::End);
        self.nesting -= 1;
    }

    fn if_statement(&mut self, depth: u32) {
        self.expr(ValType::I32, depth);
        self.open(I::If(BlockType::Empty));
        self.statement(depth);
        if self.rng.one_in(2) {
            self.op(I::Else);
            self.statement(depth);
        }
        self.close();
    }

    fn loop_statement(&mut self, depth: u32) {
        if self.loops == COUNTERS {
            return;
        }
        let rounds = self.rng.below(5) + 1;
        let counter = counter(self.loops);
        self.op(I::I32Const(0));
        self.op(I::LocalSet(counter));
        let before = self.multiplier;
        self.multiplier *= u64::from(rounds);
        self.loops += 1;
        self.open(I::Loop(BlockType::Empty));
        for _ in 0..=self.rng.below(3) {
            self.statement(depth);
        }
        self.op(I::LocalGet(counter));
        self.op(I::I32Const(1));
        self.op(I::I32Add);
        self.op(I::LocalTee(counter));
        self.op(I::I32Const(rounds.cast_signed()));
        self.op(I::I32LtU);
        self.op(I::BrIf(0));
        self.close();
        self.loops -= 1;
        self.multiplier = before;
    }

    fn block_statement(&mut self, depth: u32) {
        self.open(I::Block(BlockType::Empty));
        self.statement(depth);
        self.expr(ValType::I32, depth);
        self.op(I::BrIf(0));
        self.statement(depth);
        self.close();
    }

    fn table_statement(&mut self, depth: u32) {
        let blocks = self.rng.below(3) + 1;
        for _ in 0..blocks {
            self.open(I::Block(BlockType::Empty));
        }
        self.expr(ValType::I32, depth);
        let targets: Vec<u32> = (0..self.rng.below(4)).map(|at| at % blocks).collect();
        let default = self.rng.below(blocks);
        self.op(I::BrTable(targets.into(), default));
        for _ in 0..blocks {
            self.close();
            self.statement(depth);
        }
    }

    fn bulk(&mut self, depth: u32) {
        self.expr(ValType::I32, depth);
        self.op(I::I32Const(0x1ff));
        self.op(I::I32And);
        self.op(I::LocalSet(SIZE_LOCAL));
        let kind = self.rng.below(4);
        if kind == 3 {
            self.op(I::LocalGet(SIZE_LOCAL));
            self.op(I::I32Const(3));
            self.op(I::I32And);
            self.op(I::LocalTee(SIZE_LOCAL));
            self.items.push(Item::GrowSize(SIZE_LOCAL));
            self.op(I::MemoryGrow(0));
            let local = self.local(ValType::I32);
            self.op(I::LocalSet(local));
            return;
        }
        self.address(depth);
        match kind {
            0 => self.expr(ValType::I32, depth),
            1 => drop(self.address(depth)),
            _ => self.op(I::I32Const(0)),
        }
        self.op(I::LocalGet(SIZE_LOCAL));
        self.items.push(Item::BulkSize(SIZE_LOCAL));
        self.op(match kind {
            0 => I::MemoryFill(0),
            1 => I::MemoryCopy {
                src_mem: 0,
                dst_mem: 0,
            },
            // The segment is shorter than the largest size: sometimes it traps.
            _ if self.taste.traps => I::MemoryInit {
                mem: 0,
                data_index: 0,
            },
            _ => I::MemoryFill(0),
        });
    }

    fn trap(&mut self, depth: u32) {
        match self.rng.below(4) {
            0 => {
                self.expr(ValType::I32, depth);
                self.expr(ValType::I32, depth);
                self.op(I::I32DivS);
                self.op(I::Drop);
            }
            1 => {
                self.expr(ValType::F64, depth);
                self.op(I::I64TruncF64S);
                self.op(I::Drop);
            }
            2 => {
                self.expr(ValType::I32, depth);
                self.op(I::I32Load(MemArg {
                    offset: 0xfff0_0000,
                    align: 0,
                    memory_index: 0,
                }));
                self.op(I::Drop);
            }
            _ => {
                self.expr(ValType::I32, depth);
                self.op(I::I32Eqz);
                self.open(I::If(BlockType::Empty));
                self.op(I::Unreachable);
                self.dead_code();
                self.close();
            }
        }
    }

    /// Leaves early, now and then, by `return` or a branch to the function's own label.
    fn leave(&mut self, depth: u32) {
        self.expr(ValType::I32, depth);
        self.op(I::I32Const(7));
        self.op(I::I32And);
        self.op(I::I32Eqz);
        self.open(I::If(BlockType::Empty));
        self.expr(self.result, depth);
        match self.rng.one_in(2) {
            true => self.op(I::Return),
            false => self.op(I::Br(self.nesting)),
        }
        self.dead_code();
        self.close();
    }

    fn dead_code(&mut self) {
        if self.rng.one_in(2) {
            self.op(I::Nop);
            self.op(I::F64Const(Ieee64::new(1)));
            self.op(I::Drop);
            self.op(I::Block(BlockType::Empty));
            self.op(I::Nop);
            self.op(I::End);
        }
    }

    fn expr(&mut self, ty: ValType, depth: u32) {
        if depth == 0 || self.rng.one_in(8) {
            return self.leaf(ty);
        }
        let depth = depth - 1;
        match self.rng.below(16) {
            0 => self.leaf(ty),
            1 => {
                self.expr(ty, depth);
                let local = self.local(ty);
                self.op(I::LocalTee(local));
            }
            2 => {
                self.expr(ty, depth);
                self.expr(ty, depth);
                self.expr(ValType::I32, depth);
                self.op(I::Select);
            }
            3 if !self.straight => self.block_expr(ty, depth),
            4 if !self.straight => self.if_expr(ty, depth),
            5 => self.call(ty, depth),
            6 => self.load(ty, depth),
            7 | 8 => self.convert(ty, depth),
            9 | 10 => self.unary(ty, depth),
            _ => self.binary(ty, depth),
        }
    }

    fn leaf(&mut self, ty: ValType) {
        if self.rng.one_in(2) {
            let local = self.local(ty);
            return self.op(I::LocalGet(local));
        }
        if self.rng.one_in(5) {
            let global = global_of(ty, self.rng.below(GLOBALS));
            return self.op(I::GlobalGet(global));
        }
        let op = constant(ty, &mut self.rng);
        self.op(op);
    }

    fn block_expr(&mut self, ty: ValType, depth: u32) {
        self.open(I::Block(BlockType::Result(ty)));
        self.expr(ty, depth);
        self.expr(ValType::I32, depth);
        self.op(I::BrIf(0));
        if self.rng.one_in(2) {
            self.op(I::Drop);
            self.expr(ty, depth);
        }
        self.close();
    }

    fn if_expr(&mut self, ty: ValType, depth: u32) {
        self.expr(ValType::I32, depth);
        self.open(I::If(BlockType::Result(ty)));
        self.expr(ty, depth);
        self.op(I::Else);
        self.expr(ty, depth);
        self.close();
    }

    fn call(&mut self, ty: ValType, depth: u32) {
        if !self.calls {
            return self.leaf(ty);
        }
        let indirect = self.taste.traps && self.rng.one_in(3);
        let bound = match indirect {
            true => LEAVES,
            false => u32::try_from(self.results.len()).unwrap(),
        };
        let callee = self.rng.below(bound);
        let price = match indirect {
            true => self.costs[..LEAVES as usize].iter().max().copied().unwrap(),
            false => self.costs[callee as usize],
        };
        if self.cost + price * self.multiplier > COST_MAX {
            return self.leaf(ty);
        }
        self.cost += price * self.multiplier;
        for param in PARAMS {
            self.expr(param, depth.min(1));
        }
        let found = self.results[callee as usize];
        if indirect {
            self.expr(ValType::I32, depth);
            self.op(I::I32Const(7));
            self.op(I::I32And);
            self.op(I::CallIndirect {
                type_index: type_of(found),
                table_index: 0,
            });
        } else {
            self.op(I::Call(callee));
        }
        if found != ty {
            self.op(I::Drop);
            self.leaf(ty);
        }
    }

    fn load(&mut self, ty: ValType, depth: u32) {
        let memarg = self.address(depth);
        self.op(match ty {
            ValType::I32 => I::I32Load(memarg),
            ValType::I64 => I::I64Load(memarg),
            ValType::F32 => I::F32Load(memarg),
            _ => I::F64Load(memarg),
        });
    }

    fn convert(&mut self, ty: ValType, depth: u32) {
        let (from, op) = match ty {
            ValType::I32 => self.rng.pick(&[
                (ValType::F32, Conv::I32ReinterpretF32),
                (ValType::F64, Conv::I32TruncSatF64S),
                (ValType::I64, Conv::I32WrapI64),
                (ValType::F32, Conv::F32Lt),
                (ValType::F64, Conv::F64Ge),
                (ValType::F64, Conv::F64Ne),
            ]),
            ValType::I64 => self.rng.pick(&[
                (ValType::F64, Conv::I64ReinterpretF64),
                (ValType::F32, Conv::I64TruncSatF32U),
                (ValType::I32, Conv::I64ExtendI32S),
            ]),
            ValType::F32 => self.rng.pick(&[
                (ValType::I32, Conv::F32ReinterpretI32),
                (ValType::F64, Conv::F32DemoteF64),
                (ValType::I64, Conv::F32ConvertI64U),
            ]),
            _ => self.rng.pick(&[
                (ValType::I64, Conv::F64ReinterpretI64),
                (ValType::F32, Conv::F64PromoteF32),
                (ValType::I32, Conv::F64ConvertI32S),
            ]),
        };
        self.expr(from, depth);
        if matches!(op, Conv::F32Lt | Conv::F64Ge | Conv::F64Ne) {
            self.expr(from, depth);
        }
        self.op(op.instruction());
    }

    fn unary(&mut self, ty: ValType, depth: u32) {
        self.expr(ty, depth);
        let at = self.rng.below(7) as usize;
        self.op(match ty {
            ValType::I32 => [
                I::I32Clz,
                I::I32Ctz,
                I::I32Popcnt,
                I::I32Eqz,
                I::I32Extend8S,
                I::I32Extend16S,
                I::I32Eqz,
            ][at]
                .clone(),
            ValType::I64 => [
                I::I64Clz,
                I::I64Ctz,
                I::I64Popcnt,
                I::I64Extend8S,
                I::I64Extend32S,
                I::I64Extend16S,
                I::I64Clz,
            ][at]
                .clone(),
            ValType::F32 => [
                I::F32Neg,
                I::F32Abs,
                I::F32Ceil,
                I::F32Floor,
                I::F32Trunc,
                I::F32Nearest,
                I::F32Sqrt,
            ][at]
                .clone(),
            _ => [
                I::F64Neg,
                I::F64Abs,
                I::F64Ceil,
                I::F64Floor,
                I::F64Trunc,
                I::F64Nearest,
                I::F64Sqrt,
            ][at]
                .clone(),
        });
    }

    fn binary(&mut self, ty: ValType, depth: u32) {
        self.expr(ty, depth);
        self.expr(ty, depth);
        let at = self.rng.below(7) as usize;
        self.op(match ty {
            ValType::I32 => [
                I::I32Add,
                I::I32Sub,
                I::I32Mul,
                I::I32Xor,
                I::I32ShrU,
                I::I32Rotl,
                I::I32LtS,
            ][at]
                .clone(),
            ValType::I64 => [
                I::I64Add,
                I::I64Sub,
                I::I64Mul,
                I::I64Or,
                I::I64ShrS,
                I::I64Rotr,
                I::I64Xor,
            ][at]
                .clone(),
            ValType::F32 => [
                I::F32Add,
                I::F32Sub,
                I::F32Mul,
                I::F32Div,
                I::F32Min,
                I::F32Max,
                I::F32Copysign,
            ][at]
                .clone(),
            _ => [
                I::F64Add,
                I::F64Sub,
                I::F64Mul,
                I::F64Div,
                I::F64Min,
                I::F64Max,
                I::F64Copysign,
            ][at]
                .clone(),
        });
    }
}

#[derive(Clone, Copy)]
enum Conv {
    I32ReinterpretF32,
    I32TruncSatF64S,
    I32WrapI64,
    F32Lt,
    F64Ge,
    F64Ne,
    I64ReinterpretF64,
    I64TruncSatF32U,
    I64ExtendI32S,
    F32ReinterpretI32,
    F32DemoteF64,
    F32ConvertI64U,
    F64ReinterpretI64,
    F64PromoteF32,
    F64ConvertI32S,
}

impl Conv {
    fn instruction(self) -> I<'static> {
        match self {
            Self::I32ReinterpretF32 => I::I32ReinterpretF32,
            Self::I32TruncSatF64S => I::I32TruncSatF64S,
            Self::I32WrapI64 => I::I32WrapI64,
            Self::F32Lt => I::F32Lt,
            Self::F64Ge => I::F64Ge,
            Self::F64Ne => I::F64Ne,
            Self::I64ReinterpretF64 => I::I64ReinterpretF64,
            Self::I64TruncSatF32U => I::I64TruncSatF32U,
            Self::I64ExtendI32S => I::I64ExtendI32S,
            Self::F32ReinterpretI32 => I::F32ReinterpretI32,
            Self::F32DemoteF64 => I::F32DemoteF64,
            Self::F32ConvertI64U => I::F32ConvertI64U,
            Self::F64ReinterpretI64 => I::F64ReinterpretI64,
            Self::F64PromoteF32 => I::F64PromoteF32,
            Self::F64ConvertI32S => I::F64ConvertI32S,
        }
    }
}

/// Values that matter: every kind of NaN, infinities, zeros, subnormals, limits.
pub const SINGLES: [u32; 12] = [
    0x0000_0000,
    0x8000_0000,
    0x3f80_0000,
    0xbfc0_0000,
    0x7f80_0000,
    0xff80_0000,
    0x7fc0_0000,
    0xffc0_0000,
    0x7fa0_0000,
    0xff80_0001,
    0x7fff_ffff,
    0x0000_0001,
];
pub const DOUBLES: [u64; 12] = [
    0x0000_0000_0000_0000,
    0x8000_0000_0000_0000,
    0x3ff0_0000_0000_0000,
    0xbff8_0000_0000_0000,
    0x7ff0_0000_0000_0000,
    0xfff0_0000_0000_0000,
    0x7ff8_0000_0000_0000,
    0xfff8_0000_0000_0000,
    0x7ff4_0000_0000_0000,
    0xfff0_0000_0000_0001,
    0x7fff_ffff_ffff_ffff,
    0x0000_0000_0000_0001,
];

fn constant(ty: ValType, rng: &mut Rng) -> I<'static> {
    match ty {
        ValType::I32 => I::I32Const(rng.pick(&[0, 1, -1, 7, i32::MIN, i32::MAX, 0x1234_5678])),
        ValType::I64 => I::I64Const(rng.pick(&[0, 1, -1, 9, i64::MIN, i64::MAX, 1 << 40])),
        ValType::F32 => I::F32Const(Ieee32::new(rng.pick(&SINGLES))),
        _ => I::F64Const(Ieee64::new(rng.pick(&DOUBLES))),
    }
}

fn type_of(result: ValType) -> u32 {
    u32::try_from(PARAMS.iter().position(|ty| *ty == result).unwrap()).unwrap()
}

/// Functions that the traced encoding imports: `trace(i32)`, `bulk(i32)`, `grow(i32)`.
const TRACERS: u32 = 3;

impl Program {
    /// Every function is exported by its index, memory and globals by name, and there is an empty `_start`.
    pub fn encode(&self, traced: bool) -> Vec<u8> {
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
        let mut start = Function::new([]);
        start.instruction(&I::End);
        code.function(&start);
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
