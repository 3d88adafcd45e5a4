//! What instructions work on, and the loop that executes them.

use super::memory::Memory;
use super::ops::{self, Handler};
use super::tree::Tree;
use crate::isa::{Instruction, Op};
use crate::limits::STACK_SLOTS_MAX;
use crate::state::{Env, Halted};

/// Room for operands. Frames pay for theirs out of [`STACK_SLOTS_MAX`], so no prepared program needs more than that and
/// what the entry has.
const STACK_ROOM: usize = STACK_SLOTS_MAX as usize + 64;

/// `pc` of a machine that has halted; it is in no code.
pub(crate) const PC_HALTED: u32 = 0xffff_fffd;

/// An instruction ready to be executed.
#[derive(Clone, Copy)]
pub(crate) struct Slot {
    pub(crate) run: Handler,
    pub(crate) imm: u64,
    pub(crate) b: u32,
    pub(crate) a: u16,
}

impl Slot {
    pub(crate) fn new(instruction: &Instruction) -> Self {
        let op = instruction.operation().unwrap_or(Op::Unreachable);
        Self {
            run: ops::handler(op),
            imm: instruction.imm,
            b: instruction.b,
            a: instruction.a,
        }
    }
}

/// A caller that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) return_pc: u32,
    pub(crate) slots: u32,
    /// Where its locals begin, and how deep their tree is.
    pub(crate) base: usize,
    pub(crate) depth: u8,
}

/// The unit's input.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) bytes: Vec<u8>,
}

impl Input {
    pub(crate) fn word(&self, index: u64) -> [u8; 32] {
        let mut word = [0; 32];
        let at = usize::try_from(index)
            .ok()
            .and_then(|at| at.checked_mul(32));
        if let Some(rest) = at.and_then(|at| self.bytes.get(at..)) {
            let len = rest.len().min(32);
            word[..len].copy_from_slice(&rest[..len]);
        }
        word
    }
}

/// The running state.
#[derive(Clone, Debug)]
pub(crate) struct Core {
    pub(crate) stack: Vec<u64>,
    pub(crate) sp: usize,
    pub(crate) cu: u64,
    pub(crate) cu_limit: u64,
    pub(crate) base: usize,
    pub(crate) depth: u8,
    pub(crate) locals: Vec<u64>,
    pub(crate) frames: Vec<Frame>,
    /// The fewest frames there were since somebody last asked for their hash.
    pub(crate) frames_low: usize,
    pub(crate) slots: u32,
    pub(crate) globals: Vec<u64>,
    pub(crate) memories: [Memory; 2],
    pub(crate) scratch: [u8; 32],
    pub(crate) output: Tree,
    pub(crate) output_length: u64,
    pub(crate) env: Env,
    pub(crate) input: std::sync::Arc<Input>,
    pub(crate) table: std::sync::Arc<Vec<u64>>,
    pub(crate) halted: Option<Halted>,
}

impl Core {
    pub(crate) fn room() -> Vec<u64> {
        vec![0; STACK_ROOM]
    }

    #[inline]
    pub(crate) fn push(&mut self, slot: u64) {
        self.stack[self.sp] = slot;
        self.sp += 1;
    }

    /// The slot on top.
    #[inline]
    pub(crate) fn top(&self) -> u64 {
        self.stack[self.sp - 1]
    }

    /// The slot below the top.
    #[inline]
    pub(crate) fn second(&self) -> u64 {
        self.stack[self.sp - 2]
    }

    /// Replaces the `pops` slots on top by one.
    #[inline]
    pub(crate) fn replace(&mut self, pops: usize, slot: u64) {
        self.sp -= pops;
        self.stack[self.sp] = slot;
        self.sp += 1;
    }

    /// Executes at most so many steps; answers where it goes on and how many were executed.
    pub(crate) fn run(&mut self, code: &[Slot], mut pc: u32, most: u64) -> (u32, u64) {
        let mut left = most;
        while left > 0 {
            let Some(slot) = code.get(pc as usize) else {
                break;
            };
            pc = (slot.run)(self, slot, pc);
            left -= 1;
        }
        (pc, most - left)
    }
}
