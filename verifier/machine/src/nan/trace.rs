//! Follows the floats of a function over its operand stack and through its locals.
//!
//! Compilers keep unrelated values in one local, so a local is not followed as such: at every place it is known
//! which value it holds, and where ways meet that bring different values, a new value stands for them.

use std::collections::BTreeMap;

use wasmparser::{Operator, ValType};

use super::flow::{EXACT, Flow, Node, NodeId};
use super::{CANONICAL_F32, CANONICAL_F64};
use crate::body::{Body, Op};

/// Work per operator, and at least, that following may take: compilers' functions stay far below. A function
/// beyond it has all of its arithmetic corrected.
const WORK_PER_OPERATOR: usize = 64;
const WORK_MIN: usize = 1 << 20;

/// The flow of all floats, unless following them takes too long.
pub(super) fn trace(body: &Body<'_>) -> Option<Flow> {
    let mut tracer = Tracer::new(body)?;
    for (at, op) in body.ops.iter().enumerate() {
        tracer.step(at, op);
        if tracer.work == 0 {
            return None;
        }
    }
    Some(tracer.flow)
}

/// All operators that answer an arithmetic result.
pub(super) fn arithmetic(body: &Body<'_>) -> Vec<usize> {
    let is_arithmetic = |at: &usize| matches!(effect(&body.ops[*at].operator), Effect::Arithmetic);
    (0..body.ops.len()).filter(is_arithmetic).collect()
}

struct Tracer<'b> {
    flow: Flow,
    stack: Vec<NodeId>,
    frames: Vec<Frame>,
    /// What each local holds; always [`EXACT`] for a local that is no float.
    holds: Vec<NodeId>,
    /// Locals written since the function began, with what they held before.
    log: Vec<(u32, NodeId)>,
    /// Whether the place being looked at cannot be reached.
    dead: bool,
    loops: u32,
    types: &'b [ValType],
    /// Float locals that each loop writes, in order of the loops.
    written: std::vec::IntoIter<Vec<u32>>,
    work: usize,
}

#[derive(Debug, Default)]
struct Frame {
    /// Operands below it, its parameters not counted.
    height: usize,
    params: usize,
    /// Length of the log when it was opened.
    log: usize,
    /// Ways that lead to its end, and what the locals hold on those that have written them.
    ways: usize,
    meeting: BTreeMap<u32, Vec<NodeId>>,
    /// For a loop, the values that stand for what its locals hold at its head.
    head: Option<Vec<(u32, NodeId)>>,
    /// An `if` that has had no `else` yet.
    one_armed: bool,
}

impl<'b> Tracer<'b> {
    fn new(body: &'b Body<'_>) -> Option<Self> {
        let mut work = WORK_MIN.max(WORK_PER_OPERATOR * body.ops.len());
        let written = written(body, &mut work)?;
        let mut flow = Flow::new();
        let is_float = |ty: &ValType| matches!(ty, ValType::F32 | ValType::F64);
        // Declared locals begin as zero.
        let zero = flow.add(Node::Tame, 0, 0);
        let holds = body.locals.iter().enumerate().map(|(local, ty)| {
            match is_float(ty) && local >= body.params {
                true => zero,
                false => EXACT,
            }
        });
        Some(Self {
            flow,
            stack: Vec::new(),
            frames: vec![Frame::default()],
            holds: holds.collect(),
            log: Vec::new(),
            dead: false,
            loops: 0,
            types: &body.locals,
            written: written.into_iter(),
            work,
        })
    }

    fn step(&mut self, at: usize, op: &Op<'_>) {
        self.work = self.work.saturating_sub(1);
        match &op.operator {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                self.open(at, op);
            }
            Operator::Else => self.other_arm(),
            Operator::End => self.close(at, op),
            Operator::LocalGet { local_index } => {
                let held = self.holds[*local_index as usize];
                let value = match held {
                    EXACT => EXACT,
                    held => self.add(Node::Read(held), at),
                };
                self.stack.push(value);
            }
            Operator::LocalSet { local_index } => {
                let value = self.pop();
                self.write(*local_index, value);
            }
            Operator::LocalTee { local_index } => {
                let value = self.pop();
                self.write(*local_index, value);
                self.stack.push(value);
            }
            Operator::Select => {
                self.pop();
                let (b, a) = (self.pop(), self.pop());
                let value = match (a, b) {
                    (EXACT, EXACT) => EXACT,
                    (a, b) => self.add(Node::Either(a, b), at),
                };
                self.stack.push(value);
            }
            other => self.compute(at, other, op),
        }
    }

    fn compute(&mut self, at: usize, operator: &Operator<'_>, op: &Op<'_>) {
        let node = match effect(operator) {
            Effect::Arithmetic => Node::Arithmetic,
            Effect::Tame => Node::Tame,
            Effect::Neg => Node::Signed(self.pop()),
            Effect::Abs => Node::Abs(self.pop()),
            Effect::Copysign => {
                let sign = self.pop();
                // The sign of a NaN decides the value of the result, so it is always seen.
                self.flow.see(sign);
                Node::Signed(self.pop())
            }
            Effect::Blind => {
                self.drop_operands(op.pops);
                return self.push_exact(op.pushes);
            }
            Effect::Seeing => {
                self.see_operands(op.pops);
                self.push_exact(op.pushes);
                return self.leave(operator);
            }
        };
        if matches!(node, Node::Arithmetic | Node::Tame) {
            self.drop_operands(op.pops);
        }
        let value = self.add(node, at);
        self.stack.push(value);
    }

    /// Takes the locals along to wherever the operator branches.
    fn leave(&mut self, operator: &Operator<'_>) {
        match operator {
            Operator::BrIf { relative_depth } => self.way_to(*relative_depth),
            Operator::Br { relative_depth } => {
                self.way_to(*relative_depth);
                self.dead = true;
            }
            Operator::BrTable { targets } => {
                // Validation has read the targets, so every one of them decodes.
                let mut depths: Vec<u32> = targets.targets().flatten().collect();
                depths.push(targets.default());
                depths.sort_unstable();
                depths.dedup();
                depths.into_iter().for_each(|depth| self.way_to(depth));
                self.dead = true;
            }
            Operator::Return | Operator::Unreachable => self.dead = true,
            _ => {}
        }
    }

    fn open(&mut self, at: usize, op: &Op<'_>) {
        let one_armed = matches!(op.operator, Operator::If { .. });
        self.drop_operands(u32::from(one_armed));
        let params = op.pops - u32::from(one_armed);
        self.see_operands(params);
        self.frames.push(Frame {
            height: self.stack.len(),
            params: params as usize,
            log: self.log.len(),
            one_armed,
            ..Frame::default()
        });
        self.push_exact(params);
        if matches!(op.operator, Operator::Loop { .. }) {
            self.loops += 1;
            let head = self.head(at);
            if let Some(frame) = self.frames.last_mut() {
                frame.head = Some(head);
            }
        }
    }

    /// At a loop's head every local that the loop writes holds something new.
    fn head(&mut self, at: usize) -> Vec<(u32, NodeId)> {
        let written = self.written.next().unwrap_or_default();
        let mut head = Vec::with_capacity(written.len());
        for local in written {
            self.work = self.work.saturating_sub(1);
            let value = self.add(Node::Meeting, at);
            self.flow.meet(value, self.holds[local as usize]);
            self.write(local, value);
            head.push((local, value));
        }
        head
    }

    /// `else`: the first arm leads to the end, the second begins with what the `if` began with.
    fn other_arm(&mut self) {
        self.arrive();
        let Some(frame) = self.frames.last_mut() else {
            return;
        };
        frame.one_armed = false;
        let (height, params, log) = (frame.height, frame.params, frame.log);
        self.see_down_to(height);
        self.stack.resize(height + params, EXACT);
        self.undo(log);
        self.dead = false;
    }

    fn close(&mut self, at: usize, op: &Op<'_>) {
        if self.frames.last().is_some_and(|frame| frame.head.is_none()) {
            self.arrive();
        }
        let Some(mut frame) = self.frames.pop() else {
            return;
        };
        self.see_down_to(frame.height);
        self.push_exact(op.pushes);
        if frame.head.is_some() {
            self.loops -= 1;
            return;
        }
        if frame.one_armed {
            // The way that does not take the arm.
            frame.ways += 1;
        }
        self.undo(frame.log);
        self.dead = false;
        for (local, mut values) in std::mem::take(&mut frame.meeting) {
            self.work = self.work.saturating_sub(values.len());
            if values.len() < frame.ways {
                values.push(self.holds[local as usize]);
            }
            values.sort_unstable();
            values.dedup();
            let value = match values[..] {
                [one] => one,
                _ => {
                    let meeting = self.add(Node::Meeting, at);
                    values
                        .into_iter()
                        .for_each(|value| self.flow.meet(meeting, value));
                    meeting
                }
            };
            self.write(local, value);
        }
    }

    /// Falls through to the end of the innermost block.
    fn arrive(&mut self) {
        if !self.dead && self.frames.len() > 1 {
            self.way_to(0);
        }
    }

    fn way_to(&mut self, depth: u32) {
        let target = self.frames.len() - 1 - depth as usize;
        if target == 0 {
            // The function ends, and its locals with it.
            return;
        }
        let frame = &mut self.frames[target];
        if let Some(head) = &frame.head {
            self.work = self.work.saturating_sub(head.len());
            for (local, meeting) in head {
                self.flow.meet(*meeting, self.holds[*local as usize]);
            }
            return;
        }
        frame.ways += 1;
        let mut locals: Vec<u32> = self.log[frame.log..]
            .iter()
            .map(|(local, _)| *local)
            .collect();
        self.work = self.work.saturating_sub(locals.len());
        locals.sort_unstable();
        locals.dedup();
        for local in locals {
            let values = frame.meeting.entry(local).or_default();
            values.push(self.holds[local as usize]);
        }
    }

    fn undo(&mut self, log: usize) {
        self.work = self.work.saturating_sub(self.log.len() - log);
        while self.log.len() > log {
            if let Some((local, held)) = self.log.pop() {
                self.holds[local as usize] = held;
            }
        }
    }

    fn write(&mut self, local: u32, value: NodeId) {
        if is_float(self.types, local) {
            let held = std::mem::replace(&mut self.holds[local as usize], value);
            self.log.push((local, held));
        }
    }

    fn add(&mut self, node: Node, at: usize) -> NodeId {
        self.flow.add(node, at, self.loops)
    }

    /// Behind an unconditional branch the stack may hold less than an operator takes: what is missing is never seen.
    fn pop(&mut self) -> NodeId {
        self.stack.pop().unwrap_or(EXACT)
    }

    fn drop_operands(&mut self, count: u32) {
        let rest = self.stack.len().saturating_sub(count as usize);
        self.stack.truncate(rest);
    }

    fn see_operands(&mut self, count: u32) {
        let rest = self.stack.len().saturating_sub(count as usize);
        self.see_down_to(rest);
    }

    fn see_down_to(&mut self, height: usize) {
        let from = height.min(self.stack.len());
        for value in self.stack.drain(from..) {
            self.flow.see(value);
        }
    }

    fn push_exact(&mut self, count: u32) {
        self.stack.resize(self.stack.len() + count as usize, EXACT);
    }
}

/// The float locals that each loop writes, in order of the loops, unless that takes too much of the work.
fn written(body: &Body<'_>, work: &mut usize) -> Option<Vec<Vec<u32>>> {
    let mut found: Vec<Vec<u32>> = Vec::new();
    // For every open block, which loop it is, if it is one.
    let mut frames: Vec<Option<usize>> = vec![None];
    // For every open loop, what was written in it until now.
    let mut open: Vec<std::collections::BTreeSet<u32>> = Vec::new();
    for op in &body.ops {
        match &op.operator {
            Operator::Loop { .. } => {
                frames.push(Some(found.len()));
                found.push(Vec::new());
                open.push(std::collections::BTreeSet::new());
            }
            Operator::Block { .. } | Operator::If { .. } => frames.push(None),
            Operator::End => {
                if let Some(Some(index)) = frames.pop() {
                    let locals = open.pop().unwrap_or_default();
                    *work = work.checked_sub(locals.len())?;
                    found[index] = locals.iter().copied().collect();
                    if let Some(outer) = open.last_mut() {
                        outer.extend(locals);
                    }
                }
            }
            Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                if let Some(locals) = open.last_mut()
                    && is_float(&body.locals, *local_index)
                {
                    locals.insert(*local_index);
                }
            }
            _ => {}
        }
    }
    Some(found)
}

fn is_float(types: &[ValType], local: u32) -> bool {
    matches!(types.get(local as usize), Some(ValType::F32 | ValType::F64))
}

enum Effect {
    Arithmetic,
    Tame,
    Neg,
    Abs,
    Copysign,
    /// Takes operands without looking at the bits of a NaN.
    Blind,
    /// Everything else: its operands' bits are taken to be seen.
    Seeing,
}

fn effect(operator: &Operator<'_>) -> Effect {
    use Operator as O;
    match operator {
        O::F32Add | O::F32Sub | O::F32Mul | O::F32Div | O::F32Min | O::F32Max => Effect::Arithmetic,
        O::F64Add | O::F64Sub | O::F64Mul | O::F64Div | O::F64Min | O::F64Max => Effect::Arithmetic,
        O::F32Ceil | O::F32Floor | O::F32Trunc | O::F32Nearest | O::F32Sqrt => Effect::Arithmetic,
        O::F64Ceil | O::F64Floor | O::F64Trunc | O::F64Nearest | O::F64Sqrt => Effect::Arithmetic,
        O::F32DemoteF64 | O::F64PromoteF32 => Effect::Arithmetic,
        O::F32Const { value } => constant(
            f32::from_bits(value.bits()).is_nan(),
            value.bits() == CANONICAL_F32,
        ),
        O::F64Const { value } => constant(
            f64::from_bits(value.bits()).is_nan(),
            value.bits() == CANONICAL_F64,
        ),
        O::F32ConvertI32S | O::F32ConvertI32U | O::F32ConvertI64S | O::F32ConvertI64U => {
            Effect::Tame
        }
        O::F64ConvertI32S | O::F64ConvertI32U | O::F64ConvertI64S | O::F64ConvertI64U => {
            Effect::Tame
        }
        O::F32Neg | O::F64Neg => Effect::Neg,
        O::F32Abs | O::F64Abs => Effect::Abs,
        O::F32Copysign | O::F64Copysign => Effect::Copysign,
        other if is_blind(other) => Effect::Blind,
        _ => Effect::Seeing,
    }
}

fn constant(is_nan: bool, is_canonical: bool) -> Effect {
    match !is_nan || is_canonical {
        true => Effect::Tame,
        false => Effect::Blind,
    }
}

fn is_blind(operator: &Operator<'_>) -> bool {
    use Operator as O;
    matches!(
        operator,
        O::Drop
            | O::F32Eq
            | O::F32Ne
            | O::F32Lt
            | O::F32Gt
            | O::F32Le
            | O::F32Ge
            | O::F64Eq
            | O::F64Ne
            | O::F64Lt
            | O::F64Gt
            | O::F64Le
            | O::F64Ge
            | O::I32TruncF32S
            | O::I32TruncF32U
            | O::I32TruncF64S
            | O::I32TruncF64U
            | O::I64TruncF32S
            | O::I64TruncF32U
            | O::I64TruncF64S
            | O::I64TruncF64U
            | O::I32TruncSatF32S
            | O::I32TruncSatF32U
            | O::I32TruncSatF64S
            | O::I32TruncSatF64U
            | O::I64TruncSatF32S
            | O::I64TruncSatF32U
            | O::I64TruncSatF64S
            | O::I64TruncSatF64U
    )
}
