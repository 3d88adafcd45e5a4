//! Loads, stores, growing, copying, filling.

use gio_protocol::{B256, U256};

use super::leaves::{bits, bytes_of, field, with_bytes};
use super::{End, Fault, ProofInvalid, Step, U32, alu, low};

impl Step<'_> {
    pub(super) fn load(&mut self) -> Result<End, ProofInvalid> {
        let width = 0x48_4811_2211_2244 >> ((0x35 - self.op) << 2) & 15;
        let address = (self.x & U32) + self.b;
        if !self.inside(self.a, address, width) {
            return Ok(End::Trap);
        }
        let offset = address & 31;
        let mut value = self.read_leaf(self.a, address)? << bits(offset);
        if offset + width > 32 {
            value |= self.read_leaf(self.a, address + 32)? >> bits(32 - offset);
        }
        let value = field(value, 192, 64).swap_bytes() & mask(width);
        // From 0x2c on the even ones extend the sign: two of them to 32 bits, the others to 64.
        let signs = self.op >= 0x2c && self.op & 1 == 0;
        self.result = if signs {
            alu::extend(value, width << 3, if self.op < 0x30 { 32 } else { 64 })
        } else {
            value
        };
        Ok(End::Next)
    }

    pub(super) fn store(&mut self) -> Result<End, ProofInvalid> {
        let width = 0x0004_8481_2124 >> ((0x3e - self.op) << 2) & 15;
        let address = (self.x & U32) + self.b;
        if !self.inside(self.a, address, width) {
            return Ok(End::Trap);
        }
        let offset = address & 31;
        // The low bytes of the value, in the order of memory, in front of a word.
        let value = U256::from(self.y.swap_bytes()) << 192;
        let first = if offset + width > 32 {
            32 - offset
        } else {
            width
        };
        let leaf = with_bytes(self.word(self.cursor), offset, first, value);
        self.header.memory_root = self.rewrite_leaf(self.a, address, leaf)?;
        if first < width {
            let leaf = with_bytes(
                self.word(self.cursor),
                0,
                width - first,
                value << bits(first),
            );
            self.header.memory_root = self.rewrite_leaf(self.a, address + 32, leaf)?;
        }
        Ok(End::Next)
    }

    pub(super) fn grow(&mut self) -> Result<End, ProofInvalid> {
        let (_, io) = self.rest_and_io()?;
        let env = self.env(&io)?;
        let which = usize::from(self.a & 1 == 1);
        let more = self.x & U32;
        let old = u64::from(self.header.pages[which]);
        if old + more > u64::from(env.pages_max[which]) {
            self.result = U32;
        } else {
            self.result = old;
            self.header.pages[which] = low(old + more);
        }
        Ok(End::Next)
    }

    /// Moves one chunk and stays until nothing is left.
    pub(super) fn copy(&mut self) -> Result<End, ProofInvalid> {
        let (mut to, mut from, n) = (self.x & U32, self.y & U32, self.z & U32);
        if !self.inside(self.a, to, n) || !self.inside(self.a >> 1, from, n) {
            return Ok(End::Trap);
        }
        if n == 0 {
            return Ok(End::Next);
        }
        let (chunk, skip) = if to <= from {
            (n.min(32 - (to & 31)).min(32 - (from & 31)), 0)
        } else {
            let last = |address: u64| ((address + n - 1) & 31) + 1;
            let chunk = n.min(last(to)).min(last(from));
            (chunk, n - chunk)
        };
        let read = self.read_leaf(self.a >> 1, from + skip)?;
        let moved = bytes_of(read, (from + skip) & 31, chunk);
        let leaf = with_bytes(self.word(self.cursor), (to + skip) & 31, chunk, moved);
        self.header.memory_root = self.rewrite_leaf(self.a, to + skip, leaf)?;
        if to <= from {
            (to, from) = (to + chunk, from + chunk);
        }
        self.repeat(to, from, n - chunk);
        Ok(End::Next)
    }

    pub(super) fn fill(&mut self) -> Result<End, ProofInvalid> {
        let (to, n) = (self.x & U32, self.z & U32);
        if !self.inside(self.a, to, n) {
            return Ok(End::Trap);
        }
        if n == 0 {
            return Ok(End::Next);
        }
        let chunk = n.min(32 - (to & 31));
        let [byte, ..] = self.y.to_le_bytes();
        let pattern = U256::from_be_bytes([byte; 32]);
        let leaf = with_bytes(self.word(self.cursor), to & 31, chunk, pattern);
        self.header.memory_root = self.rewrite_leaf(self.a, to, leaf)?;
        self.repeat(to + chunk, self.y, n - chunk);
        Ok(End::Next)
    }

    fn repeat(&mut self, x: u64, y: u64, left: u64) {
        if left == 0 {
            return;
        }
        (self.x, self.y, self.z) = (x, y, left);
        self.pushes = 3;
        self.pc = u64::from(self.header.pc);
    }

    /// Pages of a memory; only the lowest bit counts.
    pub(super) fn pages(&self, memory: u64) -> u64 {
        u64::from(self.header.pages[usize::from(memory & 1 == 1)])
    }

    /// Whether `count` bytes at `address` are inside a memory.
    pub(super) fn inside(&self, memory: u64, address: u64, count: u64) -> bool {
        address + count <= self.pages(memory) << 16
    }

    /// In 256 bits, as in the contract: any depth that a header can name has its index there, or none.
    fn leaf_index(&self, memory: u64, address: u64) -> U256 {
        let half = usize::from(self.header.memory_depth).wrapping_sub(1);
        let first = U256::from(memory & 1).checked_shl(half);
        first.unwrap_or(U256::ZERO) + U256::from(address >> 5)
    }

    pub(super) fn read_leaf(&mut self, memory: u64, address: u64) -> Result<U256, ProofInvalid> {
        let index = self.leaf_index(memory, address);
        let (root, depth) = (self.header.memory_root, self.header.memory_depth);
        self.open_leaf(root, index, depth, Fault::Memory)
    }

    pub(super) fn rewrite_leaf(
        &mut self,
        memory: u64,
        address: u64,
        leaf: U256,
    ) -> Result<B256, ProofInvalid> {
        let index = self.leaf_index(memory, address);
        let (root, depth) = (self.header.memory_root, self.header.memory_depth);
        self.write_leaf(root, (index, depth), leaf, Fault::Memory)
    }
}

/// The low bits of so many bytes, 1 to 8.
fn mask(width: u64) -> u64 {
    u64::MAX >> (64 - (width << 3))
}
