//! Who calls whom: what the fast build can leave out because a module's calls show that it is not needed.
//!
//! Tables never change in the accepted feature set, so an indirect call reaches only functions of its type that
//! an element segment names.
//!
//! # How far the fast build runs between two looks at its counter
//!
//! Every round of a loop looks, so what is executed without a look passes every operator of an activation at most once;
//! what can make it long are calls. Four rules bound it:
//! - A function whose whole tree of calls costs at most [`UNSEEN_MAX`] need not look: it is *quiet*.
//! - Any other function, and any that may recurse, looks when it returns. What it may execute itself and in quiet
//!   functions is bounded too: where that were more, it looks behind the calls of the most expensive ones. The
//!   bound is [`UNSEEN_MAX`]; for one that may recurse, [`UNSEEN_PER_SLOT`] for every slot of its frame, so that all the
//!   frames there may be stay below [`crate::OVERSHOOT_MAX`] together.
//! - A function that by its own operators is above its bound is *careful*: it looks before every charge, and so are
//!   its blocks never begun without what they cost.
//! - So is one from whose beginning calls lead down so far without a look that it would be more than
//!   [`DESCENT_MAX`]; frames of functions that may recurse are bounded already and do not count.

use std::collections::BTreeMap;

use wasmparser::Operator;

use crate::blocks::{self, Charge};
use crate::body::Body;
use crate::inline::{Kept, Leaf};
use crate::limits::STACK_SLOTS_MAX;

/// Slots that functions which cannot recurse may take together without being counted. Functions that do count
/// keep so much in reserve: they stop too early near the limit, and the exact build then decides.
pub(crate) const RESERVED_SLOTS: u32 = 4096;

/// CU that a function may use with what it calls without looking at the counter: less than a slice of it.
const UNSEEN_MAX: u32 = 1 << 20;

/// The same for every slot of a function that may recurse. Operators alone cost a frame a slot for every sixteen, so that
/// such a function seldom has to look before it returns.
const UNSEEN_PER_SLOT: u32 = 48;

/// CU from the beginning of a function down into what it calls, without a look. No program that does anything else than
/// call comes near.
const DESCENT_MAX: u32 = 1 << 24;

/// CU by which the fast build passes its limit at most: what it executes between two looks at its counter. That is less
/// than what all frames of functions that may recurse hold, then a descent, and what the function that it begins in
/// and the one that it ends in may still use.
pub const OVERSHOOT_MAX: u64 = 1 << 27;

const _: () = assert!(
    (STACK_SLOTS_MAX as u64) * (UNSEEN_PER_SLOT as u64)
        + (DESCENT_MAX as u64)
        + 4 * (UNSEEN_MAX as u64)
        <= OVERSHOOT_MAX
);

/// Operators of a function that is considered for being paid by its callers: a larger one costs more than its calls.
const PAID_OPERATORS_MAX: usize = 200;

/// What is known about every function before any is written.
#[derive(Debug, Default)]
pub(crate) struct Calls<'a> {
    /// The functions that the module defines; behind them, every set of functions that indirect calls reach.
    nodes: Vec<Node>,
    imports: u32,
    /// The functions that are put in the place of their calls.
    leaves: BTreeMap<u32, Leaf<'a>>,
    kept: Kept,
    /// The nodes that indirect calls reach, by type index.
    by_type: BTreeMap<u32, usize>,
}

#[derive(Debug, Default)]
struct Node {
    slots: u32,
    /// What its own blocks cost together.
    cu: u32,
    /// Nodes it may call, and how often it names them.
    callees: Vec<(usize, u32)>,
    /// Whether it is a set of functions: one of its callees stands in its place.
    is_set: bool,
    /// What a call always costs, if it always costs the same and nothing has to be counted in it.
    paid: Option<u32>,
    /// Whether it counts on the stack: it may recurse or call what does.
    counts_stack: bool,
    /// Whether it looks at the counter when it returns.
    looks: bool,
    /// Whether it looks before every charge.
    careful: bool,
    /// It looks behind calls of what may cost so much unseen.
    looks_behind: u32,
    /// Slots that it and what it calls take at most, if nothing of that counts.
    depth: u32,
    /// CU it uses at most without a look if it does not look when it returns.
    unseen: u32,
    /// CU from its beginning into functions that look when they return, without a look.
    descent: u32,
    /// What of that is beyond the function itself and the quiet ones that it calls.
    below: u32,
}

/// The sets of functions that indirect calls reach, and which of them belongs to each type index.
#[derive(Debug, Default)]
pub(crate) struct Reachable {
    pub(crate) sets: Vec<Vec<u32>>,
    pub(crate) by_type: BTreeMap<u32, usize>,
}

impl<'a> Calls<'a> {
    pub(crate) fn new(imports: u32) -> Self {
        Self {
            imports,
            ..Self::default()
        }
    }

    /// Adds the next of the `defined` functions.
    pub(crate) fn add(&mut self, body: &Body<'a>, reachable: &Reachable, defined: usize) {
        let mut callees: BTreeMap<usize, u32> = BTreeMap::new();
        for op in &body.ops {
            let callee = match &op.operator {
                Operator::Call { function_index } => self.node(*function_index),
                Operator::CallIndirect { type_index, .. } => {
                    reachable.by_type.get(type_index).map(|set| defined + set)
                }
                _ => None,
            };
            if let Some(callee) = callee {
                *callees.entry(callee).or_default() += 1;
            }
        }
        let (charges, heads) = blocks::find(body);
        let paid = constant_cost(body, &charges, &heads);
        if paid.is_some()
            && let Some(leaf) = self.kept.leaf(body)
        {
            self.leaves.insert(body.index, leaf);
        }
        self.nodes.push(Node {
            slots: body.slots,
            cu: charges
                .iter()
                .fold(0, |sum: u32, charge| sum.saturating_add(charge.cu)),
            callees: callees.into_iter().collect(),
            paid,
            ..Node::default()
        });
    }

    /// Decides everything once all functions are there.
    pub(crate) fn decide(&mut self, reachable: &Reachable) {
        let defined = self.nodes.len();
        let by_type = reachable.by_type.iter();
        self.by_type = by_type.map(|(ty, set)| (*ty, defined + set)).collect();
        for set in &reachable.sets {
            let callees = set
                .iter()
                .filter_map(|function| Some((self.node(*function)?, 1)));
            let node = Node {
                callees: callees.collect(),
                is_set: true,
                ..Node::default()
            };
            self.nodes.push(node);
        }
        for group in groups(&self.nodes) {
            self.decide_group(group);
        }
    }

    /// Decides nodes that may call each other; all that they call besides is decided.
    fn decide_group(&mut self, mut group: Vec<usize>) {
        let first = &self.nodes[group[0]];
        let recursive = group.len() > 1 || first.callees.iter().any(|callee| callee.0 == group[0]);
        // What a function may call through a set has to be known when it is decided.
        group.sort_by_key(|node| !self.nodes[*node].is_set);
        for &node in &group {
            self.decide_stack(node, recursive);
            match self.nodes[node].is_set {
                true => self.decide_set(node),
                false => self.decide_looks(node, recursive),
            }
        }
        if recursive {
            let below = group.iter().map(|node| self.nodes[*node].below).max();
            for &node in &group {
                let node = &mut self.nodes[node];
                node.below = below.unwrap_or(0);
                node.descent = node.descent.max(node.below);
            }
        }
    }

    /// What a node calls, and how often it names it.
    fn callees(&self, index: usize) -> impl Iterator<Item = (&Node, u32)> {
        let callees = self.nodes[index].callees.iter();
        callees.map(|(callee, times)| (&self.nodes[*callee], *times))
    }

    fn decide_stack(&mut self, index: usize, recursive: bool) {
        let deepest = self.callees(index).map(|(callee, _)| callee.depth).max();
        let depth = self.nodes[index].slots.saturating_add(deepest.unwrap_or(0));
        let counts_stack = recursive
            || depth > RESERVED_SLOTS
            || self.callees(index).any(|(callee, _)| callee.counts_stack);
        let node = &mut self.nodes[index];
        node.counts_stack = counts_stack;
        node.depth = if counts_stack { 0 } else { depth };
    }

    /// A call reaches one of the set.
    fn decide_set(&mut self, index: usize) {
        let greatest =
            |of: fn(&Node) -> u32| self.callees(index).map(|(callee, _)| of(callee)).max();
        let unseen = greatest(|callee| callee.unseen).unwrap_or(0);
        let descent = greatest(|callee| callee.descent).unwrap_or(0);
        let below = greatest(Node::below_call).unwrap_or(0);
        let node = &mut self.nodes[index];
        (node.unseen, node.descent, node.below) = (unseen, descent, below);
    }

    fn decide_looks(&mut self, index: usize, recursive: bool) {
        let node = &self.nodes[index];
        let max = match recursive {
            true => node.slots.saturating_mul(UNSEEN_PER_SLOT),
            false => UNSEEN_MAX,
        };
        let paid = self
            .callees(index)
            .map(|(callee, times)| callee.paid.unwrap_or(0).saturating_mul(times));
        let own = paid.fold(node.cu, u32::saturating_add);
        let mut careful = own > max;
        let own = if careful { 0 } else { own };
        let (quiet, looks_behind) = self.quiet(index, max - own);
        let below = self
            .callees(index)
            .map(|(callee, _)| match callee.unseen >= looks_behind {
                true => callee.descent,
                false => callee.below_call(),
            });
        let below = below.max().unwrap_or(0);
        // What such a function uses itself is bounded by the slots of its frames.
        let itself = if recursive { 0 } else { own + quiet };
        let descent = below.saturating_add(itself);
        careful |= !recursive && descent > DESCENT_MAX;
        let node = &mut self.nodes[index];
        node.careful = careful;
        node.looks_behind = looks_behind;
        node.looks = recursive || looks_behind < u32::MAX;
        node.unseen = if node.looks { 0 } else { own + quiet };
        node.below = below;
        node.descent = if careful && !recursive { 0 } else { descent };
    }

    /// What all calls of a function together may cost unseen, and from what cost on a call is looked behind, so that it
    /// is not more than `max`.
    fn quiet(&self, index: usize, max: u32) -> (u32, u32) {
        let unpaid = self
            .callees(index)
            .filter(|(callee, _)| callee.paid.is_none());
        let mut costs: Vec<(u32, u32)> = unpaid
            .map(|(callee, times)| (callee.unseen, times))
            .collect();
        costs.sort_unstable();
        let mut quiet: u32 = 0;
        for same in costs.chunk_by(|one, other| one.0 == other.0) {
            let (cost, times) = (same[0].0, same.iter().map(|(_, times)| times).sum::<u32>());
            let sum = quiet.saturating_add(cost.saturating_mul(times));
            if sum > max {
                return (quiet, cost);
            }
            quiet = sum;
        }
        (quiet, u32::MAX)
    }

    fn node(&self, function: u32) -> Option<usize> {
        Some(function.checked_sub(self.imports)? as usize)
    }

    fn get(&self, function: u32) -> Option<&Node> {
        self.nodes.get(self.node(function)?)
    }

    pub(crate) fn counts_stack(&self, function: u32) -> bool {
        self.get(function).is_some_and(|node| node.counts_stack)
    }

    pub(crate) fn looks(&self, function: u32) -> bool {
        self.get(function).is_some_and(|node| node.looks)
    }

    /// Whether the function looks at the counter before everything that it charges.
    pub(crate) fn careful(&self, function: u32) -> bool {
        self.get(function).is_some_and(|node| node.careful)
    }

    /// Whether the function looks at the counter behind that call.
    pub(crate) fn looks_behind(&self, function: u32, call: &Operator<'_>) -> bool {
        let callee = match call {
            Operator::Call { function_index } => self.get(*function_index),
            Operator::CallIndirect { type_index, .. } => self
                .by_type
                .get(type_index)
                .and_then(|set| self.nodes.get(*set)),
            _ => None,
        };
        let (Some(caller), Some(callee)) = (self.get(function), callee) else {
            return false;
        };
        callee.unseen >= caller.looks_behind
    }

    /// What a call costs its caller, if the callee is one of those that do not count for themselves.
    pub(crate) fn paid(&self, operator: &Operator<'_>) -> Option<u32> {
        match operator {
            Operator::Call { function_index } => self.get(*function_index)?.paid,
            _ => None,
        }
    }

    /// The function that is put in the place of a call, and what it costs besides the call.
    pub(crate) fn leaf(&self, operator: &Operator<'_>) -> Option<(&Leaf<'a>, u32)> {
        let Operator::Call { function_index } = operator else {
            return None;
        };
        Some((self.leaves.get(function_index)?, self.paid(operator)?))
    }
}

impl Node {
    /// [`Node::below`], as a call adds it to the caller's.
    fn below_call(&self) -> u32 {
        match self.looks {
            true => self.descent,
            false => self.below,
        }
    }
}

/// What the function always costs: it is a single block that calls nothing and does nothing of variable size.
fn constant_cost(body: &Body<'_>, charges: &[Charge], heads: &[usize]) -> Option<u32> {
    let variable = |operator: &Operator<'_>| {
        matches!(
            operator,
            Operator::MemoryCopy { .. }
                | Operator::MemoryFill { .. }
                | Operator::MemoryInit { .. }
                | Operator::MemoryGrow { .. }
        )
    };
    if body.calls
        || body.ops.len() > PAID_OPERATORS_MAX
        || body.ops.iter().any(|op| variable(&op.operator))
    {
        return None;
    }
    match charges {
        [] => Some(0),
        [only] if heads.is_empty() => Some(only.cu),
        _ => None,
    }
}

/// The nodes in groups of those that may call each other, callees first (Tarjan's algorithm).
fn groups(nodes: &[Node]) -> Vec<Vec<usize>> {
    let mut search = Search {
        groups: Vec::new(),
        order: vec![None; nodes.len()],
        lowest: vec![0; nodes.len()],
        grouped: vec![false; nodes.len()],
        open: Vec::new(),
        visited: 0,
    };
    for start in 0..nodes.len() {
        if search.order[start].is_none() {
            search.visit(start, nodes);
        }
    }
    search.groups
}

struct Search {
    groups: Vec<Vec<usize>>,
    /// When each node was first seen.
    order: Vec<Option<usize>>,
    /// The earliest node that each is known to lead back to.
    lowest: Vec<usize>,
    grouped: Vec<bool>,
    /// Nodes that are in no group yet, in the order they were seen.
    open: Vec<usize>,
    visited: usize,
}

impl Search {
    fn visit(&mut self, start: usize, nodes: &[Node]) {
        self.enter(start);
        // Nodes on the way, and which of their callees comes next.
        let mut way = vec![(start, 0)];
        while let Some((node, next)) = way.last_mut() {
            let node = *node;
            let Some(&(callee, _)) = nodes[node].callees.get(*next) else {
                way.pop();
                if let Some((caller, _)) = way.last() {
                    self.lowest[*caller] = self.lowest[*caller].min(self.lowest[node]);
                }
                self.leave(node);
                continue;
            };
            *next += 1;
            match self.order[callee] {
                None => {
                    self.enter(callee);
                    way.push((callee, 0));
                }
                Some(seen) if !self.grouped[callee] => {
                    self.lowest[node] = self.lowest[node].min(seen);
                }
                Some(_) => {}
            }
        }
    }

    fn enter(&mut self, node: usize) {
        self.order[node] = Some(self.visited);
        self.lowest[node] = self.visited;
        self.visited += 1;
        self.open.push(node);
    }

    /// A node that leads back to nothing earlier ends a group: itself and everything seen since.
    fn leave(&mut self, node: usize) {
        if self.order[node] == Some(self.lowest[node]) {
            let from = self.open.iter().rposition(|open| *open == node);
            let group = self.open.split_off(from.unwrap_or(0));
            for member in &group {
                self.grouped[*member] = true;
            }
            self.groups.push(group);
        }
    }
}
