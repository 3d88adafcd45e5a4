//! Commands that move money, killed at any moment and run again: once is once.

use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use gio_e2e::devnet::Settings;
use gio_failpoint::KILL_AT;
use gio_protocol::Gio;

use crate::payouts::statistics;
use crate::story::{Story, block_on, text};

/// Where operators' and authors' commands die right after they sent something; each is then run again.
pub(crate) const COMMANDS: [&str; 13] = [
    "hub.sent.epoch",
    "miner.sent.claim",
    "miner.sent.bond",
    "miner.sent.bond_request",
    "miner.sent.bond_kept",
    "miner.sent.bond_withdrawal",
    "miner.sent.payout_to",
    "miner.sent.delegation",
    "miner.sent.revocation",
    "buyer.sent.publication",
    "buyer.sent.deprecation",
    "hub.sent.payday",
    "hub.sent.withdrawal",
];

/// Kills within the first 300 ms reach every step of a command that takes about as long.
const KILLS: [u64; 10] = [5, 25, 45, 65, 85, 110, 140, 180, 230, 300];

#[test]
fn r09_payouts_claims_and_bonds_killed_at_any_moment_happen_once() {
    block_on(async {
        let story = Story::prepare(Settings {
            miners: 3,
            bond: 0,
            ..Settings::default()
        })
        .await;
        let stats = statistics(&story, [1, 1, 1]).await;
        let chain = story.net.chain.clone();
        let (wallet, miner) = (story.wallet().await, story.account("miner-1").await);
        let leaves = story.net.folder.join("hub/payouts");
        for (epoch, after) in (0..).zip(KILLS) {
            // Another amount each time: the same would be the same payout.
            let share = 1_000 + u64::from(epoch);
            let amount = Gio::from_units(3 * share).to_string();
            let payout = ["payout", "--stats", text(&stats), "--amount", &amount];
            kill(&story, "gio-hub", "hub", &payout, after).await;
            story.hub(&payout).await.expect(0);
            assert_eq!(
                chain.payout_count(wallet).await.unwrap(),
                epoch + 1,
                "killed after {after} ms"
            );

            let paid = chain.balance(miner).await.unwrap();
            copy(&leaves, &story.net.folder.join("miner-1/payouts"));
            kill(&story, "gio-miner", "miner-1", &["claim"], after).await;
            story.miner(1, &["claim"]).await.expect(0);
            let now = chain.balance(miner).await.unwrap();
            assert_eq!(
                now.minus_or_zero(paid).units(),
                share,
                "killed after {after} ms"
            );
        }
        story.hub(&["wallet", "audit"]).await.expect(0);

        chain
            .send_gio(miner, Gio::from_whole(100).unwrap())
            .await
            .unwrap();
        for (bond, after) in (10..).zip(KILLS) {
            kill(
                &story,
                "gio-miner",
                "miner-1",
                &["bond", &bond.to_string()],
                after,
            )
            .await;
            story.miner(1, &["bond", &bond.to_string()]).await.expect(0);
            let found = chain.miner(miner).await.unwrap().bond;
            assert_eq!(
                found,
                Gio::from_whole(bond).unwrap(),
                "killed after {after} ms"
            );
        }

        story.net.anvil.pass(31 * 24 * 3600).await.unwrap();
        kill(&story, "gio-hub", "hub", &["payday"], KILLS[5]).await;
        story.hub(&["payday"]).await.expect(0);
        kill(&story, "gio-hub", "hub", &["withdraw"], KILLS[5]).await;
        story.hub(&["withdraw"]).await.expect(0);
        story.hub(&["wallet", "audit"]).await.expect(0);
        story.net.stop().await.unwrap();
    });
}

#[test]
fn commands_killed_when_they_have_sent_something_do_it_once() {
    block_on(async {
        let story = Story::prepare(Settings {
            miners: 3,
            bond: 0,
            ..Settings::default()
        })
        .await;
        let mut dead = Vec::new();
        let stats = statistics(&story, [1, 1, 1]).await;
        let chain = story.net.chain.clone();
        let (wallet, miner) = (story.wallet().await, story.account("miner-1").await);
        let payout = ["payout", "--stats", text(&stats), "--amount", "0.00003"];
        dead.push(once(&story, "gio-hub", "hub", &payout, "hub.sent.epoch").await);
        assert_eq!(chain.payout_count(wallet).await.unwrap(), 1);
        copy(
            &story.net.folder.join("hub/payouts"),
            &story.net.folder.join("miner-1/payouts"),
        );
        let of_a_miner = async |args: &[&str], point: &'static str| {
            once(&story, "gio-miner", "miner-1", args, point).await
        };
        dead.push(of_a_miner(&["claim"], "miner.sent.claim").await);
        assert_eq!(chain.balance(miner).await.unwrap().units(), 1_000);

        let hundred = Gio::from_whole(100).unwrap();
        chain.send_gio(miner, hundred).await.unwrap();
        dead.push(of_a_miner(&["bond", "20"], "miner.sent.bond").await);
        let bond = async || chain.miner(miner).await.unwrap();
        assert_eq!(bond().await.bond, Gio::from_whole(20).unwrap());
        let leave = ["withdraw-bond", "--leave", "10"];
        dead.push(of_a_miner(&leave, "miner.sent.bond_request").await);
        assert_eq!(bond().await.leaving, Gio::from_whole(10).unwrap());
        let keep = ["withdraw-bond", "--keep"];
        dead.push(of_a_miner(&keep, "miner.sent.bond_kept").await);
        assert_eq!(bond().await.leaving, Gio::ZERO);
        story.miner(1, &leave).await.expect(0);
        let wait = bond().await.leaves_at.unwrap().0 - bond().await.now.0;
        story.net.anvil.pass(wait + 1).await.unwrap();
        dead.push(of_a_miner(&leave, "miner.sent.bond_withdrawal").await);
        assert_eq!(bond().await.bond, Gio::from_whole(10).unwrap());

        let to = format!("{wallet}");
        dead.push(of_a_miner(&["payout-to", &to], "miner.sent.payout_to").await);
        assert_eq!(bond().await.payout_to, wallet);
        let consent = story.net.folder.join("consent.json");
        let own = format!("{miner}");
        let printed = story.net.agent(
            "gio-miner",
            "miner-2",
            &["consent", "--owner", &own, "--hours", "2"],
        );
        let printed = gio_e2e::process::run(printed).await.unwrap();
        std::fs::write(&consent, printed).unwrap();
        let delegate = ["delegate", text(&consent)];
        dead.push(of_a_miner(&delegate, "miner.sent.delegation").await);
        let machine = story.account("miner-2").await;
        assert_eq!(chain.key_info(machine).await.unwrap().owner, miner);
        let revoke = ["revoke", &machine.to_string()];
        dead.push(of_a_miner(&revoke, "miner.sent.revocation").await);
        assert!(chain.key_info(machine).await.unwrap().ends_at.is_some());

        let wasm = gio_e2e::paths::repository().join("apps/bench/sha256.wasm");
        let publish = ["app", "publish", "hash@1.0", "--wasm", text(&wasm)];
        dead.push(
            once(
                &story,
                "gio-buyer",
                "buyer",
                &publish,
                "buyer.sent.publication",
            )
            .await,
        );
        let deprecate = ["app", "deprecate", "hash@1.0"];
        dead.push(
            once(
                &story,
                "gio-buyer",
                "buyer",
                &deprecate,
                "buyer.sent.deprecation",
            )
            .await,
        );
        let listed = story.buyer(&["app", "list", "hash"]).await.expect(0);
        assert_eq!(listed.json[0]["deprecated"], true);

        story.net.anvil.pass(31 * 24 * 3600).await.unwrap();
        dead.push(once(&story, "gio-hub", "hub", &["payday"], "hub.sent.payday").await);
        dead.push(
            once(
                &story,
                "gio-hub",
                "hub",
                &["withdraw"],
                "hub.sent.withdrawal",
            )
            .await,
        );
        story.hub(&["wallet", "audit"]).await.expect(0);
        assert_eq!(dead, COMMANDS);
        story.net.stop().await.unwrap();
    });
}

/// Runs a command that dies at a point, then the same command to its end.
async fn once(
    story: &Story,
    program: &str,
    home: &str,
    args: &[&str],
    point: &'static str,
) -> &'static str {
    let mut command = story.net.agent(program, home, args);
    command.env(KILL_AT, format!("{point}@1"));
    let status = command.output().await.unwrap().status;
    assert_eq!(status.signal(), Some(9), "{point}: {status}");
    gio_e2e::process::run(story.net.agent(program, home, args))
        .await
        .unwrap();
    point
}

/// Starts a command and kills it; how far it came is its own business.
async fn kill(story: &Story, program: &str, home: &str, args: &[&str], after: u64) {
    let mut command = story.net.agent(program, home, args);
    command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    tokio::time::sleep(Duration::from_millis(after)).await;
    child.kill().await.unwrap();
}

/// What a miner fetched before: the hub does not run in this story.
fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|suffix| suffix == "leaves") {
            std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
}
