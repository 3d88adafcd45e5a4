//! The job tree (F1): one leaf per unit, holding everything that decides its result.

use alloy_primitives::B256;
use serde::{Deserialize, Serialize};

use super::depth_of;
use crate::amount::Cu;
use crate::keccak::keccak256;

/// What a unit runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitKind {
    /// A WASI preview 1 command module.
    Wasm = 1,
}

/// A unit as both sides signed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "the fields are documented in one place, docs/protocol.md section 2.1"
)]
pub struct UnitLeaf {
    pub index: u32,
    pub kind: UnitKind,
    pub program_root: B256,
    pub input_root: B256,
    pub input_length: u64,
    pub cu_limit: Cu,
    pub pages_max: u32,
    pub output_max: u64,
    pub unit_seed: B256,
}

impl UnitLeaf {
    /// The leaf's hash.
    #[must_use]
    pub fn hash(&self) -> B256 {
        let mut bytes = Vec::with_capacity(1 + 4 + 1 + 32 * 3 + 8 * 3 + 4);
        bytes.push(0x00);
        bytes.extend_from_slice(&self.index.to_be_bytes());
        bytes.push(self.kind as u8);
        bytes.extend_from_slice(self.program_root.as_slice());
        bytes.extend_from_slice(self.input_root.as_slice());
        bytes.extend_from_slice(&self.input_length.to_be_bytes());
        bytes.extend_from_slice(&self.cu_limit.0.to_be_bytes());
        bytes.extend_from_slice(&self.pages_max.to_be_bytes());
        bytes.extend_from_slice(&self.output_max.to_be_bytes());
        bytes.extend_from_slice(self.unit_seed.as_slice());
        keccak256(bytes)
    }
}

/// The tree over a job's unit leaves.
#[derive(Clone, Debug)]
pub struct JobTree {
    count: u32,
    /// `levels[0]` are the leaves padded to a power of two, the last level is the tree root.
    levels: Vec<Vec<B256>>,
}

impl JobTree {
    /// Builds the tree from leaf hashes.
    ///
    /// # Panics
    /// If there are no leaves or more than 2^32.
    #[must_use]
    pub fn new(leaves: &[B256]) -> Self {
        let count = u32::try_from(leaves.len()).expect("a deal has at most 2^20 units");
        assert!(count > 0, "a job has at least one unit");
        let mut level = leaves.to_vec();
        level.resize(leaves.len().next_power_of_two(), B256::ZERO);
        let mut levels = vec![level];
        while let Some(last) = levels.last().filter(|level| level.len() > 1) {
            levels.push(
                last.chunks_exact(2)
                    .map(|pair| node(pair[0], pair[1]))
                    .collect(),
            );
        }
        Self { count, levels }
    }

    /// `jobRoot`: the committed root, which names the count.
    #[must_use]
    pub fn root(&self) -> B256 {
        let top = self.levels[self.levels.len() - 1][0];
        committed(self.count, top)
    }

    /// Siblings of leaf `index` from the bottom up; `None` outside the job.
    #[must_use]
    pub fn proof(&self, index: u32) -> Option<Vec<B256>> {
        if index >= self.count {
            return None;
        }
        let mut at = index as usize;
        let mut proof = Vec::with_capacity(self.levels.len());
        for level in &self.levels[..self.levels.len() - 1] {
            proof.push(level[at ^ 1]);
            at >>= 1;
        }
        Some(proof)
    }
}

/// Whether `leaf` stands at `index` under the committed root.
#[must_use]
pub fn verify(root: B256, count: u32, index: u32, leaf: B256, proof: &[B256]) -> bool {
    if index >= count || proof.len() != depth_of(count) as usize {
        return false;
    }
    let mut hash = leaf;
    for (level, sibling) in proof.iter().enumerate() {
        hash = if index >> level & 1 == 0 {
            node(hash, *sibling)
        } else {
            node(*sibling, hash)
        };
    }
    committed(count, hash) == root
}

fn node(left: B256, right: B256) -> B256 {
    let mut bytes = [0u8; 65];
    bytes[0] = 0x01;
    bytes[1..33].copy_from_slice(left.as_slice());
    bytes[33..].copy_from_slice(right.as_slice());
    keccak256(bytes)
}

fn committed(count: u32, top: B256) -> B256 {
    let mut bytes = [0u8; 37];
    bytes[0] = 0x02;
    bytes[1..5].copy_from_slice(&count.to_be_bytes());
    bytes[5..].copy_from_slice(top.as_slice());
    keccak256(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(count: u32) -> Vec<B256> {
        (0..count).map(|i| keccak256(i.to_be_bytes())).collect()
    }

    #[test]
    fn every_leaf_opens_at_its_own_place_only() {
        for count in 1..=33 {
            let hashes = leaves(count);
            let tree = JobTree::new(&hashes);
            for index in 0..count {
                let proof = tree.proof(index).unwrap();
                let leaf = hashes[index as usize];
                assert!(verify(tree.root(), count, index, leaf, &proof));
                for other in (0..count + 2).filter(|other| *other != index) {
                    assert!(!verify(tree.root(), count, other, leaf, &proof));
                }
                let mut long = proof.clone();
                long.push(B256::ZERO);
                assert!(
                    !verify(tree.root(), count, index, leaf, &long),
                    "surplus hashes"
                );
                assert!(
                    !verify(tree.root(), count + 1, index, leaf, &proof),
                    "the count is committed"
                );
            }
            assert_eq!(tree.proof(count), None);
        }
    }
}
