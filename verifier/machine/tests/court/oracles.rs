//! Three independent float units: Berkeley SoftFloat with RISC-V's NaNs, LLVM's APFloat, and this machine's own; and
//! what wasmtime makes of minima and maxima, which of the three only APFloat has.
//!
//! Each answers an instruction's result and whether it traps, or nothing where it has no such operation. NaN results
//! of APFloat and the machine are made canonical here; SoftFloat's RISC-V build and Cranelift's flag make them so.

use gio_machine::isa::Op;
use rustc_apfloat::ieee::{Double, Single};
use rustc_apfloat::{Float as _, FloatConvert as _, Round, Status};
use softfloat_sys as sf;
use wasmtime::{Config, Engine, Instance, Module, Store, TypedFunc};

pub const NAN_32: u64 = 0x7fc0_0000;
pub const NAN_64: u64 = 0x7ff8_0000_0000_0000;

type Answer = Option<(u64, bool)>;

fn low(slot: u64) -> u32 {
    u32::try_from(slot & 0xffff_ffff).unwrap()
}

/// An instruction by width of its operand and what it does, as `f32.` and `add`.
fn parts(op: Op) -> (&'static str, &'static str) {
    op.name().split_once('.').unwrap()
}

/// Of a conversion to whole numbers: width of the result, whether the source is an `f64`, and signedness.
fn truncation(op: Op) -> Option<(u32, bool, bool, bool)> {
    let (to, rest) = parts(op);
    let saturates = rest.starts_with("trunc_sat_");
    let from = rest
        .strip_prefix("trunc_sat_")
        .or(rest.strip_prefix("trunc_"))?;
    let bits = if to == "i32" { 32 } else { 64 };
    Some((
        bits,
        from.starts_with("f64"),
        from.ends_with("_s"),
        saturates,
    ))
}

/// `2^bits - 1` and the like: what a value out of range becomes, by its sign.
fn bound(bits: u32, is_signed: bool, negative: bool) -> u64 {
    let mask = u64::MAX >> (64 - bits);
    match (is_signed, negative) {
        (true, true) => 1 << (bits - 1),
        (true, false) => mask >> 1,
        (false, true) => 0,
        (false, false) => mask,
    }
}

fn out_of_range(op: Op, x: u64) -> (u64, bool) {
    let (bits, is_double, is_signed, saturates) = truncation(op).unwrap();
    let (nan, negative) = if is_double {
        (f64::from_bits(x).is_nan(), x >> 63 == 1)
    } else {
        (f32::from_bits(low(x)).is_nan(), x >> 31 & 1 == 1)
    };
    let nearest = if nan {
        0
    } else {
        bound(bits, is_signed, negative)
    };
    if saturates {
        (nearest, false)
    } else {
        (0, true)
    }
}

/// Berkeley SoftFloat. It has no minimum and maximum.
#[expect(
    unsafe_code,
    reason = "functions of C without pointers; their global state is one per thread"
)]
pub fn soft(op: Op, x: u64, y: u64) -> Answer {
    // SAFETY: they take and return plain numbers.
    unsafe {
        sf::softfloat_roundingMode_write_helper(sf::softfloat_round_near_even);
        sf::softfloat_exceptionFlags_write_helper(0);
        if truncation(op).is_some() {
            return Some(soft_truncation(op, x));
        }
        let (f, g) = (sf::float32_t { v: low(x) }, sf::float32_t { v: low(y) });
        let (d, e) = (sf::float64_t { v: x }, sf::float64_t { v: y });
        let single = |f: sf::float32_t| Some((u64::from(f.v), false));
        let double = |d: sf::float64_t| Some((d.v, false));
        let truth = |holds: bool| Some((u64::from(holds), false));
        match op {
            Op::F32Add => single(sf::f32_add(f, g)),
            Op::F32Sub => single(sf::f32_sub(f, g)),
            Op::F32Mul => single(sf::f32_mul(f, g)),
            Op::F32Div => single(sf::f32_div(f, g)),
            Op::F32Sqrt => single(sf::f32_sqrt(f)),
            Op::F64Add => double(sf::f64_add(d, e)),
            Op::F64Sub => double(sf::f64_sub(d, e)),
            Op::F64Mul => double(sf::f64_mul(d, e)),
            Op::F64Div => double(sf::f64_div(d, e)),
            Op::F64Sqrt => double(sf::f64_sqrt(d)),
            Op::F32Ceil => single(sf::f32_roundToInt(f, sf::softfloat_round_max, false)),
            Op::F32Floor => single(sf::f32_roundToInt(f, sf::softfloat_round_min, false)),
            Op::F32Trunc => single(sf::f32_roundToInt(f, sf::softfloat_round_minMag, false)),
            Op::F32Nearest => single(sf::f32_roundToInt(f, sf::softfloat_round_near_even, false)),
            Op::F64Ceil => double(sf::f64_roundToInt(d, sf::softfloat_round_max, false)),
            Op::F64Floor => double(sf::f64_roundToInt(d, sf::softfloat_round_min, false)),
            Op::F64Trunc => double(sf::f64_roundToInt(d, sf::softfloat_round_minMag, false)),
            Op::F64Nearest => double(sf::f64_roundToInt(d, sf::softfloat_round_near_even, false)),
            Op::F32Eq => truth(sf::f32_eq(f, g)),
            Op::F32Ne => truth(!sf::f32_eq(f, g)),
            Op::F32Lt => truth(sf::f32_lt(f, g)),
            Op::F32Gt => truth(sf::f32_lt(g, f)),
            Op::F32Le => truth(sf::f32_le(f, g)),
            Op::F32Ge => truth(sf::f32_le(g, f)),
            Op::F64Eq => truth(sf::f64_eq(d, e)),
            Op::F64Ne => truth(!sf::f64_eq(d, e)),
            Op::F64Lt => truth(sf::f64_lt(d, e)),
            Op::F64Gt => truth(sf::f64_lt(e, d)),
            Op::F64Le => truth(sf::f64_le(d, e)),
            Op::F64Ge => truth(sf::f64_le(e, d)),
            Op::F32ConvertI32S => single(sf::i32_to_f32(low(x).cast_signed())),
            Op::F32ConvertI32U => single(sf::ui32_to_f32(low(x))),
            Op::F32ConvertI64S => single(sf::i64_to_f32(x.cast_signed())),
            Op::F32ConvertI64U => single(sf::ui64_to_f32(x)),
            Op::F64ConvertI32S => double(sf::i32_to_f64(low(x).cast_signed())),
            Op::F64ConvertI32U => double(sf::ui32_to_f64(low(x))),
            Op::F64ConvertI64S => double(sf::i64_to_f64(x.cast_signed())),
            Op::F64ConvertI64U => double(sf::ui64_to_f64(x)),
            Op::F32DemoteF64 => single(sf::f64_to_f32(d)),
            Op::F64PromoteF32 => double(sf::f32_to_f64(f)),
            _ => None,
        }
    }
}

/// The flag of an operation without a result.
const INVALID: u8 = 0x10;

#[expect(unsafe_code, reason = "functions of C without pointers")]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "C widens what fits"
)]
fn soft_truncation(op: Op, x: u64) -> (u64, bool) {
    let (bits, is_double, is_signed, _) = truncation(op).unwrap();
    let (f, d) = (sf::float32_t { v: low(x) }, sf::float64_t { v: x });
    // SAFETY: they take and return plain numbers.
    let (result, flags) = unsafe {
        let result = match (bits, is_double, is_signed) {
            (32, false, true) => u64::from(sf::f32_to_i32_r_minMag(f, false) as u32),
            (32, false, false) => u64::from(sf::f32_to_ui32_r_minMag(f, false) as u32),
            (32, true, true) => u64::from(sf::f64_to_i32_r_minMag(d, false) as u32),
            (32, true, false) => u64::from(sf::f64_to_ui32_r_minMag(d, false) as u32),
            (_, false, true) => sf::f32_to_i64_r_minMag(f, false) as u64,
            (_, false, false) => sf::f32_to_ui64_r_minMag(f, false),
            (_, true, true) => sf::f64_to_i64_r_minMag(d, false) as u64,
            (_, true, false) => sf::f64_to_ui64_r_minMag(d, false),
        };
        (result, sf::softfloat_exceptionFlags_read_helper())
    };
    if flags & INVALID != 0 {
        out_of_range(op, x)
    } else {
        (result, false)
    }
}

/// LLVM's APFloat. It has no square root.
pub fn apfloat(op: Op, x: u64, y: u64) -> Answer {
    let (kind, what) = parts(op);
    let mut lost = false;
    match op {
        Op::F32DemoteF64 => {
            let narrow: Single = Double::from_bits(u128::from(x)).convert(&mut lost).value;
            return Some((canonical(narrow, NAN_32), false));
        }
        Op::F64PromoteF32 => {
            let wide: Double = Single::from_bits(u128::from(low(x)))
                .convert(&mut lost)
                .value;
            return Some((canonical(wide, NAN_64), false));
        }
        _ => {}
    }
    if let Some((bits, is_double, is_signed, _)) = truncation(op) {
        let valid = if is_double {
            ap_truncation(Double::from_bits(u128::from(x)), bits, is_signed)
        } else {
            ap_truncation(Single::from_bits(u128::from(low(x))), bits, is_signed)
        };
        return Some(valid.map_or_else(|| out_of_range(op, x), |result| (result, false)));
    }
    if let Some(from) = what.strip_prefix("convert_") {
        let x = if from.starts_with("i32") && from.ends_with("_s") {
            i128::from(low(x).cast_signed())
        } else if from.starts_with("i32") {
            i128::from(low(x))
        } else if from.ends_with("_s") {
            i128::from(x.cast_signed())
        } else {
            i128::from(x)
        };
        let even = Round::NearestTiesToEven;
        return Some((
            match kind {
                "f32" => canonical(Single::from_i128_r(x, even).value, NAN_32),
                _ => canonical(Double::from_i128_r(x, even).value, NAN_64),
            },
            false,
        ));
    }
    let result = match kind {
        "f32" => {
            let (x, y) = (u128::from(low(x)), u128::from(low(y)));
            ap_arithmetic(what, Single::from_bits(x), Single::from_bits(y), NAN_32)
        }
        _ => {
            let (x, y) = (u128::from(x), u128::from(y));
            ap_arithmetic(what, Double::from_bits(x), Double::from_bits(y), NAN_64)
        }
    };
    result.map(|result| (result, false))
}

fn canonical<F: rustc_apfloat::Float>(value: F, nan: u64) -> u64 {
    if value.is_nan() {
        return nan;
    }
    u64::try_from(value.to_bits()).unwrap()
}

fn ap_truncation<F: rustc_apfloat::Float>(value: F, bits: u32, is_signed: bool) -> Option<u64> {
    let mut exact = false;
    let (to, mask) = (Round::TowardZero, u64::MAX >> (64 - bits));
    if is_signed {
        let answer = value.to_i128_r(bits as usize, to, &mut exact);
        let low = i64::try_from(answer.value).ok()?.cast_unsigned() & mask;
        return (answer.status & Status::INVALID_OP != Status::INVALID_OP).then_some(low);
    }
    let answer = value.to_u128_r(bits as usize, to, &mut exact);
    let low = u64::try_from(answer.value).ok()?;
    (answer.status & Status::INVALID_OP != Status::INVALID_OP).then_some(low)
}

fn ap_arithmetic<F: rustc_apfloat::Float>(what: &str, x: F, y: F, nan: u64) -> Option<u64> {
    let value = match what {
        "add" => (x + y).value,
        "sub" => (x - y).value,
        "mul" => (x * y).value,
        "div" => (x / y).value,
        "min" => x.minimum(y),
        "max" => x.maximum(y),
        "ceil" => x.round_to_integral(Round::TowardPositive).value,
        "floor" => x.round_to_integral(Round::TowardNegative).value,
        "trunc" => x.round_to_integral(Round::TowardZero).value,
        "nearest" => x.round_to_integral(Round::NearestTiesToEven).value,
        "eq" => return Some(u64::from(x == y)),
        "ne" => return Some(u64::from(x != y)),
        "lt" => return Some(u64::from(x < y)),
        "gt" => return Some(u64::from(x > y)),
        "le" => return Some(u64::from(x <= y)),
        "ge" => return Some(u64::from(x >= y)),
        _ => return None,
    };
    Some(canonical(value, nan))
}

macro_rules! native_arithmetic {
    ($name:ident, $float:ty, $bits:ty, $nan:expr) => {
        fn $name(what: &str, x: $bits, y: $bits) -> Option<u64> {
            let (x, y) = (<$float>::from_bits(x), <$float>::from_bits(y));
            let value = match what {
                "add" => x + y,
                "sub" => x - y,
                "mul" => x * y,
                "div" => x / y,
                "sqrt" => x.sqrt(),
                "ceil" => x.ceil(),
                "floor" => x.floor(),
                "trunc" => x.trunc(),
                "nearest" => x.round_ties_even(),
                "eq" => return Some(u64::from(x == y)),
                "ne" => return Some(u64::from(x != y)),
                "lt" => return Some(u64::from(x < y)),
                "gt" => return Some(u64::from(x > y)),
                "le" => return Some(u64::from(x <= y)),
                "ge" => return Some(u64::from(x >= y)),
                _ => return None,
            };
            Some(if value.is_nan() {
                $nan
            } else {
                u64::from(value.to_bits())
            })
        }
    };
}

native_arithmetic!(native_single, f32, u32, NAN_32);
native_arithmetic!(native_double, f64, u64, NAN_64);

/// This machine's own float unit. Its minimum and maximum have other rules.
pub fn native(op: Op, x: u64, y: u64) -> Answer {
    if truncation(op).is_some() {
        return Some(native_truncation(op, x));
    }
    let (kind, what) = parts(op);
    if let Some(result) = native_conversion(op, x) {
        return Some((result, false));
    }
    let result = match kind {
        "f32" => native_single(what, low(x), low(y)),
        _ => native_double(what, x, y),
    };
    result.map(|result| (result, false))
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "what is tested"
)]
fn native_conversion(op: Op, x: u64) -> Option<u64> {
    let single = |value: f32| {
        Some(if value.is_nan() {
            NAN_32
        } else {
            u64::from(value.to_bits())
        })
    };
    let double = |value: f64| {
        Some(if value.is_nan() {
            NAN_64
        } else {
            value.to_bits()
        })
    };
    match op {
        Op::F32ConvertI32S => single(low(x).cast_signed() as f32),
        Op::F32ConvertI32U => single(low(x) as f32),
        Op::F32ConvertI64S => single(x.cast_signed() as f32),
        Op::F32ConvertI64U => single(x as f32),
        Op::F64ConvertI32S => double(f64::from(low(x).cast_signed())),
        Op::F64ConvertI32U => double(f64::from(low(x))),
        Op::F64ConvertI64S => double(x.cast_signed() as f64),
        Op::F64ConvertI64U => double(x as f64),
        Op::F32DemoteF64 => single(f64::from_bits(x) as f32),
        Op::F64PromoteF32 => double(f64::from(f32::from_bits(low(x)))),
        _ => None,
    }
}

/// Rust's `as` saturates as WebAssembly does; what is out of range is found by comparing with the type's bounds.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what is tested"
)]
fn native_truncation(op: Op, x: u64) -> (u64, bool) {
    let (bits, is_double, is_signed, saturates) = truncation(op).unwrap();
    // Every f32 is an f64, so the double decides for both.
    let value = if is_double {
        f64::from_bits(x)
    } else {
        f64::from(f32::from_bits(low(x)))
    };
    let whole = value.trunc();
    let scale = 2f64.powi(i32::try_from(bits).unwrap() - i32::from(is_signed));
    let least = if is_signed { -scale } else { 0.0 };
    let fits = whole >= least && whole < scale;
    if !fits && !saturates {
        return (0, true);
    }
    let result = match (bits, is_signed) {
        (32, true) => u64::from((value as i32).cast_unsigned()),
        (32, false) => u64::from(value as u32),
        (_, true) => (value as i64).cast_unsigned(),
        (_, false) => value as u64,
    };
    (result, false)
}

/// Functions that wasmtime compiles, with Cranelift's canonical NaNs: minimum and maximum of both widths.
pub struct Compiled {
    store: Store<()>,
    singles: [TypedFunc<(u32, u32), u32>; 2],
    doubles: [TypedFunc<(u64, u64), u64>; 2],
}

impl Compiled {
    pub fn new() -> Self {
        let mut config = Config::new();
        config.cranelift_nan_canonicalization(true);
        let engine = Engine::new(&config).unwrap();
        let function = |float: &str, whole: &str, what: &str| {
            let operand = |nth| format!("({float}.reinterpret_{whole} (local.get {nth}))");
            let (x, y) = (operand(0), operand(1));
            format!(
                r#"(func (export "{float}.{what}") (param {whole} {whole}) (result {whole})
                    ({whole}.reinterpret_{float} ({float}.{what} {x} {y})))"#
            )
        };
        let text = [("f32", "i32"), ("f64", "i64")]
            .map(|(float, whole)| function(float, whole, "min") + &function(float, whole, "max"))
            .concat();
        let module = Module::new(&engine, format!("(module {text})")).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let mut single = |name| instance.get_typed_func(&mut store, name).unwrap();
        let singles = [single("f32.min"), single("f32.max")];
        let mut double = |name| instance.get_typed_func(&mut store, name).unwrap();
        let doubles = [double("f64.min"), double("f64.max")];
        Self {
            store,
            singles,
            doubles,
        }
    }

    /// Minimum or maximum; of other instructions nothing.
    pub fn extreme(&mut self, op: Op, x: u64, y: u64) -> Answer {
        let ([least, greatest], store) = (&self.singles, &mut self.store);
        let [least_double, greatest_double] = &self.doubles;
        let singles = (low(x), low(y));
        let result = match op {
            Op::F32Min => u64::from(least.call(store, singles).unwrap()),
            Op::F32Max => u64::from(greatest.call(store, singles).unwrap()),
            Op::F64Min => least_double.call(store, (x, y)).unwrap(),
            Op::F64Max => greatest_double.call(store, (x, y)).unwrap(),
            _ => return None,
        };
        Some((result, false))
    }
}
