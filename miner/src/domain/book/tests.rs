//! Every transition of `STATE.md`, and that nothing runs beyond the limit whatever the order of events.

use bytes::Bytes;
use gio_content::ContentRef;
use gio_protocol::amount::CU_PER_PU;
use gio_protocol::{
    Address, JobTree, UnitKind, UnitLeaf, VerificationMode, seed_commitment, unit_seed,
};
use proptest::prelude::*;

use super::*;
use crate::domain::order::Input;

const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
const UNITS: u32 = 8;
/// What one unit may cost at most: one PU at this price.
const COST: u64 = 10;

fn gio(units: u64) -> Gio {
    Gio::from_units(units)
}

/// A deal with eight units, and their orders. `seed` makes it another deal.
struct Deal {
    id: DealId,
    terms: Arc<DealTerms>,
    orders: Vec<Order>,
}

fn deal(seed: u8) -> Deal {
    let buyer_nonce = B256::repeat_byte(seed);
    let mut terms = DealTerms {
        buyer: Address::repeat_byte(2),
        wallet: Address::repeat_byte(3),
        buyer_nonce,
        hub_nonce: B256::repeat_byte(4),
        seed_commitment: seed_commitment(buyer_nonce),
        job_root: B256::ZERO,
        unit_count: UNITS,
        mode: VerificationMode::None,
        mode_params: B256::ZERO,
        machine_version: 0,
        machine_params: B256::ZERO,
        price_per_pu: PricePerPu(gio(20)),
        cap: gio(1_000),
        guarantee: Gio::ZERO,
        royalty_to: Address::ZERO,
        royalty_per_mille: 0,
        court: Address::ZERO,
        clock_start: NOW,
        open_by: NOW,
        deliver_by: NOW.after(600),
        window: 60,
    };
    let leaves: Vec<UnitLeaf> = (0..UNITS).map(|index| leaf(&terms, index)).collect();
    let tree = JobTree::new(&leaves.iter().map(UnitLeaf::hash).collect::<Vec<_>>());
    terms.job_root = tree.root();
    let id = terms.deal_id(1);
    let order = |leaf: UnitLeaf| Order {
        deal: id,
        job_proof: tree.proof(leaf.index).unwrap(),
        leaf,
        module: ContentRef {
            root: B256::ZERO,
            length: 1,
        },
        input: Input::Inline(Bytes::new()),
        clock_start: NOW,
        deadline: NOW.after(300),
        net_price: PricePerPu(gio(COST)),
    };
    let orders = leaves.into_iter().map(order).collect();
    Deal {
        id,
        terms: Arc::new(terms),
        orders,
    }
}

fn leaf(terms: &DealTerms, index: u32) -> UnitLeaf {
    UnitLeaf {
        index,
        kind: UnitKind::Wasm,
        program_root: B256::repeat_byte(9),
        input_root: B256::repeat_byte(8),
        input_length: 0,
        cu_limit: Cu(CU_PER_PU),
        pages_max: 1,
        output_max: 100,
        unit_seed: unit_seed(terms.deal_seed(), index),
    }
}

fn own() -> OwnLimits {
    OwnLimits {
        pages_max: 1,
        module_bytes_max: 1,
        net_price_min: PricePerPu(gio(COST)),
    }
}

fn book(limit: u64) -> Book {
    let exposure = Exposure::new(gio(limit), Work::NONE, Gio::ZERO);
    let mut book = Book::new(own(), 100, exposure, BTreeMap::new());
    let backing = Backing {
        free: gio(1_000_000),
        escrow: Gio::ZERO,
    };
    assert!(book.set_chain(backing, Gio::ZERO, NOW).start.is_empty());
    book
}

fn receive(book: &mut Book, order: &Order) -> Todo {
    let mut todo = Todo::default();
    book.receive(order.clone(), NOW, &mut todo);
    todo
}

/// A book with the deal open and nothing running.
fn opened(limit: u64, deal: &Deal) -> Book {
    let mut book = book(limit);
    assert_eq!(receive(&mut book, &deal.orders[0]).check, [deal.id]);
    let todo = book.open_deal(deal.id, Arc::clone(&deal.terms), [], NOW);
    assert_eq!(todo.start.len(), 1);
    book.fail(deal.orders[0].key(), NOW);
    book
}

fn units(orders: &[Order]) -> Vec<u32> {
    orders.iter().map(|order| order.leaf.index).collect()
}

#[test]
fn orders_wait_until_their_deal_was_looked_up_once() {
    let deal = deal(1);
    let mut book = book(1_000);
    assert_eq!(receive(&mut book, &deal.orders[0]).check, [deal.id]);
    let second = receive(&mut book, &deal.orders[1]);
    assert!(second.check.is_empty() && second.start.is_empty());
    assert_eq!(book.holding().len(), 2);
    let todo = book.open_deal(deal.id, Arc::clone(&deal.terms), [1], NOW);
    assert_eq!(units(&todo.start), [0]);
    let already = (deal.orders[1].key(), Refusal::AlreadyAccepted);
    assert_eq!(todo.refuse, [already]);
    assert_eq!(units(&receive(&mut book, &deal.orders[2]).start), [2]);
    let again = receive(&mut book, &deal.orders[2]);
    assert!(again.start.is_empty() && again.refuse.is_empty());
}

#[test]
fn a_refused_deal_is_not_looked_up_again_but_a_silent_chain_is_asked_again() {
    let deal = deal(1);
    let mut book = book(1_000);
    receive(&mut book, &deal.orders[0]);
    let back = book.refuse_deal(deal.id, &Refusal::ChainSilent);
    assert_eq!(back, [(deal.orders[0].key(), Refusal::ChainSilent)]);
    assert_eq!(receive(&mut book, &deal.orders[0]).check, [deal.id]);
    let not_yet = Refusal::NotOpen {
        stage: DealStage::None,
    };
    book.refuse_deal(deal.id, &not_yet);
    assert_eq!(receive(&mut book, &deal.orders[0]).check, [deal.id]);
    let not_open = Refusal::NotOpen {
        stage: DealStage::Settled,
    };
    book.refuse_deal(deal.id, &not_open);
    let todo = receive(&mut book, &deal.orders[3]);
    assert_eq!(todo.refuse, [(deal.orders[3].key(), not_open)]);
    assert!(todo.check.is_empty() && book.is_idle());
}

#[test]
fn r01_an_unbound_unit_is_refused() {
    let (deal, other) = (deal(1), deal(2));
    let mut book = opened(1_000, &deal);
    let mut foreign = other.orders[2].clone();
    foreign.deal = deal.id;
    let todo = receive(&mut book, &foreign);
    let refusal = Refusal::Order(OrderRefusal::Seed);
    assert_eq!(todo.refuse, [(foreign.key(), refusal)]);
    let mut cheaper = deal.orders[2].clone();
    cheaper.net_price = PricePerPu(gio(COST + 1));
    let refusal = Refusal::Order(OrderRefusal::PriceChanged);
    assert_eq!(
        receive(&mut book, &cheaper).refuse,
        [(cheaper.key(), refusal)]
    );
}

#[test]
fn r25_orders_park_until_units_used_less_than_they_might_have() {
    let deal = deal(1);
    let mut book = opened(2 * COST, &deal);
    for unit in 0..2 {
        assert_eq!(receive(&mut book, &deal.orders[unit]).start.len(), 1);
    }
    for unit in 2..4 {
        let todo = receive(&mut book, &deal.orders[unit]);
        assert!(todo.start.is_empty() && todo.refuse.is_empty());
    }
    let hash = B256::repeat_byte(1);
    let key = deal.orders[0].key();
    let todo = book.finish(key, hash, Cu(CU_PER_PU / 2), NOW);
    assert!(todo.start.is_empty(), "half a unit's room is none");
    let todo = book.finish(deal.orders[1].key(), hash, Cu(CU_PER_PU / 2), NOW);
    assert_eq!(units(&todo.start), [2], "in the order they came");
    assert!(book.tick(NOW.after(PARK_SECONDS - 1)).is_empty());
    let limit = gio(2 * COST);
    let late = (deal.orders[3].key(), Refusal::NoRoom { limit });
    assert_eq!(book.tick(NOW.after(PARK_SECONDS)), [late]);
}

#[test]
fn r25_pay_and_approvals_make_room() {
    let deal = deal(1);
    let mut book = opened(COST, &deal);
    receive(&mut book, &deal.orders[0]);
    receive(&mut book, &deal.orders[1]);
    receive(&mut book, &deal.orders[2]);
    let key = deal.orders[0].key();
    assert!(
        book.finish(key, B256::ZERO, Cu(CU_PER_PU), NOW)
            .start
            .is_empty()
    );
    book.accept(key);
    let backing = Backing {
        free: gio(1_000),
        escrow: Gio::ZERO,
    };
    let todo = book.set_chain(backing, gio(COST), NOW);
    assert_eq!(units(&todo.start), [1], "approved money is no risk");
    let todo = book.pull(gio(COST), NOW);
    assert_eq!(units(&todo.start), [2], "and pulled money raises the limit");
    assert_eq!(book.limit(), gio(2 * COST));
}

#[test]
fn r25_an_order_above_the_whole_limit_is_refused_at_once() {
    let deal = deal(1);
    let mut book = book(COST - 1);
    receive(&mut book, &deal.orders[0]);
    let todo = book.open_deal(deal.id, Arc::clone(&deal.terms), [], NOW);
    assert!(matches!(
        todo.refuse.as_slice(),
        [(_, Refusal::TooLarge(_))]
    ));
}

#[test]
fn r25_a_rejected_result_was_had_and_stays_unpaid() {
    let deal = deal(1);
    let mut book = opened(COST, &deal);
    receive(&mut book, &deal.orders[0]);
    let key = deal.orders[0].key();
    book.finish(key, B256::ZERO, Cu(CU_PER_PU), NOW);
    book.reject(key);
    assert!(book.is_idle());
    let todo = receive(&mut book, &deal.orders[1]);
    assert!(todo.start.is_empty(), "no free work for a hub that rejects");
}

#[test]
fn a_made_claim_is_sent_again_and_accepted_once() {
    let deal = deal(1);
    let mut book = opened(1_000, &deal);
    receive(&mut book, &deal.orders[5]);
    let key = deal.orders[5].key();
    book.finish(key, B256::repeat_byte(7), Cu(5), NOW);
    assert_eq!(receive(&mut book, &deal.orders[5]).resend, [key]);
    assert_eq!(book.made(key).unwrap().claim_hash, B256::repeat_byte(7));
    book.accept(key);
    assert_eq!(book.made(key), None);
    let todo = receive(&mut book, &deal.orders[5]);
    assert_eq!(todo.refuse, [(key, Refusal::AlreadyAccepted)]);
}

#[test]
fn more_orders_than_asked_for_go_back() {
    let deal = deal(1);
    let mut book = opened(1_000, &deal);
    book.held_max = 2;
    receive(&mut book, &deal.orders[0]);
    receive(&mut book, &deal.orders[1]);
    let todo = receive(&mut book, &deal.orders[2]);
    let full = Refusal::QueueFull { max: 2 };
    assert!(full.is_transient());
    assert_eq!(todo.refuse, [(deal.orders[2].key(), full)]);
}

#[test]
fn stopping_gives_back_what_was_not_started() {
    let (deal, other) = (deal(1), deal(2));
    let mut book = opened(COST, &deal);
    receive(&mut book, &deal.orders[0]);
    receive(&mut book, &deal.orders[1]);
    receive(&mut book, &other.orders[0]);
    let mut back: Vec<UnitKey> = book.stop().iter().map(|(key, _)| *key).collect();
    back.sort_unstable();
    let mut expected = [deal.orders[1].key(), other.orders[0].key()];
    expected.sort_unstable();
    assert_eq!(back, expected);
    assert_eq!(book.running(), 1);
    let todo = receive(&mut book, &deal.orders[4]);
    assert_eq!(todo.refuse, [(deal.orders[4].key(), Refusal::Stopping)]);
}

#[test]
fn a_hub_that_fell_gets_nothing_new_until_it_is_trusted_again() {
    let deal = deal(1);
    let mut book = opened(COST, &deal);
    receive(&mut book, &deal.orders[0]);
    receive(&mut book, &deal.orders[1]);
    let back = book.turn_away();
    assert_eq!(back, [(deal.orders[1].key(), Refusal::HubNotConfirmed)]);
    assert_eq!(book.running(), 1, "what runs goes on");
    let todo = receive(&mut book, &deal.orders[4]);
    let refused = (deal.orders[4].key(), Refusal::HubNotConfirmed);
    assert_eq!(todo.refuse, [refused]);
    book.take_again();
    assert_eq!(receive(&mut book, &deal.orders[4]).refuse, []);
}

#[test]
fn a_cancelled_order_that_did_not_run_is_forgotten() {
    let deal = deal(1);
    let mut book = opened(COST, &deal);
    receive(&mut book, &deal.orders[0]);
    receive(&mut book, &deal.orders[1]);
    assert!(!book.cancel(deal.orders[1].key()));
    assert!(book.cancel(deal.orders[0].key()), "it is running");
    assert!(book.fail(deal.orders[0].key(), NOW).start.is_empty());
    assert!(book.is_idle());
}

#[test]
fn deals_nobody_works_on_are_forgotten() {
    let deal = deal(1);
    let mut book = opened(1_000, &deal);
    receive(&mut book, &deal.orders[0]);
    let mut order = deal.orders[1].clone();
    for number in 0..DEALS_MAX as u64 {
        order.deal = DealId(B256::from(gio_protocol::U256::from(number)));
        receive(&mut book, &order);
        book.refuse_deal(order.deal, &Refusal::TermsMissing);
    }
    assert_eq!(book.deals.len(), DEALS_MAX);
    assert!(book.deals.contains_key(&deal.id), "it has a running unit");
}

#[derive(Clone, Debug)]
enum Event {
    Order(usize),
    Finish(usize, u64),
    Fail(usize),
    Answer(usize, bool),
    Pull(u64),
    Cancel(usize),
    Tick(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let unit = 0..UNITS as usize;
    prop_oneof![
        4 => unit.clone().prop_map(Event::Order),
        2 => (unit.clone(), 0..CU_PER_PU).prop_map(|(unit, cu)| Event::Finish(unit, cu)),
        1 => unit.clone().prop_map(Event::Fail),
        2 => (unit.clone(), any::<bool>()).prop_map(|(unit, yes)| Event::Answer(unit, yes)),
        1 => (0..30u64).prop_map(Event::Pull),
        1 => unit.prop_map(Event::Cancel),
        1 => (0..40u64).prop_map(Event::Tick),
    ]
}

proptest! {
    /// A unit is in one state, a start is always covered by the limit, and nothing is started twice.
    #[test]
    fn r25_any_order_of_events_keeps_the_book_true(events in prop::collection::vec(event(), 1..60)) {
        let deal = deal(1);
        let mut book = opened(3 * COST, &deal);
        let mut running: BTreeSet<u32> = BTreeSet::new();
        for event in events {
            let key = |unit: usize| deal.orders[unit].key();
            let mut todo = Todo::default();
            match event {
                Event::Order(unit) => todo = receive(&mut book, &deal.orders[unit]),
                Event::Finish(unit, cu) => if running.remove(&key(unit).unit) {
                    todo = book.finish(key(unit), B256::ZERO, Cu(cu), NOW);
                },
                Event::Fail(unit) => if running.remove(&key(unit).unit) {
                    todo = book.fail(key(unit), NOW);
                },
                Event::Answer(unit, true) => book.accept(key(unit)),
                Event::Answer(unit, false) => book.reject(key(unit)),
                Event::Pull(units) => todo = book.pull(gio(units), NOW),
                Event::Cancel(unit) => prop_assert_eq!(book.cancel(key(unit)), running.contains(&key(unit).unit)),
                Event::Tick(seconds) => drop(book.tick(NOW.after(seconds))),
            }
            for order in &todo.start {
                prop_assert!(running.insert(order.leaf.index), "started twice");
                prop_assert!(book.exposure.outstanding() <= book.exposure.limit());
            }
            prop_assert_eq!(book.running(), running.len());
            prop_assert_eq!(book.queued.len(), book.parked.len());
            let states = book.queued.len() + book.running.len() + book.made.len();
            prop_assert_eq!(book.holding().len(), states, "a unit in two states");
        }
    }
}
