//! Units run, claims are signed, countersigned, and sent again until they are.

use gio_content::content_root;
use gio_miner::infra::store::Store;
use gio_net::wire::{UnitDone, field, unit_done};
use gio_protocol::{Claim, Cu, Signature, Status};

use crate::job::{ECHO, Job, LARGE, echoed, root_of};
use crate::market::{Market, config, eventually, miner_key};

fn parts(done: &UnitDone) -> (Claim, Signature) {
    let claim = Claim::from_bytes(&done.claim).unwrap();
    (
        claim,
        field::signature("signature", &done.signature).unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn r14_a_unit_is_run_claimed_and_countersigned() {
    let (market, mut session) = Market::open().await;
    let hello = &session.hello;
    assert_eq!(
        hello.owner,
        field::bytes(miner_key().address()),
        "one's own bond answers"
    );
    assert_eq!((hello.cores, hello.prefetch), (2, 6));
    let deal = Job::new(ECHO, 3).deal(market.hub.wallet);
    market.open_deal(&deal);
    session.assign(vec![deal.order(1)]).await;
    let [done] = session.done().await.try_into().unwrap();
    let (claim, signature) = parts(&done);
    let output = echoed("unit 1");
    assert_eq!((claim.deal_id, claim.unit), (deal.id, 1));
    assert_eq!(claim.owner, miner_key().address());
    assert_eq!(claim.program_root, deal.leaves[1].program_root);
    assert_eq!(claim.input_root, deal.leaves[1].input_root);
    assert_eq!((claim.status, claim.exit_code), (Status::Exit, 3));
    assert!(claim.cu > Cu(0) && claim.cu < Cu(1_000));
    assert_eq!(claim.output_root, root_of(&output));
    assert_eq!(claim.output_length, output.len() as u64);
    assert_eq!(claim.content_root, content_root(&output));
    let inline = unit_done::Output::OutputInline(output.into());
    assert_eq!(done.output, Some(inline));
    let digest = claim.digest(&market.hub.domain());
    let public = miner_key().public_key();
    public.verify(digest, &signature).unwrap();
    session.send(market.hub.accept(&done)).await;
    let store = &market.deps().store;
    let row = eventually("the acceptance on disk", || async {
        let row = store.deal(deal.id).await.unwrap().unwrap();
        (row.accepted_units == 1).then_some(row)
    })
    .await;
    assert_eq!(row.accepted_cu, claim.cu);
    assert!(
        store
            .unanswered(market.hub.wallet)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_stream_is_opened_again_and_results_are_sent_again() {
    let (mut market, mut session) = Market::open().await;
    let deal = Job::new(ECHO, 2).deal(market.hub.wallet);
    market.open_deal(&deal);
    session.assign(vec![deal.order(0)]).await;
    let first = session.done().await;
    drop(session);
    let mut session = market.hub.session().await;
    let held = &session.hello.holding;
    assert_eq!(held.len(), 1, "so that the unit is given to nobody else");
    assert_eq!((&held[0].deal_id, held[0].unit), (&first[0].deal_id, 0));
    assert_eq!(session.done().await, first, "the same claim, byte by byte");
    session.send(market.hub.accept(&first[0])).await;
    // The deal is known: no terms are needed on this stream.
    let mut order = deal.order(1);
    order.terms = bytes::Bytes::new();
    session.assign(vec![order]).await;
    assert_eq!(session.done().await[0].unit, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_sends_what_was_not_answered_and_runs_nothing_twice() {
    let (mut market, mut session) = Market::open().await;
    let deal = Job::new(ECHO, 2).deal(market.hub.wallet);
    market.open_deal(&deal);
    session.assign(vec![deal.order(0)]).await;
    let first = session.done().await;
    drop(session);
    market.stop_miner().await;
    market.start_miner(config()).await;
    let mut session = market.hub.session().await;
    assert_eq!(session.hello.holding.len(), 1);
    assert_eq!(session.done().await, first);
    session.assign(vec![deal.order(0)]).await;
    assert_eq!(session.done().await, first, "asked again, sent again");
    session.send(market.hub.accept(&first[0])).await;
    eventually("the acceptance", || async {
        let open = market.deps().store.unanswered(market.hub.wallet).await;
        open.unwrap().is_empty().then_some(())
    })
    .await;
    session.assign(vec![deal.order(0)]).await;
    let failure = session.failed().await;
    assert!(
        failure.reason.contains("accepted before"),
        "{}",
        failure.reason
    );
    assert!(!failure.retryable);
}

#[tokio::test(flavor = "multi_thread")]
async fn r14_an_acceptance_counts_only_with_the_hubs_signature() {
    let (mut market, mut session) = Market::open().await;
    let deal = Job::new(ECHO, 2).deal(market.hub.wallet);
    market.open_deal(&deal);
    session.assign(vec![deal.order(0), deal.order(1)]).await;
    let mut results = session.done().await;
    if results.len() < 2 {
        results.extend(session.done().await);
    }
    results.sort_by_key(|done| done.unit);
    // The countersignature of another claim.
    let mut forged = market.hub.accept(&results[1]);
    if let gio_net::wire::hub_message::Body::Accepted(accepted) = &mut forged {
        accepted.units[0].unit = 0;
    }
    session.send(forged).await;
    session.send(market.hub.accept(&results[1])).await;
    let store = &market.deps().store;
    eventually("the good acceptance", || async {
        let accepted = store.accepted_units(deal.id).await.unwrap();
        (accepted == [1]).then_some(())
    })
    .await;
    drop(session);
    let mut session = market.hub.session().await;
    let again = session.done().await;
    assert_eq!(again.len(), 1);
    assert_eq!(again[0], results[0], "the forged one is still unanswered");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_inputs_are_fetched_and_large_results_uploaded() {
    let (market, mut session) = Market::open().await;
    let deal = Job::new(LARGE, 1).deal(market.hub.wallet);
    market.open_deal(&deal);
    let (order, input) = deal.order_by_ref(0);
    market.hub.serve(&input);
    session.assign(vec![order]).await;
    let [done] = session.done().await.try_into().unwrap();
    let (claim, _) = parts(&done);
    let Some(unit_done::Output::OutputRef(content)) = &done.output else {
        panic!("{:?}", done.output);
    };
    assert_eq!(content.root, field::bytes(claim.content_root));
    let uploaded = market.hub.blobs.lock().unwrap()[&claim.content_root].clone();
    assert_eq!(uploaded.len() as u64, claim.output_length);
    assert_eq!(claim.output_root, root_of(&uploaded));
    let row = &market
        .deps()
        .store
        .unanswered(market.hub.wallet)
        .await
        .unwrap()[0];
    assert!(row.in_file, "a result of 100 kB is a file of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_tiny_units_share_streams_and_syncs() {
    let (market, mut session) = Market::open().await;
    let deal = Job::new(ECHO, 200).deal(market.hub.wallet);
    market.open_deal(&deal);
    let places = session.hello.cores + session.hello.prefetch;
    let mut next = places;
    session
        .assign((0..places).map(|unit| deal.order(unit)).collect())
        .await;
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 200 {
        let done = session.done().await;
        let mut orders = Vec::new();
        for unit in done {
            assert!(seen.insert(unit.unit), "unit {} came twice", unit.unit);
            session.send(market.hub.accept(&unit)).await;
            if next < 200 {
                orders.push(deal.order(next));
                next += 1;
            }
        }
        session.assign(orders).await;
    }
    let store = Store::open_to_read(&market.database()).await.unwrap();
    eventually("every acceptance", || async {
        let row = store.deal(deal.id).await.unwrap().unwrap();
        (row.accepted_units == 200).then_some(())
    })
    .await;
}
