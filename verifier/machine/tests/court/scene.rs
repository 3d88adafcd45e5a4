//! A made-up state of the machine, ready for one step: the test's own picture of it, its hash, and its proof as
//! docs/step-machine.md section 7 lays it out.

use gio_machine::isa::{Class, Instruction, Op};
use gio_machine::state::{Env, Halted, Header, Io, PC_EXHAUSTED, PC_TRAP, Rest};
use gio_machine::trees::{push_frame, push_slot, slot_of, with_slot};
use gio_protocol::{B256, keccak256};

use crate::evm::{Court, Gas, agreed};
use crate::tree::Tree;

#[derive(Clone, Debug)]
pub struct Scene {
    pub header: Header,
    pub rest: Rest,
    pub io: Io,
    pub env: Env,
    pub instruction: Instruction,
    /// Hash and length of the stack below what is shown.
    pub below: (B256, u32),
    pub stack: Vec<u64>,
    pub code: Tree,
    pub memory: Tree,
    pub globals: Tree,
    pub table: Tree,
    pub input: Tree,
    pub output: Tree,
    /// The current locals, and their root if they are not shown.
    pub locals: Tree,
    pub locals_root: Option<B256>,
    /// Frames below the top one, and the top one.
    pub frames: (B256, Option<Frame>),
}

#[derive(Clone, Copy, Debug)]
pub struct Frame {
    pub locals_root: B256,
    pub return_pc: u32,
    pub slots: u32,
}

/// How deep the trees of a scene are: input and output of a deal, like all others, each in its own way.
#[derive(Clone, Copy, Debug)]
pub struct Depths {
    pub code: u8,
    pub memory: u8,
    pub slots: u8,
    pub table: u8,
    pub input: u8,
    pub output: u8,
}

pub const SMALL: Depths = Depths {
    code: 5,
    memory: 14,
    slots: 3,
    table: 4,
    input: 6,
    output: 7,
};

impl Scene {
    /// A state about to execute `op`, with pages, frames and room for everything.
    pub fn new(op: Op, depths: Depths) -> Self {
        Self::of(Instruction::new(op), depths)
    }

    pub fn of(instruction: Instruction, depths: Depths) -> Self {
        let word = |name: &str| keccak256(name);
        let header = Header {
            code_root: B256::ZERO,
            stack_hash: B256::ZERO,
            locals_root: B256::ZERO,
            memory_root: B256::ZERO,
            rest_hash: B256::ZERO,
            pc: 21,
            stack_len: 0,
            pages: [3, 2],
            code_depth: depths.code,
            memory_depth: depths.memory,
            cu: 0x0102_0304_0506,
            cu_limit: 0x0708_090a_0b0c,
        };
        let rest = Rest {
            frames_hash: B256::ZERO,
            globals_root: B256::ZERO,
            table_root: B256::ZERO,
            io_hash: B256::ZERO,
            call_depth: 0x0101_0101,
            slots: 0x0001_0101,
            table_size: 4 << depths.table,
            table_depth: depths.table,
        };
        let env = Env {
            input_root: B256::ZERO,
            unit_seed: word("seed"),
            input_depth: depths.input,
            output_depth: depths.output,
            pages_max: [4, 3],
            input_length: 32 * (1 << depths.input) - 5,
            output_max: 32 * (1 << depths.output) - 7,
            clock_start: 1_790_000_000,
        };
        let io = Io {
            output_root: B256::ZERO,
            scratch: word("scratch"),
            env_hash: B256::ZERO,
            output_length: 0x1112,
        };
        let frame = Frame {
            locals_root: word("caller's locals"),
            return_pc: 9,
            slots: 0x0000_1011,
        };
        Self {
            header,
            rest,
            io,
            env,
            instruction,
            below: (word("below"), 1000),
            stack: vec![0; usize::from(instruction.operation().map_or(0, Op::pops))],
            code: Tree::new(depths.code, 1),
            memory: Tree::new(depths.memory, 2),
            globals: Tree::new(depths.slots, 3),
            table: Tree::new(depths.table, 4),
            input: Tree::new(depths.input, 5),
            output: Tree::new(depths.output, 6),
            locals: Tree::new(depths.slots, 7),
            locals_root: None,
            frames: (word("frames below"), Some(frame)),
        }
    }

    pub fn stack(mut self, slots: &[u64]) -> Self {
        self.stack = slots.to_vec();
        self
    }

    pub fn a(mut self, a: u16) -> Self {
        self.instruction.a = a;
        self
    }

    pub fn b(mut self, b: u32) -> Self {
        self.instruction.b = b;
        self
    }

    pub fn imm(mut self, imm: u64) -> Self {
        self.instruction.imm = imm;
        self
    }

    pub fn pages(mut self, pages: [u32; 2]) -> Self {
        self.header.pages = pages;
        self
    }

    pub fn pop<const N: usize>(&mut self) -> [u64; N] {
        let at = self.stack.len() - N;
        self.stack.split_off(at).try_into().unwrap()
    }

    /// Puts bytes into a memory, opening their leaves.
    pub fn write(&mut self, memory: u64, address: u64, bytes: &[u8]) {
        for (byte, at) in bytes.iter().zip(address..) {
            let index = self.leaf_index(memory, at);
            let mut leaf = self.memory.open(index);
            leaf[(at & 31) as usize] = *byte;
            self.memory.set(index, leaf);
        }
    }

    pub fn read(&mut self, memory: u64, address: u64, count: u64) -> Vec<u8> {
        let byte = |at: u64| {
            let index = self.leaf_index(memory, at);
            self.memory.open(index)[(at & 31) as usize]
        };
        (address..address + count).map(byte).collect()
    }

    pub fn leaf_index(&self, memory: u64, address: u64) -> u64 {
        (memory << (self.header.memory_depth - 1)) + (address >> 5)
    }

    pub fn local(&self, index: u32) -> u64 {
        slot_of(self.locals.get(u64::from(index / 4)), index)
    }

    pub fn set_slot(tree: &mut Tree, index: u32, slot: u64) {
        let leaf = tree.open(u64::from(index / 4));
        tree.set(u64::from(index / 4), with_slot(leaf, index, slot));
    }

    /// Makes every leaf real that the step touches, and puts the instruction in its place.
    pub fn prepare(&mut self) {
        let pc = u64::from(self.header.pc);
        if !self.header.halts() {
            let mut leaf = self.code.open(pc / 2);
            let half = if pc % 2 == 0 { 0 } else { 16 };
            leaf[half..half + 16].copy_from_slice(&self.instruction.encode());
            self.code.set(pc / 2, leaf);
        }
        let touched = self.touched();
        for index in touched {
            self.tree().open(index);
        }
    }

    fn tree(&mut self) -> &mut Tree {
        match self.instruction.operation() {
            Some(op) if op.class() == Class::Local => &mut self.locals,
            Some(op) if op.class() == Class::Global => &mut self.globals,
            Some(Op::CallIndirect) => &mut self.table,
            Some(Op::InputFetch) => &mut self.input,
            Some(Op::OutputWrite) => &mut self.output,
            _ => &mut self.memory,
        }
    }

    /// The chunk a `copy` or `fill` moves: offset from its addresses, and bytes.
    pub fn chunk(&self) -> (u64, u64) {
        let [to, from, n] = self.low_operands();
        let from = if self.instruction.operation() == Some(Op::Fill) {
            to
        } else {
            from
        };
        if to <= from {
            (0, n.min(32 - to % 32).min(32 - from % 32))
        } else {
            let tail = |address: u64| (address + n - 1) % 32 + 1;
            let bytes = n.min(tail(to)).min(tail(from));
            (n - bytes, bytes)
        }
    }

    fn low_operands(&self) -> [u64; 3] {
        let mut operands = [0; 3];
        let shown = self.stack.iter().rev().take(3);
        shown
            .enumerate()
            .for_each(|(nth, slot)| operands[2 - nth] = slot & 0xffff_ffff);
        operands
    }

    /// Indices of the leaves the step's proof shows, in its order; the trap rules of section 7 are here.
    pub fn touched(&self) -> Vec<u64> {
        let Some(op) = self.instruction.operation() else {
            return Vec::new();
        };
        if self.stack.len() < usize::from(op.pops()) {
            return Vec::new();
        }
        let Instruction { a, b, .. } = self.instruction;
        let [_, _, top] = self.low_operands();
        let memory = u64::from(a & 1);
        let inside = |memory: u64, address: u64, count: u64| {
            address + count <= u64::from(self.header.pages[usize::from(memory == 1)]) << 16
        };
        match op.class() {
            Class::Local | Class::Global if a <= 12 && (b / 4) >> a == 0 => vec![u64::from(b / 4)],
            Class::Load | Class::Store => {
                let base = if op.class() == Class::Load {
                    top
                } else {
                    self.low_operands()[1]
                };
                let (address, width) = (base + u64::from(b), width(op));
                if !inside(memory, address, width) {
                    return Vec::new();
                }
                let first = self.leaf_index(memory, address);
                (first..=first + u64::from(address % 32 + width > 32)).collect()
            }
            Class::Indirect => {
                let shown =
                    top < u64::from(self.rest.table_size) && self.rest.call_depth != u32::MAX;
                if shown { vec![top / 4] } else { Vec::new() }
            }
            Class::Copy | Class::Fill => {
                let [to, from, n] = self.low_operands();
                let source = u64::from(a >> 1 & 1);
                let is_copy = op == Op::Copy;
                if n == 0 || !inside(memory, to, n) || is_copy && !inside(source, from, n) {
                    return Vec::new();
                }
                let (skip, _) = self.chunk();
                let written = self.leaf_index(memory, to + skip);
                if is_copy {
                    vec![self.leaf_index(source, from + skip), written]
                } else {
                    vec![written]
                }
            }
            Class::Host => self.touched_by_host(op, top, memory),
            _ => Vec::new(),
        }
    }

    fn touched_by_host(&self, op: Op, address: u64, memory: u64) -> Vec<u64> {
        let word = self.stack.last().copied().unwrap_or_default();
        match op {
            Op::ScratchStore | Op::ScratchLoad => {
                let inside =
                    address + 32 <= u64::from(self.header.pages[usize::from(memory == 1)]) << 16;
                if address.is_multiple_of(32) && inside {
                    vec![self.leaf_index(memory, address)]
                } else {
                    Vec::new()
                }
            }
            Op::InputFetch if word < self.env.input_length.div_ceil(32) => vec![word],
            Op::OutputWrite if word < self.env.output_max.div_ceil(32) => vec![word],
            _ => Vec::new(),
        }
    }

    /// The header with all roots and hashes of what the scene holds now.
    pub fn sealed(&self) -> (Header, Rest, Io) {
        let mut io = self.io;
        io.env_hash = self.sealed_env().hash();
        io.output_root = self.output.root();
        let mut rest = self.rest;
        rest.io_hash = io.hash();
        rest.globals_root = self.globals.root();
        rest.table_root = self.table.root();
        rest.frames_hash = match self.frames {
            (below, Some(top)) => push_frame(below, top.locals_root, top.return_pc, top.slots),
            (below, None) => below,
        };
        let mut header = self.header;
        header.rest_hash = rest.hash();
        header.code_root = self.code.root();
        header.memory_root = self.memory.root();
        header.locals_root = self.locals_root.unwrap_or_else(|| self.locals.root());
        let shown = self.stack.iter();
        header.stack_hash = shown.fold(self.below.0, |stack, slot| push_slot(stack, *slot));
        header.stack_len = self.below.1 + u32::try_from(self.stack.len()).unwrap();
        (header, rest, io)
    }

    fn sealed_env(&self) -> Env {
        Env {
            input_root: self.input.root(),
            ..self.env
        }
    }

    pub fn hash(&self) -> B256 {
        self.sealed().0.hash()
    }

    pub fn proof(&self) -> Vec<u8> {
        let (header, rest, io) = self.sealed();
        let mut proof = header.encode().to_vec();
        if header.halts() {
            proof.extend(rest.encode());
            proof.extend(io.encode());
            return proof;
        }
        proof.extend(self.code.proof(u64::from(header.pc) / 2));
        let Some(op) = self.instruction.operation() else {
            return proof;
        };
        let pops = usize::from(op.pops());
        let after = u64::from(header.stack_len) + u64::from(op.pushes());
        if (header.stack_len as usize) < pops || after - pops as u64 > 0xffff_ffff {
            return proof;
        }
        let kept = self.stack.len() - pops;
        let below = self.stack[..kept].iter();
        proof.extend(below.fold(self.below.0, |stack, slot| push_slot(stack, *slot)));
        let popped = self.stack[kept..]
            .iter()
            .flat_map(|slot| slot.to_be_bytes());
        let mut slots: Vec<u8> = popped.collect();
        slots.resize(24, 0);
        proof.extend(slots);
        proof.extend(self.extra(op, &rest, &io));
        proof
    }

    fn extra(&self, op: Op, rest: &Rest, io: &Io) -> Vec<u8> {
        let touched = self.touched();
        let mut extra = Vec::new();
        let scratches = matches!(op, Op::ScratchStore | Op::ScratchLoad);
        let (with_rest, with_io, with_env) = match op.class() {
            Class::Global => (!touched.is_empty(), false, false),
            Class::Frame | Class::Return | Class::Indirect => (true, false, false),
            Class::Grow => (true, true, true),
            Class::Host if scratches => (!touched.is_empty(), !touched.is_empty(), false),
            Class::Host => (true, true, op != Op::Exit),
            _ => (false, false, false),
        };
        if with_rest {
            extra.extend(rest.encode());
        }
        if with_io {
            extra.extend(io.encode());
        }
        if with_env {
            extra.extend(self.sealed_env().encode());
        }
        if op == Op::Return && rest.call_depth > 0 {
            let (below, top) = self.frames;
            let top = top.unwrap();
            extra.extend(below);
            extra.extend(top.locals_root);
            extra.extend(top.return_pc.to_be_bytes());
            extra.extend(top.slots.to_be_bytes());
        }
        extra.extend(self.leaves(op, &touched));
        extra
    }

    /// Leaves and paths; the second leaf of a store is proven after the first was written.
    fn leaves(&self, op: Op, touched: &[u64]) -> Vec<u8> {
        let mut scene = self.clone();
        let mut proof = scene.tree().proof_of(touched.first());
        if let [first, second] = touched {
            if op.class() == Class::Store {
                let value = self.stack[self.stack.len() - 1].to_le_bytes();
                let [_, base, _] = self.low_operands();
                let address = base + u64::from(self.instruction.b);
                let mut leaf = scene.memory.get(*first);
                let offset = (address % 32) as usize;
                leaf[offset..].copy_from_slice(&value[..32 - offset]);
                scene.memory.set(*first, leaf);
            }
            proof.extend(scene.memory.proof(*second));
        }
        proof
    }

    /// Proves the step in contract and mirror; both must go from this state to what `change` makes of it.
    pub fn check(mut self, court: &mut Court, change: impl FnOnce(&mut Self)) -> Gas {
        self.prepare();
        let (answer, gas) = agreed(court, &self.proof());
        let checked = answer.unwrap_or_else(|fault| panic!("refused for {fault:?}: {self:#?}"));
        assert_eq!(checked.before, self.hash(), "the state before");
        let mut expected = self.clone();
        expected.header.pc += 1;
        change(&mut expected);
        assert_eq!(
            checked.next,
            expected.hash(),
            "the state after {:x?}",
            self.instruction
        );
        gas
    }

    /// Pops what the operation pops and pushes `result`.
    pub fn gives(self, court: &mut Court, result: u64) -> Gas {
        let pops = usize::from(self.instruction.operation().unwrap().pops());
        self.check(court, |scene| {
            let kept = scene.stack.len() - pops;
            scene.stack.truncate(kept);
            scene.stack.push(result);
        })
    }

    pub fn traps(self, court: &mut Court) -> Gas {
        self.check(court, |scene| scene.header.pc = PC_TRAP)
    }

    pub fn exhausts(self, court: &mut Court) -> Gas {
        self.check(court, |scene| {
            scene.header.pc = PC_EXHAUSTED;
            scene.header.cu = scene.header.cu_limit;
        })
    }

    pub fn halts(mut self, court: &mut Court, status: u8, exit_code: u32) -> Gas {
        self.prepare();
        let (answer, gas) = agreed(court, &self.proof());
        let (_, _, io) = self.sealed();
        let halted = Halted {
            status,
            exit_code,
            cu: self.header.cu,
            output_root: io.output_root,
            output_length: io.output_length,
        };
        assert_eq!(answer.unwrap().next, halted.hash());
        gas
    }

    /// Whatever the step does, both sides do the same.
    pub fn agrees(mut self, court: &mut Court) -> (B256, B256, Gas) {
        self.prepare();
        let (answer, gas) = agreed(court, &self.proof());
        let checked = answer.unwrap_or_else(|fault| panic!("refused for {fault:?}: {self:#?}"));
        assert_eq!(checked.before, self.hash());
        (checked.before, checked.next, gas)
    }
}

impl Tree {
    fn proof_of(&self, index: Option<&u64>) -> Vec<u8> {
        index.map(|index| self.proof(*index)).unwrap_or_default()
    }
}

/// Bytes a load or store moves.
pub fn width(op: Op) -> u64 {
    let name = op.name();
    let narrow = ["8", "16", "32"].iter().find(|bits| {
        let at = name.rfind(['d', 'e']).unwrap();
        name[at + 1..].trim_end_matches(['_', 's', 'u']) == **bits
    });
    match narrow {
        Some(bits) => bits.parse::<u64>().unwrap() / 8,
        None if name.starts_with("i32") || name.starts_with("f32") => 4,
        None => 8,
    }
}
