//! The development network and what the end-to-end stories share.

pub mod bench;
pub mod chain;
pub mod coin;
pub mod devnet;
pub mod fail_points;
pub mod hosts;
pub mod paths;
pub mod process;
pub mod report;
pub mod vectors;
