//! The hub's progress messages as a queue that reconnects by itself. Only a convenience: the chain decides.

use std::time::Duration;

use gio_net::Net;
use gio_net::wire::DealProgress;
use gio_protocol::DealId;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::reach;
use crate::infra::hub::HubError;
use crate::job::HubContact;

/// Messages waiting to be shown; the hub waits beyond that.
const QUEUE: usize = 64;
/// Before calling a hub again that went away; doubled up to the second value.
const PAUSE_FIRST: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// What comes out of a feed.
#[derive(Debug)]
pub(super) enum FeedEvent {
    /// The hub said something.
    Progress(Box<DealProgress>),
    /// The hub went away; said once until it comes back.
    Silent,
}

/// A stream of progress messages; dropping it hangs up.
#[derive(Debug)]
pub(super) struct Feed {
    messages: mpsc::Receiver<FeedEvent>,
    _task: JoinSet<()>,
}

impl Feed {
    /// Begins to follow a deal from its first event.
    pub(super) fn start(net: Net, contact: HubContact, deal: DealId) -> Self {
        let (sender, messages) = mpsc::channel(QUEUE);
        let mut task = JoinSet::new();
        task.spawn(run(net, contact, deal, sender));
        Self {
            messages,
            _task: task,
        }
    }

    /// The next event. Pending while the hub is away; safe to cancel.
    pub(super) async fn next(&mut self) -> Option<FeedEvent> {
        self.messages.recv().await
    }
}

async fn run(net: Net, contact: HubContact, deal: DealId, sender: mpsc::Sender<FeedEvent>) {
    let mut after = 0;
    let mut pause = PAUSE_FIRST;
    let mut failures = 0u32;
    while !sender.is_closed() {
        let before = after;
        let followed = follow(&net, &contact, deal, &mut after, &sender).await;
        if after > before {
            (pause, failures) = (PAUSE_FIRST, 0);
        }
        if let Err(error) = followed {
            tracing::debug!(%deal, %error, "following the hub was interrupted");
            failures = failures.saturating_add(1);
            // A line that broke is usually back at once; the second failure in a row is silence.
            if failures == 2 {
                // If nobody listens any more, the loop ends.
                let _ = sender.send(FeedEvent::Silent).await;
            }
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Passes messages on until the stream ends.
async fn follow(
    net: &Net,
    contact: &HubContact,
    deal: DealId,
    after: &mut u64,
    sender: &mpsc::Sender<FeedEvent>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let hub = reach(net, contact).await?;
    let mut stream = hub.follow(deal, *after).await?;
    while let Some(message) = stream.message().await.map_err(HubError::from)? {
        *after = (*after).max(message.event_id);
        let event = FeedEvent::Progress(Box::new(message));
        if sender.send(event).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}
