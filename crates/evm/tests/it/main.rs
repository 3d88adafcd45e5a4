//! gio-evm against a real node: every test starts its own anvil and deploys its own market.

#![allow(
    clippy::unwrap_used,
    reason = "what a test cannot set up, fails the test"
)]

mod audit;
mod connect;
mod cycle;
mod faults;
mod ids;
mod market;
mod nonces;
mod period;
mod proxy;
mod reverts;
