//! The fast engine: runs prepared programs at many millions of steps a second, and says on demand what the state's
//! hash is, what proves its next step, and how to come back to it.
//!
//! Nothing is hashed while it runs. Memory is marked page by page when it changes, stacks are compared with what was
//! hashed last, so that asking again after few steps costs few hashes.
//!
//! # Correctness
//! Only programs that [`crate::prepare_provable`] made may run: operands are there, locals have one depth per function.

mod core;
mod hash;
mod memory;
mod ops;
mod proof;
mod tree;
mod view;

use std::sync::{Arc, OnceLock};

use gio_protocol::B256;

use self::core::{Core, Frame, Input, PC_HALTED, Slot};
use self::hash::Hashed;
use self::memory::{Memory, Saved};
use self::tree::Tree;
pub use self::view::{Access, CallFrame};
use crate::isa::Instruction;
use crate::program::{Program, code_leaves, slot_leaves};
use crate::state::{
    self, BoundsError, DealDepths, Halted, PC_EXHAUSTED, STATUS_EXHAUSTED, STATUS_TRAP, UnitLimits,
};

/// A program decoded for execution; any number of machines share it.
pub struct Loaded {
    program: Program,
    slots: Vec<Slot>,
    table: Arc<Vec<u64>>,
    /// Only proofs need these.
    code_tree: OnceLock<Tree>,
    table_tree: OnceLock<Tree>,
}

impl Loaded {
    /// Decodes a program.
    #[must_use]
    pub fn new(program: Program) -> Self {
        Self {
            slots: program.code.iter().map(Slot::new).collect(),
            table: Arc::new(program.table.clone()),
            program,
            code_tree: OnceLock::new(),
            table_tree: OnceLock::new(),
        }
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }

    fn code_tree(&self) -> &Tree {
        self.code_tree.get_or_init(|| {
            let leaves = code_leaves(&self.program.code);
            let leaves = leaves.into_iter().map(|(_, leaf)| leaf).collect();
            Tree::of_leaves(self.program.header.code_depth, leaves)
        })
    }

    fn table_tree(&self) -> &Tree {
        self.table_tree.get_or_init(|| {
            let leaves = slot_leaves(&self.program.table);
            let leaves = leaves.into_iter().map(|(_, leaf)| leaf).collect();
            Tree::of_leaves(self.program.header.table_depth, leaves)
        })
    }
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded")
            .field("root", &self.program.root())
            .finish_non_exhaustive()
    }
}

/// A machine at one of its states.
#[derive(Clone, Debug)]
pub struct Machine {
    loaded: Arc<Loaded>,
    core: Core,
    pc: u32,
    steps: u64,
    hashed: Hashed,
    input_tree: Arc<OnceLock<Tree>>,
}

/// A state to come back to.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pc: u32,
    steps: u64,
    cu: u64,
    stack: Vec<u64>,
    base: usize,
    depth: u8,
    locals: Vec<u64>,
    frames: Vec<Frame>,
    slots: u32,
    globals: Vec<u64>,
    memories: [Saved; 2],
    scratch: [u8; 32],
    output: Tree,
    output_length: u64,
    halted: Option<Halted>,
}

impl Snapshot {
    /// Steps executed until there.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }
}

impl Machine {
    /// A machine before its first step (docs/step-machine.md section 9). The caller has checked that `input` is what
    /// the unit's root and length name.
    ///
    /// # Errors
    /// [`BoundsError`] if no machine can run the unit.
    pub fn new(
        loaded: Arc<Loaded>,
        input: Vec<u8>,
        unit: &UnitLimits,
        deal: &DealDepths,
    ) -> Result<Self, BoundsError> {
        let program = &loaded.program;
        let (header, _, _, env) = state::initial(&program.header, unit, deal)?;
        let memories = [0, 1].map(|which| {
            let pages = program.header.pages[which];
            let mut memory = Memory::new(pages, header.memory_depth - 1);
            for (at, bytes) in program.memories[which].chunks() {
                let at = usize::try_from(at).expect("prepared segments lie inside the memory");
                memory.load(at, bytes);
            }
            memory
        });
        let core = Core {
            stack: Core::room(),
            sp: 0,
            cu: header.cu,
            cu_limit: header.cu_limit,
            base: 0,
            depth: 0,
            locals: vec![0; 4],
            frames: Vec::new(),
            frames_low: 0,
            slots: 0,
            globals: program.globals.clone(),
            memories,
            scratch: [0; 32],
            output: Tree::new(0, env.output_depth),
            output_length: 0,
            env,
            input: Arc::new(Input { bytes: input }),
            table: Arc::clone(&loaded.table),
            halted: None,
        };
        Ok(Self {
            pc: header.pc,
            steps: 0,
            hashed: Hashed::default(),
            input_tree: Arc::default(),
            loaded,
            core,
        })
    }

    /// Executes until there have been `steps` steps in all, or the machine has halted.
    pub fn run_to(&mut self, steps: u64) {
        if self.core.halted.is_some() || steps <= self.steps {
            return;
        }
        let (pc, done) = self
            .core
            .run(&self.loaded.slots, self.pc, steps - self.steps);
        self.pc = pc;
        self.steps += done;
        if pc != PC_HALTED && self.is_outside() && self.steps < steps {
            self.halt();
            self.steps += 1;
        }
    }

    /// Executes until the machine has halted. Every machine does within its CU limit's number of steps (R20).
    pub fn run(&mut self) -> Halted {
        self.run_to(u64::MAX);
        self.core
            .halted
            .expect("a machine halts within its CU limit")
    }

    fn is_outside(&self) -> bool {
        u64::from(self.pc) >> (self.loaded.program.header.code_depth + 1) != 0
    }

    /// The step at a place outside the code.
    fn halt(&mut self) {
        self.core.output.update();
        self.core.halted = Some(Halted {
            status: if self.pc == PC_EXHAUSTED {
                STATUS_EXHAUSTED
            } else {
                STATUS_TRAP
            },
            exit_code: 0,
            cu: self.core.cu,
            output_root: self.core.output.root(),
            output_length: self.core.output_length,
        });
        self.pc = PC_HALTED;
    }

    /// Steps executed.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// CU used.
    #[must_use]
    pub fn cu(&self) -> u64 {
        self.core.cu
    }

    /// The final state, once it is reached.
    #[must_use]
    pub fn halted(&self) -> Option<&Halted> {
        self.core.halted.as_ref()
    }

    /// Where the next instruction is; a halted machine has none.
    #[must_use]
    pub fn pc(&self) -> Option<u32> {
        self.core.halted.is_none().then_some(self.pc)
    }

    /// The next instruction.
    #[must_use]
    pub fn instruction(&self) -> Option<Instruction> {
        let pc = self.pc()?;
        self.loaded.program.code.get(pc as usize).copied()
    }

    /// The operand stack, the last one on top.
    #[must_use]
    pub fn stack(&self) -> &[u64] {
        &self.core.stack[..self.core.sp]
    }

    /// The locals of the function that runs.
    #[must_use]
    pub fn locals(&self) -> &[u64] {
        &self.core.locals[self.core.base..]
    }

    /// Functions that wait for a return.
    #[must_use]
    pub fn call_depth(&self) -> usize {
        self.core.frames.len()
    }

    /// The program it runs.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.loaded.program
    }

    /// The bytes of a memory.
    #[must_use]
    pub fn memory(&self, which: usize) -> &[u8] {
        &self.core.memories[which].bytes
    }

    /// What was written as output, up to the length that was closed.
    #[must_use]
    pub fn output(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = Vec::new();
        for word in self.core.output.leaves() {
            bytes.extend_from_slice(word.as_slice());
        }
        let length = usize::try_from(self.core.output_length).unwrap_or(usize::MAX);
        bytes.resize(length, 0);
        bytes
    }

    /// For tests of single functions: puts the machine before a call of the function at `pc`, with memories and globals
    /// as they are. It has returned when [`Machine::pc`] is [`Machine::RETURNED`]; its results are the stack.
    pub fn call(&mut self, pc: u32, arguments: &[u64]) {
        self.pc = pc;
        self.steps = 0;
        let core = &mut self.core;
        core.stack[..arguments.len()].copy_from_slice(arguments);
        core.sp = arguments.len();
        core.cu = state::START_CU;
        core.locals = vec![0; 4];
        (core.base, core.depth, core.slots) = (0, 0, 0);
        core.frames = vec![Frame {
            return_pc: Self::RETURNED,
            slots: 0,
            base: 0,
            depth: 0,
        }];
        core.frames_low = 0;
        core.halted = None;
    }

    /// Where the entry goes on behind its call.
    pub const RETURNED: u32 = 2;

    /// Executes until the called function has returned or the machine has halted.
    pub fn run_call(&mut self) {
        while self.core.halted.is_none() && self.pc != Self::RETURNED {
            self.run_to(self.steps + 1);
        }
    }

    /// Keeps this state. Costs what changed since the last snapshot.
    pub fn snapshot(&mut self) -> Snapshot {
        let core = &mut self.core;
        Snapshot {
            pc: self.pc,
            steps: self.steps,
            cu: core.cu,
            stack: core.stack[..core.sp].to_vec(),
            base: core.base,
            depth: core.depth,
            locals: core.locals.clone(),
            frames: core.frames.clone(),
            slots: core.slots,
            globals: core.globals.clone(),
            memories: [core.memories[0].save(), core.memories[1].save()],
            scratch: core.scratch,
            output: core.output.clone(),
            output_length: core.output_length,
            halted: core.halted,
        }
    }

    /// Goes back, or forward, to a state of the same unit.
    pub fn restore(&mut self, snapshot: &Snapshot) {
        self.pc = snapshot.pc;
        self.steps = snapshot.steps;
        self.hashed = Hashed::default();
        let core = &mut self.core;
        core.cu = snapshot.cu;
        core.sp = snapshot.stack.len();
        core.stack[..core.sp].copy_from_slice(&snapshot.stack);
        core.base = snapshot.base;
        core.depth = snapshot.depth;
        core.locals.clone_from(&snapshot.locals);
        core.frames.clone_from(&snapshot.frames);
        core.frames_low = 0;
        core.slots = snapshot.slots;
        core.globals.clone_from(&snapshot.globals);
        for (memory, saved) in core.memories.iter_mut().zip(&snapshot.memories) {
            memory.restore(saved);
        }
        core.scratch = snapshot.scratch;
        core.output.clone_from(&snapshot.output);
        core.output_length = snapshot.output_length;
        core.halted = snapshot.halted;
    }

    fn input_tree(&self) -> &Tree {
        self.input_tree.get_or_init(|| {
            let words = self.core.input.bytes.len().div_ceil(32);
            let leaves = (0..words as u64).map(|word| B256::new(self.core.input.word(word)));
            Tree::of_leaves(self.core.env.input_depth, leaves.collect())
        })
    }
}
