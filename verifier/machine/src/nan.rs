//! Where NaN bits are made canonical.
//!
//! The machine's arithmetic answers the canonical NaN whenever it answers a NaN. Processors do not, and
//! correcting every result costs up to twice the time. But most results only flow into other arithmetic, where a
//! NaN's bits make no difference. This analysis finds the operators whose result's bits can be seen: those that
//! reach a store, `reinterpret`, `copysign`, call, return, branch, block result or global, directly or through
//! `neg`, `abs`, `select` and locals. Only these are corrected, right behind the operator.
//!
//! A value that is read from a local can be corrected at the read instead, which is better if it was computed in
//! a loop and is read behind it. That is only right if it can be nothing whose NaN bits must survive: no
//! parameter, load or call result, only arithmetic, harmless constants and zero.

use crate::body::Body;

mod flow;
mod trace;

use flow::{Flow, Node, NodeId};

/// The NaN that arithmetic answers, as bits of an `f32`.
pub(crate) const CANONICAL_F32: u32 = 0x7fc0_0000;

/// The NaN that arithmetic answers, as bits of an `f64`.
pub(crate) const CANONICAL_F64: u64 = 0x7ff8_0000_0000_0000;

/// Indices of the operators behind which the top of the stack has to be made canonical, ascending.
pub(crate) fn corrections(body: &Body<'_>) -> Vec<usize> {
    match trace::trace(body) {
        Some(flow) => chosen(&flow),
        None => trace::arithmetic(body),
    }
}

fn chosen(flow: &Flow) -> Vec<usize> {
    let eager = flow.demand(|_| false);
    let foreign = flow.foreign();
    let groups = flow.groups(&eager);
    // What correcting costs at the reads and at the operators, for every group of values that flow together.
    let mut reads = vec![0u64; flow.len()];
    let mut operators = vec![0u64; flow.len()];
    let mut must_be_early = vec![false; flow.len()];
    for value in (0..flow.len()).filter(|value| eager[*value]) {
        let group = groups[value];
        match flow.node(value) {
            Node::Read(_) => reads[group] += flow.weight(value),
            Node::Arithmetic => operators[group] += flow.weight(value),
            _ => {}
        }
        must_be_early[group] |= foreign[value];
    }
    let late = |read: NodeId| {
        let group = groups[read];
        !must_be_early[group] && reads[group] < operators[group]
    };
    let demanded = flow.demand(late);
    let corrected = |value: &NodeId| match flow.node(*value) {
        Node::Arithmetic => true,
        Node::Read(_) => late(*value),
        _ => false,
    };
    let mut places: Vec<usize> = (0..flow.len())
        .filter(|value| demanded[*value] && corrected(value))
        .map(|value| flow.place(value))
        .collect();
    places.sort_unstable();
    places.dedup();
    places
}
