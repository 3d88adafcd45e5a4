//! A miner that claims without running anything.

use std::collections::BTreeSet;

use gio_content::{OutputImage, content_root};
use gio_keys::MachineKey;
use gio_net::wire::field::{self, bytes, signature_bytes};
use gio_net::wire::{
    Accepted, Done, Failed, Hello, HubMessage, MinerMessage, Rejected, UnitDone, UnitFailure,
    UnitOrder, UnitRef, hub_message, miner_message, unit_done,
};
use gio_net::{Multiaddr, blob, peer_id_of, work_client};
use gio_protocol::{Address, Claim, Cu, DealId, Domain, Gio, MachineParams, Status, word_root};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Status as Refusal, Streaming};

use super::{CHAIN_ID, Market, Node, TestHub, gio, soon};

pub(crate) struct FakeMiner {
    pub(crate) key: MachineKey,
    pub(crate) channel: Channel,
    wallet: Address,
    to_hub: mpsc::Sender<MinerMessage>,
    from_hub: Streaming<HubMessage>,
    _node: Node,
}

/// An order, as far as a claim needs it.
pub(crate) type Given = UnitOrder;

/// A miner of four places that trusts the hub with 100 GIO.
pub(crate) fn hello(owner: Address) -> Hello {
    Hello {
        owner: bytes(owner),
        cores: 2,
        prefetch: 2,
        net_price_min: gio("1").units(),
        exposure_limit: gio("100").units(),
        pages_max: 1024,
        ..Hello::default()
    }
}

/// An output image of a unit.
pub(crate) fn output(text: &str) -> Vec<u8> {
    let image = OutputImage {
        stdout: text.as_bytes().to_vec(),
        ..OutputImage::default()
    };
    image.encode().unwrap()
}

/// One that does not travel inline.
pub(crate) fn large_output() -> Vec<u8> {
    output(&"large ".repeat(20_000))
}

impl FakeMiner {
    /// The nth account of anvil, connected.
    pub(crate) async fn start(market: &Market, hub: &TestHub, n: usize) -> Self {
        Self::with(market, hub, n, |_| {}).await
    }

    pub(crate) async fn with(
        market: &Market,
        hub: &TestHub,
        n: usize,
        change: impl FnOnce(&mut Hello),
    ) -> Self {
        Self::open(market, &hub.addrs(), n, change).await
    }

    /// At a hub of another process.
    pub(crate) async fn at(market: &Market, hub: &[Multiaddr], n: usize) -> Self {
        Self::open(market, hub, n, |_| {}).await
    }

    async fn open(
        market: &Market,
        hub: &[Multiaddr],
        n: usize,
        change: impl FnOnce(&mut Hello),
    ) -> Self {
        let (key, _) = market.account(n).await;
        let node = Node::start(&key).await;
        let mut hello = hello(key.address());
        change(&mut hello);
        let peer = peer_id_of(&market.key.public_key());
        let channel = soon("a connection", node.net.channel(peer, hub))
            .await
            .unwrap();
        let (to_hub, from_hub) = open(channel.clone(), hello).await.unwrap();
        let mut miner = Self {
            key,
            channel,
            wallet: market.wallet,
            to_hub,
            from_hub,
            _node: node,
        };
        let welcome = miner.next().await;
        assert!(
            matches!(welcome, hub_message::Body::Welcome(_)),
            "{welcome:?}"
        );
        miner
    }

    /// A new session over the same connection; the one before is left as it is.
    pub(crate) async fn rejoin(&mut self, holding: &[&Given]) -> Streaming<HubMessage> {
        let mut hello = hello(self.key.address());
        hello.holding = holding
            .iter()
            .map(|order| UnitRef {
                deal_id: order.deal_id.clone(),
                unit: order.unit,
            })
            .collect();
        let (to_hub, from_hub) = open(self.channel.clone(), hello).await.unwrap();
        self.to_hub = to_hub;
        let before = std::mem::replace(&mut self.from_hub, from_hub);
        assert!(matches!(self.next().await, hub_message::Body::Welcome(_)));
        before
    }

    pub(crate) fn address(&self) -> Address {
        self.key.address()
    }

    pub(crate) async fn next(&mut self) -> hub_message::Body {
        let message = soon("a message to a miner", self.from_hub.message()).await;
        message.unwrap().unwrap().body.unwrap()
    }

    /// Waits for this many orders; what else comes is let pass.
    pub(crate) async fn orders(&mut self, count: usize) -> Vec<Given> {
        let mut orders = Vec::new();
        while orders.len() < count {
            if let hub_message::Body::Assign(assign) = self.next().await {
                orders.extend(assign.units);
            }
        }
        orders
    }

    pub(crate) async fn accepted(&mut self) -> Accepted {
        loop {
            match self.next().await {
                hub_message::Body::Accepted(accepted) => return accepted,
                hub_message::Body::Rejected(rejected) => panic!("{rejected:?}"),
                _ => {}
            }
        }
    }

    pub(crate) async fn rejected(&mut self) -> Rejected {
        loop {
            match self.next().await {
                hub_message::Body::Rejected(rejected) => return rejected,
                hub_message::Body::Accepted(accepted) => panic!("{accepted:?}"),
                _ => {}
            }
        }
    }

    pub(crate) async fn send(&self, body: miner_message::Body) {
        let message = MinerMessage { body: Some(body) };
        self.to_hub.send(message).await.unwrap();
    }

    pub(crate) async fn deliver(&self, units: Vec<UnitDone>) {
        self.send(miner_message::Body::Done(Done { units })).await;
    }

    pub(crate) async fn give_back(&self, order: &Given, retryable: bool) {
        let unit = UnitFailure {
            deal_id: order.deal_id.clone(),
            unit: order.unit,
            reason: "no\nreason".to_owned(),
            retryable,
        };
        self.send(miner_message::Body::Failed(Failed { units: vec![unit] }))
            .await;
    }

    /// A true claim of `pu` thousandths of a PU.
    pub(crate) fn claim(&self, order: &Given, milli_pu: u64, output: &[u8]) -> Claim {
        Claim {
            deal_id: DealId(field::hash("deal_id", &order.deal_id).unwrap()),
            unit: order.unit,
            owner: self.address(),
            program_root: field::hash("program_root", &order.program_root).unwrap(),
            input_root: field::hash("input_root", &order.input_root).unwrap(),
            status: Status::Exit,
            exit_code: 0,
            cu: Cu(milli_pu * 1_000_000),
            output_root: word_root(output, MachineParams::IMAGE_DEPTH).unwrap(),
            output_length: output.len() as u64,
            content_root: content_root(output),
        }
    }

    /// What is sent for a claim.
    pub(crate) fn done(&self, claim: &Claim, output: unit_done::Output) -> UnitDone {
        let domain = Domain::new(CHAIN_ID, self.wallet);
        UnitDone {
            deal_id: bytes(claim.deal_id.0),
            unit: claim.unit,
            claim: claim.to_bytes().into(),
            signature: signature_bytes(&self.key.sign(claim.digest(&domain))),
            output: Some(output),
        }
    }

    /// A true result with a small output.
    pub(crate) fn result(&self, order: &Given, milli_pu: u64) -> UnitDone {
        let output = output(&format!("unit {}\n", order.unit));
        let claim = self.claim(order, milli_pu, &output);
        self.done(&claim, unit_done::Output::OutputInline(output.into()))
    }

    /// Uploads an output and returns what refers to it.
    pub(crate) async fn upload(&self, output: Vec<u8>) -> unit_done::Output {
        let root = content_root(&output);
        let kept = blob::upload(self.channel.clone(), root, output.into()).await;
        unit_done::Output::OutputRef(kept.unwrap())
    }

    /// Takes orders and delivers them until `count` are accepted. Returns what the hub said they earn.
    pub(crate) async fn work(&mut self, count: usize, milli_pu: u64) -> Gio {
        let mut accepted = BTreeSet::new();
        let mut earned = 0;
        while accepted.len() < count {
            match self.next().await {
                hub_message::Body::Assign(assign) => {
                    let results = assign
                        .units
                        .iter()
                        .map(|order| self.result(order, milli_pu));
                    self.deliver(results.collect()).await;
                }
                hub_message::Body::Accepted(units) => {
                    for unit in units.units {
                        earned += unit.net;
                        accepted.insert((unit.deal_id, unit.unit));
                    }
                }
                hub_message::Body::Rejected(rejected) => panic!("{rejected:?}"),
                _ => {}
            }
        }
        Gio::from_units(earned)
    }

    /// Leaves without a word.
    pub(crate) fn leave(self) {
        drop(self);
    }
}

async fn open(
    channel: Channel,
    hello: Hello,
) -> Result<(mpsc::Sender<MinerMessage>, Streaming<HubMessage>), Refusal> {
    let (to_hub, messages) = mpsc::channel(64);
    let first = MinerMessage {
        body: Some(miner_message::Body::Hello(hello)),
    };
    to_hub.send(first).await.unwrap();
    let mut client = work_client(channel);
    let stream = client.open(ReceiverStream::new(messages));
    let reply = soon("a session", stream).await?;
    Ok((to_hub, reply.into_inner()))
}

/// A session that begins with this message, and why the hub refuses it.
pub(crate) async fn refused(channel: Channel, first: miner_message::Body) -> Refusal {
    let message = MinerMessage { body: Some(first) };
    let stream = futures::stream::iter([message]);
    let reply = soon("a refusal", work_client(channel).open(stream)).await;
    reply.err().unwrap()
}
