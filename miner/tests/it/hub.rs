//! A hub of the test's own: it announces itself, holds contents, and hands every work stream to the test.

use std::collections::{HashMap, HashSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::Stream;
use gio_keys::MachineKey;
use gio_net::wire::content_server::Content;
use gio_net::wire::work_server::Work;
use gio_net::wire::{
    Accepted, Assign, Cancel, ContentChunk, ContentRef, ContentRequest, Done, Failed, HasReply,
    HasRequest, Hello, HubMessage, MinerMessage, Paid, UnitAcceptance, UnitDone, UnitFailure,
    UnitOrder, UnitRef, Welcome, field, hub_message, miner_message,
};
use gio_net::{Announcement, Multiaddr, Net, NetConfig, Services, blob};
use gio_protocol::{
    Address, B256, Claim, DealId, Domain, Gio, PricePerPu, UnixSeconds, acceptance_hash,
    acceptances_digest, acceptances_root,
};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use crate::job::{CHAIN_ID, Deal, NET_PRICE};

/// Long enough for a busy machine, short enough to notice a hang.
const SOON: Duration = Duration::from_secs(30);

type Reply<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// What is put and served, by root.
type Blobs = Arc<Mutex<HashMap<B256, Bytes>>>;

/// Contents that never come, and how often one was asked for.
#[derive(Debug, Default)]
pub(crate) struct Stalled {
    pub(crate) roots: HashSet<B256>,
    pub(crate) asked: usize,
}

pub(crate) struct FakeHub {
    pub(crate) key: MachineKey,
    pub(crate) wallet: Address,
    pub(crate) net: Net,
    pub(crate) blobs: Blobs,
    pub(crate) stalled: Arc<Mutex<Stalled>>,
    /// Held by a test that lets miners wait for their welcome.
    pub(crate) greeting: Arc<tokio::sync::Mutex<()>>,
    sessions: mpsc::Receiver<Session>,
    stop: CancellationToken,
    sequence: u64,
}

impl Drop for FakeHub {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// One work stream of the miner.
pub(crate) struct Session {
    pub(crate) hello: Hello,
    inbound: Streaming<MinerMessage>,
    outbound: mpsc::Sender<Result<HubMessage, Status>>,
}

impl FakeHub {
    pub(crate) async fn start(seed: u8) -> Self {
        let key = MachineKey::from_bytes(&[seed; 32]).unwrap();
        let wallet = Address::repeat_byte(seed);
        let stop = CancellationToken::new();
        let config = NetConfig {
            listen: vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()],
            reachable: true,
            ..NetConfig::new(key.clone())
        };
        let net = Net::start(config, stop.clone()).await.unwrap();
        let (blobs, stalled) = (Blobs::default(), Arc::<Mutex<Stalled>>::default());
        let (arrived, sessions) = mpsc::channel(16);
        let greeting = Arc::<tokio::sync::Mutex<()>>::default();
        let work = FakeWork {
            arrived,
            greeting: Arc::clone(&greeting),
            owner: key.address(),
            wallet,
        };
        let services = Services::new()
            .work(work)
            .content(FakeContent(Arc::clone(&blobs), Arc::clone(&stalled)));
        net.serve(services).unwrap();
        Self {
            key,
            wallet,
            net,
            blobs,
            stalled,
            greeting,
            sessions,
            stop,
            sequence: 0,
        }
    }

    pub(crate) fn addr(&self) -> Multiaddr {
        self.net.listen_addrs()[0].clone()
    }

    pub(crate) fn domain(&self) -> Domain {
        Domain::new(CHAIN_ID, self.wallet)
    }

    pub(crate) async fn announce(&mut self, net_price: u64) {
        self.sequence += 1;
        let now = UnixSeconds(gio_agent::unix_now());
        let said = Announcement {
            owner: self.key.address(),
            wallet: self.wallet,
            chain_id: CHAIN_ID,
            addrs: self.net.listen_addrs(),
            sequence: self.sequence,
            issued_at: now,
            expires_at: now.after(600),
            gross_price: PricePerPu(Gio::from_units(2 * net_price)),
            net_price: PricePerPu(Gio::from_units(net_price)),
            region: String::new(),
            kinds: vec!["wasm".to_owned()],
            version: "test".to_owned(),
            name: "test hub".to_owned(),
        };
        let signed = said.sign(&self.key);
        self.net.publish_announcement(signed).await.unwrap();
    }

    /// The miner's next work stream.
    pub(crate) async fn session(&mut self) -> Session {
        let next = timeout(SOON, self.sessions.recv()).await;
        next.expect("the miner opens a work stream").unwrap()
    }

    /// That no work stream comes while `other` happens.
    pub(crate) async fn no_session_while<T>(&mut self, other: impl Future<Output = T>) -> T {
        tokio::select! {
            _ = self.sessions.recv() => panic!("a work stream for a hub that deserves none"),
            output = other => output,
        }
    }

    pub(crate) fn serve(&self, bytes: &Bytes) {
        let root = gio_content::content_root(bytes);
        self.blobs.lock().unwrap().insert(root, bytes.clone());
    }

    /// Promises a content and never sends it.
    pub(crate) fn stall(&self, bytes: &Bytes) {
        let root = gio_content::content_root(bytes);
        self.stalled.lock().unwrap().roots.insert(root);
    }

    /// The answer to a good claim.
    pub(crate) fn accept(&self, done: &UnitDone) -> hub_message::Body {
        let claim = Claim::from_bytes(&done.claim).unwrap();
        let claim_hash = claim.struct_hash();
        let leaf = acceptance_hash(claim.deal_id.0, claim.unit, claim_hash);
        let digest = acceptances_digest(&self.domain(), acceptances_root(&[leaf]));
        let unit = UnitAcceptance {
            deal_id: done.deal_id.clone(),
            unit: done.unit,
            net: 0,
            claim_hash: field::bytes(claim_hash),
        };
        hub_message::Body::Accepted(Accepted {
            units: vec![unit],
            hub_signature: field::signature_bytes(&self.key.sign(digest)),
        })
    }

    pub(crate) fn paid(&self, deal: DealId, net: Gio, tx: u8) -> hub_message::Body {
        hub_message::Body::Paid(Paid {
            deal_ids: vec![field::bytes(deal.0)],
            net: net.units(),
            gross: net.units() * 2,
            tx_hash: field::bytes(B256::repeat_byte(tx)),
            wallet: field::bytes(self.wallet),
        })
    }
}

impl Session {
    pub(crate) async fn send(&self, body: hub_message::Body) {
        let message = HubMessage { body: Some(body) };
        self.outbound.send(Ok(message)).await.unwrap();
    }

    pub(crate) async fn assign(&self, units: Vec<UnitOrder>) {
        self.send(hub_message::Body::Assign(Assign { units })).await;
    }

    pub(crate) async fn cancel(&self, deal: &Deal, unit: u32) {
        let deal_id = field::bytes(deal.id.0);
        let units = vec![UnitRef { deal_id, unit }];
        self.send(hub_message::Body::Cancel(Cancel { units })).await;
    }

    /// The miner's next message; `None` at the stream's end.
    pub(crate) async fn next(&mut self) -> Option<miner_message::Body> {
        let next = timeout(SOON, self.inbound.message()).await;
        let next = next.expect("the miner says something");
        next.ok().flatten().and_then(|message| message.body)
    }

    /// The next result, passing over what the miner says about its limits.
    pub(crate) async fn done(&mut self) -> Vec<UnitDone> {
        match self.next_but_exposure().await {
            Some(miner_message::Body::Done(Done { units })) => units,
            other => panic!("{other:?} instead of a result"),
        }
    }

    /// The next failure, alone.
    pub(crate) async fn failed(&mut self) -> UnitFailure {
        match self.next_but_exposure().await {
            Some(miner_message::Body::Failed(Failed { mut units })) if units.len() == 1 => {
                units.remove(0)
            }
            other => panic!("{other:?} instead of one failure"),
        }
    }

    /// The next message that is no exposure limit.
    pub(crate) async fn next_but_exposure(&mut self) -> Option<miner_message::Body> {
        loop {
            match self.next().await {
                Some(miner_message::Body::Exposure(_)) => {}
                other => return other,
            }
        }
    }

    /// Waits until the miner says this limit.
    pub(crate) async fn exposure(&mut self, wanted: u64) {
        loop {
            match self.next().await {
                Some(miner_message::Body::Exposure(exposure)) if exposure.limit == wanted => return,
                Some(miner_message::Body::Exposure(_)) => {}
                other => panic!("{other:?} instead of an exposure limit"),
            }
        }
    }
}

struct FakeWork {
    arrived: mpsc::Sender<Session>,
    greeting: Arc<tokio::sync::Mutex<()>>,
    owner: Address,
    wallet: Address,
}

#[tonic::async_trait]
impl Work for FakeWork {
    type OpenStream = Reply<HubMessage>;

    async fn open(
        &self,
        request: Request<Streaming<MinerMessage>>,
    ) -> Result<Response<Self::OpenStream>, Status> {
        let mut inbound = request.into_inner();
        let first = inbound.message().await?.and_then(|message| message.body);
        let Some(miner_message::Body::Hello(hello)) = first else {
            return Err(Status::invalid_argument("no Hello"));
        };
        let (outbound, messages) = mpsc::channel(64);
        let welcome = Welcome {
            hub: field::bytes(self.owner),
            wallet: field::bytes(self.wallet),
            chain_id: CHAIN_ID,
            net_price_per_pu: NET_PRICE,
        };
        let body = Some(hub_message::Body::Welcome(welcome));
        outbound.send(Ok(HubMessage { body })).await.unwrap();
        let session = Session {
            hello,
            inbound,
            outbound,
        };
        // A test that has seen enough does not listen any more.
        let _ = self.arrived.send(session).await;
        drop(self.greeting.lock().await);
        Ok(Response::new(Box::pin(ReceiverStream::new(messages))))
    }
}

struct FakeContent(Blobs, Arc<Mutex<Stalled>>);

#[tonic::async_trait]
impl Content for FakeContent {
    type GetStream = Reply<ContentChunk>;

    async fn put(
        &self,
        request: Request<Streaming<ContentChunk>>,
    ) -> Result<Response<ContentRef>, Status> {
        let mut chunks = request.into_inner();
        let mut bytes = BytesMut::new();
        while let Some(chunk) = chunks.message().await? {
            bytes.extend_from_slice(&chunk.data);
        }
        let bytes = bytes.freeze();
        let root = gio_content::content_root(&bytes);
        let length = bytes.len() as u64;
        self.0.lock().unwrap().insert(root, bytes);
        let root = field::bytes(root);
        Ok(Response::new(ContentRef { root, length }))
    }

    async fn get(
        &self,
        request: Request<ContentRequest>,
    ) -> Result<Response<Self::GetStream>, Status> {
        let root = field::hash("root", &request.get_ref().root)?;
        let mut stalled = self.1.lock().unwrap();
        if stalled.roots.contains(&root) {
            stalled.asked += 1;
            return Ok(Response::new(Box::pin(futures::stream::pending())));
        }
        drop(stalled);
        let found = self.0.lock().unwrap().get(&root).cloned();
        let bytes = found.ok_or_else(|| Status::not_found("no such content"))?;
        let chunks: Vec<_> = blob::chunks(root, bytes).map(Ok).collect();
        Ok(Response::new(Box::pin(futures::stream::iter(chunks))))
    }

    async fn has(&self, _: Request<HasRequest>) -> Result<Response<HasReply>, Status> {
        Err(Status::unimplemented("no miner asks"))
    }
}
