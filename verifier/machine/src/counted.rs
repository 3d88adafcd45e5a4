//! Tight loops whose number of rounds is known before the first one.
//!
//! Such a loop changes one local by a constant every round and goes on until the local equals something that it does
//! not change. The fast build charges as many rounds at once as are left or as the counter affords, and lets the
//! loop run towards the place that the local then has reached, so the rounds themselves do not count at all.
//!
//! It does not matter whether the local ever equals its end: what is charged at once never goes past the
//! place where it might, so every stretch is followed by the question that the loop asks itself.

use wasmparser::Operator;

use crate::body::Op;

/// How a loop counts its rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    /// The local that changes.
    pub(crate) local: u32,
    /// What is added to it every round; not zero.
    pub(crate) step: i32,
    /// What ends the loop when the local, changed, equals it.
    pub(crate) bound: Bound,
    /// The operator that pushes the bound; without one the loop's branch compares with zero.
    pub(crate) bound_at: Option<usize>,
    /// The loop's branch.
    pub(crate) branch_at: usize,
}

/// The end of the changing local.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    Constant(i32),
    /// A local that the loop does not write.
    Local(u32),
}

/// Where the bound is pushed and which local is compared with it.
#[derive(Clone, Copy, Debug)]
struct Question {
    local: u32,
    /// The operator that pushes the local's value.
    local_at: usize,
    bound: Bound,
    bound_at: Option<usize>,
}

/// How the tight loop from its `loop` at `at` to its `end` counts, if it does.
pub(crate) fn counted(ops: &[Op<'_>], at: usize, end: usize) -> Option<Counted> {
    let branch_at = end.checked_sub(1)?;
    let Operator::BrIf { relative_depth: 0 } = ops.get(branch_at)?.operator else {
        return None;
    };
    stays_inside(&ops[at + 1..branch_at]).then_some(())?;
    questions(ops, at, branch_at)
        .into_iter()
        .find_map(|question| {
            let step = step(ops, at, question)?;
            Some(Counted {
                local: question.local,
                step,
                bound: question.bound,
                bound_at: question.bound_at,
                branch_at,
            })
        })
}

/// Whether nothing in the body branches to the loop or out of it.
fn stays_inside(body: &[Op<'_>]) -> bool {
    let mut depth = 0u32;
    body.iter().all(|op| {
        match &op.operator {
            Operator::Block { .. } | Operator::If { .. } => depth += 1,
            Operator::End => depth -= 1,
            Operator::Br { relative_depth } | Operator::BrIf { relative_depth } => {
                return *relative_depth < depth;
            }
            Operator::BrTable { targets } => {
                // Validation has read the targets, so every one of them decodes.
                let mut depths = targets.targets().flatten().chain([targets.default()]);
                return depths.all(|target| target < depth);
            }
            Operator::Loop { .. } | Operator::Return => return false,
            _ => {}
        }
        true
    })
}

/// What the branch may be asking: that a local is not yet its bound.
fn questions(ops: &[Op<'_>], at: usize, branch_at: usize) -> Vec<Question> {
    // Operators of the body from its end backwards.
    let back = |n: usize| {
        let place = branch_at.checked_sub(n)?;
        (place > at).then(|| (place, &ops[place].operator))
    };
    let local = |n: usize| match back(n)? {
        (place, Operator::LocalGet { local_index } | Operator::LocalTee { local_index }) => {
            Some((*local_index, place))
        }
        _ => None,
    };
    let bound = |n: usize| match back(n)? {
        (place, Operator::LocalGet { local_index }) => Some((Bound::Local(*local_index), place)),
        (place, Operator::I32Const { value }) => Some((Bound::Constant(*value), place)),
        _ => None,
    };
    if !matches!(back(1), Some((_, Operator::I32Ne))) {
        let zero = local(1).map(|(local, local_at)| Question {
            local,
            local_at,
            bound: Bound::Constant(0),
            bound_at: None,
        });
        return zero.into_iter().collect();
    }
    // A value that is changed where it is compared takes four operators.
    let changed = match back(2) {
        Some((_, Operator::LocalTee { .. })) => 6,
        _ => 3,
    };
    let ways = [(3, 2), (2, changed)];
    let question = |(value, end): (usize, usize)| {
        let ((local, local_at), (bound, bound_at)) = (local(value)?, bound(end)?);
        Some(Question {
            local,
            local_at,
            bound,
            bound_at: Some(bound_at),
        })
    };
    ways.into_iter().filter_map(question).collect()
}

/// What every round adds to the local before it is compared, if that is all that changes it, and nothing changes the
/// bound.
fn step(ops: &[Op<'_>], at: usize, question: Question) -> Option<i32> {
    let mut depth = 0u32;
    let mut found = None;
    for place in at + 1..=question.local_at.max(question.bound_at.unwrap_or(0)) {
        match &ops[place].operator {
            Operator::Block { .. } | Operator::If { .. } => depth += 1,
            Operator::End => depth -= 1,
            Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                if Bound::Local(*local_index) == question.bound {
                    return None;
                }
                if *local_index == question.local {
                    let first = found.is_none() && depth == 0 && place <= question.local_at;
                    found = Some(first.then(|| added(&ops[at + 1..place], question.local))??);
                }
            }
            _ => {}
        }
    }
    // A `local.tee` pushes the changed value only if it is what changes it, which it is: it writes the local.
    found.filter(|step| *step != 0)
}

/// What `local.get`, `i32.const`, `i32.add` at the end of `ops` add to the local.
fn added(ops: &[Op<'_>], local: u32) -> Option<i32> {
    let [.., get, constant, add] = ops else {
        return None;
    };
    match (&get.operator, &constant.operator, &add.operator) {
        (Operator::LocalGet { local_index }, Operator::I32Const { value }, Operator::I32Add)
            if *local_index == local =>
        {
            Some(*value)
        }
        _ => None,
    }
}
