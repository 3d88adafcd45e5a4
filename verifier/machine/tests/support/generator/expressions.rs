//! Expressions of generated functions.

use wasm_encoder::{BlockType, Ieee32, Ieee64, Instruction as I, ValType};

use super::{COST_MAX, DOUBLES, GLOBALS, LEAVES, PARAMS, SINGLES, Writer, global_of, type_of};
use crate::support::rng::Rng;

impl Writer {
    pub(super) fn expr(&mut self, ty: ValType, depth: u32) {
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

fn constant(ty: ValType, rng: &mut Rng) -> I<'static> {
    match ty {
        ValType::I32 => I::I32Const(rng.pick(&[0, 1, -1, 7, i32::MIN, i32::MAX, 0x1234_5678])),
        ValType::I64 => I::I64Const(rng.pick(&[0, 1, -1, 9, i64::MIN, i64::MAX, 1 << 40])),
        ValType::F32 => I::F32Const(Ieee32::new(rng.pick(&SINGLES))),
        _ => I::F64Const(Ieee64::new(rng.pick(&DOUBLES))),
    }
}
