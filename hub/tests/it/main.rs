//! The hub through its doors: real nodes on loopback, a real EVM chain, a hub started by the code of `gio-hub start`.

#![allow(clippy::unwrap_used, reason = "the whole binary is a test")]

mod bonds;
mod cli;
mod content;
#[path = "../../../tests/support/golden.rs"]
mod golden;
mod life;
mod market;
mod miners;
mod operate;
mod outage;
mod people;
#[allow(dead_code, reason = "the chain's own tests use the rest")]
#[path = "../../../crates/evm/tests/it/proxy.rs"]
mod proxy;
mod refusals;
mod reorganised;
mod restart;
mod support;
mod time;
