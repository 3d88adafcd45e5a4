//! Fuzzes the mirror of the contract with bytes as a proof: whoever disputes a step chooses them.
#![no_main]

#[path = "../../machine/tests/support/prepared.rs"]
mod prepared;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = prepared::check_any(bytes);
});
