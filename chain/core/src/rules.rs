//! What makes a transaction, header or block valid.
//!
//! Each file holds one operation and its error; each variant of an error is one rule of
//! `docs/coin.md`.

mod block;
mod header;
mod locks;
mod transaction;

pub(crate) use block::static_sigops;
pub use block::{BlockError, MAX_BLOCK_SIGOPS, check_block, check_block_at, witness_commitment};
pub use header::{HeaderContext, HeaderError, check_header};
pub use locks::{LOCK_TIME_THRESHOLD, SpentAt, is_final, relative_locks_hold};
pub(crate) use locks::{SEQUENCE_DISABLED, SEQUENCE_FINAL, SEQUENCE_IS_TIME, SEQUENCE_MASK};
pub use transaction::{MAX_TX_SIGOPS, TransactionError, check_transaction};
