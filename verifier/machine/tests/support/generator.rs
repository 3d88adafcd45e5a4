//! Generates modules of typed random functions: floats with every kind of NaN, memory, globals, blocks with
//! results, bounded loops, `br_table`, direct and indirect calls, bulk operations, and operations that trap.

use wasm_encoder::{BlockType, Ieee64, Instruction as I, MemArg, ValType};

use super::rng::Rng;

mod expressions;

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
pub const LOCALS: u32 = 1;
/// Loop counters, one per depth.
pub const COUNTERS: u32 = 3;
pub const GLOBALS: u32 = 2;
/// Functions that call nothing and stand in the table.
pub const LEAVES: u32 = 4;
/// Table slots; those behind the leaves are null.
pub const TABLE: u32 = 5;
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

struct Question {
    start: i32,
    step: i32,
    bound: i32,
    bound_first: bool,
    compare: I<'static>,
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
        if self.rng.one_in(2) {
            self.show_locals();
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
        match self.rng.below(if depth == 0 { 8 } else { 18 }) {
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
            17 => self.skip_statement(depth),
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
        let question = self.question(rounds.cast_signed());
        self.op(I::I32Const(question.start));
        self.op(I::LocalSet(counter));
        let before = self.multiplier;
        self.multiplier *= u64::from(rounds);
        self.loops += 1;
        self.open(I::Loop(BlockType::Empty));
        for _ in 0..=self.rng.below(3) {
            self.statement(depth);
        }
        if question.bound_first {
            self.op(I::I32Const(question.bound));
        }
        self.op(I::LocalGet(counter));
        self.op(I::I32Const(question.step));
        self.op(I::I32Add);
        self.op(I::LocalTee(counter));
        if !question.bound_first && question.bound != 0 {
            self.op(I::I32Const(question.bound));
        }
        if question.bound_first || question.bound != 0 {
            self.op(question.compare);
        }
        self.op(I::BrIf(0));
        self.close();
        self.loops -= 1;
        self.multiplier = before;
    }

    /// How a loop ends: as compilers count, up, down, in steps, to a number and to zero.
    fn question(&mut self, rounds: i32) -> Question {
        let step: i32 = self.rng.pick(&[1, -1, 4, -8, 1 << 30]);
        let start = self.rng.below(9).cast_signed();
        let up = Question {
            start: 0,
            step: 1,
            bound: rounds,
            bound_first: false,
            compare: I::I32LtU,
        };
        match self.rng.below(3) {
            0 => up,
            1 => Question {
                start: step.wrapping_mul(rounds).wrapping_neg(),
                step,
                bound: 0,
                ..up
            },
            _ => Question {
                start,
                step,
                bound: step.wrapping_mul(rounds.min(3)).wrapping_add(start),
                bound_first: self.rng.one_in(2),
                compare: I::I32Ne,
            },
        }
    }

    fn block_statement(&mut self, depth: u32) {
        self.open(I::Block(BlockType::Empty));
        self.statement(depth);
        self.expr(ValType::I32, depth);
        self.op(I::BrIf(0));
        self.statement(depth);
        self.close();
    }

    /// What a compiler makes of `if` and `else` without using them: the first arm branches over the second.
    fn skip_statement(&mut self, depth: u32) {
        self.open(I::Block(BlockType::Empty));
        self.open(I::Block(BlockType::Empty));
        self.expr(ValType::I32, depth);
        self.op(I::BrIf(0));
        self.statement(depth);
        self.op(I::Br(1));
        self.dead_code();
        self.close();
        self.statement(depth);
        self.close();
    }

    /// Stores locals, so that whatever they hold in the end is seen.
    fn show_locals(&mut self) {
        for ty in [ValType::F32, ValType::F64] {
            for index in 0..=LOCALS {
                if self.rng.one_in(2) {
                    continue;
                }
                let memarg = self.address(0);
                self.op(I::LocalGet(local_of(ty, index)));
                self.op(match ty {
                    ValType::F32 => I::F32Store(memarg),
                    _ => I::F64Store(memarg),
                });
            }
        }
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

pub fn type_of(result: ValType) -> u32 {
    u32::try_from(PARAMS.iter().position(|ty| *ty == result).unwrap()).unwrap()
}
