//! Work: one stream each way per miner. This side checks claims in parallel and builds orders; the dispatcher
//! decides.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::Stream;
use gio_keys::PublicKey;
use gio_net::Caller;
use gio_net::wire::field::{self, FieldError, bytes, signature_bytes};
use gio_net::wire::work_server::Work;
use gio_net::wire::{
    Accepted, Assign, Cancel, Done, Failed, Hello, HubMessage, MinerMessage, Paid, Rejected,
    UnitAcceptance, UnitDone, UnitOrder, UnitRef as WireUnit, UnitRejection, Welcome, hub_message,
    miner_message, unit_done, unit_order,
};
use gio_protocol::{Claim, DealId, Gio, PricePerPu, SignedClaim, acceptance_digest};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::content::to_wire;
use crate::domain::board::{Offer, Session, UnitRef};
use crate::domain::claims::check_claim;
use crate::domain::deal::DealInfo;
use crate::hub::Hub;
use crate::infra::content::BLOB_BYTES_MAX;
use crate::infra::observe;
use crate::infra::store::AcceptedClaim;
use crate::services::dispatch::{Command, ToMiner};

/// A miner says who it is at once.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// Messages to a miner waiting to be sent; a miner this far behind is treated as gone.
const TO_MINER_QUEUE: usize = 1024;
/// Orders in one message: large enough for tiny units, small enough for the message limit.
const ORDERS_PER_MESSAGE: usize = 64;
/// Input images up to this size travel in the order.
const INPUT_INLINE_MAX: usize = 64 * 1024;
/// More places than any machine has: a miner cannot take a whole job away from the others.
const PLACES_MAX: u32 = 4096;

static NEXT_SESSION: AtomicU64 = AtomicU64::new(1);

/// The Work service.
#[derive(Clone, Debug)]
pub struct WorkApi(pub Arc<Hub>);

type OutboundStream = Pin<Box<dyn Stream<Item = Result<HubMessage, Status>> + Send>>;

#[tonic::async_trait]
impl Work for WorkApi {
    type OpenStream = OutboundStream;

    async fn open(
        &self,
        request: Request<Streaming<MinerMessage>>,
    ) -> Result<Response<OutboundStream>, Status> {
        let caller = Caller::of(&request)?;
        let mut inbound = request.into_inner();
        let hello = greeting(&mut inbound).await?;
        if field::address("owner", &hello.owner)? != caller.address {
            return Err(Status::permission_denied(
                "the owner must be the calling machine's own account",
            ));
        }
        let session = Session(NEXT_SESSION.fetch_add(1, Ordering::Relaxed));
        let hub = Arc::clone(&self.0);
        let unpaid = hub
            .store
            .unpaid(caller.address)
            .await
            .map_err(|_| Status::internal("the database refuses"))?;
        let offer = offer(session, &hello, unpaid)?;
        let (to_miner, orders) = mpsc::channel(TO_MINER_QUEUE);
        let (outbound, messages) = mpsc::channel(8);
        let join = Command::Join {
            miner: caller.address,
            offer,
            to_miner,
        };
        outbound
            .send(Ok(hub.welcome()))
            .await
            .map_err(|_| Status::cancelled("the miner is gone"))?;
        hub.dispatcher
            .send(join)
            .await
            .map_err(|_| Status::unavailable("the hub is shutting down"))?;
        hub.tasks
            .spawn(write_orders(Arc::clone(&hub), caller, orders, outbound));
        hub.tasks
            .spawn(read_messages(Arc::clone(&hub), caller, session, inbound));
        Ok(Response::new(Box::pin(ReceiverStream::new(messages))))
    }
}

async fn greeting(inbound: &mut Streaming<MinerMessage>) -> Result<Hello, Status> {
    let first = timeout(HELLO_TIMEOUT, inbound.message()).await;
    let first = first.map_err(|_| Status::deadline_exceeded("no Hello came"))??;
    match first.and_then(|message| message.body) {
        Some(miner_message::Body::Hello(hello)) => Ok(hello),
        _ => Err(Status::invalid_argument("the first message is Hello")),
    }
}

fn offer(session: Session, hello: &Hello, unpaid: Gio) -> Result<Offer, FieldError> {
    let holding: Result<BTreeSet<UnitRef>, FieldError> =
        hello.holding.iter().map(unit_ref).collect();
    Ok(Offer {
        session,
        places: hello
            .cores
            .saturating_add(hello.prefetch)
            .clamp(1, PLACES_MAX),
        net_price_min: PricePerPu(Gio::from_units(hello.net_price_min)),
        exposure_limit: Gio::from_units(hello.exposure_limit),
        pages_max: hello.pages_max,
        holding: holding?,
        unpaid,
    })
}

fn unit_ref(unit: &WireUnit) -> Result<UnitRef, FieldError> {
    Ok(UnitRef {
        deal: DealId(field::hash("deal_id", &unit.deal_id)?),
        unit: unit.unit,
    })
}

/// Reads a miner's messages until its stream ends.
async fn read_messages(
    hub: Arc<Hub>,
    caller: Caller,
    session: Session,
    mut inbound: Streaming<MinerMessage>,
) {
    loop {
        let message = tokio::select! {
            () = hub.stop.cancelled() => break,
            message = inbound.message() => message,
        };
        let Ok(Some(MinerMessage { body: Some(body) })) = message else {
            break;
        };
        let command = match body {
            miner_message::Body::Done(done) => {
                match check_done(&hub, caller.public_key, done).await {
                    Some(results) => Command::Results {
                        miner: caller.address,
                        results,
                    },
                    None => break,
                }
            }
            miner_message::Body::Failed(failed) => failures(caller, &failed),
            miner_message::Body::Exposure(exposure) => Command::Exposure {
                miner: caller.address,
                limit: Gio::from_units(exposure.limit),
            },
            miner_message::Body::Draining(_) => Command::Drain {
                miner: caller.address,
            },
            miner_message::Body::Hello(_) => break,
        };
        if hub.dispatcher.send(command).await.is_err() {
            break;
        }
    }
    // The dispatcher may be gone already when the hub stops; there is nobody left to tell then.
    let _ = hub
        .dispatcher
        .send(Command::Leave {
            miner: caller.address,
            session,
        })
        .await;
}

fn failures(caller: Caller, failed: &Failed) -> Command {
    let units = failed.units.iter().filter_map(|failure| {
        let deal = DealId(field::hash("deal_id", &failure.deal_id).ok()?);
        observe::unit_failed(caller.address, deal, failure.unit, &failure.reason);
        Some((
            UnitRef {
                deal,
                unit: failure.unit,
            },
            failure.retryable,
        ))
    });
    Command::Failures {
        miner: caller.address,
        units: units.collect(),
    }
}

/// A unit's result after checking: what to accept, or why not.
#[derive(Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Checked {
    pub unit: UnitRef,
    pub result: Result<Box<AcceptedClaim>, String>,
}

/// Checks a batch of results away from the runtime's threads. `None` if the hub is stopping.
async fn check_done(hub: &Arc<Hub>, miner: PublicKey, done: Done) -> Option<Vec<Checked>> {
    let mut loaded = Vec::with_capacity(done.units.len());
    for unit in done.units {
        loaded.push(load_output(hub, unit).await);
    }
    let hub = Arc::clone(hub);
    let work = move || {
        loaded
            .into_iter()
            .filter_map(|unit| check_unit(&hub, &miner, unit))
            .collect()
    };
    tokio::task::spawn_blocking(work).await.ok()
}

/// A result with its output bytes, which are inline or were uploaded before.
async fn load_output(hub: &Hub, unit: UnitDone) -> (UnitDone, Result<Vec<u8>, String>) {
    let output = match &unit.output {
        Some(unit_done::Output::OutputInline(bytes)) => Ok(bytes.to_vec()),
        Some(unit_done::Output::OutputRef(content)) => match field::hash("root", &content.root) {
            Ok(root) => hub
                .contents
                .get(root)
                .await
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        },
        None => Err("no output came".to_owned()),
    };
    (unit, output)
}

fn check_unit(
    hub: &Hub,
    miner: &PublicKey,
    (unit, output): (UnitDone, Result<Vec<u8>, String>),
) -> Option<Checked> {
    let name = UnitRef {
        deal: DealId(field::hash("deal_id", &unit.deal_id).ok()?),
        unit: unit.unit,
    };
    let result = output.and_then(|output| check_result(hub, miner, &unit, name, output));
    if let Err(reason) = &result {
        observe::claim_refused(miner.address(), name.deal, name.unit, reason);
    }
    Some(Checked {
        unit: name,
        result: result.map(Box::new),
    })
}

fn check_result(
    hub: &Hub,
    miner: &PublicKey,
    unit: &UnitDone,
    name: UnitRef,
    output: Vec<u8>,
) -> Result<AcceptedClaim, String> {
    let claim = Claim::from_bytes(&unit.claim).map_err(|error| error.to_string())?;
    let signature =
        field::signature("signature", &unit.signature).map_err(|error| error.to_string())?;
    if claim.deal_id != name.deal || claim.unit != name.unit {
        return Err("the claim is of another unit".to_owned());
    }
    let deal = hub.deals.get(name.deal);
    // A deal that is over: the dispatcher knows whether this claim was accepted before.
    let domain = match &deal {
        Some(deal) => {
            check_claim(deal, &claim, &signature, miner, &output)
                .map_err(|error| error.to_string())?;
            deal.domain
        }
        None => gio_protocol::Domain::new(hub.chain.chain_id(), hub.wallet),
    };
    let digest = acceptance_digest(&domain, claim.deal_id.0, claim.unit, claim.struct_hash());
    let keep = (output.len() <= BLOB_BYTES_MAX).then_some(output);
    Ok(AcceptedClaim {
        signed: SignedClaim { claim, signature },
        hub_signature: hub.key.sign(digest),
        output: keep,
    })
}

/// Turns the dispatcher's decisions into messages, until the session ends.
async fn write_orders(
    hub: Arc<Hub>,
    caller: Caller,
    mut orders: mpsc::Receiver<ToMiner>,
    outbound: mpsc::Sender<Result<HubMessage, Status>>,
) {
    let mut told = BTreeSet::new();
    while let Some(order) = orders.recv().await {
        let bodies = match order {
            ToMiner::Assign(units) => assignments(&hub, caller, units, &mut told).await,
            ToMiner::Accepted(units) => vec![accepted(units)],
            ToMiner::Rejected(units) => vec![rejected(units)],
            ToMiner::Cancel(units) => vec![cancelled(&units)],
            ToMiner::Paid {
                deal,
                net,
                gross,
                tx,
            } => vec![hub_message::Body::Paid(Paid {
                deal_ids: vec![bytes(deal.0)],
                net: net.units(),
                gross: gross.units(),
                tx_hash: bytes(tx),
                wallet: bytes(hub.wallet),
            })],
        };
        for body in bodies {
            if outbound
                .send(Ok(HubMessage { body: Some(body) }))
                .await
                .is_err()
            {
                return;
            }
        }
    }
}

async fn assignments(
    hub: &Arc<Hub>,
    caller: Caller,
    units: Vec<(Arc<DealInfo>, u32)>,
    told: &mut BTreeSet<DealId>,
) -> Vec<hub_message::Body> {
    let mut orders = Vec::with_capacity(units.len());
    let mut lost = Vec::new();
    for (deal, unit) in units {
        match order(hub, &deal, unit).await {
            Some(mut order) => {
                if told.insert(deal.id) {
                    order.terms = deal.terms.to_bytes().into();
                }
                orders.push(order);
            }
            None => lost.push((
                UnitRef {
                    deal: deal.id,
                    unit,
                },
                true,
            )),
        }
    }
    if !lost.is_empty() {
        let back = Command::Failures {
            miner: caller.address,
            units: lost,
        };
        // When the hub stops, units that were not sent are queued again at the next start.
        let _ = hub.dispatcher.send(back).await;
    }
    let mut bodies = Vec::new();
    while !orders.is_empty() {
        let rest = orders.split_off(orders.len().min(ORDERS_PER_MESSAGE));
        bodies.push(hub_message::Body::Assign(Assign {
            units: std::mem::replace(&mut orders, rest),
        }));
    }
    bodies
}

/// The order of one unit; `None` if its input cannot be brought up now.
async fn order(hub: &Hub, deal: &Arc<DealInfo>, unit: u32) -> Option<UnitOrder> {
    let shared = Arc::clone(deal);
    let image = tokio::task::spawn_blocking(move || shared.plan.input_image(unit))
        .await
        .ok()?
        .ok()?;
    let input = if image.len() <= INPUT_INLINE_MAX {
        unit_order::Input::InputInline(image.into())
    } else {
        let kept = hub.contents.put(None, image).await;
        let kept = kept
            .inspect_err(|error| observe::retrying("keeping a unit's input", error))
            .ok()?;
        unit_order::Input::InputRef(to_wire(kept))
    };
    let leaf = deal.leaves.get(unit as usize)?;
    let proof = deal.tree.proof(unit)?;
    Some(UnitOrder {
        deal_id: bytes(deal.id.0),
        unit,
        kind: leaf.kind as u32,
        module: Some(to_wire(deal.module)),
        input: Some(input),
        input_root: bytes(leaf.input_root),
        input_length: leaf.input_length,
        program_root: bytes(leaf.program_root),
        cu_limit: leaf.cu_limit.0,
        pages_max: leaf.pages_max,
        output_max: leaf.output_max,
        unit_seed: bytes(leaf.unit_seed),
        clock_start: deal.terms.clock_start.0,
        deadline: hub.now().after(hub.config.hub.unit_seconds).0,
        net_price_per_pu: deal.net_price.0.units(),
        terms: bytes::Bytes::new(),
        job_proof: proof.into_iter().map(bytes).collect(),
    })
}

fn accepted(units: Vec<crate::services::dispatch::Acceptance>) -> hub_message::Body {
    let units = units.into_iter().map(|accepted| UnitAcceptance {
        deal_id: bytes(accepted.unit.deal.0),
        unit: accepted.unit.unit,
        hub_signature: signature_bytes(&accepted.hub_signature),
        net: accepted.net.units(),
    });
    hub_message::Body::Accepted(Accepted {
        units: units.collect(),
    })
}

fn rejected(units: Vec<(UnitRef, String)>) -> hub_message::Body {
    let units = units.into_iter().map(|(unit, reason)| UnitRejection {
        deal_id: bytes(unit.deal.0),
        unit: unit.unit,
        reason,
    });
    hub_message::Body::Rejected(Rejected {
        units: units.collect(),
    })
}

fn cancelled(units: &[UnitRef]) -> hub_message::Body {
    let units = units.iter().map(|unit| WireUnit {
        deal_id: bytes(unit.deal.0),
        unit: unit.unit,
    });
    hub_message::Body::Cancel(Cancel {
        units: units.collect(),
    })
}

impl Hub {
    fn welcome(&self) -> HubMessage {
        HubMessage {
            body: Some(hub_message::Body::Welcome(Welcome {
                hub: bytes(self.key.address()),
                wallet: bytes(self.wallet),
                chain_id: self.chain.chain_id(),
                net_price_per_pu: self.config.prices.net_price.0.units(),
            })),
        }
    }
}
