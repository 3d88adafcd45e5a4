//! An RPC that is away, slow, loses answers, or says nonsense.

use std::time::Duration;

use alloy::providers::ext::AnvilApi;
use alloy::rpc::types::anvil::ReorgOptions;
use gio_evm::{Chain, ChainError, SendError, Timing};
use gio_protocol::{Address, Gio};
use serde_json::json;
use tokio::time::Instant;

use crate::market::{CHAIN_ID, Market, gio};
use crate::proxy::{Answer, Edit, Proxy};

const TO: Address = Address::repeat_byte(0x42);

/// The treasury's connection through a proxy that behaves until told otherwise.
async fn through_proxy(market: &Market, timing: Timing) -> (Proxy, Chain) {
    let proxy = Proxy::start(market.anvil.endpoint()).await;
    let secret = Some(market.treasury.key.secret_bytes());
    let chain = Chain::connect_with(&proxy.url(), market.deployment, secret, timing)
        .await
        .unwrap();
    (proxy, chain)
}

#[tokio::test]
async fn a_short_outage_goes_unnoticed() {
    let market = Market::start_unregistered().await;
    let (proxy, chain) = through_proxy(&market, Timing::default()).await;
    proxy.on("eth_getBlockByNumber", |nth, _| match nth {
        0 => Answer::HangUp,
        1 => Answer::Status(503),
        2 => Answer::Status(429),
        _ => Answer::Forward,
    });
    assert!(chain.head().await.unwrap().number > 0);
    proxy.on("eth_getBlockByNumber", |_, _| Answer::HangUp);
    let error = chain.head().await.unwrap_err();
    assert!(
        matches!(
            error,
            ChainError::Unreachable {
                method: "eth_getBlockByNumber",
                ..
            }
        ),
        "{error}"
    );
    assert!(error.is_transient());
    proxy.on("eth_getBlockByNumber", |_, _| Answer::Status(401));
    let error = chain.head().await.unwrap_err();
    assert!(!error.is_transient(), "a wrong token stays wrong: {error}");
}

#[tokio::test]
async fn silence_costs_no_more_than_the_deadline() {
    let market = Market::start_unregistered().await;
    let timing = Timing {
        request: Duration::from_millis(300),
        ..Timing::default()
    };
    let (proxy, chain) = through_proxy(&market, timing).await;
    proxy.on("eth_getBlockByNumber", |_, _| Answer::Silence);
    let started = Instant::now();
    let error = chain.head().await.unwrap_err();
    assert!(
        matches!(error, ChainError::Timeout { after, .. } if after == timing.request),
        "{error}"
    );
    assert!(error.is_transient());
    assert!(started.elapsed() < Duration::from_secs(5));
}

/// The node took the transaction, mined it, and the answer was lost: it must not be sent a second time.
#[tokio::test]
async fn a_lost_answer_does_not_pay_twice() {
    let market = Market::start_unregistered().await;
    let (proxy, chain) = through_proxy(&market, Timing::default()).await;
    proxy.on("eth_sendRawTransaction", |nth, _| match nth {
        0 | 1 => Answer::ForwardAndHangUp,
        _ => Answer::Forward,
    });
    chain.send_gio(TO, gio("1")).await.unwrap();
    chain.send_gio(TO, gio("2")).await.unwrap();
    assert_eq!(market.balances(&[TO]).await, [gio("3")]);
}

/// The node took the transaction, the answer was lost, and what is heard next is a refusal: by a full pool, by another node
/// behind the same address, or of the nonce before the receipt can be seen.
#[tokio::test]
async fn a_refusal_after_a_lost_answer_does_not_pay_twice() {
    let market = Market::start_unregistered().await;
    let timing = Timing {
        stuck_after: Duration::from_millis(200),
        ..Timing::default()
    };
    let (proxy, chain) = through_proxy(&market, timing).await;
    let refusals: [fn() -> Answer; 4] = [
        || Answer::Error(json!({"code": -32000, "message": "txpool is full"})),
        || Answer::Error(json!({"code": -32000, "message": "replacement transaction underpriced"})),
        || Answer::Error(json!({"code": -32000, "message": "insufficient funds for gas"})),
        || Answer::Status(403),
    ];
    for (n, refusal) in (1..).zip(refusals) {
        proxy.on("eth_sendRawTransaction", move |nth, _| match nth {
            0 => Answer::ForwardAndHangUp,
            1 => refusal(),
            _ => Answer::Forward,
        });
        chain.send_gio(TO, gio("1")).await.unwrap();
        assert_eq!(
            market.balances(&[TO]).await,
            [Gio::from_units(n * gio("1").units())]
        );
    }
    // A node that knows the nonce before the receipt.
    proxy.on("eth_sendRawTransaction", |nth, _| match nth {
        0 => Answer::ForwardAndHangUp,
        _ => Answer::Forward,
    });
    proxy.on("eth_getTransactionReceipt", |nth, _| match nth {
        0 => Answer::Result(json!(null)),
        _ => Answer::Forward,
    });
    chain.send_gio(TO, gio("1")).await.unwrap();
    assert_eq!(market.balances(&[TO]).await, [gio("5")]);
}

/// Every attempt to publish fails; following the transaction publishes it again, under the same nonce.
#[tokio::test]
async fn a_transaction_that_never_arrived_is_published_again() {
    let market = Market::start_unregistered().await;
    let timing = Timing {
        stuck_after: Duration::from_millis(200),
        ..Timing::default()
    };
    let (proxy, chain) = through_proxy(&market, timing).await;
    proxy.on("eth_sendRawTransaction", |nth, _| {
        if nth < 6 {
            Answer::HangUp
        } else {
            Answer::Forward
        }
    });
    let (first, second) = tokio::join!(chain.send_gio(TO, gio("1")), chain.send_gio(TO, gio("2")));
    assert_ne!(first.unwrap().hash, second.unwrap().hash);
    assert_eq!(market.balances(&[TO]).await, [gio("3")]);
}

#[tokio::test]
async fn an_rpc_that_changes_its_chain_is_found_out() {
    let market = Market::start_unregistered().await;
    let (proxy, chain) = through_proxy(&market, Timing::default()).await;
    proxy.on("eth_chainId", |_, _| Answer::Result(json!("0x1")));
    proxy.on("eth_sendRawTransaction", |_, _| {
        Answer::Error(json!({
            "code": -32000, "message": "invalid chain id for signer: have 31338 want 1"
        }))
    });
    let error = chain.send_gio(TO, gio("1")).await.unwrap_err();
    assert!(
        matches!(
            error,
            SendError::WrongChain {
                expected: CHAIN_ID,
                found: 1
            }
        ),
        "{error}"
    );
    assert_eq!(market.balances(&[TO]).await, [Gio::ZERO]);
}

#[tokio::test]
async fn invented_fees_are_not_paid() {
    let market = Market::start_unregistered().await;
    let (proxy, chain) = through_proxy(&market, Timing::default()).await;
    let base = "0xde0b6b3a7640000";
    proxy.on("eth_feeHistory", move |_, _| Answer::Result(json!({
        "oldestBlock": "0x1", "baseFeePerGas": [base, base], "gasUsedRatio": [0.5], "reward": [["0x1"]]
    })));
    let error = chain.send_gio(TO, gio("1")).await.unwrap_err();
    assert!(matches!(error, SendError::FeeTooHigh { .. }), "{error}");
    assert_eq!(market.balances(&[TO]).await, [Gio::ZERO]);
}

#[tokio::test]
async fn a_node_that_reads_few_blocks_at_once_is_asked_for_fewer() {
    let market = Market::start().await;
    let (proxy, chain) = through_proxy(&market, Timing::default()).await;
    let head = chain.head().await.unwrap().number;
    let all = chain.wallet_events(market.wallet, 0, head).await.unwrap();
    assert_eq!(all.len(), 1);
    proxy.on("eth_getLogs", |_, params| {
        let block = |name: &str| {
            let text = params[0][name].as_str().unwrap().trim_start_matches("0x");
            u64::from_str_radix(text, 16).unwrap()
        };
        if block("toBlock") - block("fromBlock") < 2 {
            return Answer::Forward;
        }
        Answer::Error(json!({"code": -32602, "message": "query exceeds max block range 2"}))
    });
    assert_eq!(
        chain.wallet_events(market.wallet, 0, head).await.unwrap(),
        all
    );
    assert!(proxy.seen("eth_getLogs") > 3);
}

#[tokio::test]
async fn events_that_contradict_the_question_are_refused() {
    let market = Market::start().await;
    market.deal(1, None).await;
    let (proxy, chain) = through_proxy(&market, Timing::default()).await;
    let head = chain.head().await.unwrap().number;
    let honest = chain.wallet_events(market.wallet, 0, head).await.unwrap();
    assert_eq!(honest.len(), 2);
    let lies: [(&str, Edit); 5] = [
        ("another contract's", |logs| logs[0]["address"] = json!(TO)),
        ("outside the range", |logs| {
            logs[0]["blockNumber"] = json!("0xffffff")
        }),
        ("twice", |logs| logs[1] = logs[0].clone()),
        ("taken back", |logs| logs[1]["removed"] = json!(true)),
        ("another deal's terms", |logs| {
            let data = logs[1]["data"].as_str().unwrap();
            let flipped = if data.ends_with('0') { "1" } else { "0" };
            logs[1]["data"] = json!(format!("{}{flipped}", &data[..data.len() - 1]));
        }),
    ];
    for (what, lie) in lies {
        proxy.on("eth_getLogs", move |_, _| Answer::Edit(lie));
        let error = chain
            .wallet_events(market.wallet, 0, head)
            .await
            .unwrap_err();
        assert!(
            matches!(error, ChainError::Contradiction { .. }),
            "{what}: {error}"
        );
        assert!(!error.is_transient());
    }
}

/// A stored event whose block hash is no longer the chain's never happened; asking again shows what did.
#[tokio::test]
async fn a_reorganisation_shows_in_the_block_hashes() {
    let market = Market::start().await;
    let chain = &market.hub.chain;
    let tx = chain
        .transfer(market.wallet, market.miner.address(), gio("1"))
        .await
        .unwrap();
    let place = tx.events[0].place;
    assert_eq!(
        chain.block(place.block).await.unwrap().hash,
        place.block_hash
    );
    assert_eq!(chain.mined(tx.hash).await.unwrap(), Some(tx.clone()));
    let options = ReorgOptions {
        depth: 1,
        tx_block_pairs: Vec::new(),
    };
    market.node().anvil_reorg(options).await.unwrap();
    assert_ne!(
        chain.block(place.block).await.unwrap().hash,
        place.block_hash
    );
    let events = chain
        .wallet_events(market.wallet, place.block, place.block)
        .await
        .unwrap();
    assert_eq!(events, [], "the payout is gone with its block");
    assert_eq!(chain.mined(tx.hash).await.unwrap(), None);
}
