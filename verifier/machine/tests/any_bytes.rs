//! Any bytes as a module and as a proof: random ones, good ones damaged, generated ones. Never a panic, and never long;
//! `verifier/fuzz` looks for worse.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![allow(
    clippy::disallowed_methods,
    reason = "how long preparing takes is what is tested"
)]
#![allow(unreachable_pub, reason = "modules that test binaries share")]

use std::time::{Duration, Instant};

use arbitrary::{Arbitrary as _, Unstructured};
use proptest::prelude::*;
use wasm_smith::{Config, Module};

#[path = "support/prepared.rs"]
mod prepared;
#[path = "support/rng.rs"]
mod rng;
#[path = "../../tests/smith/module.rs"]
mod smith;

use prepared::{check_any, prepare_any};
use rng::Rng;

const APPS: [&[u8]; 3] = [
    include_bytes!("../../../apps/echo/echo.wasm"),
    include_bytes!("../../../apps/bench/sort.wasm"),
    include_bytes!("../../../apps/tools/statistics.wasm"),
];

/// What any of these modules may take; most take a thousandth.
const WITHIN: Duration = Duration::from_secs(1);

/// Tries before it counts: other tests run on the same cores.
const TRIES: usize = 5;

fn prepared_soon(bytes: &[u8]) -> bool {
    for _ in 0..TRIES {
        let begin = Instant::now();
        let program = prepare_any(bytes);
        if begin.elapsed() < WITHIN {
            return program;
        }
    }
    panic!("{} bytes take longer than {WITHIN:?}", bytes.len());
}

/// Flips, overwrites, cuts, doubles and moves bytes here and there.
fn damage(bytes: &mut Vec<u8>, rng: &mut Rng) {
    for _ in 0..=rng.below(4) {
        let length = u32::try_from(bytes.len()).unwrap();
        if length < 2 {
            return;
        }
        let at = rng.below(length) as usize;
        let end = (at + 1 + rng.below(40) as usize).min(bytes.len());
        match rng.below(6) {
            0 => bytes[at] ^= 1 << rng.below(8),
            1 => bytes[at] = rng.pick(&[0, 1, 0x7f, 0x80, 0xff, 0x0b, 0x40, 0x20]),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let part = bytes[at..end].to_vec();
                let to = rng.below(length) as usize;
                bytes.splice(to..to, part);
            }
            4 => bytes[at..end].fill(0x80),
            _ => bytes.truncate(bytes.len() - at.min(100)),
        }
    }
}

proptest! {
    #[test]
    fn random_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
        prepared_soon(&bytes);
        prepared_soon(&[b"\0asm\x01\0\0\0", &bytes[..]].concat());
        check_any(&bytes);
    }

    #[test]
    fn damaged_programs_do_no_harm(seed: u64) {
        let mut rng = Rng::new(seed);
        let mut bytes = smith::generate(&mut rng).unwrap_or_default();
        damage(&mut bytes, &mut rng);
        prepared_soon(&bytes);
    }

    #[test]
    fn modules_of_any_features_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 100..4000)) {
        let mut bytes = Unstructured::new(&bytes);
        let config = Config::arbitrary(&mut bytes).unwrap();
        if let Ok(module) = Module::new(config, &mut bytes) {
            prepared_soon(&module.to_bytes());
        }
    }
}

#[test]
fn damaged_applications_do_no_harm() {
    let mut rng = Rng::new(0xa95);
    let mut programs = 0;
    for nth in 0..60 {
        let mut bytes = APPS[nth % APPS.len()].to_vec();
        damage(&mut bytes, &mut rng);
        programs += usize::from(prepared_soon(&bytes));
    }
    assert!(
        programs > 0,
        "all damage is found before anything is prepared"
    );
}
