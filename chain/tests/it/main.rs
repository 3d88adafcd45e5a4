//! The chain through its public door.

mod clock;
mod compact;
mod crash;
mod daemon;
mod decoders;
mod disk;
mod forge;
mod http;
mod litecoin;
mod partial_tree;
mod peers;
mod processes;
mod reorg;
mod trouble;
