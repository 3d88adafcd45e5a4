//! Payouts by proof: posted, proven, claimed, and taken back.

use super::*;

fn payout(epoch: u32, top: u8) -> PayoutRow {
    PayoutRow {
        wallet: WALLET,
        epoch,
        count: 3,
        net: Gio::from_units(100 + u64::from(epoch)),
        top: B256::repeat_byte(top),
        leaves_root: B256::repeat_byte(top),
    }
}

fn part(payout: PayoutRow, net: u64) -> PartRow {
    PartRow {
        payout,
        leaf: 1,
        net: Gio::from_units(net),
        proof: vec![B256::repeat_byte(1), B256::repeat_byte(2)],
        is_claimed: false,
    }
}

fn posted(posted: Vec<PayoutRow>, until: u64) -> Change {
    let wallet = WALLET;
    Change::PayoutsPosted {
        wallet,
        posted,
        until,
    }
}

#[tokio::test]
async fn payouts_are_posted_proven_and_claimed_once_and_begin_anew_in_anothers_place() {
    let db = fresh().await;
    let (small, large) = (payout(0, 1), payout(1, 2));
    let parts = vec![part(large, 40)];
    let proven = Change::PayoutProven {
        payout: large,
        parts: parts.clone(),
    };
    for _ in 0..2 {
        db.apply(posted(vec![small, large], 9)).await;
        db.apply(proven.clone()).await;
    }
    db.apply(posted(Vec::new(), 8)).await;
    assert_eq!(db.store.payouts_until(WALLET).await.unwrap(), Some(9));
    assert_eq!(db.store.payout(WALLET, 1).await.unwrap(), Some(large));
    let unproven = async |least| {
        let least = Gio::from_units(least);
        db.store.unproven_payouts(WALLET, least).await.unwrap()
    };
    assert_eq!(unproven(100).await, [small]);
    assert_eq!(unproven(101).await, []);
    let unsettled = async |since| {
        let since = UnixSeconds(since);
        db.store.unsettled_parts(WALLET, since).await.unwrap()
    };
    assert_eq!(unsettled(0).await, parts);
    let claimed = Change::PartClaimed {
        part: Box::new(parts[0].clone()),
        tx: Some(B256::ZERO),
        at: NOW,
    };
    db.apply(claimed.clone()).await;
    db.apply(claimed).await;
    assert!(unsettled(NOW.0).await[0].is_claimed, "in doubt for a while");
    assert_eq!(unsettled(NOW.0 + 1).await, []);
    let totals = db.store.payout_totals(Some(WALLET)).await.unwrap();
    let expected = PayoutTotals {
        claimed: Gio::from_units(40),
        claimed_parts: 1,
        unproven: 1,
        ..PayoutTotals::default()
    };
    assert_eq!(totals, expected);
    assert_eq!(db.store.payout_totals(None).await.unwrap(), expected);
    let elsewhere = Some(gio_protocol::Address::ZERO);
    let none = db.store.payout_totals(elsewhere).await.unwrap();
    assert_eq!(none, PayoutTotals::default());

    let other = payout(1, 3);
    db.apply(posted(vec![other], 10)).await;
    assert_eq!(unproven(101).await, [other]);
    assert_eq!(unsettled(0).await, []);
    db.apply(proven).await;
    assert_eq!(
        unsettled(0).await,
        [],
        "the proof is of what was there before"
    );
}

#[tokio::test]
async fn payouts_of_more_than_there_is_stop_nothing() {
    let db = fresh().await;
    for epoch in 0..3 {
        let row = PayoutRow {
            net: Gio::from_units(u64::MAX),
            ..payout(epoch, 1)
        };
        db.apply(posted(vec![row], 1)).await;
        let parts = vec![part(row, u64::MAX)];
        let payout = row;
        db.apply(Change::PayoutProven { payout, parts }).await;
    }
    let totals = db.store.payout_totals(None).await.unwrap();
    assert_eq!((totals.open.units(), totals.open_parts), (u64::MAX, 3));
}
