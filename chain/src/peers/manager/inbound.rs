//! Who may come in, and who makes room when all places are taken.
//!
//! # Security
//! Places are never held for good: somebody new always gets one, and somebody of the neighbourhood that holds most
//! gives his up. Who takes many addresses of one network only pushes out himself. Peers that lately brought blocks
//! or transactions nobody had brought before stay: that cannot be had for nothing.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use tokio::net::TcpStream;
use tracing::{debug, warn};

use super::{Manager, PeerId};
use crate::peers::address_book::{Group, group};
use crate::peers::bans::host;

/// Connections that come to us.
const INBOUND_MAX: usize = 64;
/// Of these, how many from one host, so that one machine cannot take all.
const INBOUND_PER_HOST_MAX: usize = 16;
/// Connections that are being closed; with more of them nobody is let in before some are.
const LEAVING_MAX: usize = 64;
/// Peers that stay because they were the last to bring a new block.
const BLOCK_BRINGERS: usize = 8;
/// Peers that stay because they were the last to bring a new transaction.
const TX_BRINGERS: usize = 4;

/// A connection that came to us.
#[derive(Clone, Copy, Debug)]
struct Guest {
    /// Counts connections: the youngest has the highest.
    id: PeerId,
    group: Group,
    /// When it last brought a block that was not here.
    block: Option<Instant>,
    /// When it last brought a transaction that was not here.
    tx: Option<Instant>,
}

/// Who gives his place up: of the neighbourhood with the most connections the one that brought least, and of several
/// such the youngest.
fn who_leaves(mut guests: Vec<Guest>) -> Option<PeerId> {
    let mut sizes: BTreeMap<Group, usize> = BTreeMap::new();
    for guest in &guests {
        *sizes.entry(guest.group).or_default() += 1;
    }
    let stay = |guests: &mut Vec<Guest>, count, when: fn(&Guest) -> Option<Instant>| {
        guests.sort_by_key(|guest| std::cmp::Reverse(when(guest)));
        let bringers = guests.iter().filter(|guest| when(guest).is_some()).count();
        guests.drain(..bringers.min(count));
    };
    stay(&mut guests, BLOCK_BRINGERS, |guest| guest.block);
    stay(&mut guests, TX_BRINGERS, |guest| guest.tx);
    let leaves = guests.into_iter().max_by_key(|guest| {
        let brought = (guest.block, guest.tx);
        let size = sizes.get(&guest.group).copied();
        (size, std::cmp::Reverse(brought), guest.id)
    });
    leaves.map(|guest| guest.id)
}

impl Manager {
    /// Lets a connection in, unless it is banned or its host has many; somebody may have to leave for it.
    pub(super) fn welcome(&mut self, arrived: std::io::Result<(TcpStream, SocketAddr)>) {
        let (socket, address) = match arrived {
            Ok(arrived) => arrived,
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                return;
            }
        };
        if !self.active
            || self.bans.contains(address.ip(), self.shared.now())
            || !self.make_room(address)
        {
            debug!(%address, "a connection is refused");
            return;
        }
        let connection = self.slot(address, false);
        self.tasks.spawn(connection.run(socket, false));
    }

    /// Whether there is a place for somebody from this address, if need be because another leaves.
    fn make_room(&mut self, address: SocketAddr) -> bool {
        let mut guests = Vec::new();
        let (mut same, mut leaving) = (0, 0);
        for (id, slot) in self.slots.iter().filter(|(_, slot)| !slot.outbound) {
            if slot.hang_up.is_cancelled() {
                leaving += 1;
                continue;
            }
            same += usize::from(host(slot.address.ip()) == host(address.ip()));
            let peer = slot.peer.as_ref();
            guests.push(Guest {
                id: *id,
                group: group(slot.address.ip()),
                block: peer.and_then(|peer| peer.brought_block),
                tx: peer.and_then(|peer| peer.brought_tx),
            });
        }
        if same >= INBOUND_PER_HOST_MAX || leaving >= LEAVING_MAX {
            return false;
        }
        if guests.len() < INBOUND_MAX {
            return true;
        }
        let Some(slot) = who_leaves(guests).and_then(|id| self.slots.get(&id)) else {
            return false;
        };
        debug!(address = %slot.address, "a connection ends to make room");
        slot.hang_up.cancel();
        true
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use super::*;

    fn guest(id: PeerId, ip: &str) -> Guest {
        let ip: IpAddr = ip.parse().unwrap();
        let (block, tx) = (None, None);
        let group = group(ip);
        Guest {
            id,
            group,
            block,
            tx,
        }
    }

    #[test]
    fn the_youngest_of_the_largest_neighbourhood_leaves() {
        let crowd = (1..=9).map(|id| guest(id, "20.1.0.7"));
        let others = (10..=17).map(|id| guest(id, "20.2.0.7"));
        let alone = guest(18, "20.3.0.7");
        let guests = crowd.chain(others).chain([alone]).collect();
        assert_eq!(who_leaves(guests), Some(9));
        assert_eq!(who_leaves(vec![]), None);
    }

    #[test]
    fn addresses_of_one_network_are_one_neighbourhood() {
        let crowd = (1..=3).map(|id| guest(id, "2001:db8:1::1"));
        let crowd = crowd.chain([guest(4, "2001:db8:ffff::1")]);
        let others = (5..=7).map(|id| guest(id, "2001:db9::1"));
        assert_eq!(who_leaves(crowd.chain(others).collect()), Some(4));
    }

    #[test]
    fn whoever_brings_something_stays() {
        let now = Instant::now();
        let at = |seconds| Some(now + Duration::from_secs(seconds));
        let mut guests: Vec<Guest> = (1..=16).map(|id| guest(id, "20.1.0.7")).collect();
        // More than stay in any case bring blocks; the earliest of them is the least useful of these.
        for (seconds, guest) in (0..).zip(&mut guests[..9]) {
            guest.block = at(seconds);
        }
        guests[14].tx = at(1);
        guests[15].tx = at(2);
        assert_eq!(who_leaves(guests.clone()), Some(14));
        guests.drain(9..14);
        assert_eq!(who_leaves(guests.clone()), Some(1));
        guests.remove(0);
        assert_eq!(who_leaves(guests), None);
    }
}
