//! The operator's word: a draining miner tells its hubs and takes units again when it is told to; prices are read
//! again and told to the hubs.

use gio_agent::control::Request;
use gio_agent::{Home, Role};
use gio_miner::services::operate::answer;
use gio_net::wire::miner_message::Body;
use gio_protocol::{Gio, PricePerPu};

use crate::market::Market;

#[tokio::test(flavor = "multi_thread")]
async fn a_draining_miner_says_so_and_comes_back_when_it_is_told_to() {
    let (mut market, mut session) = Market::open().await;
    market.deps().operation.set_draining(true);
    let said = session.next_but_exposure().await;
    assert!(matches!(said, Some(Body::Draining(_))), "{said:?}");
    market.deps().operation.set_draining(false);
    assert!(
        session.next_but_exposure().await.is_none(),
        "the stream ends"
    );
    let again = market.hub.session().await;
    drop(again);
    market.stop_miner().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_is_told_to_the_hubs_and_a_wrong_one_changes_nothing() {
    let (mut market, mut session) = Market::open().await;
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(Some(folder.path().to_owned()), Role::Miner);
    let config = |price: &str, cores: u32| {
        let address = format!("0x{}", "11".repeat(20));
        let own = market.deps().config();
        format!(
            "rpc_url = \"http://127.0.0.1:9\"\n[contracts]\nchain_id = 1\ntoken = \"{address}\"\n\
             factory = \"{address}\"\nwhitelist = \"{address}\"\n[miner]\ncores = {cores}\nprefetch = {}\n\
             unit_memory_mib = {}\ncache_mib = {}\nnet_price_min = \"{price}\"\n",
            own.prefetch, own.unit_memory_mib, own.cache_mib
        )
    };
    let cores = market.deps().config().cores;
    let write = |text: String| std::fs::write(home.config_path(), text).unwrap();

    write(config("0.00000002", cores + 1));
    let reply = answer(market.deps(), &home, Request::Reload);
    assert!(
        !reply.done && reply.text.contains("`miner.cores` changed"),
        "{reply:?}"
    );
    write(config("twopence", cores));
    let reply = answer(market.deps(), &home, Request::Reload);
    assert!(
        !reply.done && reply.text.contains("nothing was taken over"),
        "{reply:?}"
    );
    assert_ne!(
        market.deps().config().net_price_min,
        PricePerPu(Gio::from_units(2))
    );

    write(config("0.00000002", cores));
    let reply = answer(market.deps(), &home, Request::Reload);
    assert!(reply.done, "{reply:?}");
    assert_eq!(
        market.deps().config().net_price_min,
        PricePerPu(Gio::from_units(2))
    );
    assert!(
        session.next_but_exposure().await.is_none(),
        "the stream ends"
    );
    let again = market.hub.session().await;
    assert_eq!(again.hello.net_price_min, 2, "the hub hears of it");
    drop(again);
    market.stop_miner().await;
}
