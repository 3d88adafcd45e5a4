//! Fuzzes `decoders::proof`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // Whether they are taken is up to the bytes.
    let _ = gio_chain::decoders::proof(bytes);
});
