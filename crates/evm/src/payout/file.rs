//! The leaf file of a payout (docs/protocol.md section 7.1): what a hub keeps and serves, and a miner's proof is made
//! from. Its content root is in `PayoutPosted`, so it names its wallet: the same nets of two hubs are two files.

use gio_protocol::{Address, Gio};
use thiserror::Error;

use super::{COUNT_MAX, PayoutError, PayoutTree};

const MAGIC: &[u8; 8] = b"GIOPAY1\0";
const HEAD_BYTES: usize = 8 + 20 + 4;
const LEAF_BYTES: usize = 20 + 8;

/// Bytes that are no leaf file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LeafFileError {
    /// It begins with something else.
    #[error("this is no leaf file of a payout")]
    Magic,
    /// Cut off, or longer than its count says.
    #[error("the leaf file has {found} bytes instead of {expected}")]
    Length {
        /// What it should have.
        expected: usize,
        /// What it has.
        found: usize,
    },
    /// No payout is like this.
    #[error(transparent)]
    Payout(#[from] PayoutError),
}

/// The leaves of one payout of one wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafFile {
    /// Which wallet pays.
    pub wallet: Address,
    /// The payout.
    pub tree: PayoutTree,
}

impl LeafFile {
    /// Longest file: a payout's most leaves.
    pub const BYTES_MAX: usize = HEAD_BYTES + COUNT_MAX * LEAF_BYTES;

    /// How long the file of a payout with so many leaves is.
    #[must_use]
    pub fn bytes_of(count: u32) -> usize {
        HEAD_BYTES + count as usize * LEAF_BYTES
    }

    /// The file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let leaves = self.tree.leaves();
        let mut bytes = Vec::with_capacity(HEAD_BYTES + leaves.len() * LEAF_BYTES);
        bytes.extend(MAGIC);
        bytes.extend(self.wallet);
        bytes.extend(self.tree.count().to_be_bytes());
        for (miner, net) in leaves {
            bytes.extend(miner);
            bytes.extend(net.units().to_be_bytes());
        }
        bytes
    }

    /// Reads a file, which may come from anywhere.
    ///
    /// # Errors
    /// [`LeafFileError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, LeafFileError> {
        let (head, rest) = bytes
            .split_at_checked(HEAD_BYTES)
            .filter(|(head, _)| head.starts_with(MAGIC))
            .ok_or(LeafFileError::Magic)?;
        let wallet = Address::from_slice(&head[8..28]);
        let count = u32::from_be_bytes(head[28..].try_into().expect("four bytes are left"));
        if count as usize > COUNT_MAX {
            return Err(PayoutError::Count(count as usize).into());
        }
        let expected = Self::bytes_of(count);
        if bytes.len() != expected {
            return Err(LeafFileError::Length {
                expected,
                found: bytes.len(),
            });
        }
        let leaves = rest.chunks_exact(LEAF_BYTES).map(|leaf| {
            let (miner, net) = leaf.split_at(20);
            let net = u64::from_be_bytes(net.try_into().expect("eight bytes are left"));
            (Address::from_slice(miner), Gio::from_units(net))
        });
        let tree = PayoutTree::new(leaves.collect())?;
        Ok(Self { wallet, tree })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(count: u8) -> LeafFile {
        let nets = (0..count).map(|i| (Address::repeat_byte(i), Gio::from_units(u64::from(i))));
        LeafFile {
            wallet: Address::repeat_byte(0x77),
            tree: PayoutTree::new(nets.collect()).unwrap(),
        }
    }

    #[test]
    fn r09_a_leaf_file_reads_back_and_has_the_length_its_count_says() {
        for count in [1, 2, 3, 200] {
            let file = file(count);
            let bytes = file.encode();
            assert_eq!(bytes.len(), LeafFile::bytes_of(count.into()));
            assert_eq!(LeafFile::decode(&bytes).unwrap(), file);
        }
    }

    #[test]
    fn a_damaged_leaf_file_is_refused_or_another_payout() {
        let file = file(3);
        let bytes = file.encode();
        for cut in 0..bytes.len() {
            assert!(LeafFile::decode(&bytes[..cut]).is_err(), "{cut}");
        }
        assert!(LeafFile::decode(&[&bytes[..], &[0]].concat()).is_err());
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            // Whoever reads it compares the content root, or the top node, with what was posted.
            assert_ne!(LeafFile::decode(&bytes).ok(), Some(file.clone()), "{at}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), magic in any::<bool>()) {
            let bytes = if magic { [MAGIC.as_slice(), &bytes].concat() } else { bytes };
            if let Ok(file) = LeafFile::decode(&bytes) {
                prop_assert_eq!(file.encode(), bytes);
            }
        }
    }
}
