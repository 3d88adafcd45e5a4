//! What buyers ask beside their money's way, and cancelling (R10), over the wire.

use gio_net::wire::field::bytes;
use gio_net::wire::{
    CancelReply, CancelRequest, ClaimsRequest, DealRef, ExplainReply, MachinesRequest,
};
use gio_protocol::{Claim, DealId, Domain, Gio, bill, cancellation_digest};
use tonic::{Code, Status};

use crate::support::{Buyer, CHAIN_ID, FakeMiner, Market, Signed, gio, job, soon, until};

async fn cancel(buyer: &mut Buyer, market: &Market, deal: DealId) -> Result<CancelReply, Status> {
    let domain = Domain::new(CHAIN_ID, market.wallet);
    let signature = buyer
        .key
        .sign(cancellation_digest(&domain, deal.0, Gio::ZERO));
    let request = CancelRequest {
        deal_id: bytes(deal.0),
        signature: signature.as_bytes().to_vec().into(),
    };
    let reply = soon("a cancellation", buyer.market.cancel(request)).await;
    Ok(reply?.into_inner())
}

async fn explain(buyer: &mut Buyer, deal: DealId) -> Result<ExplainReply, Status> {
    let request = DealRef {
        deal_id: bytes(deal.0),
        ..DealRef::default()
    };
    let reply = soon("an explanation", buyer.market.explain(request)).await;
    Ok(reply?.into_inner())
}

async fn balance(buyer: &Buyer) -> Gio {
    buyer.chain.balance(buyer.key.address()).await.unwrap()
}

#[tokio::test]
async fn r10_a_cancelled_deal_pays_what_was_given_out_and_refunds_the_rest() {
    let market = Market::start().await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let mut miner = FakeMiner::start(&market, &hub, 3).await;
    let before = balance(&buyer).await;
    // More units than the miner has places, so that some are never given out.
    let deal = buyer.submit(&job(9), 1).await;
    let mut orders = miner.orders(4).await;
    let first = miner.result(&orders.remove(0), 500);
    miner.deliver(vec![first]).await;
    miner.accepted().await;
    orders.extend(miner.orders(1).await);

    let reply = cancel(&mut buyer, &market, deal.id).await.unwrap();
    assert_eq!((reply.units_done, reply.units_running), (1, 4));
    let grace = reply.until - buyer.now().await.0;
    assert!(
        grace <= 300 && reply.until <= deal.terms.deliver_by.0,
        "{grace}"
    );
    let again = cancel(&mut buyer, &market, deal.id).await.unwrap();
    assert_eq!(again.until, reply.until, "the first cancellation stands");
    // One more of those given out before arrives; the others are given back.
    let second = miner.result(&orders.remove(0), 700);
    miner.deliver(vec![second]).await;
    miner.accepted().await;
    for order in &orders {
        miner.give_back(order, true).await;
    }
    market.reaches(deal.id, "posted").await;
    let late = cancel(&mut buyer, &market, deal.id).await.unwrap_err();
    assert_eq!(late.code(), Code::FailedPrecondition);
    assert!(late.message().contains("too late to cancel"), "{late}");

    let result = buyer.result(deal.id).await.unwrap();
    let cu = gio_protocol::Cu(1_200_000_000);
    assert_eq!((result.outputs.len(), result.cu_total), (2, cu.0));
    let root = gio_protocol::B256::from_slice(&result.result_root);
    buyer.confirm(deal.id, root).await;
    market.reaches(deal.id, "settled").await;
    let cost = bill(deal.terms.cap, cu, deal.terms.price_per_pu);
    let spent = before.minus_or_zero(balance(&buyer).await);
    assert_eq!(spent, cost, "two units are paid, the rest came back");
    hub.stop().await;
}

#[tokio::test]
async fn r10_a_deal_cancelled_before_anything_is_done_gives_the_whole_cap_back_at_once() {
    let market = Market::start().await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let before = balance(&buyer).await;
    let deal = buyer.submit(&job(4), 1).await;
    market.reaches(deal.id, "open").await;
    assert!(balance(&buyer).await < before);
    cancel(&mut buyer, &market, deal.id).await.unwrap();
    market.reaches(deal.id, "cancelled").await;
    assert_eq!(balance(&buyer).await, before);
    hub.stop().await;
}

#[tokio::test]
async fn r10_a_cancellation_survives_a_restart() {
    let market = Market::start().await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let mut miner = FakeMiner::start(&market, &hub, 3).await;
    let deal = buyer.submit(&job(4), 1).await;
    let orders = miner.orders(1).await;
    cancel(&mut buyer, &market, deal.id).await.unwrap();
    hub.stop().await;

    let hub = market.launch().await;
    buyer.reconnect(&hub).await;
    let explained = explain(&mut buyer, deal.id).await.unwrap();
    assert!(explained.cancel_until > 0);
    // The units' miner does not come back; another one is here and gets none of them.
    let other = FakeMiner::start(&market, &hub, 4).await;
    market.reaches(deal.id, "cancelled").await;
    drop((orders, miner, other));
    hub.stop().await;
}

#[tokio::test]
async fn nobody_else_cancels_or_asks() {
    let market = Market::start().await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let mut other = Buyer::numbered(&market, &hub, 5).await;
    let deal = buyer.submit(&job(1), 1).await;
    let refused = cancel(&mut other, &market, deal.id).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let refused = explain(&mut other, deal.id).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    let request = ClaimsRequest {
        deal_id: bytes(deal.id.0),
        from_unit: 0,
    };
    let refused = other.market.claims(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    hub.stop().await;
}

/// Waits until the hub's explanation is as it should be.
async fn explained(buyer: &mut Buyer, deal: &Signed, right: impl Fn(&ExplainReply) -> bool) {
    until("the hub's explanation", async || {
        right(&explain(buyer, deal.id).await.unwrap())
    })
    .await;
}

#[tokio::test]
async fn a_buyer_hears_which_machines_there_are_what_failed_and_what_is_claimed() {
    let market = Market::start().await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let deal = buyer.submit(&job(8), 1).await;
    market.reaches(deal.id, "open").await;
    explained(&mut buyer, &deal, |why| why.units_queued == 8).await;
    let why = explain(&mut buyer, deal.id).await.unwrap();
    assert_eq!(why.machines.unwrap().connected, 0, "no miner at all");

    let mut miner = FakeMiner::with(&market, &hub, 3, |hello| hello.cores = 8).await;
    let orders = miner.orders(8).await;
    let (kept, given_back) = orders.split_last().unwrap();
    for order in given_back {
        miner.give_back(order, false).await;
    }
    // So many that it rests for a minute.
    explained(&mut buyer, &deal, |why| why.troubles_total == 7).await;
    let why = explain(&mut buyer, deal.id).await.unwrap();
    for trouble in &why.troubles {
        assert_eq!(trouble.miner, bytes(miner.address()));
        assert!(given_back.iter().any(|order| order.unit == trouble.unit));
        assert!(!trouble.reason.is_empty());
    }
    assert_eq!(why.machines.unwrap().resting, 1);

    let request = |pages_max| MachinesRequest { pages_max };
    let few = buyer
        .market
        .machines(request(16))
        .await
        .unwrap()
        .into_inner();
    let many = buyer
        .market
        .machines(request(u32::MAX))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((few.connected, few.memory_too_small), (1, 0));
    assert_eq!(many.memory_too_small, 1);
    assert_eq!(many.net_price_per_pu, gio("1").units());

    let done = miner.result(kept, 500);
    let claim = Claim::from_bytes(&done.claim).unwrap();
    miner.deliver(vec![done]).await;
    miner.accepted().await;
    let request = ClaimsRequest {
        deal_id: bytes(deal.id.0),
        from_unit: 0,
    };
    let claims = buyer
        .market
        .claims(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(claims.claims[0].claim, claim.to_bytes());
    let after = ClaimsRequest {
        from_unit: claim.unit + 1,
        ..request
    };
    let none = buyer.market.claims(after).await.unwrap().into_inner();
    assert!(none.claims.is_empty());
    hub.stop().await;
}
