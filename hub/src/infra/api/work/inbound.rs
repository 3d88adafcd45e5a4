//! What a miner says: results are checked here before the dispatcher hears of them.
//!
//! # Correctness
//! Only a check of the claim itself makes it false. When the hub cannot look at it, for want of memory or of its disk, the
//! claim waits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use gio_net::wire::field;
use gio_net::wire::{Done, Failed, MinerMessage, UnitDone, miner_message, unit_done};
use gio_protocol::{Claim, DealId, Gio, SignedClaim};
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout};
use tonic::Streaming;

use super::Link;
use crate::domain::board::{Failure, NotTaken, UnitRef};
use crate::domain::bonds::{UNCOVERED, has_court};
use crate::domain::claims::check_claim;
use crate::domain::deal::DealInfo;
use crate::domain::stage::Stage;
use crate::infra::content::ContentError;
use crate::infra::memory::Memory;
use crate::infra::observe;
use crate::infra::store::{AcceptedClaim, BLOB_BYTES_MAX, LEASE_SECONDS, StoreError};
use crate::services::dispatch::{Acceptance, Command, Outcome, ToMiner};

/// Results or failures in one message; more than a miner has places for is a flood.
const UNITS_PER_MESSAGE_MAX: usize = super::PLACES_MAX as usize;
/// How long results of a deal of an earlier run wait for it to be taken up again.
const COMING_WAIT: Duration = Duration::from_secs(120);
/// The same for a deal of another process that may have died: a lease, and a look at who has none.
const TAKE_WAIT: Duration = Duration::from_secs(LEASE_SECONDS.unsigned_abs() + 5);
/// Before a claim that nobody knows is called unknown.
const SECOND_LOOK: Duration = Duration::from_millis(200);
/// Copies of an output while it is checked: its words' tree, what is decoded, what is encoded again.
const OUTPUT_COPIES: u64 = 5;
/// Before the register of miners is asked again that gave no answer.
const BOND_PAUSE: Duration = Duration::from_secs(1);
/// How long the hub tries to look at a large output when it lacks the memory or cannot read: after that the session ends,
/// and the miner brings the claim again.
const LOAD_PATIENCE: Duration = Duration::from_secs(120);
/// Between two tries.
const LOAD_PAUSE: Duration = Duration::from_millis(500);
/// From the check of a large output to the note that its deal uses it.
const KEEP_SECONDS: u64 = 3600;

/// Reads a miner's messages until its session ends.
pub(super) async fn read(link: Link, mut inbound: Streaming<MinerMessage>) {
    let hub = Arc::clone(&link.hub);
    let over = link.over.clone();
    let messages = async {
        while let Ok(Some(MinerMessage { body: Some(body) })) = inbound.message().await {
            let Some(command) = link.command(body).await else {
                break;
            };
            if hub.dispatcher.send(command).await.is_err() {
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
    let leave = Command::Leave {
        miner: link.caller.address,
        session: link.session,
    };
    // The dispatcher may be gone already when the hub stops; there is nobody left to tell then.
    let _ = hub.dispatcher.send(leave).await;
}

/// A result whose unit is worth checking.
struct Candidate {
    unit: UnitRef,
    deal: Arc<DealInfo>,
    done: UnitDone,
}

/// Why an output cannot be checked.
enum NotLoaded {
    /// The claim is false, for this reason.
    False(String),
    /// It is the hub's own trouble, and no fault of the miner's.
    NotNow(NotNow),
}

#[derive(Debug, Error)]
enum NotNow {
    #[error(transparent)]
    Content(#[from] ContentError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("there is no memory for this output now")]
    Memory,
}

impl From<NotNow> for NotLoaded {
    fn from(error: NotNow) -> Self {
        Self::NotNow(error)
    }
}

impl Link {
    /// What a message asks of the dispatcher; `None` if it is no message of a miner's.
    async fn command(&self, body: miner_message::Body) -> Option<Command> {
        let miner = self.caller.address;
        Some(match body {
            miner_message::Body::Done(done) => Command::Results {
                miner,
                results: self.check(done).await?,
            },
            miner_message::Body::Failed(failed) => Command::Failures {
                miner,
                units: self.failures(&failed).await?,
            },
            miner_message::Body::Exposure(exposure) => Command::Exposure {
                miner,
                limit: Gio::from_units(exposure.limit),
            },
            miner_message::Body::Draining(_) => Command::Drain { miner },
            miner_message::Body::Hello(_) => return None,
        })
    }

    /// Units given back; those the miner does not have are not passed on.
    async fn failures(&self, failed: &Failed) -> Option<Vec<(UnitRef, Failure, String)>> {
        if failed.units.len() > UNITS_PER_MESSAGE_MAX {
            return None;
        }
        let mut units = Vec::new();
        for failure in &failed.units {
            let unit = UnitRef {
                deal: DealId(field::hash("deal_id", &failure.deal_id).ok()?),
                unit: failure.unit,
            };
            self.wait_for(unit.deal).await;
            if self.grants.take(unit).is_none() {
                continue;
            }
            let kind = if failure.retryable {
                Failure::ForNow
            } else {
                Failure::ForEver
            };
            units.push((unit, kind, failure.reason.clone()));
        }
        if let (Some(first), Some((unit, ..))) = (failed.units.first(), units.first()) {
            let count = units.len();
            observe::units_failed(self.caller.address, count, unit.deal, &first.reason);
        }
        Some(units)
    }

    /// Checks a batch of results away from the runtime's threads. The dispatcher hears only of units the miner was
    /// given.
    async fn check(&self, done: Done) -> Option<Vec<(UnitRef, Outcome)>> {
        if done.units.len() > UNITS_PER_MESSAGE_MAX {
            return None;
        }
        let (mut results, mut inline, mut others) = (Vec::new(), Vec::new(), Vec::new());
        let mut with_court = BTreeMap::new();
        for done in done.units {
            let unit = UnitRef {
                deal: DealId(field::hash("deal_id", &done.deal_id).ok()?),
                unit: done.unit,
            };
            self.wait_for(unit.deal).await;
            let Some(deal) = self.grants.take(unit) else {
                others.push(unit);
                continue;
            };
            if has_court(&deal.terms) {
                with_court.insert(unit, Arc::clone(&deal));
            }
            let candidate = Candidate { unit, deal, done };
            match &candidate.done.output {
                Some(unit_done::Output::OutputInline(_)) => inline.push(candidate),
                _ => results.push(self.check_large(candidate).await?),
            }
        }
        if !inline.is_empty() {
            results.extend(self.check_inline(inline).await?);
        }
        self.check_bonds(&with_court, &mut results).await;
        self.answer_others(others).await?;
        Some(results)
    }

    /// R15: of a deal with a court, no claim is countersigned that a bond does not answer for until its last game is over.
    /// After everything else, so that little time passes between the look at the register and the countersignature.
    async fn check_bonds(
        &self,
        with_court: &BTreeMap<UnitRef, Arc<DealInfo>>,
        results: &mut [(UnitRef, Outcome)],
    ) {
        for (unit, outcome) in results {
            let Some(deal) = with_court.get(unit) else {
                continue;
            };
            if matches!(outcome, Outcome::Valid(_)) && !self.is_covered(deal).await {
                *outcome = Outcome::Uncovered;
                let miner = self.caller.address;
                observe::claim_refused(miner, unit.deal, unit.unit, UNCOVERED);
            }
        }
    }

    /// Asks until the register answers, or the session ends: no claim is lost because the chain is silent.
    async fn is_covered(&self, deal: &DealInfo) -> bool {
        // Claims of this session name their own account, which `check_claim` has seen to.
        let owner = self.caller.address;
        loop {
            match self.hub.bonds([owner]).await {
                Ok(bonds) => return bonds.cover(&deal.terms, owner),
                Err(error) => observe::retrying_deal("reading a miner's bond", deal.id, &error),
            }
            tokio::time::sleep(BOND_PAUSE).await;
        }
    }

    /// Claims of units the miner does not have: sent again after a broken stream, and then the answer is the same as
    /// the first time, or not worth looking at.
    async fn answer_others(&self, units: Vec<UnitRef>) -> Option<()> {
        let mut unknown = self.answer_accepted(units).await?;
        if !unknown.is_empty() {
            // What the session before sent last may be accepted at this moment.
            sleep(SECOND_LOOK).await;
            unknown = self.answer_accepted(unknown).await?;
        }
        if unknown.is_empty() {
            return Some(());
        }
        let unknown = self.without_others(unknown).await?;
        let reason = NotTaken::NotAssigned.reason();
        let rejected = unknown.into_iter().map(|unit| (unit, reason.to_owned()));
        let rejected = ToMiner::Rejected(rejected.collect());
        self.to_miner.send(rejected).await.ok()
    }

    /// Says again which units were accepted. Returns the others.
    async fn answer_accepted(&self, units: Vec<UnitRef>) -> Option<Vec<UnitRef>> {
        let (mut accepted, mut unknown) = (Vec::new(), Vec::new());
        for unit in units {
            match self
                .hub
                .store
                .acceptance(unit, self.caller.address)
                .await
                .ok()?
            {
                Some((claim, price)) => accepted.push(Acceptance {
                    unit,
                    claim_hash: claim.struct_hash(),
                    net: price.cost(claim.cu).unwrap_or_default(),
                }),
                None => unknown.push(unit),
            }
        }
        if !accepted.is_empty() {
            self.to_miner.send(ToMiner::Accepted(accepted)).await.ok()?;
        }
        Some(unknown)
    }

    /// Units of deals that another process of this hub works on get no answer here: their miner sends them again to
    /// whichever has the deal then, or hears what became of them once the deal is over.
    async fn without_others(&self, units: Vec<UnitRef>) -> Option<Vec<UnitRef>> {
        if !self.hub.store.is_shared() {
            return Some(units);
        }
        let mut rest = Vec::new();
        for unit in units {
            let deal = self.hub.store.deal(unit.deal).await.ok()?;
            let is_under_way = |stage| matches!(stage, Stage::Open | Stage::Running);
            if !deal.is_some_and(|deal| is_under_way(deal.stage)) {
                rest.push(unit);
            }
        }
        Some(rest)
    }

    /// Deals of an earlier run are taken up one after the other; their miners may be back before that.
    async fn wait_for(&self, deal: DealId) {
        let mut coming = self.hub.notes.coming.subscribe();
        if !coming.borrow().contains(&deal) {
            return;
        }
        let longest = match self.hub.store.is_shared() {
            true => TAKE_WAIT,
            false => COMING_WAIT,
        };
        let has_come = |coming: &BTreeSet<DealId>| !coming.contains(&deal);
        if timeout(longest, coming.wait_for(has_come)).await.is_err() {
            self.hub.has_come(deal);
        }
    }

    async fn check_inline(&self, candidates: Vec<Candidate>) -> Option<Vec<(UnitRef, Outcome)>> {
        let link = self.clone();
        let work = move || {
            let check = |candidate: Candidate| {
                let output = match &candidate.done.output {
                    Some(unit_done::Output::OutputInline(bytes)) => bytes.to_vec(),
                    _ => Vec::new(),
                };
                link.outcome(&candidate, output)
            };
            candidates.into_iter().map(check).collect()
        };
        tokio::task::spawn_blocking(work).await.ok()
    }

    /// A result whose output was uploaded before: one at a time, with memory for it.
    async fn check_large(&self, candidate: Candidate) -> Option<(UnitRef, Outcome)> {
        let unit = candidate.unit;
        let patience = Instant::now() + LOAD_PATIENCE;
        let (output, memory) = loop {
            match self.load(&candidate).await {
                Ok(loaded) => break loaded,
                Err(NotLoaded::False(reason)) => return Some((unit, self.refused(unit, reason))),
                Err(NotLoaded::NotNow(error)) => {
                    observe::retrying("checking a large output", &error);
                }
            }
            if Instant::now() >= patience {
                return None;
            }
            sleep(LOAD_PAUSE).await;
        };
        let link = self.clone();
        let work = move || {
            let _memory = memory;
            link.outcome(&candidate, output)
        };
        tokio::task::spawn_blocking(work).await.ok()
    }

    async fn load(&self, candidate: &Candidate) -> Result<(Vec<u8>, Memory), NotLoaded> {
        let Some(unit_done::Output::OutputRef(content)) = &candidate.done.output else {
            return Err(NotLoaded::False("no output came".to_owned()));
        };
        let root = field::hash("root", &content.root)
            .map_err(|error| NotLoaded::False(error.to_string()))?;
        let lengths = self.hub.contents.lengths(&[root]).await;
        let lengths = lengths.map_err(NotNow::from)?;
        let Some(length) = lengths.get(&root).copied() else {
            return Err(NotLoaded::False(format!("content {root} is not here")));
        };
        let max = candidate.deal.plan.spec().bounds.output_max;
        if length > max {
            let reason = format!("{length} bytes of output, the unit allows {max}");
            return Err(NotLoaded::False(reason));
        }
        let until = self.hub.now().after(KEEP_SECONDS);
        let kept = self.hub.store.extend_content(root, until).await;
        kept.map_err(NotNow::from)?;
        let bytes = length.saturating_mul(OUTPUT_COPIES);
        let memory = self.hub.memory.take(bytes).await;
        let memory = memory.ok_or(NotNow::Memory)?;
        let output = self.hub.contents.get(root).await;
        Ok((output.map_err(NotNow::from)?, memory))
    }

    fn outcome(&self, candidate: &Candidate, output: Vec<u8>) -> (UnitRef, Outcome) {
        let outcome = match self.claim(candidate, output) {
            Ok(claim) => Outcome::Valid(Box::new(claim)),
            Err(reason) => self.refused(candidate.unit, reason),
        };
        (candidate.unit, outcome)
    }

    fn refused(&self, unit: UnitRef, reason: String) -> Outcome {
        observe::claim_refused(self.caller.address, unit.deal, unit.unit, &reason);
        Outcome::False(reason)
    }

    /// The claim, if it is true.
    fn claim(&self, candidate: &Candidate, output: Vec<u8>) -> Result<AcceptedClaim, String> {
        let Candidate { unit, deal, done } = candidate;
        let claim = Claim::from_bytes(&done.claim).map_err(|error| error.to_string())?;
        let signature =
            field::signature("signature", &done.signature).map_err(|error| error.to_string())?;
        if claim.deal_id != unit.deal || claim.unit != unit.unit {
            return Err("the claim is of another unit".to_owned());
        }
        let miner = &self.caller.public_key;
        let checked = check_claim(deal, &claim, &signature, miner, &output);
        let claim_hash = checked.map_err(|error| error.to_string())?;
        let is_small = output.len() <= BLOB_BYTES_MAX;
        Ok(AcceptedClaim {
            claim_hash,
            output: is_small.then_some(output),
            signed: SignedClaim { claim, signature },
        })
    }
}
