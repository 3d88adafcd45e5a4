//! Decisions of a miner, all pure: facts and the time come in as arguments, verdicts go out.

pub mod book;
pub mod exposure;
pub mod order;
pub mod patience;
pub mod selection;
pub mod trust;
pub mod turns;
pub mod waits;
