//! Content roots: the address of some bytes, a SHA-256 Merkle root over 16 KiB blocks as BEP 52 computes it.
//!
//! # Security
//! A content root is an address, never a proof (R4): what a unit put out is proven by its output root.

use gio_protocol::B256;
use sha2::{Digest, Sha256};

/// BEP 52's block size.
pub const BLOCK_BYTES: usize = 16 * 1024;

/// The content root of `bytes`.
#[must_use]
pub fn content_root(bytes: &[u8]) -> B256 {
    if bytes.is_empty() {
        return sha256(&[]);
    }
    let mut level: Vec<B256> = bytes.chunks(BLOCK_BYTES).map(sha256).collect();
    level.resize(level.len().next_power_of_two(), B256::ZERO);
    while level.len() > 1 {
        level = level
            .chunks_exact(2)
            .map(|pair| parent(pair[0], pair[1]))
            .collect();
    }
    level[0]
}

fn sha256(bytes: &[u8]) -> B256 {
    B256::from(<[u8; 32]>::from(Sha256::digest(bytes)))
}

fn parent(left: B256, right: B256) -> B256 {
    let mut hash = Sha256::new();
    hash.update(left);
    hash.update(right);
    B256::from(<[u8; 32]>::from(hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_files_are_their_hash_and_large_ones_a_padded_tree() {
        assert_eq!(content_root(b"abc"), sha256(b"abc"));
        assert_eq!(content_root(b""), sha256(b""));
        let bytes = vec![7u8; 2 * BLOCK_BYTES + 1];
        let (full, last) = (
            sha256(&bytes[..BLOCK_BYTES]),
            sha256(&bytes[2 * BLOCK_BYTES..]),
        );
        let expected = parent(parent(full, full), parent(last, B256::ZERO));
        assert_eq!(content_root(&bytes), expected);
    }
}
