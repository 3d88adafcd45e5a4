//! What a buyer asks beside its money's way: which machines there are, why a deal is where it is, what is claimed so
//! far; and that no more of it be run.

use gio_net::call;
use gio_net::wire::{self, field};
use gio_protocol::{Address, Claim, DealId, Gio, PricePerPu, Signature, SignedClaim, UnixSeconds};

use super::{HubClient, HubError, deal_ref};
use crate::domain::machines::Machines;
use crate::output::printable;

/// Why a deal is where it is, in the hub's words.
#[derive(Clone, Debug)]
#[expect(
    missing_docs,
    reason = "the fields are those of ExplainReply in market.proto"
)]
pub struct Explanation {
    pub stage: wire::DealStage,
    pub message: String,
    pub at: UnixSeconds,
    pub units_total: u32,
    pub units_queued: u32,
    pub units_running: u32,
    pub units_done: u32,
    pub machines: Machines,
    pub troubles: Vec<UnitTrouble>,
    pub troubles_total: u32,
    pub cancel_until: Option<UnixSeconds>,
}

/// A unit that came back without a result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct UnitTrouble {
    pub unit: u32,
    pub miner: Address,
    pub reason: String,
    pub at: UnixSeconds,
}

/// What a hub says to a cancellation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Cancelled {
    pub until: UnixSeconds,
    pub units_running: u32,
    pub units_done: u32,
}

impl HubClient {
    /// How many of the hub's miners fit units of such limits.
    ///
    /// # Errors
    /// [`HubError`].
    pub async fn machines(&self, pages_max: u32) -> Result<Machines, HubError> {
        let request = call(wire::MachinesRequest { pages_max });
        let reply = self.market().machines(request).await?;
        gio_failpoint::fail_point!("buyer.asked.machines");
        Ok(machines(&reply.into_inner()))
    }

    /// Why a deal is where it is.
    ///
    /// # Errors
    /// [`HubError`].
    pub async fn explain(&self, deal: DealId) -> Result<Explanation, HubError> {
        let request = call(deal_ref(deal, None));
        let reply = self.market().explain(request).await?.into_inner();
        gio_failpoint::fail_point!("buyer.asked.explanation");
        let troubles = reply.troubles.iter().map(trouble);
        Ok(Explanation {
            stage: wire::DealStage::try_from(reply.stage).unwrap_or_default(),
            message: printable(&reply.message),
            at: UnixSeconds(reply.at),
            units_total: reply.units_total,
            units_queued: reply.units_queued,
            units_running: reply.units_running,
            units_done: reply.units_done,
            machines: machines(&reply.machines.unwrap_or_default()),
            troubles: troubles.collect::<Result<_, _>>()?,
            troubles_total: reply.troubles_total,
            cancel_until: (reply.cancel_until > 0).then_some(UnixSeconds(reply.cancel_until)),
        })
    }

    /// All claims the hub has accepted so far, not yet checked.
    ///
    /// # Errors
    /// [`HubError`].
    pub async fn claims(&self, deal: DealId) -> Result<Vec<SignedClaim>, HubError> {
        let mut all: Vec<SignedClaim> = Vec::new();
        loop {
            let after = all.last().map(|last| last.claim.unit);
            let request = call(wire::ClaimsRequest {
                deal_id: field::bytes(deal.0),
                from_unit: after.map_or(0, |unit| unit.saturating_add(1)),
            });
            let reply = self.market().claims(request).await?.into_inner();
            gio_failpoint::fail_point!("buyer.asked.claims");
            let page: Vec<SignedClaim> =
                reply.claims.iter().map(signed).collect::<Result<_, _>>()?;
            // A hub that repeats itself would keep us here for ever.
            let is_next = |claim: &SignedClaim| after.is_none_or(|after| claim.claim.unit > after);
            let page: Vec<_> = page.into_iter().filter(is_next).collect();
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    }

    /// Says that no more units are to be run (R10). `signature` is of a cancellation that pays nothing.
    ///
    /// # Errors
    /// [`HubError`]; a refusal if it is too late.
    pub async fn cancel(&self, deal: DealId, signature: &Signature) -> Result<Cancelled, HubError> {
        let request = call(wire::CancelRequest {
            deal_id: field::bytes(deal.0),
            signature: field::signature_bytes(signature),
        });
        let reply = self.market().cancel(request).await?.into_inner();
        gio_failpoint::fail_point!("buyer.told.cancellation");
        Ok(Cancelled {
            until: UnixSeconds(reply.until),
            units_running: reply.units_running,
            units_done: reply.units_done,
        })
    }
}

fn machines(found: &wire::MachinesReply) -> Machines {
    Machines {
        connected: found.connected,
        ready: found.ready,
        busy: found.busy,
        memory_too_small: found.memory_too_small,
        pay_too_low: found.pay_too_low,
        waiting_for_pay: found.waiting_for_pay,
        resting: found.resting,
        draining: found.draining,
        bond_too_short: found.bond_too_short,
        pages_offered: found.pages_offered,
        net_price: PricePerPu(Gio::from_units(found.net_price_per_pu)),
        net_price_wanted: PricePerPu(Gio::from_units(found.net_price_wanted)),
    }
}

fn trouble(trouble: &wire::UnitTrouble) -> Result<UnitTrouble, HubError> {
    Ok(UnitTrouble {
        unit: trouble.unit,
        miner: field::address("miner", &trouble.miner)?,
        reason: printable(&trouble.reason),
        at: UnixSeconds(trouble.at),
    })
}

fn signed(accepted: &wire::AcceptedClaim) -> Result<SignedClaim, HubError> {
    let malformed = |_| HubError::Missing("claim");
    Ok(SignedClaim {
        claim: Claim::from_bytes(&accepted.claim).map_err(malformed)?,
        signature: field::signature("signature", &accepted.signature)?,
    })
}
