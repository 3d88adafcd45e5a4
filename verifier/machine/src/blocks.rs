//! The canonical charges of a function: where its basic blocks begin and what each costs.
//!
//! Rules, the same for every build of a program:
//! - Every live operator costs one CU, except `block`, `loop`, `else` and `end`, which only mark places.
//! - A block begins at the function's entry, at a label that something branches to, in both arms of an
//!   `if` and behind it, and behind every operator that may branch. Calls do not end a block.
//! - A block is charged as a whole before its first operator: the unit must have that much left, or it ends
//!   there with what it had used before (check, then subtract).
//! - `memory.copy`, `memory.fill`, `memory.init` and `memory.grow` are charged for their size as well,
//!   right before they take effect (see [`crate::bulk_cu`], [`crate::grow_cu`]).

use wasmparser::Operator;

use crate::body::{Body, Op};

/// Bytes of a bulk memory operation that cost one CU: what one store of a word moves.
const BULK_BYTES_PER_CU: u32 = 8;

/// CU per page that `memory.grow` asks for: zeroed memory costs a machine about an eighth of copied memory.
const GROW_CU_PER_PAGE: u64 = 1024;

/// More pages than any 32-bit memory has; asking for more costs no more, because it is refused.
const GROW_PAGES_MAX: u32 = 1 << 16;

/// What `memory.copy`, `memory.fill` and `memory.init` of so many bytes cost besides their own CU.
#[must_use]
pub fn bulk_cu(bytes: u32) -> u64 {
    u64::from(bytes.div_ceil(BULK_BYTES_PER_CU))
}

/// What `memory.grow` by so many pages costs besides its own CU, whether it succeeds or not.
#[must_use]
pub fn grow_cu(pages: u32) -> u64 {
    u64::from(pages.min(GROW_PAGES_MAX)) * GROW_CU_PER_PAGE
}

/// What a function's operators cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Costs {
    /// What every block costs besides its operators.
    pub(crate) block: u32,
    /// What comes before the first operator.
    pub(crate) prologue: u32,
    /// What each operator costs.
    pub(crate) operators: Vec<u32>,
}

impl Costs {
    /// Machine version 0: one for every operator that does something.
    pub(crate) fn counted(ops: &[Op<'_>]) -> Self {
        let costs = ops.iter().map(|op| u32::from(is_counted(&op.operator)));
        Self {
            block: 0,
            prologue: 0,
            operators: costs.collect(),
        }
    }
}

/// A block's charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Charge {
    /// Index of the operator it precedes, in the body's live operators.
    pub(crate) at: usize,
    /// Operators in the block.
    pub(crate) cu: u32,
    /// Whether the block is the head of a loop that something branches back to.
    pub(crate) loop_head: bool,
}

/// The charges of a body in order of their place, and the operators that begin a loop which something branches
/// back to, ascending.
pub(crate) fn find(body: &Body<'_>) -> (Vec<Charge>, Vec<usize>) {
    let ops = &body.ops;
    let targeted = branch_targets(ops);
    let is_loop = |at: &usize| matches!(ops[*at].operator, Operator::Loop { .. });
    let heads = (0..ops.len()).filter(|at| targeted[*at] && is_loop(at));
    let heads = heads.collect();
    (charges(ops, &targeted, &body.costs), heads)
}

fn charges(ops: &[Op<'_>], targeted: &[bool], costs: &Costs) -> Vec<Charge> {
    let mut charges: Vec<Charge> = Vec::new();
    let mut boundary = true;
    let mut loop_head = false;
    if costs.prologue > 0 {
        charges.push(Charge {
            at: 0,
            cu: costs.block + costs.prologue,
            loop_head,
        });
        boundary = false;
    }
    for (at, (op, cost)) in ops.iter().zip(&costs.operators).enumerate() {
        if *cost > 0 {
            if boundary {
                charges.push(Charge {
                    at,
                    cu: costs.block,
                    loop_head,
                });
                loop_head = false;
            }
            if let Some(charge) = charges.last_mut() {
                charge.cu = charge.cu.saturating_add(*cost);
            }
            boundary = false;
        }
        boundary = match &op.operator {
            Operator::Block { .. } => boundary,
            Operator::Loop { .. } => {
                loop_head |= targeted[at];
                boundary || targeted[at]
            }
            Operator::End => boundary || targeted[at],
            Operator::Else => true,
            other => boundary || ends_block(other),
        };
    }
    charges
}

fn is_counted(operator: &Operator<'_>) -> bool {
    !matches!(
        operator,
        Operator::Block { .. } | Operator::Loop { .. } | Operator::Else | Operator::End
    )
}

/// Whether the operator becomes at least one instruction of the step machine.
pub(crate) fn is_instruction(operator: &Operator<'_>) -> bool {
    is_counted(operator) && !matches!(operator, Operator::Nop)
}

fn ends_block(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::If { .. }
            | Operator::Br { .. }
            | Operator::BrIf { .. }
            | Operator::BrTable { .. }
            | Operator::Return
            | Operator::Unreachable
    )
}

/// For every operator whether it is a place that something branches to: the `loop` of a loop, the `end` of a
/// block. Every `end` of an `if` is one, because the arms meet there.
fn branch_targets(ops: &[Op<'_>]) -> Vec<bool> {
    let mut targeted = vec![false; ops.len()];
    let mut frames = vec![Frame::default()];
    for (at, op) in ops.iter().enumerate() {
        match &op.operator {
            Operator::Block { .. } => frames.push(Frame::default()),
            Operator::Loop { .. } => frames.push(Frame {
                head: Some(at),
                targeted: false,
            }),
            Operator::If { .. } => frames.push(Frame {
                head: None,
                targeted: true,
            }),
            Operator::End => {
                let frame = frames.pop().unwrap_or_default();
                targeted[frame.head.unwrap_or(at)] |= frame.targeted;
            }
            Operator::Br { relative_depth } | Operator::BrIf { relative_depth } => {
                mark(&mut frames, *relative_depth);
            }
            Operator::BrTable { targets } => {
                mark(&mut frames, targets.default());
                // Validation has read the targets, so every one of them decodes.
                targets
                    .targets()
                    .flatten()
                    .for_each(|depth| mark(&mut frames, depth));
            }
            _ => {}
        }
    }
    targeted
}

#[derive(Clone, Copy, Debug, Default)]
struct Frame {
    /// Where a branch to it goes if not to its `end`.
    head: Option<usize>,
    targeted: bool,
}

fn mark(frames: &mut [Frame], depth: u32) {
    let place = frames.len().checked_sub(1 + depth as usize);
    if let Some(frame) = place.and_then(|place| frames.get_mut(place)) {
        frame.targeted = true;
    }
}
