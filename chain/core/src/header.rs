//! The 80-byte block header.

use crate::hash::{BlockHash, MerkleRoot, sha256d};
use crate::target::CompactTarget;
use crate::wire::{DecodeError, Reader};

/// Every header has this size; scrypt and SHA-256d run over exactly these bytes.
pub const HEADER_BYTES: usize = 80;

/// A block header: what miners work on and light clients keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    /// Free for signalling; no value is refused.
    pub version: u32,
    /// Id of the block before.
    pub previous: BlockHash,
    /// Root over the ids of the block's transactions.
    pub merkle_root: MerkleRoot,
    /// When the miner says it began, Unix seconds.
    pub time: u32,
    /// The target its work meets.
    pub bits: CompactTarget,
    /// What the miner varies.
    pub nonce: u32,
}

impl Header {
    /// The 80 bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..4].copy_from_slice(&self.version.to_le_bytes());
        bytes[4..36].copy_from_slice(self.previous.as_bytes());
        bytes[36..68].copy_from_slice(self.merkle_root.as_bytes());
        bytes[68..72].copy_from_slice(&self.time.to_le_bytes());
        bytes[72..76].copy_from_slice(&self.bits.0.to_le_bytes());
        bytes[76..].copy_from_slice(&self.nonce.to_le_bytes());
        bytes
    }

    /// Reads a header off the front.
    ///
    /// # Errors
    /// [`DecodeError::UnexpectedEnd`].
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            version: reader.u32()?,
            previous: BlockHash::from_bytes(reader.array()?),
            merkle_root: MerkleRoot::from_bytes(reader.array()?),
            time: reader.u32()?,
            bits: CompactTarget(reader.u32()?),
            nonce: reader.u32()?,
        })
    }

    /// Exactly one header.
    ///
    /// # Errors
    /// [`DecodeError`] unless there are exactly 80 bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let header = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(header)
    }

    /// The block's id. It says nothing about work: that is scrypt over the same bytes.
    #[must_use]
    pub fn id(&self) -> BlockHash {
        BlockHash::from_bytes(sha256d(&self.encode()))
    }
}
