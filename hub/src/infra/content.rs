//! Contents by root: uploads of buyers and outputs of miners. Small ones in the database, large ones in files.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gio_agent::files::{Access, write_durably};
use gio_content::{ContentRef, content_root};
use gio_protocol::B256;
use thiserror::Error;

use super::store::{Store, StoreError};

pub use super::store::BLOB_BYTES_MAX;

/// Largest single content: an input of this size still fits a unit's image.
pub const CONTENT_BYTES_MAX: u64 = 128 << 20;

/// Contents cannot be kept or found.
#[derive(Debug, Error)]
pub enum ContentError {
    /// The bytes are not those of the root.
    #[error("the bytes' root is {found}, not {named}")]
    Root {
        /// What the sender named.
        named: B256,
        /// What the bytes are.
        found: B256,
    },
    /// One content is too large.
    #[error("{0} bytes; a content has at most {CONTENT_BYTES_MAX}")]
    TooLarge(u64),
    /// The hub's share of the disk is used up.
    #[error("this hub's store of {max} bytes is full")]
    Full {
        /// What the hub keeps at most.
        max: u64,
    },
    /// Nobody brought these bytes.
    #[error("content {0} is not here")]
    Missing(B256),
    /// The disk refused.
    #[error("the content store failed")]
    Io(#[from] io::Error),
    /// The database refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Contents {
    store: Store,
    folder: Arc<PathBuf>,
    bytes_max: u64,
    bytes: Arc<AtomicU64>,
}

impl Contents {
    /// Opens the store; large contents are files in `folder`.
    ///
    /// # Errors
    /// [`ContentError::Io`] if the folder cannot be used.
    pub fn open(store: Store, folder: PathBuf, bytes_max: u64) -> Result<Self, ContentError> {
        std::fs::create_dir_all(&folder)?;
        let mut used = 0;
        for entry in std::fs::read_dir(&folder)? {
            used += entry?.metadata()?.len();
        }
        Ok(Self {
            store,
            folder: Arc::new(folder),
            bytes_max,
            bytes: Arc::new(AtomicU64::new(used)),
        })
    }

    /// Keeps bytes; durable when it returns.
    ///
    /// # Errors
    /// [`ContentError`].
    pub async fn put(
        &self,
        named: Option<B256>,
        bytes: Vec<u8>,
    ) -> Result<ContentRef, ContentError> {
        let length = bytes.len() as u64;
        if length > CONTENT_BYTES_MAX {
            return Err(ContentError::TooLarge(length));
        }
        let (root, bytes) = blocking(move || (content_root(&bytes), bytes)).await?;
        if let Some(named) = named.filter(|named| *named != root) {
            return Err(ContentError::Root { named, found: root });
        }
        if bytes.len() <= BLOB_BYTES_MAX {
            self.store.put_blob(root, &bytes).await?;
        } else {
            self.put_file(root, bytes).await?;
        }
        Ok(ContentRef { root, length })
    }

    /// All bytes of a content.
    ///
    /// # Errors
    /// [`ContentError::Missing`] if nobody brought them.
    pub async fn get(&self, root: B256) -> Result<Vec<u8>, ContentError> {
        if let Some(bytes) = self.store.blob(root).await? {
            return Ok(bytes);
        }
        match tokio::fs::read(self.file(root)).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(ContentError::Missing(root))
            }
            other => Ok(other?),
        }
    }

    /// Whether a content is here.
    ///
    /// # Errors
    /// [`ContentError`].
    pub async fn has(&self, root: B256) -> Result<bool, ContentError> {
        Ok(tokio::fs::try_exists(self.file(root)).await? || self.store.blob(root).await?.is_some())
    }

    async fn put_file(&self, root: B256, bytes: Vec<u8>) -> Result<(), ContentError> {
        let path = self.file(root);
        if tokio::fs::try_exists(&path).await? {
            return Ok(());
        }
        let length = bytes.len() as u64;
        let before = self.bytes.fetch_add(length, Ordering::Relaxed);
        if before.saturating_add(length) > self.bytes_max {
            self.bytes.fetch_sub(length, Ordering::Relaxed);
            return Err(ContentError::Full {
                max: self.bytes_max,
            });
        }
        Ok(blocking(move || write_durably(&path, &bytes, Access::Public)).await??)
    }

    fn file(&self, root: B256) -> PathBuf {
        self.folder.join(format!("{root:x}"))
    }
}

/// Hashing and syncing would hold up everybody else on the runtime's threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ContentError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| ContentError::Io(io::Error::other(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn contents_come_back_small_and_large_and_never_under_another_name() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("hub.db")).await.unwrap();
        let contents = Contents::open(store, dir.path().join("content"), 1 << 20).unwrap();
        for length in [0, 10, BLOB_BYTES_MAX, BLOB_BYTES_MAX + 1] {
            let bytes = vec![9u8; length];
            let found = contents.put(None, bytes.clone()).await.unwrap();
            assert_eq!(found, ContentRef::of(&bytes));
            assert!(contents.has(found.root).await.unwrap());
            assert_eq!(contents.get(found.root).await.unwrap(), bytes);
        }
        let wrong = contents.put(Some(B256::ZERO), b"x".to_vec()).await;
        assert!(matches!(wrong, Err(ContentError::Root { .. })));
        assert!(matches!(
            contents.get(B256::ZERO).await,
            Err(ContentError::Missing(_))
        ));
        assert!(matches!(
            contents.put(None, vec![1; 1 << 20]).await,
            Err(ContentError::Full { .. })
        ));
    }
}
