//! A payout per epoch (R9): one transaction of the hub, and miners who claim with proofs, whatever becomes of the hub.

use std::fs;

use gio_e2e::devnet::Settings;
use gio_e2e::process::wait_for;
use gio_e2e::report;
use gio_protocol::Gio;

use crate::story::{Story, block_on, text};

fn gio(text: &str) -> Gio {
    text.parse().unwrap()
}

#[test]
fn r09_three_miners_claim_an_epochs_payout_also_after_the_hub_is_dead() {
    block_on(async {
        let mut story = Story::prepare(Settings::default()).await;
        story.net.start_hub().await.unwrap();
        let before = story.net.balances().await.unwrap();
        let stats = statistics(&story, [5, 3, 2]).await;
        let payout = ["payout", "--stats", text(&stats), "--amount", "10"];

        let posted = story.hub(&payout).await.expect(0);
        assert_eq!(
            (&posted.json["epoch"], &posted.json["miners"]),
            (&0.into(), &3.into())
        );
        let again = story.hub(&payout).await.expect(0);
        assert_eq!(
            (&again.json["epoch"], &again.json["posted_before"]),
            (&0.into(), &true.into())
        );
        story.hub(&["wallet", "audit"]).await.expect(0);

        // The first claims at once, from the running hub; the third only keeps its proof.
        let first = story.miner(1, &["claim"]).await.expect(0);
        assert_eq!(first.json["claimed"], "5.00000000");
        let kept = story.miner(3, &["claim", "--keep-only"]).await.expect(0);
        assert_eq!(kept.json["claimed"], "0.00000000");
        story.net.hub.take().unwrap().kill().await.unwrap();

        let third = story.miner(3, &["claim"]).await.expect(0);
        assert_eq!(
            third.json["claimed"], "2.00000000",
            "the hub is not needed any more"
        );
        // The second kept nothing: it needs somebody's copy of the leaf file, and believes no other.
        let alone = story.miner(2, &["claim"]).await.expect(14);
        assert!(
            alone.stderr.contains("reserved in the hub's wallet"),
            "{alone:?}"
        );
        let file = leaf_file(&story);
        let damaged = story.net.folder.join("damaged.leaves");
        let mut bytes = fs::read(&file).unwrap();
        bytes[50] ^= 1;
        fs::write(&damaged, &bytes).unwrap();
        let deceived = story.miner(2, &["claim", "--leaves", text(&damaged)]).await;
        assert_ne!(deceived.code, 0, "{deceived:?}");
        let second = story
            .miner(2, &["claim", "--leaves", text(&file)])
            .await
            .expect(0);
        assert_eq!(second.json["claimed"], "3.00000000");
        let again = story.miner(2, &["claim"]).await.expect(0);
        assert_eq!(again.json["claimed"], "0.00000000", "nobody is paid twice");

        for (miner, net) in [("miner-1", "5"), ("miner-2", "3"), ("miner-3", "2")] {
            assert_eq!(story.balance(miner).await, gio(net));
        }
        let audit = story.hub(&["wallet", "audit"]).await.expect(0);
        assert_eq!(audit.json["unclaimed"], 0);
        let after = story.net.balances().await.unwrap();
        assert_eq!(report::total(&before), report::total(&after));
        story.net.stop().await.unwrap();
    });
}

#[test]
fn r09_the_same_payment_is_made_again_only_under_the_next_number() {
    block_on(async {
        let story = Story::prepare(Settings {
            miners: 3,
            bond: 0,
            ..Settings::default()
        })
        .await;
        let stats = statistics(&story, [1, 1, 1]).await;
        let payout = async |more: &[&str]| {
            let args = [&["payout", "--stats", text(&stats), "--amount", "3"], more].concat();
            story.hub(&args).await
        };
        let dry = payout(&["--dry-run"]).await.expect(0);
        assert_eq!(dry.json["epoch"], serde_json::Value::Null);
        assert_eq!(payout(&["--epoch", "0"]).await.expect(0).json["epoch"], 0);
        assert_eq!(
            payout(&["--epoch", "0"]).await.expect(0).json["posted_before"],
            true
        );
        assert_eq!(
            payout(&["--epoch", "1"]).await.expect(0).json["posted_before"],
            false
        );
        let gap = payout(&["--epoch", "5"]).await.expect(2);
        assert!(gap.stderr.contains("--epoch 2"), "{gap:?}");
        let other = [
            "payout",
            "--stats",
            text(&stats),
            "--amount",
            "6",
            "--epoch",
            "1",
        ];
        story.hub(&other).await.expect(2);
        let much = ["payout", "--stats", text(&stats), "--amount", "1000"];
        let much = story.hub(&much).await.expect(13);
        assert!(much.stderr.contains("are missing"), "{much:?}");

        // A hub that lost its disk says the same, and has the leaf file again.
        fs::remove_dir_all(story.net.folder.join("hub/payouts")).unwrap();
        story.hub(&["wallet", "audit"]).await.expect(15);
        assert_eq!(payout(&[]).await.expect(0).json["posted_before"], true);
        story.hub(&["wallet", "audit"]).await.expect(0);
        story.net.stop().await.unwrap();
    });
}

/// The miner is started when the hub is dead and its leaf file nowhere, looks by itself again when the hub is back, and
/// leaves alone what is not worth a claim, until somebody claims that by hand beside it.
#[test]
fn r09_a_running_miner_gets_its_payout_without_a_command() {
    block_on(async {
        let mut story = Story::start(Settings {
            miners: 1,
            ..Settings::default()
        })
        .await;
        let wasm = gio_e2e::paths::repository().join("apps/bench/sha256.wasm");
        let out = story.net.folder.join("out");
        let submit = [
            "submit",
            "--wasm",
            text(&wasm),
            "--pu",
            "2",
            "--out",
            text(&out),
        ];
        let job = story.buyer_before_args(&submit, &["--", "1"]).await;
        job.expect(0);
        let (chain, wallet) = (story.net.chain.clone(), story.wallet().await);
        let miner = story.account("miner-1").await;
        let is_claimed = async |epoch| chain.is_claimed(wallet, epoch, 0).await.unwrap();

        story.net.miners[0].take().unwrap().stop().await.unwrap();
        story.net.hub.take().unwrap().stop().await.unwrap();
        let stats = story.net.folder.join("stats.csv");
        fs::write(&stats, format!("account,credit\n{miner},1\n")).unwrap();
        let payout = ["payout", "--stats", text(&stats), "--amount"];
        let post = async |story: &Story, amount| {
            let posted = story.hub(&[&payout[..], &[amount]].concat()).await;
            posted.expect(0);
        };
        post(&story, "2").await;
        story.net.start_miner(0).await.unwrap();
        let log = story.net.folder.join("logs/miner-1.log");
        says(&log, "a payout is not proven").await;
        assert!(!is_claimed(0).await);
        story.net.start_hub().await.unwrap();
        wait_for("the claim", ROUNDS_SECONDS, || async {
            Ok(is_claimed(0).await.then_some(()))
        })
        .await
        .unwrap();
        says(&log, "received 2.00000000 GIO").await;

        // Another start is another look at once.
        let others = format!("0x{}", "ff".repeat(20));
        fs::write(&stats, format!("{miner},1\n{others},3\n")).unwrap();
        post(&story, "2").await;
        restart(&mut story).await;
        let open = status_until(&story, "payouts_open", "0.50000000").await;
        assert_eq!(open["payouts_claimed"], "2.00000000");
        assert!(!is_claimed(1).await, "it is not worth the gas");
        let doctor = story.miner(1, &["doctor"]).await.expect(0);
        let found = doctor.json["findings"].as_array().unwrap();
        let line = found.iter().find(|line| line["check"] == "payouts");
        let line = line.unwrap()["found"].as_str().unwrap();
        assert!(line.contains("0.50000000 GIO in 1 parts"), "{line}");

        let claimed = story.miner(1, &["claim"]).await.expect(0);
        assert_eq!(claimed.json["claimed"], "0.50000000");
        restart(&mut story).await;
        let all = status_until(&story, "payouts_claimed", "2.50000000").await;
        assert_eq!(all["hubs"][0]["payouts_open"], "0.00000000");
        story.hub(&["wallet", "audit"]).await.expect(0);
        let (_, left) = chain.payout_kept(wallet, 0).await.unwrap();
        assert_eq!(left, Gio::ZERO);
        story.net.stop().await.unwrap();
    });
}

/// A miner looks by itself every minute.
const ROUNDS_SECONDS: u64 = 150;

async fn restart(story: &mut Story) {
    story.net.miners[0].take().unwrap().stop().await.unwrap();
    story.net.start_miner(0).await.unwrap();
}

/// Waits until a log has a line.
async fn says(log: &std::path::Path, words: &str) {
    let look = || async { Ok(fs::read_to_string(log)?.contains(words).then_some(())) };
    wait_for(words, ROUNDS_SECONDS, look).await.unwrap();
}

/// Waits until the running miner's status has a value.
async fn status_until(story: &Story, key: &str, value: &str) -> serde_json::Value {
    let look = || async {
        let status = story.miner(1, &["status"]).await.expect(0).json;
        Ok((status[key] == value).then_some(status))
    };
    wait_for(key, ROUNDS_SECONDS, look).await.unwrap()
}

/// Statistics of the three miners' work.
pub(crate) async fn statistics(story: &Story, credits: [u32; 3]) -> std::path::PathBuf {
    let mut lines = "account,credit\n".to_owned();
    for (number, credit) in (1..).zip(credits) {
        let account = story.account(&format!("miner-{number}")).await;
        lines.push_str(&format!("{account},{credit}\n"));
    }
    let path = story.net.folder.join("stats.csv");
    fs::write(&path, lines).unwrap();
    path
}

fn leaf_file(story: &Story) -> std::path::PathBuf {
    let folder = fs::read_dir(story.net.folder.join("hub/payouts")).unwrap();
    let mut paths = folder.map(|entry| entry.unwrap().path());
    let is_leaves = |path: &std::path::PathBuf| path.extension().is_some_and(|e| e == "leaves");
    paths.find(is_leaves).unwrap()
}
