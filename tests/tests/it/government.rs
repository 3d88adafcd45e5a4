//! The hub's period, and what the DAO can and cannot do to a hub, with the programs people have.

use gio_e2e::devnet::Settings;
use gio_e2e::process::wait_for;
use gio_e2e::{paths, report};
use gio_evm::{Action, WalletState};
use gio_protocol::{DealStage, Gio};

use crate::story::{Story, block_on, text};

const DAY: u64 = 24 * 3600;

fn alone() -> Settings {
    Settings {
        miners: 0,
        ..Settings::default()
    }
}

fn gio(text: &str) -> Gio {
    text.parse().unwrap()
}

#[test]
fn hw_14_a_hub_holds_payday_takes_its_money_and_begins_again() {
    block_on(async {
        let story = Story::prepare(alone()).await;
        let before = story.net.balances().await.unwrap();
        let early = story.hub(&["payday"]).await.expect(1);
        assert!(early.stderr.contains("error[too-early]"), "{early:?}");
        let refused = story.hub(&["withdraw"]).await;
        assert_ne!(refused.code, 0, "{refused:?}");

        story.net.anvil.pass(30 * DAY).await.unwrap();
        let held = story.hub(&["payday"]).await.expect(0);
        assert_eq!(held.json["done"], true);
        let again = story.hub(&["payday"]).await.expect(0);
        assert_eq!(again.json["done"], false, "a repetition changes nothing");
        let taken = story.hub(&["withdraw"]).await.expect(0);
        assert_eq!(taken.json["amount"], gio("50").units());
        let again = story.hub(&["withdraw"]).await.expect(0);
        assert_eq!(again.json["done"], false, "a repetition changes nothing");
        assert_eq!(story.balance("hub wallet").await, Gio::ZERO);
        assert_eq!(story.balance("hub owner").await, gio("100"));

        let endpoint = story.net.hub_addr().unwrap();
        let run = story.net.agent(
            "gio-hub",
            "hub",
            &["register", "--deposit", "50", "--endpoint", &endpoint],
        );
        gio_e2e::process::run(run).await.unwrap();
        let info = story.net.chain.wallet(story.wallet().await).await.unwrap();
        assert_eq!(info.state, WalletState::Registered);
        story.hub(&["wallet", "audit"]).await.expect(0);
        let after = story.net.balances().await.unwrap();
        assert_eq!(report::total(&before), report::total(&after));
        story.net.stop().await.unwrap();
    });
}

#[test]
fn r07_a_suspended_hubs_buyers_get_their_money_and_a_rehabilitated_hub_its_own() {
    block_on(async {
        let mut story = Story::prepare(alone()).await;
        story.net.start_hub().await.unwrap();
        let before = story.balance("buyer").await;
        let wasm = paths::repository().join("apps/bench/sha256.wasm");
        let job = [
            "submit",
            "--wasm",
            text(&wasm),
            "--split",
            "range:0..2:2",
            "--pu",
            "2",
            "--deadline",
            "10m",
            "--detach",
            "--yes",
        ];
        let opened = story.buyer_before_args(&job, &["--", "1"]).await;
        let other = story.buyer_before_args(&job, &["--", "2"]).await;
        assert!(
            story.balance("buyer").await < before,
            "the caps are in escrow"
        );
        story.net.hub.take().unwrap().kill().await.unwrap();

        let wallet = story.wallet().await;
        story.suspect(wallet).await;
        let chain = story.net.chain.clone();
        let info = chain.wallet(wallet).await.unwrap();
        assert_eq!(
            (info.state, info.balance),
            (WalletState::Suspected, Gio::ZERO)
        );
        let refused = story.hub(&["payday"]).await;
        assert!(
            refused.stderr.contains("error[wallet-state]"),
            "{refused:?}"
        );
        story.hub(&["wallet", "audit"]).await.expect(0);

        story.net.anvil.pass(601).await.unwrap();
        story.buyer(&["refund", opened.job()]).await.expect(0);
        let deal = chain.deal(wallet, opened.deal()).await.unwrap();
        assert_eq!(deal.stage, DealStage::Refunded);
        // A suspected hub starts again, and ends what is under way.
        story.net.start_hub().await.unwrap();
        wait_for("the hub's refund", 60, || async {
            let deal = chain.deal(wallet, other.deal()).await?;
            Ok((deal.stage == DealStage::Refunded).then_some(()))
        })
        .await
        .unwrap();
        assert_eq!(story.balance("buyer").await, before, "out of the freezer");
        story.net.hub.take().unwrap().stop().await.unwrap();

        let action = [Action::rehab(wallet)];
        let (rehab, _) = chain.propose(&action, "It was a mistake").await.unwrap();
        story.decide(rehab).await;
        story.hub(&["wallet", "audit"]).await.expect(0);
        let taken = story.hub(&["withdraw"]).await.expect(0);
        assert_eq!(taken.json["amount"], gio("50").units(), "all of its own");
        story.net.stop().await.unwrap();
    });
}

#[test]
fn hw_22_a_banned_hubs_own_money_is_the_treasurys_and_locked() {
    block_on(async {
        let story = Story::prepare(alone()).await;
        let wallet = story.wallet().await;
        let chain = &story.net.chain;
        story.suspect(wallet).await;
        story.net.anvil.pass(3600).await.unwrap();
        let ban = chain
            .propose(&[Action::ban(wallet)], "It was none")
            .await
            .unwrap();
        assert!(chain.proposal(ban.0).await.unwrap().is_grave);
        story.decide(ban.0).await;
        let info = chain.wallet(wallet).await.unwrap();
        assert_eq!(
            (info.state, info.balance),
            (WalletState::Punished, Gio::ZERO)
        );
        let bucket = chain.bucket(gio_protocol::U256::ONE).await.unwrap();
        assert_eq!(bucket.amount, gio("50"));
        assert!(
            bucket.unlock_at > info.at.time,
            "nobody gains from it now (HW-24)"
        );
        story.hub(&["wallet", "audit"]).await.expect(0);
        let refused = story.hub(&["withdraw"]).await;
        assert!(refused.stderr.contains("banned"), "{refused:?}");
        story.net.stop().await.unwrap();
    });
}

#[test]
fn r15_a_bond_comes_back_after_the_delay_and_r14_a_machine_consents() {
    block_on(async {
        let story = Story::prepare(Settings {
            miners: 1,
            ..Settings::default()
        })
        .await;
        let miner = story.account("miner-1").await;
        story.net.chain.send_gio(miner, gio("5")).await.unwrap();
        let bonded = story.miner(1, &["bond", "12"]).await.expect(0);
        assert_eq!(bonded.json["moved"], "2.00000000", "ten were there");
        let again = story.miner(1, &["bond", "12"]).await.expect(0);
        assert_eq!(
            again.json["moved"], "0.00000000",
            "a repetition changes nothing"
        );
        let poor = story.miner(1, &["bond", "100"]).await.expect(13);
        assert!(poor.stderr.contains("error[funds-gio]"), "{poor:?}");

        let asked = story
            .miner(1, &["withdraw-bond", "--leave", "10"])
            .await
            .expect(0);
        assert_eq!(asked.json["leaving"], "2.00000000");
        let early = story
            .miner(1, &["withdraw-bond", "--leave", "10"])
            .await
            .expect(0);
        assert_eq!(early.json, asked.json, "a repetition changes nothing");
        let rules = story.net.chain.registry_rules().await.unwrap();
        story
            .net
            .anvil
            .pass(rules.withdrawal_delay + 1)
            .await
            .unwrap();
        let came = story
            .miner(1, &["withdraw-bond", "--leave", "10"])
            .await
            .expect(0);
        assert_eq!(
            (&came.json["moved"], &came.json["bond"]),
            (&"2.00000000".into(), &"10.00000000".into())
        );
        assert_eq!(story.balance("miner-1").await, gio("5"));

        delegate(&story, miner).await;
        story.net.stop().await.unwrap();
    });
}

/// A second machine, without a bond of its own, signs for the first one's owner.
async fn delegate(story: &Story, owner: gio_protocol::Address) {
    let contracts = story.net.folder.join("contracts.json");
    let rpc = story.net.anvil.rpc_url.clone();
    let init = ["init", "--rpc", &rpc, "--contracts", text(&contracts)];
    let machine = async |args: &[&str]| {
        gio_e2e::process::run(story.net.agent("gio-miner", "machine", args))
            .await
            .unwrap()
    };
    let key: gio_protocol::Address = machine(&init).await.trim().parse().unwrap();
    let consent = machine(&["consent", "--owner", &owner.to_string()]).await;
    let file = story.net.folder.join("consent.json");
    std::fs::write(&file, consent).unwrap();
    story.miner(1, &["delegate", text(&file)]).await.expect(0);
    story.miner(1, &["delegate", text(&file)]).await.expect(0);
    assert_eq!(story.net.chain.key_info(key).await.unwrap().owner, owner);
    story
        .miner(1, &["revoke", &key.to_string()])
        .await
        .expect(0);
    let info = story.net.chain.key_info(key).await.unwrap();
    assert!(
        info.owner == owner && info.ends_at.is_some(),
        "until the delay is over (R14)"
    );
}

#[test]
fn r08_a_hub_that_puts_payday_off_gets_no_deals_and_no_work_until_it_held_it() {
    block_on(async {
        let mut story = Story::with_hub(1).await;
        let job = paths::repository().join("apps/bench/sha256.wasm");
        let job = ["--wasm", text(&job), "--split", "range:0..2:2", "--pu", "2"];
        let plan = [&["plan"], job.as_slice()].concat();
        story.buyer_before_args(&plan, &["--", "1"]).await.expect(0);

        // The period, the week's grace, and a moment.
        story.net.anvil.pass(37 * DAY + 60).await.unwrap();
        let refused = story.buyer_before_args(&plan, &["--", "1"]).await;
        let refused = refused.expect(12);
        let problem = &refused.json["hubs"][0]["problems"][0];
        let what = problem["what"].as_str().unwrap();
        assert!(what.contains("marks it as delinquent"), "{refused:?}");
        let before = story.balance("buyer").await;
        let out = story.net.folder.join("out");
        let submit = [&["submit", "--yes", "--out", text(&out)], job.as_slice()].concat();
        let refused = story.buyer_before_args(&submit, &["--", "1"]).await;
        let refused = refused.expect(12);
        assert!(
            refused.stderr.contains("error[no-hub-fits]")
                && refused.stderr.contains("marks it as delinquent"),
            "{refused:?}"
        );
        assert_eq!(story.balance("buyer").await, before, "no money moved");
        let doctor = format!("{:?}", story.hub(&["doctor"]).await);
        assert!(
            doctor.contains("overdue: buyers and miners refuse"),
            "{doctor}"
        );
        let jobs = story.buyer(&["list"]).await.expect(0);
        let draft = jobs.json[0]["job"].as_str().unwrap();
        let why = story.buyer(&["why", draft]).await.expect(0);
        let what = &why.json["hubs"][0]["problems"][0]["what"];
        assert!(what.as_str().unwrap().contains("delinquent"), "{why:?}");

        story.net.start_miner(0).await.unwrap();
        judged(&story, "not_confirmed", "delinquent").await;
        story.net.miners[0].take().unwrap().kill().await.unwrap();

        story.net.hub.take().unwrap().kill().await.unwrap();
        story.hub(&["payday"]).await.expect(0);
        let endpoint = story.net.hub_addr().unwrap();
        let register = ["register", "--deposit", "50", "--endpoint", &endpoint];
        let run = story.net.agent("gio-hub", "hub", &register);
        gio_e2e::process::run(run).await.unwrap();
        story.net.start_hub().await.unwrap();
        story.net.start_miner(0).await.unwrap();
        judged(&story, "checked", "").await;
        story
            .buyer_before_args(&submit, &["--", "1"])
            .await
            .expect(0);
        story.net.stop().await.unwrap();
    });
}

/// Waits until the first miner thinks so of the hub, for such a reason.
async fn judged(story: &Story, status: &str, reason: &str) {
    let settled = gio_e2e::process::wait_for("the judgement", 60, || async {
        let said = story.miner(1, &["status"]).await;
        let hub = &said.json["hubs"][0];
        let because = hub["reason"].as_str().unwrap_or_default();
        Ok((hub["status"] == status && because.contains(reason)).then_some(()))
    });
    settled.await.unwrap();
}
