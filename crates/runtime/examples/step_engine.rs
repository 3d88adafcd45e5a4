//! How many steps a second the step machine's engine makes: one run of a program, timed, as JSON for `scripts/bench`.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use gio_content::image::InputImage;
use gio_machine::state::{DealDepths, UnitLimits};
use gio_machine::{Loaded, Machine, PrepareLimits, prepare_provable};
use gio_protocol::{B256, word_root};

/// Steps that are timed: seconds of work.
const STEPS: u64 = 400_000_000;

const DEPTH: u8 = 22;

#[expect(clippy::print_stdout, reason = "a measurement prints its result")]
#[expect(clippy::cast_precision_loss, reason = "a rate is no money")]
fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let Some(path) = args.next() else {
        println!("usage: step_engine APP [ARGS...]");
        return ExitCode::from(2);
    };
    let image = InputImage {
        args: std::iter::once("app".to_owned())
            .chain(args)
            .map(String::into_bytes)
            .collect(),
        ..InputImage::default()
    };
    let image = image.encode().expect("arguments make an image");
    let wasm = std::fs::read(path).expect("the program can be read");
    let provable = prepare_provable(&wasm, &PrepareLimits::default()).expect("a program");
    let unit = UnitLimits {
        input_root: word_root(&image, DEPTH).expect("a short image"),
        input_length: image.len() as u64,
        cu_limit: 1 << 45,
        pages_max: 4096,
        output_max: 1 << 20,
        unit_seed: B256::ZERO,
    };
    let deal = DealDepths {
        input_depth: DEPTH,
        output_depth: DEPTH,
        clock_start: 0,
    };
    let loaded = Arc::new(Loaded::new(provable.program));
    let mut machine = Machine::new(loaded, image, &unit, &deal).expect("a unit within bounds");
    let started = Instant::now();
    machine.run_to(STEPS);
    let seconds = started.elapsed().as_secs_f64();
    let hashing = Instant::now();
    let hash = machine.state_hash();
    println!(
        "{{\"step_engine_steps_per_s\": {:.0}, \"steps\": {}, \"first_hash_s\": {:.3}, \"hash\": \"{hash}\"}}",
        machine.steps() as f64 / seconds,
        machine.steps(),
        hashing.elapsed().as_secs_f64()
    );
    ExitCode::SUCCESS
}
