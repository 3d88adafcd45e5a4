//! One miner on the board: what it offers, what it has, and how much it is trusted with.

use std::collections::BTreeMap;

use gio_protocol::{Gio, PricePerPu, UnixSeconds, Work};

use super::{Failure, Offer, Session, UnitRef};

/// How long a miner whose stream broke keeps its units: long enough for a reconnect with back-off.
pub const GRACE_SECONDS: u64 = 5;
/// Units a newcomer gets at once. Each accepted claim allows one more, so an honest miner has all its places busy
/// after a few round trips, and a machine that never answers holds up no more than these.
pub const WINDOW_FIRST: u32 = 32;

#[derive(Debug)]
pub(super) struct Miner {
    pub(super) offer: Offer,
    /// What it has coming. `None` until the database was asked; it gets nothing until then.
    pub(super) owed: Option<Work>,
    pub(super) draining: bool,
    running: BTreeMap<UnitRef, Work>,
    /// Sum over `running`.
    reserved: Work,
    window: u32,
    /// Units in a row that brought nothing; others are asked first.
    misses: u32,
    gone_since: Option<UnixSeconds>,
}

impl Miner {
    /// A miner known only from disk, which may be about to come back.
    pub(super) fn absent(now: UnixSeconds) -> Self {
        let offer = Offer {
            session: Session(0),
            places: 0,
            net_price_min: PricePerPu::default(),
            exposure_limit: Gio::ZERO,
            pages_max: 0,
            holding: std::collections::BTreeSet::new(),
        };
        let mut miner = Self::joined(offer, None).0;
        miner.gone_since = Some(now);
        miner
    }

    /// A miner with a new session, and the units it had in the one before.
    pub(super) fn joined(offer: Offer, before: Option<Self>) -> (Self, BTreeMap<UnitRef, Work>) {
        let (window, misses, running) = before
            .map_or((WINDOW_FIRST, 0, BTreeMap::new()), |before| {
                (before.window, before.misses, before.running)
            });
        let fresh = Self {
            offer,
            owed: None,
            draining: false,
            running: BTreeMap::new(),
            reserved: Work::NONE,
            window,
            misses,
            gone_since: None,
        };
        (fresh, running)
    }

    pub(super) fn leave(&mut self, now: UnixSeconds) {
        self.gone_since = Some(now);
    }

    pub(super) fn is_absent(&self) -> bool {
        self.gone_since.is_some()
    }

    /// Whether it is away for longer than the grace.
    pub(super) fn is_gone(&self, now: UnixSeconds) -> bool {
        self.gone_since
            .is_some_and(|since| now >= since.after(GRACE_SECONDS))
    }

    /// Whether it is here and says that it does not have this unit.
    pub(super) fn has_dropped(&self, unit: UnitRef) -> bool {
        !self.is_absent() && !self.offer.holding.contains(&unit)
    }

    pub(super) fn has_place(&self) -> bool {
        let places = self.offer.places.min(self.window) as usize;
        !self.draining && !self.is_absent() && self.owed.is_some() && self.running.len() < places
    }

    /// Whether a unit of this cost keeps its unpaid work within what it allows (R25).
    pub(super) fn risks(&self, cost: Work) -> bool {
        let owed = self.owed.unwrap_or_default();
        owed.plus(self.reserved)
            .plus(cost)
            .is_within(self.offer.exposure_limit)
    }

    pub(super) fn runs(&self, unit: UnitRef) -> bool {
        self.running.contains_key(&unit)
    }

    pub(super) fn running(&self) -> impl Iterator<Item = UnitRef> {
        self.running.keys().copied()
    }

    pub(super) fn take(&mut self, unit: UnitRef, cost: Work) {
        if self.running.insert(unit, cost).is_none() {
            self.reserved = self.reserved.plus(cost);
        }
    }

    /// Returns whether it had the unit.
    pub(super) fn release(&mut self, unit: UnitRef) -> bool {
        let Some(cost) = self.running.remove(&unit) else {
            return false;
        };
        self.reserved = self.reserved.minus(cost);
        true
    }

    pub(super) fn earn(&mut self, earned: Work) {
        self.owed = self.owed.map(|owed| owed.plus(earned));
        self.window = self.window.saturating_add(1);
        self.misses = 0;
    }

    pub(super) fn misses(&self) -> u32 {
        self.misses
    }

    pub(super) fn shrink(&mut self, failure: Failure) {
        self.misses = self.misses.saturating_add(1);
        self.window = match failure {
            Failure::ForNow | Failure::ForEver => (self.window.min(self.offer.places) / 2).max(1),
            Failure::FalseClaim => 1,
        };
    }

    #[cfg(test)]
    pub(super) fn reserved(&self) -> Work {
        self.reserved
    }

    #[cfg(test)]
    pub(super) fn window(&self) -> u32 {
        self.window
    }
}
