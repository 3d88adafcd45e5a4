//! The proof of a machine's next step (docs/step-machine.md section 7).

use gio_protocol::B256;

use super::Machine;
use super::ops::{Chunk, copy_chunk, fill_chunk};
use super::tree::Tree;
use crate::isa::{Class, Instruction, Op};
use crate::program::slot_leaves;
use crate::trees::{SLOT_DEPTH_MAX, parent};

const WORD: u64 = 32;

impl Machine {
    /// What a verifier needs to check the next step.
    pub fn proof(&mut self) -> Vec<u8> {
        if let Some(halted) = &self.core.halted {
            return halted.encode().to_vec();
        }
        let mut proof = self.header().encode().to_vec();
        if self.is_outside() {
            proof.extend(self.rest().encode());
            proof.extend(self.io().encode());
            return proof;
        }
        let leaf = u64::from(self.pc / 2);
        put_leaf(&mut proof, self.loaded.code_tree(), leaf);
        let instruction = self.instruction().unwrap_or_default();
        let operation = instruction
            .operation()
            .filter(|op| usize::from(op.pops()) <= self.core.sp);
        let Some(op) = operation else {
            return proof;
        };
        let pops = usize::from(op.pops());
        proof.extend(self.stack_below(pops));
        let popped = &self.core.stack[self.core.sp - pops..self.core.sp];
        for slot in popped {
            proof.extend(slot.to_be_bytes());
        }
        proof.resize(proof.len() + 8 * (3 - pops), 0);
        self.put_extra(&mut proof, op, instruction);
        proof
    }

    fn put_extra(&mut self, proof: &mut Vec<u8>, op: Op, instruction: Instruction) {
        match op.class() {
            Class::Stack | Class::Float => {}
            Class::Local => self.put_local(proof, instruction),
            Class::Global => {
                proof.extend(self.rest().encode());
                let globals = self.core.globals.clone();
                put_slot(proof, &globals, instruction);
            }
            Class::Load => self.put_access(proof, op, instruction),
            Class::Store => self.put_access(proof, op, instruction),
            Class::Frame => proof.extend(self.rest().encode()),
            Class::Return => self.put_return(proof),
            Class::Indirect => self.put_indirect(proof),
            Class::Grow => self.put_all(proof),
            Class::Copy => self.put_copy(proof, instruction),
            Class::Fill => {
                if let Some(chunk) = fill_chunk(&self.core, instruction.a)
                    && chunk.len > 0
                {
                    self.put_word(proof, chunk.to, chunk.at / WORD);
                }
            }
            Class::Host => self.put_host(proof, op, instruction),
        }
    }

    /// Rest, io and env.
    fn put_all(&mut self, proof: &mut Vec<u8>) {
        self.put_io(proof);
        proof.extend(self.core.env.encode());
    }

    fn put_io(&mut self, proof: &mut Vec<u8>) {
        proof.extend(self.rest().encode());
        proof.extend(self.io().encode());
    }

    fn put_local(&self, proof: &mut Vec<u8>, instruction: Instruction) {
        let locals = self.core.locals[self.core.base..].to_vec();
        put_slot(proof, &locals, instruction);
    }

    fn put_return(&mut self, proof: &mut Vec<u8>) {
        proof.extend(self.rest().encode());
        if let Some((frame, locals, below)) = self.top_frame() {
            proof.extend(below);
            proof.extend(locals);
            proof.extend(frame.return_pc.to_be_bytes());
            proof.extend(frame.slots.to_be_bytes());
        }
    }

    fn put_indirect(&mut self, proof: &mut Vec<u8>) {
        proof.extend(self.rest().encode());
        let element = self.core.top() & u64::from(u32::MAX);
        if element < u64::from(self.loaded.program.header.table_size) {
            put_leaf(proof, self.loaded.table_tree(), element / 4);
        }
    }

    fn put_copy(&self, proof: &mut Vec<u8>, instruction: Instruction) {
        let chunk = copy_chunk(&self.core, instruction.a);
        let Some(Chunk {
            to,
            from,
            at,
            source,
            len: 1..,
            ..
        }) = chunk
        else {
            return;
        };
        self.put_word(proof, from, source / WORD);
        self.put_word(proof, to, at / WORD);
    }

    fn put_host(&mut self, proof: &mut Vec<u8>, op: Op, instruction: Instruction) {
        let top = self.core.sp.checked_sub(1).map(|at| self.core.stack[at]);
        let top = top.unwrap_or(0);
        match op {
            Op::Exit => self.put_io(proof),
            Op::InputFetch => {
                self.put_all(proof);
                if top < self.core.env.input_length.div_ceil(WORD) {
                    put_leaf(proof, self.input_tree(), top);
                }
            }
            Op::OutputWrite => {
                self.put_all(proof);
                if top < self.core.env.output_max.div_ceil(WORD) {
                    put_leaf(proof, &self.core.output, top);
                }
            }
            Op::ScratchStore | Op::ScratchLoad => {
                let memory = usize::from(instruction.a & 1);
                let at = top & u64::from(u32::MAX);
                let inside = at + WORD <= self.core.memories[memory].bytes.len() as u64;
                if at.is_multiple_of(WORD) && inside {
                    self.put_io(proof);
                    self.put_word(proof, memory, at / WORD);
                }
            }
            _ => self.put_all(proof),
        }
    }

    /// One leaf, or two where the access reaches into the next word.
    fn put_access(&self, proof: &mut Vec<u8>, op: Op, instruction: Instruction) {
        let width = width(op);
        let address = self.core.stack[self.core.sp - usize::from(op.pops())];
        let at = (address & u64::from(u32::MAX)) + u64::from(instruction.b);
        let memory = usize::from(instruction.a & 1);
        let bytes = &self.core.memories[memory].bytes;
        if at + width > bytes.len() as u64 {
            return;
        }
        let first = at / WORD;
        self.put_word(proof, memory, first);
        if at % WORD + width <= WORD {
            return;
        }
        let mut leaf = self.core.memories[memory].leaf(first);
        if op.class() == Class::Store {
            let begin = usize::try_from(at % WORD).unwrap_or(0);
            let value = self.core.top().to_le_bytes();
            let room = leaf.len() - begin;
            leaf[begin..].copy_from_slice(&value[..room]);
        }
        let mut path = self.path(memory, first + 1);
        replace_neighbour(&mut path, first, leaf, &self.path(memory, first));
        proof.extend(self.core.memories[memory].leaf(first + 1));
        proof.extend(path.concat_words());
    }

    /// Leaf and path of a memory's word under the root of both memories.
    fn put_word(&self, proof: &mut Vec<u8>, memory: usize, word: u64) {
        proof.extend(self.core.memories[memory].leaf(word));
        proof.extend(self.path(memory, word).concat_words());
    }

    fn path(&self, memory: usize, word: u64) -> Vec<B256> {
        let mut path = self.core.memories[memory].path(word);
        path.push(self.core.memories[1 - memory].root());
        path
    }
}

/// In the path of word `first + 1`, puts what the tree has where word `first` is `leaf`.
fn replace_neighbour(path: &mut [B256], first: u64, leaf: B256, first_path: &[B256]) {
    // The level at which both words are siblings' descendants.
    let level = (first ^ (first + 1)).ilog2();
    let below = first_path.iter().take(level as usize).enumerate();
    let node = below.fold(leaf, |node, (height, sibling)| {
        if first >> height & 1 == 0 {
            parent(node, *sibling)
        } else {
            parent(*sibling, node)
        }
    });
    path[level as usize] = node;
}

trait Words {
    fn concat_words(&self) -> Vec<u8>;
}

impl Words for [B256] {
    fn concat_words(&self) -> Vec<u8> {
        self.iter().flat_map(|word| word.0).collect()
    }
}

fn put_leaf(proof: &mut Vec<u8>, tree: &Tree, index: u64) {
    proof.extend(tree.leaf(index));
    proof.extend(tree.path(index).concat_words());
}

/// The leaf of the slot that the instruction names, if its tree has it.
fn put_slot(proof: &mut Vec<u8>, slots: &[u64], instruction: Instruction) {
    let leaf = u64::from(instruction.b / 4);
    let Ok(depth) = u8::try_from(instruction.a) else {
        return;
    };
    if depth > SLOT_DEPTH_MAX || leaf >> depth != 0 {
        return;
    }
    let leaves = slot_leaves(slots).into_iter().map(|(_, leaf)| leaf);
    let tree = Tree::of_leaves(depth, leaves.collect());
    put_leaf(proof, &tree, leaf);
}

/// Bytes that an access is about.
pub(super) fn width(op: Op) -> u64 {
    match op {
        Op::I64Load | Op::F64Load | Op::I64Store | Op::F64Store => 8,
        Op::I32Load8S | Op::I32Load8U | Op::I64Load8S | Op::I64Load8U => 1,
        Op::I32Store8 | Op::I64Store8 => 1,
        Op::I32Load16S | Op::I32Load16U | Op::I64Load16S | Op::I64Load16U => 2,
        Op::I32Store16 | Op::I64Store16 => 2,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gio_protocol::B256;

    use super::*;
    use crate::state::{DealDepths, UnitLimits};
    use crate::{Loaded, PrepareLimits, mirror, prepare_provable};

    /// No prepared program has this instruction; its proof is still what the mirror and the contract read.
    #[test]
    fn an_environment_value_that_does_not_exist_is_proven_to_trap() {
        let wasm = wat::parse_str(r#"(module (func (export "_start")))"#).unwrap();
        let provable = prepare_provable(&wasm, &PrepareLimits::default()).unwrap();
        let mut program = provable.program;
        program.code[0] = Instruction::new(Op::Env).b(7);
        program.header.code_root = Loaded::new(program.clone()).code_tree().root();
        let unit = UnitLimits {
            input_root: B256::ZERO,
            input_length: 0,
            cu_limit: 100,
            pages_max: 1,
            output_max: 0,
            unit_seed: B256::ZERO,
        };
        let deal = DealDepths {
            input_depth: 0,
            output_depth: 0,
            clock_start: 0,
        };
        let loaded = Arc::new(Loaded::new(program));
        let mut machine = Machine::new(loaded, Vec::new(), &unit, &deal).unwrap();
        let before = machine.state_hash();
        let step = mirror::step(&machine.proof()).unwrap();
        machine.run_to(1);
        assert_eq!((step.before, step.next), (before, machine.state_hash()));
    }
}
