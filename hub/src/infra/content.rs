//! Contents by root: uploads of buyers and outputs of miners. Small ones in the database, large ones in files.
//!
//! # Correctness
//! A content is here when its row is: a file is renamed into place before the row is written, and removed after the
//! row is gone, both under one lock. Files without a row, left by a kill in between, go when the store is opened.
//!
//! # Security
//! An upload takes its sender's allowance until a deal uses it, and is dropped when none does for a while. Uploads
//! fill at most half of the disk's share; the other half is for deals. Large uploads are written to disk as they come.

mod upload;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, SeekFrom};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gio_agent::files::{Access, write_durably};
use gio_content::{ContentRef, content_root};
use gio_protocol::{Address, B256, UnixSeconds};
use thiserror::Error;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::leaves::{self, Leaves};
use super::memory::MemoryBudget;
use super::store::{BLOB_BYTES_MAX, ContentRow, Store, StoreError, Turn};
use crate::config::{Limits, mib};

pub use upload::Upload;

/// Largest single content: an input of this size still fits a unit's image.
pub const CONTENT_BYTES_MAX: u64 = 128 << 20;

/// A file that nobody has written to for so long and that no row names is left over, whoever began it.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

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
    /// More bytes than announced, or fewer.
    #[error("{found} bytes came, {expected} were announced")]
    Length {
        /// What came.
        found: u64,
        /// What was announced.
        expected: u64,
    },
    /// The hub's share of the disk is used up.
    #[error("this hub's store of {max} bytes is full")]
    Full {
        /// What the hub keeps at most.
        max: u64,
    },
    /// The peer's share is used up.
    #[error("{unused} bytes of your uploads are in no deal yet; this hub keeps at most {max}")]
    Allowance {
        /// What it has uploaded, with this one.
        unused: u64,
        /// What it may.
        max: u64,
    },
    /// No memory now.
    #[error("this hub is busy with other large contents")]
    Busy,
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
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    folder: PathBuf,
    memory: MemoryBudget,
    bytes_max: u64,
    peer_bytes_max: u64,
    keep_seconds: u64,
    usage: Mutex<Usage>,
    /// Held while a file and its row come or go.
    files: tokio::sync::Mutex<()>,
}

/// Disk in use, as far as the quotas go.
#[derive(Debug, Default)]
struct Usage {
    total: u64,
    unused: u64,
    /// Uploads under way.
    uploads: BTreeMap<Address, u64>,
}

impl Contents {
    /// Opens the store; large contents are files in `folder`.
    ///
    /// # Errors
    /// [`ContentError::Io`] if the folder cannot be used.
    pub async fn open(
        store: Store,
        folder: PathBuf,
        limits: &Limits,
        memory: MemoryBudget,
    ) -> Result<Self, ContentError> {
        std::fs::create_dir_all(&folder)?;
        let known: BTreeSet<String> = store.content_files().await?.iter().map(file_name).collect();
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let is_known = known.contains(entry.file_name().to_string_lossy().as_ref());
            if !is_known && (!store.is_shared() || is_old(&entry)) {
                std::fs::remove_file(entry.path())?;
            }
        }
        let contents = Self {
            inner: Arc::new(Inner {
                store,
                folder,
                memory,
                bytes_max: mib(limits.content_mib),
                peer_bytes_max: mib(limits.upload_mib),
                keep_seconds: limits.upload_minutes * 60,
                usage: Mutex::default(),
                files: tokio::sync::Mutex::new(()),
            }),
        };
        contents.count().await?;
        Ok(contents)
    }

    /// Keeps bytes of the hub's own until then, or as long as a deal uses them; durable when it returns.
    ///
    /// # Errors
    /// [`ContentError`].
    pub async fn put(
        &self,
        bytes: Vec<u8>,
        until: UnixSeconds,
    ) -> Result<ContentRef, ContentError> {
        self.check_room(bytes.len() as u64)?;
        self.put_anyway(bytes, until).await
    }

    /// Refuses what the hub's share of the disk has no room for.
    ///
    /// # Errors
    /// [`ContentError::Full`].
    pub fn check_room(&self, length: u64) -> Result<(), ContentError> {
        let is_full = self.usage().total.saturating_add(length) > self.inner.bytes_max;
        if is_full {
            return Err(self.full());
        }
        Ok(())
    }

    /// [`Self::put`], also when the hub's share of the disk is used up: for the few bytes without which work that was
    /// accepted could not be billed.
    ///
    /// # Errors
    /// [`ContentError`].
    pub async fn put_anyway(
        &self,
        bytes: Vec<u8>,
        until: UnixSeconds,
    ) -> Result<ContentRef, ContentError> {
        let length = bytes.len() as u64;
        let (root, bytes) = blocking(move || (content_root(&bytes), bytes)).await?;
        if bytes.len() <= BLOB_BYTES_MAX {
            let row = ContentRow {
                root,
                length,
                peer: None,
                keep_until: until,
                bytes: Some(&bytes),
            };
            self.inner.store.keep_content(&row).await?;
        } else if !self.has(root).await? {
            let beside = self.temporary();
            let path = beside.clone();
            blocking(move || write_durably(&path, &bytes, Access::Public)).await??;
            self.adopt(&beside, root, length, None, until).await?;
        } else {
            self.inner.store.extend_content(root, until).await?;
        }
        self.usage().total += length;
        Ok(ContentRef { root, length })
    }

    /// All bytes of a content. Whoever asks for large ones holds memory for them.
    ///
    /// # Errors
    /// [`ContentError::Missing`] if nobody brought them.
    pub async fn get(&self, root: B256) -> Result<Vec<u8>, ContentError> {
        match self.inner.store.content_bytes(root).await? {
            Some(Some(bytes)) => Ok(bytes),
            Some(None) => match tokio::fs::read(self.file(root)).await {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    Err(ContentError::Missing(root))
                }
                other => Ok(other?),
            },
            None => Err(ContentError::Missing(root)),
        }
    }

    /// A content to read from an offset on, piece by piece.
    ///
    /// # Errors
    /// [`ContentError::Missing`] if nobody brought it.
    pub async fn read(&self, root: B256, offset: u64) -> Result<ContentReader, ContentError> {
        let lengths = self.inner.store.content_lengths(&[root]).await?;
        let Some(length) = lengths.get(&root).copied() else {
            return self.read_leaves(root, offset).await;
        };
        let source = match self.inner.store.content_bytes(root).await? {
            Some(Some(bytes)) => Source::Bytes(bytes),
            Some(None) => Source::File(self.file(root)),
            None => return Err(ContentError::Missing(root)),
        };
        Ok(ContentReader {
            length,
            offset,
            source,
        })
    }

    /// A leaf file of a payout, which `gio-hub payout` writes beside the running hub and which is served for ever (R9).
    async fn read_leaves(&self, root: B256, offset: u64) -> Result<ContentReader, ContentError> {
        let home = self.inner.folder.parent().unwrap_or(&self.inner.folder);
        let path = Leaves::new(home.join(leaves::FOLDER)).path(root);
        match tokio::fs::metadata(&path).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(ContentError::Missing(root))
            }
            found => Ok(ContentReader {
                length: found?.len(),
                offset,
                source: Source::File(path),
            }),
        }
    }

    /// The lengths of those of these contents that are here.
    ///
    /// # Errors
    /// [`ContentError`].
    pub async fn lengths(&self, roots: &[B256]) -> Result<BTreeMap<B256, u64>, ContentError> {
        Ok(self.inner.store.content_lengths(roots).await?)
    }

    /// Whether a content is here.
    ///
    /// # Errors
    /// [`ContentError`].
    pub async fn has(&self, root: B256) -> Result<bool, ContentError> {
        Ok(!self.lengths(&[root]).await?.is_empty())
    }

    /// Drops what nobody needs any more. Returns how many contents that were.
    ///
    /// # Errors
    /// [`ContentError`].
    pub async fn clean(&self, now: UnixSeconds) -> Result<usize, ContentError> {
        let mut count = 0;
        loop {
            let _files = self.inner.files.lock().await;
            let _alone = self.inner.store.turn(Turn::Files).await?;
            let dropped = self.inner.store.drop_contents_before(now).await?;
            for content in dropped.iter().filter(|content| content.is_file) {
                remove(&self.file(content.root)).await?;
                gio_failpoint::fail_point!("hub.wrote.content_file_gone");
            }
            count += dropped.len();
            if dropped.is_empty() {
                break;
            }
        }
        self.count().await?;
        Ok(count)
    }

    /// Renames a whole file into its place and writes its row.
    async fn adopt(
        &self,
        beside: &PathBuf,
        root: B256,
        length: u64,
        peer: Option<Address>,
        keep_until: UnixSeconds,
    ) -> Result<(), ContentError> {
        let row = ContentRow {
            root,
            length,
            peer,
            keep_until,
            bytes: None,
        };
        let _files = self.inner.files.lock().await;
        let _alone = self.inner.store.turn(Turn::Files).await?;
        tokio::fs::rename(beside, self.file(root)).await?;
        gio_failpoint::fail_point!("hub.wrote.content_file");
        let folder = self.inner.folder.clone();
        blocking(move || std::fs::File::open(folder)?.sync_all()).await??;
        Ok(self.inner.store.keep_content(&row).await?)
    }

    /// The figures of the database; what is counted in between is only an estimate.
    async fn count(&self) -> Result<(), ContentError> {
        let (total, unused) = self.inner.store.content_bytes_total().await?;
        let mut usage = self.usage();
        (usage.total, usage.unused) = (total, unused);
        Ok(())
    }

    fn full(&self) -> ContentError {
        ContentError::Full {
            max: self.inner.bytes_max,
        }
    }

    fn file(&self, root: B256) -> PathBuf {
        self.inner.folder.join(file_name(&root))
    }

    /// A name nobody else uses; such files are removed when the store is opened.
    fn temporary(&self) -> PathBuf {
        let name = format!("new-{:x}", gio_agent::random_word());
        self.inner.folder.join(name)
    }

    fn usage(&self) -> MutexGuard<'_, Usage> {
        // A panic elsewhere leaves numbers, which are counted anew from time to time.
        self.inner
            .usage
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A content being read.
#[derive(Debug)]
pub struct ContentReader {
    /// Bytes of the whole.
    pub length: u64,
    /// Where the next piece begins.
    pub offset: u64,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Bytes(Vec<u8>),
    /// Opened for each piece: whoever reads slowly holds no file handle.
    File(PathBuf),
}

impl ContentReader {
    /// The next piece, of at most `max` bytes; empty at the end.
    ///
    /// # Errors
    /// The first failing system call; a file that is shorter than its row says is one.
    pub async fn next(&mut self, max: usize) -> io::Result<Vec<u8>> {
        let left = usize::try_from(self.length.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        let count = left.min(max);
        let piece = match &self.source {
            Source::Bytes(bytes) => {
                let start = usize::try_from(self.offset).unwrap_or(usize::MAX);
                let piece = bytes.get(start..start.saturating_add(count));
                piece.unwrap_or_default().to_vec()
            }
            Source::File(path) => {
                let mut piece = vec![0; count];
                let mut file = tokio::fs::File::open(path).await?;
                file.seek(SeekFrom::Start(self.offset)).await?;
                file.read_exact(&mut piece).await?;
                piece
            }
        };
        self.offset += piece.len() as u64;
        Ok(piece)
    }
}

/// Whether nobody can be writing this file any more; another process may have begun it a moment ago.
fn is_old(entry: &std::fs::DirEntry) -> bool {
    let modified = entry.metadata().and_then(|data| data.modified());
    let age = modified.ok().and_then(|at| at.elapsed().ok());
    age.is_some_and(|age| age > ABANDONED)
}

fn file_name(root: &B256) -> String {
    format!("{root:x}")
}

async fn remove(path: &PathBuf) -> io::Result<()> {
    match tokio::fs::remove_file(path).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Hashing and syncing would hold up everybody else on the runtime's threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ContentError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| ContentError::Io(io::Error::other(error)))
}

#[cfg(test)]
mod tests;
