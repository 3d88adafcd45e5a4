//! The instruction set of the step machine (docs/step-machine.md section 4): the opcodes, what each pops and
//! pushes, and the 16 bytes of an instruction.
//!
//! Numbers below 0xc5 are WebAssembly's own where an instruction is one of its operators.

/// What a proof of an instruction holds besides header, code and stack (docs/step-machine.md section 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Nothing; the result follows from header, slots and immediates.
    Stack,
    /// Nothing; the result comes from the float unit.
    Float,
    /// A leaf of the locals.
    Local,
    /// A leaf of the globals.
    Global,
    /// One leaf of a memory, or two.
    Load,
    /// One leaf of a memory, or two in succession.
    Store,
    /// The rest of the state.
    Frame,
    /// The rest of the state and the frame on top.
    Return,
    /// The rest of the state and a leaf of the table.
    Indirect,
    /// Everything behind the header, for a memory's greatest size.
    Grow,
    /// The leaf read and the leaf written.
    Copy,
    /// The leaf written.
    Fill,
    /// Input and output.
    Host,
}

use Class::{
    Copy as CopyChunk, Fill as FillChunk, Float, Frame, Global, Grow, Host, Indirect, Load, Local,
    Return as ReturnFrame, Stack, Store,
};

macro_rules! instructions {
    ($($variant:ident = $code:literal, $name:literal, $class:ident, $pops:literal => $pushes:literal;)*) => {
        /// An instruction's operation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Op {
            $(
                #[doc = concat!("`", $name, "`")]
                $variant = $code,
            )*
        }

        impl Op {
            /// All of them, ascending.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The operation with this number, if there is one.
            #[must_use]
            pub const fn from_code(code: u16) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The name people read.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// What its proof holds.
            #[must_use]
            pub const fn class(self) -> Class {
                match self {
                    $(Self::$variant => $class,)*
                }
            }

            /// Slots it takes from the stack.
            #[must_use]
            pub const fn pops(self) -> u8 {
                match self {
                    $(Self::$variant => $pops,)*
                }
            }

            /// Slots it leaves; `copy` and `fill` leave three instead while they repeat.
            #[must_use]
            pub const fn pushes(self) -> u8 {
                match self {
                    $(Self::$variant => $pushes,)*
                }
            }
        }
    };
}

instructions! {
Unreachable = 0x00, "unreachable", Stack, 0 => 0;
Return = 0x0f, "return", ReturnFrame, 0 => 0;
Call = 0x10, "call", Frame, 0 => 0;
CallIndirect = 0x11, "call_indirect", Indirect, 1 => 0;
Drop = 0x1a, "drop", Stack, 1 => 0;
Select = 0x1b, "select", Stack, 3 => 1;
DropUnder = 0x1c, "drop_under", Stack, 2 => 1;
LocalGet = 0x20, "local.get", Local, 0 => 1;
LocalSet = 0x21, "local.set", Local, 1 => 0;
LocalTee = 0x22, "local.tee", Local, 1 => 1;
GlobalGet = 0x23, "global.get", Global, 0 => 1;
GlobalSet = 0x24, "global.set", Global, 1 => 0;
I32Load = 0x28, "i32.load", Load, 1 => 1;
I64Load = 0x29, "i64.load", Load, 1 => 1;
F32Load = 0x2a, "f32.load", Load, 1 => 1;
F64Load = 0x2b, "f64.load", Load, 1 => 1;
I32Load8S = 0x2c, "i32.load8_s", Load, 1 => 1;
I32Load8U = 0x2d, "i32.load8_u", Load, 1 => 1;
I32Load16S = 0x2e, "i32.load16_s", Load, 1 => 1;
I32Load16U = 0x2f, "i32.load16_u", Load, 1 => 1;
I64Load8S = 0x30, "i64.load8_s", Load, 1 => 1;
I64Load8U = 0x31, "i64.load8_u", Load, 1 => 1;
I64Load16S = 0x32, "i64.load16_s", Load, 1 => 1;
I64Load16U = 0x33, "i64.load16_u", Load, 1 => 1;
I64Load32S = 0x34, "i64.load32_s", Load, 1 => 1;
I64Load32U = 0x35, "i64.load32_u", Load, 1 => 1;
I32Store = 0x36, "i32.store", Store, 2 => 0;
I64Store = 0x37, "i64.store", Store, 2 => 0;
F32Store = 0x38, "f32.store", Store, 2 => 0;
F64Store = 0x39, "f64.store", Store, 2 => 0;
I32Store8 = 0x3a, "i32.store8", Store, 2 => 0;
I32Store16 = 0x3b, "i32.store16", Store, 2 => 0;
I64Store8 = 0x3c, "i64.store8", Store, 2 => 0;
I64Store16 = 0x3d, "i64.store16", Store, 2 => 0;
I64Store32 = 0x3e, "i64.store32", Store, 2 => 0;
MemorySize = 0x3f, "memory.size", Stack, 0 => 1;
MemoryGrow = 0x40, "memory.grow", Grow, 1 => 1;
Const = 0x41, "const", Stack, 0 => 1;
I32Eqz = 0x45, "i32.eqz", Stack, 1 => 1;
I32Eq = 0x46, "i32.eq", Stack, 2 => 1;
I32Ne = 0x47, "i32.ne", Stack, 2 => 1;
I32LtS = 0x48, "i32.lt_s", Stack, 2 => 1;
I32LtU = 0x49, "i32.lt_u", Stack, 2 => 1;
I32GtS = 0x4a, "i32.gt_s", Stack, 2 => 1;
I32GtU = 0x4b, "i32.gt_u", Stack, 2 => 1;
I32LeS = 0x4c, "i32.le_s", Stack, 2 => 1;
I32LeU = 0x4d, "i32.le_u", Stack, 2 => 1;
I32GeS = 0x4e, "i32.ge_s", Stack, 2 => 1;
I32GeU = 0x4f, "i32.ge_u", Stack, 2 => 1;
I64Eqz = 0x50, "i64.eqz", Stack, 1 => 1;
I64Eq = 0x51, "i64.eq", Stack, 2 => 1;
I64Ne = 0x52, "i64.ne", Stack, 2 => 1;
I64LtS = 0x53, "i64.lt_s", Stack, 2 => 1;
I64LtU = 0x54, "i64.lt_u", Stack, 2 => 1;
I64GtS = 0x55, "i64.gt_s", Stack, 2 => 1;
I64GtU = 0x56, "i64.gt_u", Stack, 2 => 1;
I64LeS = 0x57, "i64.le_s", Stack, 2 => 1;
I64LeU = 0x58, "i64.le_u", Stack, 2 => 1;
I64GeS = 0x59, "i64.ge_s", Stack, 2 => 1;
I64GeU = 0x5a, "i64.ge_u", Stack, 2 => 1;
F32Eq = 0x5b, "f32.eq", Float, 2 => 1;
F32Ne = 0x5c, "f32.ne", Float, 2 => 1;
F32Lt = 0x5d, "f32.lt", Float, 2 => 1;
F32Gt = 0x5e, "f32.gt", Float, 2 => 1;
F32Le = 0x5f, "f32.le", Float, 2 => 1;
F32Ge = 0x60, "f32.ge", Float, 2 => 1;
F64Eq = 0x61, "f64.eq", Float, 2 => 1;
F64Ne = 0x62, "f64.ne", Float, 2 => 1;
F64Lt = 0x63, "f64.lt", Float, 2 => 1;
F64Gt = 0x64, "f64.gt", Float, 2 => 1;
F64Le = 0x65, "f64.le", Float, 2 => 1;
F64Ge = 0x66, "f64.ge", Float, 2 => 1;
I32Clz = 0x67, "i32.clz", Stack, 1 => 1;
I32Ctz = 0x68, "i32.ctz", Stack, 1 => 1;
I32Popcnt = 0x69, "i32.popcnt", Stack, 1 => 1;
I32Add = 0x6a, "i32.add", Stack, 2 => 1;
I32Sub = 0x6b, "i32.sub", Stack, 2 => 1;
I32Mul = 0x6c, "i32.mul", Stack, 2 => 1;
I32DivS = 0x6d, "i32.div_s", Stack, 2 => 1;
I32DivU = 0x6e, "i32.div_u", Stack, 2 => 1;
I32RemS = 0x6f, "i32.rem_s", Stack, 2 => 1;
I32RemU = 0x70, "i32.rem_u", Stack, 2 => 1;
I32And = 0x71, "i32.and", Stack, 2 => 1;
I32Or = 0x72, "i32.or", Stack, 2 => 1;
I32Xor = 0x73, "i32.xor", Stack, 2 => 1;
I32Shl = 0x74, "i32.shl", Stack, 2 => 1;
I32ShrS = 0x75, "i32.shr_s", Stack, 2 => 1;
I32ShrU = 0x76, "i32.shr_u", Stack, 2 => 1;
I32Rotl = 0x77, "i32.rotl", Stack, 2 => 1;
I32Rotr = 0x78, "i32.rotr", Stack, 2 => 1;
I64Clz = 0x79, "i64.clz", Stack, 1 => 1;
I64Ctz = 0x7a, "i64.ctz", Stack, 1 => 1;
I64Popcnt = 0x7b, "i64.popcnt", Stack, 1 => 1;
I64Add = 0x7c, "i64.add", Stack, 2 => 1;
I64Sub = 0x7d, "i64.sub", Stack, 2 => 1;
I64Mul = 0x7e, "i64.mul", Stack, 2 => 1;
I64DivS = 0x7f, "i64.div_s", Stack, 2 => 1;
I64DivU = 0x80, "i64.div_u", Stack, 2 => 1;
I64RemS = 0x81, "i64.rem_s", Stack, 2 => 1;
I64RemU = 0x82, "i64.rem_u", Stack, 2 => 1;
I64And = 0x83, "i64.and", Stack, 2 => 1;
I64Or = 0x84, "i64.or", Stack, 2 => 1;
I64Xor = 0x85, "i64.xor", Stack, 2 => 1;
I64Shl = 0x86, "i64.shl", Stack, 2 => 1;
I64ShrS = 0x87, "i64.shr_s", Stack, 2 => 1;
I64ShrU = 0x88, "i64.shr_u", Stack, 2 => 1;
I64Rotl = 0x89, "i64.rotl", Stack, 2 => 1;
I64Rotr = 0x8a, "i64.rotr", Stack, 2 => 1;
F32Abs = 0x8b, "f32.abs", Stack, 1 => 1;
F32Neg = 0x8c, "f32.neg", Stack, 1 => 1;
F32Ceil = 0x8d, "f32.ceil", Float, 1 => 1;
F32Floor = 0x8e, "f32.floor", Float, 1 => 1;
F32Trunc = 0x8f, "f32.trunc", Float, 1 => 1;
F32Nearest = 0x90, "f32.nearest", Float, 1 => 1;
F32Sqrt = 0x91, "f32.sqrt", Float, 1 => 1;
F32Add = 0x92, "f32.add", Float, 2 => 1;
F32Sub = 0x93, "f32.sub", Float, 2 => 1;
F32Mul = 0x94, "f32.mul", Float, 2 => 1;
F32Div = 0x95, "f32.div", Float, 2 => 1;
F32Min = 0x96, "f32.min", Float, 2 => 1;
F32Max = 0x97, "f32.max", Float, 2 => 1;
F32Copysign = 0x98, "f32.copysign", Stack, 2 => 1;
F64Abs = 0x99, "f64.abs", Stack, 1 => 1;
F64Neg = 0x9a, "f64.neg", Stack, 1 => 1;
F64Ceil = 0x9b, "f64.ceil", Float, 1 => 1;
F64Floor = 0x9c, "f64.floor", Float, 1 => 1;
F64Trunc = 0x9d, "f64.trunc", Float, 1 => 1;
F64Nearest = 0x9e, "f64.nearest", Float, 1 => 1;
F64Sqrt = 0x9f, "f64.sqrt", Float, 1 => 1;
F64Add = 0xa0, "f64.add", Float, 2 => 1;
F64Sub = 0xa1, "f64.sub", Float, 2 => 1;
F64Mul = 0xa2, "f64.mul", Float, 2 => 1;
F64Div = 0xa3, "f64.div", Float, 2 => 1;
F64Min = 0xa4, "f64.min", Float, 2 => 1;
F64Max = 0xa5, "f64.max", Float, 2 => 1;
F64Copysign = 0xa6, "f64.copysign", Stack, 2 => 1;
I32WrapI64 = 0xa7, "i32.wrap_i64", Stack, 1 => 1;
I32TruncF32S = 0xa8, "i32.trunc_f32_s", Float, 1 => 1;
I32TruncF32U = 0xa9, "i32.trunc_f32_u", Float, 1 => 1;
I32TruncF64S = 0xaa, "i32.trunc_f64_s", Float, 1 => 1;
I32TruncF64U = 0xab, "i32.trunc_f64_u", Float, 1 => 1;
I64ExtendI32S = 0xac, "i64.extend_i32_s", Stack, 1 => 1;
I64ExtendI32U = 0xad, "i64.extend_i32_u", Stack, 1 => 1;
I64TruncF32S = 0xae, "i64.trunc_f32_s", Float, 1 => 1;
I64TruncF32U = 0xaf, "i64.trunc_f32_u", Float, 1 => 1;
I64TruncF64S = 0xb0, "i64.trunc_f64_s", Float, 1 => 1;
I64TruncF64U = 0xb1, "i64.trunc_f64_u", Float, 1 => 1;
F32ConvertI32S = 0xb2, "f32.convert_i32_s", Float, 1 => 1;
F32ConvertI32U = 0xb3, "f32.convert_i32_u", Float, 1 => 1;
F32ConvertI64S = 0xb4, "f32.convert_i64_s", Float, 1 => 1;
F32ConvertI64U = 0xb5, "f32.convert_i64_u", Float, 1 => 1;
F32DemoteF64 = 0xb6, "f32.demote_f64", Float, 1 => 1;
F64ConvertI32S = 0xb7, "f64.convert_i32_s", Float, 1 => 1;
F64ConvertI32U = 0xb8, "f64.convert_i32_u", Float, 1 => 1;
F64ConvertI64S = 0xb9, "f64.convert_i64_s", Float, 1 => 1;
F64ConvertI64U = 0xba, "f64.convert_i64_u", Float, 1 => 1;
F64PromoteF32 = 0xbb, "f64.promote_f32", Float, 1 => 1;
I32ReinterpretF32 = 0xbc, "i32.reinterpret_f32", Stack, 1 => 1;
I64ReinterpretF64 = 0xbd, "i64.reinterpret_f64", Stack, 1 => 1;
F32ReinterpretI32 = 0xbe, "f32.reinterpret_i32", Stack, 1 => 1;
F64ReinterpretI64 = 0xbf, "f64.reinterpret_i64", Stack, 1 => 1;
I32Extend8S = 0xc0, "i32.extend8_s", Stack, 1 => 1;
I32Extend16S = 0xc1, "i32.extend16_s", Stack, 1 => 1;
I64Extend8S = 0xc2, "i64.extend8_s", Stack, 1 => 1;
I64Extend16S = 0xc3, "i64.extend16_s", Stack, 1 => 1;
I64Extend32S = 0xc4, "i64.extend32_s", Stack, 1 => 1;
I32TruncSatF32S = 0xc8, "i32.trunc_sat_f32_s", Float, 1 => 1;
I32TruncSatF32U = 0xc9, "i32.trunc_sat_f32_u", Float, 1 => 1;
I32TruncSatF64S = 0xca, "i32.trunc_sat_f64_s", Float, 1 => 1;
I32TruncSatF64U = 0xcb, "i32.trunc_sat_f64_u", Float, 1 => 1;
I64TruncSatF32S = 0xcc, "i64.trunc_sat_f32_s", Float, 1 => 1;
I64TruncSatF32U = 0xcd, "i64.trunc_sat_f32_u", Float, 1 => 1;
I64TruncSatF64S = 0xce, "i64.trunc_sat_f64_s", Float, 1 => 1;
I64TruncSatF64U = 0xcf, "i64.trunc_sat_f64_u", Float, 1 => 1;
Jump = 0xe0, "jump", Stack, 0 => 0;
JumpIf = 0xe1, "jump_if", Stack, 1 => 0;
JumpUnless = 0xe2, "jump_unless", Stack, 1 => 0;
JumpTable = 0xe3, "jump_table", Stack, 1 => 0;
Enter = 0xe4, "enter", Frame, 0 => 0;
Charge = 0xe5, "charge", Stack, 0 => 0;
ChargeBulk = 0xe6, "charge_bulk", Stack, 1 => 1;
ChargeGrow = 0xe7, "charge_grow", Stack, 1 => 1;
Copy = 0xe8, "copy", CopyChunk, 3 => 0;
Fill = 0xe9, "fill", FillChunk, 3 => 0;
Exit = 0xf0, "exit", Host, 1 => 0;
Env = 0xf1, "env", Host, 0 => 1;
InputFetch = 0xf2, "input_fetch", Host, 1 => 0;
Random = 0xf3, "random", Host, 1 => 0;
ScratchStore = 0xf4, "scratch_store", Host, 1 => 0;
ScratchLoad = 0xf5, "scratch_load", Host, 1 => 0;
OutputWrite = 0xf6, "output_write", Host, 1 => 0;
OutputClose = 0xf7, "output_close", Host, 1 => 0;}

impl Op {
    /// Its number.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// What it counts for in its block's charge (docs/step-machine.md section 6): the steps it may take that no
    /// other charge covers. A call pays for the callee's `enter`.
    #[must_use]
    pub const fn weight(self) -> u64 {
        match self {
            Self::Enter => 0,
            Self::Call | Self::CallIndirect => 2,
            Self::Copy => 3,
            _ => 1,
        }
    }
}

/// Bytes of an encoded instruction; a code leaf holds two.
pub const INSTRUCTION_BYTES: usize = 16;

/// An instruction as it stands in a code leaf. An `op` that names no operation traps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Instruction {
    /// Number of the operation.
    pub op: u16,
    /// A small immediate: depth of a tree, or which memory.
    pub a: u16,
    /// A place, index, offset or count.
    pub b: u32,
    /// A constant or a charge.
    pub imm: u64,
}

impl Instruction {
    /// `op` without immediates.
    #[must_use]
    pub const fn new(op: Op) -> Self {
        Self {
            op: op as u16,
            a: 0,
            b: 0,
            imm: 0,
        }
    }

    /// The same with `a`.
    #[must_use]
    pub const fn a(self, a: u16) -> Self {
        Self { a, ..self }
    }

    /// The same with `b`.
    #[must_use]
    pub const fn b(self, b: u32) -> Self {
        Self { b, ..self }
    }

    /// The same with `imm`.
    #[must_use]
    pub const fn imm(self, imm: u64) -> Self {
        Self { imm, ..self }
    }

    /// The operation it names, if there is one.
    #[must_use]
    pub const fn operation(self) -> Option<Op> {
        Op::from_code(self.op)
    }

    /// `op u16 ‖ a u16 ‖ b u32 ‖ imm u64`, big-endian.
    #[must_use]
    pub fn encode(self) -> [u8; INSTRUCTION_BYTES] {
        let word = u128::from(self.op) << 112
            | u128::from(self.a) << 96
            | u128::from(self.b) << 64
            | u128::from(self.imm);
        word.to_be_bytes()
    }

    /// Every 16 bytes are an instruction.
    #[must_use]
    pub fn decode(bytes: [u8; INSTRUCTION_BYTES]) -> Self {
        let [a0, a1, b0, b1, c0, c1, c2, c3, imm @ ..] = bytes;
        Self {
            op: u16::from_be_bytes([a0, a1]),
            a: u16::from_be_bytes([b0, b1]),
            b: u32::from_be_bytes([c0, c1, c2, c3]),
            imm: u64::from_be_bytes(imm),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_operation_has_one_number_and_one_name() {
        let mut names: Vec<&str> = Op::ALL.iter().map(|op| op.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Op::ALL.len());
        assert!(Op::ALL.is_sorted(), "the table is not in ascending order");
        for code in 0..=u16::MAX {
            match Op::from_code(code) {
                Some(op) => assert_eq!(u16::from(op.code()), code),
                None => assert!(!Op::ALL.iter().any(|op| u16::from(op.code()) == code)),
            }
        }
    }

    #[test]
    fn zero_bytes_are_unreachable() {
        assert_eq!(
            Instruction::decode([0; 16]).operation(),
            Some(Op::Unreachable)
        );
    }

    #[test]
    fn no_operation_moves_more_slots_than_a_proof_shows() {
        for op in Op::ALL {
            assert!(op.pops() <= 3 && op.pushes() <= 1, "{}", op.name());
        }
    }

    proptest! {
        #[test]
        fn instructions_round_trip(bytes: [u8; 16]) {
            prop_assert_eq!(Instruction::decode(bytes).encode(), bytes);
        }
    }
}
