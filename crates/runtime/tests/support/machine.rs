//! The same unit on both machine versions and on the step machine.

use std::sync::Arc;

use gio_content::image::InputImage;
use gio_machine::state::{DealDepths, Halted, UnitLimits as StepLimits};
use gio_machine::{Loaded, Machine, PrepareLimits, prepare_provable};
use gio_protocol::{Status, word_root};
use gio_runtime::{MachineVersion, Outcome, RunControl, UnitLimits};

use super::engine;

/// Depths of input and output in the tests: not the same, so that neither passes for the other.
pub const INPUT_DEPTH: u8 = 22;
pub const OUTPUT_DEPTH: u8 = 23;

pub fn run_version(
    wasm: &[u8],
    input: &InputImage,
    limits: &UnitLimits,
    version: MachineVersion,
) -> Outcome {
    let program = engine().load_version(wasm, version).unwrap();
    let image = input.encode().unwrap();
    engine()
        .run(&program, &image, limits, &RunControl::none())
        .unwrap()
}

/// The step machine before its first step.
pub fn machine(wasm: &[u8], input: &InputImage, limits: &UnitLimits) -> Machine {
    let provable = prepare_provable(wasm, &PrepareLimits::default()).unwrap();
    let loaded = Arc::new(Loaded::new(provable.program));
    let image = input.encode().unwrap();
    let unit = StepLimits {
        input_root: word_root(&image, INPUT_DEPTH).unwrap(),
        input_length: image.len() as u64,
        cu_limit: limits.cu_limit,
        pages_max: limits.pages_max,
        output_max: limits.output_max,
        unit_seed: limits.unit_seed,
    };
    let deal = DealDepths {
        input_depth: INPUT_DEPTH,
        output_depth: OUTPUT_DEPTH,
        clock_start: limits.clock_start,
    };
    Machine::new(loaded, image, &unit, &deal).unwrap()
}

/// What a claim of the outcome would bind.
pub fn halted(outcome: &Outcome) -> Halted {
    Halted {
        status: match outcome.status {
            Status::Exit => 0,
            Status::Trap => 1,
            Status::CuExhausted => 2,
        },
        exit_code: outcome.exit_code,
        cu: outcome.cu,
        output_root: word_root(&outcome.output_image, OUTPUT_DEPTH).unwrap(),
        output_length: outcome.output_length,
    }
}

/// Runs the unit on version 1 under wasmtime and on the step machine, which must agree in everything that a claim
/// binds, and answers the outcome.
pub fn run_provable(wasm: &[u8], input: &InputImage, limits: &UnitLimits) -> Outcome {
    let outcome = run_version(wasm, input, limits, MachineVersion::Provable);
    let mut machine = machine(wasm, input, limits);
    let halted_machine = machine.run();
    assert_eq!(halted(&outcome), halted_machine);
    assert!(machine.steps() <= halted_machine.cu, "R20: steps ≤ CU");
    outcome
}

/// The same with version 0, which must agree with version 1 wherever both exit.
pub fn run_everywhere(wasm: &[u8], input: &InputImage, limits: &UnitLimits) -> Outcome {
    let outcome = run_provable(wasm, input, limits);
    let metered = run_version(wasm, input, limits, MachineVersion::Metered);
    assert_eq!(outcome.status, metered.status);
    assert_eq!(outcome.exit_code, metered.exit_code);
    if outcome.status == Status::Exit {
        assert_eq!(outcome.output_image, metered.output_image);
    }
    outcome
}
