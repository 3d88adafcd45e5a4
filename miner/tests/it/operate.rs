//! The operator's word: a draining miner tells its hubs and takes units again when it is told to; prices are read
//! again and told to the hubs.

use std::sync::Arc;

use gio_agent::control::{Reply, Request};
use gio_agent::{Home, Role};
use gio_miner::services::operate::answer;
use gio_net::wire::miner_message::Body;
use gio_protocol::{Gio, PricePerPu};

use crate::job::NET_PRICE;
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

/// A home whose config has what this miner has, but for the price and the cores.
struct Config {
    home: Home,
    _folder: tempfile::TempDir,
}

impl Config {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            home: Home::new(Some(folder.path().to_owned()), Role::Miner),
            _folder: folder,
        }
    }

    fn reload(&self, market: &Market, price: &str, cores: u32) -> Reply {
        let address = format!("0x{}", "11".repeat(20));
        let own = market.deps().config();
        let text = format!(
            "rpc_url = \"http://127.0.0.1:9\"\n[contracts]\nchain_id = 1\ntoken = \"{address}\"\n\
             factory = \"{address}\"\nwhitelist = \"{address}\"\n[miner]\ncores = {cores}\nprefetch = {}\n\
             unit_memory_mib = {}\ncache_mib = {}\nnet_price_min = \"{price}\"\n",
            own.prefetch, own.unit_memory_mib, own.cache_mib
        );
        std::fs::write(self.home.config_path(), text).unwrap();
        answer(market.deps(), &self.home, Request::Reload)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_is_told_to_the_hubs_and_a_wrong_one_changes_nothing() {
    let (mut market, mut session) = Market::open().await;
    let config = Config::new();
    let cores = market.deps().config().cores;

    let reply = config.reload(&market, "0.00000002", cores + 1);
    assert!(
        !reply.done && reply.text.contains("`miner.cores` changed"),
        "{reply:?}"
    );
    let reply = config.reload(&market, "twopence", cores);
    assert!(
        !reply.done && reply.text.contains("nothing was taken over"),
        "{reply:?}"
    );
    assert_ne!(
        market.deps().config().net_price_min,
        PricePerPu(Gio::from_units(2))
    );

    let reply = config.reload(&market, "0.00000002", cores);
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

/// The hub was told the old price and has not said anything yet: the stream counts as open for nobody but the miner.
#[tokio::test(flavor = "multi_thread")]
async fn a_reload_while_a_stream_is_being_opened_is_told_as_well() {
    let mut market = Market::without_miner().await;
    let greeting = Arc::clone(&market.hub.greeting);
    let held = greeting.lock().await;
    market.start_miner(crate::market::config()).await;
    let mut session = market.hub.session().await;
    assert_eq!(session.hello.net_price_min, NET_PRICE);
    let cores = market.deps().config().cores;
    let reply = Config::new().reload(&market, "0.00000002", cores);
    assert!(reply.done, "{reply:?}");
    drop(held);

    assert!(
        session.next_but_exposure().await.is_none(),
        "the stream ends"
    );
    let again = market.hub.session().await;
    assert_eq!(again.hello.net_price_min, 2, "the hub hears of it");
    drop(again);
    market.stop_miner().await;
}
