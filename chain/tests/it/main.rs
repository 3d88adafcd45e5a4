//! The chain through its public door.

mod crash;
mod daemon;
mod disk;
mod forge;
mod peers;
mod processes;
mod reorg;
mod trouble;
