//! The chain is away for a while, or changes its mind; the hub goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use alloy::providers::ext::AnvilApi;
use gio_protocol::DealStage;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tonic::Code;

use crate::support::{Buyer, FakeMiner, Market, job, until};

/// A line to the node that can be cut.
struct Line {
    url: String,
    is_cut: Arc<AtomicBool>,
    _task: JoinSet<()>,
}

impl Line {
    async fn start(node: String) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let is_cut = Arc::new(AtomicBool::new(false));
        let cut = Arc::clone(&is_cut);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, node.clone(), Arc::clone(&cut)));
            }
        });
        Self {
            url,
            is_cut,
            _task: task,
        }
    }

    fn cut(&self, is_cut: bool) {
        self.is_cut.store(is_cut, Ordering::SeqCst);
    }
}

async fn serve(mut stream: TcpStream, node: String, is_cut: Arc<AtomicBool>) {
    let cut = async {
        while !is_cut.load(Ordering::SeqCst) {
            sleep(Duration::from_millis(10)).await;
        }
    };
    let pass = async {
        if let Ok(mut there) = TcpStream::connect(node).await {
            let _ = copy_bidirectional(&mut stream, &mut there).await;
        }
    };
    tokio::select! {
        () = cut => {}
        () = pass => {}
    }
}

#[tokio::test]
async fn work_goes_on_without_the_chain_and_is_posted_when_it_is_back() {
    let market = Market::start().await;
    let node = market.anvil.endpoint_url();
    let line = Line::start(format!("127.0.0.1:{}", node.port().unwrap())).await;
    let path = market.home().config_path();
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, config.replace(&market.anvil.endpoint(), &line.url)).unwrap();
    assert!(std::fs::read_to_string(&path).unwrap().contains(&line.url));

    let mut hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let mut miner = FakeMiner::start(&market, &hub, 3).await;
    let deal = buyer.submit(&job(2), 1).await;
    let orders = miner.orders(2).await;
    line.cut(true);
    let results = orders.iter().map(|order| miner.result(order, 100));
    miner.deliver(results.collect()).await;
    let mut accepted = 0;
    while accepted < 2 {
        accepted += miner.accepted().await.units.len();
    }
    market.reaches(deal.id, "assembling").await;
    // Time passes for the chain, and nobody here sees it. Quotes need it; nothing else does.
    market.pass(1).await;
    let refused = buyer.sign_with(&job(2), 2, |_| {}).await.err().unwrap();
    assert_eq!(refused.code(), Code::Unavailable, "{refused:?}");
    let failed = tokio::time::timeout(Duration::from_secs(2), hub.running.failed()).await;
    assert!(failed.is_err(), "no loop gave up");
    line.cut(false);
    market.reaches(deal.id, "posted").await;
    until("new deals", async || {
        buyer.sign_with(&job(2), 3, |_| {}).await.is_ok()
    })
    .await;
    hub.stop().await;
}

#[tokio::test]
async fn a_deal_that_a_reorganisation_moved_below_the_cursor_is_found() {
    let market = Market::start().await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let mut miner = FakeMiner::start(&market, &hub, 3).await;
    let deal = buyer.sign(&job(1), 1).await;
    let store = market.store().await;
    let read = async || {
        store
            .cursor()
            .await
            .unwrap()
            .map_or(0, |cursor| cursor.block)
    };
    let before = market.chain.head().await.unwrap().number;
    let snapshot = market.node().anvil_snapshot().await.unwrap();
    market.node().anvil_mine(Some(5), None).await.unwrap();
    until("the five blocks", async || read().await == before + 5).await;
    // The five blocks never were; the deal is in the first of others, below what was read.
    assert!(market.node().anvil_revert(snapshot).await.unwrap());
    buyer.open(&deal).await;
    market.node().anvil_mine(Some(9), None).await.unwrap();
    miner.work(1, 100).await;
    market.reaches(deal.id, "posted").await;
    hub.stop().await;
}

#[tokio::test]
async fn a_result_whose_posting_a_reorganisation_took_back_is_posted_again() {
    let market = Market::start().await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let mut miner = FakeMiner::start(&market, &hub, 3).await;
    let deal = buyer.submit(&job(1), 1).await;
    let orders = miner.orders(1).await;
    let snapshot = market.node().anvil_snapshot().await.unwrap();
    miner.deliver(vec![miner.result(&orders[0], 100)]).await;
    market.reaches(deal.id, "posted").await;
    // The process that counted the transaction that never was.
    hub.stop().await;
    assert!(market.node().anvil_revert(snapshot).await.unwrap());
    market.node().anvil_mine(Some(9), None).await.unwrap();
    let on_chain = async || market.chain.deal(market.wallet, deal.id).await.unwrap();
    assert_eq!(on_chain().await.stage, DealStage::Open);
    let hub = market.launch().await;
    until("the posting", async || {
        on_chain().await.stage == DealStage::Posted
    })
    .await;
    buyer.reconnect(&hub).await;
    let root = on_chain().await.result_root.unwrap();
    buyer.confirm(deal.id, root).await;
    market.reaches(deal.id, "settled").await;
    hub.stop().await;
}

#[tokio::test]
async fn a_deal_whose_opening_a_reorganisation_took_back_is_posted_once_it_is_open_again() {
    let market = Market::start().await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let mut miner = FakeMiner::start(&market, &hub, 3).await;
    let deal = buyer.sign(&job(1), 1).await;
    let snapshot = market.node().anvil_snapshot().await.unwrap();
    buyer.open(&deal).await;
    let orders = miner.orders(1).await;
    // The block with the opening never was; others took its place.
    assert!(market.node().anvil_revert(snapshot).await.unwrap());
    market.node().anvil_mine(Some(3), None).await.unwrap();
    miner.deliver(vec![miner.result(&orders[0], 100)]).await;
    miner.accepted().await;
    market.reaches(deal.id, "assembling").await;
    let stage = market.chain.deal(market.wallet, deal.id).await.unwrap();
    assert_eq!(stage.stage, DealStage::None, "nobody posts it");
    // A connection that has not counted the transaction that never was.
    (_, buyer.chain) = market.account(2).await;
    buyer.open(&deal).await;
    market.reaches(deal.id, "posted").await;
    hub.stop().await;
}
