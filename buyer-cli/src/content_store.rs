//! The buyer's own copies of modules, inputs, claims and outputs, by content root.
//!
//! A job can be followed, fetched and checked long after its files were changed, its deal settled and its hub gone.
//! Bytes are hashed again when they are read: a content root is an address, never a proof (R4).

use std::fs;
use std::io;
use std::path::PathBuf;

use gio_agent::files::{Access, write_durably};
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

/// The folder of contents.
#[derive(Clone, Debug)]
pub struct ContentStore {
    folder: PathBuf,
}

impl ContentStore {
    /// A store in this folder, made when the first bytes arrive.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Keeps bytes durably.
    ///
    /// # Errors
    /// [`ContentError::Io`].
    pub fn put(&self, bytes: &[u8]) -> Result<ContentRef, ContentError> {
        let content = ContentRef::of(bytes);
        let path = self.path(content.root);
        if !path.exists() {
            write_durably(&path, bytes, Access::Public)
                .map_err(|source| ContentError::Io { path, source })?;
        }
        Ok(content)
    }

    /// Reads bytes and checks them.
    ///
    /// # Errors
    /// [`ContentError`].
    pub fn get(&self, content: ContentRef) -> Result<Vec<u8>, ContentError> {
        let path = self.path(content.root);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(source) => return Err(ContentError::Io { path, source }),
        };
        if bytes.len() as u64 == content.length && content_root(&bytes) == content.root {
            Ok(bytes)
        } else {
            Err(ContentError::Damaged(path))
        }
    }

    /// Whether a file of this name is there; [`Self::get`] checks what is in it.
    #[must_use]
    pub fn has(&self, content: ContentRef) -> bool {
        self.path(content.root).exists()
    }

    /// Removes bytes that turned out to be damaged, so that they can be fetched again.
    ///
    /// # Errors
    /// [`ContentError::Io`].
    pub fn remove(&self, content: ContentRef) -> Result<(), ContentError> {
        let path = self.path(content.root);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(ContentError::Io { path, source })
            }
            _ => Ok(()),
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
        store.remove(content).unwrap();
        assert!(!store.has(content));
        assert!(matches!(store.get(content), Err(ContentError::Io { .. })));
        store.remove(content).unwrap();
    }
}
