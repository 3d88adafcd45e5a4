//! What peers did wrong, what that costs, and who may not come back.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// At this score a peer is hung up on and banned.
pub(crate) const BAN_SCORE: u32 = 100;
/// How long, in seconds: a day, as long as a period of the difficulty.
const BAN_SECONDS: u64 = 24 * 60 * 60;
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
    /// A message that takes a minute, either way.
    Slow,
    /// More of something than is allowed in the time.
    Flood,
}

impl Offence {
    /// What it adds to the peer's score.
    pub(crate) const fn score(self) -> u32 {
        match self {
            Self::BadMessage | Self::BadHeaders | Self::FakeWork | Self::BadBlock | Self::Slow => {
                BAN_SCORE
            }
            // An honest peer may be far behind, or fork, or relay for another: a few times.
            Self::LowWork | Self::Unconnected | Self::BadTransaction => 20,
            Self::UnaskedBlock | Self::Flood => 10,
        }
    }
}

/// The machine behind an address: an IPv4 address itself, the first of its /64 for an IPv6 one, because who has one of
/// these has all.
pub(crate) fn host(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => {
            let network = u128::from(v6) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(network))
        }
    }
}

/// Who may not come back, and until when in Unix seconds. Kept in a file: a ban outlives a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Bans {
    until: BTreeMap<IpAddr, u64>,
}

impl Bans {
    /// Bans from a file, as long as a ban of this program would last.
    pub(crate) fn from_file(bytes: &[u8], now: u64) -> Self {
        // A damaged list is worth no more than an empty one.
        let read: Self = serde_json::from_slice(bytes).unwrap_or_default();
        let mut bans = Self::default();
        let valid = read.until.into_iter().filter(|(_, until)| *until > now);
        for (ip, until) in valid.take(BANS_MAX) {
            let until = until.min(now + BAN_SECONDS);
            bans.until.insert(host(ip), until);
        }
        bans
    }

    /// Bans a host for a day.
    pub(crate) fn add(&mut self, ip: IpAddr, now: u64) {
        self.until.retain(|_, until| *until > now);
        if self.until.len() >= BANS_MAX {
            let earliest = self.until.iter().min_by_key(|(_, until)| **until);
            if let Some(ip) = earliest.map(|(ip, _)| *ip) {
                self.until.remove(&ip);
            }
        }
        self.until.insert(host(ip), now + BAN_SECONDS);
    }

    /// Whether the host of an address is banned.
    pub(crate) fn contains(&self, ip: IpAddr, now: u64) -> bool {
        let until = self.until.get(&host(ip));
        until.is_some_and(|until| *until > now)
    }

    /// Those banned now, and until when.
    pub(crate) fn list(&self, now: u64) -> Vec<(IpAddr, u64)> {
        let banned = self.until.iter().filter(|(_, until)| **until > now);
        banned.map(|(ip, until)| (*ip, *until)).collect()
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.until.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 2_000_000_000;

    fn ip(at: usize) -> IpAddr {
        IpAddr::from(u32::try_from(at).unwrap().to_be_bytes())
    }

    #[test]
    fn a_ban_ends_after_a_day_and_the_list_is_bounded() {
        let mut bans = Bans::default();
        bans.add(ip(7), NOW);
        assert!(bans.contains(ip(7), NOW + BAN_SECONDS - 1));
        assert!(!bans.contains(ip(7), NOW + BAN_SECONDS));
        (1000..1000 + BANS_MAX).for_each(|at| bans.add(ip(at), NOW + 1));
        assert_eq!(bans.list(NOW + 1).len(), BANS_MAX);
        assert!(
            !bans.contains(ip(7), NOW + 1),
            "the earliest made room for the last"
        );
    }

    #[test]
    fn a_ban_of_an_ipv6_address_is_one_of_its_network() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let mut bans = Bans::default();
        bans.add(ip("2001:db8:0:1::5"), NOW);
        assert!(bans.contains(ip("2001:db8:0:1:ffff::7"), NOW));
        assert!(!bans.contains(ip("2001:db8:0:2::5"), NOW));
        bans.add(ip("::ffff:20.1.0.7"), NOW);
        assert!(bans.contains(ip("20.1.0.7"), NOW));
        assert!(!bans.contains(ip("20.1.0.8"), NOW));
        assert_eq!(bans.list(NOW).len(), 2);
    }

    #[test]
    fn bans_come_back_from_their_file_with_what_is_left_of_their_day() {
        let mut bans = Bans::default();
        bans.add(ip(7), NOW);
        bans.add(ip(8), NOW + 100);
        let bytes = serde_json::to_vec(&bans).unwrap();
        assert_eq!(Bans::from_file(&bytes, NOW + 100), bans);
        let later = Bans::from_file(&bytes, NOW + BAN_SECONDS);
        assert_eq!(
            later.list(NOW + BAN_SECONDS),
            [(ip(8), NOW + 100 + BAN_SECONDS)]
        );
        // A clock that was ahead, or a file made by hand, bans nobody for years.
        let forged = Bans::from_file(&bytes, NOW - 1_000_000);
        assert_eq!(forged.list(NOW)[..], []);
        assert_eq!(Bans::from_file(b"garbage", NOW), Bans::default());
    }
}
