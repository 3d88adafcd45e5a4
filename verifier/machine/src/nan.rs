//! Where NaN bits are made canonical.
//!
//! The machine's arithmetic answers the canonical NaN whenever it answers a NaN. Processors do not, and
//! correcting every result costs up to twice the time. But most results only flow into other arithmetic, where a
//! NaN's bits make no difference. This analysis finds the operators whose result's bits can be seen: those that
//! reach a store, `reinterpret`, `copysign`, call, return, branch, block result or global, directly or through
//! `neg`, `abs`, `select` and locals. Only these are corrected, right behind the operator.
//!
//! A local whose visible reads are rarer than its writes (an accumulator that is stored behind its loop) is
//! corrected at the reads instead. That is only right if nothing is ever written to it whose NaN bits must
//! survive: no parameter, load or call result, only arithmetic, harmless constants and zero.

use wasmparser::{Operator, ValType};

use crate::body::{Body, Op};

/// How much more often code runs per loop around it, for choosing between reads and writes.
const LOOP_WEIGHT_LOG2: u32 = 3;

/// Loops deeper than this weigh no more.
const LOOP_DEPTH_MAX: u32 = 8;

/// Indices of the operators behind which the top of the stack has to be made canonical, ascending.
pub(crate) fn corrections(body: &Body<'_>) -> Vec<usize> {
    let has_floats = |ty: &ValType| matches!(ty, ValType::F32 | ValType::F64);
    let flow = Flow::trace(body);
    if flow.nodes.len() == 1 && !body.locals.iter().any(has_floats) {
        return Vec::new();
    }
    let safe = flow.locals_without_foreign_bits(body);
    let eager = flow.demand(&vec![false; body.locals.len()]);
    let at_reads = flow.locals_corrected_at_reads(&safe, &eager);
    let demanded = flow.demand(&at_reads);
    flow.places(&demanded, &at_reads)
}

/// A value; 0 is every value whose bits are exact already or that is no float.
type NodeId = usize;

const EXACT: NodeId = 0;

#[derive(Clone, Copy, Debug)]
enum Node {
    /// Bits that must survive: loads, parameters, call results, constants with a payload.
    Exact,
    /// A value that is no NaN, or the canonical one.
    Tame,
    /// An arithmetic result: any NaN stands for the canonical one.
    Arithmetic,
    /// `neg` and `copysign`: the bits of the input, and the sign of its own.
    Signed(NodeId),
    /// `abs`: the bits of the input without sign.
    Abs(NodeId),
    /// `select`.
    Either(NodeId, NodeId),
    /// A read of a local.
    Local(u32),
}

#[derive(Debug)]
struct Traced {
    node: Node,
    /// The operator that made it.
    at: usize,
    /// 8 to the power of the loops around it.
    weight: u64,
}

#[derive(Debug)]
struct Flow {
    nodes: Vec<Traced>,
    /// Values written to each local.
    writes: Vec<Vec<NodeId>>,
    /// Values whose bits are seen.
    seen: Vec<NodeId>,
}

impl Flow {
    /// Follows every live operator over an abstract operand stack.
    fn trace(body: &Body<'_>) -> Self {
        let mut tracer = Tracer {
            flow: Self {
                nodes: vec![Traced {
                    node: Node::Exact,
                    at: 0,
                    weight: 1,
                }],
                writes: vec![Vec::new(); body.locals.len()],
                seen: Vec::new(),
            },
            stack: Vec::new(),
            frames: vec![Frame::default()],
            loops: 0,
        };
        for (at, op) in body.ops.iter().enumerate() {
            tracer.step(at, op, &body.locals);
        }
        tracer.flow
    }

    /// Locals that never hold a NaN whose bits must survive: no value with such bits flows to them.
    fn locals_without_foreign_bits(&self, body: &Body<'_>) -> Vec<bool> {
        let uses = Uses::of(self);
        let mut foreign = vec![false; self.nodes.len()];
        let mut safe: Vec<bool> = (0..body.locals.len())
            .map(|local| local >= body.params)
            .collect();
        let sources = self.nodes.iter().enumerate().filter_map(|(value, traced)| {
            let is_source = match traced.node {
                Node::Exact | Node::Signed(_) => true,
                Node::Local(local) => !safe[local as usize],
                _ => false,
            };
            is_source.then_some(value)
        });
        let mut open: Vec<NodeId> = sources.collect();
        while let Some(value) = open.pop() {
            if std::mem::replace(&mut foreign[value], true) {
                continue;
            }
            open.extend(&uses.by_values[value]);
            for &local in &uses.by_locals[value] {
                if std::mem::replace(&mut safe[local], false) {
                    open.extend(&uses.reads[local]);
                }
            }
        }
        safe
    }

    /// For every value whether its bits are seen, given which locals are corrected at their reads.
    fn demand(&self, at_reads: &[bool]) -> Vec<bool> {
        let mut demanded = vec![false; self.nodes.len()];
        let mut local_demanded = vec![false; self.writes.len()];
        let mut open = self.seen.clone();
        while let Some(value) = open.pop() {
            if std::mem::replace(&mut demanded[value], true) {
                continue;
            }
            match self.nodes[value].node {
                Node::Exact | Node::Tame | Node::Arithmetic => {}
                Node::Signed(input) | Node::Abs(input) => open.push(input),
                Node::Either(a, b) => open.extend([a, b]),
                Node::Local(local) => {
                    let local = local as usize;
                    if !at_reads[local] && !std::mem::replace(&mut local_demanded[local], true) {
                        open.extend(&self.writes[local]);
                    }
                }
            }
        }
        demanded
    }

    /// Of the locals that may be, those that are cheaper to correct where they are read.
    fn locals_corrected_at_reads(&self, safe: &[bool], demanded: &[bool]) -> Vec<bool> {
        let mut reads = vec![0u64; self.writes.len()];
        for (traced, _) in self.nodes.iter().zip(demanded).filter(|(_, seen)| **seen) {
            if let Node::Local(local) = traced.node {
                reads[local as usize] += traced.weight;
            }
        }
        let writes = self.writes.iter().map(|values| {
            let corrected = values
                .iter()
                .filter(|value| !matches!(self.nodes[**value].node, Node::Exact | Node::Tame));
            corrected
                .map(|value| self.nodes[*value].weight)
                .sum::<u64>()
        });
        writes
            .zip(&reads)
            .zip(safe)
            .map(|((writes, reads), safe)| *safe && *reads < writes)
            .collect()
    }

    fn places(&self, demanded: &[bool], at_reads: &[bool]) -> Vec<usize> {
        let corrected = |node: Node| match node {
            Node::Arithmetic => true,
            Node::Local(local) => at_reads[local as usize],
            _ => false,
        };
        self.nodes
            .iter()
            .zip(demanded)
            .filter(|(traced, demanded)| **demanded && corrected(traced.node))
            .map(|(traced, _)| traced.at)
            .collect()
    }
}

/// The flow's edges forwards.
#[derive(Debug)]
struct Uses {
    /// Values made of each value.
    by_values: Vec<Vec<NodeId>>,
    /// Locals each value is written to.
    by_locals: Vec<Vec<usize>>,
    /// Reads of each local.
    reads: Vec<Vec<NodeId>>,
}

impl Uses {
    fn of(flow: &Flow) -> Self {
        let mut uses = Self {
            by_values: vec![Vec::new(); flow.nodes.len()],
            by_locals: vec![Vec::new(); flow.nodes.len()],
            reads: vec![Vec::new(); flow.writes.len()],
        };
        for (value, traced) in flow.nodes.iter().enumerate() {
            match traced.node {
                Node::Abs(input) => uses.by_values[input].push(value),
                Node::Either(a, b) => {
                    uses.by_values[a].push(value);
                    uses.by_values[b].push(value);
                }
                Node::Local(local) => uses.reads[local as usize].push(value),
                Node::Exact | Node::Tame | Node::Arithmetic | Node::Signed(_) => {}
            }
        }
        for (local, values) in flow.writes.iter().enumerate() {
            for &value in values {
                uses.by_locals[value].push(local);
            }
        }
        uses
    }
}

#[derive(Debug, Default)]
struct Frame {
    /// Operands below it, its parameters not counted.
    height: usize,
    params: usize,
    is_loop: bool,
}

#[derive(Debug)]
struct Tracer {
    flow: Flow,
    stack: Vec<NodeId>,
    frames: Vec<Frame>,
    loops: u32,
}

impl Tracer {
    fn step(&mut self, at: usize, op: &Op<'_>, locals: &[ValType]) {
        match &op.operator {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => self.open(op),
            Operator::Else => self.other_arm(),
            Operator::End => self.close(op),
            Operator::LocalGet { local_index } => {
                let value = match is_float(locals, *local_index) {
                    true => self.node(Node::Local(*local_index), at),
                    false => EXACT,
                };
                self.stack.push(value);
            }
            Operator::LocalSet { local_index } => {
                let value = self.pop();
                self.write(*local_index, value, locals);
            }
            Operator::LocalTee { local_index } => {
                let value = self.pop();
                self.write(*local_index, value, locals);
                self.stack.push(value);
            }
            Operator::Select => {
                self.pop();
                let (b, a) = (self.pop(), self.pop());
                let value = match (a, b) {
                    (EXACT, EXACT) => EXACT,
                    (a, b) => self.node(Node::Either(a, b), at),
                };
                self.stack.push(value);
            }
            other => self.compute(at, other, op),
        }
    }

    fn compute(&mut self, at: usize, operator: &Operator<'_>, op: &Op<'_>) {
        match effect(operator) {
            Effect::Arithmetic => {
                self.drop_operands(op.pops);
                let value = self.node(Node::Arithmetic, at);
                self.stack.push(value);
            }
            Effect::Tame => {
                self.drop_operands(op.pops);
                let value = self.node(Node::Tame, at);
                self.stack.push(value);
            }
            Effect::Neg | Effect::Abs => {
                let input = self.pop();
                let node = match effect(operator) {
                    Effect::Abs => Node::Abs(input),
                    _ => Node::Signed(input),
                };
                let value = self.node(node, at);
                self.stack.push(value);
            }
            Effect::Copysign => {
                let sign = self.pop();
                // The sign of a NaN decides the value of the result, so it is always seen.
                self.flow.seen.push(sign);
                let magnitude = self.pop();
                let value = self.node(Node::Signed(magnitude), at);
                self.stack.push(value);
            }
            Effect::Blind => {
                self.drop_operands(op.pops);
                self.push_exact(op.pushes);
            }
            Effect::Seeing => {
                self.see_operands(op.pops);
                self.push_exact(op.pushes);
            }
        }
    }

    fn open(&mut self, op: &Op<'_>) {
        let condition = u32::from(matches!(op.operator, Operator::If { .. }));
        self.drop_operands(condition);
        let params = op.pops - condition;
        self.see_operands(params);
        let is_loop = matches!(op.operator, Operator::Loop { .. });
        self.loops += u32::from(is_loop);
        self.frames.push(Frame {
            height: self.stack.len(),
            params: params as usize,
            is_loop,
        });
        self.push_exact(params);
    }

    /// `else`: the first arm's results are seen, the second arm begins with the block's parameters.
    fn other_arm(&mut self) {
        let (height, params) = self
            .frames
            .last()
            .map_or((0, 0), |frame| (frame.height, frame.params));
        self.see_down_to(height);
        self.stack.resize(height + params, EXACT);
    }

    fn close(&mut self, op: &Op<'_>) {
        let frame = self.frames.pop().unwrap_or_default();
        self.loops -= u32::from(frame.is_loop);
        self.see_down_to(frame.height);
        self.push_exact(op.pushes);
    }

    fn node(&mut self, node: Node, at: usize) -> NodeId {
        let weight = 1 << (LOOP_WEIGHT_LOG2 * self.loops.min(LOOP_DEPTH_MAX));
        self.flow.nodes.push(Traced { node, at, weight });
        self.flow.nodes.len() - 1
    }

    fn write(&mut self, local: u32, value: NodeId, locals: &[ValType]) {
        if is_float(locals, local) {
            self.flow.writes[local as usize].push(value);
        }
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
        self.flow.seen.extend(self.stack.drain(from..));
    }

    fn push_exact(&mut self, count: u32) {
        self.stack.resize(self.stack.len() + count as usize, EXACT);
    }
}

fn is_float(locals: &[ValType], local: u32) -> bool {
    matches!(
        locals.get(local as usize),
        Some(ValType::F32 | ValType::F64)
    )
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

/// The NaN that arithmetic answers, as bits of an `f32`.
pub(crate) const CANONICAL_F32: u32 = 0x7fc0_0000;

/// The NaN that arithmetic answers, as bits of an `f64`.
pub(crate) const CANONICAL_F64: u64 = 0x7ff8_0000_0000_0000;

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
