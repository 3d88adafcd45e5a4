//! The envelope of a message: magic, name, length, checksum.

use gio_coin::{MAX_BLOCK_BYTES, MAX_TX_BYTES, sha256d};
use thiserror::Error;

use super::compact::MAX_BLOCK_TXS;
use super::message::{MAX_ADDRESSES, MAX_HEADERS, MAX_INVENTORY, Message};
use gio_coin::DecodeError;

/// Magic 4, name 12, length 4, checksum 4.
pub const HEAD_BYTES: usize = 24;

/// Longest payload of a message nobody here knows: room for what later versions may add.
const UNKNOWN_BYTES_MAX: usize = 4096;

/// Bytes that are no message of this network. Each is a reason to hang up and not come back.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// Another network, or no network at all.
    #[error("the message is not of this network (magic {0:02x?})")]
    Magic([u8; 4]),
    /// The name is not ASCII padded with zeros.
    #[error("the name of the message is malformed")]
    Name,
    /// Longer than any valid message of its kind.
    #[error("a `{name}` of {length} bytes, at most {max} are allowed")]
    TooLong {
        /// Its name.
        name: String,
        /// The length it announces.
        length: u32,
        /// The limit.
        max: usize,
    },
    /// The payload is not the one the head names.
    #[error("the checksum of a `{0}` is wrong")]
    Checksum(String),
    /// The payload is not an encoding of such a message.
    #[error("a malformed `{name}`")]
    Payload {
        /// Its name.
        name: String,
        /// What is wrong.
        #[source]
        source: DecodeError,
    },
}

/// The head of a message, its limits checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameHead {
    /// What the message is called.
    pub name: String,
    /// Bytes that follow.
    pub length: usize,
    checksum: [u8; 4],
}

/// A message as it came: known or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// One this version knows.
    Known(Box<Message>),
    /// One it does not; to be passed over.
    Unknown(String),
}

/// The longest payload of a message of this name.
fn bytes_max(name: &str) -> usize {
    match name {
        // Of a block without its header, both leave out more than they add.
        "block" | "cmpctblock" | "blocktxn" => MAX_BLOCK_BYTES,
        "getblocktxn" => 35 + MAX_BLOCK_TXS * 3,
        "tx" => MAX_TX_BYTES,
        "headers" => 3 + MAX_HEADERS * 81,
        "inv" | "getdata" | "notfound" => 3 + MAX_INVENTORY * 36,
        "addr" => 3 + MAX_ADDRESSES * 30,
        _ => UNKNOWN_BYTES_MAX,
    }
}

impl FrameHead {
    /// Reads a head and refuses what is not of this network or too long.
    ///
    /// # Errors
    /// [`FrameError`].
    pub fn decode(bytes: &[u8; HEAD_BYTES], magic: [u8; 4]) -> Result<Self, FrameError> {
        let [m0, m1, m2, m3, rest @ ..] = *bytes;
        if [m0, m1, m2, m3] != magic {
            return Err(FrameError::Magic([m0, m1, m2, m3]));
        }
        let (name, rest) = rest.split_at(12);
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(12);
        let (word, padding) = name.split_at(end);
        let printable = word.iter().all(u8::is_ascii_graphic);
        if !printable || padding.iter().any(|byte| *byte != 0) {
            return Err(FrameError::Name);
        }
        let name = String::from_utf8_lossy(word).into_owned();
        let (length, checksum) = rest.split_at(4);
        let number = |bytes: &[u8]| <[u8; 4]>::try_from(bytes).unwrap_or_default();
        let (length, checksum) = (u32::from_le_bytes(number(length)), number(checksum));
        let max = bytes_max(&name);
        if length as usize > max {
            return Err(FrameError::TooLong { name, length, max });
        }
        Ok(Self {
            name,
            length: length as usize,
            checksum,
        })
    }

    /// The message, its payload read.
    ///
    /// # Errors
    /// [`FrameError::Checksum`], [`FrameError::Payload`].
    pub fn message(self, payload: &[u8]) -> Result<Frame, FrameError> {
        if payload.len() != self.length || sha256d(payload)[..4] != self.checksum {
            return Err(FrameError::Checksum(self.name));
        }
        match Message::decode(&self.name, payload) {
            None => Ok(Frame::Unknown(self.name)),
            Some(Ok(message)) => Ok(Frame::Known(Box::new(message))),
            Some(Err(source)) => Err(FrameError::Payload {
                name: self.name,
                source,
            }),
        }
    }
}

/// A message in its envelope.
///
/// # Panics
/// Never: messages are far below 4 GiB and their names below 12 bytes.
#[must_use]
pub fn encode(message: &Message, magic: [u8; 4]) -> Vec<u8> {
    envelope(message.name(), &message.payload(), magic)
}

/// A payload in the envelope of a message of this name.
///
/// # Panics
/// If the name has more than 12 bytes or the payload 4 GiB: no message does.
#[must_use]
pub(crate) fn envelope(message: &str, payload: &[u8], magic: [u8; 4]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("messages are far below 4 GiB");
    let mut bytes = Vec::with_capacity(HEAD_BYTES + payload.len());
    bytes.extend(magic);
    let mut name = [0; 12];
    name[..message.len()].copy_from_slice(message.as_bytes());
    bytes.extend(name);
    bytes.extend(length.to_le_bytes());
    bytes.extend(&sha256d(payload)[..4]);
    bytes.extend(payload);
    bytes
}
