//! Announcements in and out: this node's own to whoever subscribes, those of others judged before they go on.

use std::time::Duration;

use libp2p::PeerId;
use libp2p::gossipsub::{self, MessageAcceptance, MessageId};
use prost::Message as _;
use tokio::time::Instant;
use tracing::debug;

use super::{Node, now};
use crate::announcement::VerifiedAnnouncement;
use crate::gossip::topic;
use crate::{NetStats, PublishError};

/// Between two sendings of the own announcement: a buyer's process that joins hears within this,
/// and a crowd that joins costs one sending per second.
const RESEND_INTERVAL: Duration = Duration::from_secs(1);

/// This node's own announcement.
#[derive(Default)]
pub(super) struct Own {
    announcement: Option<VerifiedAnnouncement>,
    sent: Option<Instant>,
    is_due: bool,
}

impl Own {
    fn has_rested(&self) -> bool {
        self.sent.is_none_or(|at| at.elapsed() >= RESEND_INTERVAL)
    }
}

impl Node {
    /// Replaces the own announcement and sends it.
    pub(super) fn announce(
        &mut self,
        announcement: VerifiedAnnouncement,
    ) -> Result<(), PublishError> {
        if announcement.peer() != *self.swarm.local_peer_id() {
            return Err(PublishError::NotOurs {
                owner: announcement.announcement().owner,
            });
        }
        self.hubs.offer(announcement.clone(), now())?;
        self.own.announcement = Some(announcement);
        self.send_own();
        Ok(())
    }

    /// Somebody subscribed who may not have heard it.
    pub(super) fn on_subscribed(&mut self) {
        self.own.is_due = true;
        self.announce_if_due();
    }

    /// Sends the own announcement again if somebody new is listening.
    pub(super) fn announce_if_due(&mut self) {
        if self.own.is_due && self.own.has_rested() {
            self.send_own();
        }
    }

    fn send_own(&mut self) {
        let Some(own) = &self.own.announcement else {
            return;
        };
        if own.announcement().expires_at <= now() {
            self.own.announcement = None;
            return;
        }
        let data = own.signed().encode_to_vec();
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        let result = gossip.publish(topic(), data);
        self.own.is_due = match result {
            // Whoever subscribes first makes it due.
            Err(gossipsub::PublishError::NoPeersSubscribedToTopic) => return,
            Ok(_) => false,
            Err(error) => {
                debug!(%error, "the announcement was not sent, trying again");
                true
            }
        };
        self.own.sent = Some(Instant::now());
    }

    /// Decides whether a gossip message is taken and passed on.
    ///
    /// A false one costs its bringer standing; an old or untimely one is dropped and nobody's fault.
    pub(super) fn judge(&mut self, from: PeerId, id: &MessageId, message: &gossipsub::Message) {
        let acceptance = self.acceptance(from, message);
        let counted = match acceptance {
            MessageAcceptance::Accept => |stats: &mut NetStats| stats.gossip_taken += 1,
            MessageAcceptance::Ignore => |stats: &mut NetStats| stats.gossip_ignored += 1,
            MessageAcceptance::Reject => |stats: &mut NetStats| stats.gossip_rejected += 1,
        };
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        gossip.report_message_validation_result(id, &from, acceptance);
        self.published.stats.send_modify(counted);
    }

    fn acceptance(&mut self, from: PeerId, message: &gossipsub::Message) -> MessageAcceptance {
        // Strict validation lets no message without an author through.
        let author = message.source.unwrap_or(from);
        let verified = VerifiedAnnouncement::verify_gossip(&message.data, author, now());
        match verified.map(|verified| self.hubs.offer(verified, now())) {
            Ok(Ok(())) => MessageAcceptance::Accept,
            Ok(Err(reason)) => {
                debug!(%author, %reason, "announcement not taken");
                MessageAcceptance::Ignore
            }
            Err(error) if error.is_untimely() => {
                debug!(%author, %error, "announcement ignored");
                MessageAcceptance::Ignore
            }
            Err(error) => {
                debug!(%author, %from, %error, "announcement rejected");
                MessageAcceptance::Reject
            }
        }
    }
}
