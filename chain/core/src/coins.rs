//! Unspent outputs, and what a block does to them.
//!
//! Everything here is a function from a block and the coins it spends to a list of changes;
//! who keeps the coins applies the list, whole or not at all. Undoing a block is the same
//! kind of list, made from the block and what was kept when it was connected.

mod connect;
mod error;
mod set;

use gio_protocol::Gio;

use crate::hash::LinkHash;
use crate::params::COINBASE_MATURITY;
use crate::script::Script;
use crate::transaction::{MAX_TX_BYTES, OutPoint, TxOut};
use crate::wire::{DecodeError, Reader, Sink, put_var_bytes};

pub use connect::{
    BlockContext, BlockUndo, Connected, Spend, connect_block, connect_genesis, disconnect_block,
    spend_transaction, transaction_sigops,
};
pub use error::{ApplyError, ConnectError, SpendError, UndoError};
pub use set::UtxoSet;

/// An unspent output, without the bytes of its link: their hash is enough to check what a
/// wallet or the bridge says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coin {
    /// The amount.
    pub value: Gio,
    /// The condition for spending it.
    pub script_pubkey: Script,
    /// SHA-256 of its link, if it has one.
    pub link: Option<LinkHash>,
    /// Height of the block that made it.
    pub height: u32,
    /// Whether a coinbase made it.
    pub is_coinbase: bool,
}

/// The flag of a coin made by a coinbase, in its stored form.
const STORED_COINBASE: u8 = 1;
/// The flag of a coin with a link.
const STORED_LINK: u8 = 2;

impl Coin {
    /// The coin an output becomes.
    #[must_use]
    pub fn new(output: &TxOut, height: u32, is_coinbase: bool) -> Self {
        Self {
            value: output.value,
            script_pubkey: output.script_pubkey.clone(),
            link: output.link.hash(),
            height,
            is_coinbase,
        }
    }

    /// Whether it may be spent in the block at `height`.
    #[must_use]
    pub const fn is_mature_at(&self, height: u32) -> bool {
        !self.is_coinbase || height.saturating_sub(self.height) >= COINBASE_MATURITY
    }

    /// Writes the stored form: flags, height, amount, link hash if any, script.
    pub fn write<S: Sink + ?Sized>(&self, sink: &mut S) {
        let coinbase = if self.is_coinbase { STORED_COINBASE } else { 0 };
        let link = if self.link.is_some() { STORED_LINK } else { 0 };
        sink.put(&[coinbase | link]);
        sink.put(&self.height.to_le_bytes());
        sink.put(&self.value.units().to_le_bytes());
        if let Some(link) = &self.link {
            sink.put(link.as_bytes());
        }
        put_var_bytes(sink, self.script_pubkey.as_bytes());
    }

    /// The stored form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.script_pubkey.as_bytes().len() + 50);
        self.write(&mut bytes);
        bytes
    }

    /// Reads a coin off the front.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let flags = reader.u8()?;
        if flags & !(STORED_COINBASE | STORED_LINK) != 0 {
            return Err(DecodeError::UnknownFlag(flags));
        }
        let height = reader.u32()?;
        let value = Gio::from_units(reader.u64()?);
        let link = match flags & STORED_LINK {
            0 => None,
            _ => Some(LinkHash::from_bytes(reader.array()?)),
        };
        Ok(Self {
            value,
            script_pubkey: Script::new(reader.var_bytes("output script", MAX_TX_BYTES)?),
            link,
            height,
            is_coinbase: flags & STORED_COINBASE != 0,
        })
    }

    /// Exactly one coin.
    ///
    /// # Errors
    /// [`DecodeError`] unless the bytes are what [`Coin::encode`] would give.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let coin = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(coin)
    }
}

/// Where the coins a block spends are found.
pub trait CoinView {
    /// The coin, if it exists and is unspent.
    fn coin(&self, point: &OutPoint) -> Option<&Coin>;
}

impl CoinView for std::collections::BTreeMap<OutPoint, Coin> {
    fn coin(&self, point: &OutPoint) -> Option<&Coin> {
        self.get(point)
    }
}

/// What connecting or disconnecting a block changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CoinChanges {
    /// Coins that come into being.
    pub created: Vec<(OutPoint, Coin)>,
    /// Coins that cease to be.
    pub removed: Vec<OutPoint>,
}

#[cfg(test)]
mod tests;
