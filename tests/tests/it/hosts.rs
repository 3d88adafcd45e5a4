//! A market on several hosts: links are cut and healed in the middle of jobs, and lose and delay what they carry.

use std::time::Duration;

use gio_e2e::devnet::Settings;
use gio_e2e::hosts::Lan;
use gio_protocol::DealStage;
use tokio::time::sleep;

use crate::crash::jobs;
use crate::crash::market::{DyingMarket, MINERS};
use crate::story::{block_on, turn};

/// Tells the inner test that it runs in a network namespace that was made for it.
const INSIDE: &str = "GIO_IN_NAMESPACE";
/// Longer than the hub keeps a lost miner's units for it.
const CUT: Duration = Duration::from_secs(8);
/// 1 in 20 frames, and a third of a second on every way.
const LOSS_PERCENT: u32 = 5;
const DELAY_MS: u32 = 300;

/// Needs root for the namespaces; says so and passes without.
#[test]
fn a_market_on_several_hosts_survives_cut_lossy_and_slow_links() {
    if let Some(missing) = missing() {
        println!("skipped: {missing}");
        return;
    }
    block_on(async {
        let _turn = turn().await;
        let inner = "hosts::inside_a_network_namespace_of_its_own";
        let mut command = tokio::process::Command::new("unshare");
        command
            .arg("--net")
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", inner, "--ignored", "--nocapture"])
            .env(INSIDE, "1");
        let output = command.output().await.unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && told.contains("1 passed"),
            "{told}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    });
}

/// What keeps this machine from making namespaces.
fn missing() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("network namespaces need root".to_owned());
    }
    for (program, package) in [("ip", "iproute2"), ("unshare", "util-linux")] {
        if std::process::Command::new(program)
            .arg("-V")
            .output()
            .is_err()
        {
            return Some(format!("{program} is missing (Debian package {package})"));
        }
    }
    let namespace = std::process::Command::new("unshare")
        .args(["--net", "true"])
        .output();
    let made = namespace.is_ok_and(|output| output.status.success());
    (!made).then(|| "this machine gives no network namespaces".to_owned())
}

#[test]
#[ignore = "the other test runs it in a network namespace"]
fn inside_a_network_namespace_of_its_own() {
    if std::env::var_os(INSIDE).is_none() {
        return;
    }
    block_on(async {
        let names = ["chain", "hub", MINERS[0], MINERS[1], "buyer"];
        let mut lan = Lan::start(&names, &["chain"]).unwrap();
        let settings = Settings {
            places: lan.places.clone(),
            ..Settings::default()
        };
        let mut market = DyingMarket::with(settings).await;
        market.start();
        let ask = jobs::mixed(&market, 1);
        market.job(&ask).await;
        ask.check(&market.out());
        the_hub_is_cut_off(&mut market, &mut lan).await;
        a_miner_is_cut_off(&mut market, &mut lan).await;
        the_buyer_is_cut_off(&mut market, &mut lan).await;
        everything_is_lossy_and_slow(&mut market, &mut lan).await;
        market.close().await;
    });
}

async fn the_hub_is_cut_off(market: &mut DyingMarket, lan: &mut Lan) {
    market.arm(MINERS[0], &[]).await;
    let ask = jobs::slow(market, 2);
    let job = market.leave(&ask).await;
    market.begins_a_unit(MINERS[0]).await;
    lan.cut("hub").unwrap();
    market.tend_for(CUT).await;
    let carried = lan.heal("hub").unwrap();
    assert!(carried.cut > 0, "nobody spoke meanwhile: {carried:?}");
    market.reaches(&job, DealStage::Posted).await;
    market.buyer_succeeds(&["attach", &job]).await;
    ask.check(&market.out());
}

/// The other miner does its units, and it comes back for the next job.
async fn a_miner_is_cut_off(market: &mut DyingMarket, lan: &mut Lan) {
    market.arm(MINERS[0], &[]).await;
    let ask = jobs::slow(market, 3);
    let job = market.leave(&ask).await;
    market.begins_a_unit(MINERS[0]).await;
    lan.cut(MINERS[0]).unwrap();
    market.reaches(&job, DealStage::Posted).await;
    lan.heal(MINERS[0]).unwrap();
    market.buyer_succeeds(&["attach", &job]).await;
    ask.check(&market.out());
}

async fn the_buyer_is_cut_off(market: &mut DyingMarket, lan: &mut Lan) {
    let ask = jobs::slow(market, 4);
    let cut = async {
        sleep(Duration::from_secs(3)).await;
        lan.cut("buyer").unwrap();
        sleep(CUT).await;
        lan.heal("buyer").unwrap();
    };
    tokio::join!(market.job(&ask), cut);
    ask.check(&market.out());
}

async fn everything_is_lossy_and_slow(market: &mut DyingMarket, lan: &mut Lan) {
    let before = lan.spoil(LOSS_PERCENT, DELAY_MS).unwrap();
    let ask = jobs::mixed(market, 5);
    market.job(&ask).await;
    ask.check(&market.out());
    let after = lan.spoil(0, 0).unwrap();
    assert!(after.lost > before.lost, "nothing was lost: {after:?}");
}
