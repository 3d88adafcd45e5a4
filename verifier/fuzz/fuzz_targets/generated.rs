//! Fuzzes `prepare` with valid modules that wasm-smith makes of the bytes, of any features.
#![no_main]

use arbitrary::{Arbitrary as _, Unstructured};
use wasm_smith::{Config, Module};

#[path = "../../machine/tests/support/prepared.rs"]
mod prepared;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut bytes = Unstructured::new(bytes);
    let Ok(config) = Config::arbitrary(&mut bytes) else {
        return;
    };
    if let Ok(module) = Module::new(config, &mut bytes) {
        let _ = prepared::prepare_any(&module.to_bytes());
    }
});
