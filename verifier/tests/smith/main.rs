//! Random modules of `wasm-smith` on all engines: the fast engine and the mirror have the same state hash at every
//! step of short programs and of stretches of longer ones, the contracts at a few, and the final state is wasmtime's,
//! through the prepared module and, as far as it can be compared, without it.
//!
//! A run is a range of seeds. It makes one line per seed and nothing in them depends on time, so the same range
//! has the same log, and the log's hash stands for all of it.
//!
//! | variable | meaning | without it |
//! |---|---|---|
//! | `GIO_SMITH_FIRST` | the first seed | 0 |
//! | `GIO_SMITH_SEEDS` | how many | 12 |
//! | `GIO_SMITH_SECONDS` | begin no seed after so long | no limit |
//! | `GIO_SMITH_WHOLE` | programs of at most so many steps go through the mirror as a whole | 75,000 |
//! | `GIO_SMITH_STEPS` | steps of each stretch of a longer program that goes through the mirror | 400 |
//! | `GIO_SMITH_LOG` | where the log is written | nowhere |
//! | `GIO_SMITH_MODULE` | where the program of the last seed is written, to look into it | nowhere |
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![allow(
    clippy::disallowed_methods,
    reason = "contracts and figures are files; what is tested has none"
)]
#![allow(unreachable_pub, reason = "every module here is private to the test")]

mod command;
mod engines;
#[allow(dead_code, reason = "the court's tests use the rest")]
#[path = "../../machine/tests/court/evm.rs"]
mod evm;
mod module;
mod plain;
#[path = "../../machine/tests/support/rng.rs"]
mod rng;
mod tally;

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use gio_protocol::keccak256;

use crate::engines::{Engines, Proven};
use crate::rng::Rng;
use crate::tally::Tally;

/// So that programs of neighbouring seeds have nothing in common.
const SPREAD: u64 = 0xd134_2543_de82_ef95;

fn setting(name: &str, without: u64) -> u64 {
    std::env::var(name).map_or(without, |text| text.parse().unwrap())
}

/// The line of one seed.
fn line(engines: &mut Engines, seed: u64, proven: Proven, tally: &mut Tally) -> String {
    let mut rng = Rng::new(seed.wrapping_mul(SPREAD));
    let Some(module) = module::generate(&mut rng) else {
        tally.none += 1;
        return format!("{seed} none");
    };
    let command = command::of_module(&module, &mut rng);
    let hash = keccak256(&command.wasm);
    if let Ok(path) = std::env::var("GIO_SMITH_MODULE") {
        std::fs::write(path, &command.wasm).unwrap();
    }
    match engines.run(&command, proven, &mut rng) {
        Err(refused) => {
            tally.refuse(&refused.to_string());
            format!("{seed} {hash} refused: {refused}")
        }
        Ok(seen) => {
            tally.add(&seen);
            let halted = &seen.halted;
            format!(
                "{seed} {hash} steps {} cu {} status {} code {} mirror {} contract {} final {}",
                seen.steps,
                halted.cu,
                halted.status,
                halted.exit_code,
                seen.mirrored,
                seen.contract,
                halted.hash()
            )
        }
    }
}

#[test]
fn random_modules_are_the_same_everywhere() {
    let first = setting("GIO_SMITH_FIRST", 0);
    let seeds = setting("GIO_SMITH_SEEDS", 12);
    let proven = Proven {
        whole: setting("GIO_SMITH_WHOLE", 75_000),
        stretch: setting("GIO_SMITH_STEPS", 400),
    };
    let limit = Duration::from_secs(setting("GIO_SMITH_SECONDS", u64::MAX));
    let mut log = std::env::var("GIO_SMITH_LOG")
        .ok()
        .map(|path| std::fs::File::create(path).unwrap());
    let begin = Instant::now();
    let mut engines = Engines::new();
    let mut tally = Tally::default();
    let mut text = String::new();
    let mut last = first;
    for seed in first..first.saturating_add(seeds) {
        if begin.elapsed() > limit {
            break;
        }
        let tried = catch_unwind(AssertUnwindSafe(|| {
            line(&mut engines, seed, proven, &mut tally)
        }));
        let line = tried.unwrap_or_else(|panic| {
            println!("seed {seed} failed");
            resume_unwind(panic)
        });
        if let Some(log) = &mut log {
            writeln!(log, "{line}").unwrap();
        }
        text.push_str(&line);
        text.push('\n');
        last = seed;
    }
    println!(
        "seeds {first} to {last}, {proven:?}, {:.0} s",
        begin.elapsed().as_secs_f64()
    );
    println!("{tally}");
    println!("log keccak {}", keccak256(text.as_bytes()));
    tally.check();
}
