//! Nodes, hubs and waiting for conditions.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use alloy_primitives::Address;
use futures::{Stream, StreamExt as _};
use gio_keys::MachineKey;
use gio_net::wire::field;
use gio_net::wire::market_server::Market;
use gio_net::wire::work_server::Work;
use gio_net::wire::{
    Accepted, CancelReply, CancelRequest, ClaimsReply, ClaimsRequest, ConfirmReply, ConfirmRequest,
    DealProgress, DealRef, Done, ExplainReply, FollowRequest, HubMessage, MachinesReply,
    MachinesRequest, MinerMessage, OpenedReply, OutputPage, OutputsRequest, QuoteReply,
    QuoteRequest, ResultReply, SignDealReply, SignDealRequest, UnitAcceptance, Welcome,
    hub_message, miner_message,
};
use gio_net::{ANNOUNCEMENT_SECONDS, Announcement, Caller, Multiaddr, Net, NetConfig};
use gio_protocol::{Gio, PricePerPu, UnixSeconds};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

/// Far longer than anything here takes: a test that reaches it has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for something that must happen.
pub(crate) async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what} did not happen within {PATIENCE:?}"),
    }
}

pub(crate) fn key(number: u8) -> MachineKey {
    MachineKey::from_bytes(&[number; 32]).unwrap()
}

pub(crate) fn now() -> UnixSeconds {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    UnixSeconds(since.as_secs())
}

/// A node that stops when this is dropped.
pub(crate) struct Node {
    pub(crate) net: Net,
    stop: CancellationToken,
}

impl Node {
    pub(crate) async fn start(config: NetConfig) -> Self {
        let stop = CancellationToken::new();
        let started = Net::start(config, stop.clone());
        let net = soon("the start of a node", started).await.unwrap();
        Self { net, stop }
    }

    /// Reachable on loopback by TCP, joined to others by their addresses.
    pub(crate) async fn listening(number: u8, bootstrap: &[&Node]) -> Self {
        Self::start(config(number, "/ip4/127.0.0.1/tcp/0", bootstrap)).await
    }

    /// Only dials.
    pub(crate) async fn dialling(number: u8, bootstrap: &[&Node]) -> Self {
        let mut config = config(number, "/ip4/127.0.0.1/tcp/0", bootstrap);
        config.listen.clear();
        Self::start(config).await
    }

    pub(crate) fn addr(&self) -> Multiaddr {
        self.net.listen_addrs()[0].clone()
    }

    pub(crate) async fn connected(&self, peers: usize) {
        let mut stats = self.net.stats();
        let reached = stats.wait_for(|stats| stats.peers >= peers);
        soon("being connected", reached).await.unwrap();
    }

    pub(crate) async fn knows(&self, owner: Address, sequence: u64) {
        let mut announcements = self.net.announcements();
        let heard = announcements.wait_for(|known| {
            let mut said = known.iter().map(|hub| hub.announcement());
            said.any(|said| said.owner == owner && said.sequence == sequence)
        });
        soon("hearing of a hub", heard).await.unwrap();
    }

    /// Tells it to stop, and does not wait.
    pub(crate) fn cancel(&self) {
        self.stop.cancel();
    }

    pub(crate) async fn stop(self) {
        self.cancel();
        soon("the end of a node", self.net.stopped()).await;
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub(crate) fn config(number: u8, listen: &str, bootstrap: &[&Node]) -> NetConfig {
    let mut config = NetConfig::new(key(number));
    config.listen = vec![listen.parse().unwrap()];
    config.reachable = true;
    config.bootstrap = bootstrap.iter().map(|node| node.addr()).collect();
    config
}

pub(crate) fn announcement(key: &MachineKey, sequence: u64) -> Announcement {
    Announcement {
        owner: key.address(),
        wallet: Address::repeat_byte(9),
        chain_id: 31337,
        addrs: vec!["/ip4/127.0.0.1/tcp/4001".parse().unwrap()],
        sequence,
        issued_at: now(),
        expires_at: now().after(ANNOUNCEMENT_SECONDS),
        gross_price: PricePerPu(Gio::from_units(200)),
        net_price: PricePerPu(Gio::from_units(100)),
        region: "eu".to_owned(),
        kinds: vec!["wasm".to_owned()],
        version: "0.1.0".to_owned(),
        name: "a hub".to_owned(),
    }
}

/// Where a call waits until the test lets it go.
#[derive(Default)]
pub(crate) struct Gate {
    pub(crate) entered: Notify,
    pub(crate) leave: Notify,
}

/// A hub that quotes to everybody, with the caller's account as its wallet, and is slow to see that a deal opened.
#[derive(Default)]
pub(crate) struct EchoMarket(pub(crate) Arc<Gate>);

#[tonic::async_trait]
impl Market for EchoMarket {
    type FollowStream = Pin<Box<dyn Stream<Item = Result<DealProgress, Status>> + Send>>;
    type OutputsStream = Pin<Box<dyn Stream<Item = Result<OutputPage, Status>> + Send>>;

    async fn quote(&self, request: Request<QuoteRequest>) -> Result<Response<QuoteReply>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(QuoteReply {
            wallet: field::bytes(caller.address),
            price_per_pu: u64::from(request.get_ref().unit_count),
            window_seconds: request.get_ref().job_spec.len() as u64,
            ..QuoteReply::default()
        }))
    }

    async fn follow(
        &self,
        request: Request<FollowRequest>,
    ) -> Result<Response<Self::FollowStream>, Status> {
        let first = request.get_ref().after_event;
        let events = futures::stream::iter(first + 1..=first + 3);
        let events = events.map(|event_id| {
            Ok(DealProgress {
                event_id,
                ..DealProgress::default()
            })
        });
        Ok(Response::new(Box::pin(events)))
    }

    async fn sign_deal(
        &self,
        _: Request<SignDealRequest>,
    ) -> Result<Response<SignDealReply>, Status> {
        Err(Status::failed_precondition("this hub signs nothing"))
    }

    async fn opened(&self, _: Request<DealRef>) -> Result<Response<OpenedReply>, Status> {
        self.0.entered.notify_one();
        self.0.leave.notified().await;
        Ok(Response::new(OpenedReply {}))
    }

    async fn result(&self, _: Request<DealRef>) -> Result<Response<ResultReply>, Status> {
        Err(Status::not_found("no such deal"))
    }

    async fn confirm(&self, _: Request<ConfirmRequest>) -> Result<Response<ConfirmReply>, Status> {
        Err(Status::not_found("no such deal"))
    }

    async fn outputs(
        &self,
        _: Request<OutputsRequest>,
    ) -> Result<Response<Self::OutputsStream>, Status> {
        Err(Status::not_found("no such deal"))
    }

    async fn cancel(&self, _: Request<CancelRequest>) -> Result<Response<CancelReply>, Status> {
        Err(Status::not_found("no such deal"))
    }

    async fn machines(
        &self,
        _: Request<MachinesRequest>,
    ) -> Result<Response<MachinesReply>, Status> {
        Err(Status::unavailable("this hub has no miners"))
    }

    async fn explain(&self, _: Request<DealRef>) -> Result<Response<ExplainReply>, Status> {
        Err(Status::not_found("no such deal"))
    }

    async fn claims(&self, _: Request<ClaimsRequest>) -> Result<Response<ClaimsReply>, Status> {
        Err(Status::not_found("no such deal"))
    }
}

/// A hub that welcomes a miner by its account and accepts whatever it has done.
pub(crate) struct EchoWork;

#[tonic::async_trait]
impl Work for EchoWork {
    type OpenStream = Pin<Box<dyn Stream<Item = Result<HubMessage, Status>> + Send>>;

    async fn open(
        &self,
        request: Request<Streaming<MinerMessage>>,
    ) -> Result<Response<Self::OpenStream>, Status> {
        let caller = Caller::of(&request)?;
        let answers = request.into_inner().map(move |message| {
            let body = match message?.body {
                Some(miner_message::Body::Hello(_)) => hub_message::Body::Welcome(Welcome {
                    hub: field::bytes(caller.address),
                    ..Welcome::default()
                }),
                Some(miner_message::Body::Done(done)) => {
                    hub_message::Body::Accepted(accepted(done))
                }
                _ => return Err(Status::unimplemented("not in this test")),
            };
            Ok(HubMessage { body: Some(body) })
        });
        Ok(Response::new(Box::pin(answers)))
    }
}

fn accepted(done: Done) -> Accepted {
    let units = done.units.into_iter().map(|unit| UnitAcceptance {
        deal_id: unit.deal_id,
        unit: unit.unit,
        ..UnitAcceptance::default()
    });
    Accepted {
        units: units.collect(),
        ..Accepted::default()
    }
}
