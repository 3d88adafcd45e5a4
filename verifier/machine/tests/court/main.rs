//! The court's verifier against its mirror: every proof goes through the contract in an EVM and through the Rust
//! transcription, and both must answer the same two hashes or refuse with the same fault.
//!
//! The contracts come from `contracts/out`, where `forge build` puts them.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![allow(
    clippy::disallowed_methods,
    reason = "contracts and figures are files; what is tested has none"
)]
#![allow(unreachable_pub, reason = "every module here is private to the test")]

mod apps;
mod branches;
mod bugs;
mod bulk;
mod dear;
mod differential;
mod edges;
mod engine;
mod evm;
mod floats;
mod fuzz;
mod gas;
mod host_edges;
mod mutation;
mod numeric;
mod oracles;
mod programs;
mod scene;
mod shapes;
#[path = "../support/mod.rs"]
mod support;
mod tree;
mod values;
mod witness;

use support::rng;
