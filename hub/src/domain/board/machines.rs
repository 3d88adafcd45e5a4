//! Who could run a unit now, and why the others could not: what `plan` and `why` tell a buyer. And what went wrong
//! with units without anybody saying so.

use gio_protocol::{Address, DealId, PricePerPu, UnixSeconds, Work};

use super::deal::DealWork;
use super::miner::Miner;
use super::{Board, UnitRef};

/// The connected miners, each in exactly one count after `connected`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "market.proto says what each counts")]
pub struct Machines {
    pub connected: u32,
    pub ready: u32,
    pub busy: u32,
    pub memory_too_small: u32,
    pub pay_too_low: u32,
    pub waiting_for_pay: u32,
    pub resting: u32,
    pub draining: u32,
    pub bond_too_short: u32,
    /// The most pages any of them offers.
    pub pages_offered: u32,
    /// The least any of them wants for a PU.
    pub net_price_wanted: PricePerPu,
}

/// A unit that came back although nobody gave it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Which unit.
    pub unit: UnitRef,
    /// Who had it.
    pub miner: Address,
    /// What happened, for the buyer.
    pub reason: String,
}

impl Trouble {
    pub(super) fn late(unit: UnitRef, miner: Address, seconds: u64) -> Self {
        Self::new(unit, miner, format!("no result within {seconds} s"))
    }

    pub(super) fn gone(unit: UnitRef, miner: Address) -> Self {
        Self::new(unit, miner, "the miner went away")
    }

    pub(super) fn dropped(unit: UnitRef, miner: Address) -> Self {
        Self::new(unit, miner, "the miner came back without the unit")
    }

    fn new(unit: UnitRef, miner: Address, reason: impl Into<String>) -> Self {
        Self {
            unit,
            miner,
            reason: reason.into(),
        }
    }
}

/// What a unit asks of a miner.
struct Need<'a> {
    pages_max: u32,
    net_price: PricePerPu,
    deal: Option<&'a DealWork>,
}

impl Board {
    /// The miners for units of a deal on the board; `None` if it is not there.
    #[must_use]
    pub fn machines_for(&self, id: DealId, now: UnixSeconds) -> Option<Machines> {
        let deal = self.deals.get(&id)?;
        let need = Need {
            pages_max: deal.info.plan.spec().bounds.pages_max,
            net_price: deal.info.net_price,
            deal: Some(deal),
        };
        Some(self.count(&need, now))
    }

    /// The miners for units of such limits.
    #[must_use]
    pub fn machines(&self, pages_max: u32, net_price: PricePerPu, now: UnixSeconds) -> Machines {
        let need = Need {
            pages_max,
            net_price,
            deal: None,
        };
        self.count(&need, now)
    }

    /// What happened to units since the last call.
    pub fn take_troubles(&mut self) -> Vec<Trouble> {
        std::mem::take(&mut self.troubles)
    }

    /// Units that are with miners now, of all deals.
    #[must_use]
    pub fn units_running(&self) -> u64 {
        self.deals
            .values()
            .map(|deal| deal.running().count() as u64)
            .sum()
    }

    /// Units that wait, of all deals.
    #[must_use]
    pub fn units_queued(&self) -> u64 {
        self.deals
            .values()
            .map(|deal| u64::from(deal.progress().queued))
            .sum()
    }

    /// Deals on the board.
    #[must_use]
    pub fn deal_count(&self) -> u64 {
        self.deals.len() as u64
    }

    fn count(&self, need: &Need<'_>, now: UnixSeconds) -> Machines {
        let mut found = Machines::default();
        let here = self.miners.iter().filter(|(_, miner)| !miner.is_absent());
        for (address, miner) in here {
            let wanted = miner.offer.net_price_min;
            found.net_price_wanted = match found.connected {
                0 => wanted,
                _ => found.net_price_wanted.min(wanted),
            };
            found.pages_offered = found.pages_offered.max(miner.offer.pages_max);
            found.connected += 1;
            let is_covered = need
                .deal
                .is_none_or(|deal| self.bonds.cover(&deal.info.terms, *address));
            *found.slot(*address, miner, need, is_covered, now) += 1;
        }
        found
    }
}

impl Machines {
    /// Where this miner is counted: what cannot change first, what passes last.
    fn slot(
        &mut self,
        address: Address,
        miner: &Miner,
        need: &Need<'_>,
        is_covered: bool,
        now: UnixSeconds,
    ) -> &mut u32 {
        let cost = need.deal.map_or(Work::NONE, DealWork::unit_cost);
        if need.pages_max > miner.offer.pages_max {
            &mut self.memory_too_small
        } else if need.net_price < miner.offer.net_price_min {
            &mut self.pay_too_low
        } else if !is_covered {
            &mut self.bond_too_short
        } else if miner.draining {
            &mut self.draining
        } else if need.deal.is_some_and(|deal| deal.rests(address, now)) {
            &mut self.resting
        } else if !miner.has_place() {
            &mut self.busy
        } else if !miner.risks(cost) {
            &mut self.waiting_for_pay
        } else {
            &mut self.ready
        }
    }
}
