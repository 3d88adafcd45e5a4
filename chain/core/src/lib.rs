//! The rules of the GIO coin: what a valid header, transaction, block and chain are.
//!
//! The byte formats are written down in `docs/coin.md`; this crate is their implementation.
//! It is pure: it decides over values it is given, `now` and stored coins included, and has
//! no clock, file, socket or random source.

#![warn(missing_docs)]
#![deny(clippy::float_arithmetic)]

#[cfg(test)]
mod arbitrary;
mod block;
mod coins;
mod difficulty;
mod genesis;
mod hash;
mod header;
mod headers;
mod link;
mod merkle;
mod mining;
mod params;
mod rules;
mod script;
mod scrypt;
mod spv;
mod subsidy;
mod target;
mod transaction;
mod wire;
mod work;

pub use block::{Block, MAX_BLOCK_BYTES};
pub use coins::{
    ApplyError, BlockContext, BlockUndo, Coin, CoinChanges, CoinView, ConnectError, Connected,
    Spend, SpendError, UndoError, UtxoSet, connect_block, connect_genesis, disconnect_block,
    spend_transaction, transaction_sigops,
};
pub use difficulty::{is_retarget, measured_from, retarget};
pub use genesis::Backing;
pub use hash::{BlockHash, LinkHash, MerkleRoot, NotAHash, PowHash, Txid, Wtxid, sha256, sha256d};
pub use header::{HEADER_BYTES, Header};
pub use headers::{HeaderTree, InsertError, Route};
pub use link::{Link, LinkTooLong, MAX_LINK_BYTES};
pub use merkle::{MerkleTree, MutatedTree, merkle_root};
pub use mining::{assemble, coinbase};
pub use params::{
    AddressPrefixes, COINBASE_MATURITY, FUTURE_SECONDS_MAX, MEDIAN_TIME_SPAN, Network, Params,
    RETARGET_INTERVAL, RETARGET_SECONDS, SPACING_SECONDS,
};
pub use rules::{
    BlockError, HeaderContext, HeaderError, LOCK_TIME_THRESHOLD, MAX_BLOCK_SIGOPS, MAX_TX_SIGOPS,
    SpentAt, TransactionError, check_block, check_block_at, check_header, check_transaction,
    is_final, relative_locks_hold, witness_commitment,
};
pub use script::{
    InputError, SIGHASH_ALL, SIGHASH_ANYONE, SIGHASH_DEFAULT, SIGHASH_NONE, SIGHASH_SINGLE, Script,
    ScriptBuilder, ScriptError, SignatureHashes, Strictness, TaprootExtra, WitnessProgram, opcode,
    verify_input, verify_transaction,
};
pub use scrypt::{ScryptHasher, ScryptPath};
pub use spv::{SpvError, SpvProof};
pub use subsidy::{HALVING_INTERVAL, MAX_MONEY, PREMINE, PREMINED_REWARDS, issued, subsidy};
pub use target::{CompactTarget, CompactTargetError, Target, Work};
pub use transaction::{MAX_TX_BYTES, OutPoint, Transaction, TxIn, TxOut, Witness};
pub use wire::{ByteCount, DecodeError, Reader, Sink, put_compact, put_var_bytes};
pub use work::{WorkError, check_work, claimed_target, mine, work_hash};
