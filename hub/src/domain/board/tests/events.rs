//! Random events never bring the board into a state it must not be in.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::deal::State;
use super::*;

const MINERS: u8 = 4;
const DEALS: u8 = 3;
const HONEST: u8 = 9;

#[derive(Clone, Copy, Debug)]
enum Event {
    Join {
        miner: u8,
        places: u32,
        holds: bool,
    },
    Leave {
        miner: u8,
    },
    Drain {
        miner: u8,
    },
    Exposure {
        miner: u8,
        units: u64,
    },
    Pay {
        miner: u8,
    },
    Pass {
        seconds: u64,
    },
    Open {
        deal: u8,
    },
    Close {
        deal: u8,
    },
    /// The hub restarts; what it knows is on disk.
    Restart,
    /// A miner delivers the nth of its units, or one that was its own before.
    Deliver {
        miner: u8,
        nth: usize,
        cu: u64,
    },
    /// A miner gives its nth unit back.
    Fail {
        miner: u8,
        nth: usize,
        kind: u8,
    },
    /// A claim of any unit by anybody.
    Stray {
        miner: u8,
        deal: u8,
        unit: u32,
    },
}

fn any_event() -> impl Strategy<Value = Event> {
    let miner = || 0..MINERS;
    prop_oneof![
        4 => (miner(), 0u32..6, any::<bool>()).prop_map(|(miner, places, holds)| Event::Join { miner, places, holds }),
        1 => miner().prop_map(|miner| Event::Leave { miner }),
        1 => miner().prop_map(|miner| Event::Drain { miner }),
        1 => (miner(), 0u64..9).prop_map(|(miner, units)| Event::Exposure { miner, units }),
        1 => miner().prop_map(|miner| Event::Pay { miner }),
        3 => prop_oneof![Just(1), Just(GRACE_SECONDS), Just(UNIT_SECONDS)].prop_map(|seconds| Event::Pass { seconds }),
        2 => (0..DEALS).prop_map(|deal| Event::Open { deal }),
        1 => (0..DEALS).prop_map(|deal| Event::Close { deal }),
        1 => Just(Event::Restart),
        8 => (miner(), 0usize..6, 0..=CU_LIMIT.0).prop_map(|(miner, nth, cu)| Event::Deliver { miner, nth, cu }),
        2 => (miner(), 0usize..6, 0u8..3).prop_map(|(miner, nth, kind)| Event::Fail { miner, nth, kind }),
        1 => (miner(), 0..DEALS, 0u32..8).prop_map(|(miner, deal, unit)| Event::Stray { miner, deal, unit }),
    ]
}

/// The world around a board: what is on disk, what miners have, what they were told.
struct World {
    board: Board,
    now: UnixSeconds,
    session: u64,
    /// Units of deals 0, 1 and 2, and how many of them their caps cover.
    infos: Vec<Arc<DealInfo>>,
    /// On disk: accepted claims, assignments.
    done: BTreeMap<UnitRef, (Address, Cu)>,
    rows: BTreeMap<UnitRef, (Address, UnixSeconds)>,
    /// Orders miners have not given back or finished.
    orders: BTreeMap<Address, BTreeSet<UnitRef>>,
    owed: BTreeMap<Address, Work>,
    open: BTreeSet<DealId>,
    finished: BTreeSet<DealId>,
}

impl World {
    fn new(sizes: &[(u32, u32)]) -> Self {
        let infos = sizes.iter().zip(1u8..);
        Self {
            board: Board::new(UNIT_SECONDS),
            now: UnixSeconds(1_000),
            session: 0,
            infos: infos
                .map(|((units, covered), n)| info(n, *units, *covered))
                .collect(),
            done: BTreeMap::new(),
            rows: BTreeMap::new(),
            orders: BTreeMap::new(),
            owed: BTreeMap::new(),
            open: BTreeSet::new(),
            finished: BTreeSet::new(),
        }
    }

    fn info(&self, id: DealId) -> &Arc<DealInfo> {
        self.infos.iter().find(|info| info.id == id).unwrap()
    }

    fn restored(&self, id: DealId) -> Restored {
        let done = self.done.iter().filter(|(unit, _)| unit.deal == id);
        let rows = self.rows.iter().filter(|(unit, _)| unit.deal == id);
        Restored {
            done: done
                .map(|(unit, (miner, cu))| (unit.unit, *miner, *cu))
                .collect(),
            assigned: rows
                .map(|(unit, (miner, at))| (unit.unit, *miner, *at))
                .collect(),
            ..Restored::default()
        }
    }

    fn nth_order(&self, miner: Address, nth: usize) -> Option<UnitRef> {
        let orders = self.orders.get(&miner)?;
        orders.iter().nth(nth % orders.len().max(1)).copied()
    }

    /// Does what a turn of the dispatcher does with effects, and checks each.
    fn apply(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Assign {
                    miner,
                    unit,
                    deadline,
                } => {
                    assert!(!self.done.contains_key(&unit), "a done unit is given out");
                    assert!(
                        !self.rows.contains_key(&unit),
                        "a unit is given to two miners"
                    );
                    assert!(deadline > self.now);
                    self.rows.insert(unit, (miner, self.now));
                    self.orders.entry(miner).or_default().insert(unit);
                }
                Effect::Keep { miner, unit } => {
                    assert!(
                        self.orders[&miner].contains(&unit),
                        "nobody keeps what it does not have"
                    );
                }
                Effect::Requeue(unit) => {
                    assert!(
                        !self.done.contains_key(&unit),
                        "a done unit is queued again"
                    );
                    self.rows.remove(&unit);
                }
                Effect::Cancel { miner, unit } => {
                    if let Some(orders) = self.orders.get_mut(&miner) {
                        orders.remove(&unit);
                    }
                }
                Effect::Finished(deal) => {
                    assert!(self.finished.insert(deal), "said twice");
                }
            }
        }
    }

    fn turn(&mut self, effects: Vec<Effect>) {
        self.apply(effects);
        let given = self.board.fill(self.now);
        self.apply(given);
        self.check();
    }

    fn step(&mut self, event: Event) {
        let effects = match event {
            Event::Open { deal } => self.open(deal),
            Event::Close { deal } => self.close(deal),
            Event::Restart => self.restart(),
            Event::Pass { seconds } => {
                self.now = self.now.after(seconds);
                self.board.tick(self.now)
            }
            Event::Stray {
                miner: by,
                deal,
                unit,
            } => {
                let deal = self.infos[usize::from(deal)].id;
                self.deliver(miner(by), UnitRef { deal, unit }, CU_LIMIT)
            }
            of_a_miner => self.miner_does(of_a_miner),
        };
        self.turn(effects);
    }

    fn miner_does(&mut self, event: Event) -> Vec<Effect> {
        match event {
            Event::Join {
                miner: by,
                places,
                holds,
            } => return self.join(miner(by), places, holds),
            Event::Fail {
                miner: by,
                nth,
                kind,
            } => return self.fail(miner(by), nth, kind),
            Event::Deliver { miner: by, nth, cu } => {
                let order = self.nth_order(miner(by), nth);
                let deliver = order.map(|unit| self.deliver(miner(by), unit, Cu(cu)));
                return deliver.unwrap_or_default();
            }
            Event::Leave { miner: by } => {
                let found = self.board.miners.get(&miner(by));
                let session = found.map_or(Session(0), |found| found.offer.session);
                self.board.leave(miner(by), session, self.now);
            }
            Event::Drain { miner: by } => self.board.drain(miner(by)),
            Event::Exposure { miner: by, units } => {
                let limit = Gio::from_units(units * UNIT_NET);
                self.board.set_exposure(miner(by), limit);
            }
            Event::Pay { miner: by } => {
                self.owed.insert(miner(by), Work::NONE);
                self.board.set_owed(miner(by), Work::NONE);
            }
            _ => {}
        }
        Vec::new()
    }

    fn open(&mut self, deal: u8) -> Vec<Effect> {
        let info = Arc::clone(&self.infos[usize::from(deal)]);
        self.open.insert(info.id);
        let restored = self.restored(info.id);
        self.board.open(info, &restored, self.now)
    }

    fn close(&mut self, deal: u8) -> Vec<Effect> {
        let id = self.infos[usize::from(deal)].id;
        self.finished.remove(&id);
        self.open.remove(&id);
        // A closed deal is assembled; its assignments mean nothing any more.
        self.rows.retain(|unit, _| unit.deal != id);
        self.board.close(id)
    }

    fn join(&mut self, miner: Address, places: u32, holds: bool) -> Vec<Effect> {
        if !holds {
            self.orders.remove(&miner);
        }
        self.session += 1;
        let holding = self.orders.get(&miner).cloned().unwrap_or_default();
        let limit = Gio::from_units(5 * UNIT_NET);
        let offer = Offer {
            holding,
            exposure_limit: limit,
            ..offer(self.session, places)
        };
        let effects = self.board.join(miner, offer, self.now);
        let owed = self.owed.get(&miner).copied().unwrap_or_default();
        self.board.set_owed(miner, owed);
        effects
    }

    fn restart(&mut self) -> Vec<Effect> {
        self.board = Board::new(UNIT_SECONDS);
        self.finished.clear();
        let mut effects = Vec::new();
        for info in self.infos.clone() {
            if self.open.contains(&info.id) {
                let restored = self.restored(info.id);
                effects.extend(self.board.open(info, &restored, self.now));
            }
        }
        effects
    }

    fn deliver(&mut self, miner: Address, unit: UnitRef, cu: Cu) -> Vec<Effect> {
        let was_done = self.done.contains_key(&unit);
        match self.board.accept(miner, unit, cu) {
            Ok(effects) => {
                assert!(!was_done, "a done unit is accepted again");
                self.rows.remove(&unit);
                self.done.insert(unit, (miner, cu));
                let price = self.info(unit.deal).net_price;
                let owed = self.owed.entry(miner).or_default();
                *owed = owed.plus(Work::of(cu, price));
                if let Some(orders) = self.orders.get_mut(&miner) {
                    orders.remove(&unit);
                }
                effects
            }
            Err(_) => Vec::new(),
        }
    }

    fn fail(&mut self, miner: Address, nth: usize, kind: u8) -> Vec<Effect> {
        let Some(unit) = self.nth_order(miner, nth) else {
            return Vec::new();
        };
        self.orders.entry(miner).or_default().remove(&unit);
        let kind = [Failure::ForNow, Failure::ForEver, Failure::FalseClaim][usize::from(kind)];
        self.board.fail(miner, unit, kind, self.now)
    }

    /// Everything that must hold after every turn.
    fn check(&self) {
        let mut running: BTreeMap<Address, BTreeSet<UnitRef>> = BTreeMap::new();
        for (id, deal) in &self.board.deals {
            let queue = deal.queue();
            let queued: BTreeSet<u32> = queue.iter().copied().collect();
            assert_eq!(queued.len(), queue.len(), "a unit waits twice");
            for (state, number) in deal.states().iter().zip(0u32..) {
                let unit = UnitRef {
                    deal: *id,
                    unit: number,
                };
                assert_eq!(*state == State::Queued, queued.contains(&number));
                assert_eq!(
                    *state == State::Done,
                    self.done.contains_key(&unit),
                    "disk and memory agree"
                );
                if let State::Running { miner, .. } = state {
                    assert_eq!(
                        self.rows.get(&unit).map(|row| row.0),
                        Some(*miner),
                        "disk and memory agree"
                    );
                    running.entry(*miner).or_default().insert(unit);
                }
            }
            let progress = deal.progress();
            assert_eq!(progress.queued as usize, queue.len());
            assert_eq!(
                progress.total,
                progress.queued + progress.running + progress.done
            );
            self.check_cap(*id, progress);
        }
        for (address, miner) in &self.board.miners {
            let own: BTreeSet<UnitRef> = miner.running().collect();
            assert_eq!(
                own,
                running.remove(address).unwrap_or_default(),
                "both books agree"
            );
            let cost = Work::of(CU_LIMIT, PricePerPu(Gio::from_units(UNIT_NET)));
            let reserved = own.iter().fold(Work::NONE, |sum, _| sum.plus(cost));
            assert_eq!(miner.reserved(), reserved);
        }
        assert!(running.is_empty(), "units run with miners nobody knows");
    }

    /// What is accepted and what runs at its limit never costs more than the cap.
    fn check_cap(&self, id: DealId, progress: Progress) {
        let terms = &self.info(id).terms;
        let cu = Cu(progress.cu_done.0 + u64::from(progress.running) * CU_LIMIT.0);
        assert!(terms.price_per_pu.cost(cu).unwrap() <= terms.cap);
    }
}

/// Places and exposure bind when a unit is given out: who takes less on later keeps what it has.
fn check_given(world: &World, before: &BTreeMap<Address, usize>, effects: &[Effect]) {
    for (address, _) in assigned(effects) {
        let miner = &world.board.miners[&address];
        let own = miner.running().count();
        assert!(before.get(&address).copied().unwrap_or_default() < own);
        assert!(
            own <= (miner.offer.places.min(miner.window())) as usize,
            "above its places"
        );
        let unpaid = miner.owed.unwrap().plus(miner.reserved());
        assert!(
            unpaid.is_within(miner.offer.exposure_limit),
            "above its exposure"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn random_events_keep_every_rule(
        sizes in prop::collection::vec((1u32..8, 1u32..8), usize::from(DEALS)),
        events in prop::collection::vec(any_event(), 1..120),
    ) {
        let mut world = World::new(&sizes);
        for event in events {
            world.step(event);
            // Nothing was left over that could have been given out.
            let more = world.board.fill(world.now);
            prop_assert_eq!(more, []);
        }
    }

    #[test]
    fn places_and_exposure_bind_every_unit_given(
        sizes in prop::collection::vec((1u32..8, 1u32..8), usize::from(DEALS)),
        events in prop::collection::vec(any_event(), 1..80),
    ) {
        let mut world = World::new(&sizes);
        for event in events {
            // The same as a turn, with a look between the event and the giving.
            world.step(event);
            world.now = world.now.after(1);
            let effects = world.board.tick(world.now);
            world.apply(effects);
            let before: BTreeMap<Address, usize> =
                world.board.miners.iter().map(|(a, m)| (*a, m.running().count())).collect();
            let given = world.board.fill(world.now);
            check_given(&world, &before, &given);
            world.apply(given);
            world.check();
        }
    }

    #[test]
    fn everything_is_done_as_long_as_one_honest_miner_stays(
        sizes in prop::collection::vec(1u32..8, usize::from(DEALS)),
        events in prop::collection::vec(any_event(), 1..80),
    ) {
        // Caps that cover everything: what is not paid for is not done.
        let sizes: Vec<_> = sizes.into_iter().map(|units| (units, units)).collect();
        let mut world = World::new(&sizes);
        for event in events {
            world.step(event);
        }
        for deal in 0..DEALS {
            world.step(Event::Open { deal });
        }
        // The others stay as they are, silent or away; the honest one works for nothing but pay.
        let honest = miner(HONEST);
        let effects = world.join(honest, 2, true);
        world.turn(effects);
        for _ in 0..400 {
            if let Some(unit) = world.nth_order(honest, 0) {
                let effects = world.deliver(honest, unit, Cu(1));
                world.orders.entry(honest).or_default().remove(&unit);
                world.turn(effects);
            }
            world.step(Event::Pass { seconds: 7 });
        }
        for info in &world.infos {
            let progress = world.board.progress(info.id).unwrap();
            prop_assert_eq!(progress.done, progress.total);
            prop_assert!(world.finished.contains(&info.id));
        }
    }
}
