//! gRPC over libp2p streams: callers are known, limits hold, failures name their hop.

use bytes::Bytes;
use futures::future::join_all;
use futures::{AsyncReadExt as _, StreamExt as _};
use gio_net::wire::market_client::MarketClient;
use gio_net::wire::{
    Done, FollowRequest, Hello, MinerMessage, QuoteRequest, SignDealRequest, UnitDone, field,
    hub_message, miner_message,
};
use gio_net::{
    ConnectError, Hop, MESSAGE_BYTES_MAX, Multiaddr, ServeError, Services, call, market_client,
    peer_id_of, work_client,
};
use libp2p::StreamProtocol;
use libp2p::identity::Keypair;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use crate::raw::RawPeer;
use crate::support::{EchoMarket, EchoWork, Node, config, key, soon};

async fn hub(listen: &str) -> Node {
    let node = Node::start(config(1, listen, &[])).await;
    let services = Services::new().market(EchoMarket::default()).work(EchoWork);
    node.net.serve(services).unwrap();
    node
}

fn quote(units: u32) -> QuoteRequest {
    QuoteRequest {
        unit_count: units,
        ..QuoteRequest::default()
    }
}

#[tokio::test]
async fn the_caller_of_every_call_is_known() {
    for listen in ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"] {
        let hub = hub(listen).await;
        for number in [2, 3] {
            let buyer = Node::dialling(number, &[]).await;
            let channel = buyer.net.channel(hub.net.peer_id(), &[hub.addr()]).await;
            let mut market = market_client(channel.unwrap());
            let reply = market.quote(call(quote(7))).await.unwrap().into_inner();
            let address = field::address("wallet", &reply.wallet).unwrap();
            assert_eq!(address, key(number).address());
            assert_eq!(reply.price_per_pu, 7);
        }
    }
}

#[tokio::test]
async fn a_work_stream_goes_both_ways_and_ends_with_its_caller() {
    let hub = hub("/ip4/127.0.0.1/tcp/0").await;
    let miner = Node::dialling(2, &[]).await;
    let channel = miner.net.channel(hub.net.peer_id(), &[hub.addr()]).await;
    let mut work = work_client(channel.unwrap());
    let (messages, queue) = mpsc::channel(4);
    let say = |body| MinerMessage { body: Some(body) };
    let hello = miner_message::Body::Hello(Hello::default());
    messages.send(say(hello)).await.unwrap();
    let opening = work.open(ReceiverStream::new(queue));
    let mut answers = soon("the open stream", opening).await.unwrap().into_inner();
    let first = soon("a welcome", answers.message()).await.unwrap().unwrap();
    let Some(hub_message::Body::Welcome(welcome)) = first.body else {
        panic!("{first:?}");
    };
    assert_eq!(welcome.hub, field::bytes(key(2).address()));

    let units = |first: u32| {
        (first..first + 1000).map(|unit| UnitDone {
            unit,
            ..UnitDone::default()
        })
    };
    for first in [0, 1000] {
        let units = units(first).collect();
        let done = miner_message::Body::Done(Done { units });
        messages.send(say(done)).await.unwrap();
        let answer = soon("an answer", answers.message()).await.unwrap().unwrap();
        let Some(hub_message::Body::Accepted(accepted)) = answer.body else {
            panic!("{answer:?}");
        };
        assert_eq!(accepted.units.len(), 1000);
        assert_eq!(accepted.units[0].unit, first);
    }
    drop(messages);
    assert!(soon("the end", answers.message()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_server_stream_and_refusals_arrive_as_the_service_gave_them() {
    let hub = hub("/ip4/127.0.0.1/tcp/0").await;
    let buyer = Node::dialling(2, &[]).await;
    let channel = buyer.net.channel(hub.net.peer_id(), &[hub.addr()]).await;
    let mut market = market_client(channel.unwrap());
    let request = FollowRequest {
        after_event: 4,
        ..FollowRequest::default()
    };
    let events = market.follow(call(request)).await.unwrap().into_inner();
    let ids: Vec<_> = events.map(|event| event.unwrap().event_id).collect().await;
    assert_eq!(ids, [5, 6, 7]);
    let status = market.sign_deal(call(SignDealRequest::default())).await;
    let status = status.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(status.message(), "this hub signs nothing");
}

#[tokio::test]
async fn one_channel_carries_more_calls_than_run_at_once() {
    let hub = hub("/ip4/127.0.0.1/tcp/0").await;
    let buyer = Node::dialling(2, &[]).await;
    let calls = (0..600).map(|units| {
        let (net, peer, addr) = (buyer.net.clone(), hub.net.peer_id(), hub.addr());
        async move {
            let mut market = market_client(net.channel(peer, &[addr]).await.unwrap());
            let reply = market.quote(call(quote(units))).await.unwrap();
            assert_eq!(reply.into_inner().price_per_pu, u64::from(units));
        }
    });
    soon("600 calls", join_all(calls)).await;
}

#[tokio::test]
async fn messages_are_bounded_at_eight_mebibytes() {
    let hub = hub("/ip4/127.0.0.1/tcp/0").await;
    let buyer = Node::dialling(2, &[]).await;
    let channel = buyer.net.channel(hub.net.peer_id(), &[hub.addr()]).await;
    let channel = channel.unwrap();
    let mut market = market_client(channel.clone());
    let spec = |bytes| QuoteRequest {
        job_spec: Bytes::from(vec![7; bytes]),
        ..QuoteRequest::default()
    };
    let near = MESSAGE_BYTES_MAX - 1024;
    let reply = market.quote(call(spec(near))).await.unwrap().into_inner();
    assert_eq!(reply.window_seconds, near as u64);
    let mut careless = MarketClient::new(channel);
    let error = careless.quote(call(spec(MESSAGE_BYTES_MAX + 1))).await;
    assert_eq!(error.unwrap_err().code(), Code::OutOfRange);
}

#[tokio::test]
async fn a_peer_without_an_account_is_refused() {
    let hub = hub("/ip4/127.0.0.1/tcp/0").await;
    let mut stranger = RawPeer::with_keypair(Keypair::generate_ed25519(), &hub.addr()).await;
    let mut control = stranger.swarm.behaviour().streams.new_control();
    let peer = hub.net.peer_id();
    let greeting = async move {
        let protocol = StreamProtocol::new("/gio/grpc/1");
        let mut stream = control.open_stream(peer, protocol).await.unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        all
    };
    let no_account = 4;
    assert_eq!(stranger.until("a refusal", greeting).await, [no_account]);
}

#[tokio::test]
async fn failures_name_the_hop_and_the_reason() {
    let hub = hub("/ip4/127.0.0.1/tcp/0").await;
    let silent = Node::listening(4, &[]).await;
    let buyer = Node::dialling(2, &[]).await;

    let not_serving = buyer
        .net
        .channel(silent.net.peer_id(), &[silent.addr()])
        .await;
    let error = not_serving.unwrap_err();
    assert!(
        matches!(
            error,
            ConnectError::NotServing {
                hop: Hop::Direct,
                ..
            }
        ),
        "{error}"
    );

    let nobody = peer_id_of(&key(9).public_key());
    let error = buyer.net.channel(nobody, &[]).await.unwrap_err();
    assert!(matches!(error, ConnectError::NoAddress { .. }), "{error}");

    let closed: Multiaddr = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
    let error = buyer.net.channel(nobody, &[closed]).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("direct at /ip4/127.0.0.1/tcp/1"), "{text}");
    assert!(text.contains("refused"), "{text}");

    let mut elsewhere = hub.addr();
    elsewhere.pop();
    let error = buyer.net.channel(nobody, &[elsewhere.clone()]).await;
    let error = error.unwrap_err();
    assert!(
        matches!(error, ConnectError::WrongPeer { found, .. } if found == hub.net.peer_id()),
        "{error}"
    );
    let error = buyer.net.dial(elsewhere).await.unwrap_err();
    assert!(matches!(error, ConnectError::NoPeer { .. }), "{error}");
}

#[tokio::test]
async fn a_node_serves_once() {
    let hub = hub("/ip4/127.0.0.1/tcp/0").await;
    let again = hub.net.serve(Services::new());
    assert!(matches!(again, Err(ServeError::AlreadyServing)));
}
