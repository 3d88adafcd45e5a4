//! A hub becomes known to those who join, in whatever order they start.

use std::time::Duration;

use gio_net::wire::directory_server::{Directory, DirectoryServer};
use gio_net::wire::{HubsReply, HubsRequest, Signed};
use gio_net::{PublishError, Services, call, directory_client};
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::raw::RawPeer;
use crate::support::{Node, announcement, config, key, now};

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn an_announcement_reaches_a_third_node() {
    let middle = Node::listening(2, &[]).await;
    let hub = Node::listening(1, &[&middle]).await;
    let miner = Node::dialling(3, &[&middle]).await;
    middle.connected(2).await;
    let said = announcement(&key(1), 1);
    hub.net
        .publish_announcement(said.sign(&key(1)))
        .await
        .unwrap();
    miner.knows(key(1).address(), 1).await;
    let known = miner.net.announcements().borrow().clone();
    assert_eq!(known[0].announcement(), &said);
    assert_eq!(known[0].peer(), hub.net.peer_id());
    hub.net
        .publish_announcement(announcement(&key(1), 2).sign(&key(1)))
        .await
        .unwrap();
    miner.knows(key(1).address(), 2).await;
    assert_eq!(miner.net.announcements().borrow().len(), 1);
}

#[tokio::test]
async fn whoever_joins_later_hears_it_too() {
    let hub = Node::listening(1, &[]).await;
    let signed = announcement(&key(1), 1).sign(&key(1));
    hub.net.publish_announcement(signed).await.unwrap();
    for number in [2, 3, 4] {
        let buyer = Node::dialling(number, &[&hub]).await;
        buyer.knows(key(1).address(), 1).await;
    }
}

#[tokio::test]
async fn a_node_that_starts_before_its_bootstrap_peer_joins_it() {
    let first = Node::listening(1, &[]).await;
    let addr = first.addr();
    first.stop().await;
    let mut early = config(2, "/ip4/127.0.0.1/tcp/0", &[]);
    early.bootstrap = vec![addr.clone()];
    let early = Node::start(early).await;
    let mut same_place = config(1, "/ip4/127.0.0.1/tcp/0", &[]);
    let mut listen = addr;
    listen.pop();
    same_place.listen = vec![listen];
    let late = Node::start(same_place).await;
    early.connected(1).await;
    late.connected(1).await;
}

#[tokio::test]
async fn a_directory_knows_hubs_that_are_silent_now() {
    let middle = Node::listening(2, &[]).await;
    middle.net.serve(Services::new()).unwrap();
    let hub = Node::listening(1, &[&middle]).await;
    let signed = announcement(&key(1), 1).sign(&key(1));
    hub.net.publish_announcement(signed.clone()).await.unwrap();
    middle.knows(key(1).address(), 1).await;
    hub.stop().await;

    let buyer = Node::dialling(3, &[&middle]).await;
    let found = buyer.net.find_hubs(PATIENCE).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].signed(), &signed);

    let channel = buyer.net.channel(middle.net.peer_id(), &[]).await;
    let mut directory = directory_client(channel.unwrap());
    for (chain_id, kind, expected) in [
        (31337, "wasm", 1),
        (0, "wasm", 1),
        (1, "wasm", 0),
        (0, "docker", 0),
    ] {
        let request = HubsRequest {
            chain_id,
            kinds: vec![kind.to_owned()],
        };
        let reply = directory.hubs(call(request)).await.unwrap().into_inner();
        assert_eq!(reply.hubs.len(), expected, "{chain_id} {kind}");
    }
}

/// Says whatever it was told to say.
struct Liar(Vec<Signed>);

#[tonic::async_trait]
impl Directory for Liar {
    async fn hubs(&self, _: Request<HubsRequest>) -> Result<Response<HubsReply>, Status> {
        let hubs = self.0.clone();
        Ok(Response::new(HubsReply { hubs }))
    }
}

#[tokio::test]
async fn of_a_lying_directory_only_the_truth_is_believed() {
    let buyer = Node::listening(1, &[]).await;
    let mut liar = RawPeer::connected(2, &buyer.addr()).await;
    let truth = announcement(&key(3), 1).sign(&key(3));
    let mut forged = announcement(&key(4), 1).sign(&key(4));
    forged.payload = announcement(&key(4), 2).sign(&key(4)).payload;
    let mut expired = announcement(&key(5), 1);
    expired.expires_at = now();
    let expired = expired.sign(&key(5));
    let hubs = vec![forged, truth.clone(), expired];
    let routes = Routes::new(DirectoryServer::new(Liar(hubs)));
    let found = tokio::select! {
        found = buyer.net.find_hubs(PATIENCE) => found,
        () = liar.serves(routes) => panic!("the liar fell silent"),
    };
    let found: Vec<_> = found.iter().map(|hub| hub.signed()).collect();
    assert_eq!(found, [&truth]);
    assert_eq!(buyer.net.stats().borrow().gossip_taken, 0);
}

#[tokio::test]
async fn looking_for_hubs_ends_when_there_are_none() {
    let lonely = Node::dialling(1, &[]).await;
    let found = lonely.net.find_hubs(Duration::from_millis(50)).await;
    assert!(found.is_empty());
}

#[tokio::test]
async fn a_node_publishes_only_what_others_would_take() {
    let hub = Node::listening(1, &[]).await;
    let own = |sequence| announcement(&key(1), sequence).sign(&key(1));
    hub.net.publish_announcement(own(2)).await.unwrap();
    let repeated = hub.net.publish_announcement(own(2)).await;
    assert!(matches!(repeated, Err(PublishError::NotTaken(_))));
    let foreign = announcement(&key(2), 1).sign(&key(2));
    let foreign = hub.net.publish_announcement(foreign).await;
    assert!(matches!(foreign, Err(PublishError::NotOurs { .. })));
    let mut forged = own(3);
    forged.payload = own(4).payload;
    let forged = hub.net.publish_announcement(forged).await;
    assert!(matches!(forged, Err(PublishError::Invalid(_))));
}
