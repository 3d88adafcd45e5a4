//! The end of a deal: nothing is given out that cannot be done in time.

use super::*;
use crate::domain::next::post_at;

/// A deal of four units, the first of which a miner got at `since` and did in so many seconds.
fn with_one_done(since: UnixSeconds, seconds: u64) -> (Board, DealId) {
    let mut board = Board::new(UNIT_SECONDS);
    let deal = info(1, 4, 4);
    let id = deal.id;
    board.open(deal, &Restored::default(), since);
    board.join(miner(1), offer(1, 1), since);
    board.set_owed(miner(1), Work::NONE);
    let given = assigned(&board.fill(since));
    board.tick(since.after(seconds));
    board.accept(miner(1), given[0].1, CU_LIMIT).unwrap();
    (board, id)
}

#[test]
fn a_unit_that_takes_longer_than_is_left_is_not_given_out() {
    let end = post_at(&terms());
    let before = |seconds: u64| UnixSeconds(end.0 - seconds);
    let (mut board, deal) = with_one_done(before(200), 50);
    assert_eq!(
        board.fill(before(50)),
        [],
        "done when nothing is taken any more"
    );
    assert_eq!(board.progress(deal).unwrap().queued, 3);
    assert_eq!(count(&board.fill(before(51)), 1), 1, "done just in time");
    // Nobody knows how long a unit takes before one is done.
    let mut fresh = Board::new(UNIT_SECONDS);
    fresh.open(info(1, 1, 1), &Restored::default(), before(2));
    fresh.join(miner(1), offer(1, 1), before(2));
    fresh.set_owed(miner(1), Work::NONE);
    assert_eq!(fresh.fill(end), [], "it would be cut off at once");
    assert_eq!(count(&fresh.fill(before(1)), 1), 1);
}

#[test]
fn a_clock_beyond_the_deadline_of_a_deal_on_the_board_is_not_believed() {
    let late = terms().deliver_by.after(1);
    let (mut board, _) = with_one_done(UnixSeconds(0), 50);
    assert_eq!(count(&board.fill(late), 1), 1);
}
