//! Where other nodes may be.
//!
//! Two tables: *heard* for addresses somebody told, *met* for those that answered. Each is cut into buckets, and a
//! secret hash says into which bucket, and where in it, an address goes.
//!
//! # Security
//! What one neighbourhood tells reaches a sixteenth of the heard buckets, and addresses of one neighbourhood a
//! sixteenth of the met ones; a bucket is drawn before an address. So whoever owns one network can fill its share of
//! the tables, and no more of the connections this node makes. Who has no room does not push out what is worth
//! keeping.

mod entry;
mod saved;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use entry::{Entry, Place, Table, is_routable};
pub(crate) use entry::{Group, group};
pub(crate) use saved::SavedBook;

/// Addresses told to a peer that asks.
const TOLD_MAX: usize = 250;
/// Who answered so long ago, in seconds, is not pushed out of the met table by somebody new.
const MET_RECENTLY: u64 = 4 * 3600;

/// Addresses of nodes.
#[derive(Clone, Debug)]
pub(crate) struct AddressBook {
    /// Nobody else knows into which bucket an address goes.
    key: [u8; 32],
    entries: BTreeMap<SocketAddr, Entry>,
    places: BTreeMap<Place, SocketAddr>,
    /// Candidates drawn so far: each draw differs.
    draws: u64,
    /// Whether loopback and private addresses are worth keeping: on a network of one machine.
    local: bool,
}

impl AddressBook {
    /// An empty book; `local` keeps addresses of this machine and its neighbours too.
    pub(crate) const fn new(local: bool, key: [u8; 32]) -> Self {
        Self {
            key,
            entries: BTreeMap::new(),
            places: BTreeMap::new(),
            draws: 0,
            local,
        }
    }

    fn is_usable(&self, address: &SocketAddr) -> bool {
        let ip = address.ip();
        let near = self.local && !ip.is_unspecified() && !ip.is_multicast();
        address.port() != 0 && (near || is_routable(ip))
    }

    /// `source` says there is a node. A time in the future counts as now.
    pub(crate) fn learn(&mut self, address: SocketAddr, source: IpAddr, seen: u64, now: u64) {
        if !self.is_usable(&address) {
            return;
        }
        let seen = seen.min(now);
        if let Some(entry) = self.entries.get_mut(&address) {
            entry.seen = entry.seen.max(seen);
            return;
        }
        let entry = Entry::heard(group(source), seen);
        self.settle(address, entry, Table::Heard, now);
    }

    /// Puts an address into a table, if there is room or the one in its place is not worth keeping.
    fn settle(&mut self, address: SocketAddr, mut entry: Entry, table: Table, now: u64) -> bool {
        let place = Place::of(&self.key, table, &address, &entry.source);
        if let Some(other) = self.places.get(&place).copied() {
            let is_free = self
                .entries
                .get(&other)
                .is_none_or(|it| it.is_hopeless(now));
            if !is_free {
                return false;
            }
            self.entries.remove(&other);
        }
        entry.place = place;
        self.places.insert(place, address);
        self.entries.insert(address, entry);
        true
    }

    fn take(&mut self, address: &SocketAddr) -> Option<Entry> {
        let entry = self.entries.remove(address)?;
        self.places.remove(&entry.place);
        Some(entry)
    }

    /// A node answered at this address: it moves to the met table. Who is there already and answered lately stays;
    /// else it goes back to where it was heard of.
    pub(crate) fn answered(&mut self, address: SocketAddr, now: u64) {
        if !self.is_usable(&address) {
            return;
        }
        let known = self.take(&address);
        let mut entry = known.unwrap_or_else(|| Entry::heard(group(address.ip()), now));
        (entry.answered, entry.seen, entry.failures) = (now, now, 0);
        let place = Place::of(&self.key, Table::Met, &address, &entry.source);
        if let Some(other) = self.places.get(&place).copied() {
            let lately = |it: &Entry| now.saturating_sub(it.answered) < MET_RECENTLY;
            if self.entries.get(&other).is_some_and(lately) {
                self.settle(address, entry, Table::Heard, now);
                return;
            }
            if let Some(old) = self.take(&other) {
                self.settle(other, old, Table::Heard, now);
            }
        }
        self.settle(address, entry, Table::Met, now);
    }

    /// This address is being tried. An answer is told by [`Self::answered`]; none is a failure.
    pub(crate) fn trying(&mut self, address: SocketAddr, now: u64) {
        let Some(entry) = self.entries.get_mut(&address) else {
            return;
        };
        entry.tried = now;
        entry.failures += 1;
        if entry.is_given_up() {
            self.take(&address);
        }
    }

    /// An address to try now that is not among those `taken`: from either table with the same chance, from any bucket
    /// of it with the same chance.
    pub(crate) fn candidate(
        &mut self,
        now: u64,
        taken: impl Fn(&SocketAddr) -> bool,
    ) -> Option<SocketAddr> {
        self.draws += 1;
        let draw = |what: &dyn std::fmt::Debug| {
            let text = format!("{:?}{}{what:?}", self.key, self.draws);
            gio_coin::sha256(text.as_bytes())
        };
        let is_ready = |address: &SocketAddr| {
            let entry = self.entries.get(address);
            entry.is_some_and(|entry| entry.is_ready(now)) && !taken(address)
        };
        let ready: Vec<(&Place, &SocketAddr)> = self
            .places
            .iter()
            .filter(|(_, address)| is_ready(address))
            .collect();
        let tables: BTreeSet<Table> = ready.iter().map(|(place, _)| place.table).collect();
        let table = tables.into_iter().min_by_key(|table| draw(table))?;
        let inside = ready.iter().filter(|(place, _)| place.table == table);
        let buckets: BTreeSet<u16> = inside.clone().map(|(place, _)| place.bucket).collect();
        let bucket = buckets.into_iter().min_by_key(|bucket| draw(bucket))?;
        let there = inside.filter(|(place, _)| place.bucket == bucket);
        there
            .map(|(_, address)| **address)
            .min_by_key(|address| draw(address))
    }

    /// Addresses for a peer that asks: those seen last, of all that are worth trying.
    pub(crate) fn told(&self, now: u64) -> Vec<(SocketAddr, u64)> {
        let good = self.entries.iter().filter(|(_, it)| !it.is_hopeless(now));
        let mut known: Vec<_> = good.map(|(address, it)| (*address, it.seen)).collect();
        known.sort_unstable_by_key(|(_, seen)| std::cmp::Reverse(*seen));
        known.truncate(TOLD_MAX);
        known
    }
}

#[cfg(test)]
mod tests;
