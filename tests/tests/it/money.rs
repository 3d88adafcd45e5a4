//! Money that moves only against results.

use std::time::Duration;

use gio_e2e::devnet::Settings;
use gio_e2e::{paths, process::wait_for, report};
use gio_protocol::{DealStage, bill};

use crate::story::{Answer, Story, block_on, text};

/// A job of a few small units, opened and left.
async fn open_and_leave(story: &Story, deadline: &str) -> Answer {
    let wasm = paths::repository().join("apps/bench/sha256.wasm");
    let args = [
        "submit",
        "--json",
        "--wasm",
        text(&wasm),
        "--split",
        "range:0..6:6",
        "--pu",
        "2",
        "--deadline",
        deadline,
        "--detach",
        "--yes",
        "--",
        "1",
    ];
    let output = story.net.buyer(&args).output().await.unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let json = serde_json::from_str(&told).unwrap_or_else(|_| panic!("{told}\n{stderr}"));
    Answer {
        code: output.status.code().unwrap(),
        json,
        stderr,
    }
}

#[test]
fn r02_a_buyer_that_never_confirms_pays_the_metered_sum_after_the_window() {
    block_on(async {
        let story = Story::start(Settings {
            window_seconds: 600,
            ..Settings::default()
        })
        .await;
        let before = story.net.balances().await.unwrap();
        let opened = open_and_leave(&story, "10m").await;
        let (wallet, deal) = (story.wallet().await, opened.deal());
        let stage = |wanted: DealStage| {
            let chain = story.net.chain.clone();
            move || {
                let chain = chain.clone();
                async move { Ok((chain.deal(wallet, deal).await?.stage == wanted).then_some(())) }
            }
        };
        wait_for("the posted result", 60, stage(DealStage::Posted))
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(
            story.net.chain.deal(wallet, deal).await.unwrap().stage,
            DealStage::Posted,
            "nobody settles early"
        );
        story.net.anvil.pass(601).await.unwrap();
        wait_for("the settlement", 30, stage(DealStage::Settled))
            .await
            .unwrap();

        let head = story.net.chain.head().await.unwrap().number;
        let events = story
            .net
            .chain
            .wallet_events(wallet, 0, head)
            .await
            .unwrap();
        let mut cu_total = None;
        let mut terms = None;
        let mut payment = None;
        for log in events {
            match log.event {
                gio_evm::WalletEvent::DealOpened { terms: found, .. } => terms = Some(found),
                gio_evm::WalletEvent::ResultPosted {
                    cu_total: found, ..
                } => cu_total = Some(found),
                gio_evm::WalletEvent::DealSettled {
                    payment: found,
                    confirmed,
                    ..
                } => {
                    assert!(!confirmed);
                    payment = Some(found);
                }
                _ => {}
            }
        }
        let (terms, cu_total) = (terms.unwrap(), cu_total.unwrap());
        let expected = bill(terms.cap, cu_total, terms.price_per_pu);
        assert!(
            cu_total.0 > 0 && expected < terms.cap,
            "the job is metered and below its cap"
        );
        assert_eq!(payment, Some(expected));
        let miners_paid = || async {
            let after = story.net.balances().await?;
            Ok((after
                .iter()
                .filter(|(name, gio)| name.starts_with("miner") && gio.units() > 0)
                .count()
                > 0)
            .then_some(after))
        };
        let after = wait_for("the miners' pay", 30, miners_paid).await.unwrap();
        let of = |balances: &[(String, gio_protocol::Gio)], name: &str| {
            balances
                .iter()
                .find(|(account, _)| account == name)
                .unwrap()
                .1
        };
        assert_eq!(
            of(&before, "buyer").minus(of(&after, "buyer")).unwrap(),
            expected,
            "exactly R2, nothing more"
        );
        assert_eq!(report::total(&before), report::total(&after));
        story.net.stop().await.unwrap();
    });
}

#[test]
fn ch05_a_hub_that_never_delivers_gives_everything_back() {
    block_on(async {
        let mut story = Story::with_hub(0).await;
        let before = story.balance("buyer").await;
        let opened = open_and_leave(&story, "10m").await;
        assert!(
            story.balance("buyer").await < before,
            "the cap is in escrow"
        );
        story.net.hub.take().unwrap().kill().await.unwrap();
        let early = story.buyer(&["refund", opened.job()]).await;
        assert_ne!(early.code, 0, "not before the deadline: {early:?}");
        story.net.anvil.pass(601).await.unwrap();
        let refund = story.buyer(&["refund", opened.job()]).await.expect(0);
        assert_eq!(story.balance("buyer").await, before, "{refund:?}");
        let stage = story
            .net
            .chain
            .deal(story.wallet().await, opened.deal())
            .await
            .unwrap()
            .stage;
        assert_eq!(stage, DealStage::Refunded);
        let again = story.buyer(&["refund", opened.job()]).await.expect(0);
        assert_eq!(again.json["state"], "refunded", "{again:?}");
        story.net.stop().await.unwrap();
    });
}

#[test]
fn f5_the_hub_itself_refunds_what_it_cannot_deliver() {
    block_on(async {
        let story = Story::with_hub(0).await;
        let before = story.balance("buyer").await;
        let opened = open_and_leave(&story, "10m").await;
        story.net.anvil.pass(601).await.unwrap();
        let (chain, wallet, deal) = (story.net.chain.clone(), story.wallet().await, opened.deal());
        wait_for("the refund", 30, || {
            let chain = chain.clone();
            async move {
                Ok((chain.deal(wallet, deal).await?.stage == DealStage::Refunded).then_some(()))
            }
        })
        .await
        .unwrap();
        assert_eq!(story.balance("buyer").await, before);
        story.net.stop().await.unwrap();
    });
}

#[test]
fn f5_a_hub_that_vanishes_after_posting_keeps_nothing_locked() {
    block_on(async {
        let mut story = Story::start(Settings {
            window_seconds: 600,
            miners: 1,
            ..Settings::default()
        })
        .await;
        let before = story.balance("buyer").await;
        let opened = open_and_leave(&story, "10m").await;
        let (chain, wallet, deal) = (story.net.chain.clone(), story.wallet().await, opened.deal());
        wait_for("the posted result", 60, || {
            let chain = chain.clone();
            async move { Ok((chain.deal(wallet, deal).await?.stage == DealStage::Posted).then_some(())) }
        })
        .await
        .unwrap();
        story.net.hub.take().unwrap().kill().await.unwrap();
        let early = story.buyer(&["refund", opened.job()]).await;
        assert_ne!(early.code, 0, "not inside the window: {early:?}");
        story.net.anvil.pass(601).await.unwrap();
        story.buyer(&["refund", opened.job()]).await.expect(0);
        assert_eq!(
            chain.deal(wallet, deal).await.unwrap().stage,
            DealStage::Settled
        );
        let again = story.buyer(&["refund", opened.job()]).await.expect(2);
        assert!(again.stderr.contains("the deal is settled"), "{again:?}");
        let head = chain.head().await.unwrap().number;
        let events = chain.wallet_events(wallet, 0, head).await.unwrap();
        let payment = events.iter().find_map(|log| match log.event {
            gio_evm::WalletEvent::DealSettled { payment, .. } => Some(payment),
            _ => None,
        });
        let paid = before.minus(story.balance("buyer").await).unwrap();
        assert_eq!(Some(paid), payment, "only what was metered is gone");
        story.net.stop().await.unwrap();
    });
}
