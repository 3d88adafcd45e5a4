//! What does not happen in a job that goes well: deadlines, windows, lost files, orderly stops, old age. Each scene
//! kills somebody there.

use std::fs;
use std::time::Duration;

use gio_e2e::process::run;
use gio_evm::{WalletEvent, WalletLog};
use gio_protocol::{DealStage, Gio};

use super::jobs;
use super::market::DyingMarket;
use crate::story::text;

/// Seconds after which a job of these tests is due; its deadline is ten minutes.
const DUE: u64 = 601;
/// Longer than a hub keeps a lost miner's units for it.
const GRACE: Duration = Duration::from_secs(6);
/// More than a scene that is taken back has, and than a payment that was taken back waits for to be made again.
const BLOCKS: u64 = 100;
/// Longer than results are kept.
const OLD: u64 = 40 * 24 * 3600;

/// Nobody works for it: the hub gives the cap back, and dies before and after.
pub(super) async fn the_hub_refunds(market: &mut DyingMarket, number: usize) {
    market.kill_miners().await;
    let ask = jobs::mixed(market, number);
    let job = market.leave(&ask).await;
    market
        .arm("hub", &["hub.sends.refund", "hub.sent.refund"])
        .await;
    market.net.anvil.pass(DUE).await.unwrap();
    market.wait_for_deaths("hub", "a refund").await;
    market.reaches(&job, DealStage::Refunded).await;
    market.start_miners();
}

/// The hub is gone for good: the buyer takes its cap back, by `attach` and by `refund`.
pub(super) async fn the_buyer_takes_its_cap_back(market: &mut DyingMarket, number: usize) {
    market.kill_miners().await;
    let asks = [jobs::mixed(market, number), jobs::mixed(market, number + 1)];
    let (first, second) = (market.leave(&asks[0]).await, market.leave(&asks[1]).await);
    market.kill("hub").await;
    market.net.anvil.pass(DUE).await.unwrap();
    let attach = ["attach", &first];
    market.buyer_dies(&attach, "buyer.sends.refund").await;
    market.buyer_dies(&attach, "buyer.sent.refund").await;
    market.reaches(&first, DealStage::Refunded).await;
    let refund = ["refund", &second];
    market
        .buyer_dies(&refund, "buyer.sent.refund_command")
        .await;
    market.reaches(&second, DealStage::Refunded).await;
    market.start_again("hub");
    market.start_miners();
}

/// Nobody confirms: the hub settles after the window.
pub(super) async fn the_hub_settles_after_the_window(market: &mut DyingMarket, number: usize) {
    let ask = jobs::mixed(market, number);
    let job = market.leave(&ask).await;
    market.reaches(&job, DealStage::Posted).await;
    market
        .arm("hub", &["hub.sends.settlement", "hub.sent.settlement"])
        .await;
    let window = market.window_seconds;
    market.net.anvil.pass(window + 1).await.unwrap();
    market
        .wait_for_deaths("hub", "a settlement after the window")
        .await;
    market.reaches(&job, DealStage::Settled).await;
    market.buyer_succeeds(&["attach", &job]).await;
    ask.check(&market.out());
}

/// The hub is gone after it has delivered: the buyer confirms on chain by itself.
pub(super) async fn the_buyer_confirms_by_itself(market: &mut DyingMarket, number: usize) {
    let job = fetched(market, number).await;
    market.kill("hub").await;
    let attach = ["attach", &job];
    market.buyer_dies(&attach, "buyer.sends.confirmation").await;
    market.buyer_dies(&attach, "buyer.sent.confirmation").await;
    market.reaches(&job, DealStage::Settled).await;
    market.start_again("hub");
    market.buyer_succeeds(&attach).await;
}

/// The same, and the window is over.
pub(super) async fn the_buyer_settles_by_itself(market: &mut DyingMarket, number: usize) {
    let (first, second) = (
        fetched(market, number).await,
        fetched(market, number + 1).await,
    );
    market.kill("hub").await;
    let window = market.window_seconds;
    market.net.anvil.pass(window + 1).await.unwrap();
    let attach = ["attach", &first];
    market.buyer_dies(&attach, "buyer.sends.settlement").await;
    market.buyer_dies(&attach, "buyer.sent.settlement").await;
    market.reaches(&first, DealStage::Settled).await;
    let refund = ["refund", &second];
    market
        .buyer_dies(&refund, "buyer.sent.settlement_command")
        .await;
    market.reaches(&second, DealStage::Settled).await;
    market.start_again("hub");
    market.buyer_succeeds(&attach).await;
    market.buyer_succeeds(&["attach", &second]).await;
}

/// A job whose result is fetched and checked, and not confirmed.
async fn fetched(market: &mut DyingMarket, number: usize) -> String {
    let ask = jobs::mixed(market, number);
    let job = market.leave(&ask).await;
    market.reaches(&job, DealStage::Posted).await;
    market
        .buyer_dies(&["attach", &job], "buyer.tells.confirmation")
        .await;
    ask.check(&market.out());
    job
}

/// The hub has written a payment down and is killed before it has a nonce for it, and before it sends it, and again and
/// again while it finds out that it was never made.
pub(super) async fn a_payment_in_doubt(market: &mut DyingMarket, number: usize) {
    let points = [
        "hub.wrote.payout",
        "hub.wrote.payout_dropped",
        "hub.wrote.payment_nonce",
        "hub.sends.barrier",
        "hub.sent.barrier",
    ];
    market.arm("hub", &points).await;
    let ask = jobs::mixed(market, number);
    market.job(&ask).await;
    market.wait_for_deaths("hub", "a payment in doubt").await;
}

/// A miner has noted the nonce of a pull and is killed before it sends it, and again and again while it finds out that it
/// was never sent.
pub(super) async fn a_pull_in_doubt(market: &mut DyingMarket, number: usize) {
    market.kill_miners().await;
    market.start_again("miner-1");
    let ask = jobs::mixed(market, number);
    let job = market.leave(&ask).await;
    market.reaches(&job, DealStage::Posted).await;
    let points = [
        "miner.wrote.pull_nonce",
        "miner.sends.barrier",
        "miner.sent.barrier",
    ];
    market.arm("miner-1", &points).await;
    market.buyer_succeeds(&["attach", &job]).await;
    ask.check(&market.out());
    market.wait_for_deaths("miner-1", "a pull in doubt").await;
    market.start_miners();
}

/// A miner dies with a claim it has not sent and is away for so long that somebody else does the unit: its claim is
/// rejected, and it is not paid for it.
pub(super) async fn a_claim_too_late(market: &mut DyingMarket, number: usize) {
    market.kill_miners().await;
    market.agent("miner-1").stays_dead = true;
    market.arm("miner-1", &["miner.wrote.claims"]).await;
    let ask = jobs::large(market, number);
    let job = market.leave(&ask).await;
    market
        .wait_for_deaths("miner-1", "a claim written down")
        .await;
    market.tend_for(GRACE).await;
    market.start_again("miner-2");
    market.reaches(&job, DealStage::Posted).await;
    market.arm("hub", &["hub.tells.rejection"]).await;
    market.agent("miner-1").stays_dead = false;
    market.start_again("miner-1");
    market.wait_for_deaths("hub", "a rejection").await;
    market.buyer_succeeds(&["attach", &job]).await;
    ask.check(&market.out());
}

/// A miner's disk loses the output of a claim that was not sent: the unit is given back and done again.
pub(super) async fn a_lost_output(market: &mut DyingMarket, number: usize) {
    market.kill_miners().await;
    market.agent("miner-1").stays_dead = true;
    market.arm("miner-1", &["miner.wrote.claims"]).await;
    let ask = jobs::large(market, number);
    let job = market.leave(&ask).await;
    market
        .wait_for_deaths("miner-1", "a claim written down")
        .await;
    let contents = market.net.folder.join("miner-1/contents");
    fs::remove_dir_all(&contents).unwrap();
    market.agent("miner-1").stays_dead = false;
    market.arm("hub", &["hub.wrote.troubles"]).await;
    market
        .dies("miner-1", &["miner.wrote.output_lost"], "a lost output")
        .await;
    market.wait_for_deaths("hub", "a unit given back").await;
    market.start_again("miner-2");
    market.buyer_succeeds(&["attach", &job]).await;
    ask.check(&market.out());
}

/// The deal is due while its units run: they are cancelled, and nobody is paid for what was not delivered.
pub(super) async fn units_cancelled(market: &mut DyingMarket, number: usize) {
    market.arm("miner-1", &[]).await;
    market.arm("hub", &["hub.tells.cancel"]).await;
    let ask = jobs::endless(market, number);
    let job = market.leave(&ask).await;
    market.begins_a_unit("miner-1").await;
    market.net.anvil.pass(DUE).await.unwrap();
    market.wait_for_deaths("hub", "a cancelled unit").await;
    market.reaches(&job, DealStage::Refunded).await;
}

/// A miner that is asked to stop in the middle of work dies while it says so.
pub(super) async fn a_miner_that_stops(market: &mut DyingMarket, number: usize) {
    let ask = jobs::endless(market, number);
    let job = market.leave(&ask).await;
    for point in ["miner.tells.failures", "miner.tells.draining"] {
        market.arm("miner-1", &[point]).await;
        market.begins_a_unit("miner-1").await;
        market.ask_to_stop("miner-1");
        market.wait_for_deaths("miner-1", "an orderly stop").await;
    }
    market.net.anvil.pass(DUE).await.unwrap();
    market.reaches(&job, DealStage::Refunded).await;
}

/// The buyer cancels what nobody has begun: both sign the end of the deal, and the whole cap comes back.
pub(super) async fn a_cancellation(market: &mut DyingMarket, number: usize) {
    market.kill_miners().await;
    // It is on disk, so the hub goes on by itself whether the buyer heard of it or not.
    let told = &[
        "hub.answers.cancellation",
        "hub.sends.cancellation",
        "hub.sent.cancellation",
    ][..];
    for (at, points) in [told, &["hub.wrote.cancellation"]].into_iter().enumerate() {
        let ask = jobs::mixed(market, number + at);
        let job = market.leave(&ask).await;
        market.arm("hub", points).await;
        market.buyer_until_deaths(&["cancel", &job], "hub").await;
        market.reaches(&job, DealStage::Cancelled).await;
    }
    let ask = jobs::mixed(market, number + 2);
    let job = market.leave(&ask).await;
    market
        .buyer_dies(&["cancel", &job], "buyer.told.cancellation")
        .await;
    market.reaches(&job, DealStage::Cancelled).await;
    market.start_miners();
}

/// The chain takes a settlement back, and the pay after it; an end before it stands. The hub dies wherever it writes down
/// what it finds of that, and sends both again.
pub(super) async fn reorganisations(market: &mut DyingMarket, number: usize) {
    let points = [
        "hub.wrote.payments_doubted",
        "hub.wrote.end_taken_back",
        "hub.wrote.end_block",
    ];
    a_reorganisation(market, number, &points).await;
    a_reorganisation(market, number + 2, &["hub.wrote.payment_depth"]).await;
}

async fn a_reorganisation(market: &mut DyingMarket, number: usize, points: &[&str]) {
    let asks = [jobs::mixed(market, number), jobs::mixed(market, number + 1)];
    let job = market.leave(&asks[0]).await;
    market.reaches(&job, DealStage::Posted).await;
    market.job(&asks[1]).await;
    // Pulls are none of the hub's.
    market.kill_miners().await;
    let (before, snapshot) = (payments(market).await, market.net.anvil.snapshot().await);
    market.buyer_succeeds(&["attach", &job]).await;
    market.reaches(&job, DealStage::Settled).await;
    while payments(market).await == before {
        market.tend_for(Duration::from_secs(1)).await;
    }
    // The hub reads the newest block.
    market.tend_for(Duration::from_secs(3)).await;
    market.kill("hub").await;
    let (paid, anvil) = (payments(market).await, &market.net.anvil);
    anvil.take_back(snapshot.unwrap(), BLOCKS).await.unwrap();
    // Whoever settled it the first time.
    anvil.pass(market.window_seconds + 1).await.unwrap();
    market.dies("hub", points, "a reorganisation").await;
    market.reaches(&job, DealStage::Settled).await;
    while payments(market).await < paid {
        market.tend_for(Duration::from_secs(1)).await;
        market.net.anvil.mine(BLOCKS / 4).await.unwrap();
    }
    market.start_miners();
}

/// Payments to miners so far.
async fn payments(market: &DyingMarket) -> usize {
    let chain = &market.net.chain;
    let head = chain.head().await.unwrap().number;
    let accounts = market.net.accounts().await.unwrap();
    let (_, wallet) = accounts
        .iter()
        .find(|(name, _)| name == "hub wallet")
        .unwrap();
    let logs = chain.wallet_events(*wallet, 0, head).await.unwrap();
    let is_payment = |log: &&WalletLog| matches!(log.event, WalletEvent::PaymentApproved { .. });
    logs.iter().filter(is_payment).count()
}

/// A hub pays by statistics: the miner is killed when it has found the payout, when it has proven its leaf, when it has
/// claimed it, and when it has written that down. It gets its part, once.
pub(super) async fn a_payout(market: &mut DyingMarket) {
    market.kill_miners().await;
    let accounts = market.net.accounts().await.unwrap();
    let of = |name: &str| accounts.iter().find(|(known, _)| known == name).unwrap().1;
    let (miner, wallet) = (of("miner-1"), of("hub wallet"));
    let stats = market.net.folder.join("stats.csv");
    fs::write(&stats, format!("account,credit\n{miner},1\n")).unwrap();
    let payout = ["payout", "--amount", "2", "--stats", text(&stats)];
    let post = market.net.agent("gio-hub", "hub", &payout);
    run(post).await.unwrap();
    let points = [
        "miner.wrote.payouts",
        "miner.wrote.payout_parts",
        "miner.sent.claim",
        "miner.wrote.payout_claimed",
    ];
    market.dies("miner-1", &points, "a payout").await;
    let (_, left) = market.net.chain.payout_kept(wallet, 0).await.unwrap();
    assert_eq!(left, Gio::ZERO);
    market.start_miners();
}

/// Long after: the hub forgets what nobody needs any more.
pub(super) async fn old_age(market: &mut DyingMarket) {
    market.kill("hub").await;
    market.net.anvil.pass(OLD).await.unwrap();
    let points = [
        "hub.wrote.contents_released",
        "hub.wrote.job_dropped",
        "hub.wrote.contents_dropped",
        "hub.wrote.content_file_gone",
    ];
    market.dies("hub", &points, "old contents").await;
}
