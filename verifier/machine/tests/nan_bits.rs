//! Every bit of every float that can be seen is what Cranelift's own canonicalisation makes it.
//!
//! More than 10,000 generated functions run side by side: un-passed under Cranelift's NaN flag, and passed
//! without it. Results, all of memory and all globals must agree after every call.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

use gio_machine::{PrepareLimits, prepare};
use support::generator::{DOUBLES, SINGLES, Taste, generate};
use support::host::{Guest, engine, reference_engine};
use support::rng::Rng;
use wasmtime::{Module, Val};

const MODULES: u64 = 42;
const FUNCTIONS: u32 = 250;
const INPUTS: u32 = 2;

#[test]
fn nan_bits_equal_cranelifts_on_10_000_programs() {
    let (reference, ours) = (reference_engine(), engine());
    let taste = Taste {
        traps: false,
        bulk: false,
        floats: 8,
        statements: 4,
    };
    let mut nans = 0;
    for seed in 0..MODULES {
        let wasm = generate(seed, FUNCTIONS, taste).encode(false);
        let prepared = prepare(&wasm, &PrepareLimits::default()).unwrap();
        let plain = Module::new(&reference, &wasm).unwrap();
        let passed = Module::new(&ours, &prepared.fast).unwrap();
        nans += compare(seed, &plain, &passed);
    }
    println!("{nans} calls answered a NaN");
    assert!(
        nans > 1000,
        "only {nans} calls answered a NaN: the programs test nothing"
    );
}

/// Runs all functions of both modules in lockstep; answers how many calls returned a NaN.
fn compare(seed: u64, plain: &Module, passed: &Module) -> u32 {
    let mut rng = Rng::new(seed ^ 0xabcd);
    let limit = i64::MAX.cast_unsigned() / 2;
    let mut expected = Guest::new(plain, limit);
    let mut found = Guest::new(passed, limit);
    let mut nans = 0;
    for function in 0..FUNCTIONS {
        for _ in 0..INPUTS {
            let params = [
                Val::I32(rng.below(1000).cast_signed()),
                Val::I64(rng.next().cast_signed()),
                Val::F32(rng.pick(&SINGLES)),
                Val::F64(rng.pick(&DOUBLES)),
            ];
            let name = function.to_string();
            let end = expected.call(&name, &params);
            assert_eq!(
                found.call(&name, &params),
                end,
                "seed {seed} function {name} {params:?}"
            );
            assert!(
                found.memory() == expected.memory(),
                "memory: seed {seed} function {name}"
            );
            assert_eq!(
                found.globals(),
                expected.globals(),
                "seed {seed} function {name}"
            );
            nans += u32::from(is_nan(&end));
        }
    }
    nans
}

fn is_nan(end: &support::host::End) -> bool {
    matches!(end, support::host::End::Returned(bits)
        if f64::from_bits(bits[0]).is_nan() || u32::try_from(bits[0]).is_ok_and(|bits| f32::from_bits(bits).is_nan()))
}
