//! The board: which miner has which unit. Pure: events in, effects out; `STATE.md` beside this file says which
//! transitions there are.
//!
//! # Correctness
//! Times are the machine's clock: how long a miner may take is between hub and miner, and must not stop when the
//! chain does. Only [`Board::fill`] gives units out.
//!
//! # Security
//! No number of miners can make a unit impossible to finish: a unit never runs out of attempts, whoever gives units
//! back rests, and a newcomer gets few units until it has shown results.

mod deal;
mod machines;
mod miner;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use gio_protocol::{Address, B256, Cu, DealId, Gio, PricePerPu, UnixSeconds, Work};

use self::deal::DealWork;
use self::miner::Miner;
use super::bonds::{Bonds, has_court};
use super::deal::DealInfo;

pub use self::deal::{EARLIER_MAX, NEVER_MAX, REST_SECONDS_MAX};
pub use self::machines::{Machines, Trouble};
pub use self::miner::{GRACE_SECONDS, WINDOW_FIRST};

/// One miner's connection; a reconnect is another session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Session(pub u64);

/// A unit by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub struct UnitRef {
    pub deal: DealId,
    pub unit: u32,
}

/// What a miner offers.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Offer {
    pub session: Session,
    /// Units it takes at once, running and queued together.
    pub places: u32,
    pub net_price_min: PricePerPu,
    pub exposure_limit: Gio,
    pub pages_max: u32,
    /// Orders it still has from an earlier session.
    pub holding: BTreeSet<UnitRef>,
}

/// What has to be done after a decision, in this order: write, then tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The unit is this miner's now.
    Assign {
        /// Who.
        miner: Address,
        /// What.
        unit: UnitRef,
        /// After this time it goes elsewhere.
        deadline: UnixSeconds,
    },
    /// The miner came back and may still deliver this unit; it has the order.
    Keep {
        /// Who.
        miner: Address,
        /// What.
        unit: UnitRef,
    },
    /// The unit waits again.
    Requeue(UnitRef),
    /// The miner need not finish this unit.
    Cancel {
        /// Who.
        miner: Address,
        /// What.
        unit: UnitRef,
    },
    /// Nothing is left to run: every unit is done, or the cap covers no more.
    Finished(DealId),
}

/// Why a valid claim is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// The unit's claim was accepted before; the same miner may be told so again.
    AlreadyDone,
    /// The unit was never given to this miner.
    NotAssigned,
    /// The deal is not being worked on.
    NoDeal,
    /// The claim came late, and what is left of the cap is reserved for units that are running.
    CapReached,
}

impl NotTaken {
    /// The words a miner reads.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::AlreadyDone => "the unit is done already",
            Self::NotAssigned => "the unit was not given to this miner",
            Self::NoDeal => "the deal is not being worked on",
            Self::CapReached => "the claim came late and the deal's cap covers no more",
        }
    }
}

/// Why a miner has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It may try again later.
    ForNow,
    /// It will fail again.
    ForEver,
    /// What it sent was false.
    FalseClaim,
}

/// Counters of one deal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Progress {
    pub total: u32,
    pub queued: u32,
    pub running: u32,
    pub done: u32,
    pub cu_done: Cu,
    pub miners: u32,
}

/// What a restart knows of a deal from disk.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Restored {
    pub done: Vec<(u32, Address, Cu)>,
    /// Unit, miner, and when it was given out.
    pub assigned: Vec<(u32, Address, UnixSeconds)>,
    /// The buyer cancelled: nothing is given out any more (R10).
    pub stopped: bool,
}

/// All deals being worked on and all miners that are or were just connected.
#[derive(Debug)]
pub struct Board {
    deals: BTreeMap<DealId, DealWork>,
    miners: BTreeMap<Address, Miner>,
    unit_seconds: u64,
    /// Of the miners here, while a deal with a court is on the board (R15).
    bonds: Bonds,
    /// The deal that was served last: the next unit is of the one after it, so that no deal waits for another.
    served: DealId,
    /// The miner that was served last, for the same reason.
    served_miner: Address,
    /// The time of the last look.
    clock: UnixSeconds,
    /// Units that came back without anybody saying why, until [`Self::take_troubles`].
    troubles: Vec<Trouble>,
}

impl Board {
    /// An empty board; a unit is given elsewhere after `unit_seconds`.
    #[must_use]
    pub fn new(unit_seconds: u64) -> Self {
        Self {
            deals: BTreeMap::new(),
            miners: BTreeMap::new(),
            unit_seconds,
            bonds: Bonds::default(),
            served: DealId(B256::ZERO),
            served_miner: Address::ZERO,
            clock: UnixSeconds(0),
            troubles: Vec::new(),
        }
    }

    /// Takes up an open deal, with what is known of it from disk. A deal that is on the board stays as it is.
    pub fn open(
        &mut self,
        info: Arc<DealInfo>,
        restored: &Restored,
        now: UnixSeconds,
    ) -> Vec<Effect> {
        let id = info.id;
        if self.deals.contains_key(&id) {
            return Vec::new();
        }
        let mut deal = DealWork::new(info);
        for (unit, miner, cu) in &restored.done {
            deal.restore_done(*unit, *miner, *cu);
        }
        let mut effects = Vec::new();
        for (unit, address, since) in &restored.assigned {
            let name = UnitRef {
                deal: id,
                unit: *unit,
            };
            let miner = self
                .miners
                .entry(*address)
                .or_insert_with(|| Miner::absent(now));
            if !deal.is_queued(*unit) || miner.has_dropped(name) {
                effects.push(Effect::Requeue(name));
                continue;
            }
            deal.start(*unit, *address, *since, since.after(self.unit_seconds));
            miner.take(name, deal.unit_cost());
            if !miner.is_absent() {
                effects.push(Effect::Keep {
                    miner: *address,
                    unit: name,
                });
            }
        }
        deal.queue_rest();
        if restored.stopped {
            deal.stop();
        }
        self.deals.insert(id, deal);
        effects
    }

    /// The buyer cancelled: no unit of the deal is given out any more; running ones go on (R10).
    pub fn stop(&mut self, id: DealId) {
        if let Some(deal) = self.deals.get_mut(&id) {
            deal.stop();
        }
    }

    /// Forgets a deal that is posted or over.
    pub fn close(&mut self, id: DealId) -> Vec<Effect> {
        let Some(deal) = self.deals.remove(&id) else {
            return Vec::new();
        };
        let running = deal
            .running()
            .map(|(unit, miner)| (UnitRef { deal: id, unit }, miner));
        running
            .filter_map(|(unit, miner)| self.release(miner, unit))
            .collect()
    }

    /// A miner connected, or came back. It gets units once [`Self::set_owed`] said what it has coming.
    pub fn join(&mut self, miner: Address, offer: Offer, now: UnixSeconds) -> Vec<Effect> {
        let (mut fresh, before) = Miner::joined(offer, self.miners.remove(&miner));
        let mut effects = Vec::new();
        let mut dropped = BTreeSet::new();
        for (unit, cost) in before {
            if fresh.offer.holding.contains(&unit) {
                fresh.take(unit, cost);
                effects.push(Effect::Keep { miner, unit });
            } else if let Some(deal) = self.deals.get_mut(&unit.deal) {
                deal.requeue(unit.unit, miner);
                self.troubles.push(Trouble::dropped(unit, miner));
                dropped.insert(unit.deal);
                effects.push(Effect::Requeue(unit));
            }
        }
        for deal in dropped {
            self.strike(miner, deal, now);
        }
        for unit in &fresh.offer.holding {
            if !fresh.runs(*unit) {
                effects.extend(self.left_over(miner, *unit));
            }
        }
        self.miners.insert(miner, fresh);
        effects
    }

    /// A miner's stream ended; its units stay its own for [`GRACE_SECONDS`].
    pub fn leave(&mut self, miner: Address, session: Session, now: UnixSeconds) {
        if let Some(found) = self
            .miners
            .get_mut(&miner)
            .filter(|found| found.offer.session == session)
        {
            found.leave(now);
        }
    }

    /// A miner takes no more units.
    pub fn drain(&mut self, miner: Address) {
        if let Some(found) = self.miners.get_mut(&miner) {
            found.draining = true;
        }
    }

    /// A miner trusts this hub with another amount (R25).
    pub fn set_exposure(&mut self, miner: Address, limit: Gio) {
        if let Some(found) = self.miners.get_mut(&miner) {
            found.offer.exposure_limit = limit;
        }
    }

    /// What the register says of the miners that [`Self::wanting_bonds`] named.
    pub fn set_bonds(&mut self, bonds: Bonds) {
        self.bonds = bonds;
    }

    /// The miners that are here, if any deal is open only to owners with a bond (R15).
    #[must_use]
    pub fn wanting_bonds(&self) -> BTreeSet<Address> {
        let mut deals = self.deals.values();
        if !deals.any(|deal| has_court(&deal.info.terms)) {
            return BTreeSet::new();
        }
        let here = self.miners.iter().filter(|(_, miner)| !miner.is_absent());
        here.map(|(address, _)| *address).collect()
    }

    /// What a miner has coming, from disk: after it joined and after it was paid.
    pub fn set_owed(&mut self, miner: Address, owed: Work) {
        if let Some(found) = self.miners.get_mut(&miner) {
            found.owed = Some(owed);
        }
    }

    /// Whether a checked claim may be accepted now. Changes nothing.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub fn may_accept(&self, miner: Address, unit: UnitRef, cu: Cu) -> Result<(), NotTaken> {
        let deal = self.deals.get(&unit.deal).ok_or(NotTaken::NoDeal)?;
        deal.may_accept(unit.unit, miner, cu)
    }

    /// A checked claim is accepted.
    ///
    /// # Errors
    /// [`NotTaken`], as [`Self::may_accept`] says.
    pub fn accept(
        &mut self,
        miner: Address,
        unit: UnitRef,
        cu: Cu,
    ) -> Result<Vec<Effect>, NotTaken> {
        self.may_accept(miner, unit, cu)?;
        let deal = self.deals.get_mut(&unit.deal).ok_or(NotTaken::NoDeal)?;
        let runner = deal.finish(unit.unit, miner, cu, self.clock);
        let earned = Work::of(cu, deal.info.net_price);
        if let Some(found) = self.miners.get_mut(&miner) {
            found.release(unit);
            found.earn(earned);
        }
        Ok(match runner.filter(|runner| *runner != miner) {
            Some(other) => self.release(other, unit).into_iter().collect(),
            None => Vec::new(),
        })
    }

    /// A miner gives a unit back, or sent a false claim of it. Of units it does not have, nothing is noted.
    pub fn fail(
        &mut self,
        miner: Address,
        unit: UnitRef,
        failure: Failure,
        now: UnixSeconds,
    ) -> Vec<Effect> {
        let Some(deal) = self.deals.get_mut(&unit.deal) else {
            return Vec::new();
        };
        if !deal.runs(unit.unit, miner) {
            return Vec::new();
        }
        deal.requeue(unit.unit, miner);
        if failure != Failure::ForNow {
            deal.never(unit.unit, miner);
        }
        deal.strike(miner, now);
        if let Some(found) = self.miners.get_mut(&miner) {
            found.release(unit);
            found.shrink(failure);
        }
        vec![Effect::Requeue(unit)]
    }

    /// Time passes: late units go elsewhere, absent miners are forgotten.
    pub fn tick(&mut self, now: UnixSeconds) -> Vec<Effect> {
        self.clock = now;
        let mut late = Vec::new();
        for (id, deal) in &mut self.deals {
            for (unit, miner) in deal.overdue(now) {
                deal.requeue(unit, miner);
                deal.strike(miner, now);
                late.push((UnitRef { deal: *id, unit }, miner));
            }
            deal.forget_old_troubles(now);
        }
        let mut effects: Vec<Effect> = late
            .iter()
            .map(|(unit, _)| Effect::Requeue(*unit))
            .collect();
        for (unit, miner) in late {
            self.troubles
                .push(Trouble::late(unit, miner, self.unit_seconds));
            if let Some(found) = self.miners.get_mut(&miner) {
                found.shrink(Failure::ForNow);
            }
            effects.extend(self.release(miner, unit));
        }
        effects.extend(self.forget_absent(now));
        effects
    }

    /// Gives out as many units as there are places, one miner and one deal after the other so that work spreads.
    pub fn fill(&mut self, now: UnixSeconds) -> Vec<Effect> {
        self.clock = now;
        let mut effects = Vec::new();
        let waiting = self.deals.iter().filter(|(_, deal)| deal.is_waiting());
        let mut waiting: BTreeSet<DealId> = waiting.map(|(id, _)| *id).collect();
        if !waiting.is_empty() {
            let mut hungry = self.hungry();
            while let Some(address) = hungry.pop_front() {
                if let Some(effect) = self.give(address, &mut waiting, now) {
                    effects.push(effect);
                    hungry.push_back(address);
                }
            }
        }
        for (id, deal) in &mut self.deals {
            if deal.has_just_finished() {
                effects.push(Effect::Finished(*id));
            }
        }
        effects
    }

    /// Counters of a deal being worked on.
    #[must_use]
    pub fn progress(&self, deal: DealId) -> Option<Progress> {
        self.deals.get(&deal).map(DealWork::progress)
    }

    /// A deal being worked on.
    #[must_use]
    pub fn deal(&self, id: DealId) -> Option<&Arc<DealInfo>> {
        self.deals.get(&id).map(|deal| &deal.info)
    }

    /// Miners that wait although units do, because the hub owes them too much: they want pay now.
    #[must_use]
    pub fn waiting_for_pay(&self, now: UnixSeconds) -> BTreeSet<Address> {
        let waiting: Vec<&DealWork> = self
            .deals
            .values()
            .filter(|deal| deal.is_waiting())
            .collect();
        if waiting.is_empty() {
            return BTreeSet::new();
        }
        let is_blocked = |(address, miner): &(&Address, &Miner)| {
            let is_blocked = |deal: &&DealWork| {
                deal.suits(**address, miner, &self.bonds, now) && !miner.risks(deal.unit_cost())
            };
            miner.has_place()
                && miner.owed.is_some_and(Work::is_payable)
                && waiting.iter().any(is_blocked)
        };
        let blocked = self.miners.iter().filter(is_blocked);
        blocked.map(|(address, _)| *address).collect()
    }

    /// Miners with a free place: those first that brought results lately, one after the other.
    fn hungry(&self) -> VecDeque<Address> {
        let after = self.miners.range((Excluded(self.served_miner), Unbounded));
        let all = after.chain(self.miners.range(..=self.served_miner));
        let mut hungry: Vec<_> = all.filter(|(_, miner)| miner.has_place()).collect();
        hungry.sort_by_key(|(_, miner)| miner.misses());
        hungry.into_iter().map(|(address, _)| *address).collect()
    }

    /// One unit for one miner.
    fn give(
        &mut self,
        address: Address,
        waiting: &mut BTreeSet<DealId>,
        now: UnixSeconds,
    ) -> Option<Effect> {
        let miner = self
            .miners
            .get_mut(&address)
            .filter(|miner| miner.has_place())?;
        let deadline = now.after(self.unit_seconds);
        let after = waiting.range((Excluded(self.served), Unbounded));
        let order: Vec<DealId> = after
            .chain(waiting.range(..=self.served))
            .copied()
            .collect();
        for id in order {
            let deal = self
                .deals
                .get_mut(&id)
                .expect("`waiting` holds ids of deals on the board");
            if !deal.suits(address, miner, &self.bonds, now) || !miner.risks(deal.unit_cost()) {
                continue;
            }
            let Some(unit) = deal.next_for(address) else {
                continue;
            };
            deal.start(unit, address, now, deadline);
            if !deal.is_waiting() {
                waiting.remove(&id);
            }
            let unit = UnitRef { deal: id, unit };
            miner.take(unit, deal.unit_cost());
            (self.served, self.served_miner) = (id, address);
            return Some(Effect::Assign {
                miner: address,
                unit,
                deadline,
            });
        }
        None
    }

    /// What becomes of an order a miner still has and that is not its own any more.
    fn left_over(&self, miner: Address, unit: UnitRef) -> Option<Effect> {
        // A deal that is not on the board may still be on its way there.
        let deal = self.deals.get(&unit.deal)?;
        Some(if deal.had(unit.unit, miner) {
            Effect::Keep { miner, unit }
        } else {
            Effect::Cancel { miner, unit }
        })
    }

    fn strike(&mut self, miner: Address, deal: DealId, now: UnixSeconds) {
        if let Some(deal) = self.deals.get_mut(&deal) {
            deal.strike(miner, now);
        }
    }

    fn forget_absent(&mut self, now: UnixSeconds) -> Vec<Effect> {
        let mut effects = Vec::new();
        let absent = self.miners.iter().filter(|(_, miner)| miner.is_gone(now));
        let absent: Vec<Address> = absent.map(|(address, _)| *address).collect();
        for address in absent {
            let Some(miner) = self.miners.remove(&address) else {
                continue;
            };
            for unit in miner.running() {
                if let Some(deal) = self.deals.get_mut(&unit.deal) {
                    deal.requeue(unit.unit, address);
                    self.troubles.push(Trouble::gone(unit, address));
                    effects.push(Effect::Requeue(unit));
                }
            }
        }
        effects
    }

    fn release(&mut self, miner: Address, unit: UnitRef) -> Option<Effect> {
        let found = self.miners.get_mut(&miner)?;
        found
            .release(unit)
            .then_some(Effect::Cancel { miner, unit })
    }
}
