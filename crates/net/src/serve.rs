//! The gRPC server of a node: every call comes over a libp2p stream, so its caller is always known.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alloy_primitives::Address;
use futures::StreamExt as _;
use gio_keys::PublicKey;
use libp2p::{PeerId, Stream};
use libp2p_stream::IncomingStreams;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::server::{Connected, Server};
use tonic::{Request, Status};
use tracing::{debug, warn};

use crate::error::Refusal;
use crate::identity::public_key_of;
use crate::limits::{
    CHANNEL_WINDOW_BYTES, KEEP_ALIVE_INTERVAL, KEEP_ALIVE_TIMEOUT, MESSAGE_BYTES_MAX,
    STREAM_WINDOW_BYTES,
};
use crate::stream::{Io, greet};
use crate::wire::content_server::{Content, ContentServer};
use crate::wire::directory_server::{Directory, DirectoryServer};
use crate::wire::market_server::{Market, MarketServer};
use crate::wire::work_server::{Work, WorkServer};

/// Channels one peer may have open: a miner needs one, a buyer one for each job that somebody follows, a program for
/// each, all with the buyer's key; more overlap while they reconnect.
pub(crate) const CHANNELS_PER_PEER_MAX: usize = 16;
/// Channels of all peers together: as many as connections are let in.
const CHANNELS_MAX: usize = 8_192;
/// Calls in progress on one channel; further ones wait at the caller.
const CALLS_PER_CHANNEL_MAX: u32 = 256;
/// Greetings being written at a time; a stream beyond that is dropped and its caller tries again.
const GREETINGS_MAX: usize = 512;
/// A byte to a peer whose stream has just been opened.
const GREETING_TIMEOUT: Duration = Duration::from_secs(5);
/// Accepted streams waiting for the server's accept loop, which does nothing but take them.
const ACCEPTED_QUEUE: usize = 64;
/// How long calls in progress may go on after the node was told to stop.
pub(crate) const SHUTDOWN_GRACE: Duration = Duration::from_secs(3);

/// Who is calling: authenticated by the connection, put into the extensions of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The peer.
    pub peer: PeerId,
    /// Its EVM account.
    pub address: Address,
    /// Its key.
    pub public_key: PublicKey,
}

impl Caller {
    /// Who makes a call.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if the request did not come over a node's stream.
    pub fn of<T>(request: &Request<T>) -> Result<Self, Status> {
        let caller = request.extensions().get::<Self>().copied();
        caller.ok_or_else(|| Status::unauthenticated("the call did not come from a peer"))
    }
}

/// The services a node offers, each with the network's message limits. The directory is always among them.
#[derive(Clone, Debug, Default)]
pub struct Services(Routes);

impl Services {
    /// Only the directory: what miners and buyers offer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Serves buyers.
    #[must_use]
    pub fn market(self, service: impl Market) -> Self {
        let server = MarketServer::new(service);
        Self(
            self.0.add_service(
                server
                    .max_decoding_message_size(MESSAGE_BYTES_MAX)
                    .max_encoding_message_size(MESSAGE_BYTES_MAX),
            ),
        )
    }

    /// Serves miners.
    #[must_use]
    pub fn work(self, service: impl Work) -> Self {
        let server = WorkServer::new(service);
        Self(
            self.0.add_service(
                server
                    .max_decoding_message_size(MESSAGE_BYTES_MAX)
                    .max_encoding_message_size(MESSAGE_BYTES_MAX),
            ),
        )
    }

    /// Serves bytes.
    #[must_use]
    pub fn content(self, service: impl Content) -> Self {
        let server = ContentServer::new(service);
        Self(
            self.0.add_service(
                server
                    .max_decoding_message_size(MESSAGE_BYTES_MAX)
                    .max_encoding_message_size(MESSAGE_BYTES_MAX),
            ),
        )
    }

    pub(crate) fn directory(self, service: impl Directory) -> Self {
        let server = DirectoryServer::new(service);
        Self(
            self.0.add_service(
                server
                    .max_decoding_message_size(MESSAGE_BYTES_MAX)
                    .max_encoding_message_size(MESSAGE_BYTES_MAX),
            ),
        )
    }
}

/// Why a node does not serve.
#[derive(Debug, Error)]
pub enum ServeError {
    /// A node serves once; everything it offers goes into one [`Services`].
    #[error("this node serves already")]
    AlreadyServing,
}

/// Places for channels, counted per peer.
#[derive(Default)]
struct Slots {
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    per_peer: HashMap<PeerId, usize>,
    total: usize,
}

/// One channel's place; given back when the channel's stream is dropped.
pub(crate) struct Slot {
    slots: Arc<Slots>,
    caller: Caller,
}

impl Slots {
    fn take(self: &Arc<Self>, peer: PeerId) -> Result<Slot, Refusal> {
        let public_key = public_key_of(&peer).ok_or(Refusal::NoAccount)?;
        let mut taken = self.lock();
        if taken.total >= CHANNELS_MAX {
            return Err(Refusal::TotalLimit);
        }
        let of_peer = taken.per_peer.entry(peer).or_default();
        if *of_peer >= CHANNELS_PER_PEER_MAX {
            return Err(Refusal::PeerLimit);
        }
        *of_peer += 1;
        taken.total += 1;
        let caller = Caller {
            peer,
            address: public_key.address(),
            public_key,
        };
        Ok(Slot {
            slots: Arc::clone(self),
            caller,
        })
    }

    fn give_back(&self, peer: &PeerId) {
        let mut taken = self.lock();
        taken.total -= 1;
        if let Some(count) = taken.per_peer.get_mut(peer) {
            *count -= 1;
            if *count == 0 {
                taken.per_peer.remove(peer);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.give_back(&self.caller.peer);
    }
}

impl Connected for Io<Slot> {
    type ConnectInfo = Caller;

    fn connect_info(&self) -> Caller {
        self.guard.caller
    }
}

/// Takes streams, serves calls, and ends some time after `stop`.
pub(crate) async fn serve(services: Services, incoming: IncomingStreams, stop: CancellationToken) {
    let (accepted, streams) = mpsc::channel(ACCEPTED_QUEUE);
    let server = Server::builder()
        .http2_keepalive_interval(Some(KEEP_ALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEP_ALIVE_TIMEOUT))
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CHANNEL_WINDOW_BYTES)
        .max_concurrent_streams(CALLS_PER_CHANNEL_MAX)
        .add_routes(services.0)
        .serve_with_incoming_shutdown(
            ReceiverStream::new(streams).map(Ok::<_, Infallible>),
            stop.clone().cancelled_owned(),
        );
    let (result, ()) = tokio::join!(
        timeout_after(stop.clone(), server),
        accept(incoming, accepted, stop)
    );
    match result {
        Some(Err(error)) => warn!(%error, "the gRPC server ended"),
        Some(Ok(())) => {}
        None => debug!("calls in progress were cut off at shutdown"),
    }
}

/// Runs to the end, or to [`SHUTDOWN_GRACE`] after `stop`.
async fn timeout_after<F: Future>(stop: CancellationToken, future: F) -> Option<F::Output> {
    let deadline = async {
        stop.cancelled().await;
        tokio::time::sleep(SHUTDOWN_GRACE).await;
    };
    tokio::select! {
        output = future => Some(output),
        () = deadline => None,
    }
}

/// Takes every inbound stream at once and leaves the waiting to a task of its own.
async fn accept(
    mut incoming: IncomingStreams,
    accepted: mpsc::Sender<Io<Slot>>,
    stop: CancellationToken,
) {
    let slots = Arc::new(Slots::default());
    let mut greetings = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            Some(_) = greetings.join_next() => {}
            next = incoming.next() => {
                let Some((peer, stream)) = next else { return };
                if greetings.len() < GREETINGS_MAX {
                    greetings.spawn(admit(peer, stream, Arc::clone(&slots), accepted.clone()));
                } else {
                    debug!(%peer, "a stream was dropped: too many are being greeted");
                }
            }
        }
    }
}

async fn admit(
    peer: PeerId,
    mut stream: Stream,
    slots: Arc<Slots>,
    accepted: mpsc::Sender<Io<Slot>>,
) {
    let slot = slots.take(peer);
    let greeting = greet(&mut stream, slot.as_ref().err().copied());
    match (slot, timeout(GREETING_TIMEOUT, greeting).await) {
        (Ok(slot), Ok(Ok(()))) => {
            // The receiver only goes away with the server.
            let _ = accepted.send(Io::new(stream, slot)).await;
        }
        (Err(refusal), _) => debug!(%peer, %refusal, "a channel was refused"),
        (Ok(_), Ok(Err(error))) => debug!(%peer, %error, "a stream broke while it was greeted"),
        (Ok(_), Err(_)) => debug!(%peer, "a stream did not take its greeting in time"),
    }
}

#[cfg(test)]
mod tests {
    use gio_keys::MachineKey;

    use super::*;
    use crate::identity::peer_id_of;

    #[test]
    fn places_are_counted_per_peer_and_given_back() {
        let peer = |byte| {
            let key = MachineKey::from_bytes(&[byte; 32]).unwrap();
            peer_id_of(&key.public_key())
        };
        let slots = Arc::new(Slots::default());
        let mut held: Vec<_> = (0..CHANNELS_PER_PEER_MAX)
            .map(|_| slots.take(peer(1)).ok().unwrap())
            .collect();
        assert_eq!(slots.take(peer(1)).err(), Some(Refusal::PeerLimit));
        assert!(slots.take(peer(2)).is_ok());
        held.pop();
        assert!(slots.take(peer(1)).is_ok());
        held.clear();
        assert_eq!(slots.lock().total, 0);
        assert!(slots.lock().per_peer.is_empty());
        assert_eq!(slots.take(PeerId::random()).err(), Some(Refusal::NoAccount));
    }
}
