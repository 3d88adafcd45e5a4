//! The development network and what the end-to-end stories share.

pub mod chain;
pub mod devnet;
pub mod paths;
pub mod process;
pub mod report;
pub mod vectors;
