//! A peer that speaks the same protocols but keeps no rules.

use futures::StreamExt as _;
use gio_net::{HUBS_TOPIC, Multiaddr, PeerId};
use libp2p::gossipsub::{self, IdentTopic, MessageAuthenticity, PublishError};
use libp2p::identity::{Keypair, secp256k1};
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Swarm, SwarmBuilder, noise, tcp, yamux};

use crate::support::{key, soon};

#[derive(NetworkBehaviour)]
pub(crate) struct Protocols {
    gossip: gossipsub::Behaviour,
    pub(crate) streams: libp2p_stream::Behaviour,
}

pub(crate) struct RawPeer {
    pub(crate) swarm: Swarm<Protocols>,
    /// Every gossip message that came, in order.
    pub(crate) heard: Vec<Vec<u8>>,
}

impl RawPeer {
    /// With the key of a machine.
    pub(crate) async fn connected(number: u8, addr: &Multiaddr) -> Self {
        let secret = secp256k1::SecretKey::try_from_bytes(key(number).secret_bytes()).unwrap();
        let keypair = Keypair::from(secp256k1::Keypair::from(secret));
        Self::with_keypair(keypair, addr).await
    }

    pub(crate) async fn with_keypair(keypair: Keypair, addr: &Multiaddr) -> Self {
        let mut swarm = SwarmBuilder::with_existing_identity(keypair)
            .with_tokio()
            .with_tcp(
                tcp::Config::default(),
                noise::Config::new,
                yamux::Config::default,
            )
            .unwrap()
            .with_behaviour(|keypair| {
                let authenticity = MessageAuthenticity::Signed(keypair.clone());
                Protocols {
                    gossip: gossipsub::Behaviour::new(authenticity, gossipsub::Config::default())
                        .unwrap(),
                    streams: libp2p_stream::Behaviour::new(),
                }
            })
            .unwrap()
            .build();
        let topic = IdentTopic::new(HUBS_TOPIC);
        swarm.behaviour_mut().gossip.subscribe(&topic).unwrap();
        swarm.dial(addr.clone()).unwrap();
        let mut peer = Self {
            swarm,
            heard: Vec::new(),
        };
        soon("being subscribed to", peer.subscribed()).await;
        peer
    }

    async fn subscribed(&mut self) {
        loop {
            let event = self.swarm.select_next_some().await;
            if let SwarmEvent::Behaviour(ProtocolsEvent::Gossip(gossipsub::Event::Subscribed {
                ..
            })) = event
            {
                return;
            }
            self.take(event);
        }
    }

    pub(crate) fn peer_id(&self) -> PeerId {
        *self.swarm.local_peer_id()
    }

    /// Sends anything as gossip.
    pub(crate) fn publish(&mut self, data: Vec<u8>) -> Result<(), PublishError> {
        let topic = IdentTopic::new(HUBS_TOPIC);
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        gossip.publish(topic, data).map(|_| ())
    }

    /// Keeps the peer going until something happens elsewhere.
    pub(crate) async fn until<F: Future>(&mut self, what: &str, future: F) -> F::Output {
        let run = async {
            tokio::pin!(future);
            loop {
                tokio::select! {
                    output = &mut future => return output,
                    event = self.swarm.select_next_some() => self.take(event),
                }
            }
        };
        soon(what, run).await
    }

    /// Listens until this many messages have come.
    pub(crate) async fn hears(&mut self, count: usize) {
        let run = async {
            while self.heard.len() < count {
                let event = self.swarm.select_next_some().await;
                self.take(event);
            }
        };
        soon("hearing gossip", run).await;
    }

    fn take(&mut self, event: SwarmEvent<ProtocolsEvent>) {
        if let SwarmEvent::Behaviour(ProtocolsEvent::Gossip(gossipsub::Event::Message {
            message,
            ..
        })) = event
        {
            self.heard.push(message.data);
        }
    }
}
