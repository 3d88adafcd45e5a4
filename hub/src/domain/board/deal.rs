//! One deal on the board: the state of each of its units.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use gio_protocol::{Address, Cu, UnixSeconds, Work};

use super::miner::Miner;
use super::{NotTaken, Progress};
use crate::domain::bonds::Bonds;
use crate::domain::deal::DealInfo;
use crate::domain::next::post_at;

/// Miners remembered per unit who had it before and may still be first with it.
pub const EARLIER_MAX: usize = 4;
/// A miner that says of this many units of a deal that it will never do them gets no more of that deal.
pub const NEVER_MAX: usize = 64;
/// Longest rest of a miner that gave units of a deal back: a rest doubles with each in a row, so that a miner with a
/// passing trouble loses seconds and one that refuses everything is asked once a minute.
pub const REST_SECONDS_MAX: u64 = 64;
/// Miners with troubles remembered per deal; older ones without refusals are forgotten first.
const TROUBLES_MAX: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Queued,
    Running {
        miner: Address,
        since: UnixSeconds,
        deadline: UnixSeconds,
    },
    Done,
}

#[derive(Debug)]
pub(super) struct DealWork {
    pub(super) info: Arc<DealInfo>,
    states: Vec<State>,
    /// Units in state `Running`.
    running: BTreeSet<u32>,
    /// Every queued unit once, and units that were accepted while they waited; those are skipped.
    queue: VecDeque<u32>,
    done: u32,
    cu_done: Cu,
    /// Seconds of the unit that took the fewest from its order to its claim.
    quickest: u64,
    workers: BTreeSet<Address>,
    /// Units that went back to the queue and who may still be first with them, the latest last.
    earlier: BTreeMap<u32, VecDeque<Address>>,
    troubles: BTreeMap<Address, Trouble>,
    finished: bool,
    /// The buyer cancelled (R10).
    stopped: bool,
}

/// What a miner has against this deal.
#[derive(Debug, Default)]
struct Trouble {
    never: BTreeSet<u32>,
    strikes: u32,
    until: UnixSeconds,
}

impl DealWork {
    pub(super) fn new(info: Arc<DealInfo>) -> Self {
        Self {
            states: vec![State::Queued; info.leaves.len()],
            info,
            running: BTreeSet::new(),
            queue: VecDeque::new(),
            done: 0,
            cu_done: Cu(0),
            quickest: u64::MAX,
            workers: BTreeSet::new(),
            earlier: BTreeMap::new(),
            troubles: BTreeMap::new(),
            finished: false,
            stopped: false,
        }
    }

    /* Taking up what is on disk */

    pub(super) fn restore_done(&mut self, unit: u32, miner: Address, cu: Cu) {
        if self.is_queued(unit) {
            self.states[unit as usize] = State::Done;
            self.count_done(miner, cu);
        }
    }

    /// Queues everything that is neither running nor done.
    pub(super) fn queue_rest(&mut self) {
        let states = (0u32..).zip(&self.states);
        self.queue = states
            .filter(|(_, state)| **state == State::Queued)
            .map(|(unit, _)| unit)
            .collect();
    }

    /* Questions */

    pub(super) fn is_queued(&self, unit: u32) -> bool {
        self.states.get(unit as usize) == Some(&State::Queued)
    }

    pub(super) fn runs(&self, unit: u32, by: Address) -> bool {
        self.runner(unit) == Some(by)
    }

    pub(super) fn running(&self) -> impl Iterator<Item = (u32, Address)> {
        self.running
            .iter()
            .filter_map(|unit| Some((*unit, self.runner(*unit)?)))
    }

    /// Whether a unit that went elsewhere was this miner's before, so that its claim still counts.
    pub(super) fn had(&self, unit: u32, miner: Address) -> bool {
        let is_done = self.states.get(unit as usize) == Some(&State::Done);
        let earlier = self.earlier.get(&unit);
        let has_refused = self
            .troubles
            .get(&miner)
            .is_some_and(|trouble| trouble.never.contains(&unit));
        !is_done && !has_refused && earlier.is_some_and(|earlier| earlier.contains(&miner))
    }

    pub(super) fn progress(&self) -> Progress {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Progress {
            total: count(self.states.len()),
            queued: count(self.queued()),
            running: count(self.running.len()),
            done: self.done,
            cu_done: self.cu_done,
            miners: count(self.workers.len()),
        }
    }

    /// What a running unit may come to owe its miner.
    pub(super) fn unit_cost(&self) -> Work {
        Work::of(self.info.plan.spec().bounds.cu_limit, self.info.net_price)
    }

    /// Whether a unit waits that the cap covers.
    pub(super) fn is_waiting(&self) -> bool {
        !self.stopped && self.queued() > 0 && self.covers(self.running.len() + 1, Cu(0))
    }

    /// Whether this miner takes units of this deal now, and may.
    pub(super) fn suits(
        &self,
        address: Address,
        miner: &Miner,
        bonds: &Bonds,
        now: UnixSeconds,
    ) -> bool {
        let trouble = self.troubles.get(&address);
        self.info.net_price >= miner.offer.net_price_min
            && self.info.plan.spec().bounds.pages_max <= miner.offer.pages_max
            && trouble.is_none_or(|trouble| trouble.until <= now && trouble.never.len() < NEVER_MAX)
            && bonds.cover(&self.info.terms, address)
            && self.has_time(now)
    }

    /// Whether a unit given out now may be done before what is done is posted, which nobody knows until the first is. A
    /// deal that is due leaves the board: on a deal that is still there, a clock that is beyond is wrong.
    fn has_time(&self, now: UnixSeconds) -> bool {
        let terms = &self.info.terms;
        let takes = if self.quickest == u64::MAX {
            0
        } else {
            self.quickest
        };
        now > terms.deliver_by || now.after(takes) < post_at(terms)
    }

    pub(super) fn may_accept(&self, unit: u32, miner: Address, cu: Cu) -> Result<(), NotTaken> {
        match self.states.get(unit as usize) {
            Some(State::Done) => Err(NotTaken::AlreadyDone),
            Some(State::Running { miner: running, .. }) if *running == miner => Ok(()),
            Some(State::Running { .. }) if self.had(unit, miner) => Ok(()),
            // The cap has room for the running ones; a late one needs room beside them.
            Some(State::Queued) if self.had(unit, miner) => {
                let covered = self.covers(self.running.len(), cu);
                covered.then_some(()).ok_or(NotTaken::CapReached)
            }
            Some(_) | None => Err(NotTaken::NotAssigned),
        }
    }

    /// Whether this miner gave units of this deal back a moment ago, or too many for good.
    pub(super) fn rests(&self, address: Address, now: UnixSeconds) -> bool {
        let trouble = self.troubles.get(&address);
        trouble.is_some_and(|trouble| trouble.until > now || trouble.never.len() >= NEVER_MAX)
    }

    /* Moves */

    /// Nothing is given out any more.
    pub(super) fn stop(&mut self) {
        self.stopped = true;
    }

    /// The next unit this miner may have; it stays queued until [`Self::start`].
    pub(super) fn next_for(&mut self, miner: Address) -> Option<u32> {
        while self
            .queue
            .front()
            .is_some_and(|unit| !self.is_queued(*unit))
        {
            self.queue.pop_front();
        }
        let never = self.troubles.get(&miner).map(|trouble| &trouble.never);
        let able =
            |unit: &u32| self.is_queued(*unit) && never.is_none_or(|never| !never.contains(unit));
        let at = self.queue.iter().position(able)?;
        self.queue.remove(at)
    }

    pub(super) fn start(
        &mut self,
        unit: u32,
        miner: Address,
        since: UnixSeconds,
        deadline: UnixSeconds,
    ) {
        self.states[unit as usize] = State::Running {
            miner,
            since,
            deadline,
        };
        self.running.insert(unit);
        self.workers.insert(miner);
    }

    pub(super) fn requeue(&mut self, unit: u32, miner: Address) {
        self.states[unit as usize] = State::Queued;
        self.running.remove(&unit);
        self.queue.push_back(unit);
        let earlier = self.earlier.entry(unit).or_default();
        earlier.retain(|other| *other != miner);
        earlier.push_back(miner);
        if earlier.len() > EARLIER_MAX {
            earlier.pop_front();
        }
    }

    /// A claim is accepted. Returns who was running the unit.
    pub(super) fn finish(
        &mut self,
        unit: u32,
        by: Address,
        cu: Cu,
        now: UnixSeconds,
    ) -> Option<Address> {
        let runner = self.runner(unit);
        if let Some(State::Running { miner, since, .. }) = self.states.get(unit as usize)
            && *miner == by
        {
            self.quickest = self.quickest.min(since.until(now));
        }
        self.states[unit as usize] = State::Done;
        self.running.remove(&unit);
        self.earlier.remove(&unit);
        self.count_done(by, cu);
        if let Some(trouble) = self.troubles.get_mut(&by) {
            trouble.strikes = 0;
        }
        runner
    }

    pub(super) fn strike(&mut self, miner: Address, now: UnixSeconds) {
        let trouble = self.troubles.entry(miner).or_default();
        let rest = (1u64 << trouble.strikes.min(10)).min(REST_SECONDS_MAX);
        trouble.strikes = trouble.strikes.saturating_add(1);
        trouble.until = now.after(rest);
    }

    pub(super) fn never(&mut self, unit: u32, miner: Address) {
        self.troubles.entry(miner).or_default().never.insert(unit);
    }

    pub(super) fn overdue(&self, now: UnixSeconds) -> Vec<(u32, Address)> {
        let late = |unit: &u32| match self.states[*unit as usize] {
            State::Running {
                miner, deadline, ..
            } if deadline <= now => Some((*unit, miner)),
            State::Running { .. } | State::Queued | State::Done => None,
        };
        self.running.iter().filter_map(late).collect()
    }

    /// Keeps the memory bounded whatever number of identities give units back.
    pub(super) fn forget_old_troubles(&mut self, now: UnixSeconds) {
        if self.troubles.len() <= TROUBLES_MAX {
            return;
        }
        self.troubles
            .retain(|_, trouble| trouble.until > now || !trouble.never.is_empty());
        while self.troubles.len() > TROUBLES_MAX {
            self.troubles.pop_first();
        }
    }

    /// Whether nothing is left to run; true once.
    pub(super) fn has_just_finished(&mut self) -> bool {
        let is_finished = self.running.is_empty() && !self.is_waiting();
        is_finished && !std::mem::replace(&mut self.finished, true)
    }

    fn queued(&self) -> usize {
        self.states.len() - self.running.len() - self.done as usize
    }

    fn runner(&self, unit: u32) -> Option<Address> {
        match self.states.get(unit as usize)? {
            State::Running { miner, .. } => Some(*miner),
            State::Queued | State::Done => None,
        }
    }

    fn count_done(&mut self, miner: Address, cu: Cu) {
        self.done += 1;
        self.cu_done = Cu(self.cu_done.0.saturating_add(cu.0));
        self.workers.insert(miner);
    }

    /// Whether the cap covers what is done, this many units at their limit and so much more, so that no accepted work
    /// goes unpaid.
    fn covers(&self, running: usize, more: Cu) -> bool {
        let limit = u128::from(self.info.plan.spec().bounds.cu_limit.0);
        let cu = u128::from(self.cu_done.0) + u128::from(more.0) + running as u128 * limit;
        let cost = u64::try_from(cu)
            .ok()
            .and_then(|cu| self.info.terms.price_per_pu.cost(Cu(cu)).ok());
        cost.is_some_and(|cost| cost <= self.info.terms.cap)
    }

    #[cfg(test)]
    pub(super) fn states(&self) -> &[State] {
        &self.states
    }

    #[cfg(test)]
    pub(super) fn queue(&self) -> Vec<u32> {
        let queued = self.queue.iter().copied();
        queued.filter(|unit| self.is_queued(*unit)).collect()
    }
}
