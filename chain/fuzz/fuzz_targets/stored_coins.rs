//! Fuzzes `decoders::stored_coins`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // Whether they are taken is up to the bytes.
    let _ = gio_chain::decoders::stored_coins(bytes);
});
