//! A tree of any depth of which only the leaves a step touches are real: everything beside them is made up, so that
//! a proof holds no zero but where a machine's would.

use std::collections::BTreeMap;

use gio_machine::trees::{parent, root_of};
use gio_protocol::{B256, keccak256};

#[derive(Clone, Debug)]
pub struct Tree {
    pub depth: u8,
    salt: u64,
    leaves: BTreeMap<u64, B256>,
}

impl Tree {
    pub fn new(depth: u8, salt: u64) -> Self {
        Self {
            depth,
            salt,
            leaves: BTreeMap::new(),
        }
    }

    /// Where a path of this depth leads for an index, which may be beyond the tree: to the leaf of its low bits.
    fn place(&self, index: u64) -> u64 {
        index & ((1 << self.depth) - 1)
    }

    /// Makes a leaf real. All that a step touches are made so before any root is taken.
    pub fn open(&mut self, index: u64) -> B256 {
        let index = self.place(index);
        let filler = self.filler(0, index);
        *self.leaves.entry(index).or_insert(filler)
    }

    pub fn set(&mut self, index: u64, leaf: B256) {
        let index = self.place(index);
        assert!(
            self.leaves.insert(index, leaf).is_some(),
            "leaf {index} was not opened"
        );
    }

    pub fn get(&self, index: u64) -> B256 {
        self.leaves[&self.place(index)]
    }

    pub fn root(&self) -> B256 {
        self.node(self.depth, 0)
    }

    /// Siblings from the leaf upwards.
    pub fn path(&self, index: u64) -> Vec<B256> {
        let index = self.place(index);
        let path: Vec<B256> = (0..self.depth)
            .map(|level| self.node(level, index >> level ^ 1))
            .collect();
        assert_eq!(root_of(self.get(index), index, &path), self.root());
        path
    }

    /// Leaf and siblings, as a proof has them.
    pub fn proof(&self, index: u64) -> Vec<u8> {
        let path = self.path(index);
        let words = [self.get(index)].into_iter().chain(path);
        words.flat_map(|word| word.0).collect()
    }

    fn node(&self, level: u8, index: u64) -> B256 {
        let first = index << level;
        let last = first + ((1 << level) - 1);
        if self.leaves.range(first..=last).next().is_none() {
            return self.filler(level, index);
        }
        if level == 0 {
            return self.leaves[&index];
        }
        parent(
            self.node(level - 1, 2 * index),
            self.node(level - 1, 2 * index + 1),
        )
    }

    fn filler(&self, level: u8, index: u64) -> B256 {
        let mut bytes = self.salt.to_be_bytes().to_vec();
        bytes.push(level);
        bytes.extend(index.to_be_bytes());
        B256::from(keccak256(bytes).0.map(|byte| byte.max(1)))
    }
}
