//! Stopping: nothing new, what runs gets its time, what was made is kept.

use std::collections::BTreeSet;

use gio_miner::config::MinerConfig;
use gio_miner::infra::store::Store;
use gio_net::wire::miner_message::Body;

use crate::job::{ENDLESS, Job};
use crate::market::{Market, config, eventually};

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

/// Turns that take a while: the units still run when the miner is asked to stop, and end by themselves before it does.
const TURNS: &str = r#"(module (memory (export "memory") 1) (func (export "_start") (local i32)
  (loop
    (local.set 0 (i32.add (local.get 0) (i32.const 1)))
    (br_if 0 (i32.lt_u (local.get 0) (i32.const 300000000))))))"#;

#[tokio::test(flavor = "multi_thread")]
async fn results_of_the_last_moment_are_on_disk() {
    let patient = MinerConfig {
        drain_seconds: 600,
        ..config()
    };
    let (mut market, mut session) = Market::trusting_with(patient).await;
    let mut job = Job::new(TURNS, 4);
    job.cu_limit = 300_000_000_000;
    let deal = job.deal(market.hub.wallet);
    market.open_deal(&deal);
    let orders = (0..4).map(|unit| deal.order(unit)).collect();
    session.assign(orders).await;
    let (runner, store) = (market.deps().runner.clone(), market.deps().store.clone());
    let wallet = market.hub.wallet;
    // Whether they still run or have just ended: there is a result of both.
    eventually("two units have begun", || async {
        let made = store.unanswered(wallet).await.unwrap().len();
        (runner.running() + made >= 2).then_some(())
    })
    .await;
    drop(store);
    let hear = async {
        let (mut told, mut back) = (BTreeSet::new(), BTreeSet::new());
        while let Some(said) = session.next_but_exposure().await {
            match said {
                Body::Done(done) => told.extend(done.units.iter().map(|unit| unit.unit)),
                Body::Failed(failed) => back.extend(failed.units.iter().map(|unit| unit.unit)),
                Body::Draining(_) => {}
                other => panic!("{other:?}"),
            }
        }
        (told, back)
    };
    let ((told, back), ()) = tokio::join!(hear, market.stop_miner());
    let store = Store::open_to_read(&market.database()).await.unwrap();
    let kept = store.unanswered(wallet).await.unwrap();
    let kept: BTreeSet<u32> = kept.iter().map(|claim| claim.claim.unit).collect();
    assert!(kept.len() >= 2, "what had begun has a result: {kept:?}");
    assert_eq!(kept, told, "what was said is what is on disk");
    let all: BTreeSet<u32> = kept.union(&back).copied().collect();
    assert_eq!(all, BTreeSet::from_iter(0..4), "the others went back");
}
