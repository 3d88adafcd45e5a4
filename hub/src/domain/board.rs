//! The board: which miner has which unit. Pure: events in, effects out; `STATE.md` beside this file says which
//! transitions there are.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use gio_protocol::{Address, Cu, DealId, Gio, PricePerPu, UnixSeconds};

use super::deal::DealInfo;

/// How long a miner whose stream broke keeps its units: long enough for a reconnect with back-off.
pub const GRACE_SECONDS: u64 = 5;
/// A unit given out this often without a result is not given out again: it breaks machines.
pub const ATTEMPTS_MAX: u32 = 8;

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
    /// What it is owed already.
    pub unpaid: Gio,
}

/// What has to be done after a decision, in this order: write, then tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The unit is this miner's now.
    Assign {
        /// Who.
        miner: Address,
        /// Where to tell it.
        session: Session,
        /// What.
        unit: UnitRef,
    },
    /// The unit waits again.
    Requeue(UnitRef),
    /// The miner need not finish this unit.
    Cancel {
        /// Where to tell it.
        session: Session,
        /// What.
        unit: UnitRef,
    },
    /// Nothing is left to run: every unit is done, or no more can be paid or tried.
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
}

impl NotTaken {
    /// The words a miner reads.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::AlreadyDone => "the unit is done already",
            Self::NotAssigned => "the unit was not given to this miner",
            Self::NoDeal => "the deal is not being worked on",
        }
    }
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
    pub assigned: Vec<(u32, Address)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Queued,
    Running {
        miner: Address,
        deadline: UnixSeconds,
    },
    Done,
}

#[derive(Debug)]
struct DealWork {
    info: Arc<DealInfo>,
    states: Vec<State>,
    attempts: Vec<u32>,
    queue: VecDeque<u32>,
    running: u32,
    done: u32,
    cu_done: Cu,
    workers: BTreeSet<Address>,
    /// Units that went back to the queue and who may still be first with them.
    earlier: BTreeMap<u32, BTreeSet<Address>>,
    finished: bool,
}

#[derive(Debug)]
struct Miner {
    offer: Offer,
    running: BTreeMap<UnitRef, Gio>,
    unable: BTreeSet<UnitRef>,
    gone_since: Option<UnixSeconds>,
    draining: bool,
}

/// All deals being worked on and all miners that are or were just connected.
#[derive(Debug)]
pub struct Board {
    deals: BTreeMap<DealId, DealWork>,
    miners: BTreeMap<Address, Miner>,
    unit_seconds: u64,
}

impl Board {
    /// An empty board; a unit is given elsewhere after `unit_seconds`.
    #[must_use]
    pub fn new(unit_seconds: u64) -> Self {
        Self {
            deals: BTreeMap::new(),
            miners: BTreeMap::new(),
            unit_seconds,
        }
    }

    /// Takes up an open deal, with what is known of it from disk.
    pub fn open(
        &mut self,
        info: Arc<DealInfo>,
        restored: &Restored,
        now: UnixSeconds,
    ) -> Vec<Effect> {
        let mut deal = DealWork::new(info);
        for (unit, miner, cu) in &restored.done {
            deal.states[*unit as usize] = State::Done;
            deal.done += 1;
            deal.cu_done = Cu(deal.cu_done.0.saturating_add(cu.0));
            deal.workers.insert(*miner);
        }
        for (unit, miner) in &restored.assigned {
            let state = &mut deal.states[*unit as usize];
            if *state == State::Queued {
                *state = State::Running {
                    miner: *miner,
                    deadline: now.after(GRACE_SECONDS),
                };
                deal.attempts[*unit as usize] = 1;
                deal.running += 1;
                deal.workers.insert(*miner);
            }
        }
        let states = deal.states.iter().zip(0u32..);
        deal.queue = states
            .filter(|(state, _)| **state == State::Queued)
            .map(|(_, unit)| unit)
            .collect();
        self.deals.insert(deal.info.id, deal);
        self.fill(now)
    }

    /// Forgets a deal that is posted or over.
    pub fn close(&mut self, deal: DealId) -> Vec<Effect> {
        let Some(work) = self.deals.remove(&deal) else {
            return Vec::new();
        };
        let units = (0u32..)
            .zip(&work.states)
            .filter_map(|(unit, state)| match state {
                State::Running { miner, .. } => Some((UnitRef { deal, unit }, *miner)),
                State::Queued | State::Done => None,
            });
        units
            .filter_map(|(unit, miner)| self.release(miner, unit))
            .collect()
    }

    /// A miner connected, or came back.
    pub fn join(&mut self, miner: Address, offer: Offer, now: UnixSeconds) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (id, deal) in &mut self.deals {
            for unit in deal.running_of(miner) {
                let unit = UnitRef { deal: *id, unit };
                if !offer.holding.contains(&unit) {
                    deal.requeue(unit.unit, miner);
                    effects.push(Effect::Requeue(unit));
                }
            }
        }
        let deals = &self.deals;
        let running = deals.iter().flat_map(|(id, deal)| {
            deal.running_of(miner)
                .into_iter()
                .map(move |unit| (*id, deal, unit))
        });
        let running = running
            .map(|(id, deal, unit)| (UnitRef { deal: id, unit }, deal.exposure_of_unit()))
            .collect();
        let fresh = Miner {
            offer,
            running,
            unable: BTreeSet::new(),
            gone_since: None,
            draining: false,
        };
        self.miners.insert(miner, fresh);
        let deadline = now.after(self.unit_seconds);
        self.deals
            .values_mut()
            .for_each(|deal| deal.extend(miner, deadline));
        effects.extend(self.fill(now));
        effects
    }

    /// A miner's stream ended; its units stay its own for [`GRACE_SECONDS`].
    pub fn leave(&mut self, miner: Address, session: Session, now: UnixSeconds) {
        if let Some(found) = self
            .miners
            .get_mut(&miner)
            .filter(|found| found.offer.session == session)
        {
            found.gone_since = Some(now);
        }
    }

    /// A miner takes no more units.
    pub fn drain(&mut self, miner: Address) {
        if let Some(found) = self.miners.get_mut(&miner) {
            found.draining = true;
        }
    }

    /// A miner trusts this hub with another amount (R25).
    pub fn set_exposure(&mut self, miner: Address, limit: Gio, now: UnixSeconds) -> Vec<Effect> {
        if let Some(found) = self.miners.get_mut(&miner) {
            found.offer.exposure_limit = limit;
        }
        self.fill(now)
    }

    /// A miner was paid.
    pub fn paid(&mut self, miner: Address, net: Gio, now: UnixSeconds) -> Vec<Effect> {
        if let Some(found) = self.miners.get_mut(&miner) {
            found.offer.unpaid = found.offer.unpaid.minus_or_zero(net);
        }
        self.fill(now)
    }

    /// Whether a checked claim may be accepted now. Changes nothing.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub fn may_accept(&self, miner: Address, unit: UnitRef) -> Result<(), NotTaken> {
        let deal = self.deals.get(&unit.deal).ok_or(NotTaken::NoDeal)?;
        match deal.states.get(unit.unit as usize) {
            Some(State::Done) => Err(NotTaken::AlreadyDone),
            Some(State::Running { miner: running, .. }) if *running == miner => Ok(()),
            Some(_)
                if deal
                    .earlier
                    .get(&unit.unit)
                    .is_some_and(|earlier| earlier.contains(&miner)) =>
            {
                Ok(())
            }
            Some(_) | None => Err(NotTaken::NotAssigned),
        }
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
        self.may_accept(miner, unit)?;
        let deal = self.deals.get_mut(&unit.deal).ok_or(NotTaken::NoDeal)?;
        let before = std::mem::replace(&mut deal.states[unit.unit as usize], State::Done);
        match before {
            State::Running { .. } => deal.running -= 1,
            State::Queued | State::Done => deal.queue.retain(|queued| *queued != unit.unit),
        }
        deal.done += 1;
        deal.cu_done = Cu(deal.cu_done.0.saturating_add(cu.0));
        deal.earlier.remove(&unit.unit);
        let net = deal.info.net_price.cost(cu).unwrap_or_default();
        if let Some(found) = self.miners.get_mut(&miner) {
            found.running.remove(&unit);
            found.offer.unpaid = found.offer.unpaid.plus(net).unwrap_or(found.offer.unpaid);
        }
        Ok(match before {
            State::Running { miner: other, .. } if other != miner => {
                self.release(other, unit).into_iter().collect()
            }
            State::Running { .. } | State::Queued | State::Done => Vec::new(),
        })
    }

    /// A miner gives a unit back.
    pub fn fail(&mut self, miner: Address, unit: UnitRef, retryable: bool) -> Vec<Effect> {
        if let Some(found) = self.miners.get_mut(&miner) {
            found.running.remove(&unit);
            if !retryable {
                found.unable.insert(unit);
            }
        }
        let Some(deal) = self.deals.get_mut(&unit.deal) else {
            return Vec::new();
        };
        if !deal.runs(unit.unit, miner) {
            return Vec::new();
        }
        deal.requeue(unit.unit, miner);
        vec![Effect::Requeue(unit)]
    }

    /// Time passes: late units go elsewhere, absent miners are forgotten.
    pub fn tick(&mut self, now: UnixSeconds) -> Vec<Effect> {
        let gone = |miner: &Miner| {
            miner
                .gone_since
                .is_some_and(|since| now >= since.after(GRACE_SECONDS))
        };
        let absent: BTreeSet<Address> = self
            .miners
            .iter()
            .filter(|(_, miner)| gone(miner))
            .map(|(address, _)| *address)
            .collect();
        let mut late = Vec::new();
        for (id, deal) in &mut self.deals {
            for (unit, miner) in deal.overdue(now, &absent) {
                deal.requeue(unit, miner);
                late.push((UnitRef { deal: *id, unit }, miner));
            }
        }
        self.miners.retain(|address, _| !absent.contains(address));
        let mut effects: Vec<Effect> = late
            .iter()
            .map(|(unit, _)| Effect::Requeue(*unit))
            .collect();
        effects.extend(
            late.into_iter()
                .filter_map(|(unit, miner)| self.release(miner, unit)),
        );
        effects.extend(self.fill(now));
        effects
    }

    /// Gives out as many units as there are places, one miner after the other so that work spreads.
    pub fn fill(&mut self, now: UnixSeconds) -> Vec<Effect> {
        let mut effects = Vec::new();
        let deadline = now.after(self.unit_seconds);
        let mut hungry: Vec<Address> = self
            .miners
            .iter()
            .filter(|(_, miner)| miner.has_place())
            .map(|(address, _)| *address)
            .collect();
        while !hungry.is_empty() {
            hungry.retain(|address| {
                let miner = self
                    .miners
                    .get_mut(address)
                    .expect("hungry holds addresses of miners only");
                let taken = self
                    .deals
                    .values_mut()
                    .find_map(|deal| deal.take_for(*address, miner, deadline));
                let Some(unit) = taken else { return false };
                effects.push(Effect::Assign {
                    miner: *address,
                    session: miner.offer.session,
                    unit,
                });
                miner.has_place()
            });
        }
        for (id, deal) in &mut self.deals {
            if !deal.finished && deal.is_finished() {
                deal.finished = true;
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

    /// Miners that wait although units do, because the hub owes them too much: they want pay now.
    #[must_use]
    pub fn waiting_for_pay(&self) -> Vec<Address> {
        let queued: Vec<&DealWork> = self
            .deals
            .values()
            .filter(|deal| !deal.queue.is_empty())
            .collect();
        let blocked = |miner: &Miner| {
            miner.has_place()
                && miner.offer.unpaid > Gio::ZERO
                && queued.iter().any(|deal| !deal.within_exposure(miner))
        };
        self.miners
            .iter()
            .filter(|(_, miner)| blocked(miner))
            .map(|(address, _)| *address)
            .collect()
    }

    fn release(&mut self, miner: Address, unit: UnitRef) -> Option<Effect> {
        let found = self.miners.get_mut(&miner)?;
        found.running.remove(&unit)?;
        Some(Effect::Cancel {
            session: found.offer.session,
            unit,
        })
    }
}

impl Miner {
    fn has_place(&self) -> bool {
        !self.draining
            && self.gone_since.is_none()
            && self.running.len() < self.offer.places as usize
    }

    fn exposure(&self) -> Gio {
        let running = self
            .running
            .values()
            .fold(0u64, |sum, cost| sum.saturating_add(cost.units()));
        Gio::from_units(self.offer.unpaid.units().saturating_add(running))
    }
}

impl DealWork {
    fn new(info: Arc<DealInfo>) -> Self {
        let count = info.leaves.len();
        Self {
            info,
            states: vec![State::Queued; count],
            attempts: vec![0; count],
            queue: VecDeque::new(),
            running: 0,
            done: 0,
            cu_done: Cu(0),
            workers: BTreeSet::new(),
            earlier: BTreeMap::new(),
            finished: false,
        }
    }

    fn progress(&self) -> Progress {
        let total = u32::try_from(self.states.len()).unwrap_or(u32::MAX);
        Progress {
            total,
            queued: total - self.running - self.done,
            running: self.running,
            done: self.done,
            cu_done: self.cu_done,
            miners: u32::try_from(self.workers.len()).unwrap_or(u32::MAX),
        }
    }

    /// The next unit this miner may have, now its own.
    fn take_for(
        &mut self,
        address: Address,
        miner: &mut Miner,
        deadline: UnixSeconds,
    ) -> Option<UnitRef> {
        let bounds = self.info.plan.spec().bounds;
        let fits = self.info.net_price >= miner.offer.net_price_min
            && bounds.pages_max <= miner.offer.pages_max;
        if !fits || !self.within_exposure(miner) || !self.within_cap() {
            return None;
        }
        let id = self.info.id;
        let able = |unit: &u32| {
            !miner.unable.contains(&UnitRef {
                deal: id,
                unit: *unit,
            })
        };
        let at = self.queue.iter().position(able)?;
        let unit = self.queue.remove(at)?;
        self.states[unit as usize] = State::Running {
            miner: address,
            deadline,
        };
        self.attempts[unit as usize] += 1;
        self.running += 1;
        self.workers.insert(address);
        let unit = UnitRef { deal: id, unit };
        miner.running.insert(unit, self.exposure_of_unit());
        Some(unit)
    }

    /// What a running unit may come to owe its miner.
    fn exposure_of_unit(&self) -> Gio {
        self.info
            .net_price
            .cost(self.info.plan.spec().bounds.cu_limit)
            .unwrap_or(Gio::from_units(u64::MAX))
    }

    fn within_exposure(&self, miner: &Miner) -> bool {
        miner
            .exposure()
            .plus(self.exposure_of_unit())
            .is_ok_and(|total| total <= miner.offer.exposure_limit)
    }

    /// Whether the cap still covers one more unit at its limit, so that no accepted work goes unpaid.
    fn within_cap(&self) -> bool {
        let limit = u128::from(self.info.plan.spec().bounds.cu_limit.0);
        let cu = u128::from(self.cu_done.0) + (u128::from(self.running) + 1) * limit;
        let cost = u64::try_from(cu)
            .ok()
            .and_then(|cu| self.info.terms.price_per_pu.cost(Cu(cu)).ok());
        cost.is_some_and(|cost| cost <= self.info.terms.cap)
    }

    fn is_finished(&self) -> bool {
        let stuck = self.queue.is_empty() || !self.within_cap();
        self.running == 0 && stuck
    }

    fn runs(&self, unit: u32, miner: Address) -> bool {
        matches!(self.states.get(unit as usize), Some(State::Running { miner: running, .. }) if *running == miner)
    }

    fn running_of(&self, miner: Address) -> Vec<u32> {
        (0u32..)
            .zip(&self.states)
            .filter(|(unit, _)| self.runs(*unit, miner))
            .map(|(unit, _)| unit)
            .collect()
    }

    fn extend(&mut self, of: Address, until: UnixSeconds) {
        for state in &mut self.states {
            if let State::Running { miner, deadline } = state
                && *miner == of
            {
                *deadline = until;
            }
        }
    }

    fn overdue(&self, now: UnixSeconds, absent: &BTreeSet<Address>) -> Vec<(u32, Address)> {
        let late = |(unit, state): (u32, &State)| match state {
            State::Running { miner, deadline } if *deadline <= now || absent.contains(miner) => {
                Some((unit, *miner))
            }
            State::Running { .. } | State::Queued | State::Done => None,
        };
        (0u32..).zip(&self.states).filter_map(late).collect()
    }

    fn requeue(&mut self, unit: u32, miner: Address) {
        self.states[unit as usize] = State::Queued;
        self.running -= 1;
        self.earlier.entry(unit).or_default().insert(miner);
        if self.attempts[unit as usize] < ATTEMPTS_MAX {
            self.queue.push_back(unit);
        }
    }
}
