//! The database from empty: every statement, and what the rest of the hub relies on.

mod database;
mod depth;
mod sequences;
mod shared;

use super::*;
use crate::domain::agreement::tests::terms;
use crate::domain::board::{Restored, UnitRef};
use crate::domain::deal::tests::CHAIN_ID;
use crate::domain::payout::due;
use crate::domain::quote::Quote;
use crate::domain::stage::Stage;
pub(crate) use database::fresh;
use database::reopened;
use gio_content::ContentRef;
use gio_protocol::{
    Address, B256, Claim, Cu, DealId, Gio, PricePerPu, Signature, SignedClaim, Status, UnixSeconds,
    Work,
};

const NOW: UnixSeconds = UnixSeconds(10_000);
const UNIT_NET: u64 = 1_000;
/// One unit's worth at the net price of the tests.
const CU: Cu = Cu(1_000_000_000);

/// A signed deal like no other.
pub(crate) fn row(number: u8) -> DealRow {
    let mut terms = terms();
    terms.hub_nonce = B256::repeat_byte(number);
    DealRow {
        id: terms.deal_id(CHAIN_ID),
        terms,
        buyer_signature: vec![1; 65],
        hub_signature: Signature([2; 65]),
        net_price: PricePerPu(Gio::from_units(UNIT_NET)),
        stage: Stage::Signed,
        posted: None,
        confirmation: None,
        settled: None,
    }
}

fn quote(of: &DealRow, valid_until: UnixSeconds) -> Quote {
    Quote {
        hub_nonce: of.terms.hub_nonce,
        buyer: of.terms.buyer,
        seed_commitment: of.terms.seed_commitment,
        price: of.terms.price_per_pu,
        net_price: of.net_price,
        guarantee: of.terms.guarantee,
        window_seconds: of.terms.window,
        valid_until,
    }
}

fn new<'a>(row: &'a DealRow, contents: &'a [B256]) -> NewDeal<'a> {
    NewDeal {
        row,
        job_spec: b"{}",
        contents,
        memory: 100,
    }
}

/// Quotes and signs.
async fn sign(store: &Store, number: u8) -> DealRow {
    let row = row(number);
    let caller = Address::repeat_byte(9);
    store.add_quote(&quote(&row, NOW), caller).await.unwrap();
    let added = store.add_deal(&new(&row, &[]), NOW).await.unwrap();
    assert_eq!(added, Added::Yes);
    row
}

pub(super) fn miner(number: u8) -> Address {
    Address::repeat_byte(number)
}

pub(super) fn accepted(deal: DealId, unit: u32, by: Address, output: &[u8]) -> AcceptedClaim {
    let claim = Claim {
        deal_id: deal,
        unit,
        owner: by,
        program_root: B256::ZERO,
        input_root: B256::ZERO,
        status: Status::Exit,
        exit_code: 0,
        cu: CU,
        output_root: B256::ZERO,
        output_length: output.len() as u64,
        content_root: gio_content::content_root(output),
    };
    AcceptedClaim {
        signed: SignedClaim {
            claim,
            signature: Signature([3; 65]),
        },
        claim_hash: B256::ZERO,
        output: Some(output.to_vec()),
    }
}

async fn accept(store: &Store, deal: DealId, units: &[u32], by: Address) {
    let batch = WorkBatch {
        accepted: units
            .iter()
            .map(|unit| accepted(deal, *unit, by, b"out"))
            .collect(),
        ..WorkBatch::default()
    };
    store.write_work(&batch, NOW).await.unwrap();
}

#[tokio::test]
async fn migrations_run_from_empty_and_a_second_opening_finds_everything() {
    let (dir, store) = fresh().await;
    let signed = sign(&store, 1).await;
    let again = reopened(&dir).await;
    let found = again.deal(signed.id).await.unwrap().unwrap();
    assert_eq!(found.terms, signed.terms);
    assert_eq!(found.buyer_signature, signed.buyer_signature);
    assert_eq!(found.hub_signature, signed.hub_signature);
    assert_eq!(
        (found.net_price, found.stage),
        (signed.net_price, Stage::Signed)
    );
    assert!(found.posted.is_none() && found.settled.is_none() && found.confirmation.is_none());
    assert_eq!(again.job_spec(signed.id).await.unwrap().unwrap(), b"{}");
}

#[tokio::test]
async fn a_quote_becomes_one_deal() {
    let (_dir, store) = fresh().await;
    let (first, mut second) = (row(1), row(1));
    second.terms.cap = Gio::from_units(1);
    second.id = second.terms.deal_id(CHAIN_ID);
    store
        .add_quote(&quote(&first, NOW), miner(9))
        .await
        .unwrap();
    let (found, used) = store.quote(first.terms.hub_nonce).await.unwrap().unwrap();
    assert_eq!((found, used), (quote(&first, NOW), None));
    let add = async |row: &DealRow| store.add_deal(&new(row, &[]), NOW).await.unwrap();
    assert_eq!(add(&first).await, Added::Yes);
    assert_eq!(add(&first).await, Added::Yes, "the same again is the same");
    assert_eq!(add(&second).await, Added::QuoteUsed);
    assert!(store.deal(second.id).await.unwrap().is_none());
    let (_, used) = store.quote(first.terms.hub_nonce).await.unwrap().unwrap();
    assert_eq!(used, Some(first.id));
    assert_eq!(
        store.events(first.id, 0).await.unwrap().len(),
        1,
        "signed once"
    );
    assert_eq!(add(&row(2)).await, Added::QuoteUsed, "never quoted");
}

#[tokio::test]
async fn quotes_are_counted_by_caller_and_forgotten_when_they_end() {
    let (_dir, store) = fresh().await;
    let used = sign(&store, 1).await;
    for (number, until) in [(2, NOW), (3, NOW.after(1)), (4, NOW.after(2))] {
        store
            .add_quote(&quote(&row(number), until), miner(8))
            .await
            .unwrap();
    }
    assert_eq!(store.open_quotes(miner(8), NOW).await.unwrap(), 3);
    assert_eq!(store.open_quotes(miner(8), NOW.after(1)).await.unwrap(), 2);
    assert_eq!(
        store.open_quotes(miner(9), NOW).await.unwrap(),
        0,
        "it became a deal"
    );
    assert_eq!(store.drop_quotes_before(NOW.after(2)).await.unwrap(), 2);
    assert!(store.quote(row(2).terms.hub_nonce).await.unwrap().is_none());
    assert!(store.quote(row(4).terms.hub_nonce).await.unwrap().is_some());
    assert!(
        store.quote(used.terms.hub_nonce).await.unwrap().is_some(),
        "a deal needs it"
    );
}

#[tokio::test]
async fn stages_only_move_on_and_an_end_is_an_end() {
    let (_dir, store) = fresh().await;
    let deal = sign(&store, 1).await.id;
    let to = async |stage| store.set_stage(deal, stage, "", NOW).await.unwrap();
    assert!(to(Stage::Running).await, "stages may be skipped");
    assert!(!to(Stage::Running).await);
    assert!(!to(Stage::Open).await, "late news");
    assert!(to(Stage::Settled).await);
    assert!(!to(Stage::Refunded).await, "another end");
    assert!(!to(Stage::Expired).await, "another end");
    let found = store.deal(deal).await.unwrap().unwrap();
    assert_eq!(found.stage, Stage::Settled);
    let events = store.events(deal, 0).await.unwrap();
    let stages: Vec<Stage> = events.iter().map(|event| event.stage).collect();
    assert_eq!(stages, [Stage::Signed, Stage::Running, Stage::Settled]);
    let rest = store.events(deal, events[0].id).await.unwrap();
    assert_eq!(rest, events[1..]);
    let unknown = DealId(B256::ZERO);
    assert!(
        !store
            .set_stage(unknown, Stage::Open, "", NOW)
            .await
            .unwrap()
    );
    assert!(store.events(unknown, 0).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_load_counts_what_may_still_come_to_the_board() {
    let (_dir, store) = fresh().await;
    let guarantee = terms().guarantee;
    let (a, b, c) = (
        sign(&store, 1).await,
        sign(&store, 2).await,
        sign(&store, 3).await,
    );
    let cap = terms().cap;
    assert_eq!(
        store.unopened_caps(a.terms.buyer).await.unwrap().units(),
        3 * cap.units()
    );
    assert_eq!(store.unopened_caps(miner(7)).await.unwrap(), Gio::ZERO);
    store.set_stage(a.id, Stage::Open, "", NOW).await.unwrap();
    store
        .set_stage(b.id, Stage::Assembling, "", NOW)
        .await
        .unwrap();
    let expected = Load {
        deals: 2,
        memory: 200,
        guarantees: guarantee,
    };
    assert_eq!(store.load().await.unwrap(), expected);
    assert_eq!(store.unopened_caps(a.terms.buyer).await.unwrap(), cap);
    let open = store.deals_in(&[Stage::Open, Stage::Signed]).await.unwrap();
    assert_eq!(
        open.iter().map(|deal| deal.id).collect::<Vec<_>>(),
        [a.id, c.id]
    );
}

#[tokio::test]
async fn a_result_is_written_once_and_where_it_was_posted_beside_it() {
    let (_dir, store) = fresh().await;
    let deal = sign(&store, 1).await.id;
    let posted = Posted {
        result_root: B256::repeat_byte(1),
        tree_hash: B256::repeat_byte(2),
        cu_total: Cu(3),
        claims: ContentRef::of(b"claims"),
        tx: None,
        window_end: None,
    };
    store.set_result(deal, &posted).await.unwrap();
    let found = async || store.deal(deal).await.unwrap().unwrap().posted.unwrap();
    assert_eq!(found().await, posted);
    let place = (B256::repeat_byte(5), NOW.after(60));
    store
        .set_posted(deal, Some(place.0), Some(place.1))
        .await
        .unwrap();
    let other = Posted {
        result_root: B256::repeat_byte(9),
        ..posted
    };
    store.set_result(deal, &other).await.unwrap();
    let expected = Posted {
        tx: Some(place.0),
        window_end: Some(place.1),
        ..posted
    };
    assert_eq!(found().await, expected, "neither overwrites the other");
    store.set_confirmation(deal, &[7; 65]).await.unwrap();
    let settled = Settled {
        payment: Gio::from_units(1),
        royalty: Gio::from_units(2),
        refund: Gio::from_units(3),
        tx: B256::repeat_byte(6),
    };
    store.set_settled(deal, &settled).await.unwrap();
    let found = store.deal(deal).await.unwrap().unwrap();
    assert_eq!(
        (found.settled, found.confirmation),
        (Some(settled), Some(vec![7; 65]))
    );
}

#[tokio::test]
async fn work_is_restored_as_it_was_written() {
    let (_dir, store) = fresh().await;
    let deal = sign(&store, 1).await.id;
    let unit = |unit| UnitRef { deal, unit };
    let first = WorkBatch {
        assigned: (0..4).map(|n| (unit(n), miner(1))).collect(),
        ..WorkBatch::default()
    };
    store.write_work(&first, NOW).await.unwrap();
    let second = WorkBatch {
        requeued: vec![unit(1), unit(2)],
        accepted: vec![accepted(deal, 0, miner(1), b"out")],
        assigned: vec![(unit(1), miner(2))],
    };
    store.write_work(&second, NOW.after(5)).await.unwrap();
    let restored: Restored = store.restored(deal).await.unwrap();
    assert_eq!(restored.done, [(0, miner(1), CU)]);
    assert_eq!(
        restored.assigned,
        [(1, miner(2), NOW.after(5)), (3, miner(1), NOW)]
    );
    let claims = store.claims(deal).await.unwrap();
    assert_eq!(claims, [second.accepted[0].signed.clone()]);
    let price = PricePerPu(Gio::from_units(UNIT_NET));
    let own = store.acceptance(unit(0), miner(1)).await.unwrap();
    assert_eq!(own, Some((claims[0].claim.clone(), price)));
    assert_eq!(store.acceptance(unit(0), miner(2)).await.unwrap(), None);
    assert_eq!(store.acceptance(unit(1), miner(2)).await.unwrap(), None);
}

#[tokio::test]
async fn small_outputs_lie_with_their_claims_and_larger_ones_among_the_contents() {
    let (_dir, store) = fresh().await;
    let deal = sign(&store, 1).await.id;
    let large = vec![7u8; OUTPUT_WITH_CLAIM_MAX + 1];
    let small = |unit: u32| unit.to_string().into_bytes();
    let units = [0u32, 1, 2, 4];
    let output = |unit: u32| {
        if unit == 1 {
            large.clone()
        } else {
            small(unit)
        }
    };
    let batch = WorkBatch {
        accepted: units
            .map(|unit| accepted(deal, unit, miner(1), &output(unit)))
            .into(),
        ..WorkBatch::default()
    };
    store.write_work(&batch, NOW).await.unwrap();
    let pages = [(0, 2, vec![0, 2]), (3, 2, vec![4]), (5, 2, vec![])];
    for (first, count, wanted) in pages {
        let found = store.small_outputs(deal, first, count).await.unwrap();
        let wanted: Vec<_> = wanted.into_iter().map(|unit| (unit, small(unit))).collect();
        assert_eq!(found, wanted);
    }
    let root = |bytes: &[u8]| ContentRef::of(bytes).root;
    let kept = store.content_bytes(root(&large)).await.unwrap();
    assert_eq!(kept, Some(Some(large.clone())));
    assert_eq!(store.content_bytes(root(b"0")).await.unwrap(), None);
    let over = store.set_stage(deal, Stage::Settled, "over", NOW);
    assert!(over.await.unwrap());
    let later = NOW.after(10);
    assert_eq!(store.release_contents(later, later).await.unwrap(), 1);
    assert!(store.small_outputs(deal, 0, 9).await.unwrap().is_empty());
    assert_eq!(store.claims(deal).await.unwrap().len(), 4, "claims stay");
}

#[test]
fn pages_are_powers_of_two_and_hold_every_row() {
    for rows in [0usize, 1, 2, 3, 255, 256, 257, 700, 1023] {
        let all: Vec<usize> = (0..rows).collect();
        let pages: Vec<&[usize]> = super::work::pages(&all).collect();
        assert!(
            pages
                .iter()
                .all(|page| page.len().is_power_of_two() && page.len() <= 256)
        );
        assert_eq!(pages.concat(), all);
    }
    assert_eq!(values(2, 2), "($1, $2), ($3, $4)");
    assert_eq!(values(1, 3), "($1, $2, $3)");
}

#[tokio::test]
async fn a_batch_is_written_whole_or_not_at_all() {
    let (_dir, store) = fresh().await;
    let deal = sign(&store, 1).await.id;
    accept(&store, deal, &[0], miner(1)).await;
    let unit = |unit| UnitRef { deal, unit };
    let twice = WorkBatch {
        accepted: vec![
            accepted(deal, 1, miner(1), b"x"),
            accepted(deal, 0, miner(2), b"x"),
        ],
        assigned: vec![(unit(2), miner(1))],
        ..WorkBatch::default()
    };
    assert!(
        store.write_work(&twice, NOW).await.is_err(),
        "a unit has one claim"
    );
    let restored = store.restored(deal).await.unwrap();
    assert_eq!(restored.done, [(0, miner(1), CU)]);
    assert!(restored.assigned.is_empty());
    assert_eq!(store.accounts().await.unwrap().len(), 1);
}

#[tokio::test]
async fn accounts_follow_claims_and_payments() {
    let (_dir, store) = fresh().await;
    let (one, two) = (sign(&store, 1).await.id, sign(&store, 2).await.id);
    assert!(!store.has_claims(one).await.unwrap());
    accept(&store, one, &[0, 1], miner(1)).await;
    accept(&store, one, &[2], miner(2)).await;
    accept(&store, two, &[0], miner(1)).await;
    accept(&store, one, &[3], miner(1)).await;
    assert!(store.has_claims(one).await.unwrap());
    let units = |n: u64| Work::of(Cu(n * CU.0), PricePerPu(Gio::from_units(UNIT_NET)));
    assert_eq!(store.owed(miner(1)).await.unwrap(), units(4));
    assert_eq!(store.owed(miner(3)).await.unwrap(), Work::NONE);

    let accounts = store.accounts().await.unwrap();
    let account = *accounts
        .iter()
        .find(|a| a.deal == one && a.miner == miner(1))
        .unwrap();
    assert_eq!((accounts.len(), account.units, account.over), (3, 3, false));
    let due = due(&account.account).unwrap().unwrap();
    let payout = store
        .intend_payout(&account, due, 5, NOW)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        store.owed(miner(1)).await.unwrap(),
        units(4),
        "not made yet"
    );
    let tx = B256::repeat_byte(1);
    store.complete_payout(payout.id, tx, 7, true).await.unwrap();
    assert_eq!(store.owed(miner(1)).await.unwrap(), units(1));
    assert!(store.is_booked(tx).await.unwrap());
    assert!(!store.is_booked(B256::ZERO).await.unwrap());
    assert_eq!(store.paid_lately(9).await.unwrap(), [miner(1)]);

    store
        .set_stage(one, Stage::Refunded, "", NOW)
        .await
        .unwrap();
    let accounts = store.accounts().await.unwrap();
    let paid = accounts
        .iter()
        .find(|a| a.deal == one && a.miner == miner(1))
        .unwrap();
    assert!(paid.over, "accepted work is paid however the deal ended");
    assert_eq!((paid.account.paid, paid.last), (due.net, Some(NOW)));
    store.set_miners_paid(one).await.unwrap();
    let left: Vec<_> = store
        .accounts()
        .await
        .unwrap()
        .iter()
        .map(|a| a.deal)
        .collect();
    assert_eq!(left, [two]);
}

#[tokio::test]
async fn one_payment_to_a_miner_is_under_way_at_a_time() {
    let (_dir, store) = fresh().await;
    let deal = sign(&store, 1).await.id;
    accept(&store, deal, &[0], miner(1)).await;
    accept(&store, deal, &[1], miner(2)).await;
    let accounts = store.accounts().await.unwrap();
    let due = due(&accounts[0].account).unwrap().unwrap();
    let intend = async |n: usize| {
        store
            .intend_payout(&accounts[n], due, 5, NOW)
            .await
            .unwrap()
    };
    let first = intend(0).await.unwrap();
    assert_eq!(intend(0).await, None, "one is under way");
    let other = intend(1).await.unwrap();
    assert_eq!(store.payouts_under_way().await.unwrap(), [first, other]);
    store.drop_payout(first.id, None).await.unwrap();
    let again = intend(0).await.unwrap();
    let tx = B256::repeat_byte(1);
    store.complete_payout(again.id, tx, 7, true).await.unwrap();
    store.drop_payout(again.id, None).await.unwrap();
    store
        .complete_payout(again.id, B256::ZERO, 8, true)
        .await
        .unwrap();
    let made = PayoutRow {
        tx: Some(tx),
        block: Some(7),
        ..again
    };
    assert_eq!(
        store.payouts_of(deal).await.unwrap(),
        [made],
        "what is made stays made"
    );
    assert!(
        store.complete_payout(other.id, tx, 7, true).await.is_err(),
        "a transaction pays once"
    );
    assert_eq!(store.payouts_under_way().await.unwrap(), [other]);
}

#[tokio::test]
async fn an_account_that_was_read_before_another_process_paid_it_is_not_paid_again() {
    let (dir, store) = fresh().await;
    let deal = sign(&store, 1).await.id;
    accept(&store, deal, &[0], miner(1)).await;
    let stale = store.accounts().await.unwrap()[0];
    let due = due(&stale.account).unwrap().unwrap();
    let other = reopened(&dir).await;
    let row = other.intend_payout(&stale, due, 5, NOW).await.unwrap();
    let tx = B256::repeat_byte(1);
    other
        .complete_payout(row.unwrap().id, tx, 7, true)
        .await
        .unwrap();
    let again = store.intend_payout(&stale, due, 5, NOW).await.unwrap();
    assert_eq!(again, None);
}

#[tokio::test]
async fn a_payment_is_sent_only_under_the_nonce_in_the_books() {
    let (_dir, store) = fresh().await;
    let deal = sign(&store, 1).await.id;
    accept(&store, deal, &[0], miner(1)).await;
    let account = store.accounts().await.unwrap()[0];
    let due = due(&account.account).unwrap().unwrap();
    let intend = async || {
        let row = store.intend_payout(&account, due, 5, NOW).await;
        row.unwrap().unwrap().id
    };
    let note = async |id, before, nonce| store.note_nonce(id, before, nonce).await.unwrap();
    let first = intend().await;
    assert!(note(first, None, 7).await);
    assert!(!note(first, None, 8).await, "another process was here");
    assert!(note(first, Some(7), 8).await);
    for old in [None, Some(7)] {
        store.drop_payout(first, old).await.unwrap();
    }
    let rows = store.payouts_under_way().await.unwrap();
    assert_eq!((rows.len(), rows[0].nonce), (1, Some(8)), "not this one");
    store.drop_payout(first, Some(8)).await.unwrap();
    assert!(!note(first, Some(8), 9).await, "it is off the books");
    let again = intend().await;
    let tx = B256::repeat_byte(1);
    store.complete_payout(again, tx, 7, true).await.unwrap();
    assert!(!note(again, None, 9).await, "it is made");
}

#[tokio::test]
async fn payments_in_parts_say_what_each_was_for() {
    let (_dir, store) = fresh().await;
    let deal = sign(&store, 1).await.id;
    for (round, units) in [(1u8, vec![0, 1]), (2, vec![2])] {
        accept(&store, deal, &units, miner(1)).await;
        let account = store.accounts().await.unwrap()[0];
        let due = due(&account.account).unwrap().unwrap();
        let row = store
            .intend_payout(&account, due, 5, NOW)
            .await
            .unwrap()
            .unwrap();
        store
            .complete_payout(row.id, B256::repeat_byte(round), 7, true)
            .await
            .unwrap();
    }
    let parts = store.payouts_of(deal).await.unwrap();
    let figures: Vec<_> = parts
        .iter()
        .map(|part| (part.units, part.cu.0, part.net.units()))
        .collect();
    assert_eq!(figures, [(2, 2 * CU.0, 2 * UNIT_NET), (1, CU.0, UNIT_NET)]);
}

#[tokio::test]
async fn deals_that_ended_without_work_leave_the_payers_list() {
    let (_dir, store) = fresh().await;
    let (idle, worked) = (sign(&store, 1).await.id, sign(&store, 2).await.id);
    accept(&store, worked, &[0], miner(1)).await;
    for deal in [idle, worked] {
        store
            .set_stage(deal, Stage::Refunded, "", NOW)
            .await
            .unwrap();
    }
    assert_eq!(
        store.close_accounts_without_work(NOW).await.unwrap(),
        0,
        "not long enough ago"
    );
    assert_eq!(
        store
            .close_accounts_without_work(NOW.after(1))
            .await
            .unwrap(),
        1
    );
    assert_eq!(store.accounts().await.unwrap().len(), 1);
}

#[tokio::test]
async fn contents_stay_while_a_deal_needs_them() {
    let (_dir, store) = fresh().await;
    let keep = async |root: u8, peer: Option<Address>, until: UnixSeconds| {
        let content = ContentRow {
            root: B256::repeat_byte(root),
            length: 10,
            peer,
            keep_until: until,
            bytes: (root != 3).then_some(&b"0123456789"[..]),
        };
        store.keep_content(&content).await.unwrap();
    };
    for root in 1..=4 {
        keep(root, Some(miner(1)), NOW).await;
    }
    assert_eq!(store.unused_bytes(miner(1)).await.unwrap(), 40);
    assert_eq!(store.content_bytes_total().await.unwrap(), (40, 40));
    let (used, shared) = (B256::repeat_byte(1), B256::repeat_byte(2));
    let (mut deals, caller) = (Vec::new(), miner(9));
    for (number, contents) in [(1, vec![used, shared]), (2, vec![shared])] {
        let row = row(number);
        store.add_quote(&quote(&row, NOW), caller).await.unwrap();
        let missing = [B256::repeat_byte(8)];
        let added = store.add_deal(&new(&row, &missing), NOW).await.unwrap();
        assert_eq!(added, Added::ContentMissing(missing[0]));
        assert!(store.deal(row.id).await.unwrap().is_none(), "not signed");
        let added = store.add_deal(&new(&row, &contents), NOW).await.unwrap();
        assert_eq!(added, Added::Yes);
        deals.push(row.id);
    }
    assert_eq!(
        store.unused_bytes(miner(1)).await.unwrap(),
        20,
        "the deals' own are not counted"
    );
    keep(4, None, NOW.after(60)).await;
    keep(1, None, NOW).await;
    let dropped = store.drop_contents_before(NOW.after(1)).await.unwrap();
    let file = Dropped {
        root: B256::repeat_byte(3),
        is_file: true,
    };
    assert_eq!(dropped, [file], "used ones stay, extended ones stay");

    for deal in &deals {
        store
            .set_stage(*deal, Stage::Settled, "", NOW)
            .await
            .unwrap();
    }
    assert_eq!(
        store.release_contents(NOW, NOW).await.unwrap(),
        0,
        "not over long enough"
    );
    let later = NOW.after(1_000);
    assert_eq!(store.release_contents(later, later).await.unwrap(), 2);
    assert_eq!(store.job_spec(deals[0]).await.unwrap(), None);
    let mut roots: Vec<B256> = store
        .drop_contents_before(later.after(1))
        .await
        .unwrap()
        .iter()
        .map(|dropped| dropped.root)
        .collect();
    roots.sort();
    assert_eq!(roots, [used, shared, B256::repeat_byte(4)]);
    assert_eq!(store.content_bytes_total().await.unwrap(), (0, 0));
}

#[tokio::test]
async fn a_shared_content_stays_for_the_deal_that_is_not_over() {
    let (_dir, store) = fresh().await;
    let (over, open) = (sign(&store, 1).await.id, sign(&store, 2).await.id);
    accept(&store, over, &[0], miner(1)).await;
    accept(&store, open, &[0], miner(1)).await;
    store
        .set_stage(over, Stage::Settled, "", NOW)
        .await
        .unwrap();
    let later = NOW.after(10);
    assert_eq!(store.release_contents(later, later).await.unwrap(), 1);
    let dropped = store.drop_contents_before(later.after(10)).await.unwrap();
    assert!(
        dropped.is_empty(),
        "both deals' units put out the same bytes"
    );
}

#[tokio::test]
async fn a_deal_that_was_never_opened_keeps_nothing() {
    let (_dir, store) = fresh().await;
    let (unopened, over) = (sign(&store, 1).await.id, sign(&store, 2).await.id);
    store
        .set_stage(unopened, Stage::Expired, "", NOW)
        .await
        .unwrap();
    store
        .set_stage(over, Stage::Refunded, "", NOW)
        .await
        .unwrap();
    assert_eq!(
        store.release_contents(UnixSeconds(0), NOW).await.unwrap(),
        1
    );
    assert_eq!(store.job_spec(unopened).await.unwrap(), None);
    assert!(store.job_spec(over).await.unwrap().is_some());
}

#[tokio::test]
async fn many_roots_are_asked_for_at_once() {
    let (_dir, store) = fresh().await;
    let kept = ContentRow {
        root: ContentRef::of(b"out").root,
        length: 3,
        peer: None,
        keep_until: NOW,
        bytes: Some(b"out"),
    };
    store.keep_content(&kept).await.unwrap();
    let mut roots: Vec<B256> = (0..2_500u64)
        .map(|n| B256::left_padding_from(&n.to_be_bytes()))
        .collect();
    roots.push(ContentRef::of(b"out").root);
    let lengths = store.content_lengths(&roots).await.unwrap();
    assert_eq!(
        lengths.into_iter().collect::<Vec<_>>(),
        [(ContentRef::of(b"out").root, 3)]
    );
    assert!(store.content_lengths(&[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_cursor_and_the_sequence_survive() {
    let (dir, store) = fresh().await;
    assert_eq!(store.cursor().await.unwrap(), None);
    let cursor = |block| Cursor {
        block,
        hash: B256::repeat_byte(1),
    };
    let set = async |before, to| store.set_cursor(before, cursor(to)).await.unwrap();
    assert!(set(None, 9).await);
    assert!(!set(None, 7).await, "there is one");
    assert!(!set(Some(cursor(8)), 10).await, "another process read on");
    assert!(set(Some(cursor(9)), 7).await);
    assert_eq!(store.next_sequence(NOW).await.unwrap(), NOW.0);
    assert_eq!(store.next_sequence(NOW).await.unwrap(), NOW.0 + 1);
    let again = reopened(&dir).await;
    assert_eq!(again.cursor().await.unwrap(), Some(cursor(7)));
    assert_eq!(
        again.next_sequence(UnixSeconds(0)).await.unwrap(),
        NOW.0 + 2,
        "a clock set back"
    );
    assert_eq!(
        again.next_sequence(NOW.after(100)).await.unwrap(),
        NOW.0 + 101
    );
}

#[tokio::test]
async fn damaged_rows_are_named() {
    let (_dir, store) = fresh().await;
    let deal = sign(&store, 1).await.id;
    sqlx::query("UPDATE deals SET stage = 99")
        .execute(&store.pool)
        .await
        .unwrap();
    let found = store.deal(deal).await;
    assert!(matches!(
        found,
        Err(StoreError::Damaged { column: "stage" })
    ));
    sqlx::query("UPDATE deals SET stage = 1, terms = $1")
        .bind(vec![0u8])
        .execute(&store.pool)
        .await
        .unwrap();
    assert!(matches!(store.deal(deal).await, Err(StoreError::Decode(_))));
}
