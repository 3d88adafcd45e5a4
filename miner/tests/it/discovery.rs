//! Which hubs a miner works for.

use gio_miner::domain::trust::{HubStatus, WalletStanding};
use gio_protocol::{Address, Gio};

use crate::chain::registered;
use crate::hub::FakeHub;
use crate::job::NET_PRICE;
use crate::market::{Market, config, eventually};

async fn judged(market: &Market, hub: &FakeHub, wanted: HubStatus) -> String {
    let (wallet, owner) = (hub.wallet, hub.key.address());
    let store = &market.deps().store;
    eventually("the judgement", || async {
        let row = store.hub(wallet, owner).await.unwrap()?;
        (row.status == wanted).then_some(row.reason)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn hm03_a_hub_the_chain_contradicts_gets_no_work_done() {
    let mut market = Market::without_miner().await;
    let wallet = market.hub.wallet;
    let stranger = registered(Address::repeat_byte(0x99));
    market.chain.facts().hubs.insert(wallet, stranger);
    market.start_miner(config()).await;
    let reason = judged(&market, &market.hub, HubStatus::Fake).await;
    assert!(reason.contains("belongs to"), "{reason}");
    assert!(market.deps().desks.all().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_is_served_again_when_its_wallet_is() {
    let mut market = Market::without_miner().await;
    let wallet = market.hub.wallet;
    let mut suspected = registered(market.hub.key.address());
    suspected.standing = WalletStanding::Suspected;
    market.chain.facts().hubs.insert(wallet, suspected);
    market.start_miner(config()).await;
    judged(&market, &market.hub, HubStatus::NotConfirmed).await;
    let good = registered(market.hub.key.address());
    market.chain.facts().hubs.insert(wallet, good);
    // A new price is a reason to look again.
    market.deps().rejudge.notify_one();
    market.hub.session().await;
    judged(&market, &market.hub, HubStatus::Checked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hm19_a_hub_below_the_price_is_left_alone() {
    let mut market = Market::without_miner().await;
    let mut config = config();
    config.net_price_min.0 = Gio::from_units(NET_PRICE + 1);
    market.start_miner(config).await;
    judged(&market, &market.hub, HubStatus::Checked).await;
    assert!(market.deps().desks.all().is_empty());
    market.hub.announce(NET_PRICE + 1).await;
    market.hub.session().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_can_be_announced_by_its_owner_only() {
    let mut market = Market::without_miner().await;
    let mut liar = FakeHub::start(0x22).await;
    liar.wallet = market.hub.wallet;
    liar.net.dial(market.hub.addr()).await.unwrap();
    liar.announce(100 * NET_PRICE).await;
    market.start_miner(config()).await;
    let served = market.hub.session();
    liar.no_session_while(served).await;
    judged(&market, &liar, HubStatus::Fake).await;
    judged(&market, &market.hub, HubStatus::Checked).await;
}
