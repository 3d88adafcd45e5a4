//! The announcements a peer knows: bounded, one per owner, gone when they expire.
//!
//! Pure but for the channel it publishes to: time is an argument.

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy_primitives::Address;
use gio_protocol::UnixSeconds;
use thiserror::Error;
use tokio::sync::watch;

use crate::announcement::{ANNOUNCEMENT_SECONDS_MAX, VerifiedAnnouncement};

/// Hubs remembered at once: far more than a market has, and at most 16 MiB of envelopes.
pub(crate) const HUBS_MAX: usize = 1024;
/// Of these, the places of those known longest: a flood of new owners, who cost nothing, takes the others only.
const HUBS_KEPT: usize = HUBS_MAX / 2;
/// Announcements taken from one owner per window: a hub that changes its prices by the second is a flood.
const ANNOUNCEMENTS_PER_WINDOW: u32 = 10;
/// The window of that limit, in seconds.
const WINDOW_SECONDS: u64 = 10;

/// Every unexpired announcement a peer has verified, by owner. Cheap to clone.
pub type Announcements = Arc<Vec<Arc<VerifiedAnnouncement>>>;

/// Why a valid announcement was not taken. Nobody's fault: it is just not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotTaken {
    /// This or a later one of the owner is known.
    #[error("sequence {sequence} is not above {known}")]
    NotNewer {
        /// Of the announcement.
        sequence: u64,
        /// The highest known of this owner.
        known: u64,
    },
    /// The owner announces too often.
    #[error("the owner announces more than {ANNOUNCEMENTS_PER_WINDOW} times in {WINDOW_SECONDS} s")]
    TooOften,
}

/// What is known of one owner. Outlives the announcement, so that an older one cannot come back.
struct Entry {
    sequence: u64,
    announcement: Option<Arc<VerifiedAnnouncement>>,
    since: UnixSeconds,
    expires_at: UnixSeconds,
    window_start: UnixSeconds,
    taken_in_window: u32,
}

impl Entry {
    fn new(now: UnixSeconds) -> Self {
        Self {
            sequence: 0,
            announcement: None,
            since: now,
            expires_at: now,
            window_start: now,
            taken_in_window: 0,
        }
    }

    fn count(&mut self, now: UnixSeconds) -> Result<(), NotTaken> {
        if self.window_start.until(now) >= WINDOW_SECONDS {
            self.window_start = now;
            self.taken_in_window = 0;
        }
        if self.taken_in_window >= ANNOUNCEMENTS_PER_WINDOW {
            return Err(NotTaken::TooOften);
        }
        self.taken_in_window += 1;
        Ok(())
    }
}

/// The table and its published snapshot.
pub(crate) struct HubTable {
    entries: BTreeMap<Address, Entry>,
    snapshot: watch::Sender<Announcements>,
}

impl HubTable {
    pub(crate) fn new() -> Self {
        Self {
            entries: BTreeMap::new(),
            snapshot: watch::Sender::new(Announcements::default()),
        }
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Announcements> {
        self.snapshot.subscribe()
    }

    /// Takes an announcement if it is newer than what its owner said before.
    pub(crate) fn offer(
        &mut self,
        verified: VerifiedAnnouncement,
        now: UnixSeconds,
    ) -> Result<(), NotTaken> {
        let said = verified.announcement();
        let (owner, sequence, expires_at) = (said.owner, said.sequence, said.expires_at);
        if let Some(entry) = self.entries.get(&owner)
            && sequence <= entry.sequence
        {
            return Err(NotTaken::NotNewer {
                sequence,
                known: entry.sequence,
            });
        }
        self.make_room(owner);
        let entry = self.entries.entry(owner).or_insert_with(|| Entry::new(now));
        entry.count(now)?;
        entry.sequence = sequence;
        entry.expires_at = expires_at;
        entry.announcement = Some(Arc::new(verified));
        self.publish();
        Ok(())
    }

    /// Forgets what has expired, and after the longest lifetime also its sequence:
    /// an older announcement that could come back has expired by then.
    pub(crate) fn expire(&mut self, now: UnixSeconds) {
        let mut changed = false;
        self.entries.retain(|_, entry| {
            if entry.expires_at <= now && entry.announcement.take().is_some() {
                changed = true;
            }
            now < entry.expires_at.after(ANNOUNCEMENT_SECONDS_MAX)
        });
        if changed {
            self.publish();
        }
    }

    /// A newcomer displaces whoever is gone, or else whoever expires first of those that are not known longest: so a
    /// flood locks out neither those who come later nor those who were there before.
    fn make_room(&mut self, owner: Address) {
        if self.entries.len() < HUBS_MAX || self.entries.contains_key(&owner) {
            return;
        }
        let mut by_age: Vec<_> = self.entries.iter().collect();
        by_age.sort_by_key(|(_, entry)| (entry.announcement.is_none(), entry.since));
        let first = by_age[HUBS_KEPT..]
            .iter()
            .min_by_key(|(_, entry)| (entry.announcement.is_some(), entry.expires_at));
        if let Some(owner) = first.map(|(owner, _)| **owner) {
            self.entries.remove(&owner);
        }
    }

    fn publish(&self) {
        let known = self.entries.values();
        let known = known.filter_map(|entry| entry.announcement.clone());
        self.snapshot.send_replace(Arc::new(known.collect()));
    }
}

#[cfg(test)]
mod tests {
    use gio_keys::MachineKey;

    use super::*;
    use crate::announcement::{ANNOUNCEMENT_SECONDS, tests::announcement};

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

    fn key(number: u16) -> MachineKey {
        let mut bytes = [1; 32];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        MachineKey::from_bytes(&bytes).unwrap()
    }

    fn said(number: u16, sequence: u64, seconds: u64) -> VerifiedAnnouncement {
        let key = key(number);
        let mut said = announcement(&key, sequence);
        said.expires_at = NOW.after(seconds);
        VerifiedAnnouncement::verify(said.sign(&key), NOW).unwrap()
    }

    fn sequences(table: &HubTable) -> Vec<u64> {
        let known = table.subscribe().borrow().clone();
        known.iter().map(|v| v.announcement().sequence).collect()
    }

    #[test]
    fn only_a_growing_sequence_is_taken() {
        let mut table = HubTable::new();
        table.offer(said(1, 5, ANNOUNCEMENT_SECONDS), NOW).unwrap();
        for replayed in [4, 5] {
            let error = table
                .offer(said(1, replayed, ANNOUNCEMENT_SECONDS), NOW)
                .unwrap_err();
            assert!(matches!(error, NotTaken::NotNewer { known: 5, .. }));
        }
        table.offer(said(1, 6, ANNOUNCEMENT_SECONDS), NOW).unwrap();
        assert_eq!(sequences(&table), [6]);
    }

    #[test]
    fn a_replaced_announcement_does_not_outlive_its_successor() {
        let mut table = HubTable::new();
        let old = said(1, 1, ANNOUNCEMENT_SECONDS_MAX);
        table.offer(old.clone(), NOW).unwrap();
        table.offer(said(1, 2, 10), NOW).unwrap();
        table.expire(NOW.after(9));
        assert_eq!(sequences(&table), [2]);
        table.expire(NOW.after(10));
        assert!(sequences(&table).is_empty());
        assert!(table.offer(old, NOW.after(11)).is_err());
        table.expire(NOW.after(10 + ANNOUNCEMENT_SECONDS_MAX));
        assert!(table.entries.is_empty(), "nothing is remembered for ever");
    }

    #[test]
    fn an_owner_that_announces_without_end_is_slowed() {
        let mut table = HubTable::new();
        let taken = (1..=100)
            .filter(|n| table.offer(said(1, *n, ANNOUNCEMENT_SECONDS), NOW).is_ok())
            .count();
        assert_eq!(taken, ANNOUNCEMENTS_PER_WINDOW as usize);
        let later = NOW.after(WINDOW_SECONDS);
        table
            .offer(said(1, 101, ANNOUNCEMENT_SECONDS), later)
            .unwrap();
    }

    #[test]
    fn a_full_table_takes_newcomers() {
        let mut table = HubTable::new();
        let count = u16::try_from(HUBS_MAX).unwrap();
        for number in 0..count {
            table
                .offer(said(number, 1, 60 + u64::from(number) % 500), NOW)
                .unwrap();
        }
        table.offer(said(count, 7, 60), NOW).unwrap();
        assert_eq!(table.entries.len(), HUBS_MAX);
        assert!(sequences(&table).contains(&7));
    }

    #[test]
    fn a_flood_of_newcomers_displaces_nobody_who_was_there_before() {
        let mut table = HubTable::new();
        table.offer(said(0, 7, ANNOUNCEMENT_SECONDS), NOW).unwrap();
        let flood = u16::try_from(2 * HUBS_MAX).unwrap();
        let later = NOW.after(1);
        for number in 1..=flood {
            let newcomer = said(number, 1, ANNOUNCEMENT_SECONDS_MAX);
            table.offer(newcomer, later).unwrap();
        }
        assert_eq!(table.entries.len(), HUBS_MAX);
        assert!(sequences(&table).contains(&7));
        table.offer(said(flood + 1, 8, 60), later).unwrap();
        assert!(sequences(&table).contains(&8), "nor one who comes later");
    }
}
