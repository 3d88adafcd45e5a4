//! What is known of one address, and where it goes.

use std::net::{IpAddr, SocketAddr};

use gio_coin::sha256;
use serde::{Deserialize, Serialize};

/// Buckets of the heard table, and how many of them what one neighbourhood tells can reach.
pub(super) const HEARD_BUCKETS: u16 = 256;
pub(super) const HEARD_PER_SOURCE: u16 = 16;
/// Buckets of the met table, and how many of them addresses of one neighbourhood can reach.
pub(super) const MET_BUCKETS: u16 = 64;
pub(super) const MET_PER_GROUP: u16 = 4;
/// Places of a bucket. All tables together keep 20,480 addresses: a few megabytes.
pub(super) const BUCKET: u16 = 64;
/// After so many failures in a row without ever an answer an address is forgotten.
pub(super) const FAILURES_MAX: u32 = 10;
/// After so many an address that never answered makes room.
const FAILURES_HOPELESS: u32 = 3;
/// Seconds after which an address nobody saw makes room: thirty days.
const UNSEEN_HOPELESS: u64 = 30 * 24 * 3600;
/// The longest wait between two tries of an address, as a power of two of seconds: about seventeen minutes.
const BACKOFF_POWER_MAX: u32 = 10;

/// A neighbourhood: IPv4 /16, IPv6 /32. Who owns one address of it likely owns others.
pub(crate) type Group = [u8; 5];

/// The neighbourhood of an address.
pub(crate) fn group(ip: IpAddr) -> Group {
    match ip.to_canonical() {
        IpAddr::V4(v4) => [4, v4.octets()[0], v4.octets()[1], 0, 0],
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.octets();
            [6, a, b, c, d]
        }
    }
}

/// Whether anybody could reach an address.
pub(super) fn is_routable(ip: IpAddr) -> bool {
    match ip.to_canonical() {
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

/// Which table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Table {
    Heard,
    Met,
}

/// Where an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) table: Table,
    pub(super) bucket: u16,
    slot: u16,
}

impl Place {
    const NOWHERE: Self = Self {
        table: Table::Heard,
        bucket: 0,
        slot: 0,
    };

    /// The one place an address told by a neighbourhood has in a table.
    pub(super) fn of(key: &[u8; 32], table: Table, address: &SocketAddr, source: &Group) -> Self {
        let text = address.to_string();
        let draw = |parts: &[&[u8]], below: u16| {
            let digest = sha256(&[&key[..], &parts.concat()].concat());
            u16::from_le_bytes([digest[0], digest[1]]) % below
        };
        let mine = group(address.ip());
        let bucket = match table {
            Table::Heard => {
                let within = draw(&[b"heard", source, &mine], HEARD_PER_SOURCE);
                draw(&[b"bucket", source, &within.to_le_bytes()], HEARD_BUCKETS)
            }
            Table::Met => {
                let within = draw(&[b"met", text.as_bytes()], MET_PER_GROUP);
                draw(&[b"bucket", &mine, &within.to_le_bytes()], MET_BUCKETS)
            }
        };
        let tag: &[u8] = if table == Table::Met { b"m" } else { b"h" };
        let slot = draw(&[tag, &bucket.to_le_bytes(), text.as_bytes()], BUCKET);
        Self {
            table,
            bucket,
            slot,
        }
    }
}

/// What is known of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The neighbourhood that told it.
    pub(super) source: Group,
    /// When somebody saw it, Unix seconds.
    pub(super) seen: u64,
    /// When it last answered us.
    pub(super) answered: u64,
    /// When it was last tried.
    pub(super) tried: u64,
    /// Tries since it last answered.
    pub(super) failures: u32,
    pub(super) place: Place,
}

impl Entry {
    pub(super) const fn heard(source: Group, seen: u64) -> Self {
        Self {
            source,
            seen,
            answered: 0,
            tried: 0,
            failures: 0,
            place: Place::NOWHERE,
        }
    }

    pub(super) const fn is_given_up(&self) -> bool {
        self.failures > FAILURES_MAX && self.answered == 0
    }

    /// Whether somebody else may have its place.
    pub(super) const fn is_hopeless(&self, now: u64) -> bool {
        let silent = self.answered == 0 && self.failures >= FAILURES_HOPELESS;
        silent || now.saturating_sub(self.seen) > UNSEEN_HOPELESS
    }

    /// Whether it waited long enough since it was last tried in vain.
    pub(super) fn is_ready(&self, now: u64) -> bool {
        let wait = 1u64 << self.failures.min(BACKOFF_POWER_MAX);
        self.failures == 0 || now >= self.tried.saturating_add(wait)
    }
}
