//! Quotes and confirmations.

use gio_net::wire::FollowRequest;
use gio_protocol::{B256, DealId};
use tonic::Code;

use crate::support::{Buyer, FakeMiner, Market, job};

#[tokio::test]
async fn a_quote_says_what_the_job_costs_and_what_is_missing() {
    let market = Market::start().await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let mut spec = job(2);
    spec.inputs.insert("twice".to_owned(), spec.module);
    let nonce = B256::repeat_byte(1);
    let quote = buyer.quote(&spec, nonce).await.unwrap();
    assert_eq!(quote.wallet, market.wallet.to_vec());
    assert_eq!(quote.owner, market.key.address().to_vec());
    // F4: 1 GIO net is 1.42857143 GIO gross, and a margin of 0.1.
    assert_eq!(quote.price_per_pu, 152_857_143);
    assert_eq!((quote.guarantee, quote.window_seconds), (50_000_000, 600));
    assert_eq!(quote.missing_content.len(), 1, "each content once");
    buyer.upload(&quote).await;
    let again = buyer.quote(&spec, nonce).await.unwrap();
    assert!(again.missing_content.is_empty());
    assert_ne!(
        again.hub_nonce, quote.hub_nonce,
        "R22: every quote has its own"
    );
}

#[tokio::test]
async fn what_a_hub_cannot_do_is_not_quoted() {
    let market = Market::start().await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let request = buyer.request(&job(1), B256::ZERO).await;
    type Change = fn(&mut gio_net::wire::QuoteRequest);
    let changes: [(Change, Code, &str); 6] = [
        (
            |r| r.kinds = vec!["docker".to_owned()],
            Code::FailedPrecondition,
            "docker",
        ),
        (
            |r| r.deliver_by = 0,
            Code::FailedPrecondition,
            "at least 30 s",
        ),
        (
            |r| r.deliver_by = u64::MAX,
            Code::FailedPrecondition,
            "at most 604800 s",
        ),
        (
            |r| r.buyer = vec![1; 19].into(),
            Code::InvalidArgument,
            "buyer",
        ),
        (
            |r| r.job_spec = b"{}".to_vec().into(),
            Code::InvalidArgument,
            "cannot be read",
        ),
        (
            |r| r.job_spec = job(200_000).to_json().into(),
            Code::FailedPrecondition,
            "number of units",
        ),
    ];
    for (change, code, words) in changes {
        let mut request = request.clone();
        change(&mut request);
        let refused = buyer.market.quote(request).await.unwrap_err();
        assert_eq!(refused.code(), code, "{refused:?}");
        assert!(refused.message().contains(words), "{refused:?}");
    }
}

#[tokio::test]
async fn quotes_of_a_peer_are_bounded() {
    let market = Market::start().await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let request = buyer.request(&job(1), B256::ZERO).await;
    for _ in 0..64 {
        buyer.market.quote(request.clone()).await.unwrap();
    }
    let refused = buyer.market.quote(request.clone()).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("64 quotes"), "{refused:?}");
    let mut other = Buyer::numbered(&market, &hub, 5).await;
    other.market.quote(request).await.unwrap();
}

#[tokio::test]
async fn only_the_buyers_own_confirmation_of_the_posted_result_counts() {
    let market = Market::start().await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let mut miner = FakeMiner::start(&market, &hub, 3).await;
    let unknown = DealId(B256::ZERO);
    let (stranger, own) = (miner.key.clone(), buyer.key.clone());
    let refused = buyer
        .confirm_with(unknown, B256::ZERO, &own)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    let follow = FollowRequest {
        deal_id: unknown.0.to_vec().into(),
        after_event: 0,
    };
    assert_eq!(
        buyer.market.follow(follow).await.unwrap_err().code(),
        Code::NotFound
    );
    assert_eq!(
        buyer.result(unknown).await.unwrap_err().code(),
        Code::NotFound
    );

    let deal = buyer.submit(&job(1), 1).await;
    let early = buyer
        .confirm_with(deal.id, B256::ZERO, &own)
        .await
        .unwrap_err();
    assert_eq!(early.code(), Code::FailedPrecondition);
    assert_eq!(
        buyer.result(deal.id).await.unwrap_err().code(),
        Code::FailedPrecondition
    );
    miner.work(1, 100).await;
    market.reaches(deal.id, "posted").await;
    let chain = buyer.chain.deal(market.wallet, deal.id).await.unwrap();
    let root = chain.result_root.unwrap();
    let other = buyer
        .confirm_with(deal.id, B256::ZERO, &own)
        .await
        .unwrap_err();
    assert_eq!(other.code(), Code::FailedPrecondition);
    let forged = buyer
        .confirm_with(deal.id, root, &stranger)
        .await
        .unwrap_err();
    assert_eq!(forged.code(), Code::InvalidArgument);
    assert!(buyer.result(deal.id).await.unwrap().settled.is_none());
    buyer.confirm(deal.id, root).await;
    market.reaches(deal.id, "settled").await;
}
