//! Commands that move money, killed at any moment and run again: once is once.

use std::time::Duration;

use gio_e2e::devnet::Settings;
use gio_protocol::Gio;

use crate::payouts::statistics;
use crate::story::{Story, block_on, text};

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
