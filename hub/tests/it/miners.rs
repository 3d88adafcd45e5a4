//! Miners that lie, come back, or take what is not theirs.

use std::time::Duration;

use gio_net::blob;
use gio_net::wire::{Done, Hello, hub_message, miner_message, unit_done};
use gio_protocol::{Address, Cu};
use tonic::Code;

use crate::support::{
    Buyer, FakeMiner, Market, TestHub, gio, hello, job, large_output, output, soon, until,
};

async fn start() -> (Market, TestHub, Buyer) {
    let market = Market::start().await;
    let hub = market.launch().await;
    let buyer = Buyer::start(&market, &hub).await;
    (market, hub, buyer)
}

#[tokio::test]
async fn a_false_claim_is_refused_and_its_unit_goes_to_another_miner() {
    let (market, hub, mut buyer) = start().await;
    let mut liar = FakeMiner::start(&market, &hub, 3).await;
    let deal = buyer.submit(&job(1), 1).await;
    let order = liar.orders(1).await.remove(0);
    assert_eq!(order.net_price_per_pu, gio("1").units());

    // More than the unit allows, signed and all.
    let bytes = output("lies");
    let mut claim = liar.claim(&order, 100, &bytes);
    claim.cu = Cu(order.cu_limit + 1);
    let inline = || unit_done::Output::OutputInline(output("lies").into());
    liar.deliver(vec![liar.done(&claim, inline())]).await;
    let rejected = liar.rejected().await;
    assert!(
        rejected.units[0].reason.contains("the unit allows"),
        "{rejected:?}"
    );
    // The truth comes too late: the unit is not this miner's any more.
    liar.deliver(vec![liar.result(&order, 100)]).await;
    let rejected = liar.rejected().await;
    assert!(
        rejected.units[0].reason.contains("not given"),
        "{rejected:?}"
    );

    let mut honest = FakeMiner::start(&market, &hub, 4).await;
    assert_eq!(honest.work(1, 100).await, gio("0.1"));
    market.reaches(deal.id, "posted").await;
    let result = buyer.result(deal.id).await.unwrap();
    assert_eq!((result.outputs.len(), result.cu_total), (1, 100_000_000));
}

#[tokio::test]
async fn results_of_units_a_miner_was_never_given_are_not_looked_at() {
    let (market, hub, mut buyer) = start().await;
    let mut owner = FakeMiner::start(&market, &hub, 3).await;
    buyer.submit(&job(1), 1).await;
    let order = owner.orders(1).await.remove(0);
    let mut thief = FakeMiner::start(&market, &hub, 4).await;
    thief.deliver(vec![thief.result(&order, 100)]).await;
    assert!(thief.rejected().await.units[0].reason.contains("not given"));
    // The owner's own claim under another name is not the thief's either.
    let mut stolen = owner.result(&order, 100);
    thief.deliver(vec![stolen.clone()]).await;
    assert!(thief.rejected().await.units[0].reason.contains("not given"));
    stolen.unit = 7;
    owner.deliver(vec![stolen]).await;
    assert!(owner.rejected().await.units[0].reason.contains("not given"));
    owner.deliver(vec![owner.result(&order, 100)]).await;
    assert_eq!(owner.accepted().await.units.len(), 1);
}

#[tokio::test]
async fn large_outputs_are_uploaded_before_and_must_be_there() {
    let (market, hub, mut buyer) = start().await;
    let mut miner = FakeMiner::start(&market, &hub, 3).await;
    let deal = buyer.submit(&job(2), 1).await;
    let orders = miner.orders(2).await;
    let bytes = large_output();
    let missing = unit_done::Output::OutputRef(gio_net::wire::ContentRef {
        root: gio_content::content_root(b"never uploaded").to_vec().into(),
        length: 14,
    });
    let claim = miner.claim(&orders[0], 100, &bytes);
    miner.deliver(vec![miner.done(&claim, missing)]).await;
    assert!(
        miner.rejected().await.units[0]
            .reason
            .contains("is not here")
    );

    let uploaded = miner.upload(bytes.clone()).await;
    let claim = miner.claim(&orders[1], 100, &bytes);
    miner.deliver(vec![miner.done(&claim, uploaded)]).await;
    assert_eq!(miner.accepted().await.units[0].unit, orders[1].unit);
    // The other one comes again after a rest, with a small output.
    let mut other = FakeMiner::start(&market, &hub, 4).await;
    other.work(1, 100).await;
    market.reaches(deal.id, "posted").await;
    let result = buyer.result(deal.id).await.unwrap();
    let image = result.outputs[orders[1].unit as usize]
        .image
        .clone()
        .unwrap();
    let served = blob::download(buyer.channel.clone(), &image, 1 << 20)
        .await
        .unwrap();
    assert_eq!(served, bytes);
}

#[tokio::test]
async fn an_output_above_the_units_limit_is_refused_without_being_read() {
    let (market, hub, mut buyer) = start().await;
    let mut miner = FakeMiner::start(&market, &hub, 3).await;
    let mut spec = job(1);
    spec.bounds.output_max = 100_000;
    buyer.submit(&spec, 1).await;
    let order = miner.orders(1).await.remove(0);
    let bytes = large_output();
    let uploaded = miner.upload(bytes.clone()).await;
    let claim = miner.claim(&order, 100, &bytes);
    miner.deliver(vec![miner.done(&claim, uploaded)]).await;
    let rejected = miner.rejected().await;
    assert!(
        rejected.units[0].reason.contains("the unit allows 100000"),
        "{rejected:?}"
    );
}

/// A disk that is away for a moment is the hub's trouble, not the miner's.
#[tokio::test]
async fn a_claim_that_the_hub_cannot_look_at_now_waits() {
    let (market, hub, mut buyer) = start().await;
    let mut miner = FakeMiner::start(&market, &hub, 3).await;
    let deal = buyer.submit(&job(1), 1).await;
    let order = miner.orders(1).await.remove(0);
    let bytes = large_output();
    let uploaded = miner.upload(bytes.clone()).await;
    let name = format!("{:x}", gio_content::content_root(&bytes));
    let (file, away) = (
        market.home.path().join("content").join(name),
        market.home.path().join("away"),
    );
    std::fs::rename(&file, &away).unwrap();
    let claim = miner.claim(&order, 100, &bytes);
    miner.deliver(vec![miner.done(&claim, uploaded)]).await;
    // Long enough for a look at it.
    tokio::time::sleep(Duration::from_secs(1)).await;
    std::fs::rename(&away, &file).unwrap();
    assert_eq!(miner.accepted().await.units[0].unit, order.unit);
    market.reaches(deal.id, "posted").await;
    hub.stop().await;
}

#[tokio::test]
async fn a_new_session_ends_the_one_before_and_answers_are_repeated() {
    let (market, hub, mut buyer) = start().await;
    let mut miner = FakeMiner::start(&market, &hub, 3).await;
    buyer.submit(&job(3), 1).await;
    let orders = miner.orders(3).await;
    let done = miner.result(&orders[0], 100);
    miner.deliver(vec![done.clone()]).await;
    let first = miner.accepted().await;

    // The answer got lost: it holds the second order, dropped the third, and sends the first result again.
    let mut before = miner.rejoin(&[&orders[1]]).await;
    let ended = async { while let Ok(Some(_)) = before.message().await {} };
    soon("the end of the old session", ended).await;
    miner.deliver(vec![done]).await;
    assert_eq!(miner.accepted().await, first, "the same answer");
    miner.deliver(vec![miner.result(&orders[1], 100)]).await;
    assert_eq!(miner.accepted().await.units[0].unit, orders[1].unit);
    // What it dropped comes again, after a rest.
    let again = miner.orders(1).await.remove(0);
    assert_eq!(again.unit, orders[2].unit);
    miner.deliver(vec![miner.result(&again, 100)]).await;
    assert_eq!(miner.accepted().await.units.len(), 1);
}

#[tokio::test]
async fn units_given_back_go_to_whoever_can() {
    let (market, hub, mut buyer) = start().await;
    let mut first = FakeMiner::start(&market, &hub, 3).await;
    buyer.submit(&job(1), 1).await;
    let order = first.orders(1).await.remove(0);
    first.give_back(&order, true).await;
    let again = first.orders(1).await.remove(0);
    assert_eq!(again.unit, order.unit, "after a rest");
    first.give_back(&again, false).await;
    let mut second = FakeMiner::start(&market, &hub, 4).await;
    second.work(1, 100).await;
}

#[tokio::test]
async fn r25_a_miner_that_trusts_little_is_paid_on_the_way() {
    let (market, hub, mut buyer) = start().await;
    let one = gio("1").units();
    let mut miner = FakeMiner::with(&market, &hub, 3, |hello| hello.exposure_limit = one).await;
    let deal = buyer.submit(&job(3), 1).await;
    for round in 1..=3 {
        let orders = miner.orders(1).await;
        assert_eq!(orders.len(), 1, "one unit at its limit is all it risks");
        miner.deliver(vec![miner.result(&orders[0], 1_000)]).await;
        assert_eq!(miner.accepted().await.units[0].net, one);
        if round == 3 {
            break;
        }
        // Without its pay it would get nothing more.
        let paid = loop {
            if let hub_message::Body::Paid(paid) = miner.next().await {
                break paid;
            }
        };
        assert_eq!(
            (paid.net, &paid.wallet[..]),
            (one, market.wallet.as_slice())
        );
        assert_eq!(market.payments(miner.address()).await.len(), round);
    }
    // The last one is paid when the deal is over, like everybody's.
    market.reaches(deal.id, "posted").await;
    let root = buyer
        .chain
        .deal(market.wallet, deal.id)
        .await
        .unwrap()
        .result_root;
    buyer.confirm(deal.id, root.unwrap()).await;
    until("all pay", async || {
        market.payments(miner.address()).await.len() == 3
    })
    .await;
    until("what the hub says", async || {
        let payouts = buyer.result(deal.id).await.unwrap().payouts;
        let units: Vec<u32> = payouts.iter().map(|payout| payout.units).collect();
        units == [1, 1, 1]
    })
    .await;
}

#[tokio::test]
async fn sessions_that_do_not_begin_as_they_should_are_refused() {
    let (market, hub, _) = start().await;
    let miner = FakeMiner::start(&market, &hub, 3).await;
    let refused = async |body| {
        crate::support::refused(miner.channel.clone(), body)
            .await
            .code()
    };
    let foreign = hello(Address::repeat_byte(9));
    assert_eq!(
        refused(miner_message::Body::Hello(foreign)).await,
        Code::PermissionDenied
    );
    let nobody = Hello::default();
    assert_eq!(
        refused(miner_message::Body::Hello(nobody)).await,
        Code::InvalidArgument
    );
    let done = miner_message::Body::Done(Done::default());
    assert_eq!(refused(done).await, Code::InvalidArgument);
}

#[tokio::test]
async fn a_miner_that_leaves_loses_its_units_after_the_grace() {
    let (market, hub, mut buyer) = start().await;
    let mut first = FakeMiner::start(&market, &hub, 3).await;
    let deal = buyer.submit(&job(1), 1).await;
    first.orders(1).await;
    first.leave();
    let mut second = FakeMiner::start(&market, &hub, 4).await;
    second.work(1, 100).await;
    market.reaches(deal.id, "posted").await;
    until("the posted result", async || {
        buyer.result(deal.id).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn a_miner_that_never_reads_holds_nobody_up() {
    let market = Market::with(|config| config.hub.unit_seconds = 3).await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let deaf = FakeMiner::with(&market, &hub, 3, |hello| hello.cores = 100).await;
    let mut spec = job(40);
    // More than its line takes unread.
    let input = vec![7; 60_000];
    spec.inputs
        .insert("in".to_owned(), gio_content::ContentRef::of(&input));
    buyer.inputs.insert("in".to_owned(), input);
    let deal = buyer.submit(&spec, 1).await;
    market.reaches(deal.id, "running").await;
    let mut honest = FakeMiner::with(&market, &hub, 4, |hello| hello.cores = 40).await;
    honest.work(40, 100).await;
    market.reaches(deal.id, "posted").await;
    assert_eq!(buyer.result(deal.id).await.unwrap().outputs.len(), 40);
    let begun = std::time::Instant::now();
    hub.stop().await;
    assert!(begun.elapsed().as_secs() < 5, "nor the hub's end");
    drop(deaf);
}

#[tokio::test]
async fn a_large_input_travels_as_a_content() {
    let (market, hub, mut buyer) = start().await;
    let mut miner = FakeMiner::start(&market, &hub, 3).await;
    let mut spec = job(1);
    let input = vec![7; 200_000];
    spec.inputs
        .insert("in".to_owned(), gio_content::ContentRef::of(&input));
    spec.stdin = Some("in".to_owned());
    buyer.inputs.insert("in".to_owned(), input.clone());
    buyer.submit(&spec, 1).await;
    let order = miner.orders(1).await.remove(0);
    let Some(gio_net::wire::unit_order::Input::InputRef(content)) = &order.input else {
        panic!("a large input is not in the order");
    };
    let image = blob::download(miner.channel.clone(), content, 1 << 20)
        .await
        .unwrap();
    assert_eq!(image.len() as u64, order.input_length);
    let root = gio_protocol::word_root(&image, gio_protocol::MachineParams::IMAGE_DEPTH).unwrap();
    assert_eq!(&root[..], &order.input_root[..]);
    let image = gio_content::InputImage::decode(&image).unwrap();
    assert_eq!((&image.files["in"], &image.stdin), (&input, &input));
    miner.deliver(vec![miner.result(&order, 100)]).await;
    miner.accepted().await;
}

#[tokio::test]
async fn a_late_result_counts_if_it_is_still_the_first() {
    let market = Market::with(|config| config.hub.unit_seconds = 1).await;
    let hub = market.launch().await;
    let mut buyer = Buyer::start(&market, &hub).await;
    let mut slow = FakeMiner::start(&market, &hub, 3).await;
    let deal = buyer.submit(&job(2), 1).await;
    let orders = slow.orders(2).await;
    let mut cancelled = 0;
    while cancelled < 2 {
        if let hub_message::Body::Cancel(cancel) = slow.next().await {
            cancelled += cancel.units.len();
        }
    }
    slow.deliver(vec![slow.result(&orders[0], 100)]).await;
    assert_eq!(slow.accepted().await.units[0].unit, orders[0].unit);
    // Somebody else was quicker with the other one.
    let mut quick = FakeMiner::start(&market, &hub, 4).await;
    quick.work(1, 100).await;
    slow.deliver(vec![slow.result(&orders[1], 100)]).await;
    assert_eq!(slow.rejected().await.units[0].unit, orders[1].unit);
    market.reaches(deal.id, "posted").await;
    assert_eq!(buyer.result(deal.id).await.unwrap().cu_total, 200_000_000);
}
