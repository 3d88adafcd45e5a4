//! A hash tree that is computed again only where it changed.

use gio_protocol::B256;

use crate::trees::{self, ZERO_LEVELS};

/// A tree of fixed depth whose nodes are known from its first to its last leaf in use; behind that it is empty.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    /// What level the leaves have among the empty roots.
    lowest: u8,
    depth: u8,
    levels: Vec<Vec<B256>>,
    /// Leaves that changed since the levels above were computed.
    changed: Vec<u64>,
    zeros: &'static [B256; ZERO_LEVELS],
}

impl Tree {
    pub(crate) fn new(lowest: u8, depth: u8) -> Self {
        Self {
            lowest,
            depth,
            levels: vec![Vec::new(); usize::from(depth) + 1],
            changed: Vec::new(),
            zeros: trees::zeros(),
        }
    }

    pub(crate) fn of_leaves(depth: u8, leaves: Vec<B256>) -> Self {
        let mut tree = Self::new(0, depth);
        tree.changed = (0..leaves.len() as u64).collect();
        tree.levels[0] = leaves;
        tree.update();
        tree
    }

    /// A tree of the same shape with nothing in it.
    pub(crate) fn emptied(&self) -> Self {
        Self::new(self.lowest, self.depth)
    }

    pub(crate) fn depth(&self) -> u8 {
        self.depth
    }

    fn empty(&self, level: usize) -> B256 {
        self.zeros[usize::from(self.lowest) + level]
    }

    fn node(&self, level: usize, index: u64) -> B256 {
        let place = usize::try_from(index).ok();
        let node = place.and_then(|place| self.levels[level].get(place));
        node.copied().unwrap_or_else(|| self.empty(level))
    }

    pub(crate) fn leaf(&self, index: u64) -> B256 {
        self.node(0, index)
    }

    /// The leaves from the first to the last that was ever set.
    pub(crate) fn leaves(&self) -> &[B256] {
        &self.levels[0]
    }

    /// The place is inside the tree: callers have checked it.
    pub(crate) fn set(&mut self, index: u64, leaf: B256) {
        self.put(0, index, leaf);
        self.changed.push(index);
    }

    fn put(&mut self, level: usize, index: u64, node: B256) {
        let empty = self.empty(level);
        let place = usize::try_from(index).expect("trees are shallower than an address");
        let nodes = &mut self.levels[level];
        if nodes.len() <= place {
            nodes.resize(place + 1, empty);
        }
        nodes[place] = node;
    }

    /// Computes what the changed leaves lead to.
    pub(crate) fn update(&mut self) {
        let mut changed = std::mem::take(&mut self.changed);
        changed.sort_unstable();
        changed.dedup();
        for level in 0..usize::from(self.depth) {
            for index in &mut changed {
                *index /= 2;
            }
            changed.dedup();
            for index in &changed {
                let (left, right) = (self.node(level, index * 2), self.node(level, index * 2 + 1));
                self.put(level + 1, *index, trees::parent(left, right));
            }
        }
    }

    /// The root as of the last [`Tree::update`].
    pub(crate) fn root(&self) -> B256 {
        self.node(usize::from(self.depth), 0)
    }

    /// Siblings of a leaf from the bottom up, as of the last [`Tree::update`].
    pub(crate) fn path(&self, index: u64) -> Vec<B256> {
        let levels = 0..usize::from(self.depth);
        levels
            .map(|level| self.node(level, (index >> level) ^ 1))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::sparse_root;

    #[test]
    fn a_tree_is_what_computing_it_from_scratch_gives() {
        let mut tree = Tree::new(0, 10);
        let mut leaves = std::collections::BTreeMap::new();
        assert_eq!(tree.root(), sparse_root(Vec::new(), 0, 10));
        for round in 0u64..50 {
            let at = round * round * 37 % 1024;
            let leaf = B256::with_last_byte(u8::try_from(round).unwrap());
            tree.set(at, leaf);
            leaves.insert(at, leaf);
            if round % 3 == 0 {
                tree.update();
                let nodes: Vec<_> = leaves.iter().map(|(at, leaf)| (*at, *leaf)).collect();
                assert_eq!(tree.root(), sparse_root(nodes, 0, 10));
                let path = tree.path(at);
                assert_eq!(trees::root_of(leaf, at, &path), tree.root());
            }
        }
    }
}
