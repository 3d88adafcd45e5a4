//! The file of block bodies: appended to, never changed, readable without any index.
//!
//! ```text
//! record = magic 4 ‖ length 4 ‖ sha256(block)[..4] ‖ block
//! ```
//!
//! # Correctness
//! A body is synced before the store mentions it. Nothing is ever overwritten, whatever the
//! store says: it may be lost or half made, and all of it can be made again from this file.
//! The rest of an interrupted append stays and is passed over.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use gio_coin::{Block, DecodeError, MAX_BLOCK_BYTES, sha256};
use thiserror::Error;

/// Magic, length and check.
const RECORD_HEAD: usize = 12;

/// Where bodies are kept. Tests replace the file by one that fails.
pub trait BodyLog: fmt::Debug + Send {
    /// How many bytes there are.
    ///
    /// # Errors
    /// Those of the medium.
    fn len(&self) -> io::Result<u64>;

    /// Whether there is nothing.
    ///
    /// # Errors
    /// Those of the medium.
    fn is_empty(&self) -> io::Result<bool> {
        self.len().map(|length| length == 0)
    }

    /// Fills `out` from `offset` on.
    ///
    /// # Errors
    /// Those of the medium; reading beyond the end is one.
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;

    /// Writes at `offset`, which may be the end.
    ///
    /// # Errors
    /// Those of the medium.
    fn write(&mut self, offset: u64, data: &[u8]) -> io::Result<()>;

    /// Returns when all writes will survive a loss of power.
    ///
    /// # Errors
    /// Those of the medium.
    fn sync(&mut self) -> io::Result<()>;
}

impl BodyLog for File {
    fn len(&self) -> io::Result<u64> {
        self.metadata().map(|metadata| metadata.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(out, offset)
    }

    fn write(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.write_all_at(data, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// A body cannot be read or kept.
#[derive(Debug, Error)]
pub enum BodyError {
    /// The medium fails.
    #[error("cannot {action} the file of blocks")]
    Io {
        /// What was being done.
        action: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The bytes at a recorded place are not the recorded block.
    #[error("the block at byte {offset} is damaged (run with --reindex)")]
    Damaged {
        /// Where the record begins.
        offset: u64,
    },
    /// The bytes are intact but no block: another version wrote them.
    #[error("the block at byte {offset} cannot be decoded (run with --reindex)")]
    NotABlock {
        /// Where the record begins.
        offset: u64,
        /// What is wrong with them.
        #[source]
        source: DecodeError,
    },
}

/// Where a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BodyPlace {
    /// Where its record begins.
    pub offset: u64,
    /// Length of the block.
    pub length: u32,
}

impl BodyPlace {
    /// Where the next record begins.
    #[must_use]
    pub const fn end(self) -> u64 {
        self.offset + RECORD_HEAD as u64 + self.length as u64
    }
}

/// The file of block bodies.
#[derive(Debug)]
pub struct BodyFile {
    log: Box<dyn BodyLog>,
    magic: [u8; 4],
    end: u64,
}

impl BodyFile {
    /// Opens or creates the file; `end` is where the last record known to the store ends.
    ///
    /// # Errors
    /// [`BodyError::Io`].
    pub fn open(path: &Path, magic: [u8; 4], end: u64) -> Result<Self, BodyError> {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let file = options.open(path).map_err(|source| BodyError::Io {
            action: "open",
            source,
        })?;
        Ok(Self::on(Box::new(file), magic, end))
    }

    /// A file on this medium.
    #[must_use]
    pub fn on(log: Box<dyn BodyLog>, magic: [u8; 4], end: u64) -> Self {
        Self { log, magic, end }
    }

    /// Appends a block and returns when it is safe.
    ///
    /// # Errors
    /// [`BodyError::Io`]; the file may then end with a part of the block.
    ///
    /// # Panics
    /// If the block is larger than any valid one.
    pub fn append(&mut self, block: &[u8]) -> Result<BodyPlace, BodyError> {
        assert!(
            block.len() <= MAX_BLOCK_BYTES,
            "only checked blocks are kept"
        );
        let length = u32::try_from(block.len()).expect("a block is far below 4 GiB");
        let mut record = Vec::with_capacity(RECORD_HEAD + block.len());
        record.extend_from_slice(&self.magic);
        record.extend_from_slice(&length.to_le_bytes());
        record.extend_from_slice(&sha256(block)[..4]);
        record.extend_from_slice(block);
        let mut write = || -> io::Result<u64> {
            let offset = self.log.len()?.max(self.end);
            self.log.write(offset, &record)?;
            self.log.sync()?;
            Ok(offset)
        };
        let offset = write().map_err(|source| BodyError::Io {
            action: "write",
            source,
        })?;
        let place = BodyPlace { offset, length };
        self.end = place.end();
        Ok(place)
    }

    /// The block at a place.
    ///
    /// # Errors
    /// [`BodyError`].
    pub fn block(&self, place: BodyPlace) -> Result<Block, BodyError> {
        let offset = place.offset;
        let found = self.record(offset)?;
        let bytes = found
            .filter(|bytes| bytes.len() == place.length as usize)
            .ok_or(BodyError::Damaged { offset })?;
        Block::decode(&bytes).map_err(|source| BodyError::NotABlock { offset, source })
    }

    /// The bytes of the intact record at an offset, if there is one.
    fn record(&self, offset: u64) -> Result<Option<Vec<u8>>, BodyError> {
        let io = |source| BodyError::Io {
            action: "read",
            source,
        };
        let length = self.log.len().map_err(io)?;
        let head_end = offset.saturating_add(RECORD_HEAD as u64);
        if head_end > length {
            return Ok(None);
        }
        let mut head = [0; RECORD_HEAD];
        self.log.read(offset, &mut head).map_err(io)?;
        let [m0, m1, m2, m3, l0, l1, l2, l3, check @ ..] = head;
        let body = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        let fits = body <= MAX_BLOCK_BYTES && head_end + body as u64 <= length;
        if [m0, m1, m2, m3] != self.magic || !fits {
            return Ok(None);
        }
        let mut bytes = vec![0; body];
        self.log.read(head_end, &mut bytes).map_err(io)?;
        Ok((sha256(&bytes)[..4] == check).then_some(bytes))
    }

    /// Finds intact records from the beginning, whatever the store says, and calls `found`
    /// with each. Damaged stretches are passed over byte by byte.
    ///
    /// # Errors
    /// [`BodyError::Io`].
    pub fn scan(&mut self, mut found: impl FnMut(BodyPlace, Block)) -> Result<(), BodyError> {
        let length = self.log.len().map_err(|source| BodyError::Io {
            action: "read",
            source,
        })?;
        let mut offset = 0;
        self.end = 0;
        while offset < length {
            let record = self.record(offset)?;
            let Some(block) = record.and_then(|bytes| Block::decode(&bytes).ok()) else {
                offset += 1;
                continue;
            };
            let length = u32::try_from(block.encoded_len()).expect("a record holds no more");
            let place = BodyPlace { offset, length };
            offset = place.end();
            self.end = offset;
            found(place, block);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use gio_coin::{Network, Params};

    use super::*;

    fn file(name: &str) -> (tempfile::TempDir, BodyFile) {
        let folder = tempfile::tempdir().unwrap();
        let bodies = BodyFile::open(&folder.path().join(name), *b"test", 0).unwrap();
        (folder, bodies)
    }

    fn blocks(count: u32) -> Vec<Block> {
        let genesis = Params::of(Network::Regtest).genesis;
        (0..count)
            .map(|nonce| {
                let mut block = genesis.clone();
                block.header.nonce = nonce;
                block
            })
            .collect()
    }

    #[test]
    fn blocks_are_found_again_by_place_and_by_scan() {
        let (_folder, mut bodies) = file("blocks");
        let blocks = blocks(5);
        let places: Vec<BodyPlace> = blocks
            .iter()
            .map(|block| bodies.append(&block.encode()).unwrap())
            .collect();
        for (place, block) in places.iter().zip(&blocks) {
            assert_eq!(&bodies.block(*place).unwrap(), block);
        }
        let mut scanned = Vec::new();
        bodies
            .scan(|place, block| scanned.push((place, block)))
            .unwrap();
        assert_eq!(scanned, places.into_iter().zip(blocks).collect::<Vec<_>>());
    }

    #[test]
    fn a_damaged_record_is_an_error_and_the_scan_passes_over_it() {
        let (_folder, mut bodies) = file("blocks");
        let blocks = blocks(3);
        let mut places = Vec::new();
        for block in &blocks {
            places.push(bodies.append(&block.encode()).unwrap());
        }
        bodies.log.write(places[1].offset + 50, &[0xff; 3]).unwrap();
        let error = bodies.block(places[1]).unwrap_err();
        assert!(matches!(error, BodyError::Damaged { .. }));
        let mut scanned = Vec::new();
        bodies.scan(|_, block| scanned.push(block)).unwrap();
        assert_eq!(scanned, [blocks[0].clone(), blocks[2].clone()]);
    }

    #[test]
    fn nothing_is_overwritten_and_the_rest_of_an_interrupted_append_is_passed_over() {
        let (folder, mut bodies) = file("blocks");
        let blocks = blocks(3);
        let first = bodies.append(&blocks[0].encode()).unwrap();
        let second = bodies.append(&blocks[1].encode()).unwrap();
        bodies
            .log
            .write(second.end(), b"test\x99\x00\x00\x00torn")
            .unwrap();
        drop(bodies);
        let path = folder.path().join("blocks");
        // A store that lost its last entries, or all of them.
        for known in [0, first.end()] {
            let before = std::fs::read(&path).unwrap();
            let mut bodies = BodyFile::open(&path, *b"test", known).unwrap();
            let third = bodies.append(&blocks[2].encode()).unwrap();
            assert_eq!(bodies.block(third).unwrap(), blocks[2]);
            assert!(std::fs::read(&path).unwrap().starts_with(&before));
            let mut scanned = Vec::new();
            bodies.scan(|_, block| scanned.push(block)).unwrap();
            assert_eq!(scanned[..3], blocks);
        }
    }
}
