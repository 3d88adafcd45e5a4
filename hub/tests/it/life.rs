//! A deal from its quote to its miners' pay, with every figure checked.

use gio_content::{ContentRef, OutputImage};
use gio_keys::verify_by_address;
use gio_net::wire::field::{self, bytes};
use gio_net::wire::{DealStage, result_reply};
use gio_net::{HUBS_TOPIC, blob};
use gio_protocol::{
    ClaimsFile, Cu, DealId, Domain, Gio, PricePerPu, Signature, acceptance_hash,
    acceptances_digest, acceptances_root, bill, gross_of_net,
};

use crate::support::{Buyer, CHAIN_ID, FakeMiner, Market, Signed, TestHub, gio, job, soon, until};

/// 4 units by two miners: 3 of 0.5 PU and 1 of 0.7 PU.
const CU_TOTAL: Cu = Cu(2_200_000_000);

#[tokio::test]
async fn a_deal_from_quote_to_pay() {
    let market = Market::start().await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let mut first = FakeMiner::start(&market, &hub, 3).await;
    let mut second = FakeMiner::start(&market, &hub, 4).await;

    let deal = buyer.submit(&job(4), 1).await;
    let signature = Signature::try_from(deal.hub_signature.as_slice()).unwrap();
    verify_by_address(market.key.address(), deal.id.0, &signature).unwrap();
    work(&deal, &mut first, &mut second, &market).await;

    market.reaches(deal.id, "posted").await;
    let root = check_result(&mut buyer, &deal).await;
    let reply = buyer.confirm(deal.id, root).await;
    assert!(reply.tx_hash.is_empty(), "on its way");
    let stages = market.reaches(deal.id, "settled").await;
    assert_eq!(
        stages,
        [
            "signed",
            "open",
            "running",
            "assembling",
            "posted",
            "settled"
        ]
    );
    check_money(
        &market,
        &mut buyer,
        &deal,
        &[(&first, 1_000), (&second, 1_200)],
    )
    .await;
    follow_from_everywhere(&mut buyer, deal.id).await;
    let again = buyer.confirm(deal.id, root).await;
    assert_eq!(again.tx_hash.len(), 32, "settled already");
    hub.stop().await;
}

/// Each miner gets two units; every answer carries the hub's countersignature (R14).
async fn work(deal: &Signed, first: &mut FakeMiner, second: &mut FakeMiner, market: &Market) {
    let domain = Domain::new(CHAIN_ID, market.wallet);
    for (miner, milli_pu) in [(first, [500, 500]), (second, [500, 700])] {
        let orders = miner.orders(2).await;
        assert_eq!(
            orders[0].terms,
            deal.terms.to_bytes(),
            "the first brings the terms"
        );
        assert!(orders[1].terms.is_empty());
        for (order, milli_pu) in orders.iter().zip(milli_pu) {
            let done = miner.result(order, milli_pu);
            let claim = gio_protocol::Claim::from_bytes(&done.claim).unwrap();
            miner.deliver(vec![done]).await;
            let mut answer = miner.accepted().await;
            let accepted = answer.units.remove(0);
            assert_eq!(
                (accepted.unit, accepted.net),
                (order.unit, milli_pu * 100_000)
            );
            assert_eq!(accepted.claim_hash, claim.struct_hash().to_vec());
            let leaf = acceptance_hash(deal.id.0, claim.unit, claim.struct_hash());
            let digest = acceptances_digest(&domain, acceptances_root(&[leaf]));
            let countersigned = field::signature("hub_signature", &answer.hub_signature).unwrap();
            verify_by_address(market.key.address(), digest, &countersigned).unwrap();
        }
    }
}

/// The claims file is what was posted, and every output is there.
async fn check_result(buyer: &mut Buyer, deal: &Signed) -> gio_protocol::B256 {
    let result = buyer.result(deal.id).await.unwrap();
    let root = field::hash("result_root", &result.result_root).unwrap();
    let Some(result_reply::ClaimsFile::ClaimsInline(file)) = result.claims_file else {
        panic!("a small claims file comes with the result");
    };
    let claims = ClaimsFile::from_bytes(&file).unwrap();
    assert_eq!((claims.deal_id, claims.claims.len()), (deal.id, 4));
    assert_eq!(claims.tree().unwrap().root(), root);
    assert_eq!(result.cu_total, CU_TOTAL.0);
    let chain = buyer.chain.deal(deal.terms.wallet, deal.id).await.unwrap();
    assert_eq!(chain.result_root, Some(root));
    let served = ContentRef::of(&file);
    let wanted = gio_net::wire::ContentRef {
        root: bytes(served.root),
        length: served.length,
    };
    let same = blob::download(buyer.channel.clone(), &wanted, 1 << 20)
        .await
        .unwrap();
    assert_eq!(same, file, "R18: anyone gets the claims file");
    let outputs = buyer.small_outputs(deal.id).await;
    assert_eq!(outputs.len(), result.outputs.len());
    for (unit, output) in (0..).zip(outputs) {
        let image = OutputImage::decode(&output.image).unwrap();
        assert_eq!(
            (output.unit, image.stdout),
            (unit, format!("unit {unit}\n").into_bytes())
        );
    }
    assert!(result.settled.is_none() && result.payouts.is_empty());
    root
}

/// R2 and F4, to the base unit.
async fn check_money(
    market: &Market,
    buyer: &mut Buyer,
    deal: &Signed,
    miners: &[(&FakeMiner, u64)],
) {
    let payment = bill(deal.terms.cap, CU_TOTAL, deal.terms.price_per_pu);
    let left = gio("100").minus(payment).unwrap();
    assert_eq!(
        buyer.chain.balance(buyer.key.address()).await.unwrap(),
        left
    );
    until("every miner's pay", async || {
        buyer.result(deal.id).await.unwrap().payouts.len() == miners.len()
    })
    .await;
    let result = buyer.result(deal.id).await.unwrap();
    let settled = result.settled.unwrap();
    assert_eq!((settled.payment, settled.royalty), (payment.units(), 0));
    assert_eq!(settled.payment + settled.refund, deal.terms.cap.units());
    let mut gross = Gio::ZERO;
    for (miner, milli_pu) in miners {
        let net = PricePerPu(gio("1")).cost(Cu(milli_pu * 1_000_000)).unwrap();
        let own = gross_of_net(net).unwrap();
        let is_of = |payout: &&gio_net::wire::MinerPayout| payout.miner == bytes(miner.address());
        let payout = result.payouts.iter().find(is_of).unwrap();
        assert_eq!((payout.net, payout.gross), (net.units(), own.units()));
        assert_eq!((payout.units, payout.cu), (2, milli_pu * 1_000_000));
        assert_eq!(market.payments(miner.address()).await, [own]);
        let allowed = market
            .chain
            .allowance(market.wallet, miner.address())
            .await
            .unwrap();
        assert!(allowed >= net && allowed.units() <= net.units() + 1);
        gross = gross.plus(own).unwrap();
    }
    let wallet = market.chain.wallet(market.wallet).await.unwrap();
    assert_eq!((wallet.escrow, wallet.guarantees), (Gio::ZERO, Gio::ZERO));
    let free = gio("10").plus(payment).unwrap().minus(gross).unwrap();
    assert_eq!(wallet.free, free, "the hub keeps its margin");
}

/// A stream that begins before, in the middle or after everything ends with the deal's end.
async fn follow_from_everywhere(buyer: &mut Buyer, deal: DealId) {
    let mut stream = buyer.follow(deal, 0).await;
    let mut events = Vec::new();
    while let Some(message) = soon("the end of a stream", stream.message()).await.unwrap() {
        events.push((message.event_id, message.stage()));
    }
    assert_eq!(events.last().map(|event| event.1), Some(DealStage::Settled));
    assert_eq!(events.len(), 6, "{events:?}");
    for (id, _) in [events[2], events[5]] {
        let mut stream = buyer.follow(deal, id).await;
        let mut last = None;
        while let Some(message) = soon("the end of a stream", stream.message()).await.unwrap() {
            assert!(message.event_id == 0 || message.event_id > id);
            last = Some(message.stage());
        }
        assert_eq!(last, Some(DealStage::Settled));
    }
}

#[tokio::test]
async fn a_hub_announces_itself_and_a_follower_sees_counters() {
    assert_eq!(HUBS_TOPIC, "gio/hubs/1");
    let market = Market::start().await;
    let hub: TestHub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let mut miner = FakeMiner::start(&market, &hub, 3).await;
    let deal = buyer.submit(&job(6), 1).await;
    let orders = miner.orders(4).await;
    miner.deliver(vec![miner.result(&orders[0], 100)]).await;
    miner.accepted().await;
    let mut stream = buyer.follow(deal.id, 0).await;
    loop {
        let message = soon("news", stream.message()).await.unwrap().unwrap();
        let units = (
            message.units_done,
            message.units_running,
            message.units_queued,
        );
        if units == (1, 4, 1) {
            assert_eq!((message.units_total, message.miners), (6, 1));
            assert_eq!(message.cu_done, 100_000_000);
            break;
        }
    }
    let channel = buyer.channel.clone();
    let request = gio_net::wire::HubsRequest::default();
    let mut directory = gio_net::directory_client(channel);
    until("an announcement", async || {
        let known = directory.hubs(request.clone()).await.unwrap().into_inner();
        known.hubs.len() == 1
    })
    .await;
    hub.stop().await;
    let ended = soon("the end of the stream", async {
        while let Ok(Some(_)) = stream.message().await {}
    });
    ended.await;
}
