//! Hashes by their role: a block id is not a transaction id, and the compiler knows.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use thiserror::Error;

/// SHA-256.
#[must_use]
pub fn sha256(data: &[u8]) -> [u8; 32] {
    Sha256::digest(data).into()
}

/// SHA-256 applied twice: the hash behind ids, Merkle nodes and signatures.
#[must_use]
pub fn sha256d(data: &[u8]) -> [u8; 32] {
    sha256(&sha256(data))
}

/// Finishes a running SHA-256 and hashes its result once more.
pub(crate) fn finish_sha256d(engine: Sha256) -> [u8; 32] {
    sha256(&engine.finalize())
}

/// RIPEMD-160 of SHA-256, as in pay-to-public-key-hash.
pub(crate) fn hash160(data: &[u8]) -> [u8; 20] {
    ripemd::Ripemd160::digest(sha256(data)).into()
}

/// An engine that already absorbed a tag as BIP 340 defines it.
pub(crate) fn tagged_engine(tag: &str) -> Sha256 {
    let tag = sha256(tag.as_bytes());
    Sha256::new().chain_update(tag).chain_update(tag)
}

/// A text is not 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is not a hash (64 hexadecimal digits)")]
pub struct NotAHash(pub String);

fn parse_reversed(text: &str) -> Result<[u8; 32], NotAHash> {
    let bad = || NotAHash(text.to_owned());
    if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(bad());
    }
    let mut bytes = [0; 32];
    for (place, pair) in bytes.iter_mut().rev().zip(text.as_bytes().chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| bad())?;
        *place = u8::from_str_radix(pair, 16).map_err(|_| bad())?;
    }
    Ok(bytes)
}

macro_rules! hash_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// From the bytes as they stand in a message (the reverse of the printed order).
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The bytes as they stand in a message.
            #[must_use]
            pub const fn to_bytes(self) -> [u8; 32] {
                self.0
            }

            /// The bytes as they stand in a message.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().rev().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = NotAHash;

            fn from_str(text: &str) -> Result<Self, NotAHash> {
                parse_reversed(text).map(Self)
            }
        }
    };
}

hash_type!(
    /// Id of a block: SHA-256d of its header.
    BlockHash
);
hash_type!(
    /// Id of a transaction: SHA-256d of its bytes without witnesses, links included.
    Txid
);
hash_type!(
    /// SHA-256d of a transaction's complete bytes.
    Wtxid
);
hash_type!(
    /// Root (or inner node) of a Merkle tree over transactions.
    MerkleRoot
);
hash_type!(
    /// scrypt of a header: small enough, it is the proof of work.
    PowHash
);
hash_type!(
    /// SHA-256 of a link: all the UTXO set remembers of it.
    LinkHash
);

impl Txid {
    /// The leaf of this transaction in a block's Merkle tree.
    #[must_use]
    pub const fn to_leaf(self) -> MerkleRoot {
        MerkleRoot(self.0)
    }
}

impl Wtxid {
    /// The leaf of this transaction in a block's witness tree.
    #[must_use]
    pub const fn to_leaf(self) -> MerkleRoot {
        MerkleRoot(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_the_reverse_of_the_bytes() {
        let mut bytes = [0; 32];
        bytes[0] = 0xab;
        let hash = BlockHash::from_bytes(bytes);
        assert!(hash.to_string().ends_with("00ab"));
        assert_eq!(hash.to_string().parse(), Ok(hash));
        for bad in ["", "00", &"g".repeat(64), &"é".repeat(32), &"+0".repeat(32)] {
            assert_eq!(bad.parse::<Txid>(), Err(NotAHash(bad.to_owned())));
        }
    }

    #[test]
    fn published_hash_vectors() {
        let hash160_of_nothing = "b472a266d0bd89c13706a4132ccfb16f7c3b9fcb";
        assert_eq!(hex::encode(hash160(b"")), hash160_of_nothing);
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex::encode(sha256(b"abc")), abc);
        let hello = "9595c9df90075148eb06860365df33584b75bff782a510c6cd4883a419833d50";
        assert_eq!(hex::encode(sha256d(b"hello")), hello);
    }
}
