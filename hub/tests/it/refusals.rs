//! Terms the hub does not sign, and that nothing of them stays.

use gio_content::{ContentRef, JobSpec};
use gio_hub::domain::stage::Stage;
use gio_net::wire::SignDealRequest;
use gio_net::wire::field::signature_bytes;
use gio_protocol::{Address, B256, DealTerms, Gio, VerificationMode};
use tonic::Code;

use crate::support::{Buyer, Market, TestHub, gio, job, until};

struct Case {
    market: Market,
    hub: TestHub,
    buyer: Buyer,
    spec: JobSpec,
    terms: DealTerms,
}

/// A quote and terms the hub would sign.
async fn case() -> Case {
    let market = Market::start().await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let (spec, nonce) = (job(2), B256::repeat_byte(1));
    let quote = buyer.quote(&spec, nonce).await.unwrap();
    buyer.upload(&quote).await;
    let terms = buyer.terms(&spec, &quote, nonce).await;
    Case {
        market,
        hub,
        buyer,
        spec,
        terms,
    }
}

impl Case {
    /// What the hub says to this request.
    async fn refused(&mut self, request: SignDealRequest) -> (Code, String) {
        let status = self.buyer.send(request).await.unwrap_err();
        (status.code(), status.message().to_owned())
    }

    async fn refused_terms(&mut self, change: impl FnOnce(&mut DealTerms)) -> (Code, String) {
        let mut terms = self.terms.clone();
        change(&mut terms);
        let request = self.buyer.signed_request(&self.spec, &terms);
        self.refused(request).await
    }
}

fn assert_refused(answer: &(Code, String), code: Code, words: &str) {
    assert_eq!(answer.0, code, "{}", answer.1);
    assert!(answer.1.contains(words), "{}", answer.1);
}

#[tokio::test]
async fn terms_that_are_not_as_quoted_are_not_signed() {
    let mut case = case().await;
    type Change = fn(&mut DealTerms);
    let precondition: [(Change, &str); 9] = [
        (|t| t.job_root = B256::ZERO, "job root"),
        (|t| t.unit_count = 3, "3 units"),
        (|t| t.price_per_pu.0 = gio("1.52857142"), "price_per_pu"),
        (|t| t.guarantee = gio("0.6"), "guarantee"),
        (|t| t.window = 599, "window"),
        (|t| t.wallet = Address::repeat_byte(9), "wallet"),
        (|t| t.mode = VerificationMode::Quorum, "mode"),
        (|t| t.machine_params = B256::ZERO, "machine parameters"),
        (|t| t.cap = Gio::from_units(1), "cap"),
    ];
    for (change, words) in precondition {
        assert_refused(
            &case.refused_terms(change).await,
            Code::FailedPrecondition,
            words,
        );
    }
    let unknown = case.refused_terms(|t| t.hub_nonce = B256::ZERO).await;
    assert_refused(&unknown, Code::NotFound, "no quote");
    let store = case.market.store().await;
    assert!(
        store.deals_in(&Stage::ALL).await.unwrap().is_empty(),
        "nothing was signed"
    );
    // The quote still becomes a deal.
    let request = case.buyer.signed_request(&case.spec, &case.terms);
    case.buyer.send(request).await.unwrap();
    case.hub.stop().await;
}

#[tokio::test]
async fn signatures_bytes_and_contents_must_be_the_buyers() {
    let mut case = case().await;
    let good = case.buyer.signed_request(&case.spec, &case.terms);
    let forged = SignDealRequest {
        buyer_signature: signature_bytes(&case.market.key.sign(B256::ZERO)),
        ..good.clone()
    };
    let answer = case.refused(forged).await;
    assert_refused(&answer, Code::InvalidArgument, "signature");
    let cut = SignDealRequest {
        buyer_signature: good.buyer_signature.slice(..64),
        ..good.clone()
    };
    assert_refused(&case.refused(cut).await, Code::InvalidArgument, "65");
    let torn = SignDealRequest {
        terms: good.terms.slice(1..),
        ..good.clone()
    };
    assert_eq!(case.refused(torn).await.0, Code::InvalidArgument);

    let mut other = case.spec.clone();
    other.args.push("more".to_owned());
    let another_job = SignDealRequest {
        job_spec: other.to_json().into(),
        ..good.clone()
    };
    assert_refused(
        &case.refused(another_job).await,
        Code::FailedPrecondition,
        "job root",
    );
    other
        .inputs
        .insert("in".to_owned(), ContentRef::of(b"nobody brought this"));
    let missing = SignDealRequest {
        job_spec: other.to_json().into(),
        ..good.clone()
    };
    assert_refused(&case.refused(missing).await, Code::NotFound, "is not here");
    let mut lied = case.spec.clone();
    lied.module.length += 1;
    let lied = SignDealRequest {
        job_spec: lied.to_json().into(),
        ..good
    };
    assert_refused(
        &case.refused(lied).await,
        Code::InvalidArgument,
        "the job says",
    );
}

#[tokio::test]
async fn a_quote_is_good_for_one_deal_and_for_its_time() {
    let mut case = case().await;
    let request = case.buyer.signed_request(&case.spec, &case.terms);
    let first = case.buyer.send(request.clone()).await.unwrap();
    let again = case.buyer.send(request.clone()).await.unwrap();
    assert_eq!(first, again, "asked twice, answered twice the same");
    let other = case.refused_terms(|t| t.cap = gio("2")).await;
    assert_refused(&other, Code::FailedPrecondition, "another deal");

    let nonce = B256::repeat_byte(2);
    let quote = case.buyer.quote(&case.spec, nonce).await.unwrap();
    let terms = case.buyer.terms(&case.spec, &quote, nonce).await;
    case.market.pass(601).await;
    until("the hub's time", async || {
        let fresh = case
            .buyer
            .quote(&case.spec, B256::repeat_byte(3))
            .await
            .unwrap();
        fresh.valid_until > quote.valid_until + 600
    })
    .await;
    let late = case.buyer.signed_request(&case.spec, &terms);
    let answer = case.refused(late).await;
    assert!(
        answer.1.contains("valid until") || answer.1.contains("no quote"),
        "over, or forgotten: {answer:?}"
    );
    let same = case.buyer.send(request).await.unwrap();
    assert_eq!(first, same, "what was signed stays signed");
}

#[tokio::test]
async fn f4_nothing_is_promised_twice() {
    // 10 GIO free and a guarantee of 4 GIO: two deals, not three, however many quotes were given before.
    let market = Market::with(|config| config.prices.guarantee = gio("4")).await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let mut others = [
        Buyer::numbered(&market, &hub, 5).await,
        Buyer::numbered(&market, &hub, 6).await,
    ];
    let mut asked = Vec::new();
    for buyer in [&mut buyer].into_iter().chain(&mut others) {
        let nonce = B256::repeat_byte(1);
        let quote = buyer.quote(&job(1), nonce).await.unwrap();
        buyer.upload(&quote).await;
        let terms = buyer.terms(&job(1), &quote, nonce).await;
        let request = buyer.signed_request(&job(1), &terms);
        let mut client = buyer.market.clone();
        asked.push(async move { client.sign_deal(request).await });
    }
    // All at the same moment.
    let answers = futures::future::join_all(asked).await;
    let refused: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(refused[0].code(), Code::FailedPrecondition);
    assert!(
        refused[0].message().contains("free balance of 2.0"),
        "{refused:?}"
    );
    let quote = buyer.quote(&job(1), B256::ZERO).await.unwrap_err();
    assert!(quote.message().contains("free balance"), "{quote:?}");
}

#[tokio::test]
async fn a_buyer_signs_for_no_more_than_it_holds() {
    let market = Market::start().await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let mut dear = job(1);
    // 40 PU cost 61 GIO: once, not twice.
    dear.bounds.cu_limit.0 *= 40;
    buyer.sign(&dear, 1).await;
    let refused = buyer.sign_with(&dear, 2, |_| {}).await.err().unwrap();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(
        refused.message().contains("the buyer holds 100"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_module_nobody_can_run_is_not_signed() {
    let market = Market::start().await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let text = b"this is no module".to_vec();
    let mut spec = job(1);
    spec.module = ContentRef::of(&text);
    buyer.inputs.insert("text".to_owned(), text);
    spec.inputs.insert("text".to_owned(), spec.module);
    let refused = buyer.sign_with(&spec, 1, |_| {}).await.err().unwrap();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("module"), "{refused:?}");
}
