//! The board's rules one by one, then all of them against random events.

mod due;
mod events;
mod people;

use std::collections::BTreeSet;
use std::sync::Arc;

use gio_protocol::terms::WINDOW_MAX_SECONDS;
use gio_protocol::{Address, B256, Cu, DealId, Gio, PricePerPu, UnixSeconds};

use super::*;
use crate::domain::agreement::tests::terms;
use crate::domain::deal::tests::{deal, plan};

pub(super) const UNIT_SECONDS: u64 = 300;
/// What a unit may use; at the net price of the tests that is 1,000 base units, at the gross price 2,000.
pub(super) const CU_LIMIT: Cu = Cu(1_000_000_000);
pub(super) const UNIT_NET: u64 = 1_000;
const NOW: UnixSeconds = UnixSeconds(1_000);

pub(super) fn miner(number: u8) -> Address {
    Address::repeat_byte(number)
}

/// A deal of so many units whose cap covers `covered` of them at their limit.
pub(super) fn info(number: u8, units: u32, covered: u32) -> Arc<DealInfo> {
    let mut terms = terms();
    terms.hub_nonce = B256::repeat_byte(number);
    terms.cap = Gio::from_units(2 * UNIT_NET * u64::from(covered));
    Arc::new(deal(plan(units, CU_LIMIT), terms))
}

pub(super) fn offer(session: u64, places: u32) -> Offer {
    Offer {
        session: Session(session),
        places,
        net_price_min: PricePerPu(Gio::from_units(UNIT_NET)),
        exposure_limit: Gio::from_units(1_000_000),
        pages_max: 16,
        holding: BTreeSet::new(),
    }
}

/// The same with a court: only owners with a bond work on it (R15).
fn info_with_court(number: u8, units: u32) -> Arc<DealInfo> {
    let mut terms = info(number, units, units).terms.clone();
    terms.court = Address::repeat_byte(9);
    Arc::new(deal(plan(units, CU_LIMIT), terms))
}

/// A board with one deal of `units` units, all covered, and its id.
fn board(units: u32) -> (Board, DealId) {
    let mut board = Board::new(UNIT_SECONDS);
    let info = info(1, units, units);
    let id = info.id;
    assert_eq!(board.open(info, &Restored::default(), NOW), []);
    (board, id)
}

/// Joins with nothing owed and fills.
fn join(board: &mut Board, number: u8, offer: Offer) -> Vec<Effect> {
    let mut effects = board.join(miner(number), offer, NOW);
    board.set_owed(miner(number), Work::NONE);
    effects.extend(board.fill(NOW));
    effects
}

/// The units given out, with whom.
pub(super) fn assigned(effects: &[Effect]) -> Vec<(Address, UnitRef)> {
    let assigned = effects.iter().filter_map(|effect| match effect {
        Effect::Assign { miner, unit, .. } => Some((*miner, *unit)),
        _ => None,
    });
    assigned.collect()
}

fn count(effects: &[Effect], of: u8) -> usize {
    let assigned = assigned(effects);
    assigned.iter().filter(|(to, _)| *to == miner(of)).count()
}

fn unit(deal: DealId, unit: u32) -> UnitRef {
    UnitRef { deal, unit }
}

#[test]
fn work_spreads_over_miners_and_stays_within_their_places() {
    let (mut board, deal) = board(10);
    for number in 1..=3 {
        board.join(miner(number), offer(u64::from(number), 3), NOW);
        board.set_owed(miner(number), Work::NONE);
    }
    let effects = board.fill(NOW);
    assert_eq!(
        (1..=3)
            .map(|number| count(&effects, number))
            .collect::<Vec<_>>(),
        [3, 3, 3]
    );
    let progress = board.progress(deal).unwrap();
    assert_eq!(
        (progress.queued, progress.running, progress.miners),
        (1, 9, 3)
    );
    assert_eq!(board.fill(NOW), [], "nothing is free");
    let mut few = Board::new(UNIT_SECONDS);
    let small = info(1, 2, 2);
    few.open(small, &Restored::default(), NOW);
    for number in 1..=3 {
        few.join(miner(number), offer(u64::from(number), 3), NOW);
        few.set_owed(miner(number), Work::NONE);
    }
    let effects = few.fill(NOW);
    assert!(
        (1..=3).all(|number| count(&effects, number) <= 1),
        "one each before two"
    );
}

#[test]
fn deals_take_turns() {
    let mut board = Board::new(UNIT_SECONDS);
    let (first, second) = (info(1, 100, 100), info(2, 100, 100));
    board.open(Arc::clone(&first), &Restored::default(), NOW);
    board.open(Arc::clone(&second), &Restored::default(), NOW);
    let effects = join(&mut board, 1, offer(1, 10));
    let of = |deal| {
        assigned(&effects)
            .iter()
            .filter(|(_, unit)| unit.deal == deal)
            .count()
    };
    assert_eq!((of(first.id), of(second.id)), (5, 5));
}

#[test]
fn nothing_is_given_before_it_is_known_what_a_miner_has_coming() {
    let (mut board, _) = board(1);
    board.join(miner(1), offer(1, 1), NOW);
    assert_eq!(board.fill(NOW), []);
    board.set_owed(miner(1), Work::NONE);
    assert_eq!(assigned(&board.fill(NOW)).len(), 1);
}

#[test]
fn miners_get_only_what_suits_them() {
    let price = PricePerPu(Gio::from_units(UNIT_NET + 1));
    let dear = Offer {
        net_price_min: price,
        ..offer(1, 1)
    };
    let small = Offer {
        pages_max: 15,
        ..offer(1, 1)
    };
    for picky in [dear, small] {
        let (mut board, _) = board(1);
        assert_eq!(join(&mut board, 1, picky), []);
        assert_eq!(
            board.waiting_for_pay(NOW),
            BTreeSet::new(),
            "pay would not help"
        );
    }
}

#[test]
fn r25_unpaid_work_stays_within_what_a_miner_risks() {
    let (mut board, deal) = board(10);
    let limit = Gio::from_units(3 * UNIT_NET);
    let offer = Offer {
        exposure_limit: limit,
        ..offer(1, 8)
    };
    let effects = join(&mut board, 1, offer);
    assert_eq!(count(&effects, 1), 3, "each counts with its whole limit");
    assert_eq!(
        board.waiting_for_pay(NOW),
        BTreeSet::new(),
        "nothing is earned yet"
    );

    // Cheap units leave room for more; what is done counts exactly.
    let cheap = Cu(CU_LIMIT.0 / 10);
    for number in 0..3 {
        board.accept(miner(1), unit(deal, number), cheap).unwrap();
    }
    assert_eq!(
        count(&board.fill(NOW), 1),
        2,
        "0.3 are owed, 2 run, a third would be too much"
    );
    board.accept(miner(1), unit(deal, 3), CU_LIMIT).unwrap();
    board.accept(miner(1), unit(deal, 4), CU_LIMIT).unwrap();
    assert_eq!(board.fill(NOW), []);
    assert_eq!(board.waiting_for_pay(NOW), BTreeSet::from([miner(1)]));

    board.set_owed(miner(1), Work::NONE);
    assert_eq!(board.waiting_for_pay(NOW), BTreeSet::new());
    assert_eq!(count(&board.fill(NOW), 1), 3, "paid");
    board.set_exposure(miner(1), Gio::from_units(4 * UNIT_NET));
    assert_eq!(count(&board.fill(NOW), 1), 1, "trusts more");
}

#[test]
fn the_cap_covers_every_unit_that_runs() {
    let mut board = Board::new(UNIT_SECONDS);
    let info = info(1, 5, 2);
    let deal = info.id;
    board.open(info, &Restored::default(), NOW);
    assert_eq!(count(&join(&mut board, 1, offer(1, 8)), 1), 2);
    // A cheap unit leaves room for another, a dear one does not.
    board.accept(miner(1), unit(deal, 0), Cu(0)).unwrap();
    assert_eq!(count(&board.fill(NOW), 1), 1);
    board.accept(miner(1), unit(deal, 1), CU_LIMIT).unwrap();
    assert_eq!(board.fill(NOW), []);
    board.accept(miner(1), unit(deal, 2), CU_LIMIT).unwrap();
    assert_eq!(
        board.fill(NOW),
        [Effect::Finished(deal)],
        "two units wait that nobody would pay for"
    );
    assert_eq!(board.fill(NOW), [], "said once");
}

#[test]
fn a_late_claim_beside_a_full_cap_is_not_taken() {
    let mut board = Board::new(UNIT_SECONDS);
    let info = info(1, 2, 1);
    let deal = info.id;
    board.open(info, &Restored::default(), NOW);
    join(&mut board, 1, offer(1, 8));
    let later = NOW.after(UNIT_SECONDS);
    assert!(board.tick(later).contains(&Effect::Requeue(unit(deal, 0))));
    board.join(miner(2), offer(2, 1), later);
    board.set_owed(miner(2), Work::NONE);
    let given = assigned(&board.fill(later));
    assert_eq!(
        given,
        [(miner(2), unit(deal, 1))],
        "the late unit waits behind"
    );
    let late = board.accept(miner(1), unit(deal, 0), CU_LIMIT);
    assert_eq!(late, Err(NotTaken::CapReached));
    assert_eq!(
        board.accept(miner(1), unit(deal, 0), Cu(0)),
        Ok(Vec::new()),
        "costs nothing"
    );
}

#[test]
fn a_late_unit_goes_elsewhere_and_the_first_claim_counts() {
    let (mut board, deal) = board(1);
    join(&mut board, 1, offer(1, 1));
    assert_eq!(board.tick(NOW.after(UNIT_SECONDS - 1)), []);
    let late = NOW.after(UNIT_SECONDS);
    let given = unit(deal, 0);
    let cancel = Effect::Cancel {
        miner: miner(1),
        unit: given,
    };
    assert_eq!(board.tick(late), [Effect::Requeue(given), cancel]);
    board.join(miner(2), offer(2, 1), late);
    board.set_owed(miner(2), Work::NONE);
    assert_eq!(
        assigned(&board.fill(late)),
        [(miner(2), given)],
        "its first miner rests"
    );
    // The first one is quicker after all: the second need not finish.
    let effects = board.accept(miner(1), given, CU_LIMIT).unwrap();
    assert_eq!(
        effects,
        [Effect::Cancel {
            miner: miner(2),
            unit: given
        }]
    );
    assert_eq!(
        board.accept(miner(2), given, CU_LIMIT),
        Err(NotTaken::AlreadyDone)
    );
    assert_eq!(board.fill(late), [Effect::Finished(deal)]);
    let progress = board.progress(deal).unwrap();
    assert_eq!(
        (progress.done, progress.running, progress.queued),
        (1, 0, 0)
    );
}

#[test]
fn claims_of_units_a_miner_never_had_are_not_taken() {
    let (mut board, deal) = board(2);
    join(&mut board, 1, offer(1, 1));
    assert_eq!(
        board.accept(miner(2), unit(deal, 0), Cu(1)),
        Err(NotTaken::NotAssigned)
    );
    assert_eq!(
        board.accept(miner(1), unit(deal, 1), Cu(1)),
        Err(NotTaken::NotAssigned)
    );
    assert_eq!(
        board.accept(miner(1), unit(deal, 9), Cu(1)),
        Err(NotTaken::NotAssigned)
    );
    let other = DealId(B256::repeat_byte(9));
    assert_eq!(
        board.accept(miner(1), unit(other, 0), Cu(1)),
        Err(NotTaken::NoDeal)
    );
    let progress = board.progress(deal).unwrap();
    assert_eq!((progress.done, progress.running), (0, 1), "nothing changed");
}

#[test]
fn whoever_gives_units_back_rests_longer_each_time_and_never_gets_a_refused_unit_again() {
    let (mut board, deal) = board(3);
    let mut now = NOW;
    join(&mut board, 1, offer(1, 1));
    for rest in [1, 2, 4, 8] {
        let given = board.deals[&deal].running().next().unwrap().0;
        let effects = board.fail(miner(1), unit(deal, given), Failure::ForNow, now);
        assert_eq!(effects, [Effect::Requeue(unit(deal, given))]);
        assert_eq!(board.fill(now.after(rest - 1)), []);
        now = now.after(rest);
        assert_eq!(count(&board.fill(now), 1), 1);
    }
    // Refused for ever: the others, but not this one.
    let refused = board.deals[&deal].running().next().unwrap().0;
    board.fail(miner(1), unit(deal, refused), Failure::ForEver, now);
    for _ in 0..2 {
        now = now.after(REST_SECONDS_MAX);
        let given = assigned(&board.fill(now));
        assert_eq!(given.len(), 1);
        assert_ne!(given[0].1.unit, refused);
        board.accept(miner(1), given[0].1, Cu(1)).unwrap();
    }
    assert_eq!(board.fill(now.after(REST_SECONDS_MAX)), []);
    // Another miner finishes the deal.
    assert_eq!(
        assigned(&join(&mut board, 2, offer(2, 1))),
        [(miner(2), unit(deal, refused))]
    );
}

#[test]
fn a_miner_that_refuses_unit_after_unit_is_left_out_of_the_deal() {
    let (mut board, deal) = board(200);
    let mut now = NOW;
    join(&mut board, 1, offer(1, 1));
    for _ in 0..NEVER_MAX {
        let (given, _) = board.deals[&deal].running().next().unwrap();
        board.fail(miner(1), unit(deal, given), Failure::ForEver, now);
        now = now.after(REST_SECONDS_MAX);
        board.fill(now);
    }
    assert_eq!(board.progress(deal).unwrap().running, 0);
    let effects = join(&mut board, 2, offer(2, 200));
    assert_eq!(count(&effects, 2), WINDOW_FIRST as usize, "others go on");
}

#[test]
fn no_unit_is_ever_given_up_whatever_strangers_do_with_it() {
    let (mut board, deal) = board(1);
    let mut now = NOW;
    for stranger in 10..200 {
        board.join(miner(stranger), offer(u64::from(stranger), 1), now);
        board.set_owed(miner(stranger), Work::NONE);
        assert_eq!(
            assigned(&board.fill(now)),
            [(miner(stranger), unit(deal, 0))]
        );
        board.fail(miner(stranger), unit(deal, 0), Failure::ForEver, now);
        board.leave(miner(stranger), Session(u64::from(stranger)), now);
        now = now.after(GRACE_SECONDS);
        board.tick(now);
    }
    board.join(miner(1), offer(1, 1), now);
    board.set_owed(miner(1), Work::NONE);
    assert_eq!(assigned(&board.fill(now)), [(miner(1), unit(deal, 0))]);
    board.accept(miner(1), unit(deal, 0), Cu(1)).unwrap();
    assert_eq!(board.fill(now), [Effect::Finished(deal)]);
}

#[test]
fn a_newcomer_holds_up_few_units_until_it_shows_results() {
    let (mut board, deal) = board(500);
    let effects = join(&mut board, 1, offer(1, 400));
    assert_eq!(count(&effects, 1), WINDOW_FIRST as usize);
    for number in 0..WINDOW_FIRST {
        board.accept(miner(1), unit(deal, number), Cu(1)).unwrap();
    }
    assert_eq!(
        count(&board.fill(NOW), 1),
        2 * WINDOW_FIRST as usize,
        "twice as many"
    );
    // A false claim sets it back to one unit at a time.
    let (given, _) = board.deals[&deal].running().next().unwrap();
    board.fail(miner(1), unit(deal, given), Failure::FalseClaim, NOW);
    assert_eq!(board.miners[&miner(1)].window(), 1);
}

#[test]
fn miners_that_brought_nothing_are_asked_last() {
    let (mut board, deal) = board(1);
    join(&mut board, 1, offer(1, 1));
    let mut now = NOW.after(UNIT_SECONDS);
    for number in 2..=3 {
        board.join(miner(number), offer(u64::from(number), 1), now);
        board.set_owed(miner(number), Work::NONE);
    }
    for expected in [2, 3] {
        board.tick(now);
        // Everybody has rested.
        now = now.after(REST_SECONDS_MAX);
        assert_eq!(
            assigned(&board.fill(now)),
            [(miner(expected), unit(deal, 0))]
        );
        now = now.after(UNIT_SECONDS);
    }
}

#[test]
fn a_miner_that_comes_back_keeps_what_it_still_has() {
    let (mut board, deal) = board(3);
    join(&mut board, 1, offer(1, 2));
    board.leave(miner(1), Session(1), NOW);
    assert_eq!(
        board.tick(NOW.after(GRACE_SECONDS - 1)),
        [],
        "within the grace"
    );
    let holding = BTreeSet::from([unit(deal, 1)]);
    let effects = board.join(
        miner(1),
        Offer {
            holding,
            ..offer(2, 2)
        },
        NOW,
    );
    let keep = Effect::Keep {
        miner: miner(1),
        unit: unit(deal, 1),
    };
    assert_eq!(effects, [Effect::Requeue(unit(deal, 0)), keep]);
    assert_eq!(board.tick(NOW.after(GRACE_SECONDS)), [], "it is here again");
    // Coming back does not buy time.
    let late = board.tick(NOW.after(UNIT_SECONDS));
    assert!(late.contains(&Effect::Requeue(unit(deal, 1))));
}

#[test]
fn a_miner_that_stays_away_loses_its_units() {
    let (mut board, deal) = board(2);
    join(&mut board, 1, offer(1, 2));
    board.leave(miner(1), Session(7), NOW);
    assert_eq!(
        board.tick(NOW.after(GRACE_SECONDS)),
        [],
        "another session's end is not this one's"
    );
    board.leave(miner(1), Session(1), NOW);
    assert_eq!(board.fill(NOW), []);
    let gone = board.tick(NOW.after(GRACE_SECONDS));
    assert_eq!(
        gone,
        [
            Effect::Requeue(unit(deal, 0)),
            Effect::Requeue(unit(deal, 1))
        ]
    );
    assert!(board.miners.is_empty());
    assert_eq!(
        board.accept(miner(1), unit(deal, 0), Cu(1)),
        Ok(Vec::new()),
        "still the first"
    );
}

#[test]
fn orders_that_are_not_its_own_any_more_are_cancelled_when_a_miner_comes_back() {
    let (mut board, deal) = board(2);
    join(&mut board, 1, offer(1, 2));
    board.leave(miner(1), Session(1), NOW);
    board.tick(NOW.after(GRACE_SECONDS));
    join(&mut board, 2, offer(2, 1));
    board.accept(miner(2), unit(deal, 0), Cu(1)).unwrap();
    let unknown = unit(DealId(B256::repeat_byte(9)), 0);
    let holding = BTreeSet::from([unit(deal, 0), unit(deal, 1), unit(deal, 7), unknown]);
    let effects = board.join(
        miner(1),
        Offer {
            holding,
            ..offer(3, 2)
        },
        NOW,
    );
    let cancel = |n| Effect::Cancel {
        miner: miner(1),
        unit: unit(deal, n),
    };
    let keep = Effect::Keep {
        miner: miner(1),
        unit: unit(deal, 1),
    };
    assert_eq!(
        effects,
        [cancel(0), keep, cancel(7)],
        "a deal nobody knows may be on its way"
    );
}

#[test]
fn a_draining_miner_finishes_and_gets_nothing_new() {
    let (mut board, deal) = board(3);
    join(&mut board, 1, offer(1, 1));
    board.drain(miner(1));
    board.accept(miner(1), unit(deal, 0), Cu(1)).unwrap();
    assert_eq!(board.fill(NOW), []);
}

#[test]
fn a_restart_goes_on_where_the_disk_says() {
    let info = info(1, 5, 5);
    let deal = info.id;
    let restored = Restored {
        done: vec![(0, miner(1), Cu(7))],
        assigned: vec![
            (1, miner(1), NOW),
            (2, miner(2), NOW),
            (3, miner(3), NOW),
            (0, miner(3), NOW),
            (9, miner(3), NOW),
        ],
        ..Restored::default()
    };
    let mut board = Board::new(UNIT_SECONDS);
    // Miner 2 is back already and has its unit, miner 3 is back without; miner 1 is still to come.
    let holding = BTreeSet::from([unit(deal, 2)]);
    board.join(
        miner(2),
        Offer {
            holding,
            ..offer(2, 1)
        },
        NOW,
    );
    board.join(miner(3), offer(3, 0), NOW);
    let effects = board.open(info, &restored, NOW);
    let keep = |number, n| Effect::Keep {
        miner: miner(number),
        unit: unit(deal, n),
    };
    let requeue = |n| Effect::Requeue(unit(deal, n));
    assert_eq!(effects, [keep(2, 2), requeue(3), requeue(0), requeue(9)]);
    let progress = board.progress(deal).unwrap();
    assert_eq!(
        (progress.done, progress.running, progress.queued),
        (1, 2, 2)
    );
    assert_eq!(progress.cu_done, Cu(7));
    let holding = BTreeSet::from([unit(deal, 1)]);
    let later = NOW.after(GRACE_SECONDS - 1);
    let back = board.join(
        miner(1),
        Offer {
            holding,
            ..offer(1, 1)
        },
        later,
    );
    assert_eq!(back, [keep(1, 1)]);
    board.set_owed(miner(1), Work::NONE);
    assert_eq!(board.fill(NOW), [], "its place is taken by what it has");
    board.accept(miner(1), unit(deal, 1), Cu(1)).unwrap();
    assert_eq!(count(&board.fill(NOW), 1), 1);
}

#[test]
fn units_of_a_restart_go_elsewhere_when_their_miner_stays_away_or_their_time_is_over() {
    let info = info(1, 2, 2);
    let deal = info.id;
    let old = UnixSeconds(NOW.0 - UNIT_SECONDS);
    let restored = Restored {
        done: Vec::new(),
        assigned: vec![(0, miner(1), old), (1, miner(2), NOW)],
        ..Restored::default()
    };
    let mut board = Board::new(UNIT_SECONDS);
    assert_eq!(board.open(info, &restored, NOW), []);
    assert_eq!(board.tick(NOW)[0], Effect::Requeue(unit(deal, 0)));
    let gone = board.tick(NOW.after(GRACE_SECONDS));
    assert_eq!(gone, [Effect::Requeue(unit(deal, 1))]);
}

#[test]
fn a_restart_finds_a_deal_finished() {
    let info = info(1, 1, 1);
    let deal = info.id;
    let restored = Restored {
        done: vec![(0, miner(1), Cu(7))],
        ..Restored::default()
    };
    let mut board = Board::new(UNIT_SECONDS);
    board.open(info, &restored, NOW);
    assert_eq!(board.fill(NOW), [Effect::Finished(deal)]);
}

#[test]
fn a_deal_that_is_opened_twice_stays_as_it_is() {
    let (mut board, deal) = board(2);
    join(&mut board, 1, offer(1, 1));
    assert_eq!(board.open(info(1, 2, 2), &Restored::default(), NOW), []);
    assert_eq!(board.progress(deal).unwrap().running, 1);
}

#[test]
fn closing_a_deal_frees_its_miners() {
    let (mut board, deal) = board(2);
    join(&mut board, 1, offer(1, 1));
    let cancel = Effect::Cancel {
        miner: miner(1),
        unit: unit(deal, 0),
    };
    assert_eq!(board.close(deal), [cancel]);
    assert_eq!(board.close(deal), []);
    assert_eq!(
        board.accept(miner(1), unit(deal, 0), Cu(1)),
        Err(NotTaken::NoDeal)
    );
    assert_eq!(
        board.fail(miner(1), unit(deal, 0), Failure::ForNow, NOW),
        []
    );
    let other = info(2, 1, 1);
    board.open(other, &Restored::default(), NOW);
    assert_eq!(count(&board.fill(NOW), 1), 1);
}

#[test]
fn failures_of_units_a_miner_does_not_have_change_nothing() {
    let (mut board, deal) = board(2);
    join(&mut board, 1, offer(1, 1));
    for (who, which) in [(2, unit(deal, 0)), (1, unit(deal, 1)), (1, unit(deal, 9))] {
        assert_eq!(board.fail(miner(who), which, Failure::ForEver, NOW), []);
    }
    assert_eq!(board.progress(deal).unwrap().running, 1);
    assert_eq!(board.miners[&miner(1)].window(), WINDOW_FIRST);
}

#[test]
fn r15_units_of_a_deal_with_a_court_wait_for_miners_whose_bond_stays() {
    let mut board = Board::new(UNIT_SECONDS);
    let (courtly, plain) = (info_with_court(1, 2), info(2, 1, 1));
    let end = courtly.terms.deliver_by.after(courtly.terms.window);
    let (court, free) = (courtly.id, plain.id);
    board.open(courtly, &Restored::default(), NOW);
    assert_eq!(join(&mut board, 1, offer(1, 1)), [], "nobody was asked yet");
    assert_eq!(board.wanting_bonds(), [miner(1)].into());

    // A register without games: a bond has to stay until the end of the last window.
    let mut bonds = Bonds::new(WINDOW_MAX_SECONDS);
    bonds.set(miner(1), Some(UnixSeconds(end.0 - 1)));
    board.set_bonds(bonds.clone());
    assert_eq!(board.fill(NOW), []);
    let found = board.machines_for(court, NOW).unwrap();
    assert_eq!((found.bond_too_short, found.ready), (1, 0));

    // A deal without a court is open to it all the same.
    board.open(plain, &Restored::default(), NOW);
    assert!(matches!(
        board.fill(NOW)[..],
        [Effect::Assign { miner: by, unit, .. }] if (by, unit.deal) == (miner(1), free)
    ));

    bonds.set(miner(2), Some(end));
    board.set_bonds(bonds);
    assert!(matches!(
        join(&mut board, 2, offer(2, 1))[..],
        [Effect::Assign { miner: by, unit, .. }] if (by, unit.deal) == (miner(2), court)
    ));
    board.close(court);
    assert_eq!(board.wanting_bonds(), BTreeSet::new());
}
