//! Payments and ends that a reorganisation may take back.

use super::*;

const TX: B256 = B256::repeat_byte(1);

/// A payment to miner 1 for its only unit, made in block 7.
async fn made(store: &Store, is_deep: bool) -> PayoutRow {
    let deal = sign(store, 1).await.id;
    accept(store, deal, &[0], miner(1)).await;
    let row = intend(store).await.unwrap();
    assert!(store.note_nonce(row.id, None, 3).await.unwrap());
    store.complete_payout(row.id, TX, 7, is_deep).await.unwrap();
    PayoutRow {
        nonce: Some(3),
        tx: Some(TX),
        block: Some(7),
        ..row
    }
}

/// Writes a payment down that is due to miner 1.
async fn intend(store: &Store) -> Option<PayoutRow> {
    let accounts = store.accounts().await.unwrap();
    let due_to = accounts.iter().filter(|account| account.miner == miner(1));
    let mut due_to = due_to.filter_map(|account| Some((account, due(&account.account).unwrap()?)));
    let (account, due) = due_to.next()?;
    store.intend_payout(account, due, 5, NOW).await.unwrap()
}

#[tokio::test]
async fn a_payment_counts_for_its_account_at_once_and_closes_it_when_it_is_deep() {
    let (_dir, store) = fresh().await;
    let row = made(&store, false).await;
    assert_eq!(store.shallow_payouts().await.unwrap(), [row]);
    assert_eq!(store.payouts_of(row.deal).await.unwrap(), [row]);
    let account = async || store.accounts().await.unwrap()[0];
    assert_eq!(account().await.account.paid, row.net);
    assert!(account().await.is_undecided);
    let note = async |now| store.note_whereabouts(row.id, TX, now).await.unwrap();
    assert!(note(Whereabouts::Shallow(9)).await);
    let moved = PayoutRow {
        block: Some(9),
        ..row
    };
    assert_eq!(store.shallow_payouts().await.unwrap(), [moved]);
    assert!(note(Whereabouts::Deep(9)).await);
    assert_eq!(store.shallow_payouts().await.unwrap(), []);
    assert!(!account().await.is_undecided);
    assert!(!note(Whereabouts::Gone).await, "it counts for good");
    assert_eq!(store.payouts_of(row.deal).await.unwrap(), [moved]);
}

#[tokio::test]
async fn a_payment_that_is_gone_is_under_way_again_with_its_nonce() {
    let (_dir, store) = fresh().await;
    let row = made(&store, false).await;
    let gone = async |tx| {
        let gone = Whereabouts::Gone;
        store.note_whereabouts(row.id, tx, gone).await.unwrap()
    };
    assert!(!gone(B256::ZERO).await, "another transaction made it");
    // Another payment to the miner is under way: one at a time.
    let other = sign(&store, 2).await.id;
    accept(&store, other, &[0], miner(1)).await;
    let second = intend(&store).await.unwrap();
    assert!(!gone(TX).await);
    store.drop_payout(second.id, None).await.unwrap();
    assert!(gone(TX).await);
    let doubtful = PayoutRow { tx: None, ..row };
    assert_eq!(store.payouts_under_way().await.unwrap(), [doubtful]);
    assert_eq!(store.shallow_payouts().await.unwrap(), []);
    assert_eq!(intend(&store).await, None, "nothing else to this miner");
    assert!(!store.is_booked(TX).await.unwrap());
    let accounts = store.accounts().await.unwrap();
    assert!(accounts[0].is_undecided && accounts[0].account.paid == row.net);
    store.complete_payout(row.id, TX, 8, true).await.unwrap();
    let made = PayoutRow {
        block: Some(8),
        ..row
    };
    assert_eq!(store.payouts_of(row.deal).await.unwrap(), [made]);
}

#[tokio::test]
async fn payments_near_a_reorganisation_are_looked_up_again() {
    let (_dir, store) = fresh().await;
    let row = made(&store, true).await;
    store.set_miners_paid(row.deal).await.unwrap();
    assert_eq!(store.doubt_payouts_since(8).await.unwrap(), 0, "below");
    assert_eq!(store.accounts().await.unwrap().len(), 0);
    assert_eq!(store.doubt_payouts_since(7).await.unwrap(), 1);
    assert_eq!(store.doubt_payouts_since(7).await.unwrap(), 0, "known");
    assert_eq!(store.shallow_payouts().await.unwrap(), [row]);
    let accounts = store.accounts().await.unwrap();
    assert!(accounts.len() == 1 && accounts[0].is_undecided);
}

#[tokio::test]
async fn an_end_is_taken_back_as_it_is_known_and_the_deal_can_end_again() {
    let (_dir, store) = fresh().await;
    let deal = sign(&store, 1).await.id;
    let settled = Settled {
        payment: Gio::from_units(1),
        royalty: Gio::ZERO,
        refund: Gio::from_units(2),
        tx: TX,
    };
    store.set_settled(deal, &settled).await.unwrap();
    let end = async |block| {
        let end = (Stage::Settled, block);
        store.set_end(deal, end, "settled", NOW).await.unwrap()
    };
    assert!(end(7).await);
    assert!(!end(8).await, "over is over");
    store.set_miners_paid(deal).await.unwrap();
    store.note_end_block(deal, 9).await.unwrap();
    assert_eq!(store.ends_since(10).await.unwrap().len(), 0);
    let (row, over_block) = store.ends_since(9).await.unwrap().remove(0);
    assert_eq!((row.id, row.stage, over_block), (deal, Stage::Settled, 9));
    let lost = |over_block| LostEnd {
        deal,
        ended: Stage::Settled,
        over_block,
        stage: Stage::Posted,
        window_end: Some(NOW),
    };
    let back = async |over_block| {
        let lost = lost(over_block);
        store.take_end_back(&lost, "back", NOW).await.unwrap()
    };
    assert!(!back(7).await, "it was seen again since");
    let cursor = Cursor { block: 9, hash: TX };
    assert!(store.set_cursor(None, cursor).await.unwrap());
    assert!(back(9).await);
    assert!(!back(9).await, "once");
    let hash = store.cursor().await.unwrap().unwrap().hash;
    assert_eq!(hash, B256::ZERO, "everything near it is read again");
    let row = store.deal(deal).await.unwrap().unwrap();
    assert_eq!((row.stage, row.settled), (Stage::Posted, None));
    assert_eq!(store.ends_since(0).await.unwrap().len(), 0);
    let names = async || {
        let events = store.events(deal, 0).await.unwrap();
        let names = events.iter().map(|event| event.stage.name());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["signed", "settled", "posted"]);
    assert!(end(12).await);
    assert_eq!(names().await.last(), Some(&"settled"));
}

#[tokio::test]
async fn an_end_without_an_event_has_no_block() {
    let (_dir, store) = fresh().await;
    let deal = sign(&store, 1).await.id;
    let expired = store.set_stage(deal, Stage::Expired, "", NOW).await;
    assert!(expired.unwrap());
    store.note_end_block(deal, 9).await.unwrap();
    assert_eq!(store.ends_since(0).await.unwrap().len(), 0);
}
