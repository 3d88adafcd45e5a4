//! The handle of a node: cheap to clone, everything else of the program holds one.

use std::sync::Arc;
use std::time::Duration;

use libp2p::{Multiaddr, PeerId};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::Channel;

use crate::announcement::{ADDRS_MAX, AnnouncementError, VerifiedAnnouncement};
use crate::channel::{Channels, Dialler};
use crate::error::{ConnectError, Hop, chain};
use crate::hubs::{Announcements, NotTaken};
use crate::identity::{keypair_of, peer_of_addr};
use crate::node::{Addrs, Command, Node, Published, now};
use crate::serve::{ServeError, Services, serve};
use crate::stream::GRPC_PROTOCOL;
use crate::wire::Signed;
use crate::{NetConfig, behaviour, directory};

/// Commands waiting for the node's task, which answers each at once; beyond it callers wait their turn.
const COMMAND_QUEUE: usize = 256;

/// Why a node does not start.
#[derive(Debug, Error)]
pub enum StartNetError {
    /// A bootstrap address does not say whom it expects.
    #[error("bootstrap address `{0}` does not end in /p2p/<peer>")]
    Bootstrap(Multiaddr),
    /// The transports could not be set up.
    #[error("no transport: {0}")]
    Transport(String),
    /// The gossip parameters contradict each other.
    #[error("no gossip: {0}")]
    Gossip(String),
    /// The local network cannot be searched.
    #[error("no discovery on the local network")]
    Mdns(#[source] std::io::Error),
    /// An address cannot be listened on.
    #[error("cannot listen on `{addr}`: {reason}")]
    Listen {
        /// Which.
        addr: Multiaddr,
        /// Why.
        reason: String,
    },
    /// An address was not ready in time, for example because its relay is silent.
    #[error("not every address was ready within {seconds} s")]
    ListenTimeout {
        /// How long was waited.
        seconds: u64,
    },
}

impl StartNetError {
    pub(crate) fn listen(addr: &Multiaddr, error: &dyn std::error::Error) -> Self {
        Self::Listen {
            addr: addr.clone(),
            reason: chain(error),
        }
    }
}

/// Why an announcement is not published.
#[derive(Debug, Error)]
pub enum PublishError {
    /// Nobody would take it.
    #[error("the announcement is invalid")]
    Invalid(#[from] AnnouncementError),
    /// Signed by another machine's key.
    #[error("the announcement is {owner}'s, not this machine's")]
    NotOurs {
        /// Whose it is.
        owner: alloy_primitives::Address,
    },
    /// Nobody would take it after what was published before.
    #[error("the announcement would not be taken")]
    NotTaken(#[from] NotTaken),
    /// This node is shutting down.
    #[error("this node is shutting down")]
    Stopped,
}

/// What a node counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetStats {
    /// Connected peers.
    pub peers: usize,
    /// Announcements that came by gossip, were new, and went on.
    pub gossip_taken: u64,
    /// Old, repeated or untimely ones.
    pub gossip_ignored: u64,
    /// False ones.
    pub gossip_rejected: u64,
}

/// A running node. Clones are handles of the same one.
#[derive(Clone)]
pub struct Net {
    inner: Arc<Inner>,
}

struct Inner {
    peer: PeerId,
    bootstrap: Vec<Multiaddr>,
    channels: Channels,
    addrs: watch::Receiver<Addrs>,
    stats: watch::Receiver<NetStats>,
    announcements: watch::Receiver<Announcements>,
    stop: CancellationToken,
    tasks: TaskTracker,
    servers: TaskTracker,
}

impl std::fmt::Debug for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Net")
            .field("peer", &self.inner.peer)
            .field("stats", &*self.inner.stats.borrow())
            .finish_non_exhaustive()
    }
}

impl Net {
    /// Starts a node and returns when it listens everywhere it should. It runs until `stop`,
    /// or until the last handle is dropped.
    ///
    /// # Errors
    /// [`StartNetError`]; the node is gone then.
    pub async fn start(config: NetConfig, stop: CancellationToken) -> Result<Self, StartNetError> {
        let (mut node, inner) = build(&config, &stop)?;
        node.listen(&config.listen).await?;
        let running = node.run(inner.stop.clone(), inner.servers.clone());
        inner.tasks.spawn(running);
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// This machine as a peer.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.inner.peer
    }

    /// Where this node listens, with real ports and `/p2p/<peer>`; relayed addresses last.
    #[must_use]
    pub fn listen_addrs(&self) -> Vec<Multiaddr> {
        self.inner.addrs.borrow().listen.clone()
    }

    /// What to put into an announcement: the addresses known to be reachable from outside,
    /// and the listen addresses as long as none is known.
    #[must_use]
    pub fn announced_addrs(&self) -> Vec<Multiaddr> {
        let addrs = self.inner.addrs.borrow();
        let known = match addrs.external.as_slice() {
            [] => &addrs.listen,
            external => external,
        };
        known.iter().take(ADDRS_MAX).cloned().collect()
    }

    /// What the node counts, now and as it changes.
    #[must_use]
    pub fn stats(&self) -> watch::Receiver<NetStats> {
        self.inner.stats.clone()
    }

    /// Connects to the peer at an address that ends in `/p2p/<peer>`.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn dial(&self, addr: Multiaddr) -> Result<(PeerId, Hop), ConnectError> {
        let Some(peer) = peer_of_addr(&addr) else {
            return Err(ConnectError::NoPeer { addr });
        };
        let dialler = self.inner.channels.dialler();
        let hop = dialler.connect(peer, vec![addr]).await?;
        Ok((peer, hop))
    }

    /// The channel to a peer: one per peer, kept, connected when this returns.
    ///
    /// `addrs` may be empty for a peer that is connected or known. When the connection breaks, calls in
    /// progress fail with `UNAVAILABLE` or `UNKNOWN` and the next call dials again.
    ///
    /// # Errors
    /// [`ConnectError`] names the hop.
    pub async fn channel(
        &self,
        peer: PeerId,
        addrs: &[Multiaddr],
    ) -> Result<Channel, ConnectError> {
        self.inner.channels.get(peer, addrs).await
    }

    /// Offers services, and the directory, to every peer. Once per node.
    ///
    /// # Errors
    /// [`ServeError`].
    pub fn serve(&self, services: Services) -> Result<(), ServeError> {
        let mut control = self.inner.channels.dialler().control.clone();
        let incoming = control
            .accept(GRPC_PROTOCOL)
            .map_err(|_| ServeError::AlreadyServing)?;
        let services = services.directory(directory::Service::new(self.announcements()));
        let stop = self.inner.stop.clone();
        let servers = &self.inner.servers;
        servers.spawn(serve(services, incoming, stop));
        Ok(())
    }

    /// Sends this machine's announcement to everybody who listens, and again whenever somebody new does,
    /// until it expires or a newer one replaces it.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn publish_announcement(&self, signed: Signed) -> Result<(), PublishError> {
        let announcement = Box::new(VerifiedAnnouncement::verify(signed, now())?);
        let (reply, answer) = oneshot::channel();
        let command = Command::Publish {
            announcement,
            reply,
        };
        self.command(command)
            .await
            .map_err(|Stopped| PublishError::Stopped)?;
        answer.await.map_err(|_| PublishError::Stopped)?
    }

    /// The verified, unexpired announcements of all hubs heard of, now and as they change.
    #[must_use]
    pub fn announcements(&self) -> watch::Receiver<Announcements> {
        self.inner.announcements.clone()
    }

    /// Asks the bootstrap and connected peers which hubs they know, and returns everything known here.
    ///
    /// Returns when those asked have answered and at least one hub is known, at the latest after `timeout`.
    pub async fn find_hubs(&self, timeout: Duration) -> Announcements {
        directory::find_hubs(self, timeout).await
    }

    /// Waits until the node has ended after its token was cancelled.
    pub async fn stopped(&self) {
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    pub(crate) fn bootstrap(&self) -> &[Multiaddr] {
        &self.inner.bootstrap
    }

    pub(crate) async fn peers(&self) -> Vec<PeerId> {
        let (reply, answer) = oneshot::channel();
        match self.command(Command::Peers { reply }).await {
            Ok(()) => answer.await.unwrap_or_default(),
            Err(Stopped) => Vec::new(),
        }
    }

    pub(crate) async fn offer(&self, announcements: Vec<VerifiedAnnouncement>) {
        // A node that stops needs no more hubs.
        let _ = self.command(Command::Offer { announcements }).await;
    }

    async fn command(&self, command: Command) -> Result<(), Stopped> {
        let commands = &self.inner.channels.dialler().commands;
        commands.send(command).await.map_err(|_| Stopped)
    }
}

/// Everything of a node that does not wait.
fn build(
    config: &NetConfig,
    stop: &CancellationToken,
) -> Result<(Box<Node>, Inner), StartNetError> {
    let keypair = keypair_of(&config.key);
    let swarm = behaviour::swarm(&keypair, config)?;
    let control = swarm.behaviour().streams.new_control();
    let (commands, queue) = mpsc::channel(COMMAND_QUEUE);
    let published = Published::default();
    let (addrs, stats) = (published.addrs.subscribe(), published.stats.subscribe());
    let node = Box::new(Node::new(swarm, config, queue, published)?);
    let inner = Inner {
        peer: keypair.public().to_peer_id(),
        bootstrap: config.bootstrap.clone(),
        channels: Channels::new(Dialler { commands, control }),
        addrs,
        stats,
        announcements: node.hubs().subscribe(),
        stop: stop.child_token(),
        tasks: TaskTracker::new(),
        servers: TaskTracker::new(),
    };
    Ok((node, inner))
}

/// The node's task has ended.
struct Stopped;
