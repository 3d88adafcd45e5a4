//! Payouts by proof (R9): found, proven and claimed by the running miner, once, whatever fails meanwhile.

use bytes::Bytes;
use gio_content::content_root;
use gio_evm::{LeafFile, PayoutTree, PostedPayout};
use gio_miner::config::MinerConfig;
use gio_miner::infra::store::{Change, DealRow, PayoutTotals};
use gio_protocol::{Address, B256, Cu, Gio, PricePerPu, UnixSeconds};

use crate::chain::registered;
use crate::hub::Session;
use crate::job::{BUSY, Job};
use crate::market::{Market, config, eventually, miner_key};
use crate::pay::work;

/// A GIO: what is claimed by default.
const WORTH: u64 = 100_000_000;
/// The miner's leaf among the three of every payout here.
const LEAF: u32 = 1;

/// A payout of three leaves, one of them the miner's, and its leaf file.
fn payout(wallet: Address, epoch: u32, net: u64) -> (PostedPayout, Bytes) {
    let other = |byte| (Address::repeat_byte(byte), Gio::from_units(WORTH));
    let own = (miner_key().address(), Gio::from_units(net));
    let tree = PayoutTree::new(vec![other(1), own, other(2)]).unwrap();
    let (top, count, net) = (tree.top(), tree.count(), tree.net());
    let bytes = Bytes::from(LeafFile { wallet, tree }.encode());
    let posted = PostedPayout {
        epoch,
        count,
        gross: net,
        lock: Gio::ZERO,
        net,
        top,
        leaves_root: content_root(&bytes),
        tx: B256::repeat_byte(7),
    };
    (posted, bytes)
}

/// A payout of the market's hub, whose leaf file is served.
fn post(market: &Market, epoch: u32, net: u64) -> PostedPayout {
    let (posted, bytes) = payout(market.hub.wallet, epoch, net);
    market.hub.serve(&bytes);
    market.chain.post(market.hub.wallet, posted);
    posted
}

/// A market whose miner has worked for the hub.
async fn worked() -> (Market, Session) {
    let (market, mut session) = Market::open().await;
    work(&market, &mut session).await;
    (market, session)
}

async fn totals(market: &Market) -> PayoutTotals {
    let store = &market.deps().store;
    store.payout_totals(None).await.unwrap()
}

/// Has the loop make rounds until something is so.
async fn rounds_until(market: &Market, what: &str, is_so: impl Fn(&PayoutTotals) -> bool) {
    eventually(what, || async {
        market.deps().payouts_wake.notify_one();
        is_so(&totals(market).await).then_some(())
    })
    .await;
}

/// Has the loop begin so many rounds, and end all but the last.
async fn rounds(market: &Market, count: usize) {
    let asked = || market.chain.facts().payouts_asked.len();
    let until = asked() + count;
    eventually("rounds", || async {
        market.deps().payouts_wake.notify_one();
        (asked() >= until).then_some(())
    })
    .await;
}

fn claims_sent(market: &Market) -> Vec<(u32, u32, u64)> {
    let facts = market.chain.facts();
    let sent = facts.claims_sent.iter();
    sent.map(|(_, claim)| (claim.epoch, claim.index, claim.net.units()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn r09_a_running_miner_claims_its_part_once_without_a_command() {
    let (market, _session) = worked().await;
    let posted = post(&market, 0, WORTH);
    rounds_until(&market, "the claim", |totals| totals.claimed_parts == 1).await;
    rounds(&market, 5).await;
    assert_eq!(claims_sent(&market), [(0, LEAF, WORTH)]);
    let claim = market.chain.facts().claims_sent[0].1.clone();
    assert!(claim.is_in(posted.top));
    assert_eq!(claim.miner, miner_key().address());
    let found = totals(&market).await;
    assert_eq!(found.claimed.units(), WORTH);
    assert_eq!((found.open_parts, found.unproven), (0, 0));
    let deals = market.deps().store.totals(market.hub.wallet).await.unwrap();
    assert_eq!((deals.pulled, deals.payouts), (Gio::ZERO, found));
    let kept = format!("payouts/{:x}.leaves", posted.leaves_root);
    assert!(market.home().join(kept).exists(), "others may need it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_below_the_least_sum_waits_until_it_is_worth_a_claim() {
    let (market, _session) = worked().await;
    post(&market, 0, WORTH - 1);
    rounds_until(&market, "the proof", |totals| totals.open_parts == 1).await;
    rounds(&market, 5).await;
    assert!(claims_sent(&market).is_empty());
    let less = MinerConfig {
        payout_claim_min: Gio::from_units(WORTH - 1),
        ..config()
    };
    market.deps().operation.reload(less).unwrap();
    rounds_until(&market, "the claim", |totals| totals.claimed_parts == 1).await;
    assert_eq!(claims_sent(&market), [(0, LEAF, WORTH - 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_least_sum_nothing_is_looked_at_or_claimed() {
    let never = MinerConfig {
        payout_claim_min: Gio::ZERO,
        ..config()
    };
    let (market, mut session) = Market::trusting_with(never).await;
    work(&market, &mut session).await;
    post(&market, 0, WORTH);
    market.deps().payouts_wake.notify_one();
    assert!(market.chain.facts().payouts_asked.is_empty());
    market.deps().operation.reload(config()).unwrap();
    rounds_until(&market, "the claim", |totals| totals.claimed_parts == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_proven_stops_no_other_payout_and_is_tried_again() {
    let (market, _session) = worked().await;
    let wallet = market.hub.wallet;
    // The largest comes first, and its file is not there.
    let (absent, file) = payout(wallet, 0, 9 * WORTH);
    market.chain.post(wallet, absent);
    // The file of the second is one of other leaves than were posted.
    let (other, lie) = payout(wallet, 1, 5 * WORTH);
    let (promised, _) = payout(wallet, 1, 6 * WORTH);
    let lying = PostedPayout {
        top: promised.top,
        ..other
    };
    market.hub.serve(&lie);
    market.chain.post(wallet, lying);
    post(&market, 2, WORTH);
    rounds_until(&market, "the sound one", |totals| totals.claimed_parts == 1).await;
    assert_eq!(claims_sent(&market), [(2, LEAF, WORTH)]);
    assert_eq!(totals(&market).await.unproven, 2);
    market.hub.serve(&file);
    rounds_until(&market, "the late one", |totals| totals.claimed_parts == 2).await;
    assert_eq!(claims_sent(&market)[1], (0, LEAF, 9 * WORTH));
    assert_eq!(totals(&market).await.unproven, 1, "the lie stays one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payout_that_cannot_be_worth_a_claim_is_not_fetched() {
    let (market, _session) = worked().await;
    let more = MinerConfig {
        payout_claim_min: Gio::from_units(9 * WORTH),
        ..config()
    };
    market.deps().operation.reload(more).unwrap();
    post(&market, 0, WORTH);
    rounds_until(&market, "the payout", |totals| totals.unproven == 1).await;
    rounds(&market, 5).await;
    assert_eq!(totals(&market).await.unproven, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_the_chain_says_nothing_of_stops_no_other() {
    let (market, _session) = worked().await;
    let silent = Address::repeat_byte(1);
    let other = Job::new(BUSY, 1).deal(silent);
    let deal = DealRow {
        id: other.id,
        wallet: silent,
        terms: other.terms.clone(),
        net_price: PricePerPu::default(),
        accepted_units: 0,
        accepted_cu: Cu(0),
        first_at: UnixSeconds(1),
    };
    market.chain.facts().silent.insert(silent);
    let store = &market.deps().store;
    let deal = Change::Deal(Box::new(deal));
    store.apply(vec![deal]).await.unwrap();
    let wallets = store.wallets().await.unwrap();
    assert_eq!(wallets, [silent, market.hub.wallet], "it is asked first");
    post(&market, 0, WORTH);
    rounds_until(&market, "the claim", |totals| totals.claimed_parts == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r09_a_restart_between_proof_and_claim_claims_without_hub_and_file() {
    let (mut market, session) = worked().await;
    market.chain.facts().gas_is_out = true;
    let posted = post(&market, 0, WORTH);
    rounds_until(&market, "the proof", |totals| totals.open_parts == 1).await;
    eventually("a refused claim", || async {
        market.deps().payouts_wake.notify_one();
        (market.chain.facts().claims_refused > 0).then_some(())
    })
    .await;
    drop(session);
    market.stop_miner().await;
    market.hub.blobs.lock().unwrap().clear();
    let kept = format!("payouts/{:x}.leaves", posted.leaves_root);
    std::fs::remove_file(market.home().join(kept)).unwrap();
    market.chain.facts().gas_is_out = false;
    market.start_miner(config()).await;
    rounds_until(&market, "the claim", |totals| totals.claimed_parts == 1).await;
    assert_eq!(claims_sent(&market), [(0, LEAF, WORTH)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_only_new_blocks_are_asked_for_and_the_register_names_the_hub() {
    let (mut market, session) = worked().await;
    market.chain.facts().block = 10_000;
    rounds(&market, 2).await;
    drop(session);
    market.stop_miner().await;
    market.chain.facts().payouts_asked.clear();
    // No hub calls itself so: the miner opens no desk for it, and finds it in the register.
    let (wallet, addr) = (market.hub.wallet, market.hub.addr());
    let mut facts = registered(market.hub.key.address());
    facts.endpoint = gio_miner::infra::chain::place_of(&addr);
    facts.endpoint_peer = gio_net::peer_of_addr(&addr).map(|peer| peer.to_string());
    facts.is_delinquent = true;
    market.chain.facts().hubs.insert(wallet, facts);
    post(&market, 0, WORTH);
    market.start_miner(config()).await;
    rounds_until(&market, "the claim", |totals| totals.claimed_parts == 1).await;
    let from = market.chain.facts().payouts_asked[0].1.unwrap();
    assert!((9_900..=10_000).contains(&from), "{from}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_somebody_else_claimed_is_seen_and_not_claimed() {
    let (market, _session) = worked().await;
    let wallet = market.hub.wallet;
    market.chain.facts().claimed.insert((wallet, 0, LEAF));
    post(&market, 0, WORTH);
    rounds_until(&market, "the sum", |totals| totals.claimed.units() == WORTH).await;
    assert!(claims_sent(&market).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_waits_to_be_mined_is_sent_once_and_counted_when_it_is() {
    let (market, _session) = worked().await;
    market.chain.facts().leave_next_claim = true;
    post(&market, 0, WORTH);
    eventually("a look while it waits", || async {
        market.deps().payouts_wake.notify_one();
        (market.chain.facts().claims_refused > 0).then_some(())
    })
    .await;
    assert_eq!(totals(&market).await.claimed_parts, 0, "it waits");
    market.chain.mine_claim();
    rounds_until(&market, "the end", |totals| totals.claimed_parts == 1).await;
    assert_eq!(claims_sent(&market).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_reorganisation_takes_back_is_claimed_again() {
    let (mut market, session) = worked().await;
    post(&market, 0, WORTH);
    rounds_until(&market, "the claim", |totals| totals.claimed_parts == 1).await;
    market.chain.facts().claimed.clear();
    eventually("the claim again", || async {
        market.deps().payouts_wake.notify_one();
        (claims_sent(&market).len() == 2).then_some(())
    })
    .await;
    // Another payout stands in its place: its leaves are other ones.
    drop(session);
    market.stop_miner().await;
    market.chain.facts().payouts.clear();
    market.chain.facts().claimed.clear();
    post(&market, 0, 3 * WORTH);
    market.start_miner(config()).await;
    let is_new = |totals: &PayoutTotals| totals.claimed.units() == 3 * WORTH;
    rounds_until(&market, "the claim of the other", is_new).await;
    assert_eq!(claims_sent(&market)[2..], [(0, LEAF, 3 * WORTH)]);
}
