//! Channels to other peers: one HTTP/2 connection per peer, kept, and dialled again when it breaks.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use libp2p::{Multiaddr, PeerId};
use libp2p_stream::{Control, OpenStreamError};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};
use tonic::transport::{Channel, Endpoint};
use tracing::debug;

use crate::error::{ConnectError, Hop};
use crate::limits::{
    CHANNEL_WINDOW_BYTES, KEEP_ALIVE_INTERVAL, KEEP_ALIVE_TIMEOUT, STREAM_WINDOW_BYTES,
};
use crate::node::Command;
use crate::stream::{GRPC_PROTOCOL, Io, greeted};

/// A dial: every address at once, each within the swarm's own 10 s, and a relayed one over two hops.
const DIAL_TIMEOUT: Duration = Duration::from_secs(20);
/// Opening and greeting a stream on a connection that exists: two round trips.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);
/// A stream that breaks before it is greeted was dropped by a busy acceptor, or its connection was about to end.
const OPEN_ATTEMPTS: u32 = 4;
/// Before the second attempt; doubled for each further one.
const OPEN_BACKOFF: Duration = Duration::from_millis(50);
/// A greeted stream waits for its first call; later it may have been closed at the other end.
const SPARE_AGE_MAX: Duration = Duration::from_secs(5);
/// Channels kept; beyond that unused ones are forgotten.
const CHANNELS_MAX: usize = 4_096;

/// Opens greeted streams to any peer.
#[derive(Clone)]
pub(crate) struct Dialler {
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) control: Control,
}

type ClientStream = Io<Live>;

/// Counts itself among the streams of a link while its stream lives.
pub(crate) struct Live(Arc<AtomicUsize>);

impl Live {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What is known about one peer's channel.
struct Link {
    peer: PeerId,
    addrs: Mutex<Vec<Multiaddr>>,
    /// Streams of this link that have not been dropped; zero means that the channel is broken or was never used.
    live: Arc<AtomicUsize>,
    /// A greeted stream that the channel will use when it connects next.
    spare: Mutex<Option<(Instant, ClientStream)>>,
    /// Only one caller opens a stream; the others wait for it.
    opening: tokio::sync::Mutex<()>,
}

impl Dialler {
    /// Connects to a peer, if it is not connected already.
    pub(crate) async fn connect(
        &self,
        peer: PeerId,
        addrs: Vec<Multiaddr>,
    ) -> Result<Hop, ConnectError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Connect { peer, addrs, reply };
        self.commands
            .send(command)
            .await
            .map_err(|_| ConnectError::Stopped)?;
        match timeout(DIAL_TIMEOUT, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(ConnectError::Stopped),
            Err(_) => Err(ConnectError::Timeout {
                peer,
                seconds: DIAL_TIMEOUT.as_secs(),
                step: "being dialled",
            }),
        }
    }

    /// A greeted stream; tries again while the failure may be a coincidence.
    async fn open(&self, link: &Link) -> Result<ClientStream, ConnectError> {
        let mut backoff = OPEN_BACKOFF;
        let mut attempt = 1;
        loop {
            match self.open_once(link).await {
                Err(error @ ConnectError::Broken { .. }) if attempt < OPEN_ATTEMPTS => {
                    debug!(peer = %link.peer, %error, attempt, "opening the channel again");
                }
                result => return result,
            }
            sleep(backoff).await;
            backoff *= 2;
            attempt += 1;
        }
    }

    async fn open_once(&self, link: &Link) -> Result<ClientStream, ConnectError> {
        let peer = link.peer;
        let hop = self.connect(peer, link.addrs()).await?;
        let mut control = self.control.clone();
        let opening = async {
            let mut stream = control.open_stream(peer, GRPC_PROTOCOL).await?;
            let greeting = greeted(&mut stream).await?;
            Ok((stream, greeting))
        };
        match timeout(OPEN_TIMEOUT, opening).await {
            Ok(Ok((stream, Ok(())))) => Ok(link.live_stream(stream)),
            Ok(Ok((_, Err(refusal)))) => Err(ConnectError::Refused { peer, hop, refusal }),
            Ok(Err(OpenStreamError::UnsupportedProtocol(_))) => {
                Err(ConnectError::NotServing { peer, hop })
            }
            Ok(Err(OpenStreamError::Io(error))) => Err(broken(peer, hop, error)),
            Ok(Err(error)) => Err(broken(peer, hop, std::io::Error::other(error))),
            Err(_) => {
                // The connection is there and silent: the next attempt needs a new one.
                let _ = self.commands.send(Command::Disconnect { peer }).await;
                Err(ConnectError::Timeout {
                    peer,
                    seconds: OPEN_TIMEOUT.as_secs(),
                    step: "a channel was opened",
                })
            }
        }
    }
}

fn broken(peer: PeerId, hop: Hop, error: std::io::Error) -> ConnectError {
    ConnectError::Broken {
        peer,
        hop,
        source: Arc::new(error),
    }
}

impl Link {
    fn addrs(&self) -> Vec<Multiaddr> {
        let addrs = self.addrs.lock().unwrap_or_else(PoisonError::into_inner);
        addrs.clone()
    }

    fn learn(&self, addrs: &[Multiaddr]) {
        if !addrs.is_empty() {
            let mut known = self.addrs.lock().unwrap_or_else(PoisonError::into_inner);
            *known = addrs.to_vec();
        }
    }

    fn is_live(&self) -> bool {
        self.live.load(Ordering::Relaxed) > 0
    }

    fn live_stream(&self, stream: libp2p::Stream) -> ClientStream {
        Io::new(stream, Live::new(&self.live))
    }

    fn keep_spare(&self, stream: ClientStream) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        *spare = Some((Instant::now(), stream));
    }

    fn take_spare(&self) -> Option<ClientStream> {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, stream) = spare.take()?;
        (since.elapsed() < SPARE_AGE_MAX).then_some(stream)
    }
}

/// The channels of a node.
pub(crate) struct Channels {
    dialler: Dialler,
    by_peer: Mutex<HashMap<PeerId, (Channel, Arc<Link>)>>,
}

impl Channels {
    pub(crate) fn new(dialler: Dialler) -> Self {
        Self {
            dialler,
            by_peer: Mutex::new(HashMap::new()),
        }
    }

    pub(crate) fn dialler(&self) -> &Dialler {
        &self.dialler
    }

    /// The channel to a peer, connected. A later break is repaired by the channel itself at its next call.
    pub(crate) async fn get(
        &self,
        peer: PeerId,
        addrs: &[Multiaddr],
    ) -> Result<Channel, ConnectError> {
        let (channel, link) = self.entry(peer);
        link.learn(addrs);
        let _opening = link.opening.lock().await;
        if !link.is_live() {
            let stream = self.dialler.open(&link).await?;
            link.keep_spare(stream);
        }
        Ok(channel)
    }

    fn entry(&self, peer: PeerId) -> (Channel, Arc<Link>) {
        let mut by_peer = self.by_peer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((channel, link)) = by_peer.get(&peer) {
            return (channel.clone(), Arc::clone(link));
        }
        if by_peer.len() >= CHANNELS_MAX {
            by_peer.retain(|_, (_, link)| link.is_live());
        }
        let link = Arc::new(Link {
            peer,
            addrs: Mutex::default(),
            live: Arc::default(),
            spare: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
        });
        let channel = lazy_channel(self.dialler.clone(), Arc::clone(&link));
        by_peer.insert(peer, (channel.clone(), Arc::clone(&link)));
        (channel, link)
    }
}

/// A channel that connects by a spare stream or a new one, now and after every break.
fn lazy_channel(dialler: Dialler, link: Arc<Link>) -> Channel {
    let connector = tower::service_fn(move |_| {
        let (dialler, link) = (dialler.clone(), Arc::clone(&link));
        async move {
            let stream = match link.take_spare() {
                Some(stream) => stream,
                None => dialler.open(&link).await?,
            };
            Ok::<_, ConnectError>(TokioIo::new(stream))
        }
    });
    Endpoint::from_static("http://peer.gio")
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CHANNEL_WINDOW_BYTES)
        .connect_with_connector_lazy(connector)
}
