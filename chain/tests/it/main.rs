//! The chain through its public door.

mod crash;
mod disk;
mod forge;
mod peers;
mod reorg;
mod trouble;
