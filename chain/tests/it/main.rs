//! The chain through its public door.

mod abuse;
mod clock;
mod compact;
mod crash;
mod daemon;
mod decoders;
mod disk;
mod forge;
mod full_block;
#[path = "../../../tests/support/golden.rs"]
mod golden;
mod http;
mod litecoin;
mod operate;
mod pages;
mod partial_tree;
mod peers;
mod processes;
mod reindex;
mod relay;
mod reorg;
mod sigops;
mod trouble;
