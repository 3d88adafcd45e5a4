//! Who calls whom: what the fast build can leave out because a module's calls show that it is not needed.
//!
//! Tables never change in the accepted feature set, so an indirect call reaches only functions of its type that
//! an element segment names.

use std::collections::BTreeMap;

use wasmparser::Operator;

use crate::blocks;
use crate::body::Body;
use crate::inline::{Kept, Leaf};

/// Slots that functions which cannot recurse may take together without being counted. Functions that do count
/// keep so much in reserve: they stop too early near the limit, and the exact build then decides.
pub(crate) const RESERVED_SLOTS: u32 = 4096;

/// Operators that may be executed between two looks at the counter: less than a slice of it.
const UNSEEN_MAX: u32 = 1 << 20;

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
}

#[derive(Debug, Default)]
struct Node {
    slots: u32,
    operators: u32,
    /// Nodes it may call, and how often it names them.
    callees: Vec<(usize, u32)>,
    /// What a call always costs, if it always costs the same and nothing has to be counted in it.
    paid: Option<u32>,
    /// Whether it counts on the stack: it may recurse or call what does.
    counts_stack: bool,
    /// Whether it looks at the counter when it returns.
    looks: bool,
    /// Slots that it and what it calls take at most, if nothing of that counts.
    depth: u32,
    /// Operators it executes at most without a look, loops not counted because they look.
    unseen: u32,
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
        let paid = constant_cost(body);
        if paid.is_some()
            && let Some(leaf) = self.kept.leaf(body)
        {
            self.leaves.insert(body.index, leaf);
        }
        self.nodes.push(Node {
            slots: body.slots,
            operators: u32::try_from(body.ops.len()).unwrap_or(u32::MAX),
            callees: callees.into_iter().collect(),
            paid,
            ..Node::default()
        });
    }

    /// Decides everything once all functions are there.
    pub(crate) fn decide(&mut self, reachable: &Reachable) {
        for set in &reachable.sets {
            let callees = set
                .iter()
                .filter_map(|function| Some((self.node(*function)?, 1)));
            let node = Node {
                callees: callees.collect(),
                ..Node::default()
            };
            self.nodes.push(node);
        }
        for group in groups(&self.nodes) {
            let first = group[0];
            let calls_itself = self.nodes[first]
                .callees
                .iter()
                .any(|callee| callee.0 == first);
            let recursive = group.len() > 1 || calls_itself;
            for &node in &group {
                self.decide_node(node, recursive);
            }
        }
    }

    fn decide_node(&mut self, index: usize, recursive: bool) {
        let node = &self.nodes[index];
        let callees = || {
            let callees = node.callees.iter();
            callees.map(|(callee, times)| (&self.nodes[*callee], *times))
        };
        let deepest = callees().map(|(callee, _)| callee.depth).max().unwrap_or(0);
        let depth = node.slots.saturating_add(deepest);
        let mut unseen = node.operators;
        for (callee, times) in callees() {
            unseen = unseen.saturating_add(callee.unseen.saturating_mul(times));
        }
        let counts_stack =
            recursive || depth > RESERVED_SLOTS || callees().any(|(callee, _)| callee.counts_stack);
        let looks = recursive || unseen > UNSEEN_MAX;
        let node = &mut self.nodes[index];
        node.counts_stack = counts_stack;
        node.looks = looks;
        node.depth = if counts_stack { 0 } else { depth };
        node.unseen = if looks { 0 } else { unseen };
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

/// What the function always costs: it is a single block that calls nothing and does nothing of variable size.
fn constant_cost(body: &Body<'_>) -> Option<u32> {
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
    let (charges, heads) = blocks::find(body);
    match &charges[..] {
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
