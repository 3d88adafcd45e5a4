//! The miner's doors to the world: database, contents on disk, chain, wire, log and console.

pub mod chain;
pub mod console;
pub mod contents;
pub mod leaves;
pub mod metrics;
pub mod observe;
pub mod store;
pub mod wire;
