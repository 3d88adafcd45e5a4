//! R15, the hub's half, against the real register: deals with a court are for owners whose bond stays.
//!
//! No deal with a court can be opened yet, on chain or by an agent, so this one is put into the hub's database.

use gio_hub::domain::stage::Stage;
use gio_hub::infra::store::{Added, DealRow, NewDeal};
use gio_net::wire::hub_message;
use gio_protocol::terms::WINDOW_MAX_SECONDS;
use gio_protocol::{Address, B256, DealId, Gio, PricePerPu, UnixSeconds};

use crate::support::{Buyer, CHAIN_ID, FakeMiner, Market, gio, job, module, soon, until};

/// A deal of so many units with a court, open as far as the hub knows.
async fn with_court(market: &Market, buyer: &mut Buyer, units: u32) -> DealId {
    let (spec, nonce) = (job(units), B256::repeat_byte(1));
    let quote = buyer.quote(&spec, nonce).await.unwrap();
    buyer.upload(&quote).await;
    let mut terms = buyer.terms(&spec, &quote, nonce).await;
    terms.court = Address::repeat_byte(0xc0);
    // With the longest window, a bond that is asked back before deliver-by leaves too early.
    terms.window = WINDOW_MAX_SECONDS;
    let id = terms.deal_id(CHAIN_ID);
    let row = DealRow {
        id,
        buyer_signature: buyer.key.sign(id.0).as_bytes().to_vec(),
        hub_signature: market.key.sign(id.0),
        net_price: PricePerPu(gio("1")),
        stage: Stage::Open,
        posted: None,
        confirmation: None,
        settled: None,
        terms,
    };
    let job_spec = spec.to_json();
    let new = NewDeal {
        row: &row,
        job_spec: job_spec.as_ref(),
        contents: &[gio_content::content_root(&module())],
        memory: 1 << 20,
    };
    let now = UnixSeconds(gio_agent::unix_now());
    let added = market.store().await.add_deal(&new, now).await.unwrap();
    assert_eq!(added, Added::Yes);
    id
}

/// A miner's account, with a bond of so much.
async fn bonded(market: &Market, n: usize, bond: Gio) -> gio_evm::Chain {
    let (key, chain) = market.account(n).await;
    market.give(key.address(), bond).await;
    chain.bond(key.address(), bond).await.unwrap();
    chain
}

#[tokio::test]
async fn r15_work_and_countersignatures_go_to_owners_whose_bond_stays() {
    let market = Market::start().await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let rules = market.chain.registry_rules().await.unwrap();
    // It comes first and could take both units, and has no bond.
    let mut poor = FakeMiner::start(&market, &hub, 3).await;
    let deal = with_court(&market, &mut buyer, 2).await;
    let leaver = bonded(&market, 4, rules.bond_min).await;
    let mut leaving = FakeMiner::start(&market, &hub, 4).await;
    let orders = leaving.orders(2).await;
    assert!(
        orders.iter().all(|order| order.deal_id == deal.0.to_vec()),
        "{orders:?}"
    );

    // While the bond stays, claims are countersigned; once it is asked back, none is.
    leaving.deliver(vec![leaving.result(&orders[0], 100)]).await;
    assert_eq!(leaving.accepted().await.units.len(), 1);
    let asked = leaver.request_bond(rules.bond_min).await.unwrap();
    let store = market.store().await;
    until("the hub sees the block", async || {
        let cursor = store.cursor().await.unwrap();
        cursor.is_some_and(|cursor| cursor.block >= asked.block)
    })
    .await;
    leaving.deliver(vec![leaving.result(&orders[1], 100)]).await;
    let rejected = leaving.rejected().await;
    assert!(
        rejected.units[0].reason.contains("bond may leave"),
        "{rejected:?}"
    );

    // The unit waits for another owner with a bond, and for none without.
    bonded(&market, 5, rules.bond_min).await;
    let mut honest = FakeMiner::start(&market, &hub, 5).await;
    let again = honest.orders(1).await.remove(0);
    assert_eq!(again.unit, orders[1].unit);
    honest.deliver(vec![honest.result(&again, 100)]).await;
    assert_eq!(honest.accepted().await.units.len(), 1);

    // Of a deal without a court, everybody who is there gets a unit.
    let open_to_all = buyer.submit(&job(3), 2).await;
    let order = soon("an order without a bond", async {
        loop {
            if let hub_message::Body::Assign(assign) = poor.next().await {
                return assign.units[0].clone();
            }
        }
    });
    assert_eq!(order.await.deal_id, open_to_all.id.0.to_vec());
    hub.stop().await;
}
