//! Integers: WebAssembly's own instructions.
#![expect(
    clippy::cast_possible_truncation,
    reason = "an i32 is the low half of its slot, and counts are taken modulo the width"
)]

use super::Handler;
use crate::isa::Op;
use crate::state::PC_TRAP;

/// One operand, one result.
macro_rules! unary {
    ($op:expr; $($name:ident |$x:ident: $ty:ty| $result:expr;)*) => {
        match $op {
            $(Op::$name => Some(|core, _, pc| {
                let $x = core.top() as $ty;
                core.replace(1, u64::from($result));
                pc + 1
            }),)*
            _ => None,
        }
    };
}

/// Two operands, one result.
macro_rules! binary {
    ($op:expr; $($name:ident |$x:ident, $y:ident: $ty:ty| $result:expr;)*) => {
        match $op {
            $(Op::$name => Some(|core, _, pc| {
                let ($x, $y) = (core.second() as $ty, core.top() as $ty);
                core.replace(2, u64::from($result));
                pc + 1
            }),)*
            _ => None,
        }
    };
}

/// Two operands, a result or a trap.
macro_rules! division {
    ($op:expr; $($name:ident |$x:ident, $y:ident: $ty:ty| $result:expr;)*) => {
        match $op {
            $(Op::$name => Some(|core, _, pc| {
                let ($x, $y) = (core.second() as $ty, core.top() as $ty);
                let Some(result) = $result else {
                    return PC_TRAP;
                };
                core.replace(2, u64::from(result));
                pc + 1
            }),)*
            _ => None,
        }
    };
}

pub(super) fn unary(op: Op) -> Option<Handler> {
    unary! { op;
        I32Eqz |x: u32| x == 0;
        I64Eqz |x: u64| x == 0;
        I32Clz |x: u32| x.leading_zeros();
        I32Ctz |x: u32| x.trailing_zeros();
        I32Popcnt |x: u32| x.count_ones();
        I64Clz |x: u64| x.leading_zeros();
        I64Ctz |x: u64| x.trailing_zeros();
        I64Popcnt |x: u64| x.count_ones();
        I32WrapI64 |x: u32| x;
        I64ExtendI32S |x: u32| i64::from(x.cast_signed()).cast_unsigned();
        I64ExtendI32U |x: u32| x;
        I32ReinterpretF32 |x: u32| x;
        F32ReinterpretI32 |x: u32| x;
        I64ReinterpretF64 |x: u64| x;
        F64ReinterpretI64 |x: u64| x;
        I32Extend8S |x: u8| i32::from(x.cast_signed()).cast_unsigned();
        I32Extend16S |x: u16| i32::from(x.cast_signed()).cast_unsigned();
        I64Extend8S |x: u8| i64::from(x.cast_signed()).cast_unsigned();
        I64Extend16S |x: u16| i64::from(x.cast_signed()).cast_unsigned();
        I64Extend32S |x: u32| i64::from(x.cast_signed()).cast_unsigned();
    }
}

pub(super) fn binary(op: Op) -> Option<Handler> {
    compare(op).or_else(|| words(op)).or_else(|| longs(op))
}

fn compare(op: Op) -> Option<Handler> {
    binary! { op;
        I32Eq |x, y: u32| x == y;
        I32Ne |x, y: u32| x != y;
        I32LtS |x, y: u32| x.cast_signed() < y.cast_signed();
        I32LtU |x, y: u32| x < y;
        I32GtS |x, y: u32| x.cast_signed() > y.cast_signed();
        I32GtU |x, y: u32| x > y;
        I32LeS |x, y: u32| x.cast_signed() <= y.cast_signed();
        I32LeU |x, y: u32| x <= y;
        I32GeS |x, y: u32| x.cast_signed() >= y.cast_signed();
        I32GeU |x, y: u32| x >= y;
        I64Eq |x, y: u64| x == y;
        I64Ne |x, y: u64| x != y;
        I64LtS |x, y: u64| x.cast_signed() < y.cast_signed();
        I64LtU |x, y: u64| x < y;
        I64GtS |x, y: u64| x.cast_signed() > y.cast_signed();
        I64GtU |x, y: u64| x > y;
        I64LeS |x, y: u64| x.cast_signed() <= y.cast_signed();
        I64LeU |x, y: u64| x <= y;
        I64GeS |x, y: u64| x.cast_signed() >= y.cast_signed();
        I64GeU |x, y: u64| x >= y;
    }
}

fn words(op: Op) -> Option<Handler> {
    binary! { op;
        I32Add |x, y: u32| x.wrapping_add(y);
        I32Sub |x, y: u32| x.wrapping_sub(y);
        I32Mul |x, y: u32| x.wrapping_mul(y);
        I32And |x, y: u32| x & y;
        I32Or |x, y: u32| x | y;
        I32Xor |x, y: u32| x ^ y;
        I32Shl |x, y: u32| x.wrapping_shl(y);
        I32ShrS |x, y: u32| x.cast_signed().wrapping_shr(y).cast_unsigned();
        I32ShrU |x, y: u32| x.wrapping_shr(y);
        I32Rotl |x, y: u32| x.rotate_left(y % 32);
        I32Rotr |x, y: u32| x.rotate_right(y % 32);
    }
}

fn longs(op: Op) -> Option<Handler> {
    binary! { op;
        I64Add |x, y: u64| x.wrapping_add(y);
        I64Sub |x, y: u64| x.wrapping_sub(y);
        I64Mul |x, y: u64| x.wrapping_mul(y);
        I64And |x, y: u64| x & y;
        I64Or |x, y: u64| x | y;
        I64Xor |x, y: u64| x ^ y;
        I64Shl |x, y: u64| x.wrapping_shl(y as u32);
        I64ShrS |x, y: u64| x.cast_signed().wrapping_shr(y as u32).cast_unsigned();
        I64ShrU |x, y: u64| x.wrapping_shr(y as u32);
        I64Rotl |x, y: u64| x.rotate_left((y % 64) as u32);
        I64Rotr |x, y: u64| x.rotate_right((y % 64) as u32);
    }
}

pub(super) fn division(op: Op) -> Option<Handler> {
    division! { op;
        I32DivS |x, y: u32| x.cast_signed().checked_div(y.cast_signed()).map(i32::cast_unsigned);
        I32DivU |x, y: u32| x.checked_div(y);
        I32RemS |x, y: u32| remainder(i64::from(x.cast_signed()), i64::from(y.cast_signed())).map(|r| r as u32);
        I32RemU |x, y: u32| x.checked_rem(y);
        I64DivS |x, y: u64| x.cast_signed().checked_div(y.cast_signed()).map(i64::cast_unsigned);
        I64DivU |x, y: u64| x.checked_div(y);
        I64RemS |x, y: u64| remainder(x.cast_signed(), y.cast_signed());
        I64RemU |x, y: u64| x.checked_rem(y);
    }
}

/// The remainder of the least value by -1 is zero.
fn remainder(x: i64, y: i64) -> Option<u64> {
    (y != 0).then(|| x.wrapping_rem(y).cast_unsigned())
}
