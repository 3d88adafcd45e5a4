//! What the tests of the sandbox share.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "every test binary uses its own part of this module"
)]
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

pub mod machine;
pub mod peer;

use std::sync::OnceLock;

use gio_content::image::{InputImage, OutputImage};
use gio_protocol::B256;
use gio_runtime::{Engine, EngineConfig, Outcome, RunControl, RunError, UnitLimits};

/// One engine for all tests of a binary.
pub fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        Engine::new(EngineConfig {
            cache_dir: None,
            instances_max: 16,
            pages_max: 1024,
        })
        .unwrap()
    })
}

pub const LIMITS: UnitLimits = UnitLimits {
    cu_limit: 1 << 32,
    pages_max: 1024,
    output_max: 1 << 20,
    unit_seed: B256::repeat_byte(7),
    clock_start: 1_700_000_000,
};

pub fn try_run(wasm: &[u8], input: &InputImage, limits: &UnitLimits) -> Result<Outcome, RunError> {
    let program = engine().load(wasm).unwrap();
    engine().run(
        &program,
        &input.encode().unwrap(),
        limits,
        &RunControl::none(),
    )
}

pub fn run(wasm: &[u8], input: &InputImage, limits: &UnitLimits) -> Outcome {
    try_run(wasm, input, limits).unwrap()
}

pub fn run_wat(wat: &str, limits: &UnitLimits) -> Outcome {
    let wasm = wat::parse_str(wat).unwrap();
    run(&wasm, &InputImage::default(), limits)
}

pub fn output(outcome: &Outcome) -> OutputImage {
    OutputImage::decode(&outcome.output_image).unwrap()
}

pub fn input(args: &[&str]) -> InputImage {
    InputImage {
        args: args.iter().map(|arg| arg.as_bytes().to_vec()).collect(),
        ..InputImage::default()
    }
}

/// Arguments, variables, files and standard input, for the app that says what it was given.
pub fn everything() -> InputImage {
    let mut image = input(&["echo", "data/numbers.txt", "two words", ""]);
    image.env.insert("GREETING".into(), "grüß dich".into());
    image.env.insert("EMPTY".into(), Vec::new());
    let numbers = b"1\n22\n333\n".to_vec();
    image.files.insert("data/numbers.txt".into(), numbers);
    image.files.insert("readme".into(), vec![b'x'; 100_000]);
    image.stdin = b"line one\nline two\nno end".to_vec();
    image
}
