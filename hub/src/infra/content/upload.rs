//! One upload: counted before its first byte, hashed before it is kept.

use std::io;
use std::path::PathBuf;

use gio_content::{ContentRef, content_root};
use gio_protocol::{Address, B256, UnixSeconds};
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;

use super::{CONTENT_BYTES_MAX, ContentError, Contents, blocking};
use crate::infra::store::{BLOB_BYTES_MAX, ContentRow};

/// Bytes coming in from a peer. Dropped before [`Self::finish`], it leaves nothing behind.
#[derive(Debug)]
pub struct Upload {
    contents: Contents,
    peer: Address,
    named: B256,
    length: u64,
    found: u64,
    sink: Sink,
}

#[derive(Debug)]
enum Sink {
    Memory(Vec<u8>),
    File { file: File, path: PathBuf },
}

impl Contents {
    /// Takes an upload of `length` bytes that `peer` says have this root.
    ///
    /// # Errors
    /// [`ContentError`] if they are too many for this hub or for this peer.
    pub async fn upload(
        &self,
        peer: Address,
        named: B256,
        length: u64,
    ) -> Result<Upload, ContentError> {
        if length > CONTENT_BYTES_MAX {
            return Err(ContentError::TooLarge(length));
        }
        let unused = self.inner.store.unused_bytes(peer).await?;
        self.reserve(peer, unused, length)?;
        // From here on, dropping the upload gives the reservation back.
        let mut upload = Upload {
            contents: self.clone(),
            peer,
            named,
            length,
            found: 0,
            sink: Sink::Memory(Vec::new()),
        };
        if length > BLOB_BYTES_MAX as u64 {
            let path = self.temporary();
            let file = File::create(&path).await?;
            upload.sink = Sink::File { file, path };
        }
        Ok(upload)
    }

    fn reserve(&self, peer: Address, unused: u64, length: u64) -> Result<(), ContentError> {
        let (bytes_max, peer_max) = (self.inner.bytes_max, self.inner.peer_bytes_max);
        let mut usage = self.usage();
        let coming: u64 = usage.uploads.values().sum();
        let of_peer = usage.uploads.get(&peer).copied().unwrap_or_default();
        let unused = unused.saturating_add(of_peer).saturating_add(length);
        if unused > peer_max {
            return Err(ContentError::Allowance {
                unused,
                max: peer_max,
            });
        }
        let more = coming.saturating_add(length);
        let is_full = usage.total.saturating_add(more) > bytes_max
            || usage.unused.saturating_add(more) > bytes_max / 2;
        if is_full {
            drop(usage);
            return Err(self.full());
        }
        *usage.uploads.entry(peer).or_default() += length;
        Ok(())
    }
}

impl Upload {
    /// The next bytes.
    ///
    /// # Errors
    /// [`ContentError::Length`] if they are more than announced.
    pub async fn push(&mut self, bytes: &[u8]) -> Result<(), ContentError> {
        self.found = self.found.saturating_add(bytes.len() as u64);
        if self.found > self.length {
            return Err(self.wrong_length());
        }
        match &mut self.sink {
            Sink::Memory(buffer) => buffer.extend_from_slice(bytes),
            Sink::File { file, .. } => file.write_all(bytes).await?,
        }
        Ok(())
    }

    /// How many bytes have come.
    #[must_use]
    pub fn found(&self) -> u64 {
        self.found
    }

    /// Keeps the bytes if they are what was announced; durable when it returns.
    ///
    /// # Errors
    /// [`ContentError`].
    pub async fn finish(mut self, now: UnixSeconds) -> Result<ContentRef, ContentError> {
        if self.found != self.length {
            return Err(self.wrong_length());
        }
        let until = now.after(self.contents.inner.keep_seconds);
        match std::mem::replace(&mut self.sink, Sink::Memory(Vec::new())) {
            Sink::Memory(bytes) => self.keep_small(&bytes, until).await?,
            Sink::File { file, path } => {
                let kept = self.keep_file(file, &path, until).await;
                // Renamed by then if all is well.
                let _ = std::fs::remove_file(&path);
                kept?;
            }
        }
        let mut usage = self.contents.usage();
        usage.total += self.length;
        usage.unused += self.length;
        drop(usage);
        Ok(ContentRef {
            root: self.named,
            length: self.length,
        })
    }

    async fn keep_small(&self, bytes: &[u8], until: UnixSeconds) -> Result<(), ContentError> {
        self.check(content_root(bytes))?;
        let row = ContentRow {
            root: self.named,
            length: self.length,
            peer: Some(self.peer),
            keep_until: until,
            bytes: Some(bytes),
        };
        Ok(self.contents.inner.store.keep_content(&row).await?)
    }

    async fn keep_file(
        &self,
        mut file: File,
        path: &PathBuf,
        until: UnixSeconds,
    ) -> Result<(), ContentError> {
        file.flush().await?;
        file.sync_all().await?;
        gio_failpoint::fail_point!("hub.wrote.upload");
        drop(file);
        let memory = self.contents.inner.memory.take(self.length).await;
        let memory = memory.ok_or(ContentError::Busy)?;
        let bytes = path.clone();
        let root = blocking(move || io::Result::Ok(content_root(&std::fs::read(bytes)?))).await??;
        drop(memory);
        self.check(root)?;
        self.contents
            .adopt(path, root, self.length, Some(self.peer), until)
            .await
    }

    fn check(&self, found: B256) -> Result<(), ContentError> {
        let named = self.named;
        (found == named)
            .then_some(())
            .ok_or(ContentError::Root { named, found })
    }

    fn wrong_length(&self) -> ContentError {
        ContentError::Length {
            found: self.found,
            expected: self.length,
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let mut usage = self.contents.usage();
        if let Some(coming) = usage.uploads.get_mut(&self.peer) {
            *coming = coming.saturating_sub(self.length);
            if *coming == 0 {
                usage.uploads.remove(&self.peer);
            }
        }
        drop(usage);
        if let Sink::File { path, .. } = &self.sink {
            // What cannot be removed now goes when the store is opened.
            let _ = std::fs::remove_file(path);
        }
    }
}
