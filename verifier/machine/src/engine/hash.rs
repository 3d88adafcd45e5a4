//! From a machine to the hash of its state (docs/step-machine.md section 3).

use gio_protocol::B256;

use super::Machine;
use super::core::{Core, Frame};
use crate::program::{slot_leaves, sparse_root};
use crate::state::{Header, Io, Rest};
use crate::trees::{parent, push_frame, push_slot};

/// What was hashed last, to hash only what is new.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hashed {
    /// Slots of the operand stack, and the chain's hash with each of them on top.
    stack: Vec<(u64, B256)>,
    /// The chain of frames with each of them on top.
    frames: Vec<B256>,
    globals: Option<(Vec<u64>, B256)>,
}

impl Hashed {
    /// The chain of the lowest `count` operands.
    fn stack(&mut self, core: &Core, count: usize) -> B256 {
        let slots = &core.stack[..core.sp];
        let same = self.stack.iter().zip(slots);
        let same = same.take_while(|((hashed, _), slot)| hashed == *slot);
        let same = same.count();
        self.stack.truncate(same);
        for slot in &slots[same..] {
            let below = self.stack.last().map_or(B256::ZERO, |(_, hash)| *hash);
            self.stack.push((*slot, push_slot(below, *slot)));
        }
        match count {
            0 => B256::ZERO,
            count => self.stack[count - 1].1,
        }
    }

    /// The chain of the lowest `count` frames.
    fn frames(&mut self, core: &mut Core, count: usize) -> B256 {
        self.frames.truncate(core.frames_low);
        core.frames_low = core.frames.len();
        for frame in &core.frames[self.frames.len()..] {
            let below = self.frames.last().copied().unwrap_or(B256::ZERO);
            let locals = locals_root(core, frame.base, frame.depth);
            let hash = push_frame(below, locals, frame.return_pc, frame.slots);
            self.frames.push(hash);
        }
        match count {
            0 => B256::ZERO,
            count => self.frames[count - 1],
        }
    }

    fn globals(&mut self, globals: &[u64], depth: u8) -> B256 {
        if let Some((hashed, root)) = &self.globals
            && hashed == globals
        {
            return *root;
        }
        let root = sparse_root(slot_leaves(globals), 0, depth);
        self.globals = Some((globals.to_vec(), root));
        root
    }
}

/// The root of the locals that begin at `base`.
pub(crate) fn locals_root(core: &Core, base: usize, depth: u8) -> B256 {
    let locals = &core.locals[base..base + (4 << depth)];
    sparse_root(slot_leaves(locals), 0, depth)
}

impl Machine {
    /// The hash of the state.
    pub fn state_hash(&mut self) -> B256 {
        match &self.core.halted {
            Some(halted) => halted.hash(),
            None => self.header().hash(),
        }
    }

    /// What every proof of a running state begins with.
    pub(crate) fn header(&mut self) -> Header {
        let rest = self.rest();
        for memory in &mut self.core.memories {
            memory.update();
        }
        let core = &self.core;
        let program = &self.loaded.program.header;
        let memories = &core.memories;
        Header {
            code_root: program.code_root,
            stack_hash: self.hashed.stack(core, core.sp),
            locals_root: locals_root(core, core.base, core.depth),
            memory_root: parent(memories[0].root(), memories[1].root()),
            rest_hash: rest.hash(),
            pc: self.pc,
            stack_len: u32::try_from(core.sp).expect("the operand stack is far shorter"),
            pages: [memories[0].pages(), memories[1].pages()],
            code_depth: program.code_depth,
            memory_depth: self.memory_depth(),
            cu: core.cu,
            cu_limit: core.cu_limit,
        }
    }

    pub(crate) fn memory_depth(&self) -> u8 {
        self.core.memories[0].depth() + 1
    }

    pub(crate) fn rest(&mut self) -> Rest {
        let io_hash = self.io().hash();
        let program = &self.loaded.program;
        let frames = self.core.frames.len();
        Rest {
            frames_hash: self.hashed.frames(&mut self.core, frames),
            globals_root: self
                .hashed
                .globals(&self.core.globals, program.global_depth),
            table_root: program.header.table_root,
            io_hash,
            call_depth: u32::try_from(frames).expect("frames pay for their slots"),
            slots: self.core.slots,
            table_size: program.header.table_size,
            table_depth: program.header.table_depth,
        }
    }

    pub(crate) fn io(&mut self) -> Io {
        self.core.output.update();
        Io {
            output_root: self.core.output.root(),
            scratch: B256::new(self.core.scratch),
            env_hash: self.core.env.hash(),
            output_length: self.core.output_length,
        }
    }

    /// The operand chain below the `popped` slots on top.
    pub(crate) fn stack_below(&mut self, popped: usize) -> B256 {
        let count = self.core.sp - popped;
        self.hashed.stack(&self.core, count)
    }

    /// The frame on top, what its locals hash to, and the chain below it.
    pub(crate) fn top_frame(&mut self) -> Option<(Frame, B256, B256)> {
        let frame = *self.core.frames.last()?;
        let below = self.core.frames.len() - 1;
        let below = self.hashed.frames(&mut self.core, below);
        let locals = locals_root(&self.core, frame.base, frame.depth);
        Some((frame, locals, below))
    }
}
