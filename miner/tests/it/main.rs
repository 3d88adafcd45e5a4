//! The miner against a hub of the test's own, over the real network on loopback, with real WASM units. The chain's
//! answers are injected.
#![expect(
    clippy::unwrap_used,
    reason = "a helper that cannot go on fails its test"
)]

mod chain;
mod contents;
mod discovery;
#[path = "../../../tests/support/golden.rs"]
mod golden;
mod hub;
mod job;
mod market;
mod operate;
mod pages;
mod pay;
mod payouts;
mod refusals;
mod session;
mod shutdown;
