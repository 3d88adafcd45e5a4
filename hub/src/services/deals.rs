//! Carries every deal on: puts open ones on the board, posts results, settles, or gives the cap back.
//!
//! # Correctness
//! Each deal is its own task, so that one that waits for a transaction holds up no other. What to do is decided anew
//! from disk every time; a step that was done but not recorded finds out from the chain that it was, and is not done
//! twice.

mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gio_protocol::{DealId, UnixSeconds};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use self::steps::{Done, StepError, take};
use crate::domain::next::{DealView, POST_SECONDS, Step, next_step};
use crate::hub::Hub;
use crate::infra::observe;
use crate::infra::store::{DealRow, StoreError};
use crate::services::dispatch::{Command, Question};

/// How often deadlines are looked at when nothing wakes the loop.
const PULSE: Duration = Duration::from_secs(2);
/// Deals taken a step at once: as many transactions may be waiting to be mined.
const STEPS_MAX: usize = 32;
/// A deal whose step failed, or whose effect is still on its way through the chain, is left alone for so long.
const REST: Duration = Duration::from_secs(2);
/// A process without miners gives the deals on its board to others after this long: longer than a reconnect takes.
const ALONE: Duration = Duration::from_secs(10);
/// A deal whose contents cannot be read: somebody has to bring the disk back.
const REST_WITHOUT_CONTENTS: Duration = Duration::from_secs(30);

/// Runs until the hub stops.
pub(crate) async fn run(hub: Arc<Hub>) -> Result<(), StoreError> {
    let mut steward = Steward {
        hub: Arc::clone(&hub),
        steps: JoinSet::new(),
        busy: BTreeSet::new(),
        cancelled: BTreeMap::new(),
        resting: BTreeMap::new(),
        alone_since: None,
    };
    while !hub.stop.is_cancelled() {
        steward.look().await?;
        tokio::select! {
            () = hub.stop.cancelled() => {}
            Some(ended) = steward.steps.join_next() => {
                // A step that panicked has found the hub's memory or disk to be other than it can be.
                let (deal, step, result) = ended.unwrap_or_else(|error| resume_unwind(error.into_panic()));
                steward.note(deal, step, result)?;
            }
            _ = timeout(PULSE, hub.look_at_deals.notified()) => {}
        }
    }
    // A transaction under way is found again at the next start.
    steward.steps.shutdown().await;
    Ok(())
}

struct Steward {
    hub: Arc<Hub>,
    steps: JoinSet<(DealId, Step, Result<Done, StepError>)>,
    /// Deals with a step under way.
    busy: BTreeSet<DealId>,
    /// Deals whose buyers cancelled, and until when their claims are taken.
    cancelled: BTreeMap<DealId, UnixSeconds>,
    /// Steps that failed, or whose effect is still on its way, and until when they are not tried again.
    resting: BTreeMap<DealId, (Step, Instant)>,
    /// Since when no miner is connected here.
    alone_since: Option<Instant>,
}

impl Steward {
    /// Starts a step for every deal that needs one.
    async fn look(&mut self) -> Result<(), StoreError> {
        let now = Instant::now();
        if self.hub.store.is_shared() {
            self.share(now).await?;
        }
        self.resting.retain(|_, (_, until)| *until > now);
        let deals = self.hub.store.deals_to_carry(self.hub.now()).await?;
        let known: BTreeSet<DealId> = deals.iter().map(|deal| deal.id).collect();
        let on_board = &self.hub.notes.on_board;
        on_board.lock().retain(|deal| known.contains(deal));
        self.cancelled = self.hub.store.cancelled_until().await?;
        self.stop_cancelled().await;
        let now = self.time(&deals).await;
        for deal in deals {
            if self.steps.len() >= STEPS_MAX {
                break;
            }
            if self.busy.contains(&deal.id) {
                continue;
            }
            let step = next_step(&self.view(&deal), now);
            let resting = self.resting.get(&deal.id).map(|(resting, _)| *resting);
            if step != Step::Wait && resting != Some(step) {
                self.start(deal, step);
            }
        }
        Ok(())
    }

    /// The time deadlines are judged by. Block time of a chain without news lies back, and the machine's clock may be wrong:
    /// where the two lead to different steps, the node says which time the next block would have.
    async fn time(&self, deals: &[DealRow]) -> UnixSeconds {
        let (block, clock) = (self.hub.head.borrow().time, self.hub.now());
        let is_doubtful = |deal: &DealRow| {
            let view = self.view(deal);
            next_step(&view, block) != next_step(&view, clock)
        };
        if !deals.iter().any(is_doubtful) {
            return block;
        }
        match timeout(PULSE, self.hub.chain.next_time()).await {
            Ok(Ok(next)) => next.max(block),
            // Without the chain nothing could be posted or settled anyway.
            Ok(Err(_)) | Err(_) => block,
        }
    }

    /// Where several processes are one hub: deals are taken where their units can run, and given back where they cannot.
    async fn share(&mut self, now: Instant) -> Result<(), StoreError> {
        let has_miners = self.hub.notes.has_miners.load(Ordering::Relaxed);
        self.alone_since = match has_miners {
            true => None,
            false => self.alone_since.or(Some(now)),
        };
        if self.alone_since.is_some_and(|since| now - since >= ALONE) {
            let idle: Vec<DealId> = {
                let on_board = self.hub.notes.on_board.lock();
                on_board.difference(&self.busy).copied().collect()
            };
            for deal in idle {
                if !close(&self.hub, deal).await {
                    return Ok(());
                }
                self.hub.store.release_deal(deal).await?;
            }
        }
        let due_by = self.hub.now().after(POST_SECONDS);
        let taken = self.hub.store.take_deals(has_miners, due_by.0).await?;
        if taken > 0 {
            observe::deals_taken(taken);
        }
        Ok(())
    }

    /// A buyer may have told another process that it wants no more of a deal that is on the board here, or told this one
    /// while the deal was on its way there.
    async fn stop_cancelled(&self) {
        let cancelled: Vec<DealId> = {
            let on_board = self.hub.notes.on_board.lock();
            let cancelled = self.cancelled.keys();
            cancelled
                .filter(|deal| on_board.contains(deal))
                .copied()
                .collect()
        };
        for deal in cancelled {
            let (answer, _) = oneshot::channel();
            let question = Question::Stop(deal);
            // When the hub stops, nothing is given out any more anyway.
            let _ = self
                .hub
                .dispatcher
                .send(Command::Ask { question, answer })
                .await;
        }
    }

    fn view<'a>(&self, deal: &'a DealRow) -> DealView<'a> {
        DealView {
            stage: deal.stage,
            terms: &deal.terms,
            is_on_board: self.hub.notes.on_board.lock().contains(&deal.id),
            is_confirmed: deal.confirmation.is_some(),
            cancelled_until: self.cancelled.get(&deal.id).copied(),
            window_end: deal.posted.and_then(|posted| posted.window_end),
        }
    }

    fn start(&mut self, deal: DealRow, step: Step) {
        let hub = Arc::clone(&self.hub);
        self.busy.insert(deal.id);
        self.steps
            .spawn(async move { (deal.id, step, Box::pin(take(&hub, &deal, step)).await) });
    }

    fn note(
        &mut self,
        deal: DealId,
        step: Step,
        result: Result<Done, StepError>,
    ) -> Result<(), StoreError> {
        self.busy.remove(&deal);
        let mut rest = REST;
        match result {
            Ok(Done::Begun) => return Ok(()),
            Ok(Done::Sent) => {}
            Err(StepError::Store(error)) => return Err(error),
            Err(error) if error.is_too_early() => observe::too_early(step.name(), deal, &error),
            Err(error) => {
                observe::retrying_deal(step.name(), deal, &error);
                if error.is_for_good() {
                    rest = REST_WITHOUT_CONTENTS;
                    // Claims that wait for this deal wait no longer.
                    self.hub.has_come(deal);
                }
            }
        }
        self.resting.insert(deal, (step, Instant::now() + rest));
        Ok(())
    }
}

/// Takes a deal off the board. When this returns true, every claim of it that was accepted is on disk and none will be
/// accepted any more; false when the hub is stopping.
pub(crate) async fn close(hub: &Hub, deal: DealId) -> bool {
    let (done, closed) = oneshot::channel();
    let sent = hub.dispatcher.send(Command::Close { deal, done }).await;
    let is_closed = sent.is_ok() && closed.await.is_ok();
    if is_closed {
        hub.notes.on_board.lock().remove(&deal);
    }
    is_closed
}
