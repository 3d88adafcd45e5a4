//! Lowering: from a validated function to the flat instructions of the step machine (docs/step-machine.md section 5).
//!
//! Charges are put in last: what a block costs is only known when its instructions are.

use std::collections::BTreeMap;

use wasmparser::Operator;

use crate::blocks::{self, Costs};
use crate::body::{Body, Op as Decoded};
use crate::error::{PrepareError, check_size};
use crate::isa::{Instruction, Op};
use crate::limits::INSTRUCTIONS_MAX;
use crate::source::{Imported, index};
use crate::trees::{SLOT_DEPTH_MAX, slot_depth};

mod control;
mod memory;
mod simple;

use control::{Frame, Label, Stub};
pub(crate) use simple::constant;

/// What a module says outside the function.
#[derive(Debug)]
pub(crate) struct Scope {
    /// How many results the functions of each type have.
    pub(crate) results: Vec<u32>,
    pub(crate) imported: Vec<Imported>,
    /// Numbers of types, structurally equal ones sharing one, from 0.
    pub(crate) type_numbers: BTreeMap<u32, usize>,
    pub(crate) segments: Vec<Segment>,
    pub(crate) global_depth: u8,
    /// The most pages that the module itself lets the guest's memory have.
    pub(crate) pages_max: Option<u64>,
}

/// A data segment as `memory.init` sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    /// Where its bytes lie in the shim's memory.
    pub(crate) base: u32,
    /// The global that holds its length, zero once it was dropped.
    pub(crate) global: u32,
}

/// A lowered function. Jumps and calls are still relative.
#[derive(Debug, Default)]
pub(crate) struct Lowered {
    pub(crate) code: Vec<Instruction>,
    /// Instructions whose `b` counts from the function's first instruction.
    pub(crate) jumps: Vec<u32>,
    /// Instructions whose `b` is the number of a function.
    pub(crate) calls: Vec<u32>,
}

/// Lowers a function and puts into `body.costs` what its operators cost.
pub(crate) fn lower(body: &mut Body<'_>, scope: &Scope) -> Result<Lowered, PrepareError> {
    let mut lowerer = Lowerer::new(body, scope);
    lowerer.run()?;
    let Draft {
        code,
        starts,
        jumps,
        calls,
        labels,
        costs,
        depth,
    } = lowerer.finish()?;
    body.costs = costs;
    let (charges, _) = blocks::find(body);
    let mut lowered = Lowered::default();
    let mut moved = Vec::with_capacity(code.len());
    let mut charges = charges
        .iter()
        .map(|charge| (starts[charge.at], u64::from(charge.cu)))
        .peekable();
    let enter = Instruction::new(Op::Enter)
        .a(u16::from(depth))
        .b(body.slots);
    lowered.code.push(enter);
    for (at, instruction) in (0..).zip(code) {
        // Labels lead to the charge in front of what they mark.
        moved.push(index(lowered.code.len()));
        if let Some((_, cu)) = charges.next_if(|(place, _)| *place == at) {
            lowered.code.push(Instruction::new(Op::Charge).imm(cu));
        }
        lowered.code.push(instruction);
    }
    moved.push(index(lowered.code.len()));
    let after = |at: u32| moved[at as usize + 1] - 1;
    for (at, label) in jumps {
        let place = after(at);
        lowered.code[place as usize].b = moved[labels[label.0 as usize] as usize];
        lowered.jumps.push(place);
    }
    lowered.calls = calls.into_iter().map(after).collect();
    Ok(lowered)
}

/// What one pass over the operators makes.
struct Draft {
    code: Vec<Instruction>,
    /// For every operator where its instructions begin; the prologue is before the first's.
    starts: Vec<u32>,
    jumps: Vec<(u32, Label)>,
    calls: Vec<u32>,
    labels: Vec<u32>,
    costs: Costs,
    depth: u8,
}

struct Lowerer<'c, 'b> {
    scope: &'c Scope,
    body: &'c Body<'b>,
    code: Vec<Instruction>,
    starts: Vec<u32>,
    costs: Costs,
    labels: Vec<Option<u32>>,
    jumps: Vec<(u32, Label)>,
    calls: Vec<u32>,
    frames: Vec<Frame>,
    stubs: Vec<Stub>,
    /// Operands on the stack.
    height: u32,
    /// Whether nothing reaches this place.
    dead: bool,
    /// Scratch locals used by one operator at most.
    scratch: u32,
    /// What the current operator costs besides the instructions it emitted.
    besides: u32,
    /// How many of the instructions it emitted are never executed together with the others.
    alternatives: u32,
}

impl<'c, 'b> Lowerer<'c, 'b> {
    fn new(body: &'c Body<'b>, scope: &'c Scope) -> Self {
        Self {
            scope,
            body,
            code: Vec::new(),
            starts: Vec::with_capacity(body.ops.len()),
            costs: Costs {
                block: 1,
                prologue: index(body.params),
                operators: Vec::with_capacity(body.ops.len()),
            },
            labels: Vec::new(),
            jumps: Vec::new(),
            calls: Vec::new(),
            frames: vec![Frame::function(index(body.results.len()))],
            stubs: Vec::new(),
            height: 0,
            dead: false,
            scratch: 0,
            besides: 0,
            alternatives: 0,
        }
    }

    fn run(&mut self) -> Result<(), PrepareError> {
        let body = self.body;
        for param in (0..index(body.params)).rev() {
            self.emit(Instruction::new(Op::LocalSet).b(param))?;
        }
        for op in &body.ops {
            let begun = self.code.len();
            self.starts.push(index(begun));
            self.besides = 0;
            self.alternatives = 0;
            self.step(op)?;
            let weights = self.code[begun..].iter().filter_map(|i| i.operation());
            let own: u64 = weights.map(Op::weight).sum();
            let own = u32::try_from(own).unwrap_or(u32::MAX) - self.alternatives;
            self.costs.operators.push(own.saturating_add(self.besides));
        }
        // The prologue belongs to the first block.
        if let (Some(first), 1..) = (self.starts.first_mut(), body.params) {
            *first = 0;
        }
        self.write_stubs()
    }

    fn finish(mut self) -> Result<Draft, PrepareError> {
        let locals = index(self.body.locals.len()) + self.scratch;
        let depth = slot_depth(locals);
        check_size("depth of the locals", depth, u64::from(SLOT_DEPTH_MAX))?;
        for instruction in &mut self.code {
            if let Some(Op::LocalGet | Op::LocalSet | Op::LocalTee) = instruction.operation() {
                instruction.a = u16::from(depth);
            }
        }
        let labels = self.labels.into_iter();
        Ok(Draft {
            code: self.code,
            starts: self.starts,
            jumps: self.jumps,
            calls: self.calls,
            labels: labels.map(|place| place.unwrap_or(0)).collect(),
            costs: self.costs,
            depth,
        })
    }

    fn emit(&mut self, instruction: Instruction) -> Result<(), PrepareError> {
        check_size(
            "instructions of one function",
            self.code.len() as u64 + 1,
            INSTRUCTIONS_MAX,
        )?;
        self.code.push(instruction);
        Ok(())
    }

    fn plain(&mut self, op: Op) -> Result<(), PrepareError> {
        self.emit(Instruction::new(op))
    }

    fn local(&mut self, op: Op, local: u32) -> Result<(), PrepareError> {
        self.emit(Instruction::new(op).b(local))
    }

    /// The number of a scratch local.
    fn scratch(&mut self, nth: u32) -> u32 {
        self.scratch = self.scratch.max(nth + 1);
        index(self.body.locals.len()) + nth
    }

    fn step(&mut self, op: &Decoded<'_>) -> Result<(), PrepareError> {
        use Operator as O;
        match &op.operator {
            O::Block { .. } | O::Loop { .. } | O::If { .. } => self.open(op),
            O::Else => self.other_arm(),
            O::End => self.close(op),
            O::Br { relative_depth } => self.branch(*relative_depth),
            O::BrIf { relative_depth } => self.branch_if(*relative_depth),
            O::BrTable { targets } => self.branch_table(targets),
            O::Return => self.leave(),
            O::Unreachable => {
                self.dead = true;
                self.plain(Op::Unreachable)
            }
            _ => {
                self.straight(&op.operator)?;
                self.height = self.height.saturating_sub(op.pops) + op.pushes;
                Ok(())
            }
        }
    }

    /// Everything that goes on with the next operator.
    fn straight(&mut self, operator: &Operator<'_>) -> Result<(), PrepareError> {
        use Operator as O;
        let globals = u16::from(self.scope.global_depth);
        match operator {
            O::Nop => Ok(()),
            O::LocalGet { local_index } => self.local(Op::LocalGet, *local_index),
            O::LocalSet { local_index } => self.local(Op::LocalSet, *local_index),
            O::LocalTee { local_index } => self.local(Op::LocalTee, *local_index),
            O::GlobalGet { global_index } => {
                self.emit(Instruction::new(Op::GlobalGet).a(globals).b(*global_index))
            }
            O::GlobalSet { global_index } => {
                self.emit(Instruction::new(Op::GlobalSet).a(globals).b(*global_index))
            }
            O::Call { function_index } => self.call(*function_index),
            O::CallIndirect { type_index, .. } => {
                let number = self.scope.type_numbers.get(type_index).copied();
                // Numbers begin at 1, because 0 is an element that is not there.
                let number = index(number.map_or(0, |number| number + 1));
                self.emit(Instruction::new(Op::CallIndirect).b(number))
            }
            other => match simple::constant(other) {
                Some(bits) => self.emit(Instruction::new(Op::Const).imm(bits)),
                None => match simple::plain(other) {
                    Some(op) => self.plain(op),
                    None => self.memory(other),
                },
            },
        }
    }

    fn call(&mut self, function: u32) -> Result<(), PrepareError> {
        match self.scope.imported.get(function as usize) {
            Some(Imported::Host(call)) => {
                for instruction in call.instructions() {
                    self.emit(instruction)?;
                }
                Ok(())
            }
            // A linked module imports host calls only.
            _ => {
                self.calls.push(index(self.code.len()));
                self.emit(Instruction::new(Op::Call).b(function))
            }
        }
    }
}
