//! Every connection by peer, and which way it goes.

use std::collections::HashMap;

use libp2p::core::ConnectedPoint;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId, multiaddr::Protocol};

use crate::error::Hop;

/// Addresses taken from one peer's word: a few per interface and transport.
const ADDRS_PER_PEER_MAX: usize = 16;

struct Connection {
    id: ConnectionId,
    hop: Hop,
    /// The peer's address as this node dialled it; nothing if the peer dialled.
    dialled: Option<Multiaddr>,
    is_loopback: bool,
}

#[derive(Default)]
pub(super) struct Links {
    by_peer: HashMap<PeerId, Vec<Connection>>,
}

impl Links {
    pub(super) fn add(&mut self, peer: PeerId, id: ConnectionId, endpoint: &ConnectedPoint) -> Hop {
        let (hop, dialled) = match endpoint {
            ConnectedPoint::Dialer { address, .. } => (Hop::of(address), Some(address.clone())),
            ConnectedPoint::Listener { local_addr, .. } => (Hop::of(local_addr), None),
        };
        self.by_peer.entry(peer).or_default().push(Connection {
            id,
            hop,
            dialled,
            is_loopback: is_loopback(endpoint.get_remote_address()),
        });
        hop
    }

    pub(super) fn remove(&mut self, peer: &PeerId, id: ConnectionId) {
        if let Some(connections) = self.by_peer.get_mut(peer) {
            connections.retain(|connection| connection.id != id);
            if connections.is_empty() {
                self.by_peer.remove(peer);
            }
        }
    }

    /// The best way to a connected peer.
    pub(super) fn best(&self, peer: &PeerId) -> Option<Hop> {
        self.of(peer).map(|connection| connection.hop).min()
    }

    pub(super) fn peers(&self) -> usize {
        self.by_peer.len()
    }

    /// Marks a punched connection and names the relayed ones it replaces.
    pub(super) fn punched(&mut self, peer: &PeerId, id: ConnectionId) -> Vec<ConnectionId> {
        let Some(connections) = self.by_peer.get_mut(peer) else {
            return Vec::new();
        };
        if let Some(connection) = connections.iter_mut().find(|c| c.id == id) {
            connection.hop = Hop::Punched;
        }
        let relayed = connections.iter();
        let relayed = relayed.filter(|c| matches!(c.hop, Hop::Relayed(_)));
        relayed.map(|connection| connection.id).collect()
    }

    /// Where this node reached a peer directly.
    pub(super) fn dialled_addr(&self, peer: &PeerId) -> Option<Multiaddr> {
        let mut direct = self.of(peer).filter(|c| c.hop == Hop::Direct);
        direct.find_map(|connection| connection.dialled.clone())
    }

    /// Of the addresses a peer gives, those that can mean the same peer here: its loopback only if it is ours too.
    pub(super) fn usable_addrs(&self, peer: &PeerId, addrs: &[Multiaddr]) -> Vec<Multiaddr> {
        let same_machine = self.of(peer).any(|connection| connection.is_loopback);
        let usable = addrs.iter().take(ADDRS_PER_PEER_MAX);
        let usable = usable.filter(|addr| same_machine || !is_loopback(addr));
        usable.cloned().collect()
    }

    fn of(&self, peer: &PeerId) -> impl Iterator<Item = &Connection> {
        self.by_peer.get(peer).into_iter().flatten()
    }
}

fn is_loopback(addr: &Multiaddr) -> bool {
    match addr.iter().next() {
        Some(Protocol::Ip4(ip)) => ip.is_loopback(),
        Some(Protocol::Ip6(ip)) => ip.is_loopback(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use libp2p::core::{Endpoint, transport::PortUse};

    use super::*;

    fn dialled(addr: &str) -> ConnectedPoint {
        ConnectedPoint::Dialer {
            address: addr.parse().unwrap(),
            role_override: Endpoint::Dialer,
            port_use: PortUse::New,
        }
    }

    #[test]
    fn a_punched_connection_replaces_the_relayed_ones() {
        let (peer, relay) = (PeerId::random(), PeerId::random());
        let mut links = Links::default();
        let (relayed, direct) = (
            ConnectionId::new_unchecked(1),
            ConnectionId::new_unchecked(2),
        );
        let circuit = format!("/ip4/10.0.0.1/tcp/1/p2p/{relay}/p2p-circuit");
        assert_eq!(
            links.add(peer, relayed, &dialled(&circuit)),
            Hop::Relayed(relay)
        );
        links.add(peer, direct, &dialled("/ip4/10.0.0.2/tcp/1"));
        assert_eq!(links.best(&peer), Some(Hop::Direct));
        assert_eq!(links.punched(&peer, direct), [relayed]);
        assert_eq!(links.best(&peer), Some(Hop::Punched));
        links.remove(&peer, relayed);
        links.remove(&peer, direct);
        assert_eq!(links.best(&peer), None);
        assert_eq!(links.peers(), 0);
    }

    #[test]
    fn a_far_peer_cannot_send_us_to_our_own_loopback() {
        let (far, near) = (PeerId::random(), PeerId::random());
        let mut links = Links::default();
        links.add(
            far,
            ConnectionId::new_unchecked(1),
            &dialled("/ip4/10.0.0.1/tcp/1"),
        );
        links.add(
            near,
            ConnectionId::new_unchecked(2),
            &dialled("/ip4/127.0.0.1/tcp/1"),
        );
        let own: Multiaddr = "/ip4/127.0.0.1/tcp/8545".parse().unwrap();
        assert!(
            links
                .usable_addrs(&far, std::slice::from_ref(&own))
                .is_empty()
        );
        assert_eq!(links.usable_addrs(&near, std::slice::from_ref(&own)), [own]);
    }
}
