//! The book of one hub: which of its orders this miner has, in which state, and what they may cost. Pure: events in,
//! what to do out. `STATE.md` beside this file lists states and transitions.
//!
//! # Correctness
//! A unit is in at most one of *waiting*, *parked*, *running* and *made*. Every running unit has its CU limit reserved
//! in the exposure, every made one counts with what it used (R25).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use gio_protocol::{B256, Cu, DealId, DealStage, DealTerms, Gio, PricePerPu, UnixSeconds, Work};
use thiserror::Error;

use super::exposure::{BeyondLimit, Exposure};
use super::order::{
    Order, OrderRefusal, OwnLimits, TermsRefusal, UnitKey, check_bound, check_limits,
};
use super::trust::Backing;

/// How long an order waits for room under the exposure limit. The hub counts a payment when it makes it, this miner
/// when it sees it: some seconds later, a slow chain some blocks.
pub const PARK_SECONDS: u64 = 20;
/// Deals remembered without running units; a hub that mixes more of them sends terms again.
pub const DEALS_MAX: usize = 1024;

/// Why an order is given back.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The order itself.
    #[error(transparent)]
    Order(#[from] OrderRefusal),
    /// The terms it came with.
    #[error(transparent)]
    Terms(#[from] TermsRefusal),
    /// An order of a deal nobody showed the terms of.
    #[error("the deal's terms did not come with its first order")]
    TermsMissing,
    /// The terms are no terms.
    #[error("the deal's terms cannot be read")]
    TermsUnreadable,
    /// The deal is not open on chain: nobody would pay.
    #[error("the deal is {} on chain", stage.name())]
    NotOpen {
        /// Where it stands.
        stage: DealStage,
    },
    /// The chain could not be asked.
    #[error("the chain does not answer")]
    ChainSilent,
    /// R25: larger than the whole limit.
    #[error(transparent)]
    TooLarge(BeyondLimit),
    /// R25: no room under the limit for too long.
    #[error("no room below this miner's exposure limit of {limit} GIO for {PARK_SECONDS} s")]
    NoRoom {
        /// The limit.
        limit: Gio,
    },
    /// More orders than were asked for.
    #[error("this miner already has the {max} orders it asked for")]
    QueueFull {
        /// Cores and prefetch.
        max: usize,
    },
    /// A claim over this unit is countersigned already.
    #[error("this unit's claim was accepted before")]
    AlreadyAccepted,
    /// The miner is stopping.
    #[error("this miner is stopping")]
    Stopping,
    /// The miner thinks less of the hub than when it began to work for it.
    #[error("this miner takes no new orders of a hub that is not confirmed")]
    HubNotConfirmed,
}

impl Refusal {
    /// Whether the same order may be taken later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::ChainSilent
            | Self::NoRoom { .. }
            | Self::QueueFull { .. }
            | Self::Stopping
            | Self::HubNotConfirmed => true,
            // This miner's RPC may be behind the hub's.
            Self::NotOpen { stage } => *stage == DealStage::None,
            Self::Order(_)
            | Self::Terms(_)
            | Self::TermsMissing
            | Self::TermsUnreadable
            | Self::TooLarge(_)
            | Self::AlreadyAccepted => false,
        }
    }
}

/// What to do about orders.
#[derive(Debug, Default)]
pub struct Todo {
    /// Run these: checked, and paid for by the limit.
    pub start: Vec<Order>,
    /// Give these back.
    pub refuse: Vec<(UnitKey, Refusal)>,
    /// Send these claims again.
    pub resend: Vec<UnitKey>,
    /// Check these deals, then call [`Book::open_deal`] or [`Book::refuse_deal`].
    pub check: Vec<DealId>,
}

/// A deal that was found open.
#[derive(Clone, Debug)]
struct OpenDeal {
    terms: Arc<DealTerms>,
    net_price: PricePerPu,
    accepted: HashSet<u32>,
    used: u64,
}

#[derive(Debug)]
enum DealState {
    /// The chain is being asked; these orders wait.
    Checking(Vec<Order>),
    Open(OpenDeal),
    /// It was no deal and cannot become one.
    Refused(Refusal),
}

/// A claim the hub has not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// What the hub has to countersign.
    pub claim_hash: B256,
    /// What it is worth.
    pub work: Work,
}

#[derive(Debug)]
struct Parked {
    order: Order,
    until: UnixSeconds,
}

/// See the module.
#[derive(Debug)]
pub struct Book {
    own: OwnLimits,
    held_max: usize,
    exposure: Exposure,
    deals: HashMap<DealId, DealState>,
    parked: VecDeque<Parked>,
    /// Names of the orders that are waiting or parked.
    queued: HashSet<UnitKey>,
    running: BTreeMap<UnitKey, Work>,
    made: BTreeMap<UnitKey, Made>,
    stopping: bool,
    /// Nothing new of this hub's: what runs and what was made goes on.
    turned_away: bool,
    clock: u64,
}

impl Book {
    /// A book with the claims that were made and not answered before. `held_max` orders at most.
    #[must_use]
    pub fn new(
        own: OwnLimits,
        held_max: usize,
        exposure: Exposure,
        made: BTreeMap<UnitKey, Made>,
    ) -> Self {
        Self {
            own,
            held_max,
            exposure,
            deals: HashMap::new(),
            parked: VecDeque::new(),
            queued: HashSet::new(),
            running: BTreeMap::new(),
            made,
            stopping: false,
            turned_away: false,
            clock: 0,
        }
    }

    /// An order came.
    pub fn receive(&mut self, order: Order, now: UnixSeconds, todo: &mut Todo) {
        let key = order.key();
        if self.queued.contains(&key) || self.running.contains_key(&key) {
            return;
        }
        if self.made.contains_key(&key) {
            todo.resend.push(key);
            return;
        }
        if let Err(refusal) = self.may_hold() {
            todo.refuse.push((key, refusal));
            return;
        }
        match self.deals.get_mut(&order.deal) {
            Some(DealState::Open(_)) => self.admit(order, now, todo),
            Some(DealState::Checking(waiting)) => {
                self.queued.insert(key);
                waiting.push(order);
            }
            Some(DealState::Refused(refusal)) => todo.refuse.push((key, refusal.clone())),
            None => {
                todo.check.push(order.deal);
                self.forget_deals();
                self.queued.insert(key);
                let state = DealState::Checking(vec![order]);
                self.deals.insert(key.deal, state);
            }
        }
    }

    /// A deal was found open; its waiting orders are looked at.
    pub fn open_deal(
        &mut self,
        deal: DealId,
        terms: Arc<DealTerms>,
        accepted: impl IntoIterator<Item = u32>,
        now: UnixSeconds,
    ) -> Todo {
        let mut todo = Todo::default();
        let Some(DealState::Checking(waiting)) = self.deals.remove(&deal) else {
            return todo;
        };
        let Some(first) = waiting.first() else {
            return todo;
        };
        let open = OpenDeal {
            terms,
            net_price: first.net_price,
            accepted: accepted.into_iter().collect(),
            used: self.clock,
        };
        self.deals.insert(deal, DealState::Open(open));
        for order in waiting {
            self.queued.remove(&order.key());
            self.admit(order, now, &mut todo);
        }
        todo
    }

    /// A deal was found to be none, or could not be looked at.
    pub fn refuse_deal(&mut self, deal: DealId, refusal: &Refusal) -> Vec<(UnitKey, Refusal)> {
        let Some(DealState::Checking(waiting)) = self.deals.remove(&deal) else {
            return Vec::new();
        };
        if !refusal.is_transient() {
            self.deals.insert(deal, DealState::Refused(refusal.clone()));
        }
        let keys = waiting.iter().map(Order::key);
        let refused: Vec<_> = keys.map(|key| (key, refusal.clone())).collect();
        self.unqueue(&refused);
        refused
    }

    /// The net price every order of a deal must have; known once its first order was taken.
    #[must_use]
    pub fn net_price(&self, deal: DealId) -> Option<PricePerPu> {
        match self.deals.get(&deal)? {
            DealState::Open(open) => Some(open.net_price),
            DealState::Checking(waiting) => waiting.first().map(|order| order.net_price),
            DealState::Refused(_) => None,
        }
    }

    /// A running unit has a claim. Returns what there is room for now.
    pub fn finish(&mut self, key: UnitKey, claim_hash: B256, cu: Cu, now: UnixSeconds) -> Todo {
        if let Some(reserved) = self.running.remove(&key) {
            let price = self.net_price(key.deal).unwrap_or_default();
            let work = Work::of(cu, price);
            self.exposure.finish(reserved, work);
            self.made.insert(key, Made { claim_hash, work });
        }
        self.unpark(now)
    }

    /// A running unit ended without a claim, or was cancelled.
    pub fn fail(&mut self, key: UnitKey, now: UnixSeconds) -> Todo {
        if let Some(reserved) = self.running.remove(&key) {
            self.exposure.release(reserved);
        }
        self.unpark(now)
    }

    /// The hub wants no result of this unit. Returns whether it is running.
    pub fn cancel(&mut self, key: UnitKey) -> bool {
        self.queued.remove(&key);
        self.parked.retain(|parked| parked.order.key() != key);
        if let Some(DealState::Checking(waiting)) = self.deals.get_mut(&key.deal) {
            waiting.retain(|order| order.key() != key);
        }
        self.running.contains_key(&key)
    }

    /// What the hub has to have signed to accept this unit; `None` if it has nothing to answer.
    #[must_use]
    pub fn made(&self, key: UnitKey) -> Option<Made> {
        self.made.get(&key).copied()
    }

    /// The hub countersigned.
    pub fn accept(&mut self, key: UnitKey) {
        if self.made.remove(&key).is_some()
            && let Some(DealState::Open(open)) = self.deals.get_mut(&key.deal)
        {
            open.accepted.insert(key.unit);
        }
    }

    /// The hub did not take the claim. The work stays in the exposure: whoever rejects results has had them.
    pub fn reject(&mut self, key: UnitKey) {
        self.made.remove(&key);
    }

    /// What the chain says of the hub's money.
    pub fn set_chain(&mut self, backing: Backing, approved: Gio, now: UnixSeconds) -> Todo {
        self.exposure.set_chain(backing, approved);
        self.unpark(now)
    }

    /// Pay arrived.
    pub fn pull(&mut self, amount: Gio, now: UnixSeconds) -> Todo {
        self.exposure.pull(amount);
        self.unpark(now)
    }

    /// Time passes: orders that found no room go back.
    pub fn tick(&mut self, now: UnixSeconds) -> Vec<(UnitKey, Refusal)> {
        let limit = self.exposure.limit();
        let is_late = |parked: &Parked| parked.until <= now;
        let (late, rest): (VecDeque<_>, _) = std::mem::take(&mut self.parked)
            .into_iter()
            .partition(is_late);
        self.parked = rest;
        let keys = late.iter().map(|parked| parked.order.key());
        let late: Vec<_> = keys.map(|key| (key, Refusal::NoRoom { limit })).collect();
        self.unqueue(&late);
        late
    }

    /// No new orders; what has not been started goes back.
    pub fn stop(&mut self) -> Vec<(UnitKey, Refusal)> {
        self.stopping = true;
        self.empty_queue(&Refusal::Stopping)
    }

    /// No new orders of this hub until [`Self::take_again`]; what has not been started goes back.
    pub fn turn_away(&mut self) -> Vec<(UnitKey, Refusal)> {
        self.turned_away = true;
        self.empty_queue(&Refusal::HubNotConfirmed)
    }

    /// New orders of this hub are looked at again.
    pub fn take_again(&mut self) {
        self.turned_away = false;
    }

    /// Other limits from now on; what was taken on stays.
    pub fn set_limits(&mut self, own: OwnLimits, exposure_initial: Gio) {
        self.own = own;
        self.exposure.set_initial(exposure_initial);
    }

    /// Everything this miner still has of the hub's: a hub that knows it gives none of it elsewhere.
    #[must_use]
    pub fn holding(&self) -> BTreeSet<UnitKey> {
        let running = self.running.keys().chain(self.made.keys());
        running.chain(&self.queued).copied().collect()
    }

    /// Whether nothing is left to do or to be answered.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.held() == 0 && self.made.is_empty()
    }

    /// Units that run, or are about to.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Most unpaid work with this hub now.
    #[must_use]
    pub fn limit(&self) -> Gio {
        self.exposure.limit()
    }

    /// A deal is open: checks the order and starts or parks it.
    fn admit(&mut self, order: Order, now: UnixSeconds, todo: &mut Todo) {
        let key = order.key();
        match self.check(&order) {
            Err(refusal) => todo.refuse.push((key, refusal)),
            Ok(()) if !self.parked.is_empty() => self.park(order, now),
            Ok(()) => self.start_or_park(order, now, todo),
        }
    }

    fn start_or_park(&mut self, order: Order, now: UnixSeconds, todo: &mut Todo) {
        let (key, work) = (order.key(), order.work_max());
        let limit = self.exposure.limit();
        match self.exposure.reserve(work) {
            Ok(()) => {
                self.running.insert(key, work);
                todo.start.push(order);
            }
            Err(_) if work.net() > limit => {
                let alone = BeyondLimit {
                    outstanding: work.net(),
                    limit,
                };
                todo.refuse.push((key, Refusal::TooLarge(alone)));
            }
            Err(_) => self.park(order, now),
        }
    }

    fn park(&mut self, order: Order, now: UnixSeconds) {
        let until = now.after(PARK_SECONDS);
        self.queued.insert(order.key());
        self.parked.push_back(Parked { order, until });
    }

    fn check(&mut self, order: &Order) -> Result<(), Refusal> {
        self.clock += 1;
        let Some(DealState::Open(open)) = self.deals.get_mut(&order.deal) else {
            return Err(Refusal::TermsMissing);
        };
        open.used = self.clock;
        if open.accepted.contains(&order.leaf.index) {
            return Err(Refusal::AlreadyAccepted);
        }
        if order.net_price != open.net_price {
            return Err(OrderRefusal::PriceChanged.into());
        }
        check_limits(order, &self.own)?;
        Ok(check_bound(order, &open.terms)?)
    }

    /// Starts parked orders in the order they came, until one finds no room.
    fn unpark(&mut self, now: UnixSeconds) -> Todo {
        let mut todo = Todo::default();
        while let Some(parked) = self.parked.pop_front() {
            let before = self.parked.len();
            self.queued.remove(&parked.order.key());
            self.start_or_park(parked.order, now, &mut todo);
            if self.parked.len() > before {
                // It went to the back; its place and its time are in front.
                if let Some(back) = self.parked.pop_back() {
                    let until = parked.until;
                    self.parked.push_front(Parked { until, ..back });
                }
                break;
            }
        }
        todo
    }

    fn may_hold(&self) -> Result<(), Refusal> {
        if self.stopping {
            return Err(Refusal::Stopping);
        }
        if self.turned_away {
            return Err(Refusal::HubNotConfirmed);
        }
        if self.held() >= self.held_max {
            let max = self.held_max;
            return Err(Refusal::QueueFull { max });
        }
        Ok(())
    }

    /// What has not been started is forgotten, and goes back.
    fn empty_queue(&mut self, refusal: &Refusal) -> Vec<(UnitKey, Refusal)> {
        self.parked.clear();
        for state in self.deals.values_mut() {
            if let DealState::Checking(waiting) = state {
                waiting.clear();
            }
        }
        let back = std::mem::take(&mut self.queued).into_iter();
        back.map(|key| (key, refusal.clone())).collect()
    }

    fn held(&self) -> usize {
        self.queued.len() + self.running.len()
    }

    fn unqueue(&mut self, refused: &[(UnitKey, Refusal)]) {
        for (key, _) in refused {
            self.queued.remove(key);
        }
    }

    /// Makes room for one more deal: forgets the one without running units that was used longest ago.
    fn forget_deals(&mut self) {
        if self.deals.len() < DEALS_MAX {
            return;
        }
        let busy: HashSet<DealId> = self.holding().iter().map(|key| key.deal).collect();
        let idle = self.deals.iter().filter(|(id, _)| !busy.contains(id));
        let used = |state: &DealState| match state {
            DealState::Open(open) => open.used,
            DealState::Checking(_) | DealState::Refused(_) => 0,
        };
        let oldest = idle.min_by_key(|(_, state)| used(state)).map(|(id, _)| *id);
        if let Some(id) = oldest {
            self.deals.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests;
