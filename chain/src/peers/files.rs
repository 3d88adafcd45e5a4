//! What the peers' part keeps between runs: useful, and worth no more than nothing when it is damaged.

use std::path::Path;

use gio_agent::files::{Access, write_durably};
use serde::Serialize;
use tracing::warn;

use super::address_book::{AddressBook, SavedBook};

/// The book of addresses; a damaged one is worth no more than an empty one.
pub(super) fn open_book(path: &Path, local: bool, now: u64) -> AddressBook {
    let text = std::fs::read(path).unwrap_or_default();
    match serde_json::from_slice::<SavedBook>(&text) {
        Ok(saved) => saved.open(local, now),
        Err(_) => AddressBook::new(local, gio_agent::random_word().0),
    }
}

/// Writes what is useful but not needed: a failure is told and no more.
pub(super) fn save(path: &Path, what: &impl Serialize) {
    let saved = serde_json::to_vec(what)
        .map_err(std::io::Error::from)
        .and_then(|bytes| write_durably(path, &bytes, Access::Public));
    if let Err(error) = saved {
        warn!(%error, path = %path.display(), "a file cannot be written");
    }
}
