//! The state of the step machine: its structs, their one encoding, and their hashes (docs/step-machine.md
//! sections 3, 8 and 9).

use gio_protocol::{B256, keccak256, tag};

use crate::trees;

mod program;

pub use program::{
    BoundsError, CODE_DEPTH_MAX, CU_LIMIT_MAX, DealDepths, IO_DEPTH_MAX, PAGES_MAX, ProgramHeader,
    TABLE_DEPTH_MAX, UnitLimits, VERSION, check_bounds, initial, initial_memory,
};

/// `pc` of a machine that has trapped and halts with the next step.
pub const PC_TRAP: u32 = 0xffff_ffff;

/// `pc` of a machine whose CU are exhausted and that halts with the next step.
pub const PC_EXHAUSTED: u32 = 0xffff_fffe;

/// CU of the initial state: they pay for the charge that exhausts and for the step that halts (R20).
pub const START_CU: u64 = 2;

/// Bytes of an encoded [`Header`].
pub const HEADER_BYTES: usize = 192;
/// Bytes of an encoded [`Rest`].
pub const REST_BYTES: usize = 160;
/// Bytes of an encoded [`Io`].
pub const IO_BYTES: usize = 128;
/// Bytes of an encoded [`Env`].
pub const ENV_BYTES: usize = 128;
/// Bytes of an encoded [`Halted`].
pub const HALTED_BYTES: usize = 53;

/// What every step shows of a running state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are documented in one place, docs/step-machine.md section 3.1"
)]
pub struct Header {
    pub code_root: B256,
    pub stack_hash: B256,
    pub locals_root: B256,
    pub memory_root: B256,
    pub rest_hash: B256,
    pub pc: u32,
    pub stack_len: u32,
    /// Pages of both memories, 24 bits each.
    pub pages: [u32; 2],
    pub code_depth: u8,
    pub memory_depth: u8,
    pub cu: u64,
    pub cu_limit: u64,
}

/// What calls, globals and the host need besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are documented in one place, docs/step-machine.md section 3.1"
)]
pub struct Rest {
    pub frames_hash: B256,
    pub globals_root: B256,
    pub table_root: B256,
    pub io_hash: B256,
    pub call_depth: u32,
    pub slots: u32,
    pub table_size: u32,
    pub table_depth: u8,
}

/// The output so far, and the word that host instructions hand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are documented in one place, docs/step-machine.md section 3.1"
)]
pub struct Io {
    pub output_root: B256,
    pub scratch: B256,
    pub env_hash: B256,
    pub output_length: u64,
}

/// What a unit's leaf and deal fix for its whole run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are documented in one place, docs/step-machine.md section 3.1"
)]
pub struct Env {
    pub input_root: B256,
    pub unit_seed: B256,
    pub input_depth: u8,
    pub output_depth: u8,
    /// Greatest pages of both memories, 24 bits each.
    pub pages_max: [u32; 2],
    pub input_length: u64,
    pub output_max: u64,
    pub clock_start: u64,
}

/// A final state: all that a claim binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are documented in one place, docs/step-machine.md section 3.2"
)]
pub struct Halted {
    pub status: u8,
    pub exit_code: u32,
    pub cu: u64,
    pub output_root: B256,
    pub output_length: u64,
}

/// Status of a unit that exited.
pub const STATUS_EXIT: u8 = 0;
/// Status of a unit that trapped.
pub const STATUS_TRAP: u8 = 1;
/// Status of a unit whose CU were exhausted.
pub const STATUS_EXHAUSTED: u8 = 2;

impl Header {
    /// The preimage behind the tag.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = Bytes::<HEADER_BYTES>::new();
        for root in [
            self.code_root,
            self.stack_hash,
            self.locals_root,
            self.memory_root,
            self.rest_hash,
        ] {
            out.put(root.as_slice());
        }
        out.put(&self.pc.to_be_bytes());
        out.put(&self.stack_len.to_be_bytes());
        out.put(&u24(self.pages[0]));
        out.put(&u24(self.pages[1]));
        out.put(&[self.code_depth, self.memory_depth]);
        out.put(&self.cu.to_be_bytes());
        out.put(&self.cu_limit.to_be_bytes());
        out.done()
    }

    /// Every 192 bytes are a header.
    #[must_use]
    pub fn decode(bytes: &[u8; HEADER_BYTES]) -> Self {
        let mut from = Fields(bytes);
        Self {
            code_root: from.word(),
            stack_hash: from.word(),
            locals_root: from.word(),
            memory_root: from.word(),
            rest_hash: from.word(),
            pc: from.u32(),
            stack_len: from.u32(),
            pages: [from.u24(), from.u24()],
            code_depth: from.u8(),
            memory_depth: from.u8(),
            cu: from.u64(),
            cu_limit: from.u64(),
        }
    }

    /// The state's hash.
    #[must_use]
    pub fn hash(&self) -> B256 {
        tagged("gio.machine.running.v1", &self.encode())
    }

    /// Whether `pc` is outside the code, so that the next step halts.
    #[must_use]
    pub fn halts(&self) -> bool {
        u64::from(self.pc) >> (u32::from(self.code_depth) + 1).min(63) != 0
    }
}

impl Rest {
    /// The preimage behind the tag.
    #[must_use]
    pub fn encode(&self) -> [u8; REST_BYTES] {
        let mut out = Bytes::<REST_BYTES>::new();
        for root in [
            self.frames_hash,
            self.globals_root,
            self.table_root,
            self.io_hash,
        ] {
            out.put(root.as_slice());
        }
        out.put(&[0; 12]);
        for number in [self.call_depth, self.slots, self.table_size] {
            out.put(&number.to_be_bytes());
        }
        out.put(&[self.table_depth]);
        out.put(&[0; 7]);
        out.done()
    }

    /// The hash in [`Header::rest_hash`].
    #[must_use]
    pub fn hash(&self) -> B256 {
        tagged("gio.machine.rest.v1", &self.encode())
    }
}

impl Io {
    /// The preimage behind the tag.
    #[must_use]
    pub fn encode(&self) -> [u8; IO_BYTES] {
        let mut out = Bytes::<IO_BYTES>::new();
        for word in [self.output_root, self.scratch, self.env_hash] {
            out.put(word.as_slice());
        }
        out.put(&[0; 24]);
        out.put(&self.output_length.to_be_bytes());
        out.done()
    }

    /// The hash in [`Rest::io_hash`].
    #[must_use]
    pub fn hash(&self) -> B256 {
        tagged("gio.machine.io.v1", &self.encode())
    }
}

impl Env {
    /// The preimage behind the tag.
    #[must_use]
    pub fn encode(&self) -> [u8; ENV_BYTES] {
        let mut out = Bytes::<ENV_BYTES>::new();
        out.put(self.input_root.as_slice());
        out.put(self.unit_seed.as_slice());
        out.put(&[0; 8]);
        out.put(&[self.input_depth, self.output_depth]);
        out.put(&u24(self.pages_max[0]));
        out.put(&u24(self.pages_max[1]));
        out.put(&self.input_length.to_be_bytes());
        out.put(&self.output_max.to_be_bytes());
        out.put(&[0; 24]);
        out.put(&self.clock_start.to_be_bytes());
        out.done()
    }

    /// The hash in [`Io::env_hash`].
    #[must_use]
    pub fn hash(&self) -> B256 {
        tagged("gio.machine.env.v1", &self.encode())
    }
}

impl Halted {
    /// The preimage behind the tag.
    #[must_use]
    pub fn encode(&self) -> [u8; HALTED_BYTES] {
        let mut out = Bytes::<HALTED_BYTES>::new();
        out.put(&[self.status]);
        out.put(&self.exit_code.to_be_bytes());
        out.put(&self.cu.to_be_bytes());
        out.put(self.output_root.as_slice());
        out.put(&self.output_length.to_be_bytes());
        out.done()
    }

    /// The state's hash.
    #[must_use]
    pub fn hash(&self) -> B256 {
        tagged("gio.machine.halted.v1", &self.encode())
    }
}

/// `keccak(TAG(name) ‖ bytes)`.
pub(crate) fn tagged(name: &str, bytes: &[u8]) -> B256 {
    let mut all = Vec::with_capacity(32 + bytes.len());
    all.extend_from_slice(tag(name).as_slice());
    all.extend_from_slice(bytes);
    keccak256(all)
}

fn u24(number: u32) -> [u8; 3] {
    let [_, bytes @ ..] = number.to_be_bytes();
    bytes
}

/// Writes fields one behind the other; every encoding here has a fixed length that its fields fill.
struct Bytes<const N: usize> {
    bytes: [u8; N],
    at: usize,
}

impl<const N: usize> Bytes<N> {
    fn new() -> Self {
        Self {
            bytes: [0; N],
            at: 0,
        }
    }

    fn put(&mut self, field: &[u8]) {
        self.bytes[self.at..self.at + field.len()].copy_from_slice(field);
        self.at += field.len();
    }

    fn done(self) -> [u8; N] {
        debug_assert_eq!(self.at, N, "the fields fill the encoding");
        self.bytes
    }
}

/// Reads fields one behind the other.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self
            .0
            .split_first_chunk()
            .expect("the encoding has a fixed length that its fields fill");
        self.0 = rest;
        *field
    }

    fn word(&mut self) -> B256 {
        B256::new(self.take())
    }

    fn u8(&mut self) -> u8 {
        let [byte] = self.take();
        byte
    }

    fn u24(&mut self) -> u32 {
        let [a, b, c] = self.take();
        u32::from_be_bytes([0, a, b, c])
    }

    fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.take())
    }

    fn u64(&mut self) -> u64 {
        u64::from_be_bytes(self.take())
    }
}

/// Root of an empty tree of `depth`, the locals of a function that was just entered.
#[must_use]
pub fn empty_root(depth: u8) -> B256 {
    trees::zeros()[usize::from(depth)]
}

#[cfg(test)]
mod tests;
