//! The buyer's own copies of modules, inputs, claims and outputs, by content root.
//!
//! A job can be followed, fetched and checked long after its files were changed, its deal settled and its hub gone.
//! Bytes are hashed again when they are read: a content root is an address, never a proof (R4).

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use gio_agent::files::{Access, read_at_most, write_durably};
use gio_content::{ContentRef, content_root};
use gio_protocol::B256;
use thiserror::Error;

/// Bytes that are not there, or not what they were.
#[derive(Debug, Error)]
pub enum ContentError {
    /// The file system refused.
    #[error("cannot use {}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file was changed.
    #[error("{} is damaged: it does not hash to its name", .0.display())]
    Damaged(PathBuf),
}

/// Writers of different contents wait for each other one time in this many.
const LOCKS: usize = 64;

/// The folder of contents. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ContentStore {
    folder: PathBuf,
    /// By the first byte of the root: units with equal outputs arrive at the same time.
    writing: Arc<[Mutex<()>; LOCKS]>,
}

impl ContentStore {
    /// A store in this folder, made when the first bytes arrive.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            writing: Arc::new([const { Mutex::new(()) }; LOCKS]),
        }
    }

    /// Keeps bytes durably; a damaged copy is replaced.
    ///
    /// # Errors
    /// [`ContentError::Io`].
    pub fn put(&self, bytes: &[u8]) -> Result<ContentRef, ContentError> {
        let content = ContentRef::of(bytes);
        let lock = &self.writing[usize::from(content.root[0]) % LOCKS];
        // Nothing is left half done by a panic that the lock could protect from.
        let _writing = lock.lock().unwrap_or_else(PoisonError::into_inner);
        if self.get(content).is_err() {
            let path = self.path(content.root);
            write_durably(&path, bytes, Access::Public)
                .map_err(|source| ContentError::Io { path, source })?;
            gio_failpoint::fail_point!("buyer.wrote.content");
        }
        Ok(content)
    }

    /// Reads bytes and checks them.
    ///
    /// # Errors
    /// [`ContentError`].
    pub fn get(&self, content: ContentRef) -> Result<Vec<u8>, ContentError> {
        let path = self.path(content.root);
        let bytes = match read_at_most(&path, content.length) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                return Err(ContentError::Damaged(path));
            }
            Err(source) => return Err(ContentError::Io { path, source }),
        };
        if bytes.len() as u64 == content.length && content_root(&bytes) == content.root {
            Ok(bytes)
        } else {
            Err(ContentError::Damaged(path))
        }
    }

    fn path(&self, root: B256) -> PathBuf {
        // Two levels, because a folder of a million names is slow on many file systems.
        let name = alloy_primitives::hex::encode(root);
        self.folder.join(&name[..2]).join(&name[2..])
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn bytes_come_back_or_are_called_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let store = ContentStore::new(dir.path().join("content"));
        let content = store.put(b"hello").unwrap();
        assert_eq!(store.put(b"hello").unwrap(), content);
        assert_eq!(store.get(content).unwrap(), b"hello");
        fs::write(store.path(content.root), b"hellO").unwrap();
        assert!(matches!(store.get(content), Err(ContentError::Damaged(_))));
        store.put(b"hello").unwrap();
        assert_eq!(store.get(content).unwrap(), b"hello");
        let missing = store.get(ContentRef::of(b"other"));
        assert!(matches!(missing, Err(ContentError::Io { .. })));
    }

    #[test]
    fn equal_outputs_of_several_units_arrive_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = ContentStore::new(dir.path().join("content"));
        let bytes = vec![7u8; 100_000];
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| store.put(&bytes).unwrap());
            }
        });
        assert_eq!(store.get(ContentRef::of(&bytes)).unwrap(), bytes);
    }
}
