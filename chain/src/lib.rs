//! The node of the GIO coin: it keeps the chain, follows the branch with the most work, and
//! never loses a block it accepted.

#![warn(missing_docs)]

mod address;
mod bodies;
mod chain;
pub mod cli;
mod client;
mod clock;
mod commands;
pub mod config;
pub mod decoders;
mod folder;
mod ledger;
mod mempool;
mod metrics;
mod node;
mod peers;
mod rpc;
mod store;
mod trouble;
pub mod wire;

pub use address::{AddressError, script_of};
pub use bodies::{BodyError, BodyFile, BodyLog, BodyPlace};
pub use chain::{
    AddBlockError, AddHeadersError, Added, Chain, ChainError, ChainEvent, InvalidBlock,
};
pub use clock::Clock;
pub use ledger::{Ledger, LedgerBroken, LedgerGone, LedgerHandle, MineError, SubmitError};
pub use mempool::{
    AdmitError, Entry, FeeRate, Mempool, MempoolLimits, NextBlock, PolicyError, Room, Selection,
};
pub use peers::{
    Command, CompactCounts, Manager, Patience, PeerInfo, PeerSettings, PeersError, PeersHandle,
    Stay,
};
pub use store::{Store, StoreError};
