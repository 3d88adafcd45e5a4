//! The node of the GIO coin: it keeps the chain, follows the branch with the most work, and
//! never loses a block it accepted.

#![warn(missing_docs)]

mod bodies;
mod chain;
mod mempool;
mod store;
pub mod wire;

pub use bodies::{BodyError, BodyFile, BodyLog, BodyPlace};
pub use chain::{
    AddBlockError, AddHeadersError, Added, Chain, ChainError, ChainEvent, InvalidBlock,
};
pub use mempool::{
    AdmitError, Entry, FeeRate, Mempool, MempoolLimits, NextBlock, PolicyError, Selection,
};
pub use store::{Store, StoreError};
