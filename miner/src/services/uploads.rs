//! Large results: uploaded first, then named in a `Done`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gio_net::blob::{self, BlobError};
use gio_net::wire::{Done, Failed, miner_message::Body, unit_done::Output};
use gio_net::{ConnectError, Net};
use gio_protocol::B256;
use thiserror::Error;
use tokio::time::sleep;

use super::desk::Desk;
use super::results::Upload;
use crate::infra::observe;
use crate::infra::store::Change;
use crate::infra::wire::{content_ref, unit_done, unit_failure};

/// Tries before the stream is given up; the next stream begins again.
const TRIES: u32 = 4;
/// Before the second try; doubled for each further one.
const BACKOFF: Duration = Duration::from_millis(500);

#[derive(Debug, Error)]
enum UploadError {
    #[error("the hub cannot be reached")]
    Connect(#[source] Box<ConnectError>),
    #[error("the hub did not take the result")]
    Blob(#[source] BlobError),
}

impl Desk {
    /// Uploads a result and says so, in a task of its own: small results do not wait for it.
    pub(super) fn upload(self: &Arc<Self>, upload: Upload) {
        let desk = Arc::clone(self);
        let task = async move {
            tokio::select! {
                () = desk.upload_and_tell(&upload) => {}
                () = desk.stop.cancelled() => {}
            }
        };
        self.deps.stop.tasks.spawn(task);
    }

    async fn upload_and_tell(&self, upload: &Upload) {
        let key = upload.row.key();
        let Some(bytes) = self.output_of(upload).await else {
            return self.give_up(upload).await;
        };
        let mut backoff = BACKOFF;
        for attempt in 1..=TRIES {
            if !self.is_connected() {
                // The next stream sends it again.
                return;
            }
            match self.upload_once(upload.content.root, bytes.clone()).await {
                Ok(()) => {
                    let output = Output::OutputRef(content_ref(upload.content));
                    let unit = unit_done(&upload.row.claim, &upload.row.signature, output);
                    return self.send(Body::Done(Done { units: vec![unit] })).await;
                }
                Err(error) => observe::upload_failed(key, &error),
            }
            if attempt < TRIES {
                sleep(backoff).await;
                backoff *= 2;
            }
        }
        self.hang_up();
    }

    async fn upload_once(&self, root: B256, bytes: Bytes) -> Result<(), UploadError> {
        let net: &Net = &self.deps.net;
        let channel = net.channel(self.hub.peer, &self.source().addrs).await;
        let channel = channel.map_err(|error| UploadError::Connect(Box::new(error)))?;
        let stored = blob::upload(channel, root, bytes).await;
        gio_failpoint::fail_point!("miner.sent.output");
        stored.map(drop).map_err(UploadError::Blob)
    }

    /// The output's bytes; `None` if they are gone from disk.
    async fn output_of(&self, upload: &Upload) -> Option<Bytes> {
        let pinned = self.deps.contents.pin(upload.content)?;
        let contents = self.deps.contents.clone();
        let read = tokio::task::spawn_blocking(move || contents.read(&pinned));
        read.await.ok().flatten()
    }

    /// A claim whose output is lost is worth nothing: the unit goes back, and the claim is forgotten.
    async fn give_up(&self, upload: &Upload) {
        let key = upload.row.key();
        observe::output_lost(key);
        let lost = Change::Rejected(vec![(key, "the output was lost from disk".to_owned())]);
        if let Err(error) = self.deps.store.apply(vec![lost]).await {
            return self.deps.fatal("uploads", error);
        }
        gio_failpoint::fail_point!("miner.wrote.output_lost");
        self.state().book.reject(key);
        let units = vec![unit_failure(key, "the output was lost", true)];
        self.send(Body::Failed(Failed { units })).await;
    }
}
