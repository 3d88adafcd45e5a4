//! Which hubs exist: answering others, and asking them instead of waiting for gossip.

use std::time::Duration;

use futures::future::join_all;
use libp2p::{Multiaddr, PeerId};
use prost::Message as _;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tonic::{Request, Response, Status};
use tracing::debug;

use crate::announcement::VerifiedAnnouncement;
use crate::client::directory_client;
use crate::error::ConnectError;
use crate::hubs::Announcements;
use crate::identity::peer_of_addr;
use crate::limits::{MESSAGE_BYTES_MAX, call_within};
use crate::net::Net;
use crate::node::now;
use crate::wire::directory_server::Directory;
use crate::wire::{HubsReply, HubsRequest, Signed};

/// Bytes of announcements in one answer, with room for the message around them.
const REPLY_BYTES_MAX: usize = MESSAGE_BYTES_MAX / 2;
/// Peers asked at a time: what one does not know the others do.
const ASKED_MAX: usize = 8;
/// Announcements believed of one answer; checking each costs a signature check.
const TAKEN_PER_ANSWER_MAX: usize = 1024;
/// The shortest deadline worth sending to another machine.
const DEADLINE_MIN: Duration = Duration::from_millis(100);

/// Answers from what this node has verified itself.
pub(crate) struct Service {
    announcements: watch::Receiver<Announcements>,
}

impl Service {
    pub(crate) fn new(announcements: watch::Receiver<Announcements>) -> Self {
        Self { announcements }
    }
}

#[tonic::async_trait]
impl Directory for Service {
    async fn hubs(&self, request: Request<HubsRequest>) -> Result<Response<HubsReply>, Status> {
        let known = self.announcements.borrow().clone();
        let hubs = answer(&known, request.get_ref());
        Ok(Response::new(HubsReply { hubs }))
    }
}

fn answer(known: &Announcements, wanted: &HubsRequest) -> Vec<Signed> {
    let mut room = REPLY_BYTES_MAX;
    let matching = known.iter().filter(|hub| matches(hub, wanted));
    let fitting = matching.take_while(|hub| {
        let bytes = hub.signed().encoded_len();
        let fits = bytes <= room;
        room = room.saturating_sub(bytes);
        fits
    });
    fitting.map(|hub| hub.signed().clone()).collect()
}

fn matches(hub: &VerifiedAnnouncement, wanted: &HubsRequest) -> bool {
    let said = hub.announcement();
    let chain = wanted.chain_id == 0 || wanted.chain_id == said.chain_id;
    chain && wanted.kinds.iter().all(|kind| said.kinds.contains(kind))
}

/// See [`Net::find_hubs`].
pub(crate) async fn find_hubs(net: &Net, timeout: Duration) -> Announcements {
    let deadline = Instant::now() + timeout;
    let mut announcements = net.announcements();
    let asked = whom_to_ask(net).await;
    let questions = asked
        .into_iter()
        .map(|(peer, addrs)| ask(net, peer, addrs, deadline));
    let _ = timeout_at(deadline, join_all(questions)).await;
    let any = announcements.wait_for(|known| !known.is_empty());
    // Nobody known at the deadline is an answer too.
    let _ = timeout_at(deadline, any).await;
    net.announcements().borrow().clone()
}

/// Bootstrap peers first, then whoever is connected.
async fn whom_to_ask(net: &Net) -> Vec<(PeerId, Vec<Multiaddr>)> {
    let mut asked: Vec<(PeerId, Vec<Multiaddr>)> = Vec::new();
    for addr in net.bootstrap() {
        let Some(peer) = peer_of_addr(addr) else {
            continue;
        };
        match asked.iter_mut().find(|(known, _)| *known == peer) {
            Some((_, addrs)) => addrs.push(addr.clone()),
            None => asked.push((peer, vec![addr.clone()])),
        }
    }
    for peer in net.peers().await {
        if asked.iter().all(|(known, _)| *known != peer) {
            asked.push((peer, Vec::new()));
        }
    }
    asked.truncate(ASKED_MAX);
    asked
}

/// Why a peer's directory was of no use.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error(transparent)]
    Connect(#[from] Box<ConnectError>),
    #[error(transparent)]
    Call(#[from] Box<Status>),
}

async fn ask(net: &Net, peer: PeerId, addrs: Vec<Multiaddr>, deadline: Instant) {
    match hubs_of(net, peer, &addrs, deadline).await {
        Ok(hubs) => {
            let hubs = hubs.into_iter().take(TAKEN_PER_ANSWER_MAX);
            let verified = hubs.filter_map(|signed| verify(peer, signed));
            net.offer(verified.collect()).await;
        }
        Err(error) => debug!(%peer, %error, "the peer's directory gave no answer"),
    }
}

async fn hubs_of(
    net: &Net,
    peer: PeerId,
    addrs: &[Multiaddr],
    deadline: Instant,
) -> Result<Vec<Signed>, AskError> {
    let channel = net.channel(peer, addrs).await.map_err(Box::new)?;
    let mut directory = directory_client(channel);
    let left = deadline.saturating_duration_since(Instant::now());
    let request = call_within(left.max(DEADLINE_MIN), HubsRequest::default());
    let reply = directory.hubs(request).await.map_err(Box::new)?;
    Ok(reply.into_inner().hubs)
}

fn verify(peer: PeerId, signed: Signed) -> Option<VerifiedAnnouncement> {
    VerifiedAnnouncement::verify(signed, now())
        .inspect_err(|error| debug!(%peer, %error, "the peer's directory holds a bad announcement"))
        .ok()
}
