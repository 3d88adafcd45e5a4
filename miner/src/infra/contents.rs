//! Contents on disk by their root: modules, inputs, and results on their way to the hub.
//!
//! # Correctness
//! A file's name is the root of its bytes, checked whenever it is read (R4): a damaged file is a missing one.
//! What is pinned is not evicted; pins last as long as their [`Pinned`].

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use gio_agent::files::{Access, write_durably};
use gio_content::{ContentRef, content_root};
use gio_protocol::B256;
use thiserror::Error;

/// Contents cannot be kept.
#[derive(Debug, Error)]
pub enum ContentsError {
    /// The file system refused.
    #[error("cannot use {}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Bytes of another root.
    #[error("the bytes have the content root {found}, not {expected}")]
    OtherBytes {
        /// Theirs.
        found: B256,
        /// The one asked for.
        expected: B256,
    },
    /// Everything that is kept is in use.
    #[error("{wanted} bytes do not fit: {pinned} of {max} bytes are in use")]
    Full {
        /// Bytes to keep.
        wanted: u64,
        /// Bytes that cannot go.
        pinned: u64,
        /// The limit.
        max: u64,
    },
}

/// A folder of contents with a size limit. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Contents {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    bytes_max: u64,
    index: Mutex<Index>,
}

#[derive(Debug, Default)]
struct Index {
    files: HashMap<B256, Entry>,
    bytes: u64,
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    length: u64,
    used: u64,
    pins: u32,
}

/// A content that stays as long as this lives.
#[derive(Debug)]
pub struct Pinned {
    contents: Contents,
    /// Which.
    pub content: ContentRef,
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let mut index = self.contents.index();
        if let Some(entry) = index.files.get_mut(&self.content.root) {
            entry.pins -= 1;
        }
    }
}

impl Contents {
    /// Opens a folder and counts what is there. Files that are no contents are left alone.
    ///
    /// # Errors
    /// [`ContentsError::Io`].
    pub fn open(folder: &Path, bytes_max: u64) -> Result<Self, ContentsError> {
        let io = |source| ContentsError::Io {
            path: folder.to_owned(),
            source,
        };
        fs::create_dir_all(folder).map_err(io)?;
        let mut index = Index::default();
        for file in fs::read_dir(folder).map_err(io)? {
            let file = file.map_err(io)?;
            let name = file.file_name();
            let Some(root) = name.to_str().and_then(|name| name.parse::<B256>().ok()) else {
                continue;
            };
            index.insert(root, file.metadata().map_err(io)?.len());
        }
        Ok(Self {
            inner: Arc::new(Inner {
                folder: folder.to_owned(),
                bytes_max,
                index: Mutex::new(index),
            }),
        })
    }

    /// Where contents are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.inner.folder
    }

    /// Keeps bytes, durably; returns when they are on disk. Blocks.
    ///
    /// # Errors
    /// [`ContentsError`].
    pub fn put(&self, content: ContentRef, bytes: &[u8]) -> Result<Pinned, ContentsError> {
        let found = content_root(bytes);
        if found != content.root || bytes.len() as u64 != content.length {
            return Err(ContentsError::OtherBytes {
                found,
                expected: content.root,
            });
        }
        if let Some(pinned) = self.pin(content) {
            return Ok(pinned);
        }
        self.make_room(content.length)?;
        let path = self.path(content.root);
        let written = write_durably(&path, bytes, Access::Public);
        written.map_err(|source| ContentsError::Io { path, source })?;
        let mut index = self.index();
        index.insert(content.root, content.length);
        Ok(self.pin_in(&mut index, content))
    }

    /// Holds a content if it is here.
    #[must_use]
    pub fn pin(&self, content: ContentRef) -> Option<Pinned> {
        let mut index = self.index();
        let here = index.files.get(&content.root)?.length == content.length;
        here.then(|| self.pin_in(&mut index, content))
    }

    /// The bytes, checked. `None` if the file is gone or damaged; it is forgotten then. Blocks.
    #[must_use]
    pub fn read(&self, pinned: &Pinned) -> Option<Bytes> {
        let root = pinned.content.root;
        let bytes = fs::read(self.path(root)).ok();
        let sound = bytes.filter(|bytes| content_root(bytes) == root);
        if sound.is_none() {
            // Another length than any content's: the next `put` writes it anew.
            let mut index = self.index();
            if let Some(entry) = index.files.get_mut(&root) {
                let length = std::mem::replace(&mut entry.length, u64::MAX);
                index.bytes = index.bytes.saturating_sub(length);
            }
        }
        sound.map(Bytes::from)
    }

    /// Evicts what was not used for longest until `wanted` more bytes fit.
    fn make_room(&self, wanted: u64) -> Result<(), ContentsError> {
        let mut index = self.index();
        let max = self.inner.bytes_max;
        while index.bytes.saturating_add(wanted) > max {
            let Some(root) = index.oldest() else {
                let pinned = index.bytes;
                return Err(ContentsError::Full {
                    wanted,
                    pinned,
                    max,
                });
            };
            let path = self.path(root);
            match fs::remove_file(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(ContentsError::Io { path, source });
                }
                _ => index.remove(root),
            }
        }
        Ok(())
    }

    fn pin_in(&self, index: &mut Index, content: ContentRef) -> Pinned {
        index.clock += 1;
        let used = index.clock;
        if let Some(entry) = index.files.get_mut(&content.root) {
            entry.pins += 1;
            entry.used = used;
        }
        Pinned {
            contents: self.clone(),
            content,
        }
    }

    fn path(&self, root: B256) -> PathBuf {
        self.inner.folder.join(format!("{root:x}"))
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        // Tiny sections without a panic in them; the index is right even if one did.
        self.inner
            .index
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    fn insert(&mut self, root: B256, length: u64) {
        self.clock += 1;
        let used = self.clock;
        let entry = self.files.entry(root).or_insert(Entry {
            length: u64::MAX,
            used,
            pins: 0,
        });
        if entry.length == u64::MAX {
            entry.length = length;
            self.bytes = self.bytes.saturating_add(length);
        }
        entry.used = used;
    }

    fn oldest(&self) -> Option<B256> {
        let free = self.files.iter().filter(|(_, entry)| entry.pins == 0);
        free.min_by_key(|(_, entry)| entry.used)
            .map(|(root, _)| *root)
    }

    fn remove(&mut self, root: B256) {
        if let Some(entry) = self.files.remove(&root)
            && entry.length != u64::MAX
        {
            self.bytes = self.bytes.saturating_sub(entry.length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(bytes: &[u8]) -> ContentRef {
        ContentRef {
            root: content_root(bytes),
            length: bytes.len() as u64,
        }
    }

    #[test]
    fn the_oldest_unpinned_goes_first() {
        let dir = tempfile::tempdir().unwrap();
        let contents = Contents::open(dir.path(), 250).unwrap();
        let [a, b, c] = [1u8, 2, 3].map(|byte| vec![byte; 100]);
        let held = contents.put(content(&a), &a).unwrap();
        drop(contents.put(content(&b), &b).unwrap());
        drop(contents.put(content(&c), &c).unwrap());
        assert!(contents.pin(content(&b)).is_none(), "evicted");
        assert_eq!(contents.read(&held).unwrap(), a);
        let also = contents.pin(content(&c)).unwrap();
        assert!(matches!(
            contents.put(content(&b), &b),
            Err(ContentsError::Full { .. })
        ));
        drop((held, also));
        contents.put(content(&b), &b).unwrap();
        assert_eq!(contents.index().bytes, 200);
    }

    #[test]
    fn r04_damaged_bytes_are_missing_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let contents = Contents::open(dir.path(), 1_000).unwrap();
        let bytes = b"module".as_slice();
        assert!(matches!(
            contents.put(content(b"other"), bytes),
            Err(ContentsError::OtherBytes { .. })
        ));
        let pinned = contents.put(content(bytes), bytes).unwrap();
        fs::write(contents.path(pinned.content.root), b"mudole").unwrap();
        assert!(contents.read(&pinned).is_none());
        assert!(contents.pin(content(bytes)).is_none());
        let again = contents.put(content(bytes), bytes).unwrap();
        assert_eq!(contents.read(&again).unwrap(), bytes);
    }

    #[test]
    fn a_restart_finds_what_was_kept() {
        let dir = tempfile::tempdir().unwrap();
        let bytes = b"kept".as_slice();
        drop(
            Contents::open(dir.path(), 100)
                .unwrap()
                .put(content(bytes), bytes),
        );
        fs::write(dir.path().join("notes.txt"), b"mine").unwrap();
        let contents = Contents::open(dir.path(), 100).unwrap();
        let pinned = contents.pin(content(bytes)).unwrap();
        assert_eq!(contents.read(&pinned).unwrap(), bytes);
        assert_eq!(contents.index().files.len(), 1);
    }
}
