//! The Merkle-sum tree of an epoch's payout (R9, docs/protocol.md section 7.1): what a hub posts one root of, and what a
//! miner's proof comes from.

use gio_protocol::{Address, B256, Gio, keccak256};
use thiserror::Error;

use crate::info::PayoutClaim;

mod file;

pub use file::{LeafFile, LeafFileError};

/// A tree of depth 20 keeps every proof below 1 KiB; the wallet refuses more.
const COUNT_MAX: usize = 1 << 20;
/// A node is this much of a hash, then its sum.
const HASH_BYTES: usize = 24;

/// A payout no wallet would take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PayoutError {
    /// There must be somebody to pay, and not more than a tree holds.
    #[error("a payout cannot have {0} miners")]
    Count(usize),
    /// The sum of all nets leaves 64 bits, which no GIO can be.
    #[error("the nets of a payout sum up to more GIO than can be")]
    SumTooHigh,
}

/// All leaves of one epoch's payout and the nodes above them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayoutTree {
    nets: Vec<(Address, Gio)>,
    count: u32,
    // From the leaves, padded with zero nodes to a power of two, up to the single top node.
    levels: Vec<Vec<B256>>,
}

impl PayoutTree {
    /// Builds the tree of these miners' nets; the position is the leaf's index.
    ///
    /// # Errors
    /// [`PayoutError`].
    pub fn new(nets: Vec<(Address, Gio)>) -> Result<Self, PayoutError> {
        let count = u32::try_from(nets.len()).map_err(|_| PayoutError::Count(nets.len()))?;
        if nets.is_empty() || nets.len() > COUNT_MAX {
            return Err(PayoutError::Count(nets.len()));
        }
        let mut row: Vec<B256> = (0..count)
            .zip(&nets)
            .map(|(index, (miner, net))| leaf(index, *miner, *net))
            .collect();
        row.resize(nets.len().next_power_of_two(), B256::ZERO);
        let mut levels = vec![row];
        while let Some(row) = levels.last().filter(|row| row.len() > 1) {
            let above = row
                .chunks_exact(2)
                .map(|pair| node(pair[0], pair[1]).ok_or(PayoutError::SumTooHigh))
                .collect::<Result<_, _>>()?;
            levels.push(above);
        }
        Ok(Self {
            nets,
            count,
            levels,
        })
    }

    /// The top node, which holds the sum: what [`crate::Chain::post_payout`] takes.
    #[must_use]
    pub fn top(&self) -> B256 {
        self.levels
            .last()
            .and_then(|row| row.first())
            .copied()
            .unwrap_or_default()
    }

    /// What a wallet keeps of it, in the first 24 bytes.
    #[must_use]
    pub fn root(&self) -> B256 {
        root_of(self.count, self.top())
    }

    /// How many leaves it has.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// What all miners get together.
    #[must_use]
    pub fn net(&self) -> Gio {
        Gio::from_units(sum(self.top()))
    }

    /// A leaf: who, and how much.
    #[must_use]
    pub fn leaf(&self, index: u32) -> Option<(Address, Gio)> {
        self.nets.get(usize::try_from(index).ok()?).copied()
    }

    /// All leaves, in the order of their indexes.
    #[must_use]
    pub fn leaves(&self) -> &[(Address, Gio)] {
        &self.nets
    }

    /// What a miner shows to be paid its leaf of `epoch`; `None` beyond the last leaf.
    #[must_use]
    pub fn claim(&self, epoch: u32, index: u32) -> Option<PayoutClaim> {
        let place = usize::try_from(index).ok()?;
        let (miner, net) = *self.nets.get(place)?;
        let below_top = self.levels.len() - 1;
        let siblings = self.levels.iter().take(below_top).enumerate();
        let proof = siblings.map(|(level, row)| row[(place >> level) ^ 1]);
        Some(PayoutClaim {
            epoch,
            count: self.count,
            index,
            miner,
            net,
            proof: proof.collect(),
        })
    }
}

impl PayoutClaim {
    /// Whether the leaf is in the payout with this top node: a miner counts itself paid only if it is (R9).
    #[must_use]
    pub fn is_in(&self, top: B256) -> bool {
        let depth = self.count.checked_next_power_of_two().map(u32::ilog2);
        let fits = depth.is_some_and(|depth| self.proof.len() == depth as usize);
        if self.index >= self.count || !fits {
            return false;
        }
        let mut found = Some(leaf(self.index, self.miner, self.net));
        for (level, sibling) in self.proof.iter().enumerate() {
            found = found.and_then(|below| {
                if (self.index >> level) & 1 == 1 {
                    node(*sibling, below)
                } else {
                    node(below, *sibling)
                }
            });
        }
        found == Some(top)
    }
}

/// What a wallet keeps of a payout, in the first 24 bytes of the word: it names the count and, in the node, the total.
pub(crate) fn root_of(count: u32, top: B256) -> B256 {
    let mut preimage = vec![0x02];
    preimage.extend(count.to_be_bytes());
    preimage.extend(top);
    let mut root = keccak256(preimage);
    root.0[HASH_BYTES..].fill(0);
    root
}

fn leaf(index: u32, miner: Address, net: Gio) -> B256 {
    let mut preimage = vec![0x00];
    preimage.extend(index.to_be_bytes());
    preimage.extend(miner);
    preimage.extend(net.units().to_be_bytes());
    with_sum(keccak256(preimage), net.units())
}

/// `None` if the sum leaves 64 bits.
fn node(left: B256, right: B256) -> Option<B256> {
    let sum = sum(left).checked_add(sum(right))?;
    Some(with_sum(keccak256([left.0, right.0].concat()), sum))
}

fn with_sum(hash: B256, sum: u64) -> B256 {
    let mut bytes = hash.0;
    bytes[HASH_BYTES..].copy_from_slice(&sum.to_be_bytes());
    B256::from(bytes)
}

fn sum(node: B256) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&node.0[HASH_BYTES..]);
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(count: u8) -> PayoutTree {
        let nets = (0..count).map(|i| (Address::repeat_byte(i + 1), Gio::from_units(1 << i)));
        PayoutTree::new(nets.collect()).unwrap()
    }

    #[test]
    fn r09_every_leaf_has_a_proof_and_no_other_leaf_has() {
        for count in 1..20 {
            let tree = tree(count);
            assert_eq!(tree.net(), Gio::from_units((1 << count) - 1));
            for index in 0..u32::from(count) {
                let claim = tree.claim(0, index).unwrap();
                assert!(claim.is_in(tree.top()), "{index} of {count}");
                let more = PayoutClaim {
                    net: Gio::from_units(claim.net.units() + 1),
                    ..claim.clone()
                };
                assert!(!more.is_in(tree.top()));
                let fewer = PayoutClaim {
                    count: claim.index,
                    ..claim
                };
                assert!(!fewer.is_in(tree.top()));
            }
            assert_eq!(tree.claim(0, count.into()), None);
        }
    }

    #[test]
    fn r09_payouts_no_wallet_would_take_are_refused() {
        assert_eq!(PayoutTree::new(Vec::new()), Err(PayoutError::Count(0)));
        let all = (Address::ZERO, Gio::from_units(u64::MAX));
        assert_eq!(
            PayoutTree::new(vec![all, all]),
            Err(PayoutError::SumTooHigh)
        );
    }
}
