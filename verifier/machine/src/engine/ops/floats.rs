//! Floats: the processor's own arithmetic, with the one NaN that the machine knows.
#![expect(
    clippy::cast_possible_truncation,
    reason = "an f32 is the low half of its slot, and conversions round as WebAssembly says"
)]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "WebAssembly's conversions between integers and floats are Rust's"
)]

use super::Handler;
use crate::isa::Op;
use crate::nan::{CANONICAL_F32, CANONICAL_F64};
use crate::state::PC_TRAP;

/// A float type as bits of a slot.
trait Float: Copy {
    fn from_slot(slot: u64) -> Self;
    /// The result of an instruction that answers the canonical NaN for every NaN.
    fn to_slot(self) -> u64;
}

impl Float for f32 {
    fn from_slot(slot: u64) -> Self {
        Self::from_bits(slot as u32)
    }

    fn to_slot(self) -> u64 {
        u64::from(if self.is_nan() {
            CANONICAL_F32
        } else {
            self.to_bits()
        })
    }
}

impl Float for f64 {
    fn from_slot(slot: u64) -> Self {
        Self::from_bits(slot)
    }

    fn to_slot(self) -> u64 {
        if self.is_nan() {
            CANONICAL_F64
        } else {
            self.to_bits()
        }
    }
}

macro_rules! comparisons {
    ($op:expr; $($name:ident $ty:ty: $sign:tt;)*) => {
        match $op {
            $(Op::$name => Some(|core, _, pc| {
                let (x, y) = (<$ty>::from_slot(core.second()), <$ty>::from_slot(core.top()));
                core.replace(2, u64::from(x $sign y));
                pc + 1
            }),)*
            _ => None,
        }
    };
}

#[expect(clippy::float_cmp, reason = "WebAssembly compares floats exactly")]
pub(super) fn comparison(op: Op) -> Option<Handler> {
    comparisons! { op;
        F32Eq f32: ==; F32Ne f32: !=; F32Lt f32: <; F32Gt f32: >; F32Le f32: <=; F32Ge f32: >=;
        F64Eq f64: ==; F64Ne f64: !=; F64Lt f64: <; F64Gt f64: >; F64Le f64: <=; F64Ge f64: >=;
    }
}

const SIGN_F32: u64 = 1 << 31;
const SIGN_F64: u64 = 1 << 63;
const LOW: u64 = 0xffff_ffff;

/// Instructions on the sign alone, NaNs included.
pub(super) fn sign(op: Op) -> Option<Handler> {
    macro_rules! signs {
        ($($name:ident $pops:literal |$x:ident, $y:ident| $result:expr;)*) => {
            match op {
                $(Op::$name => Some(|core, _, pc| {
                    let ($x, $y) = (core.stack[core.sp - $pops], core.top());
                    let _ = $y;
                    core.replace($pops, $result);
                    pc + 1
                }),)*
                _ => None,
            }
        };
    }
    signs! {
        F32Abs 1 |x, y| x & LOW & !SIGN_F32;
        F32Neg 1 |x, y| (x ^ SIGN_F32) & LOW;
        F32Copysign 2 |x, y| (x & LOW & !SIGN_F32) | (y & SIGN_F32);
        F64Abs 1 |x, y| x & !SIGN_F64;
        F64Neg 1 |x, y| x ^ SIGN_F64;
        F64Copysign 2 |x, y| (x & !SIGN_F64) | (y & SIGN_F64);
    }
}

macro_rules! unary {
    ($op:expr; $($name:ident |$x:ident: $ty:ty| $result:expr;)*) => {
        match $op {
            $(Op::$name => Some(|core, _, pc| {
                let $x = <$ty>::from_slot(core.top());
                core.replace(1, $result.to_slot());
                pc + 1
            }),)*
            _ => None,
        }
    };
}

macro_rules! binary {
    ($op:expr; $($name:ident |$x:ident, $y:ident: $ty:ty| $result:expr;)*) => {
        match $op {
            $(Op::$name => Some(|core, _, pc| {
                let ($x, $y) = (<$ty>::from_slot(core.second()), <$ty>::from_slot(core.top()));
                core.replace(2, $result.to_slot());
                pc + 1
            }),)*
            _ => None,
        }
    };
}

pub(super) fn arithmetic(op: Op) -> Option<Handler> {
    let two: Option<Handler> = binary! { op;
        F32Add |x, y: f32| (x + y);
        F32Sub |x, y: f32| (x - y);
        F32Mul |x, y: f32| (x * y);
        F32Div |x, y: f32| (x / y);
        F32Min |x, y: f32| lesser32(x, y);
        F32Max |x, y: f32| (-lesser32(-x, -y));
        F64Add |x, y: f64| (x + y);
        F64Sub |x, y: f64| (x - y);
        F64Mul |x, y: f64| (x * y);
        F64Div |x, y: f64| (x / y);
        F64Min |x, y: f64| lesser64(x, y);
        F64Max |x, y: f64| (-lesser64(-x, -y));
    };
    two.or_else(|| rounding(op))
}

fn rounding(op: Op) -> Option<Handler> {
    unary! { op;
        F32Ceil |x: f32| x.ceil();
        F32Floor |x: f32| x.floor();
        F32Trunc |x: f32| x.trunc();
        F32Nearest |x: f32| x.round_ties_even();
        F32Sqrt |x: f32| x.sqrt();
        F64Ceil |x: f64| x.ceil();
        F64Floor |x: f64| x.floor();
        F64Trunc |x: f64| x.trunc();
        F64Nearest |x: f64| x.round_ties_even();
        F64Sqrt |x: f64| x.sqrt();
        F32DemoteF64 |x: f64| (x as f32);
        F64PromoteF32 |x: f32| f64::from(x);
    }
}

/// A NaN if one is; −0 is less than +0.
fn lesser32(x: f32, y: f32) -> f32 {
    match x.partial_cmp(&y) {
        None => f32::NAN,
        Some(std::cmp::Ordering::Equal) => f32::from_bits(x.to_bits() | y.to_bits()),
        Some(std::cmp::Ordering::Less) => x,
        Some(std::cmp::Ordering::Greater) => y,
    }
}

fn lesser64(x: f64, y: f64) -> f64 {
    match x.partial_cmp(&y) {
        None => f64::NAN,
        Some(std::cmp::Ordering::Equal) => f64::from_bits(x.to_bits() | y.to_bits()),
        Some(std::cmp::Ordering::Less) => x,
        Some(std::cmp::Ordering::Greater) => y,
    }
}

/// Conversions that always have a result: from integers, and to integers with saturation.
pub(super) fn conversion(op: Op) -> Option<Handler> {
    macro_rules! conversions {
        ($($name:ident |$x:ident| $result:expr;)*) => {
            match op {
                $(Op::$name => Some(|core, _, pc| {
                    let $x = core.top();
                    core.replace(1, $result);
                    pc + 1
                }),)*
                _ => None,
            }
        };
    }
    conversions! {
        F32ConvertI32S |x| ((x as u32).cast_signed() as f32).to_slot();
        F32ConvertI32U |x| (x as u32 as f32).to_slot();
        F32ConvertI64S |x| (x.cast_signed() as f32).to_slot();
        F32ConvertI64U |x| (x as f32).to_slot();
        F64ConvertI32S |x| f64::from((x as u32).cast_signed()).to_slot();
        F64ConvertI32U |x| f64::from(x as u32).to_slot();
        F64ConvertI64S |x| (x.cast_signed() as f64).to_slot();
        F64ConvertI64U |x| (x as f64).to_slot();
        I32TruncSatF32S |x| u64::from((f32::from_slot(x) as i32).cast_unsigned());
        I32TruncSatF32U |x| u64::from(f32::from_slot(x) as u32);
        I32TruncSatF64S |x| u64::from((f64::from_slot(x) as i32).cast_unsigned());
        I32TruncSatF64U |x| u64::from(f64::from_slot(x) as u32);
        I64TruncSatF32S |x| (f32::from_slot(x) as i64).cast_unsigned();
        I64TruncSatF32U |x| f32::from_slot(x) as u64;
        I64TruncSatF64S |x| (f64::from_slot(x) as i64).cast_unsigned();
        I64TruncSatF64U |x| f64::from_slot(x) as u64;
    }
}

const TWO_31: f64 = 2_147_483_648.0;
const TWO_32: f64 = 4_294_967_296.0;
const TWO_63: f64 = 9_223_372_036_854_775_808.0;
const TWO_64: f64 = 18_446_744_073_709_551_616.0;

/// Conversions to integers that trap if the value, cut to a whole number, is not one of the type. Every f32 is an f64.
pub(super) fn truncation(op: Op) -> Option<Handler> {
    macro_rules! truncations {
        ($($name:ident $from:ty: $low:expr, $high:expr, |$x:ident| $result:expr;)*) => {
            match op {
                $(Op::$name => Some(|core, _, pc| {
                    let $x = f64::from(<$from>::from_slot(core.top())).trunc();
                    if !($low..$high).contains(&$x) {
                        return PC_TRAP;
                    }
                    core.replace(1, $result);
                    pc + 1
                }),)*
                _ => None,
            }
        };
    }
    truncations! {
        I32TruncF32S f32: -TWO_31, TWO_31, |x| u64::from((x as i32).cast_unsigned());
        I32TruncF32U f32: 0.0, TWO_32, |x| u64::from(x as u32);
        I32TruncF64S f64: -TWO_31, TWO_31, |x| u64::from((x as i32).cast_unsigned());
        I32TruncF64U f64: 0.0, TWO_32, |x| u64::from(x as u32);
        I64TruncF32S f32: -TWO_63, TWO_63, |x| (x as i64).cast_unsigned();
        I64TruncF32U f32: 0.0, TWO_64, |x| x as u64;
        I64TruncF64S f64: -TWO_63, TWO_63, |x| (x as i64).cast_unsigned();
        I64TruncF64U f64: 0.0, TWO_64, |x| x as u64;
    }
}
