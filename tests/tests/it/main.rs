//! Everything that needs more than one package.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod adversity;
mod coin;
mod crash;
mod demo;
mod documents;
mod edges;
mod front_end;
#[path = "../../support/golden.rs"]
mod golden;
mod government;
mod guests;
mod hosts;
mod killed;
mod logs;
mod market;
mod money;
mod pages;
mod payouts;
/// wasmtime alone, the oracle the sandbox's own tests use.
#[path = "../../../crates/runtime/tests/support/peer.rs"]
#[expect(unreachable_pub, reason = "the file belongs to another test")]
mod peer;
mod people;
mod postgres;
mod restart;
mod royalty;
mod story;
mod vectors;
