//! What peers say to each other: Bitcoin's messages, byte for byte, under the network's own magic
//! (`docs/coin.md` 13).
//!
//! Pure: bytes to values and back. The limits stand here because they are checked on the head of a message,
//! before a byte of its payload is taken into memory.

mod compact;
mod frame;
mod message;
#[cfg(test)]
mod tests;

pub use compact::{BlockTxn, BlockTxnRequest, CompactBlock, MAX_BLOCK_TXS, ShortId, ShortIds};
pub(crate) use frame::envelope;
pub use frame::{Frame, FrameError, FrameHead, HEAD_BYTES, encode};
pub use message::{
    Hello, Inventory, MAX_ADDRESSES, MAX_HEADERS, MAX_INVENTORY, MAX_LOCATOR, Message, Net,
    PeerAddress,
};
