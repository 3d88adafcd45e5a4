//! What needs a chain that stands still, a liar, an empty wallet or a curious person. Each scene kills somebody there.

use std::time::Duration;

use gio_agent::{Home, Role, random_word};
use gio_e2e::process::wait_for;
use gio_evm::Chain;
use gio_keys::MachineKey;
use gio_net::{Multiaddr, Net, NetConfig, blob};
use gio_protocol::{B256, Cu, DealStage, DealTerms, Gio};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, Row as _};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::jobs;
use super::market::DyingMarket;

/// Where somebody who waits for a transaction dies.
const REPLACED: &str = "evm.replaced";
const GAP_FILLED: &str = "evm.gap_filled";

/// People ask about a job that waits for its miners: whoever asks dies, and then the hub that answers.
pub(super) async fn questions(market: &mut DyingMarket, number: usize) {
    market.kill_miners().await;
    let ask = jobs::mixed(market, number);
    let job = market.leave(&ask).await;
    let plan: Vec<&str> = ["plan"]
        .into_iter()
        .chain(ask.args.iter().map(String::as_str))
        .collect();
    let (why, logs) = (["why", &job], ["logs", &job]);
    let asked: [(&[&str], &str); 3] = [
        (&plan, "machines"),
        (&why, "explanation"),
        (&logs, "claims"),
    ];
    for (args, what) in asked {
        market
            .buyer_dies(args, &format!("buyer.asked.{what}"))
            .await;
    }
    for (args, what) in asked {
        let point = format!("hub.answers.{what}");
        market.arm("hub", &[&point]).await;
        market.buyer_until_deaths(args, "hub").await;
    }
    market.arm("hub", &["hub.answers.has"]).await;
    asks_for_contents(market).await;
    market
        .wait_for_deaths("hub", "a question for contents")
        .await;
    market.start_miners();
    market.buyer_succeeds(&["attach", &job]).await;
    ask.check(&market.out());
}

/// A node that is none of our programs asks the hub which contents it has.
async fn asks_for_contents(market: &mut DyingMarket) {
    let key = MachineKey::from_bytes(&random_word()).unwrap();
    let stop = CancellationToken::new();
    let net = Net::start(NetConfig::new(key), stop.clone()).await.unwrap();
    let addr: Multiaddr = market.net.hub_addr().unwrap().parse().unwrap();
    let asked = wait_for("the hub's node", 30, || {
        let (net, addr) = (&net, addr.clone());
        async move {
            let Ok((peer, _)) = net.dial(addr.clone()).await else {
                return Ok(None);
            };
            let Ok(channel) = net.channel(peer, &[addr]).await else {
                return Ok(None);
            };
            // It dies of the question.
            Ok(blob::held(channel, &[B256::ZERO]).await.err())
        }
    });
    asked.await.unwrap();
    stop.cancel();
}

/// The wallet's free balance does not cover a payment as long as it has not noticed what miners pulled: the hub has it
/// look, and dies before and after.
pub(super) async fn a_wallet_that_cannot_pay(market: &mut DyingMarket, number: usize) {
    // Both have pulled something.
    for more in 0..2 {
        let ask = jobs::mixed(market, number + more);
        market.job(&ask).await;
    }
    market.settle_sums().await;
    market.agent("hub").stays_dead = true;
    market.arm("hub", &["hub.wrote.payout"]).await;
    let ask = jobs::mixed(market, number + 2);
    let job = market.leave(&ask).await;
    market.reaches(&job, DealStage::Posted).await;
    // The confirmation settles the deal, and the hub pays right then.
    market.buyer_succeeds(&["attach", &job]).await;
    market
        .wait_for_deaths("hub", "a payment written down")
        .await;
    let chain = connected(market, "hub", Role::Hub).await;
    let (wallet, owner) = (market.deal(&job).0, chain.account().unwrap());
    for point in ["hub.sends.reconciliation", "hub.sent.reconciliation"] {
        let free = chain.wallet(wallet).await.unwrap().free;
        if free > Gio::ZERO {
            chain.transfer(wallet, owner, free).await.unwrap();
        }
        market
            .dies("hub", &[point], "a payment that is not covered")
            .await;
    }
    market.agent("hub").stays_dead = false;
    market.start_again("hub");
    let twenty = Gio::from_whole(20).unwrap();
    market.net.chain.send_gio(wallet, twenty).await.unwrap();
}

/// A hub that posts a total which is not the sum of its claims: the buyer shows that to the wallet, dies, and has its cap
/// and the hub's guarantee back.
pub(super) async fn a_false_total(market: &mut DyingMarket, number: usize) {
    market.agent("hub").stays_dead = true;
    market.arm("hub", &["hub.sends.result"]).await;
    let ask = jobs::mixed(market, number);
    let job = market.leave(&ask).await;
    market
        .wait_for_deaths("hub", "a result about to be posted")
        .await;
    let (_, deal) = market.deal(&job);
    let row = result_row(market, deal.0).await;
    let chain = connected(market, "hub", Role::Hub).await;
    let more = Cu(row.cu_total.0 + 1);
    let posted = chain.post_result(&row.terms, row.tree_hash, more, row.claims_root);
    posted.await.unwrap();
    market.agent("hub").stays_dead = false;
    market.start_again("hub");
    let attach = ["attach", &job];
    market
        .buyer_dies_in_the_end(&attach, "buyer.sent.refutation")
        .await;
    market.reaches(&job, DealStage::Refuted).await;
}

/// A result as the hub has it on disk.
struct ResultRow {
    terms: DealTerms,
    tree_hash: B256,
    cu_total: Cu,
    claims_root: B256,
}

async fn result_row(market: &DyingMarket, deal: B256) -> ResultRow {
    let path = market.net.folder.join("hub/hub.db");
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut database = SqliteConnection::connect_with(&options).await.unwrap();
    let row =
        sqlx::query("SELECT terms, tree_hash, cu_total, claims_root FROM deals WHERE id = $1")
            .bind(deal.as_slice().to_vec())
            .fetch_one(&mut database)
            .await
            .unwrap();
    let hash = |column: &str| B256::from_slice(row.get::<&[u8], _>(column));
    ResultRow {
        terms: DealTerms::from_bytes(row.get::<&[u8], _>("terms")).unwrap(),
        tree_hash: hash("tree_hash"),
        cu_total: Cu(u64::try_from(row.get::<i64, _>("cu_total")).unwrap()),
        claims_root: hash("claims_root"),
    }
}

/// No block comes: a transaction waits too long, and its sender dies when it has offered more for it.
pub(super) async fn a_chain_that_stands_still(market: &mut DyingMarket, number: usize) {
    the_hubs_transactions_wait(market, number, REPLACED, false).await;
    the_buyers_transactions_wait(market, number + 1, REPLACED, false).await;
    the_miners_transactions_wait(market, number + 2, REPLACED, false).await;
}

/// The same, and the node forgets an earlier transaction of the account: its sender dies when it has filled the gap.
pub(super) async fn a_node_that_forgets(market: &mut DyingMarket, number: usize) {
    the_hubs_transactions_wait(market, number, GAP_FILLED, true).await;
    the_buyers_transactions_wait(market, number + 1, GAP_FILLED, true).await;
    the_miners_transactions_wait(market, number + 2, GAP_FILLED, true).await;
}

async fn the_hubs_transactions_wait(
    market: &mut DyingMarket,
    number: usize,
    point: &str,
    forgets: bool,
) {
    market.kill_miners().await;
    let ask = jobs::mixed(market, number);
    let job = market.leave(&ask).await;
    market.agent("hub").in_a_hurry = true;
    market.agent("hub").stays_dead = true;
    market.arm("hub", &[point]).await;
    market.net.anvil.stand_still().await.unwrap();
    let forgotten = forgets.then(|| forget(market, "hub", Role::Hub));
    market.start_miners();
    market.wait_for_deaths("hub", "a result that waits").await;
    drop(forgotten);
    market.net.anvil.go_on().await.unwrap();
    market.agent("hub").in_a_hurry = false;
    market.agent("hub").stays_dead = false;
    market.start_again("hub");
    market.reaches(&job, DealStage::Posted).await;
    market.buyer_succeeds(&["attach", &job]).await;
    ask.check(&market.out());
}

async fn the_buyers_transactions_wait(
    market: &mut DyingMarket,
    number: usize,
    point: &str,
    forgets: bool,
) {
    let ask = jobs::mixed(market, number);
    market.net.anvil.stand_still().await.unwrap();
    let forgotten = forgets.then(|| forget(market, "buyer", Role::Buyer));
    let job = market.submission_dies(&ask, point).await;
    drop(forgotten);
    market.net.anvil.go_on().await.unwrap();
    market.buyer_succeeds(&["attach", &job]).await;
    ask.check(&market.out());
}

async fn the_miners_transactions_wait(
    market: &mut DyingMarket,
    number: usize,
    point: &str,
    forgets: bool,
) {
    market.kill_miners().await;
    market.start_again("miner-1");
    let ask = jobs::mixed(market, number);
    let job = market.leave(&ask).await;
    market.reaches(&job, DealStage::Posted).await;
    market.agent("miner-1").stays_dead = true;
    market.arm("miner-1", &["miner.wrote.pull"]).await;
    market.buyer_succeeds(&["attach", &job]).await;
    market
        .wait_for_deaths("miner-1", "a pull written down")
        .await;
    market.agent("miner-1").in_a_hurry = true;
    market.net.anvil.stand_still().await.unwrap();
    let forgotten = forgets.then(|| forget(market, "miner-1", Role::Miner));
    market
        .dies("miner-1", &[point], "a pull that waits to be mined")
        .await;
    drop(forgotten);
    market.net.anvil.go_on().await.unwrap();
    // What waited is mined before the miner asks for it.
    market.tend_for(Duration::from_secs(2)).await;
    market.agent("miner-1").in_a_hurry = false;
    market.agent("miner-1").stays_dead = false;
    market.start_miners();
}

/// Takes an account's next nonce with a transaction that the node forgets as soon as another one waits behind it. Ends
/// when it is dropped.
fn forget(market: &DyingMarket, home: &'static str, role: Role) -> JoinSet<()> {
    let (key, node) = (own_key(market, home, role), market.net.anvil.node());
    let (rpc, deployment) = (
        market.net.anvil.rpc_url.clone(),
        *market.net.chain.deployment(),
    );
    let mut task = JoinSet::new();
    task.spawn(async move {
        let secret = Some(key.secret_bytes());
        let chain = Chain::connect(&rpc, deployment, secret).await.unwrap();
        let account = key.address();
        let mined = node.used(account).await.unwrap();
        let itself = chain.send_gio(account, Gio::ZERO);
        let other = async {
            while node.used_and_waiting(account).await.unwrap() < mined + 2 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            sent = itself => panic!("no block can come: {sent:?}"),
            () = other => {}
        }
        node.forget_all().await.unwrap();
        std::future::pending::<()>().await;
    });
    task
}

fn own_key(market: &DyingMarket, home: &str, role: Role) -> MachineKey {
    let home = Home::new(Some(market.net.folder.join(home)), role);
    home.key().unwrap()
}

/// A connection to the chain with an agent's key.
async fn connected(market: &DyingMarket, home: &str, role: Role) -> Chain {
    let secret = own_key(market, home, role).secret_bytes();
    let (rpc, deployment) = (&market.net.anvil.rpc_url, *market.net.chain.deployment());
    Chain::connect(rpc, deployment, Some(secret)).await.unwrap()
}
