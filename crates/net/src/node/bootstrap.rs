//! The peers to join by: dialled again whenever they are lost.

use std::collections::BTreeMap;
use std::time::Duration;

use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{Multiaddr, PeerId, Swarm};
use tokio::time::Instant;
use tracing::debug;

use crate::StartNetError;
use crate::behaviour::Behaviour;
use crate::identity::peer_of_addr;

/// Soon enough that nodes which start before their hub join it at once.
const RETRY_MIN: Duration = Duration::from_millis(500);
/// Rare enough that a hub which is down for a day costs nothing.
const RETRY_MAX: Duration = Duration::from_secs(30);

struct Target {
    addrs: Vec<Multiaddr>,
    next_try: Instant,
    backoff: Duration,
}

pub(super) struct Bootstrap {
    targets: BTreeMap<PeerId, Target>,
}

impl Bootstrap {
    pub(super) fn new(addrs: &[Multiaddr]) -> Result<Self, StartNetError> {
        let mut targets = BTreeMap::new();
        for addr in addrs {
            let peer = peer_of_addr(addr).ok_or_else(|| StartNetError::Bootstrap(addr.clone()))?;
            let target = targets.entry(peer).or_insert_with(|| Target {
                addrs: Vec::new(),
                next_try: Instant::now(),
                backoff: RETRY_MIN,
            });
            target.addrs.push(addr.clone());
        }
        Ok(Self { targets })
    }

    pub(super) fn addrs(&self) -> impl Iterator<Item = (PeerId, &Multiaddr)> {
        let targets = self.targets.iter();
        targets.flat_map(|(peer, target)| target.addrs.iter().map(|addr| (*peer, addr)))
    }

    pub(super) fn reached(&mut self, peer: &PeerId) {
        if let Some(target) = self.targets.get_mut(peer) {
            target.backoff = RETRY_MIN;
            target.next_try = Instant::now();
        }
    }

    pub(super) fn dial_lost(&mut self, swarm: &mut Swarm<Behaviour>) {
        for (peer, target) in &mut self.targets {
            if Instant::now() < target.next_try || swarm.is_connected(peer) {
                continue;
            }
            target.next_try = Instant::now() + target.backoff;
            target.backoff = (target.backoff * 2).min(RETRY_MAX);
            let options = DialOpts::peer_id(*peer)
                .condition(PeerCondition::DisconnectedAndNotDialing)
                .addresses(target.addrs.clone())
                .build();
            if let Err(error) = swarm.dial(options) {
                debug!(%peer, %error, "bootstrap peer not dialled");
            }
        }
    }
}
