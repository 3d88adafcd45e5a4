//! Places for what strangers may do at the same time: so many per peer, so many in all.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gio_protocol::Address;

/// Places of one kind. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Places {
    per_peer_max: usize,
    total_max: usize,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    per_peer: BTreeMap<Address, usize>,
    total: usize,
}

/// A place; given back when dropped.
#[derive(Debug)]
pub struct Place {
    places: Places,
    peer: Address,
}

impl Places {
    /// So many places per peer and in all.
    #[must_use]
    pub fn new(per_peer_max: usize, total_max: usize) -> Self {
        Self {
            per_peer_max,
            total_max,
            taken: Arc::default(),
        }
    }

    /// A place for this peer, if it and everybody else left one.
    #[must_use]
    pub fn take(&self, peer: Address) -> Option<Place> {
        let mut taken = self.lock();
        let own = taken.per_peer.get(&peer).copied().unwrap_or_default();
        if own >= self.per_peer_max || taken.total >= self.total_max {
            return None;
        }
        taken.per_peer.insert(peer, own + 1);
        taken.total += 1;
        Some(Place {
            places: self.clone(),
            peer,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        // No holder panics half-way through a change.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        taken.total -= 1;
        if let Some(own) = taken.per_peer.get_mut(&self.peer) {
            *own -= 1;
            if *own == 0 {
                taken.per_peer.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_per_peer_and_in_all_and_given_back() {
        let places = Places::new(2, 3);
        let peer = Address::repeat_byte;
        let first = places.take(peer(1)).unwrap();
        let second = places.take(peer(1)).unwrap();
        assert!(places.take(peer(1)).is_none(), "two per peer");
        let third = places.take(peer(2)).unwrap();
        assert!(places.take(peer(3)).is_none(), "three in all");
        drop(first);
        assert!(places.take(peer(3)).is_some());
        drop((second, third));
        assert!(places.lock().per_peer.is_empty());
        assert_eq!(places.lock().total, 0);
    }
}
