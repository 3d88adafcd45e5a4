//! Work: one stream each way per miner. This side checks claims in parallel and builds orders; the dispatcher
//! decides.
//!
//! # Security
//! A peer has one session: a new one ends the one before. What a session may cost is bounded by what its miner was
//! given: results of other units are not looked at, results are checked one at a time, large ones with memory lent for
//! it, and a miner that does not read its messages loses its session.

mod inbound;
mod outbound;

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::Stream;
use gio_net::Caller;
use gio_net::wire::field::{self, FieldError, bytes};
use gio_net::wire::work_server::Work;
use gio_net::wire::{
    Hello, HubMessage, MinerMessage, UnitRef as WireUnit, Welcome, hub_message, miner_message,
};
use gio_protocol::{DealId, Gio, PricePerPu};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::error::ApiError;
use crate::domain::board::{Offer, Session, UnitRef};
use crate::domain::stage::Stage;
use crate::hub::Hub;
use crate::services::dispatch::{Command, Grants, ToMiner};

/// A miner says who it is at once.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two sessions of one peer.
const SPACING: Duration = Duration::from_millis(50);
/// Messages to a miner waiting to be built; a miner this far behind is treated as gone.
const TO_MINER_QUEUE: usize = 1024;
/// Built messages waiting to be sent, of about a MiB at most: the next is built while one is on its way.
const OUTBOUND_QUEUE: usize = 2;
/// More places than any machine has: a miner cannot take a whole job away from the others.
const PLACES_MAX: u32 = 4096;
/// Orders from earlier sessions a miner may still hold, likewise.
const HOLDING_MAX: usize = PLACES_MAX as usize;

static NEXT_SESSION: AtomicU64 = AtomicU64::new(1);

/// The Work service.
#[derive(Clone, Debug)]
pub struct WorkApi(pub Arc<Hub>);

type OutboundStream = Pin<Box<dyn Stream<Item = Result<HubMessage, Status>> + Send>>;

/// What both directions of one session share.
#[derive(Clone, Debug)]
struct Link {
    hub: Arc<Hub>,
    caller: Caller,
    session: Session,
    grants: Grants,
    /// To the direction that writes.
    to_miner: mpsc::Sender<ToMiner>,
    /// Ends both directions.
    over: CancellationToken,
}

#[tonic::async_trait]
impl Work for WorkApi {
    type OpenStream = OutboundStream;

    async fn open(
        &self,
        request: Request<Streaming<MinerMessage>>,
    ) -> Result<Response<OutboundStream>, Status> {
        let caller = Caller::of(&request)?;
        let place = self.0.places.joining.take(caller.address);
        let too_many = || Status::resource_exhausted("another session of yours is being opened");
        let _place = place.ok_or_else(too_many)?;
        let mut inbound = request.into_inner();
        let hello = greeting(&mut inbound).await?;
        if field::address("owner", &hello.owner)? != caller.address {
            return Err(Status::permission_denied(
                "the owner must be the calling machine's own account",
            ));
        }
        let (to_miner, orders) = mpsc::channel(TO_MINER_QUEUE);
        let link = Link {
            hub: Arc::clone(&self.0),
            caller,
            session: Session(NEXT_SESSION.fetch_add(1, Ordering::Relaxed)),
            grants: Grants::default(),
            to_miner: to_miner.clone(),
            over: self.0.stop.child_token(),
        };
        let (outbound, messages) = mpsc::channel(OUTBOUND_QUEUE);
        let gone = |_| Status::cancelled("the miner is gone");
        outbound.send(Ok(link.hub.welcome())).await.map_err(gone)?;
        let offer = offer(link.session, &hello)?;
        link.expect(&offer).await?;
        gio_failpoint::fail_point!("hub.told.welcome");
        let join = Command::Join {
            miner: caller.address,
            offer,
            to_miner,
            grants: link.grants.clone(),
            over: link.over.clone(),
        };
        let stopping = |_| Status::unavailable("the hub is shutting down");
        link.hub.dispatcher.send(join).await.map_err(stopping)?;
        let tasks = &self.0.tasks;
        tasks.spawn(outbound::write(link.clone(), orders, outbound));
        tasks.spawn(inbound::read(link, inbound));
        // Every session costs the dispatcher a look at its disk.
        tokio::time::sleep(SPACING).await;
        Ok(Response::new(Box::pin(ReceiverStream::new(messages))))
    }
}

impl Link {
    /// Where several processes are one hub, a miner may bring results of deals that a process had which is gone: they wait
    /// until this one has taken them over.
    async fn expect(&self, offer: &Offer) -> Result<(), ApiError> {
        if !self.hub.store.is_shared() {
            return Ok(());
        }
        let deals: BTreeSet<DealId> = offer.holding.iter().map(|unit| unit.deal).collect();
        for deal in deals {
            let known = self.hub.store.deal(deal).await?;
            let is_open = |stage| matches!(stage, Stage::Open | Stage::Running);
            if known.is_some_and(|known| is_open(known.stage))
                && !self.hub.store.is_held_here(deal).await?
            {
                self.hub.notes.coming.send_modify(|coming| {
                    coming.insert(deal);
                });
            }
        }
        Ok(())
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

fn offer(session: Session, hello: &Hello) -> Result<Offer, Status> {
    if hello.holding.len() > HOLDING_MAX {
        return Err(Status::invalid_argument(
            "a miner cannot hold so many orders",
        ));
    }
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
    })
}

fn unit_ref(unit: &WireUnit) -> Result<UnitRef, FieldError> {
    Ok(UnitRef {
        deal: DealId(field::hash("deal_id", &unit.deal_id)?),
        unit: unit.unit,
    })
}

impl Hub {
    fn welcome(&self) -> HubMessage {
        HubMessage {
            body: Some(hub_message::Body::Welcome(Welcome {
                hub: bytes(self.key.address()),
                wallet: bytes(self.wallet),
                chain_id: self.chain.chain_id(),
                net_price_per_pu: self.config().prices.net_price.0.units(),
            })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_is_bounded_whatever_the_hello_says() {
        let session = Session(1);
        let mut hello = Hello {
            cores: u32::MAX,
            prefetch: u32::MAX,
            ..Hello::default()
        };
        assert_eq!(offer(session, &hello).unwrap().places, PLACES_MAX);
        (hello.cores, hello.prefetch) = (0, 0);
        assert_eq!(offer(session, &hello).unwrap().places, 1);
        let unit = |unit| WireUnit {
            deal_id: vec![7; 32].into(),
            unit,
        };
        hello.holding = (0..PLACES_MAX).map(unit).collect();
        assert_eq!(offer(session, &hello).unwrap().holding.len(), HOLDING_MAX);
        hello.holding.push(unit(0));
        assert!(offer(session, &hello).is_err());
        hello.holding = vec![WireUnit::default()];
        assert!(offer(session, &hello).is_err(), "a deal id has 32 bytes");
    }
}
