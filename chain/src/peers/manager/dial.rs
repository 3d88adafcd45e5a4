//! Whom to reach, and whom to give up.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tracing::debug;

use super::{ASK_AGAIN, BLOCK_TIME, HEADERS_TIME, Manager, PeerId, SAVE, Slot};
use crate::peers::PeersError;
use crate::peers::address_book::group;

/// Connections this node makes: enough that some are honest, few enough for those that listen.
const OUTBOUND_MAX: usize = 8;
/// Wait before a node chosen by hand is tried again: at first, and at most.
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// When a node chosen by hand is tried next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dial {
    next: Instant,
    wait: Duration,
}

impl Dial {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            next: now,
            wait: RETRY_FIRST,
        }
    }

    pub(super) fn answered(&mut self, now: Instant) {
        self.wait = RETRY_FIRST;
        self.next = now + self.wait;
    }

    pub(super) fn hurry(&mut self, now: Instant) {
        *self = Self::new(now);
    }

    fn tried(&mut self, now: Instant) {
        self.next = now + self.wait;
        self.wait = (self.wait * 2).min(RETRY_MAX);
    }
}

/// Whether an address is of this machine or beside it.
fn is_near(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private(),
        IpAddr::V6(v6) => v6.is_loopback(),
    }
}

impl Manager {
    /// Reaches out to a node, unless there is a connection to it.
    pub(super) fn dial(&mut self, address: SocketAddr) {
        let mut outbound = self.slots.values().filter(|slot| slot.outbound);
        if outbound.any(|slot| slot.address == address) || address == self.listening() {
            return;
        }
        let connection = self.slot(address, true);
        self.tasks.spawn(connection.dial());
    }

    fn reach_out(&mut self) {
        if !self.active {
            return;
        }
        let now = Instant::now();
        let due = self.manual.iter_mut().filter(|(_, dial)| dial.next <= now);
        let due: Vec<SocketAddr> = due
            .map(|(address, dial)| {
                dial.tried(now);
                *address
            })
            .collect();
        due.into_iter().for_each(|address| self.dial(address));
        let outbound = self.slots.values().filter(|slot| slot.outbound).count();
        if !self.settings.discover || outbound >= OUTBOUND_MAX {
            return;
        }
        let (clock, here) = (self.shared.now(), self.listening());
        let (slots, bans) = (&self.slots, &self.bans);
        // Two nodes of one neighbourhood are likely one owner's; on one machine all are.
        let reached = slots.values().filter(|slot| slot.outbound);
        let reached: BTreeSet<_> = reached.map(|slot| group(slot.address.ip())).collect();
        let connected = |address: &SocketAddr| {
            let mut slots = slots.values();
            slots.any(|slot| slot.address == *address)
                || bans.contains(address.ip(), clock)
                || *address == here
                || !is_near(address.ip()) && reached.contains(&group(address.ip()))
        };
        let candidate = self.book.candidate(clock, connected);
        if let Some(address) = candidate {
            self.book.trying(address, clock);
            self.dial(address);
        }
    }

    /// Dialling, telling of transactions, deadlines, and asking again.
    pub(super) async fn look_at_clock(&mut self) -> Result<(), PeersError> {
        self.reach_out();
        self.tell_transactions();
        let now = Instant::now();
        for slot in self.slots.values() {
            let Some(peer) = &slot.peer else { continue };
            let stalled = !peer.in_flight.is_empty() && now - peer.block_progress > BLOCK_TIME;
            let mute = peer
                .asked_headers
                .is_some_and(|asked| now - asked > HEADERS_TIME);
            if stalled || mute {
                debug!(address = %slot.address, stalled, mute, "a peer is too slow");
                slot.hang_up.cancel();
            }
        }
        let patience = self.settings.patience.block;
        let mut greeted = self.slots.values().filter_map(|slot| slot.peer.as_ref());
        if greeted.any(|peer| peer.holds_up(patience)) {
            self.fetch().await?;
        }
        if now - self.asked_again > ASK_AGAIN {
            self.asked_again = now;
            let is_idle = |slot: &Slot| {
                let peer = slot.peer.as_ref();
                peer.is_some_and(|peer| peer.presync.is_none() && peer.asked_headers.is_none())
            };
            let greeted = self.slots.iter().filter(|(_, slot)| is_idle(slot));
            let idle: Vec<PeerId> = greeted.map(|(id, _)| *id).collect();
            for id in idle {
                self.ask_headers(id, None).await?;
            }
        }
        if now - self.saved > SAVE {
            self.save_book();
        }
        Ok(())
    }
}
