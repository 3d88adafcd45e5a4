//! Who waits for which dial.

use std::collections::HashMap;

use libp2p::swarm::DialError;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{Multiaddr, PeerId};
use tokio::sync::oneshot;
use tracing::debug;

use super::Node;
use crate::error::{ConnectError, Hop};

type Reply = oneshot::Sender<Result<Hop, ConnectError>>;

/// Callers by the peer they wait for. Each has a timeout of its own and may be gone.
#[derive(Default)]
pub(super) struct Dials {
    waiting: HashMap<PeerId, Vec<Reply>>,
}

impl Dials {
    fn wait(&mut self, peer: PeerId, reply: Reply) {
        let waiting = self.waiting.entry(peer).or_default();
        waiting.retain(|reply| !reply.is_closed());
        waiting.push(reply);
    }

    pub(super) fn reached(&mut self, peer: &PeerId, hop: Hop) {
        for reply in self.waiting.remove(peer).unwrap_or_default() {
            let _ = reply.send(Ok(hop));
        }
    }

    pub(super) fn failed(&mut self, peer: &PeerId, error: &ConnectError) {
        for reply in self.waiting.remove(peer).unwrap_or_default() {
            let _ = reply.send(Err(error.clone()));
        }
    }
}

impl Node {
    /// Dials a peer unless it is connected; one dial at a time, whoever asks.
    pub(super) fn connect(&mut self, peer: PeerId, addrs: Vec<Multiaddr>, reply: Reply) {
        if let Some(hop) = self.links.best(&peer) {
            let _ = reply.send(Ok(hop));
            return;
        }
        match self.dial(peer, addrs) {
            Ok(()) | Err(DialError::DialPeerConditionFalse(_)) => self.dials.wait(peer, reply),
            Err(error) => {
                let _ = reply.send(Err(ConnectError::of_dial(peer, error)));
            }
        }
    }

    pub(super) fn dial_quietly(&mut self, peer: PeerId, addrs: Vec<Multiaddr>) {
        if let Err(error) = self.dial(peer, addrs) {
            debug!(%peer, %error, "not dialled");
        }
    }

    fn dial(&mut self, peer: PeerId, addrs: Vec<Multiaddr>) -> Result<(), DialError> {
        let options = DialOpts::peer_id(peer)
            .condition(PeerCondition::DisconnectedAndNotDialing)
            .addresses(addrs)
            .extend_addresses_through_behaviour()
            .build();
        self.swarm.dial(options)
    }
}
