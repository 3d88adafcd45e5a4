//! Memory operators: loads, stores, and the bulk operators with their charges.

use wasmparser::{MemArg, Operator};

use super::Lowerer;
use crate::error::{Place, PrepareError};
use crate::isa::{Instruction, Op};

impl Lowerer<'_, '_> {
    pub(super) fn memory(&mut self, operator: &Operator<'_>) -> Result<(), PrepareError> {
        use Operator as O;
        match operator {
            O::MemorySize { mem } => self.in_memory(Op::MemorySize, *mem),
            O::MemoryGrow { mem } => {
                self.plain(Op::ChargeGrow)?;
                match self.scope.pages_max {
                    Some(most) if *mem == 0 => self.limited_grow(most),
                    _ => self.in_memory(Op::MemoryGrow, *mem),
                }
            }
            O::MemoryCopy { dst_mem, src_mem } => {
                self.plain(Op::ChargeBulk)?;
                self.in_memory(Op::Copy, dst_mem | src_mem << 1)
            }
            O::MemoryFill { mem } => {
                self.plain(Op::ChargeBulk)?;
                self.in_memory(Op::Fill, *mem)
            }
            O::MemoryInit { data_index, mem } => self.init(*data_index, *mem),
            O::DataDrop { data_index } => {
                let segment = self.scope.segments[*data_index as usize];
                self.plain(Op::Const)?;
                self.global(Op::GlobalSet, segment.global)
            }
            other => match access(other) {
                Some((op, arg)) => self.access(op, arg),
                None => Err(PrepareError::Invalid {
                    message: format!("no lowering for {other:?}"),
                    place: Place {
                        function: Some(self.body.index),
                        offset: 0,
                    },
                }),
            },
        }
    }

    fn in_memory(&mut self, op: Op, memory: u32) -> Result<(), PrepareError> {
        // Memories have the numbers 0 and 1.
        let memory = u16::try_from(memory).unwrap_or(u16::MAX);
        self.emit(Instruction::new(op).a(memory))
    }

    fn access(&mut self, op: Op, arg: &MemArg) -> Result<(), PrepareError> {
        let memory = u16::try_from(arg.memory).unwrap_or(u16::MAX);
        let offset = u32::try_from(arg.offset).expect("validated to be an offset of 32 bits");
        self.emit(Instruction::new(op).a(memory).b(offset))
    }

    fn global(&mut self, op: Op, global: u32) -> Result<(), PrepareError> {
        let depth = u16::from(self.scope.global_depth);
        self.emit(Instruction::new(op).a(depth).b(global))
    }

    /// `memory.grow` of a memory whose own maximum is less than what a unit may allow.
    fn limited_grow(&mut self, most: u64) -> Result<(), PrepareError> {
        let wanted = self.scratch(0);
        self.local(Op::LocalTee, wanted)?;
        self.in_memory(Op::MemorySize, 0)?;
        // Both are 32 bits with zeros above, so the sum of 64 bits is exact.
        self.plain(Op::I64Add)?;
        self.emit(Instruction::new(Op::Const).imm(most))?;
        self.plain(Op::I64GtU)?;
        let (fits, end) = (self.label_ahead(), self.label_ahead());
        self.jump(Op::JumpUnless, fits)?;
        self.emit(Instruction::new(Op::Const).imm(u64::from(u32::MAX)))?;
        self.jump(Op::Jump, end)?;
        self.bind_here(fits);
        self.local(Op::LocalGet, wanted)?;
        self.in_memory(Op::MemoryGrow, 0)?;
        self.bind_here(end);
        Ok(())
    }

    /// `memory.init`: a copy out of the shim's memory, if the segment has so many bytes.
    fn init(&mut self, data: u32, memory: u32) -> Result<(), PrepareError> {
        let segment = self.scope.segments[data as usize];
        let (count, source) = (self.scratch(0), self.scratch(1));
        self.plain(Op::ChargeBulk)?;
        self.local(Op::LocalSet, count)?;
        self.local(Op::LocalTee, source)?;
        // Both are 32 bits with zeros above, so the sum of 64 bits is exact.
        self.local(Op::LocalGet, count)?;
        self.plain(Op::I64Add)?;
        self.global(Op::GlobalGet, segment.global)?;
        self.plain(Op::I64GtU)?;
        let fits = self.label_ahead();
        self.jump(Op::JumpUnless, fits)?;
        self.plain(Op::Unreachable)?;
        self.bind_here(fits);
        self.local(Op::LocalGet, source)?;
        self.emit(Instruction::new(Op::Const).imm(u64::from(segment.base)))?;
        self.plain(Op::I32Add)?;
        self.local(Op::LocalGet, count)?;
        self.in_memory(Op::Copy, memory | 1 << 1)
    }
}

fn access<'o>(operator: &'o Operator<'_>) -> Option<(Op, &'o MemArg)> {
    macro_rules! accesses {
        ($($name:ident)*) => {
            match operator {
                $(Operator::$name { memarg } => Some((Op::$name, memarg)),)*
                _ => None,
            }
        };
    }
    accesses! {
        I32Load I64Load F32Load F64Load I32Load8S I32Load8U I32Load16S I32Load16U
        I64Load8S I64Load8U I64Load16S I64Load16U I64Load32S I64Load32U
        I32Store I64Store F32Store F64Store I32Store8 I32Store16 I64Store8 I64Store16 I64Store32
    }
}
