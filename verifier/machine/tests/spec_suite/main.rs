//! The WebAssembly specification's test suite: every assertion about what the machine accepts, on wasmtime, the fast
//! engine and the mirror, with the same state hash at every step, and the steps through the contract.
//!
//! `cargo test` looks at the first steps of every call and at a sample of the others, and draws those for the
//! contract; with `GIO_SPEC_STEPS=all` (`scripts/test-long`) every step of every call goes through both, with a number
//! the first so many of every call and one in a hundred of the others. What was run, how many steps that is, and what
//! was left out and why, stands in `counts.json`.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![allow(
    clippy::disallowed_methods,
    reason = "contracts and counts are files; what is tested has none"
)]
#![allow(unreachable_pub, reason = "every module here is private to the test")]

mod counts;
#[path = "../court/evm.rs"]
#[allow(dead_code, reason = "shared with the court's tests")]
mod evm;
mod machines;
mod run;
mod script;
mod spectest;
mod steps;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use gio_machine::NATIVE_STACK_BYTES;
use serde_json::json;
use support::rng;

use counts::Counts;
use steps::Plan;

/// Native stack of the host's own calls, on top of what programs may use.
const HOST_STACK_BYTES: usize = 16 << 20;

/// To accept a change: `GIO_BLESS=1 cargo test -p gio-machine --test spec_suite`, then read the diff.
#[test]
fn every_assertion_holds_on_every_machine() {
    let wanted = std::env::var("GIO_SPEC_STEPS").ok();
    let plan = match wanted.as_deref() {
        None => Plan::SAMPLE,
        Some("all") => Plan::ALL,
        Some(first) => Plan::first(first.parse().unwrap()),
    };
    let files = run_all(plan);
    let mut total = Counts::default();
    for counts in files.values() {
        total += counts;
    }
    let (assertions, steps) = (total.assertions(), total.steps);
    let (walked, replayed) = (total.walked, total.replayed);
    println!(
        "{assertions} assertions, {steps} steps, {walked} in the mirror, {replayed} in the contract"
    );
    assert!(0 < replayed && replayed <= walked && walked <= steps);
    if plan == Plan::ALL {
        assert_eq!((walked, replayed), (steps, steps));
    }
    compare(&files, &total);
}

/// Files wait in a list for whichever thread has time.
#[expect(
    clippy::print_stdout,
    reason = "every step of the suite takes an hour; this says how far it is"
)]
fn run_all(plan: Plan) -> BTreeMap<String, Counts> {
    let engine = support::host::engine();
    let waiting = Mutex::new(script::files());
    let done = Mutex::new(BTreeMap::new());
    let work = || {
        loop {
            let Some(file) = waiting.lock().unwrap().pop() else {
                break;
            };
            let name = script::name(&file);
            let counts = run::run(&engine, &file, plan);
            println!(
                "{name}: {} assertions, {} steps, {} in the contract",
                counts.assertions(),
                counts.steps,
                counts.replayed
            );
            done.lock().unwrap().insert(name, counts);
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            let builder = std::thread::Builder::new();
            let builder = builder.stack_size(NATIVE_STACK_BYTES + HOST_STACK_BYTES);
            builder.spawn_scoped(scope, work).unwrap();
        }
    });
    done.into_inner().unwrap()
}

fn compare(files: &BTreeMap<String, Counts>, total: &Counts) {
    let counts = files.iter().map(|(name, counts)| (name, counts.json()));
    let value = json!({
        "files": counts.collect::<BTreeMap<_, _>>(),
        "sets_not_run": BTreeMap::from(script::SETS_NOT_RUN),
        "steps_replayed_by_test_long": total.steps,
        "total": total.json(),
    });
    let text = format!("{}\n", serde_json::to_string_pretty(&value).unwrap());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spec_suite/counts.json");
    if std::env::var_os("GIO_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(&path).unwrap_or_default(),
        text,
        "the counts are stale"
    );
}
