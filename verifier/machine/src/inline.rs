//! Small functions put in the place of their calls, in the fast build.
//!
//! A call costs a processor more than the few operators of such a function, because everything alive has to
//! leave its register for it; and a loop around a call is none whose counter stays in a register. The
//! first operator of what stands for a call bears the call's price, and the callee's is told apart: it is due only
//! when the call is made.

use wasmparser::{Operator, ValType};

use crate::body::{Body, Op};
use crate::calls::Calls;

/// Operators of a function that is put in the place of its calls.
const OPERATORS_MAX: usize = 40;

/// Its parameters and locals.
const LOCALS_MAX: usize = 16;

/// Operators of all such functions of a module together: what is kept of them in memory.
const KEPT_MAX: usize = 1 << 18;

/// How many operators a function may grow by: half of what it has, and this. A native frame has room for more values
/// than that (see [`crate::frame_slots`], which counts the function as it was): of every sixteen operators 64 bytes,
/// and a value takes three operators and 8 bytes.
const GROWTH_MIN: usize = 64;

/// A function without branches and calls.
#[derive(Debug)]
pub(crate) struct Leaf<'a> {
    /// Without the function's `end`.
    ops: Vec<Op<'a>>,
    locals: Vec<ValType>,
    params: usize,
}

/// The leaves of a module.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    operators: usize,
}

impl Kept {
    /// The function as a leaf, if it is one and small.
    pub(crate) fn leaf<'a>(&mut self, body: &Body<'a>) -> Option<Leaf<'a>> {
        let ops = &body.ops[..body.ops.len() - 1];
        let kept = self.operators + ops.len();
        if ops.len() > OPERATORS_MAX
            || body.locals.len() > LOCALS_MAX
            || kept > KEPT_MAX
            || !ops.iter().all(|op| is_straight(&op.operator))
        {
            return None;
        }
        self.operators = kept;
        Some(Leaf {
            ops: ops.iter().map(copy).collect(),
            locals: body.locals.clone(),
            params: body.params,
        })
    }
}

/// Puts leaves in the place of their calls. Answers where they now begin, ascending, and what each costs besides the
/// call.
pub(crate) fn leaves<'a>(body: &mut Body<'a>, calls: &Calls<'a>) -> Vec<(usize, u32)> {
    let mut begun = Vec::new();
    if !body.ops.iter().any(|op| calls.leaf(&op.operator).is_some()) {
        return begun;
    }
    let ops = std::mem::take(&mut body.ops);
    let costs = std::mem::take(&mut body.costs.operators);
    let mut room = ops.len() / 2 + GROWTH_MIN;
    let mut places = Places::default();
    for (op, cost) in ops.into_iter().zip(costs) {
        let leaf = calls.leaf(&op.operator);
        let Some((leaf, paid)) = leaf.filter(|(leaf, _)| leaf.len() <= room) else {
            body.ops.push(op);
            body.costs.operators.push(cost);
            continue;
        };
        room -= leaf.len();
        begun.push((body.ops.len(), paid));
        body.costs.operators.push(cost);
        leaf.put(body, &mut places);
        body.costs.operators.resize(body.ops.len(), 0);
    }
    begun
}

/// Locals of the caller that stand for those of leaves: the nth of each type.
#[derive(Debug, Default)]
struct Places(Vec<(ValType, u32)>);

impl Places {
    fn of(&mut self, locals: &[ValType], own: &mut Vec<ValType>) -> Vec<u32> {
        let mut taken = vec![false; self.0.len()];
        let mut places = Vec::with_capacity(locals.len());
        for ty in locals {
            let free = (0..taken.len()).find(|nth| !taken[*nth] && self.0[*nth].0 == *ty);
            let nth = free.unwrap_or_else(|| {
                let local = u32::try_from(own.len()).expect("locals are limited to far less");
                own.push(*ty);
                self.0.push((*ty, local));
                taken.push(false);
                taken.len() - 1
            });
            taken[nth] = true;
            places.push(self.0[nth].1);
        }
        places
    }
}

impl<'a> Leaf<'a> {
    /// Operators that stand for a call of it: at least one, to bear the cost.
    fn len(&self) -> usize {
        (self.ops.len() + 2 * self.locals.len() - self.params).max(1)
    }

    fn put(&self, body: &mut Body<'a>, places: &mut Places) {
        let locals = places.of(&self.locals, &mut body.locals);
        let begun = body.ops.len();
        let set = |local: u32| Op {
            operator: Operator::LocalSet { local_index: local },
            pops: 1,
            pushes: 0,
        };
        body.ops
            .extend(locals[..self.params].iter().rev().copied().map(set));
        for (ty, local) in self.locals.iter().zip(&locals).skip(self.params) {
            body.ops.extend([zero(*ty), set(*local)]);
        }
        body.ops.extend(self.ops.iter().map(|op| {
            let place = |local: u32| locals[local as usize];
            let operator = match op.operator {
                Operator::LocalGet { local_index } => Operator::LocalGet {
                    local_index: place(local_index),
                },
                Operator::LocalSet { local_index } => Operator::LocalSet {
                    local_index: place(local_index),
                },
                Operator::LocalTee { local_index } => Operator::LocalTee {
                    local_index: place(local_index),
                },
                ref other => other.clone(),
            };
            Op { operator, ..*op }
        }));
        if body.ops.len() == begun {
            body.ops.push(Op {
                operator: Operator::Nop,
                pops: 0,
                pushes: 0,
            });
        }
    }
}

fn copy<'a>(op: &Op<'a>) -> Op<'a> {
    Op {
        operator: op.operator.clone(),
        ..*op
    }
}

/// What a declared local begins with.
fn zero<'a>(ty: ValType) -> Op<'a> {
    let operator = match ty {
        ValType::I64 => Operator::I64Const { value: 0 },
        ValType::F32 => Operator::F32Const { value: 0.0.into() },
        ValType::F64 => Operator::F64Const { value: 0.0.into() },
        _ => Operator::I32Const { value: 0 },
    };
    Op {
        operator,
        pops: 0,
        pushes: 1,
    }
}

fn is_straight(operator: &Operator<'_>) -> bool {
    !matches!(
        operator,
        Operator::Block { .. }
            | Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::Else
            | Operator::End
            | Operator::Br { .. }
            | Operator::BrIf { .. }
            | Operator::BrTable { .. }
            | Operator::Return
            | Operator::Unreachable
    )
}
