//! The node of the GIO coin: it keeps the chain, follows the branch with the most work, and
//! never loses a block it accepted.

#![warn(missing_docs)]

mod bodies;
mod chain;
mod ledger;
mod mempool;
mod peers;
mod store;
pub mod wire;

pub use bodies::{BodyError, BodyFile, BodyLog, BodyPlace};
pub use chain::{
    AddBlockError, AddHeadersError, Added, Chain, ChainError, ChainEvent, InvalidBlock,
};
pub use ledger::{Ledger, LedgerGone, LedgerHandle, MineError, SubmitError};
pub use mempool::{
    AdmitError, Entry, FeeRate, Mempool, MempoolLimits, NextBlock, PolicyError, Selection,
};
pub use peers::{Command, Manager, PeerInfo, PeerSettings, PeersError, PeersHandle, Stay};
pub use store::{Store, StoreError};
