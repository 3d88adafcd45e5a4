//! A node that nobody can dial is called through a relay.

use std::time::Duration;

use gio_net::wire::{QuoteRequest, field};
use gio_net::{ConnectError, Hop, Multiaddr, Services, call, market_client, peer_id_of};

use crate::support::{EchoMarket, Node, config, key, soon};

async fn relay() -> Node {
    let mut config = config(1, "/ip4/127.0.0.1/tcp/0", &[]);
    config.offer_relay = true;
    Node::start(config).await
}

fn through(relay: &Node, number: u8) -> Multiaddr {
    let peer = peer_id_of(&key(number).public_key());
    format!("{}/p2p-circuit/p2p/{peer}", relay.addr())
        .parse()
        .unwrap()
}

#[tokio::test]
async fn a_call_through_a_relay_knows_its_caller_too() {
    let relay = relay().await;
    let place = format!("{}/p2p-circuit", relay.addr());
    let mut config = config(2, &place, &[]);
    config.reachable = false;
    let hidden = Node::start(config).await;
    hidden
        .net
        .serve(Services::new().market(EchoMarket::default()))
        .unwrap();
    assert_eq!(hidden.addr(), through(&relay, 2));

    let buyer = Node::dialling(3, &[]).await;
    let (peer, hop) = buyer.net.dial(through(&relay, 2)).await.unwrap();
    assert_eq!(peer, hidden.net.peer_id());
    assert_eq!(hop, Hop::Relayed(relay.net.peer_id()));
    let channel = buyer.net.channel(peer, &[]).await.unwrap();
    let mut market = market_client(channel);
    let reply = market.quote(call(QuoteRequest::default())).await.unwrap();
    assert_eq!(reply.into_inner().wallet, field::bytes(key(3).address()));
}

/// It listens by QUIC only and dials by TCP, so that what others see of it cannot be dialled.
#[tokio::test]
async fn a_node_that_listens_in_vain_finds_a_relay_by_itself() {
    let relay = relay().await;
    let mut config = config(2, "/ip4/127.0.0.1/udp/0/quic-v1", &[&relay]);
    config.reachable = false;
    let hidden = Node::start(config).await;
    let place = through(&relay, 2);
    let found = async {
        while !hidden.net.announced_addrs().contains(&place) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    soon("a place at the relay", found).await;
    let buyer = Node::dialling(3, &[]).await;
    let (_, hop) = buyer.net.dial(place).await.unwrap();
    assert_eq!(hop, Hop::Relayed(relay.net.peer_id()));
}

#[tokio::test]
async fn a_relay_that_does_not_know_the_peer_is_named() {
    let relay = relay().await;
    let buyer = Node::dialling(3, &[]).await;
    let error = buyer.net.dial(through(&relay, 2)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error}");
    let named = format!("relayed through {}", relay.net.peer_id());
    assert!(error.to_string().contains(&named), "{error}");
}
