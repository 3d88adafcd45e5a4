//! Following an open deal until the chain says that something happened, or that nothing did in time.

use std::time::Duration;

use gio_agent::UserError;
use gio_net::wire::{DealProgress, DealStage};
use gio_protocol::{Cu, bill};
use tokio::time::{MissedTickBehavior, interval};

use super::feed::{Feed, FeedEvent};
use super::{Driver, unix_ms};
use crate::domain::next::Action;
use crate::infra::progress::Units;
use crate::job::Moment;
use crate::session::local_now;

/// How often the chain is asked while the hub is listened to: the hub's word comes at once, this is for its silence.
const POLL: Duration = Duration::from_secs(1);

impl Driver<'_> {
    /// Returns when there is something else to do than to follow.
    pub(super) async fn follow(&mut self) -> Result<(), UserError> {
        self.progress.stage("waiting for miners");
        let deal = &self.dealt().deal;
        let mut feed = Feed::start(self.net.net.clone(), deal.hub.clone(), deal.id);
        let mut poll = interval(POLL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_silent = false;
        loop {
            let is_news = tokio::select! {
                Some(event) = feed.next() => self.heard(event)?,
                _ = poll.tick() => true,
            };
            if !is_news {
                continue;
            }
            match self.look().await {
                Ok(seen) if self.decide(&seen) == Action::Follow => is_silent = false,
                Ok(_) => return Ok(()),
                Err(error) if error.retryable => {
                    if !is_silent {
                        self.progress.note(format!("{}; still trying", error.cause));
                    }
                    is_silent = true;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn heard(&mut self, event: FeedEvent) -> Result<bool, UserError> {
        match event {
            FeedEvent::Progress(message) => self.show(&message),
            FeedEvent::Silent => {
                let due = self.dealt().deal.terms.deliver_by;
                let left = local_now().until(due);
                self.progress.note(format!(
                    "the hub does not answer; without a result the cap comes back in {left} s"
                ));
                Ok(false)
            }
        }
    }

    /// Shows a message; whether it is worth a look at the chain.
    fn show(&mut self, message: &DealProgress) -> Result<bool, UserError> {
        let stage = DealStage::try_from(message.stage).unwrap_or(DealStage::Unspecified);
        let is_running = message.units_running > 0 || message.units_done > 0;
        if is_running {
            self.reach_moment(Moment::Running, "running")?;
        }
        let terms = &self.dealt().deal.terms;
        let cu_done = Cu(message.cu_done);
        self.progress.units(Units {
            // A hub's first words may come before it has counted.
            total: message.units_total.max(terms.unit_count),
            running: message.units_running,
            done: message.units_done,
            cu_done,
            miners: message.miners,
            cost: bill(terms.cap, cu_done, terms.price_per_pu),
        });
        // After the counters, so that those of the last moment are seen with the stage they belong to.
        if stage >= DealStage::Assembling {
            self.reach_moment(Moment::Computed, "the hub puts the result together")?;
        }
        Ok(stage >= DealStage::Posted)
    }

    fn reach_moment(&mut self, moment: Moment, stage: &str) -> Result<(), UserError> {
        if self.job.moments.contains_key(&moment) {
            return Ok(());
        }
        self.progress.stage(stage);
        self.job.note(moment, unix_ms());
        self.save()
    }
}
