//! The word tree (F2, R4): a keccak tree of fixed depth over 32-byte words, zero past the end.

use std::sync::LazyLock;

use alloy_primitives::B256;
use thiserror::Error;

use crate::keccak::keccak256;

/// Deepest word tree: 2^27 words are 4 GiB, all a 32-bit machine can address.
pub const DEPTH_MAX: u8 = 27;

/// Roots of trees that are all zero, by depth: half of the hashing of a short text, which every unit's output is.
static ZEROS: LazyLock<[B256; DEPTH_MAX as usize + 1]> = LazyLock::new(|| {
    let mut zeros = [B256::ZERO; DEPTH_MAX as usize + 1];
    for depth in 1..zeros.len() {
        zeros[depth] = parent(zeros[depth - 1], zeros[depth - 1]);
    }
    zeros
});

/// The data has no place in a tree of this depth.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{length} bytes do not fit in a word tree of depth {depth}")]
pub struct TooLong {
    /// Bytes given.
    pub length: usize,
    /// The tree's depth.
    pub depth: u8,
}

/// Root of the tree of `depth` levels over `data`, padded with zeros.
///
/// # Errors
/// [`TooLong`] if the data exceeds `32 · 2^depth` bytes or the depth exceeds [`DEPTH_MAX`].
pub fn word_root(data: &[u8], depth: u8) -> Result<B256, TooLong> {
    if depth > DEPTH_MAX || data.len() > 32usize << depth {
        return Err(TooLong {
            length: data.len(),
            depth,
        });
    }
    let mut level: Vec<B256> = data.chunks(32).map(B256::right_padding_from).collect();
    for zero in &ZEROS[..usize::from(depth)] {
        if level.len() % 2 == 1 {
            level.push(*zero);
        }
        // In place: the parents of the first pairs are behind what is still to be read.
        for pair in 0..level.len() / 2 {
            level[pair] = parent(level[2 * pair], level[2 * pair + 1]);
        }
        level.truncate(level.len() / 2);
    }
    let empty = ZEROS[usize::from(depth)];
    Ok(level.first().copied().unwrap_or(empty))
}

/// `keccak(left ‖ right)`.
#[must_use]
pub fn parent(left: B256, right: B256) -> B256 {
    let mut bytes = [0u8; 64];
    bytes[..32].copy_from_slice(left.as_slice());
    bytes[32..].copy_from_slice(right.as_slice());
    keccak256(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, node by node.
    fn naive(data: &[u8], depth: u8) -> B256 {
        let mut level = vec![B256::ZERO; 1 << depth];
        for (word, chunk) in level.iter_mut().zip(data.chunks(32)) {
            *word = B256::right_padding_from(chunk);
        }
        while level.len() > 1 {
            level = level
                .chunks(2)
                .map(|pair| parent(pair[0], pair[1]))
                .collect();
        }
        level[0]
    }

    #[test]
    fn r04_sparse_and_full_trees_agree() {
        for depth in 0..=6u8 {
            for length in (0..=32usize << depth).step_by(7).chain([32usize << depth]) {
                let data: Vec<u8> = (0..length)
                    .map(|i| u8::try_from(i % 251).unwrap() + 1)
                    .collect();
                assert_eq!(
                    word_root(&data, depth).unwrap(),
                    naive(&data, depth),
                    "{length} bytes at depth {depth}"
                );
            }
            assert!(word_root(&vec![0; (32usize << depth) + 1], depth).is_err());
        }
    }
}
