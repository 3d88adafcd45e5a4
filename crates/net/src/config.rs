//! What a node needs to know before it starts.

use gio_keys::MachineKey;
use libp2p::Multiaddr;

/// A node of the network. [`NetConfig::new`] gives a node that only dials.
#[derive(Clone, Debug)]
pub struct NetConfig {
    /// The machine's one identity.
    pub key: MachineKey,
    /// Where to listen: `/ip4/0.0.0.0/tcp/4001`, `/ip4/0.0.0.0/udp/4001/quic-v1`; port 0 takes a free one,
    /// `…/p2p/<relay>/p2p-circuit` reserves a place at a relay. Empty: nobody can call this node.
    pub listen: Vec<Multiaddr>,
    /// Peers to join by, each ending in `/p2p/<peer>`; they are dialled again whenever they are lost.
    pub bootstrap: Vec<Multiaddr>,
    /// Addresses under which others reach this node although it does not listen on them itself (a port forward).
    pub external: Vec<Multiaddr>,
    /// The listen addresses themselves can be reached: a public address, or the loopback of a development network.
    pub reachable: bool,
    /// Find peers on the local network. Off in the development network, where several networks share one machine.
    pub mdns: bool,
    /// Relay for peers that cannot be dialled, and test for others whether they can be: what a hub offers.
    pub offer_relay: bool,
    /// Reserve a place at relays when AutoNAT finds that this node listens in vain.
    pub use_relays: bool,
    /// What this program calls itself to other peers, `gio-hub/0.1.0`.
    pub agent: String,
}

impl NetConfig {
    /// A node that dials and is not dialled, with nobody to join by yet.
    #[must_use]
    pub fn new(key: MachineKey) -> Self {
        Self {
            key,
            listen: Vec::new(),
            bootstrap: Vec::new(),
            external: Vec::new(),
            reachable: false,
            mdns: false,
            offer_relay: false,
            use_relays: true,
            agent: concat!("gio-net/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}
