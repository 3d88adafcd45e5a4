//! Fuzzes `prepare` with bytes as they come: whoever uploads a module chooses them.
#![no_main]

#[path = "../../machine/tests/support/prepared.rs"]
mod prepared;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // Whether they are taken is up to the bytes.
    let _ = prepared::prepare_any(bytes);
});
