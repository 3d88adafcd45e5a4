//! Nodes come and go; channels find them again.

use std::slice;
use std::sync::Arc;
use std::time::Duration;

use gio_net::wire::{DealRef, QuoteRequest, field};
use gio_net::{Multiaddr, Services, call, call_within, market_client};
use tonic::transport::Channel;

use crate::support::{EchoMarket, EchoWork, Gate, Node, config, key, soon};

async fn hub_at(listen: &Multiaddr) -> Node {
    let mut config = config(1, "/ip4/127.0.0.1/tcp/0", &[]);
    config.listen = vec![listen.clone()];
    let node = Node::start(config).await;
    let services = Services::new().market(EchoMarket::default()).work(EchoWork);
    node.net.serve(services).unwrap();
    node
}

async fn quotes(channel: &Channel) -> Result<bool, tonic::Status> {
    let mut market = market_client(channel.clone());
    let request = call_within(Duration::from_secs(5), QuoteRequest::default());
    let reply = market.quote(request).await?.into_inner();
    Ok(reply.wallet == field::bytes(key(2).address()))
}

async fn until_it_quotes(channel: &Channel) {
    let calls = async {
        while quotes(channel).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    soon("a quote", calls).await;
}

#[tokio::test]
async fn a_channel_survives_the_restart_of_its_server() {
    for listen in ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"] {
        let first = hub_at(&listen.parse().unwrap()).await;
        let addr = first.addr();
        let buyer = Node::dialling(2, &[]).await;
        let peer = first.net.peer_id();
        let channel = buyer.net.channel(peer, slice::from_ref(&addr)).await;
        let channel = channel.unwrap();
        assert!(quotes(&channel).await.unwrap());

        first.stop().await;
        assert!(quotes(&channel).await.is_err());

        let mut same_place = addr;
        same_place.pop();
        let second = hub_at(&same_place).await;
        until_it_quotes(&channel).await;
        let again = buyer.net.channel(peer, &[]).await.unwrap();
        assert!(quotes(&again).await.unwrap());
        drop(second);
    }
}

#[tokio::test]
async fn a_channel_follows_a_server_that_moved() {
    let first = hub_at(&"/ip4/127.0.0.1/tcp/0".parse().unwrap()).await;
    let buyer = Node::dialling(2, &[]).await;
    let peer = first.net.peer_id();
    let channel = buyer.net.channel(peer, &[first.addr()]).await.unwrap();
    assert!(quotes(&channel).await.unwrap());
    first.stop().await;
    assert!(buyer.net.channel(peer, &[]).await.is_err());
    let second = hub_at(&"/ip4/127.0.0.1/tcp/0".parse().unwrap()).await;
    let moved = buyer.net.channel(peer, &[second.addr()]).await.unwrap();
    assert!(quotes(&moved).await.unwrap());
    assert!(quotes(&channel).await.unwrap());
}

#[tokio::test]
async fn calls_in_progress_are_finished_when_a_node_stops() {
    let hub = Node::listening(1, &[]).await;
    let gate = Arc::new(Gate::default());
    let market = EchoMarket(Arc::clone(&gate));
    hub.net.serve(Services::new().market(market)).unwrap();
    let buyer = Node::dialling(2, &[]).await;
    let channel = buyer.net.channel(hub.net.peer_id(), &[hub.addr()]).await;
    let mut market = market_client(channel.unwrap());
    let nudge = market.opened(call(DealRef::default()));
    let stopping = async {
        gate.entered.notified().await;
        hub.cancel();
        gate.leave.notify_one();
    };
    let (nudge, ()) = soon("the answer", async { tokio::join!(nudge, stopping) }).await;
    nudge.unwrap();
    hub.stop().await;
    let mut stats = buyer.net.stats();
    let alone = stats.wait_for(|stats| stats.peers == 0);
    soon("the goodbye", alone).await.unwrap();
}
