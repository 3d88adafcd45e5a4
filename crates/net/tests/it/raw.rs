//! A peer that speaks the same protocols but keeps no rules.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::{AsyncWriteExt as _, StreamExt as _};
use gio_net::{HUBS_TOPIC, Multiaddr, PeerId};
use libp2p::gossipsub::{self, IdentTopic, MessageAuthenticity, PublishError};
use libp2p::identity::{Keypair, secp256k1};
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{StreamProtocol, Swarm, SwarmBuilder, noise, tcp, yamux};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt as _};
use tonic::service::Routes;
use tonic::transport::server::{Connected, Server};

use crate::support::{key, soon};

#[derive(NetworkBehaviour)]
pub(crate) struct Protocols {
    gossip: gossipsub::Behaviour,
    pub(crate) streams: libp2p_stream::Behaviour,
}

/// A greeted stream as tonic's server wants it.
struct Served(Compat<libp2p::Stream>);

impl Connected for Served {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Served {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Served {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
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

    /// Answers calls with a server of the test's own.
    pub(crate) async fn serves(&mut self, routes: Routes) {
        let mut control = self.swarm.behaviour().streams.new_control();
        let protocol = StreamProtocol::new("/gio/grpc/1");
        let streams = control.accept(protocol).unwrap();
        let connections = streams.then(|(_, mut stream)| async move {
            let welcome = 1;
            stream.write_all(&[welcome]).await?;
            stream.flush().await?;
            Ok::<_, io::Error>(Served(stream.compat()))
        });
        let server = Server::builder().add_routes(routes);
        let serving = server.serve_with_incoming(connections);
        let run = async {
            loop {
                let event = self.swarm.select_next_some().await;
                self.take(event);
            }
        };
        tokio::select! {
            result = serving => result.unwrap(),
            () = run => {}
        }
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
