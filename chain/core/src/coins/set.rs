//! All unspent coins in memory: the model of every store, and a store for tests.

use std::collections::BTreeMap;

use gio_protocol::Gio;
use sha2::{Digest, Sha256};

use super::{ApplyError, Coin, CoinChanges, CoinView};
use crate::transaction::OutPoint;
use crate::wire::Sink;

/// All unspent coins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UtxoSet {
    coins: BTreeMap<OutPoint, Coin>,
}

impl CoinView for UtxoSet {
    fn coin(&self, point: &OutPoint) -> Option<&Coin> {
        self.coins.get(point)
    }
}

impl UtxoSet {
    /// No coins.
    #[must_use]
    pub const fn new() -> Self {
        let coins = BTreeMap::new();
        Self { coins }
    }

    /// Applies a list of changes, whole or not at all.
    ///
    /// # Errors
    /// [`ApplyError`] if the list is not for this set.
    pub fn apply(&mut self, changes: CoinChanges) -> Result<(), ApplyError> {
        let missing = changes
            .removed
            .iter()
            .find(|point| !self.coins.contains_key(point));
        if let Some(point) = missing {
            return Err(ApplyError::Missing(*point));
        }
        let exists = |(point, _): &&(OutPoint, Coin)| self.coins.contains_key(point);
        if let Some((point, _)) = changes.created.iter().find(exists) {
            return Err(ApplyError::Exists(*point));
        }
        for point in changes.removed {
            self.coins.remove(&point);
        }
        self.coins.extend(changes.created);
        Ok(())
    }

    /// How many coins there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.coins.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.coins.is_empty()
    }

    /// The coins, ordered by outpoint.
    pub fn iter(&self) -> impl Iterator<Item = (&OutPoint, &Coin)> {
        self.coins.iter()
    }

    /// What they are worth together.
    #[must_use]
    pub fn total(&self) -> Gio {
        let units = self.coins.values().map(|coin| coin.value.units()).sum();
        Gio::from_units(units)
    }

    /// SHA-256 over all coins in order: two sets are equal exactly if this is.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut engine = Sha256::new();
        for (point, coin) in &self.coins {
            point.write(&mut engine);
            coin.write(&mut engine);
        }
        engine.put(&(self.coins.len() as u64).to_le_bytes());
        engine.finalize().into()
    }
}
