//! The rules of the GIO coin: what a valid header, transaction, block and chain are.
//!
//! The byte formats are written down in `docs/coin.md`; this crate is their implementation.
//! It is pure: it decides over values it is given, `now` and stored coins included, and has
//! no clock, file, socket or random source.

#![warn(missing_docs)]
#![deny(clippy::float_arithmetic)]

#[cfg(test)]
mod arbitrary;
mod block;
mod hash;
mod header;
mod link;
mod merkle;
mod script;
mod scrypt;
mod target;
mod transaction;
mod wire;

pub use block::{Block, MAX_BLOCK_BYTES};
pub use hash::{BlockHash, LinkHash, MerkleRoot, PowHash, Txid, Wtxid, sha256, sha256d};
pub use header::{HEADER_BYTES, Header};
pub use link::{Link, LinkTooLong, MAX_LINK_BYTES};
pub use merkle::{MerkleTree, MutatedTree, merkle_root};
pub use script::Script;
pub use scrypt::{ScryptHasher, ScryptPath};
pub use target::{CompactTarget, CompactTargetError, Target, Work};
pub use transaction::{MAX_TX_BYTES, OutPoint, Transaction, TxIn, TxOut, Witness};
pub use wire::{ByteCount, DecodeError, Reader, Sink, put_compact, put_var_bytes};
