//! Merkle trees over transactions, with the known trap of their odd levels closed.
//!
//! A level with an odd number of nodes repeats its last one. Two different lists can
//! therefore have one root (CVE-2012-2459): a list that repeats its own tail. Such a list is
//! [`MutatedTree`], and a block that carries it is damaged in transit, not invalid.

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::hash::{MerkleRoot, finish_sha256d};

/// The leaves repeat a part of themselves: another list has the same root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the transactions repeat their own tail: another list has the same Merkle root")]
pub struct MutatedTree;

fn parent(left: MerkleRoot, right: MerkleRoot) -> MerkleRoot {
    let engine = Sha256::new()
        .chain_update(left.as_bytes())
        .chain_update(right.as_bytes());
    MerkleRoot::from_bytes(finish_sha256d(engine))
}

fn next_level(level: &[MerkleRoot]) -> Vec<MerkleRoot> {
    level
        .chunks(2)
        .map(|pair| parent(pair[0], *pair.last().expect("chunks are not empty")))
        .collect()
}

/// The root over these leaves; the zero hash over none.
///
/// # Errors
/// [`MutatedTree`].
pub fn merkle_root(
    leaves: impl IntoIterator<Item = MerkleRoot>,
) -> Result<MerkleRoot, MutatedTree> {
    MerkleTree::new(leaves).map(|tree| tree.root())
}

/// A tree with all its levels, to prove positions in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MerkleTree {
    /// From the leaves to the root; always at least one level.
    levels: Vec<Vec<MerkleRoot>>,
}

impl MerkleTree {
    /// Builds the tree over these leaves.
    ///
    /// # Errors
    /// [`MutatedTree`].
    pub fn new(leaves: impl IntoIterator<Item = MerkleRoot>) -> Result<Self, MutatedTree> {
        let mut level: Vec<MerkleRoot> = leaves.into_iter().collect();
        let mut levels = Vec::new();
        while level.len() > 1 {
            if level.chunks_exact(2).any(|pair| pair[0] == pair[1]) {
                return Err(MutatedTree);
            }
            let next = next_level(&level);
            levels.push(std::mem::replace(&mut level, next));
        }
        levels.push(level);
        Ok(Self { levels })
    }

    /// The root; the zero hash of an empty tree.
    #[must_use]
    pub fn root(&self) -> MerkleRoot {
        let top = self.levels.last().expect("a tree has at least one level");
        top.first().copied().unwrap_or_default()
    }

    /// The siblings from a leaf upwards, if there is such a leaf.
    #[must_use]
    pub fn path(&self, index: usize) -> Option<Vec<MerkleRoot>> {
        let (top, below) = self.levels.split_last()?;
        let leaves = self.levels.first().unwrap_or(top);
        if index >= leaves.len() {
            return None;
        }
        let sibling = |(height, level): (usize, &Vec<MerkleRoot>)| {
            let place = (index >> height) ^ 1;
            level.get(place).or(level.last()).copied()
        };
        below.iter().enumerate().map(sibling).collect()
    }
}

/// The root that a leaf at `index` with these siblings belongs to.
/// The caller must know the depth: a path of another length proves another position.
#[must_use]
pub(crate) fn root_of_path(leaf: MerkleRoot, index: u32, path: &[MerkleRoot]) -> MerkleRoot {
    let mut place = index;
    path.iter().fold(leaf, |node, sibling| {
        let is_right = place & 1 == 1;
        place >>= 1;
        if is_right {
            parent(*sibling, node)
        } else {
            parent(node, *sibling)
        }
    })
}

#[cfg(test)]
mod tests {
    use bitcoin::hashes::Hash;
    use proptest::prelude::*;

    use super::*;

    fn leaves(count: usize) -> Vec<MerkleRoot> {
        let leaf = |i: usize| MerkleRoot::from_bytes(crate::hash::sha256(&i.to_le_bytes()));
        (0..count).map(leaf).collect()
    }

    #[test]
    fn roots_equal_those_of_the_bitcoin_crate_and_paths_lead_there() {
        for count in 1..=70 {
            let leaves = leaves(count);
            let theirs = leaves
                .iter()
                .map(|leaf| bitcoin::TxMerkleNode::from_byte_array(leaf.to_bytes()));
            let theirs = bitcoin::merkle_tree::calculate_root(theirs).unwrap();
            let tree = MerkleTree::new(leaves.clone()).unwrap();
            assert_eq!(tree.root().to_bytes(), theirs.to_byte_array());
            for (i, leaf) in leaves.iter().enumerate() {
                let path = tree.path(i).unwrap();
                let index = u32::try_from(i).unwrap();
                assert_eq!(root_of_path(*leaf, index, &path), tree.root());
            }
            assert_eq!(tree.path(count), None);
        }
        assert_eq!(merkle_root([]), Ok(MerkleRoot::default()));
    }

    proptest! {
        // The attack: repeat the last leaves of a list whose levels are odd somewhere.
        #[test]
        fn a_list_with_a_repeated_tail_is_mutated(odd in 1usize..40, level in 0u32..6) {
            let group = 1usize << level;
            let honest = leaves((2 * odd + 1) * group);
            let mut forged = honest.clone();
            forged.extend_from_slice(&honest[honest.len() - group..]);
            prop_assert!(merkle_root(honest).is_ok());
            prop_assert_eq!(merkle_root(forged), Err(MutatedTree));
        }
    }
}
