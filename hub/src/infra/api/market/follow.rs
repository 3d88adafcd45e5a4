//! One caller of Follow: the stored events first, then live counters whenever they change, until the deal is over.

use std::sync::Arc;
use std::time::Duration;

use gio_net::wire::DealProgress;
use gio_net::wire::field::bytes;
use gio_protocol::DealId;
use tokio::sync::watch;
use tokio::time::timeout;
use tonic::Status;

use super::super::error::ApiError;
use super::stage_to_wire;
use crate::domain::board::Progress;
use crate::domain::stage::Stage;
use crate::hub::Hub;
use crate::infra::places::Place;
use crate::infra::store::{StageEvent, StoreError};

/// A follower hears at least this often, so that it notices a dead line.
const PULSE: Duration = Duration::from_secs(5);
/// And at most this often: as much as a person's eye takes in.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) struct Follower {
    hub: Arc<Hub>,
    id: DealId,
    after_event: u64,
    /// Events not told yet, the oldest last.
    pending: Vec<StageEvent>,
    changes: watch::Receiver<Progress>,
    stage: Stage,
    is_first: bool,
    _place: Place,
}

impl Follower {
    pub(super) fn new(hub: Arc<Hub>, id: DealId, after_event: u64, place: Place) -> Self {
        Self {
            changes: hub.progress.subscribe(id),
            hub,
            id,
            after_event,
            pending: Vec::new(),
            stage: Stage::Signed,
            is_first: true,
            _place: place,
        }
    }

    /// The next message; none after the one that says how the deal ended, and none when the hub stops.
    pub(super) async fn next(
        state: Option<Self>,
    ) -> Option<(Result<DealProgress, Status>, Option<Self>)> {
        let mut this = state?;
        if this.pending.is_empty() {
            let hub = Arc::clone(&this.hub);
            if let Err(error) = hub.unless_stopped(this.look()).await? {
                return Some((Err(ApiError::from(error).into()), None));
            }
        }
        let event = this.pending.pop();
        if let Some(event) = &event {
            this.after_event = event.id;
            this.stage = event.stage;
        }
        let message = this.message(event);
        let is_last = this.stage.is_final() && this.pending.is_empty();
        gio_failpoint::fail_point!("hub.answers.progress");
        Some((Ok(message), (!is_last).then_some(this)))
    }

    /// Waits for news, unless nothing was told yet, and looks at what the disk says.
    async fn look(&mut self) -> Result<(), StoreError> {
        if !std::mem::take(&mut self.is_first) {
            tokio::time::sleep(PAUSE).await;
            // The pulse and the change lead to the same: look again. The sender lives as long as this receiver.
            let _ = timeout(PULSE, self.changes.changed()).await;
        }
        // A caller that knows all events already still hears where the deal is.
        if let Some(deal) = self.hub.store.deal(self.id).await? {
            self.stage = deal.stage;
        }
        let events = self.hub.store.events(self.id, self.after_event).await?;
        self.pending = events.into_iter().rev().collect();
        Ok(())
    }

    fn message(&mut self, event: Option<StageEvent>) -> DealProgress {
        let progress = *self.changes.borrow_and_update();
        let now = self.hub.now();
        DealProgress {
            deal_id: bytes(self.id.0),
            stage: stage_to_wire(self.stage),
            units_total: progress.total,
            units_queued: progress.queued,
            units_running: progress.running,
            units_done: progress.done,
            cu_done: progress.cu_done.0,
            miners: progress.miners,
            at: event.as_ref().map_or(now.0, |event| event.at.0),
            event_id: event.as_ref().map_or(0, |event| event.id),
            message: event.map(|event| event.message).unwrap_or_default(),
        }
    }
}
