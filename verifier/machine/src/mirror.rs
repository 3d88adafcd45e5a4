//! One step as the contract checks it: `contracts/src/court/StepVerifier.sol`, transcribed function by function.
//!
//! It is here to test the contract and the fast engine against each other, and to explain a step to people; it
//! trusts nothing but the proof. Change both sides or neither: the tests run every proof through both.

use gio_protocol::B256;
use thiserror::Error;

use crate::state::{
    HALTED_BYTES, HEADER_BYTES, Header, Io, PC_EXHAUSTED, PC_TRAP, Rest, STATUS_EXHAUSTED,
    STATUS_TRAP, tagged,
};
use crate::trees::push_slot;

pub mod alu;
mod control;
mod host;
mod leaves;
mod memory;
mod parts;

/// What of a proof does not match; the contract's `Fault`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are all there is to say")]
#[repr(u8)]
pub enum Fault {
    Length,
    Code,
    Stack,
    Slots,
    Locals,
    Globals,
    Memory,
    Table,
    Rest,
    Frame,
    Io,
    Env,
    Input,
    Output,
    Status,
}

/// The proof is not one of any step; it says nothing about the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the proof is not one of any step: {0:?}")]
pub struct ProofInvalid(pub Fault);

/// The state a proof opens, and the state that follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Hash of the state the proof opens.
    pub before: B256,
    /// Hash of the state one step later.
    pub next: B256,
}

/// One step under way. `cursor` is where the next part of the proof begins.
#[derive(Debug)]
struct Step<'a> {
    header: Header,
    proof: &'a [u8],
    cursor: usize,
    op: u64,
    a: u64,
    b: u64,
    imm: u64,
    x: u64,
    y: u64,
    z: u64,
    base: B256,
    shape: u8,
    pops: u64,
    pushes: u64,
    result: u64,
    pc: u64,
}

/// How a step ends.
#[derive(Debug)]
enum End {
    Next,
    Trap,
    Exhausted,
    Halted(B256),
}

const U32: u64 = 0xffff_ffff;

/// Checks a proof: the hashes of the state it opens and of the next one.
///
/// # Errors
/// [`ProofInvalid`] if a length, hash or path does not match.
pub fn step(proof: &[u8]) -> Result<Checked, ProofInvalid> {
    if proof.len() == HALTED_BYTES {
        if proof[0] > STATUS_EXHAUSTED {
            return Err(ProofInvalid(Fault::Status));
        }
        let before = tagged("gio.machine.halted.v1", proof);
        return Ok(Checked {
            before,
            next: before,
        });
    }
    let mut s = Step::new(proof);
    let before = s.header.hash();
    let next = if s.header.halts() {
        s.halt()?
    } else {
        s.proceed()?
    };
    if s.cursor != s.proof.len() {
        return Err(ProofInvalid(Fault::Length));
    }
    Ok(Checked { before, next })
}

impl<'a> Step<'a> {
    fn new(proof: &'a [u8]) -> Self {
        let mut header = [0; HEADER_BYTES];
        let there = proof.len().min(HEADER_BYTES);
        header[..there].copy_from_slice(&proof[..there]);
        Self {
            header: Header::decode(&header),
            proof,
            cursor: HEADER_BYTES,
            op: 0,
            a: 0,
            b: 0,
            imm: 0,
            x: 0,
            y: 0,
            z: 0,
            base: B256::ZERO,
            shape: 0,
            pops: 0,
            pushes: 0,
            result: 0,
            pc: 0,
        }
    }

    /// A `pc` outside the code halts the machine.
    fn halt(&mut self) -> Result<B256, ProofInvalid> {
        let (_, io) = self.rest_and_io()?;
        let exhausted = self.header.pc == PC_EXHAUSTED;
        let status = if exhausted {
            STATUS_EXHAUSTED
        } else {
            STATUS_TRAP
        };
        Ok(self.halted_hash(status, 0, &io))
    }

    fn proceed(&mut self) -> Result<B256, ProofInvalid> {
        let end = if self.fetch()? {
            self.execute()?
        } else {
            End::Trap
        };
        match end {
            End::Next => {
                let mut stack = self.base;
                if self.pushes == 1 {
                    stack = push_slot(stack, self.result);
                } else if self.pushes == 3 {
                    stack = push_slot(push_slot(push_slot(stack, self.x), self.y), self.z);
                }
                self.header.stack_hash = stack;
                let len = u64::from(self.header.stack_len) - self.pops + self.pushes;
                self.header.stack_len = low(len);
                self.header.pc = low(self.pc);
            }
            End::Trap => self.header.pc = PC_TRAP,
            End::Exhausted => {
                self.header.pc = PC_EXHAUSTED;
                self.header.cu = self.header.cu_limit;
            }
            End::Halted(hash) => return Ok(hash),
        }
        Ok(self.header.hash())
    }

    fn execute(&mut self) -> Result<End, ProofInvalid> {
        match self.shape >> 4 {
            shapes::STACK => Ok(self.stack()),
            shapes::LOAD => self.load(),
            shapes::STORE => self.store(),
            shapes::LOCAL => self.local(),
            shapes::FLOAT => Ok(self.float()),
            shapes::GLOBAL => self.global(),
            shapes::FRAME if self.op == 0xe4 => self.enter(),
            shapes::FRAME => self.call(),
            shapes::RETURN => self.return_(),
            shapes::INDIRECT => self.call_indirect(),
            shapes::GROW => self.grow(),
            shapes::COPY => self.copy(),
            shapes::FILL => self.fill(),
            _ => self.host(),
        }
    }

    fn close(&mut self, rest: &mut Rest, io: &Io) {
        rest.io_hash = io.hash();
        self.header.rest_hash = rest.hash();
    }
}

/// The low 32 bits.
#[expect(clippy::cast_possible_truncation, reason = "that is what it is for")]
const fn low(value: u64) -> u32 {
    value as u32
}

/// A byte per operation as the contract has it: class · 16 + pops · 4 + pushes.
pub mod shapes {
    use crate::isa::{Class, Op};

    pub(super) const STACK: u8 = 1;
    pub(super) const FLOAT: u8 = 2;
    pub(super) const LOCAL: u8 = 3;
    pub(super) const GLOBAL: u8 = 4;
    pub(super) const LOAD: u8 = 5;
    pub(super) const STORE: u8 = 6;
    pub(super) const FRAME: u8 = 7;
    pub(super) const RETURN: u8 = 8;
    pub(super) const INDIRECT: u8 = 9;
    pub(super) const GROW: u8 = 10;
    pub(super) const COPY: u8 = 11;
    pub(super) const FILL: u8 = 12;
    const HOST: u8 = 13;

    /// The shape of an operation's number; zero if there is none.
    #[must_use]
    pub fn of(code: u64) -> u8 {
        let op = u16::try_from(code).ok().and_then(Op::from_code);
        op.map_or(0, |op| {
            class(op.class()) << 4 | op.pops() << 2 | op.pushes()
        })
    }

    const fn class(class: Class) -> u8 {
        match class {
            Class::Stack => STACK,
            Class::Float => FLOAT,
            Class::Local => LOCAL,
            Class::Global => GLOBAL,
            Class::Load => LOAD,
            Class::Store => STORE,
            Class::Frame => FRAME,
            Class::Return => RETURN,
            Class::Indirect => INDIRECT,
            Class::Grow => GROW,
            Class::Copy => COPY,
            Class::Fill => FILL,
            Class::Host => HOST,
        }
    }
}
