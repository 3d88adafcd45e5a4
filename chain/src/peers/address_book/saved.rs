//! The book as a file keeps it.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::AddressBook;
use super::entry::{BUCKET, Entry, Group, HEARD_BUCKETS, MET_BUCKETS, Table};

/// More rows than the tables have places are not the book's.
const ROWS_MAX: usize = (HEARD_BUCKETS + MET_BUCKETS) as usize * BUCKET as usize;

/// One address.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Row {
    address: SocketAddr,
    table: Table,
    source: Group,
    seen: u64,
    answered: u64,
    tried: u64,
    failures: u32,
}

/// A book on its way to or from a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SavedBook {
    key: [u8; 32],
    addresses: Vec<Row>,
}

impl SavedBook {
    pub(crate) fn of(book: &AddressBook) -> Self {
        let row = |(address, entry): (&SocketAddr, &Entry)| Row {
            address: *address,
            table: entry.place.table,
            source: entry.source,
            seen: entry.seen,
            answered: entry.answered,
            tried: entry.tried,
            failures: entry.failures,
        };
        Self {
            key: book.key,
            addresses: book.entries.iter().map(row).collect(),
        }
    }

    /// The book again; what has no place in it is left out.
    pub(crate) fn open(self, local: bool, now: u64) -> AddressBook {
        let mut book = AddressBook::new(local, self.key);
        for row in self.addresses.into_iter().take(ROWS_MAX) {
            let mut entry = Entry::heard(row.source, row.seen.min(now));
            entry.answered = row.answered.min(now);
            entry.tried = row.tried.min(now);
            entry.failures = row.failures;
            if book.is_usable(&row.address) {
                book.settle(row.address, entry, row.table, now);
            }
        }
        book
    }
}
