//! Fuzzes `decoders::script`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // Whether they are taken is up to the bytes.
    let _ = gio_chain::decoders::script(bytes);
});
