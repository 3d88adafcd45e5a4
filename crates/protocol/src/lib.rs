//! The vocabulary of GIO: ids, amounts, terms, claims, trees, and every hash preimage of `docs/protocol.md`.
//!
//! Pure: no clock, file, socket, randomness or environment. Solidity implements the same page;
//! `tests/vectors/formats.json` holds both to it.
#![warn(missing_docs)]
#![deny(clippy::float_arithmetic)]

pub mod amount;
pub mod claim;
pub mod claims_file;
pub mod deal;
pub mod eip712;
mod keccak;
mod reader;
pub mod signature;
pub mod terms;
pub mod time;
pub mod tree;
mod work;

pub use alloy_primitives::{Address, B256, U256};
pub use amount::{
    AmountError, Cu, Gio, PricePerPu, bill, gross_of_net, least_gross_price, lock_of_gross,
};
pub use claim::{Claim, Status};
pub use claims_file::{ClaimsFile, ClaimsFileError, SignedClaim};
pub use deal::{DealId, DealStage};
pub use eip712::{
    Domain, acceptance_hash, acceptances_digest, acceptances_root, cancellation_digest,
    confirmation_digest,
};
pub use keccak::keccak256;
pub use reader::DecodeError;
pub use signature::Signature;
pub use terms::{
    DealTerms, MachineParams, TermsError, UNITS_MAX, VerificationMode, seed_commitment, unit_seed,
};
pub use time::UnixSeconds;
pub use tree::job::{JobTree, UnitKind, UnitLeaf};
pub use tree::result::{ResultTree, SumNode};
pub use tree::words::word_root;
pub use work::Work;

/// `TAG(x)` of `docs/protocol.md` section 1: the Keccak-256 of an ASCII name.
#[must_use]
pub fn tag(name: &str) -> B256 {
    keccak256(name.as_bytes())
}
