//! Places at relays, for a node that AutoNAT finds unreachable.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId, Swarm};
use tokio::time::Instant;
use tracing::debug;

use crate::behaviour::Behaviour;

/// Two, so that one relay may vanish.
const RESERVATIONS: usize = 2;
/// Relays remembered: enough to find two that have room.
const RELAYS_MAX: usize = 32;
/// Between rounds of asking: a relay that is full stays so for a while.
const RETRY: Duration = Duration::from_secs(30);

pub(super) struct Relays {
    enabled: bool,
    /// AutoNAT's last word was that nobody can dial this node.
    unreachable: bool,
    known: BTreeMap<PeerId, Multiaddr>,
    reserved: HashMap<ListenerId, PeerId>,
    next_try: Instant,
}

impl Relays {
    pub(super) fn new(enabled: bool) -> Self {
        Self {
            enabled,
            unreachable: false,
            known: BTreeMap::new(),
            reserved: HashMap::new(),
            next_try: Instant::now(),
        }
    }

    /// A peer that offers to relay.
    pub(super) fn learn(&mut self, peer: PeerId, addr: Multiaddr) {
        if self.known.len() < RELAYS_MAX || self.known.contains_key(&peer) {
            self.known.insert(peer, addr);
        }
    }

    /// AutoNAT tested an address.
    pub(super) fn tested(&mut self, reachable: bool) {
        self.unreachable = !reachable;
    }

    pub(super) fn closed(&mut self, listener: ListenerId) {
        self.reserved.remove(&listener);
    }

    /// Asks for the places that are missing.
    pub(super) fn reserve(&mut self, swarm: &mut Swarm<Behaviour>) {
        let wanted = self.enabled && self.unreachable && !has_direct_address(swarm);
        let missing = RESERVATIONS.saturating_sub(self.reserved.len());
        if !wanted || missing == 0 || Instant::now() < self.next_try {
            return;
        }
        self.next_try = Instant::now() + RETRY;
        let held: Vec<_> = self.reserved.values().copied().collect();
        let free = self.known.iter().filter(|(peer, _)| !held.contains(peer));
        for (peer, addr) in free.take(missing) {
            match swarm.listen_on(circuit(addr, *peer)) {
                Ok(listener) => {
                    self.reserved.insert(listener, *peer);
                }
                Err(error) => debug!(relay = %peer, %error, "no place at the relay"),
            }
        }
    }
}

fn has_direct_address(swarm: &Swarm<Behaviour>) -> bool {
    let mut external = swarm.external_addresses();
    external.any(|addr| !addr.iter().any(|part| part == Protocol::P2pCircuit))
}

/// The listen address that means a place at this relay.
fn circuit(addr: &Multiaddr, relay: PeerId) -> Multiaddr {
    let mut base = addr.clone();
    if let Some(Protocol::P2p(_)) = base.iter().last() {
        base.pop();
    }
    base.with(Protocol::P2p(relay)).with(Protocol::P2pCircuit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relays_address_becomes_a_listen_address() {
        let relay = PeerId::random();
        let plain: Multiaddr = "/ip4/10.0.0.1/tcp/1".parse().unwrap();
        let named: Multiaddr = format!("{plain}/p2p/{relay}").parse().unwrap();
        let expected = format!("{plain}/p2p/{relay}/p2p-circuit");
        assert_eq!(circuit(&plain, relay).to_string(), expected);
        assert_eq!(circuit(&named, relay).to_string(), expected);
    }
}
