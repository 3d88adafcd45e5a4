//! The result tree (R2): a Merkle-sum tree, so that the posted total is the sum of the claims.

use alloy_primitives::B256;
use thiserror::Error;

use super::depth_of;
use crate::amount::Cu;
use crate::keccak::keccak256;

/// A result tree that cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ResultTreeError {
    /// A deal has at least one unit.
    #[error("a result tree has at least one position")]
    Empty,
    /// The sum of all claims leaves 64 bits.
    #[error("the sum of the claims' CU leaves 64 bits")]
    SumOverflow,
}

/// A node of the tree: a hash and the CU below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SumNode {
    /// The node's hash; zero for an absent claim.
    pub hash: B256,
    /// CU of all claims below.
    pub sum: Cu,
}

/// The tree over a deal's claims.
#[derive(Clone, Debug)]
pub struct ResultTree {
    count: u32,
    levels: Vec<Vec<SumNode>>,
}

impl ResultTree {
    /// Builds the tree from (claim hash, CU) by unit; `None` is a missing unit.
    ///
    /// # Errors
    /// [`ResultTreeError`].
    ///
    /// # Panics
    /// If there are more than 2^32 leaves, which no deal has.
    pub fn new(claims: &[Option<(B256, Cu)>]) -> Result<Self, ResultTreeError> {
        if claims.is_empty() {
            return Err(ResultTreeError::Empty);
        }
        let count = u32::try_from(claims.len()).expect("a deal has at most 2^20 units");
        let mut level: Vec<SumNode> = (0..count)
            .zip(claims)
            .map(|(unit, claim)| leaf(unit, *claim))
            .collect();
        level.resize(claims.len().next_power_of_two(), SumNode::default());
        let mut levels = vec![level];
        while let Some(last) = levels.last().filter(|level| level.len() > 1) {
            let next: Option<Vec<_>> = last
                .chunks_exact(2)
                .map(|pair| node(pair[0], pair[1]))
                .collect();
            levels.push(next.ok_or(ResultTreeError::SumOverflow)?);
        }
        Ok(Self { count, levels })
    }

    /// The top node: its hash is the `treeHash` the hub posts, its sum the `cuTotal`.
    #[must_use]
    pub fn top(&self) -> SumNode {
        self.levels[self.levels.len() - 1][0]
    }

    /// `resultRoot`: names the count and the sum.
    #[must_use]
    pub fn root(&self) -> B256 {
        committed(self.count, self.top())
    }

    /// Sibling nodes of `unit` from the bottom up; `None` outside the deal.
    #[must_use]
    pub fn proof(&self, unit: u32) -> Option<Vec<SumNode>> {
        if unit >= self.count {
            return None;
        }
        let mut at = unit as usize;
        let mut proof = Vec::with_capacity(self.levels.len());
        for level in &self.levels[..self.levels.len() - 1] {
            proof.push(level[at ^ 1]);
            at >>= 1;
        }
        Some(proof)
    }
}

/// The leaf of a claim, or of a missing unit.
#[must_use]
pub fn leaf(unit: u32, claim: Option<(B256, Cu)>) -> SumNode {
    let Some((claim_hash, cu)) = claim else {
        return SumNode::default();
    };
    let mut bytes = [0u8; 45];
    bytes[1..5].copy_from_slice(&unit.to_be_bytes());
    bytes[5..37].copy_from_slice(claim_hash.as_slice());
    bytes[37..].copy_from_slice(&cu.0.to_be_bytes());
    SumNode {
        hash: keccak256(bytes),
        sum: cu,
    }
}

/// Whether the claim (or its absence) stands at `unit` under the committed root, sums recomputed on the way.
#[must_use]
pub fn verify(
    root: B256,
    count: u32,
    unit: u32,
    claim: Option<(B256, Cu)>,
    proof: &[SumNode],
) -> bool {
    if unit >= count || proof.len() != depth_of(count) as usize {
        return false;
    }
    let mut at = leaf(unit, claim);
    for (level, sibling) in proof.iter().enumerate() {
        if sibling.hash.is_zero() && sibling.sum != Cu(0) {
            return false;
        }
        let parent = if unit >> level & 1 == 0 {
            node(at, *sibling)
        } else {
            node(*sibling, at)
        };
        let Some(parent) = parent else { return false };
        at = parent;
    }
    committed(count, at) == root
}

/// The parent of two nodes, `None` when the sum leaves 64 bits.
#[must_use]
pub fn node(left: SumNode, right: SumNode) -> Option<SumNode> {
    let sum = Cu(left.sum.0.checked_add(right.sum.0)?);
    let mut bytes = [0u8; 81];
    bytes[0] = 0x01;
    bytes[1..33].copy_from_slice(left.hash.as_slice());
    bytes[33..41].copy_from_slice(&left.sum.0.to_be_bytes());
    bytes[41..73].copy_from_slice(right.hash.as_slice());
    bytes[73..].copy_from_slice(&right.sum.0.to_be_bytes());
    Some(SumNode {
        hash: keccak256(bytes),
        sum,
    })
}

/// The committed root of a top node.
#[must_use]
pub fn committed(count: u32, top: SumNode) -> B256 {
    let mut bytes = [0u8; 45];
    bytes[0] = 0x02;
    bytes[1..5].copy_from_slice(&count.to_be_bytes());
    bytes[5..37].copy_from_slice(top.hash.as_slice());
    bytes[37..].copy_from_slice(&top.sum.0.to_be_bytes());
    keccak256(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(count: u32) -> Vec<Option<(B256, Cu)>> {
        (0..count)
            .map(|i| (i % 3 != 1).then(|| (keccak256(i.to_be_bytes()), Cu(u64::from(i) * 7 + 1))))
            .collect()
    }

    #[test]
    fn r02_openings_recompute_the_sums() {
        for count in 1..=33 {
            let list = claims(count);
            let tree = ResultTree::new(&list).unwrap();
            let total: u64 = list.iter().flatten().map(|(_, cu)| cu.0).sum();
            assert_eq!(tree.top().sum, Cu(total));
            for unit in 0..count {
                let proof = tree.proof(unit).unwrap();
                let claim = list[unit as usize];
                assert!(verify(tree.root(), count, unit, claim, &proof));
                let more = claim
                    .map(|(hash, cu)| (hash, Cu(cu.0 + 1)))
                    .or(Some((B256::ZERO, Cu(1))));
                assert!(
                    !verify(tree.root(), count, unit, more, &proof),
                    "a larger claim"
                );
                if let Some(first) = proof.first() {
                    let mut forged = proof.clone();
                    forged[0] = SumNode {
                        hash: first.hash,
                        sum: Cu(first.sum.0 + 1),
                    };
                    assert!(
                        !verify(tree.root(), count, unit, claim, &forged),
                        "a sibling with another sum"
                    );
                }
            }
        }
    }

    #[test]
    fn a_total_beyond_64_bits_is_refused() {
        let claim = Some((B256::ZERO, Cu(u64::MAX)));
        assert_eq!(
            ResultTree::new(&[claim, claim]).unwrap_err(),
            ResultTreeError::SumOverflow
        );
        assert_eq!(ResultTree::new(&[]).unwrap_err(), ResultTreeError::Empty);
    }
}
