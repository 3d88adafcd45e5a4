//! The one task that owns the swarm: it alone changes connections, gossip and the table of hubs.
//!
//! Everything else talks to it through [`Command`]s and reads what it publishes.
//! It never waits for anybody: a slow caller cannot hold up the network.

mod bootstrap;
mod dials;
mod links;
mod publish;
mod relays;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::StreamExt as _;
use gio_protocol::UnixSeconds;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, Swarm, autonat, dcutr, gossipsub, identify, mdns, ping, relay};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info};

use self::bootstrap::Bootstrap;
use self::dials::Dials;
use self::links::Links;
use self::publish::Own;
use self::relays::Relays;
use crate::announcement::VerifiedAnnouncement;
use crate::behaviour::{Behaviour, BehaviourEvent};
use crate::error::{ConnectError, Hop};
use crate::hubs::HubTable;
use crate::serve::SHUTDOWN_GRACE;
use crate::{NetConfig, NetStats, PublishError, StartNetError};

/// How often expiry, lost bootstrap peers and delayed announcements are looked at: below what a person notices.
const TICK: Duration = Duration::from_millis(250);
/// Listening on an interface is immediate; reserving a place at a relay takes a dial and two round trips.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(20);
/// Saying goodbye on every connection; whoever does not hear it finds out by ping.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);

/// What others ask of the node.
pub(crate) enum Command {
    /// A connection to this peer, an existing one included.
    Connect {
        peer: PeerId,
        addrs: Vec<Multiaddr>,
        reply: oneshot::Sender<Result<Hop, ConnectError>>,
    },
    /// No connection to this peer: what there is is broken.
    Disconnect { peer: PeerId },
    /// This node's own announcement, now and again whenever a peer subscribes.
    Publish {
        announcement: Box<VerifiedAnnouncement>,
        reply: oneshot::Sender<Result<(), PublishError>>,
    },
    /// Announcements that other peers' directories know.
    Offer {
        announcements: Vec<VerifiedAnnouncement>,
    },
    /// Who is connected.
    Peers { reply: oneshot::Sender<Vec<PeerId>> },
}

/// This node's own addresses, each with `/p2p/<peer>`.
#[derive(Default)]
pub(crate) struct Addrs {
    pub(crate) listen: Vec<Multiaddr>,
    /// Known to be reachable from outside.
    pub(crate) external: Vec<Multiaddr>,
}

/// What the node publishes.
#[derive(Default)]
pub(crate) struct Published {
    pub(crate) addrs: watch::Sender<Addrs>,
    pub(crate) stats: watch::Sender<NetStats>,
}

pub(crate) struct Node {
    swarm: Swarm<Behaviour>,
    commands: mpsc::Receiver<Command>,
    published: Published,
    hubs: HubTable,
    own: Own,
    dials: Dials,
    links: Links,
    bootstrap: Bootstrap,
    relays: Relays,
    /// Listen addresses are external ones.
    reachable: bool,
}

/// This machine's clock. Announcements are the only thing it decides: money and deadlines follow block time.
pub(crate) fn now() -> UnixSeconds {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = since.map_or(0, |since| since.as_secs());
    UnixSeconds(seconds.saturating_add_signed(gio_failpoint::clock_shift()))
}

impl Node {
    pub(crate) fn new(
        mut swarm: Swarm<Behaviour>,
        config: &NetConfig,
        commands: mpsc::Receiver<Command>,
        published: Published,
    ) -> Result<Self, StartNetError> {
        let bootstrap = Bootstrap::new(&config.bootstrap)?;
        for (peer, addr) in bootstrap.addrs() {
            swarm.behaviour_mut().kad.add_address(&peer, addr.clone());
        }
        for addr in &config.external {
            swarm.add_external_address(addr.clone());
        }
        let node = Self {
            swarm,
            commands,
            published,
            hubs: HubTable::new(),
            own: Own::default(),
            dials: Dials::default(),
            links: Links::default(),
            bootstrap,
            relays: Relays::new(config.use_relays && !config.listen.is_empty()),
            reachable: config.reachable,
        };
        node.publish_addrs();
        Ok(node)
    }

    pub(crate) fn hubs(&self) -> &HubTable {
        &self.hubs
    }

    /// Listens on every address, and returns when each has its real port or its relay's consent.
    pub(crate) async fn listen(&mut self, addrs: &[Multiaddr]) -> Result<(), StartNetError> {
        let mut waiting = Vec::new();
        for addr in addrs {
            let id = self.swarm.listen_on(addr.clone());
            let id = id.map_err(|error| StartNetError::listen(addr, &error))?;
            waiting.push((id, addr.clone()));
        }
        let all_ready = async {
            while !waiting.is_empty() {
                let event = self.swarm.select_next_some().await;
                match &event {
                    SwarmEvent::NewListenAddr { listener_id, .. } => {
                        waiting.retain(|(id, _)| id != listener_id);
                    }
                    SwarmEvent::ListenerClosed {
                        listener_id,
                        reason: Err(error),
                        ..
                    } => {
                        if let Some((_, addr)) = waiting.iter().find(|(id, _)| id == listener_id) {
                            return Err(StartNetError::listen(addr, error));
                        }
                    }
                    _ => {}
                }
                self.on_event(event);
            }
            Ok(())
        };
        match timeout(LISTEN_TIMEOUT, all_ready).await {
            Ok(result) => result,
            Err(_) => Err(StartNetError::ListenTimeout {
                seconds: LISTEN_TIMEOUT.as_secs(),
            }),
        }
    }

    /// Runs until `stop`, then lets the servers finish and says goodbye.
    pub(crate) async fn run(mut self: Box<Self>, stop: CancellationToken, servers: TaskTracker) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                command = self.commands.recv() => match command {
                    Some(command) => self.on_command(command),
                    None => break,
                },
                event = self.swarm.select_next_some() => self.on_event(event),
                _ = ticks.tick() => self.on_tick(),
            }
        }
        stop.cancel();
        self.drain(servers).await;
    }

    /// Calls in progress still need the swarm; whoever is connected then learns that this node leaves.
    async fn drain(&mut self, servers: TaskTracker) {
        servers.close();
        let finish = async {
            loop {
                tokio::select! {
                    () = servers.wait() => return,
                    event = self.swarm.select_next_some() => self.on_event(event),
                }
            }
        };
        let _ = timeout(SHUTDOWN_GRACE, finish).await;
        let peers: Vec<_> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            // Fails only for a peer that has just left by itself.
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let goodbye = async {
            while self.swarm.network_info().num_peers() > 0 {
                let event = self.swarm.select_next_some().await;
                self.on_event(event);
            }
        };
        let _ = timeout(GOODBYE_TIMEOUT, goodbye).await;
        debug!("the network node has stopped");
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Connect { peer, addrs, reply } => self.connect(peer, addrs, reply),
            Command::Disconnect { peer } => {
                // Fails only if it is disconnected already.
                let _ = self.swarm.disconnect_peer_id(peer);
            }
            Command::Publish {
                announcement,
                reply,
            } => {
                let result = self.announce(*announcement);
                let _ = reply.send(result);
            }
            Command::Offer { announcements } => {
                for announcement in announcements {
                    if let Err(reason) = self.hubs.offer(announcement, now()) {
                        debug!(%reason, "a directory's announcement was not taken");
                    }
                }
            }
            Command::Peers { reply } => {
                let _ = reply.send(self.swarm.connected_peers().copied().collect());
            }
        }
    }

    fn on_tick(&mut self) {
        self.hubs.expire(now());
        self.announce_if_due();
        self.bootstrap.dial_lost(&mut self.swarm);
        self.relays.reserve(&mut self.swarm);
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour(event),
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                ..
            } => {
                let hop = self.links.add(peer_id, connection_id, &endpoint);
                self.dials.reached(&peer_id, hop);
                self.bootstrap.reached(&peer_id);
                self.count_peers();
            }
            SwarmEvent::ConnectionClosed {
                peer_id,
                connection_id,
                ..
            } => {
                self.links.remove(&peer_id, connection_id);
                self.count_peers();
            }
            SwarmEvent::OutgoingConnectionError {
                peer_id: Some(peer),
                error,
                ..
            } if self.links.best(&peer).is_none() => {
                self.dials
                    .failed(&peer, &ConnectError::of_dial(peer, error));
            }
            SwarmEvent::NewListenAddr { address, .. } => {
                info!(%address, "listening");
                if self.reachable {
                    self.swarm.add_external_address(address);
                }
                self.publish_addrs();
            }
            SwarmEvent::ExpiredListenAddr { .. }
            | SwarmEvent::ExternalAddrConfirmed { .. }
            | SwarmEvent::ExternalAddrExpired { .. } => self.publish_addrs(),
            SwarmEvent::ListenerClosed {
                listener_id,
                reason,
                ..
            } => {
                debug!(?reason, "a listener closed");
                self.relays.closed(listener_id);
                self.publish_addrs();
            }
            _ => {}
        }
    }

    fn on_behaviour(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Gossip(gossipsub::Event::Message {
                propagation_source,
                message_id,
                message,
            }) => self.judge(propagation_source, &message_id, &message),
            BehaviourEvent::Gossip(gossipsub::Event::Subscribed { .. }) => self.on_subscribed(),
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) => {
                self.learn(peer_id, &info);
            }
            BehaviourEvent::Ping(ping::Event {
                peer,
                connection,
                result: Err(failure),
            }) if !matches!(failure, ping::Failure::Unsupported) => {
                debug!(%peer, %failure, "a silent connection is closed");
                self.swarm.close_connection(connection);
            }
            BehaviourEvent::Dcutr(dcutr::Event {
                remote_peer_id,
                result,
            }) => self.on_punched(remote_peer_id, result),
            BehaviourEvent::AutonatClient(autonat::v2::client::Event {
                tested_addr,
                result,
                ..
            }) => {
                debug!(%tested_addr, reachable = result.is_ok(), "autonat has tested an address");
                self.relays.tested(result.is_ok());
            }
            BehaviourEvent::RelayClient(relay::client::Event::ReservationReqAccepted {
                relay_peer_id,
                renewal: false,
                ..
            }) => info!(relay = %relay_peer_id, "reachable through a relay"),
            BehaviourEvent::Mdns(mdns::Event::Discovered(found)) => self.on_discovered(found),
            _ => {}
        }
    }

    /// What a peer says of itself: where it listens, and what it does for others.
    fn learn(&mut self, peer: PeerId, info: &identify::Info) {
        let kad = &mut self.swarm.behaviour_mut().kad;
        if kad
            .protocol_names()
            .iter()
            .any(|p| info.protocols.contains(p))
        {
            for addr in self.links.usable_addrs(&peer, &info.listen_addrs) {
                kad.add_address(&peer, addr);
            }
        }
        if info.protocols.contains(&relay::HOP_PROTOCOL_NAME)
            && let Some(addr) = self.links.dialled_addr(&peer)
        {
            self.relays.learn(peer, addr);
        }
    }

    /// A punched connection replaces the relayed ones: those are slow, and their relay will cut them.
    fn on_punched(
        &mut self,
        peer: PeerId,
        result: Result<libp2p::swarm::ConnectionId, dcutr::Error>,
    ) {
        match result {
            Ok(connection) => {
                info!(%peer, "connected directly after hole punching");
                for relayed in self.links.punched(&peer, connection) {
                    self.swarm.close_connection(relayed);
                }
            }
            Err(error) => {
                debug!(%peer, %error, "hole punching failed; the relayed connection stays")
            }
        }
    }

    fn on_discovered(&mut self, found: Vec<(PeerId, Multiaddr)>) {
        for (peer, addr) in found {
            debug!(%peer, %addr, "found on the local network");
            self.swarm
                .behaviour_mut()
                .kad
                .add_address(&peer, addr.clone());
            self.dial_quietly(peer, vec![addr]);
        }
    }

    fn publish_addrs(&self) {
        let peer = *self.swarm.local_peer_id();
        self.published.addrs.send_replace(Addrs {
            listen: own_addrs(self.swarm.listeners(), peer),
            external: own_addrs(self.swarm.external_addresses(), peer),
        });
    }

    fn count_peers(&self) {
        let peers = self.links.peers();
        self.published.stats.send_if_modified(|stats| {
            let changed = stats.peers != peers;
            stats.peers = peers;
            changed
        });
    }
}

/// In a stable order, direct ones first. A relayed address ends in this peer already.
fn own_addrs<'a>(addrs: impl Iterator<Item = &'a Multiaddr>, peer: PeerId) -> Vec<Multiaddr> {
    let mut own: Vec<_> = addrs
        .filter_map(|addr| addr.clone().with_p2p(peer).ok())
        .collect();
    own.sort_by_cached_key(|addr| (Hop::of(addr), addr.to_string()));
    own.dedup();
    own
}
