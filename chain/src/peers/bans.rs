//! What peers did wrong, what that costs, and who may not come back.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// At this score a peer is hung up on and banned.
pub(crate) const BAN_SCORE: u32 = 100;
/// How long: a day, as long as a period of the difficulty.
const BAN: Duration = Duration::from_secs(24 * 60 * 60);
/// Bans remembered; the earliest is forgotten for a new one.
const BANS_MAX: usize = 4096;

/// What a peer can do wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offence {
    /// Not this network's bytes: magic, checksum, length, form.
    BadMessage,
    /// Headers that do not follow each other or break a rule.
    BadHeaders,
    /// A header without its work.
    FakeWork,
    /// A branch that ends with too little work.
    LowWork,
    /// Headers nobody can place, again and again.
    Unconnected,
    /// A block that breaks a rule, or is not the one its header names.
    BadBlock,
    /// A block nobody asked for.
    UnaskedBlock,
    /// A transaction that can never be valid.
    BadTransaction,
    /// More of something than is allowed in the time.
    Flood,
}

impl Offence {
    /// What it adds to the peer's score.
    pub(crate) const fn score(self) -> u32 {
        match self {
            Self::BadMessage | Self::BadHeaders | Self::FakeWork | Self::BadBlock => BAN_SCORE,
            // An honest peer may be far behind, or fork, or relay for another: a few times.
            Self::LowWork | Self::Unconnected | Self::BadTransaction => 20,
            Self::UnaskedBlock | Self::Flood => 10,
        }
    }
}

/// Who may not come back, and until when.
#[derive(Debug, Default)]
pub(crate) struct Bans {
    until: BTreeMap<IpAddr, Instant>,
}

impl Bans {
    /// Bans an address for a day.
    pub(crate) fn add(&mut self, ip: IpAddr, now: Instant) {
        self.until.retain(|_, until| *until > now);
        if self.until.len() >= BANS_MAX {
            let earliest = self.until.iter().min_by_key(|(_, until)| **until);
            if let Some(ip) = earliest.map(|(ip, _)| *ip) {
                self.until.remove(&ip);
            }
        }
        self.until.insert(ip, now + BAN);
    }

    /// Whether an address is banned.
    pub(crate) fn contains(&self, ip: IpAddr, now: Instant) -> bool {
        self.until.get(&ip).is_some_and(|until| *until > now)
    }

    /// Those banned now.
    pub(crate) fn list(&self, now: Instant) -> Vec<IpAddr> {
        let banned = self.until.iter().filter(|(_, until)| **until > now);
        banned.map(|(ip, _)| *ip).collect()
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.until.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ban_ends_after_a_day_and_the_list_is_bounded() {
        let mut bans = Bans::default();
        let now = Instant::now();
        let ip = |at: usize| IpAddr::from(u32::try_from(at).unwrap().to_be_bytes());
        bans.add(ip(7), now);
        assert!(bans.contains(ip(7), now + BAN - Duration::from_secs(1)));
        assert!(!bans.contains(ip(7), now + BAN));
        let later = now + Duration::from_secs(1);
        (1000..1000 + BANS_MAX).for_each(|at| bans.add(ip(at), later));
        assert_eq!(bans.list(later).len(), BANS_MAX);
        assert!(
            !bans.contains(ip(7), later),
            "the earliest made room for the last"
        );
    }
}
