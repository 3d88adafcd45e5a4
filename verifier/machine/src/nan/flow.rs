//! Float values of one function and how they flow into each other.

/// A value; 0 is every value whose bits are exact already, or that is no float.
pub(super) type NodeId = usize;

pub(super) const EXACT: NodeId = 0;

/// How much more often code runs per loop around it.
const LOOP_WEIGHT_LOG2: u32 = 3;

/// Loops deeper than this weigh no more.
const LOOP_DEPTH_MAX: u32 = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// Bits that must survive: loads, parameters, call results, constants with a payload.
    Exact,
    /// A value that is no NaN, or the canonical one.
    Tame,
    /// An arithmetic result: any NaN stands for the canonical one.
    Arithmetic,
    /// `neg` and `copysign`: the bits of the input, with another sign.
    Signed(NodeId),
    /// `abs`: the bits of the input without sign.
    Abs(NodeId),
    /// `select`.
    Either(NodeId, NodeId),
    /// A read of a local that holds the value.
    Read(NodeId),
    /// What a local holds where several ways meet; its inputs are kept apart.
    Meeting,
}

#[derive(Debug)]
struct Value {
    node: Node,
    /// The operator that made it.
    at: usize,
    /// 8 to the power of the loops around it.
    weight: u64,
}

#[derive(Debug)]
pub(super) struct Flow {
    values: Vec<Value>,
    /// For every meeting, what meets there.
    meetings: Vec<(NodeId, NodeId)>,
    /// Values whose bits are seen.
    seen: Vec<NodeId>,
}

impl Flow {
    pub(super) fn new() -> Self {
        let exact = Value {
            node: Node::Exact,
            at: 0,
            weight: 1,
        };
        Self {
            values: vec![exact],
            meetings: Vec::new(),
            seen: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, node: Node, at: usize, loops: u32) -> NodeId {
        let weight = 1 << (LOOP_WEIGHT_LOG2 * loops.min(LOOP_DEPTH_MAX));
        self.values.push(Value { node, at, weight });
        self.values.len() - 1
    }

    pub(super) fn meet(&mut self, meeting: NodeId, value: NodeId) {
        if meeting != value {
            self.meetings.push((meeting, value));
        }
    }

    pub(super) fn see(&mut self, value: NodeId) {
        if value != EXACT {
            self.seen.push(value);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn node(&self, value: NodeId) -> Node {
        self.values[value].node
    }

    pub(super) fn weight(&self, value: NodeId) -> u64 {
        self.values[value].weight
    }

    pub(super) fn place(&self, value: NodeId) -> usize {
        self.values[value].at
    }

    /// For every value whether its bits are seen, if the reads that `late` names are corrected themselves.
    pub(super) fn demand(&self, late: impl Fn(NodeId) -> bool) -> Vec<bool> {
        let inputs = Edges::new(self.len(), self.meetings.iter().copied());
        let mut demanded = vec![false; self.len()];
        let mut open = self.seen.clone();
        while let Some(value) = open.pop() {
            if std::mem::replace(&mut demanded[value], true) {
                continue;
            }
            match self.node(value) {
                Node::Exact | Node::Tame | Node::Arithmetic => {}
                Node::Signed(input) | Node::Abs(input) => open.push(input),
                Node::Either(a, b) => open.extend([a, b]),
                Node::Read(_) if late(value) => {}
                Node::Read(input) => open.push(input),
                Node::Meeting => open.extend(inputs.of(value)),
            }
        }
        demanded
    }

    /// For every value whether it may be a NaN whose bits must survive.
    pub(super) fn foreign(&self) -> Vec<bool> {
        let uses = Edges::new(self.len(), self.uses());
        let mut foreign = vec![false; self.len()];
        let mut open: Vec<NodeId> = (0..self.len())
            .filter(|value| matches!(self.node(*value), Node::Exact | Node::Signed(_)))
            .collect();
        while let Some(value) = open.pop() {
            if !std::mem::replace(&mut foreign[value], true) {
                open.extend(uses.of(value));
            }
        }
        foreign
    }

    /// Every value and each value that it is made of bit by bit.
    fn uses(&self) -> impl Iterator<Item = (NodeId, NodeId)> {
        let made_of = |value: NodeId| {
            let (a, b) = match self.node(value) {
                Node::Exact | Node::Tame | Node::Arithmetic | Node::Meeting => (None, None),
                Node::Signed(input) | Node::Abs(input) | Node::Read(input) => (Some(input), None),
                Node::Either(a, b) => (Some(a), Some(b)),
            };
            a.into_iter().chain(b).map(move |input| (input, value))
        };
        let met = self
            .meetings
            .iter()
            .map(|(meeting, input)| (*input, *meeting));
        (0..self.len()).flat_map(made_of).chain(met)
    }

    /// Puts all of the `demanded` values that flow into each other into one group; answers each value's group.
    pub(super) fn groups(&self, demanded: &[bool]) -> Vec<usize> {
        let mut groups: Vec<usize> = (0..self.len()).collect();
        for (a, b) in self.uses() {
            if demanded[a] && demanded[b] && a != EXACT {
                let (a, b) = (root(&mut groups, a), root(&mut groups, b));
                groups[a.max(b)] = a.min(b);
            }
        }
        (0..self.len())
            .map(|value| root(&mut groups, value))
            .collect()
    }
}

fn root(groups: &mut [usize], mut value: usize) -> usize {
    while groups[value] != value {
        groups[value] = groups[groups[value]];
        value = groups[value];
    }
    value
}

/// Edges of a graph, by where they begin.
struct Edges {
    starts: Vec<usize>,
    ends: Vec<NodeId>,
}

impl Edges {
    fn new(nodes: usize, edges: impl Iterator<Item = (NodeId, NodeId)>) -> Self {
        let mut edges: Vec<(NodeId, NodeId)> = edges.collect();
        edges.sort_unstable();
        let mut starts = vec![0; nodes + 1];
        for (from, _) in &edges {
            starts[from + 1] += 1;
        }
        for node in 0..nodes {
            starts[node + 1] += starts[node];
        }
        Self {
            starts,
            ends: edges.into_iter().map(|(_, to)| to).collect(),
        }
    }

    fn of(&self, node: NodeId) -> impl Iterator<Item = NodeId> {
        self.ends[self.starts[node]..self.starts[node + 1]]
            .iter()
            .copied()
    }
}
