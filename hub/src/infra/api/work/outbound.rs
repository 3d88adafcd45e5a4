//! What a miner is told: the dispatcher's decisions become messages.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use gio_net::wire::field::{bytes, signature_bytes};
use gio_net::wire::{
    Accepted, Assign, Cancel, HubMessage, Paid, Rejected, UnitAcceptance, UnitOrder,
    UnitRef as WireUnit, UnitRejection, hub_message, unit_order,
};
use gio_protocol::{
    B256, DealId, Domain, UnixSeconds, acceptance_hash, acceptances_digest, acceptances_root,
};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tonic::Status;

use super::super::content::to_wire;
use super::Link;
use crate::domain::board::{Failure, UnitRef};
use crate::domain::deal::DealInfo;
use crate::infra::content::{ContentError, blocking};
use crate::infra::observe;
use crate::services::dispatch::{Acceptance, Command, ToMiner};

/// Orders in one message: large enough for tiny units.
const ORDERS_PER_MESSAGE: usize = 256;
/// Inputs in one message, together: well below what a message may have.
const INPUT_BYTES_PER_MESSAGE: usize = 1 << 20;
/// Input images up to this size travel in the order.
const INPUT_INLINE_MAX: u64 = 64 * 1024;
/// Copies of an image while it is built and kept.
const IMAGE_COPIES: u64 = 4;
/// Claims under one countersignature: enough that the signature costs a unit nothing, few enough that the proof of one of
/// them is short.
const ACCEPTANCES_PER_MESSAGE: usize = 1024;
/// A miner that takes no message for this long is gone.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);

type Outbound = mpsc::Sender<Result<HubMessage, Status>>;

/// Turns the dispatcher's decisions into messages, until the session ends.
pub(super) async fn write(link: Link, mut orders: mpsc::Receiver<ToMiner>, outbound: Outbound) {
    let over = link.over.clone();
    let mut writer = Writer {
        link,
        outbound,
        told: BTreeSet::new(),
    };
    let messages = async {
        while let Some(order) = orders.recv().await {
            if writer.pass_on(order).await.is_none() {
                break;
            }
        }
    };
    tokio::select! {
        () = over.cancelled() => {}
        () = messages => {}
    }
    // The other direction ends too.
    over.cancel();
}

struct Writer {
    link: Link,
    outbound: Outbound,
    /// Deals whose terms were sent on this stream.
    told: BTreeSet<DealId>,
}

/// Orders on their way into one message.
#[derive(Default)]
struct Page {
    units: Vec<UnitOrder>,
    bytes: usize,
}

impl Writer {
    /// `None` when the miner is gone.
    async fn pass_on(&mut self, order: ToMiner) -> Option<()> {
        let body = match order {
            ToMiner::Assign(units) => return self.assign(units).await,
            ToMiner::Accepted(units) => return self.accepted(&units).await,
            ToMiner::Rejected(units) => rejected(units),
            ToMiner::Cancel(units) => cancelled(&units),
            ToMiner::Paid {
                deal,
                net,
                gross,
                tx,
            } => hub_message::Body::Paid(Paid {
                deal_ids: vec![bytes(deal.0)],
                net: net.units(),
                gross: gross.units(),
                tx_hash: bytes(tx),
                wallet: bytes(self.link.hub.wallet),
            }),
        };
        self.send(body).await
    }

    async fn send(&self, body: hub_message::Body) -> Option<()> {
        pass_fail_point(&body);
        let message = Ok(HubMessage { body: Some(body) });
        match timeout(SEND_TIMEOUT, self.outbound.send(message)).await {
            Ok(sent) => sent.ok(),
            Err(_) => {
                observe::miner_too_slow(self.link.caller.address);
                None
            }
        }
    }

    /// Countersigns; the claims are on disk.
    async fn accepted(&self, units: &[Acceptance]) -> Option<()> {
        let hub = &self.link.hub;
        let domain = Domain::new(hub.chain.chain_id(), hub.wallet);
        for units in units.chunks(ACCEPTANCES_PER_MESSAGE) {
            let leaf =
                |one: &Acceptance| acceptance_hash(one.unit.deal.0, one.unit.unit, one.claim_hash);
            let leaves: Vec<B256> = units.iter().map(leaf).collect();
            let digest = acceptances_digest(&domain, acceptances_root(&leaves));
            let hub_signature = signature_bytes(&hub.key.sign(digest));
            let units = units.iter().map(acceptance).collect();
            let accepted = Accepted {
                units,
                hub_signature,
            };
            self.send(hub_message::Body::Accepted(accepted)).await?;
        }
        Some(())
    }

    async fn assign(&mut self, units: Vec<(Arc<DealInfo>, u32, UnixSeconds)>) -> Option<()> {
        let mut page = Page::default();
        let mut lost = Vec::new();
        for (deal, unit, deadline) in units {
            match self.order(&deal, unit, deadline).await {
                Ok(mut order) => {
                    if self.told.insert(deal.id) {
                        order.terms = deal.terms.to_bytes().into();
                    }
                    page.add(order);
                }
                Err(error) => {
                    observe::retrying_deal("building a unit's order", deal.id, &error);
                    let unit = UnitRef {
                        deal: deal.id,
                        unit,
                    };
                    let _ = self.link.grants.take(unit);
                    lost.push((unit, Failure::ForNow));
                }
            }
            if page.is_full() {
                self.send(page.take()).await?;
            }
        }
        if !page.units.is_empty() {
            self.send(page.take()).await?;
        }
        self.give_back(lost).await
    }

    /// Units whose orders could not be built go back to the queue.
    async fn give_back(&self, units: Vec<(UnitRef, Failure)>) -> Option<()> {
        if units.is_empty() {
            return Some(());
        }
        let miner = self.link.caller.address;
        let reason = "the hub could not read the unit's bytes";
        let units = units.into_iter();
        let units = units.map(|(unit, failure)| (unit, failure, reason.to_owned()));
        let units = units.collect();
        let back = Command::Failures { miner, units };
        // When the hub stops, units that were not sent are queued again at the next start.
        self.link.hub.dispatcher.send(back).await.ok()
    }

    /// The order of one unit.
    async fn order(
        &self,
        deal: &Arc<DealInfo>,
        unit: u32,
        deadline: UnixSeconds,
    ) -> Result<UnitOrder, ContentError> {
        let leaf = &deal.leaves[unit as usize];
        let proof = deal.tree.proof(unit).unwrap_or_default();
        Ok(UnitOrder {
            deal_id: bytes(deal.id.0),
            unit,
            kind: leaf.kind as u32,
            module: Some(to_wire(deal.module)),
            input: Some(self.input(deal, unit, leaf.input_length).await?),
            input_root: bytes(leaf.input_root),
            input_length: leaf.input_length,
            program_root: bytes(leaf.program_root),
            cu_limit: leaf.cu_limit.0,
            pages_max: leaf.pages_max,
            output_max: leaf.output_max,
            unit_seed: bytes(leaf.unit_seed),
            clock_start: deal.terms.clock_start.0,
            deadline: deadline.0,
            net_price_per_pu: deal.net_price.0.units(),
            terms: bytes::Bytes::new(),
            job_proof: proof.into_iter().map(bytes).collect(),
        })
    }

    /// A unit's input: in the order when small, otherwise as a content that is kept as long as the unit may run.
    async fn input(
        &self,
        deal: &Arc<DealInfo>,
        unit: u32,
        length: u64,
    ) -> Result<unit_order::Input, ContentError> {
        let hub = &self.link.hub;
        if length <= INPUT_INLINE_MAX {
            return Ok(unit_order::Input::InputInline(image_of(deal, unit).into()));
        }
        let memory = hub.memory.take(length.saturating_mul(IMAGE_COPIES)).await;
        let _memory = memory.ok_or(ContentError::Busy)?;
        let shared = Arc::clone(deal);
        let image = blocking(move || image_of(&shared, unit));
        let until = hub.now().after(2 * hub.config().hub.unit_seconds);
        let kept = hub.contents.put(image.await?, until).await?;
        Ok(unit_order::Input::InputRef(to_wire(kept)))
    }
}

/// Just before a message leaves: what it says is on disk.
fn pass_fail_point(body: &hub_message::Body) {
    match body {
        hub_message::Body::Welcome(_) => {}
        hub_message::Body::Assign(_) => gio_failpoint::fail_point!("hub.tells.order"),
        hub_message::Body::Accepted(_) => gio_failpoint::fail_point!("hub.tells.acceptance"),
        hub_message::Body::Rejected(_) => gio_failpoint::fail_point!("hub.tells.rejection"),
        hub_message::Body::Cancel(_) => gio_failpoint::fail_point!("hub.tells.cancel"),
        hub_message::Body::Paid(_) => gio_failpoint::fail_point!("hub.tells.payment"),
    }
}

fn image_of(deal: &DealInfo, unit: u32) -> Vec<u8> {
    let image = deal.plan.input_image(unit);
    image.expect("every image was built once, for the leaves of the deal")
}

impl Page {
    fn add(&mut self, order: UnitOrder) {
        if let Some(unit_order::Input::InputInline(image)) = &order.input {
            self.bytes += image.len();
        }
        self.units.push(order);
    }

    fn is_full(&self) -> bool {
        self.units.len() >= ORDERS_PER_MESSAGE || self.bytes >= INPUT_BYTES_PER_MESSAGE
    }

    fn take(&mut self) -> hub_message::Body {
        let page = std::mem::take(self);
        hub_message::Body::Assign(Assign { units: page.units })
    }
}

fn acceptance(accepted: &Acceptance) -> UnitAcceptance {
    UnitAcceptance {
        deal_id: bytes(accepted.unit.deal.0),
        unit: accepted.unit.unit,
        net: accepted.net.units(),
        claim_hash: bytes(accepted.claim_hash),
    }
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
