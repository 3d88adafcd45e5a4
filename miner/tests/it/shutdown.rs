//! Stopping: nothing new, what runs gets its time, what was made is kept.

use gio_miner::infra::store::Store;
use gio_net::wire::miner_message::Body;

use crate::job::{ECHO, ENDLESS, Job};
use crate::market::{Market, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_miner_says_so_and_gives_back_what_does_not_end() {
    let (mut market, mut session) = Market::trusting().await;
    let mut job = Job::new(ENDLESS, 3);
    job.cu_limit = 300_000_000_000;
    let deal = job.deal(market.hub.wallet);
    market.open_deal(&deal);
    // Two run, one is queued.
    let orders = (0..3).map(|unit| deal.order(unit)).collect();
    session.assign(orders).await;
    let runner = market.deps().runner.clone();
    eventually("both cores are busy", || async {
        (runner.running() == 2).then_some(())
    })
    .await;
    let hear = async {
        let (mut drained, mut failed) = (false, Vec::new());
        while let Some(said) = session.next_but_exposure().await {
            match said {
                Body::Draining(_) => drained = true,
                Body::Failed(back) => failed.extend(back.units),
                other => panic!("{other:?}"),
            }
        }
        (drained, failed)
    };
    let ((drained, mut failed), ()) = tokio::join!(hear, market.stop_miner());
    assert!(drained);
    failed.sort_by_key(|unit| unit.unit);
    let units: Vec<u32> = failed.iter().map(|unit| unit.unit).collect();
    assert_eq!(units, [0, 1, 2], "queued or running, all go back");
    assert!(failed.iter().all(|unit| unit.retryable));
}

#[tokio::test(flavor = "multi_thread")]
async fn results_of_the_last_moment_are_on_disk() {
    let (mut market, mut session) = Market::open().await;
    let deal = Job::new(ECHO, 4).deal(market.hub.wallet);
    market.open_deal(&deal);
    session
        .assign((0..4).map(|unit| deal.order(unit)).collect())
        .await;
    let store = market.deps().store.clone();
    eventually("the deal is known", || async {
        store.deal(deal.id).await.unwrap().map(drop)
    })
    .await;
    drop(store);
    market.stop_miner().await;
    let store = Store::open_to_read(&market.database()).await.unwrap();
    let kept = store.unanswered(market.hub.wallet).await.unwrap();
    let mut told = 0;
    while let Some(said) = session.next_but_exposure().await {
        match said {
            Body::Done(done) => told += done.units.len(),
            Body::Failed(_) | Body::Draining(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(kept.len(), told, "what was said is what is on disk");
}
