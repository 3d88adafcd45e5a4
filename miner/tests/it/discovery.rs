//! Which hubs a miner works for.

use gio_miner::domain::trust::{HubFacts, HubStatus, WalletStanding};
use gio_net::wire::miner_message::Body;
use gio_protocol::{Address, Gio};

use crate::chain::registered;
use crate::hub::FakeHub;
use crate::job::{BUSY, Job, NET_PRICE};
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
async fn r08_a_hub_that_puts_payday_off_gets_nothing_new_done_and_pays_what_it_owes() {
    let (mut market, mut session) = Market::open().await;
    let wallet = market.hub.wallet;
    let deal = Job::new(BUSY, 3).deal(wallet);
    market.open_deal(&deal);
    session.assign(vec![deal.order(0)]).await;
    let done = session.done().await;

    let overdue = HubFacts {
        is_delinquent: true,
        ..registered(market.hub.key.address())
    };
    market.chain.facts().hubs.insert(wallet, overdue);
    market.deps().rejudge.notify_one();
    let reason = judged(&market, &market.hub, HubStatus::NotConfirmed).await;
    assert!(reason.contains("delinquent"), "{reason}");
    let said = session.next_but_exposure().await;
    assert!(matches!(said, Some(Body::Draining(_))), "{said:?}");
    session.assign(vec![deal.order(1)]).await;
    let refused = session.failed().await;
    assert!(refused.reason.contains("not confirmed"), "{refused:?}");

    // What was done before is paid and accepted all the same.
    let pay = Gio::from_units(NET_PRICE / 100);
    market.chain.approve(wallet, pay);
    session.send(market.hub.paid(deal.id, pay, 1)).await;
    eventually("the pay", || async {
        (market.chain.pulled() == [(wallet, pay)]).then_some(())
    })
    .await;
    session.send(market.hub.accept(&done[0])).await;
    let store = &market.deps().store;
    eventually("the acceptance", || async {
        let row = store.deal(deal.id).await.unwrap()?;
        (row.accepted_units == 1).then_some(())
    })
    .await;

    // After payday it is served as before, on a new stream.
    let good = registered(market.hub.key.address());
    market.chain.facts().hubs.insert(wallet, good);
    market.deps().rejudge.notify_one();
    let mut again = market.hub.session().await;
    again.assign(vec![deal.order(2)]).await;
    again.done().await;
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
