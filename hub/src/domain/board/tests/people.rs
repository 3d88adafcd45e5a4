//! What buyers are told of the board: the machines for a deal, what went wrong; and cancelling (R10).

use super::*;

fn with_pages(session: u64, pages_max: u32) -> Offer {
    Offer {
        pages_max,
        ..offer(session, 1)
    }
}

#[test]
fn every_miner_is_counted_once_with_the_reason_that_lasts_longest() {
    let (mut board, deal) = board(1);
    join(&mut board, 1, offer(1, 1));
    join(&mut board, 2, offer(2, 1));
    join(&mut board, 3, with_pages(3, 1));
    let dear = Offer {
        net_price_min: PricePerPu(Gio::from_units(UNIT_NET + 1)),
        ..offer(4, 1)
    };
    join(&mut board, 4, dear);
    join(&mut board, 5, offer(5, 1));
    board.drain(miner(5));
    let poor = Offer {
        exposure_limit: Gio::ZERO,
        ..offer(6, 1)
    };
    join(&mut board, 6, poor);
    let found = board.machines_for(deal, NOW).unwrap();
    let expected = Machines {
        connected: 6,
        ready: 1,
        busy: 1,
        memory_too_small: 1,
        pay_too_low: 1,
        waiting_for_pay: 1,
        resting: 0,
        draining: 1,
        bond_too_short: 0,
        pages_offered: 16,
        net_price_wanted: PricePerPu(Gio::from_units(UNIT_NET)),
    };
    assert_eq!(found, expected);
    board.fail(miner(1), unit(deal, 0), Failure::ForNow, NOW);
    assert_eq!(board.machines_for(deal, NOW).unwrap().resting, 1);
    board.leave(miner(2), Session(2), NOW);
    assert_eq!(board.machines(16, PricePerPu(Gio::ZERO), NOW).connected, 5);
    assert_eq!(
        board
            .machines(17, PricePerPu(Gio::ZERO), NOW)
            .memory_too_small,
        5
    );
    assert_eq!(
        Board::new(1).machines(1, PricePerPu::default(), NOW),
        Machines::default()
    );
}

#[test]
fn units_that_come_back_by_themselves_say_why() {
    let (mut board, deal) = board(2);
    join(&mut board, 1, offer(1, 2));
    board.tick(NOW.after(UNIT_SECONDS));
    let reasons = |board: &mut Board| {
        let troubles = board.take_troubles();
        troubles
            .iter()
            .map(|t| (t.unit.unit, t.reason.clone()))
            .collect::<Vec<_>>()
    };
    let late = "no result within 300 s".to_owned();
    assert_eq!(reasons(&mut board), [(0, late.clone()), (1, late)]);
    assert_eq!(reasons(&mut board), []);
    join(&mut board, 2, offer(2, 1));
    board.leave(miner(2), Session(2), NOW);
    board.tick(NOW.after(GRACE_SECONDS));
    assert_eq!(reasons(&mut board)[0].1, "the miner went away");
    assert_eq!(board.progress(deal).unwrap().queued, 2);
}

#[test]
fn r10_after_a_cancel_what_runs_goes_on_and_nothing_new_begins() {
    let (mut board, deal) = board(4);
    join(&mut board, 1, offer(1, 2));
    board.stop(deal);
    let cu = Cu(5);
    board.accept(miner(1), unit(deal, 0), cu).unwrap();
    assert_eq!(board.fill(NOW), [], "a place is free and two units wait");
    board.accept(miner(1), unit(deal, 1), cu).unwrap();
    assert_eq!(board.fill(NOW), [Effect::Finished(deal)]);
    // A unit that comes back stays back.
    let (mut board, deal) = super::board(1);
    join(&mut board, 1, offer(1, 1));
    board.stop(deal);
    board.fail(miner(1), unit(deal, 0), Failure::ForNow, NOW);
    join(&mut board, 2, offer(2, 1));
    assert_eq!(board.progress(deal).unwrap().running, 0);
}

#[test]
fn r10_a_cancelled_deal_stays_cancelled_after_a_restart() {
    let mut board = Board::new(UNIT_SECONDS);
    let deal = info(1, 2, 2);
    let restored = Restored {
        done: vec![(0, miner(1), Cu(1))],
        stopped: true,
        ..Restored::default()
    };
    board.open(Arc::clone(&deal), &restored, NOW);
    assert_eq!(
        join(&mut board, 1, offer(1, 1)),
        [Effect::Finished(deal.id)]
    );
}
