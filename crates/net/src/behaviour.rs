//! The swarm: transports TCP and QUIC, Noise, Yamux, and every libp2p protocol a node speaks.

use std::time::Duration;

use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::identity::Keypair;
use libp2p::kad::{self, store::MemoryStore};
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{
    PeerId, StreamProtocol, Swarm, SwarmBuilder, autonat, dcutr, identify, mdns, noise, ping,
    relay, tcp, yamux,
};

use crate::gossip::{self, Gossip};
use crate::{NetConfig, StartNetError};

/// What identify compares; changes when nodes cannot talk to each other any more.
const NETWORK: &str = "/gio/1";
/// Our own DHT: sharing the public one would fill it with peers that know nothing of GIO.
const KAD_PROTOCOL: StreamProtocol = StreamProtocol::new("/gio/kad/1");
/// A TCP and security handshake over a bad line with retransmissions.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection without streams: long enough for the next call of a buyer who reads a quote.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// How often an idle peer is asked whether it is there.
const PING_INTERVAL: Duration = Duration::from_secs(15);
/// How long it may take to say so; after the second silence the connection is closed.
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// QUIC's handshake is one round trip, and a machine without it never answers: TCP is tried at the same time.
const QUIC_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// QUIC's own silence limit in milliseconds, in step with ping.
const QUIC_IDLE_MS: u32 = 30_000;
/// One for each channel that one key may have, each from a program of its own, by both transports while they race, and
/// some that are relayed.
const CONNECTIONS_PER_PEER_MAX: u32 = 40;
/// Inbound connections: every miner of a large hub.
const INBOUND_MAX: u32 = 8_192;
/// Handshakes at a time, in either direction; each costs a signature check.
const PENDING_MAX: u32 = 256;
/// Bytes one relayed connection may carry: talk between peers behind NAT, not bulk.
const RELAYED_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// How long one relayed connection may last.
const RELAYED_TIME_MAX: Duration = Duration::from_secs(10 * 60);

/// Every protocol of a node.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    limits: connection_limits::Behaviour,
    pub(crate) gossip: Gossip,
    pub(crate) streams: libp2p_stream::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    pub(crate) kad: kad::Behaviour<MemoryStore>,
    mdns: Toggle<mdns::tokio::Behaviour>,
    autonat_client: autonat::v2::client::Behaviour,
    autonat_server: Toggle<autonat::v2::server::Behaviour>,
    relay_client: relay::client::Behaviour,
    relay_server: Toggle<relay::Behaviour>,
    dcutr: dcutr::Behaviour,
}

/// Builds the swarm of a node; nothing listens or dials yet.
pub(crate) fn swarm(
    keypair: &Keypair,
    config: &NetConfig,
) -> Result<Swarm<Behaviour>, StartNetError> {
    let transport = |error: &dyn std::error::Error| StartNetError::Transport(error.to_string());
    let gossip = gossip::behaviour(keypair)?;
    let mdns = mdns_behaviour(keypair, config)?;
    let built = SwarmBuilder::with_existing_identity(keypair.clone())
        .with_tokio()
        .with_tcp(
            tcp::Config::default().nodelay(true),
            noise::Config::new,
            yamux::Config::default,
        )
        .map_err(|error| transport(&error))?
        .with_quic_config(|mut quic| {
            quic.handshake_timeout = QUIC_HANDSHAKE_TIMEOUT;
            quic.max_idle_timeout = QUIC_IDLE_MS;
            quic
        })
        .with_dns()
        .map_err(|error| transport(&error))?
        .with_relay_client(noise::Config::new, yamux::Config::default)
        .map_err(|error| transport(&error))?
        .with_behaviour(|keypair, relay| compose(keypair, config, relay, gossip, mdns));
    let Ok(builder) = built;
    Ok(builder
        .with_swarm_config(|swarm| swarm.with_idle_connection_timeout(IDLE_TIMEOUT))
        .with_connection_timeout(HANDSHAKE_TIMEOUT)
        .build())
}

fn compose(
    keypair: &Keypair,
    config: &NetConfig,
    relay_client: relay::client::Behaviour,
    gossip: Gossip,
    mdns: Toggle<mdns::tokio::Behaviour>,
) -> Behaviour {
    let peer = keypair.public().to_peer_id();
    let helper = config.offer_relay;
    Behaviour {
        limits: connection_limits::Behaviour::new(limits()),
        gossip,
        streams: libp2p_stream::Behaviour::new(),
        identify: identify::Behaviour::new(
            identify::Config::new(NETWORK.to_owned(), keypair.public())
                .with_agent_version(config.agent.clone())
                .with_push_listen_addr_updates(true),
        ),
        ping: ping::Behaviour::new(
            ping::Config::new()
                .with_interval(PING_INTERVAL)
                .with_timeout(PING_TIMEOUT),
        ),
        kad: kad::Behaviour::with_config(
            peer,
            MemoryStore::new(peer),
            kad::Config::new(KAD_PROTOCOL),
        ),
        mdns,
        autonat_client: autonat::v2::client::Behaviour::default(),
        autonat_server: helper.then(autonat::v2::server::Behaviour::default).into(),
        relay_client,
        relay_server: helper
            .then(|| relay::Behaviour::new(peer, relay_limits()))
            .into(),
        dcutr: dcutr::Behaviour::new(peer),
    }
}

fn mdns_behaviour(
    keypair: &Keypair,
    config: &NetConfig,
) -> Result<Toggle<mdns::tokio::Behaviour>, StartNetError> {
    if !config.mdns {
        return Ok(None.into());
    }
    let peer = PeerId::from_public_key(&keypair.public());
    mdns::tokio::Behaviour::new(mdns::Config::default(), peer)
        .map(|mdns| Some(mdns).into())
        .map_err(StartNetError::Mdns)
}

fn limits() -> ConnectionLimits {
    ConnectionLimits::default()
        .with_max_pending_incoming(Some(PENDING_MAX))
        .with_max_pending_outgoing(Some(PENDING_MAX))
        .with_max_established_incoming(Some(INBOUND_MAX))
        .with_max_established_per_peer(Some(CONNECTIONS_PER_PEER_MAX))
}

fn relay_limits() -> relay::Config {
    relay::Config {
        max_circuit_bytes: RELAYED_BYTES_MAX,
        max_circuit_duration: RELAYED_TIME_MAX,
        ..relay::Config::default()
    }
}
