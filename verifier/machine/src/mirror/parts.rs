//! The parts of a proof: reading them in order, and checking them against what the state commits to.

use gio_protocol::{B256, U256};

use super::leaves::field;
use super::{Fault, ProofInvalid, Step, leaves, shapes};
use crate::state::{ENV_BYTES, Env, Halted, IO_BYTES, Io, REST_BYTES, Rest};
use crate::trees::{parent, push_slot};

impl Step<'_> {
    /// 32 bytes of the proof; what is behind its end reads as zero, as calldata does.
    pub(super) fn word(&self, at: usize) -> U256 {
        let mut word = [0; 32];
        let there = self.proof.get(at..).unwrap_or_default();
        let count = there.len().min(32);
        word[..count].copy_from_slice(&there[..count]);
        U256::from_be_bytes(word)
    }

    fn hash_at(&self, at: usize) -> B256 {
        B256::from(self.word(at))
    }

    /// Reads the instruction and its operands; answers false if it is unknown or the stack does not fit it.
    pub(super) fn fetch(&mut self) -> Result<bool, ProofInvalid> {
        let pc = u64::from(self.header.pc);
        let depth = self.header.code_depth;
        let leaf = self.open_leaf(
            self.header.code_root,
            U256::from(pc >> 1),
            depth,
            Fault::Code,
        )?;
        let half = if pc & 1 == 0 { 128 } else { 0 };
        self.op = field(leaf, half + 112, 16);
        self.a = field(leaf, half + 96, 16);
        self.b = field(leaf, half + 64, 32);
        self.imm = field(leaf, half, 64);
        self.pc = pc + 1;
        self.shape = shapes::of(self.op);
        self.pops = u64::from(self.shape >> 2 & 3);
        self.pushes = u64::from(self.shape & 3);
        let len = u64::from(self.header.stack_len);
        if self.shape == 0 || len < self.pops || len - self.pops + self.pushes > super::U32 {
            return Ok(false);
        }
        self.operands()?;
        Ok(true)
    }

    /// The popped slots, pushed onto the base again, must make the stack.
    fn operands(&mut self) -> Result<(), ProofInvalid> {
        let packed = self.word(self.cursor + 32) >> 64_usize;
        let unused = leaves::bits(8 * (3 - self.pops));
        if packed & ((U256::from(1) << unused) - U256::from(1)) != U256::ZERO {
            return Err(ProofInvalid(Fault::Slots));
        }
        self.base = self.hash_at(self.cursor);
        self.cursor += 56;
        let slots = [128, 64, 0].map(|shift| field(packed, shift, 64));
        [self.x, self.y, self.z] = slots;
        let popped = slots.iter().zip(0..self.pops);
        let stack = popped.fold(self.base, |stack, (slot, _)| push_slot(stack, *slot));
        if stack != self.header.stack_hash {
            return Err(ProofInvalid(Fault::Stack));
        }
        Ok(())
    }

    pub(super) fn rest(&mut self) -> Result<Rest, ProofInvalid> {
        let word = self.word(self.cursor + 128);
        let rest = Rest {
            frames_hash: self.hash_at(self.cursor),
            globals_root: self.hash_at(self.cursor + 32),
            table_root: self.hash_at(self.cursor + 64),
            io_hash: self.hash_at(self.cursor + 96),
            call_depth: number(word, 128, 32),
            slots: number(word, 96, 32),
            table_size: number(word, 64, 32),
            table_depth: byte(word, 56),
        };
        self.cursor += REST_BYTES;
        // The hash is of the decoded fields with zeros between them, so it also holds the padding to zero.
        if rest.hash() != self.header.rest_hash {
            return Err(ProofInvalid(Fault::Rest));
        }
        self.unpadded(&rest.encode(), REST_BYTES, Fault::Rest)?;
        Ok(rest)
    }

    pub(super) fn rest_and_io(&mut self) -> Result<(Rest, Io), ProofInvalid> {
        let rest = self.rest()?;
        let io = Io {
            output_root: self.hash_at(self.cursor),
            scratch: self.hash_at(self.cursor + 32),
            env_hash: self.hash_at(self.cursor + 64),
            output_length: field(self.word(self.cursor + 96), 0, 64),
        };
        self.cursor += IO_BYTES;
        if io.hash() != rest.io_hash {
            return Err(ProofInvalid(Fault::Io));
        }
        self.unpadded(&io.encode(), IO_BYTES, Fault::Io)?;
        Ok((rest, io))
    }

    pub(super) fn env(&mut self, io: &Io) -> Result<Env, ProofInvalid> {
        let word = self.word(self.cursor + 64);
        let env = Env {
            input_root: self.hash_at(self.cursor),
            unit_seed: self.hash_at(self.cursor + 32),
            input_depth: byte(word, 184),
            output_depth: byte(word, 176),
            pages_max: [number(word, 152, 24), number(word, 128, 24)],
            input_length: field(word, 64, 64),
            output_max: field(word, 0, 64),
            clock_start: field(self.word(self.cursor + 96), 0, 64),
        };
        self.cursor += ENV_BYTES;
        if env.hash() != io.env_hash {
            return Err(ProofInvalid(Fault::Env));
        }
        self.unpadded(&env.encode(), ENV_BYTES, Fault::Env)?;
        Ok(env)
    }

    /// The contract hashes a part as it stands in the proof, so a part with anything in its padding is refused.
    fn unpadded(&self, encoded: &[u8], bytes: usize, fault: Fault) -> Result<(), ProofInvalid> {
        let from = self.cursor - bytes;
        let words = encoded.chunks_exact(32).enumerate();
        let same = |(nth, word): (usize, &[u8])| self.hash_at(from + 32 * nth) == word;
        if !words.into_iter().all(same) {
            return Err(ProofInvalid(fault));
        }
        Ok(())
    }

    /// The frame on top: what is below it, its locals, and its `pc` and slots.
    pub(super) fn frame(&mut self) -> (B256, B256, u64) {
        let below = self.hash_at(self.cursor);
        let locals_root = self.hash_at(self.cursor + 32);
        let place = field(self.word(self.cursor + 64), 192, 64);
        self.cursor += 72;
        (below, locals_root, place)
    }

    /// The leaf at `index`, proven against `expected`.
    pub(super) fn open_leaf(
        &mut self,
        expected: B256,
        index: U256,
        depth: u8,
        fault: Fault,
    ) -> Result<U256, ProofInvalid> {
        let leaf = self.word(self.cursor);
        let (root, fits) = self.root_of(leaf, index, depth);
        if root != expected || !fits {
            return Err(ProofInvalid(fault));
        }
        self.cursor += 32 + (usize::from(depth) << 5);
        Ok(leaf)
    }

    /// The root after `written` took the place of the leaf at `index`, which is proven against `expected`.
    pub(super) fn write_leaf(
        &mut self,
        expected: B256,
        (index, depth): (U256, u8),
        written: U256,
        fault: Fault,
    ) -> Result<B256, ProofInvalid> {
        let leaf = self.word(self.cursor);
        let (root, fits) = self.root_of(leaf, index, depth);
        let (next, _) = self.root_of(written, index, depth);
        if root != expected || !fits {
            return Err(ProofInvalid(fault));
        }
        self.cursor += 32 + (usize::from(depth) << 5);
        Ok(next)
    }

    /// Root over `leaf` with the siblings behind the cursor's leaf, and whether the index has a place in the tree.
    fn root_of(&self, leaf: U256, mut index: U256, depth: u8) -> (B256, bool) {
        let mut root = B256::from(leaf);
        for level in 0..usize::from(depth) {
            let sibling = self.hash_at(self.cursor + 32 + (level << 5));
            root = if !index.bit(0) {
                parent(root, sibling)
            } else {
                parent(sibling, root)
            };
            index >>= 1;
        }
        (root, index.is_zero())
    }

    pub(super) fn halted_hash(&self, status: u8, exit_code: u32, io: &Io) -> B256 {
        let halted = Halted {
            status,
            exit_code,
            cu: self.header.cu,
            output_root: io.output_root,
            output_length: io.output_length,
        };
        halted.hash()
    }
}

fn number(word: U256, shift: usize, bits: usize) -> u32 {
    u32::try_from(field(word, shift, bits)).expect("no such field has more than 32 bits")
}

fn byte(word: U256, shift: usize) -> u8 {
    u8::try_from(field(word, shift, 8)).expect("a byte")
}
