//! Where other nodes may be: a bounded book with as little trust in it as it deserves.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

/// Addresses kept: some hundred kilobytes.
const ENTRIES_MAX: usize = 4096;
/// Addresses kept of one neighbourhood (IPv4 /16, IPv6 /32), so that who owns one cannot fill the book.
const GROUP_MAX: usize = 64;
/// Addresses told to a peer that asks.
const TOLD_MAX: usize = 250;
/// After so many failures in a row without ever an answer an address is forgotten.
const FAILURES_MAX: u32 = 10;
/// The longest wait between two tries of an address, as a power of two of seconds: about seventeen minutes.
const BACKOFF_POWER_MAX: u32 = 10;

/// What is known of an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    /// When somebody saw it, Unix seconds.
    seen: u64,
    /// When it last answered us.
    answered: u64,
    /// When it was last tried.
    tried: u64,
    /// Tries since it last answered.
    failures: u32,
}

/// Addresses of nodes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct AddressBook {
    entries: BTreeMap<SocketAddr, Entry>,
    /// Whether loopback and private addresses are worth keeping: on a network of one machine.
    local: bool,
}

fn group(ip: IpAddr) -> [u8; 4] {
    match ip {
        IpAddr::V4(v4) => [v4.octets()[0], v4.octets()[1], 0, 4],
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.octets();
            [a, b, c, d]
        }
    }
}

fn is_routable(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            !(v4.is_loopback()
                || v4.is_private()
                || v4.is_link_local()
                || v4.is_unspecified()
                || v4.is_multicast()
                || v4.is_broadcast())
        }
        IpAddr::V6(v6) => {
            let unique_local = v6.segments()[0] & 0xfe00 == 0xfc00;
            let link_local = v6.segments()[0] & 0xffc0 == 0xfe80;
            !(v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || unique_local
                || link_local)
        }
    }
}

impl AddressBook {
    /// An empty book; `local` keeps addresses of this machine and its neighbours too.
    pub(crate) const fn new(local: bool) -> Self {
        Self {
            entries: BTreeMap::new(),
            local,
        }
    }

    /// How many addresses there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Somebody says there is a node. A time in the future counts as now.
    pub(crate) fn learn(&mut self, address: SocketAddr, seen: u64, now: u64) {
        let usable = self.local && !address.ip().is_unspecified() || is_routable(address.ip());
        if address.port() == 0 || !usable {
            return;
        }
        let seen = seen.min(now);
        if let Some(entry) = self.entries.get_mut(&address) {
            entry.seen = entry.seen.max(seen);
            return;
        }
        let mine = group(address.ip());
        let neighbours = self.entries.keys();
        let crowded = neighbours.filter(|known| group(known.ip()) == mine).count() >= GROUP_MAX;
        if crowded || self.entries.len() >= ENTRIES_MAX && !self.forget_worst() {
            return;
        }
        let entry = Entry {
            seen,
            ..Entry::default()
        };
        self.entries.insert(address, entry);
    }

    /// Makes room: an address that never answered leaves, the longest unseen first.
    fn forget_worst(&mut self) -> bool {
        let silent = self.entries.iter().filter(|(_, entry)| entry.answered == 0);
        let worst = silent
            .min_by_key(|(_, entry)| entry.seen)
            .map(|(at, _)| *at);
        worst.is_some_and(|worst| self.entries.remove(&worst).is_some())
    }

    /// A node answered at this address.
    pub(crate) fn answered(&mut self, address: SocketAddr, now: u64) {
        self.learn(address, now, now);
        if let Some(entry) = self.entries.get_mut(&address) {
            entry.answered = now;
            entry.seen = now;
            entry.failures = 0;
        }
    }

    /// This address is being tried. An answer is told by [`Self::answered`]; none is a failure.
    pub(crate) fn trying(&mut self, address: SocketAddr, now: u64) {
        if let Some(entry) = self.entries.get_mut(&address) {
            entry.tried = now;
            entry.failures += 1;
            if entry.failures > FAILURES_MAX && entry.answered == 0 {
                self.entries.remove(&address);
            }
        }
    }

    /// The best address to try now that is not among those `taken`; `salt` breaks ties.
    pub(crate) fn candidate(
        &self,
        now: u64,
        salt: u64,
        taken: impl Fn(&SocketAddr) -> bool,
    ) -> Option<SocketAddr> {
        let ready = self.entries.iter().filter(|(address, entry)| {
            let wait = 1u64 << entry.failures.min(BACKOFF_POWER_MAX);
            !taken(address) && (entry.failures == 0 || now >= entry.tried.saturating_add(wait))
        });
        let mix = |address: &SocketAddr| {
            let text = format!("{salt}{address}");
            gio_coin::sha256(text.as_bytes())
        };
        ready
            .min_by_key(|(address, entry)| (entry.failures, entry.answered == 0, mix(address)))
            .map(|(address, _)| *address)
    }

    /// Addresses for a peer that asks: those that answered or were seen last.
    pub(crate) fn told(&self) -> Vec<(SocketAddr, u64)> {
        let mut known: Vec<_> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.failures < 3)
            .map(|(address, entry)| (*address, entry.seen))
            .collect();
        known.sort_unstable_by_key(|(_, seen)| std::cmp::Reverse(*seen));
        known.truncate(TOLD_MAX);
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ip: [u8; 4]) -> SocketAddr {
        SocketAddr::from((ip, 23333))
    }

    #[test]
    fn one_neighbourhood_cannot_fill_the_book() {
        let mut book = AddressBook::new(false);
        for low in 0..=255 {
            book.learn(at([8, 8, low, low]), 5, 10);
        }
        assert_eq!(book.len(), GROUP_MAX);
        for high in 0..=255 {
            for low in 0..30 {
                book.learn(at([9, high, low, 1]), 5, 10);
            }
        }
        assert_eq!(book.len(), ENTRIES_MAX);
    }

    #[test]
    fn addresses_nobody_can_reach_are_not_kept() {
        let mut book = AddressBook::new(false);
        for ip in [
            [127, 0, 0, 1],
            [10, 1, 2, 3],
            [0, 0, 0, 0],
            [224, 0, 0, 1],
            [192, 168, 0, 1],
        ] {
            book.learn(at(ip), 5, 10);
        }
        book.learn("[fe80::1]:5".parse().unwrap(), 5, 10);
        book.learn("8.8.8.8:0".parse().unwrap(), 5, 10);
        assert_eq!(book.len(), 0);
        let mut local = AddressBook::new(true);
        local.learn(at([127, 0, 0, 1]), 5, 10);
        assert_eq!(local.len(), 1);
    }

    #[test]
    fn an_address_that_fails_waits_ever_longer_and_is_forgotten() {
        let mut book = AddressBook::new(false);
        book.learn(at([8, 8, 8, 8]), 5, 10);
        let mut now = 10;
        let mut waits = vec![];
        while book.len() == 1 {
            let begun = now;
            while book.candidate(now, 0, |_| false).is_none() {
                now += 1;
            }
            waits.push(now - begun);
            book.trying(at([8, 8, 8, 8]), now);
        }
        assert_eq!(waits, [0, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]);
    }

    #[test]
    fn who_answered_is_preferred_and_kept() {
        let mut book = AddressBook::new(false);
        let (good, other) = (at([8, 8, 8, 8]), at([9, 9, 9, 9]));
        book.learn(other, 5, 10);
        book.answered(good, 10);
        assert_eq!(book.candidate(11, 0, |_| false), Some(good));
        assert_eq!(book.candidate(11, 0, |taken| *taken == good), Some(other));
        for _ in 0..20 {
            book.trying(good, 11);
        }
        assert_eq!(book.len(), 2);
    }
}
