//! Every fail-point, visited by a process of a running market that dies there. Those of leases are visited where several
//! processes can be one hub (`postgres.rs`), those of operators' commands where these are killed (`killed.rs`).

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;

use gio_e2e::fail_points;
use gio_e2e::process::run;
use gio_failpoint::KILL_AT;
use gio_protocol::Gio;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};

use super::jobs;
use super::market::{Aim, Death, DyingMarket, MINERS};
use super::{rare, scenes};
use crate::killed::COMMANDS;
use crate::postgres::LEASES;
use crate::story::{Story, block_on};

/// Another order of the deaths than today's: `GIO_CRASH_SEED=7`.
const SEED: &str = "GIO_CRASH_SEED";

/// Points that a scene visits, because no job that goes well passes them.
const SCENES: [(&str, &str); 41] = [
    ("hub", "hub.sends.refund"),
    ("hub", "hub.sent.refund"),
    ("hub", "hub.sends.settlement"),
    ("hub", "hub.sent.settlement"),
    ("hub", "hub.sends.barrier"),
    ("hub", "hub.sent.barrier"),
    ("hub", "hub.wrote.payout"),
    ("hub", "hub.wrote.payment_nonce"),
    ("hub", "hub.wrote.payout_dropped"),
    ("hub", "hub.wrote.payment_depth"),
    ("hub", "hub.wrote.payments_doubted"),
    ("hub", "hub.wrote.end_taken_back"),
    ("hub", "hub.wrote.end_block"),
    ("hub", "hub.tells.rejection"),
    ("hub", "hub.tells.cancel"),
    ("hub", "hub.wrote.cancellation"),
    ("hub", "hub.answers.cancellation"),
    ("hub", "hub.sends.cancellation"),
    ("hub", "hub.sent.cancellation"),
    ("buyer", "buyer.told.cancellation"),
    ("hub", "hub.wrote.troubles"),
    ("miner", "miner.wrote.output_lost"),
    ("miner", "miner.sends.barrier"),
    ("miner", "miner.sent.barrier"),
    ("miner", "miner.wrote.payouts"),
    ("miner", "miner.wrote.payout_parts"),
    ("miner", "miner.sent.claim"),
    ("miner", "miner.wrote.payout_claimed"),
    ("miner", "miner.tells.failures"),
    ("miner", "miner.tells.draining"),
    ("buyer", "buyer.tells.confirmation"),
    ("buyer", "buyer.sends.confirmation"),
    ("buyer", "buyer.sent.confirmation"),
    ("buyer", "buyer.sends.settlement"),
    ("buyer", "buyer.sent.settlement"),
    ("buyer", "buyer.sent.settlement_command"),
    ("buyer", "buyer.sends.refund"),
    ("buyer", "buyer.sent.refund"),
    ("buyer", "buyer.sent.refund_command"),
    ("hub", "hub.wrote.contents_dropped"),
    ("hub", "hub.wrote.content_file_gone"),
];
/// Points that need somebody who asks, a liar, an empty wallet, or a chain or a node that fails.
const RARE: [(&str, &str); 16] = [
    ("buyer", "buyer.asked.machines"),
    ("buyer", "buyer.asked.explanation"),
    ("buyer", "buyer.asked.claims"),
    ("hub", "hub.answers.machines"),
    ("hub", "hub.answers.explanation"),
    ("hub", "hub.answers.claims"),
    ("hub", "hub.answers.has"),
    ("hub", "hub.sends.reconciliation"),
    ("hub", "hub.sent.reconciliation"),
    ("buyer", "buyer.sent.refutation"),
    ("hub", "evm.replaced"),
    ("miner", "evm.replaced"),
    ("buyer", "evm.replaced"),
    ("hub", "evm.gap_filled"),
    ("miner", "evm.gap_filled"),
    ("buyer", "evm.gap_filled"),
];
/// Of old age, which comes last.
const OLD_AGE: [(&str, &str); 2] = [
    ("hub", "hub.wrote.contents_released"),
    ("hub", "hub.wrote.job_dropped"),
];
/// Of `gio-hub register`, which has a test of its own.
const REGISTER: [&str; 3] = [
    "hub.sent.creation",
    "hub.sent.deposit",
    "hub.sent.registration",
];
/// Who may die at a point.
fn victims(point: &str) -> Vec<&'static str> {
    match point.split('.').next() {
        Some("hub") => vec!["hub"],
        Some("miner") => vec!["miner"],
        Some("buyer") => vec!["buyer"],
        // Of the packages all three use.
        _ => vec!["hub", "miner", "buyer"],
    }
}

/// Every death that a job that goes well has to offer.
fn ordinary() -> Vec<Death> {
    let elsewhere = |who: &str, point: &str| {
        SCENES.contains(&(who, point))
            || RARE.contains(&(who, point))
            || OLD_AGE.contains(&(who, point))
            || REGISTER.contains(&point)
            || LEASES.iter().any(|(name, _)| *name == point)
            || COMMANDS.contains(&point)
    };
    let points = fail_points::all().unwrap();
    let mut deaths = Vec::new();
    for point in points.keys() {
        for who in victims(point) {
            if !elsewhere(who, point) {
                let point = point.clone();
                deaths.push(Death { who, point });
            }
        }
    }
    deaths
}

/// Today's, unless one is given: another order every day, and the same one all day.
fn seed() -> u64 {
    let given = std::env::var(SEED).ok().map(|text| text.parse().unwrap());
    given.unwrap_or_else(|| gio_agent::unix_now() / (24 * 3600))
}

fn assert_dead(market: &DyingMarket, wanted: &BTreeSet<Death>) {
    let missing: Vec<String> = wanted
        .difference(&market.deaths)
        .map(ToString::to_string)
        .collect();
    assert!(
        missing.is_empty(),
        "nobody died there:\n{}",
        missing.join("\n")
    );
}

#[test]
fn a_job_survives_a_death_wherever_something_is_written_or_sent() {
    block_on(async {
        let seed = seed();
        println!("seed {seed}");
        let mut random = StdRng::seed_from_u64(seed);
        let mut market = DyingMarket::prepare().await;
        let mut deaths = ordinary();
        deaths.shuffle(&mut random);
        for Death { who, point } in &deaths {
            let plan = match *who {
                "buyer" => &mut market.buyer_plan,
                "miner" => {
                    let name = MINERS[random.random_range(0..MINERS.len())];
                    &mut market.agent(name).plan
                }
                name => &mut market.agent(name).plan,
            };
            plan.push_back(Aim::at(point));
        }
        market.start();
        let mut number = 0;
        while !market.is_done() {
            number += 1;
            let ask = jobs::mixed(&market, number);
            market.job(&ask).await;
            ask.check(&market.out());
        }
        println!("{} deaths in {number} jobs", market.deaths.len());
        assert_dead(&market, &deaths.into_iter().collect());
        market.close().await;
    });
}

#[test]
fn a_job_survives_a_death_where_it_does_not_go_well() {
    block_on(async {
        let mut market = DyingMarket::prepare().await;
        market.start();
        scenes::the_hub_refunds(&mut market, 1).await;
        scenes::the_buyer_takes_its_cap_back(&mut market, 2).await;
        scenes::the_hub_settles_after_the_window(&mut market, 4).await;
        scenes::the_buyer_confirms_by_itself(&mut market, 5).await;
        scenes::the_buyer_settles_by_itself(&mut market, 6).await;
        scenes::a_payment_in_doubt(&mut market, 8).await;
        scenes::a_pull_in_doubt(&mut market, 9).await;
        scenes::a_claim_too_late(&mut market, 10).await;
        scenes::a_lost_output(&mut market, 11).await;
        scenes::units_cancelled(&mut market, 12).await;
        scenes::a_miner_that_stops(&mut market, 13).await;
        scenes::a_cancellation(&mut market, 14).await;
        scenes::reorganisations(&mut market, 17).await;
        scenes::a_payout(&mut market).await;
        market.settle_sums().await;
        scenes::old_age(&mut market).await;
        let wanted = SCENES.iter().chain(&OLD_AGE);
        assert_dead(&market, &wanted.map(death).collect());
        market.close().await;
    });
}

fn death((who, point): &(&'static str, &str)) -> Death {
    let point = (*point).to_owned();
    Death { who, point }
}

#[test]
fn a_job_survives_a_death_where_the_world_is_strange() {
    block_on(async {
        let mut market = DyingMarket::prepare().await;
        market.start();
        rare::questions(&mut market, 1).await;
        rare::a_false_total(&mut market, 2).await;
        rare::a_wallet_that_cannot_pay(&mut market, 3).await;
        rare::a_node_that_forgets(&mut market, 6).await;
        rare::a_chain_that_stands_still(&mut market, 9).await;
        assert_dead(&market, &RARE.iter().map(death).collect());
        market.close().await;
    });
}

#[test]
fn a_hub_killed_while_it_registers_has_one_wallet_with_the_deposit_once() {
    block_on(async {
        let mut story = Story::prepare(gio_e2e::devnet::Settings {
            miners: 0,
            ..gio_e2e::devnet::Settings::default()
        })
        .await;
        let endpoint = "/ip4/203.0.113.7/tcp/7701";
        let register = ["register", "--deposit", "50", "--endpoint", endpoint];
        // After each step; and when each step's transaction is on its way and nobody has heard of it.
        for (home, points) in [("second", REGISTER), ("third", ["evm.published"; 3])] {
            let owner = story.net.make_hub(home).await.unwrap();
            for point in points {
                let mut command = story.net.agent("gio-hub", home, &register);
                command.env(KILL_AT, format!("{point}@1"));
                let status = command.output().await.unwrap().status;
                assert_eq!(status.signal(), Some(9), "{home} at {point}: {status}");
            }
            let again = story.net.agent("gio-hub", home, &register);
            run(again).await.unwrap();
            let wallets = story.net.chain.wallets_of(owner).await.unwrap();
            assert_eq!(wallets.len(), 1);
            let fifty = Gio::from_whole(50).unwrap();
            for account in [wallets[0], owner] {
                assert_eq!(story.net.chain.balance(account).await.unwrap(), fifty);
            }
        }
        story.net.stop().await.unwrap();
    });
}

#[test]
fn every_fail_point_that_a_scene_names_exists() {
    let points = fail_points::all().unwrap();
    let named = SCENES
        .iter()
        .chain(&RARE)
        .chain(&OLD_AGE)
        .map(|(_, point)| point)
        .chain(&REGISTER)
        .chain(LEASES.iter().map(|(point, _)| point))
        .chain(&COMMANDS);
    for point in named {
        assert!(points.contains_key(*point), "there is no {point} any more");
    }
}
