//! What people see of a state: the parts of it that an instruction touches.

use gio_protocol::B256;

use super::Machine;
use super::ops::{Chunk, copy_chunk, fill_chunk};
use super::proof::width;
use crate::isa::{Class, Op};

const WORD: u64 = 32;

/// A part of a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// 0 is the guest's memory, 1 the shim's.
    pub memory: usize,
    /// The first byte.
    pub at: u64,
    /// How many bytes.
    pub len: u64,
}

/// A caller that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallFrame {
    /// Where it goes on.
    pub return_pc: u32,
    /// What the frames below and its own cost.
    pub slots: u32,
}

impl Machine {
    /// The globals.
    #[must_use]
    pub fn globals(&self) -> &[u64] {
        &self.core.globals
    }

    /// The word between memory, input and output.
    #[must_use]
    pub fn scratch(&self) -> B256 {
        B256::new(self.core.scratch)
    }

    /// A word of the output as it stands.
    #[must_use]
    pub fn output_word(&self, word: u64) -> B256 {
        self.core.output.leaf(word)
    }

    /// Bytes of output, as they were closed.
    #[must_use]
    pub fn output_length(&self) -> u64 {
        self.core.output_length
    }

    /// What the frames cost.
    #[must_use]
    pub fn slots(&self) -> u32 {
        self.core.slots
    }

    /// The caller that waits on top.
    #[must_use]
    pub fn top_call(&self) -> Option<CallFrame> {
        let frame = self.core.frames.last()?;
        Some(CallFrame {
            return_pc: frame.return_pc,
            slots: frame.slots,
        })
    }

    /// An element of the table: the number of its type, 0 if it is null, and where the function begins.
    #[must_use]
    pub fn element(&self, index: u32) -> Option<(u32, u32)> {
        let slot = *self.core.table.get(index as usize)?;
        let pc = u32::try_from(slot & u64::from(u32::MAX)).ok()?;
        Some((u32::try_from(slot >> 32).ok()?, pc))
    }

    /// The parts of memory that the next instruction is about, the one it writes first. They may lie outside.
    #[must_use]
    pub fn accesses(&self) -> Vec<Access> {
        let instruction = self.instruction().unwrap_or_default();
        let there = |op: &Op| usize::from(op.pops()) <= self.core.sp;
        let Some(op) = instruction.operation().filter(there) else {
            return Vec::new();
        };
        let memory = usize::from(instruction.a & 1);
        let low = |slot: u64| slot & u64::from(u32::MAX);
        let one = |at, len| vec![Access { memory, at, len }];
        match op.class() {
            Class::Load | Class::Store => {
                let address = self.core.stack[self.core.sp - usize::from(op.pops())];
                one(low(address) + u64::from(instruction.b), width(op))
            }
            Class::Copy => copy_chunk(&self.core, instruction.a).map_or(Vec::new(), both),
            Class::Fill => fill_chunk(&self.core, instruction.a)
                .map_or(Vec::new(), |chunk| one(chunk.at, chunk.len)),
            Class::Host if matches!(op, Op::ScratchStore | Op::ScratchLoad) => {
                one(low(self.core.top()), WORD)
            }
            Class::Host
            | Class::Stack
            | Class::Float
            | Class::Local
            | Class::Global
            | Class::Frame
            | Class::Return
            | Class::Indirect
            | Class::Grow => Vec::new(),
        }
    }
}

fn both(chunk: Chunk) -> Vec<Access> {
    let part = |memory, at| Access {
        memory,
        at,
        len: chunk.len,
    };
    vec![part(chunk.to, chunk.at), part(chunk.from, chunk.source)]
}
