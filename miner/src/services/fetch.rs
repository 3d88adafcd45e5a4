//! Gets contents from hubs: once, however many units need them.
//!
//! # Security
//! Hubs have places and turns of their own: one that sends nothing, or a byte now and then, keeps only its own waiting.
//! What comes is hashed before it is kept (R4); no more is taken than was announced, and no more than the caller allows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gio_content::ContentRef;
use gio_net::blob::{self, BlobError};
use gio_net::{ConnectError, Multiaddr, Net, PeerId};
use gio_protocol::B256;
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::task::JoinError;

use crate::infra::contents::{Contents, ContentsError, Pinned};
use crate::infra::wire::content_ref;

/// Contents fetched at a time from one hub: enough to fill a line, few enough to hold them in memory.
const FETCHES_MAX: usize = 4;

/// A content could not be had.
#[derive(Debug, Error)]
pub enum FetchError {
    /// The hub cannot be reached.
    #[error("the hub cannot be reached")]
    Connect(#[source] Box<ConnectError>),
    /// The hub did not give it.
    #[error("the hub did not deliver content {root}")]
    Blob {
        /// Which.
        root: B256,
        /// Why.
        source: BlobError,
    },
    /// It came and cannot be kept.
    #[error(transparent)]
    Contents(#[from] ContentsError),
    /// The thread that writes it died.
    #[error("the disk writer died")]
    Writer(#[from] JoinError),
}

impl FetchError {
    /// Whether asking again later may help. Wrong bytes stay wrong.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Writer(_) => true,
            Self::Blob { source, .. } => source.is_transient(),
            Self::Contents(error) => !matches!(error, ContentsError::OtherBytes { .. }),
        }
    }
}

/// Whom to ask.
#[derive(Clone, Debug)]
pub struct Source {
    /// The hub as a peer.
    pub peer: PeerId,
    /// Where it is.
    pub addrs: Vec<Multiaddr>,
}

/// See the module.
#[derive(Debug)]
pub struct Fetcher {
    net: Net,
    contents: Contents,
    hubs: Mutex<HashMap<PeerId, Hub>>,
}

/// What is on its way from one hub. Forgotten when that is nothing.
#[derive(Debug)]
struct Hub {
    places: Arc<Semaphore>,
    /// One lock per content on its way.
    under_way: HashMap<B256, Arc<tokio::sync::Mutex<()>>>,
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(FETCHES_MAX)),
            under_way: HashMap::new(),
        }
    }
}

/// Somebody who waits for a content, or fetches it.
struct Turn<'a> {
    fetcher: &'a Fetcher,
    peer: PeerId,
    root: B256,
    places: Arc<Semaphore>,
    content: Arc<tokio::sync::Mutex<()>>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut hubs = self.fetcher.hubs();
        let Some(hub) = hubs.get_mut(&self.peer) else {
            return;
        };
        // The map's and this one.
        if Arc::strong_count(&self.content) == 2 {
            hub.under_way.remove(&self.root);
        }
        if hub.under_way.is_empty() {
            hubs.remove(&self.peer);
        }
    }
}

impl Fetcher {
    /// Fetches over `net` into `contents`.
    #[must_use]
    pub fn new(net: Net, contents: Contents) -> Self {
        Self {
            net,
            contents,
            hubs: Mutex::default(),
        }
    }

    /// A content, from disk or from the hub. Whoever does not wait for it any more drops this.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn get(&self, source: &Source, content: ContentRef) -> Result<Pinned, FetchError> {
        if let Some(pinned) = self.contents.pin(content) {
            return Ok(pinned);
        }
        let turn = self.turn(source.peer, content.root);
        let _first = turn.content.lock().await;
        match self.contents.pin(content) {
            Some(pinned) => Ok(pinned),
            None => self.download(&turn.places, source, content).await,
        }
    }

    async fn download(
        &self,
        places: &Semaphore,
        source: &Source,
        content: ContentRef,
    ) -> Result<Pinned, FetchError> {
        let place = places.acquire().await;
        let _place = place.expect("the semaphore is never closed");
        let channel = self.net.channel(source.peer, &source.addrs).await;
        let channel = channel.map_err(|error| FetchError::Connect(Box::new(error)))?;
        let wanted = content_ref(content);
        let bytes = blob::download(channel, &wanted, content.length).await;
        gio_failpoint::fail_point!("miner.fetched.content");
        let bytes = bytes.map_err(|source| FetchError::Blob {
            root: content.root,
            source,
        })?;
        let contents = self.contents.clone();
        let kept = tokio::task::spawn_blocking(move || contents.put(content, &bytes));
        Ok(kept.await??)
    }

    fn turn(&self, peer: PeerId, root: B256) -> Turn<'_> {
        let mut hubs = self.hubs();
        let hub = hubs.entry(peer).or_default();
        Turn {
            fetcher: self,
            peer,
            root,
            places: Arc::clone(&hub.places),
            content: Arc::clone(hub.under_way.entry(root).or_default()),
        }
    }

    fn hubs(&self) -> MutexGuard<'_, HashMap<PeerId, Hub>> {
        // Entries are put in and taken out whole.
        self.hubs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
