//! The committed shim is what its source says.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![allow(
    clippy::disallowed_methods,
    reason = "the crate is pure, this test compares with a committed file"
)]

mod shim_compiler;

const SOURCES: [&str; 8] = [
    include_str!("../shim/memory.shim"),
    include_str!("../shim/descriptors.shim"),
    include_str!("../shim/budget.shim"),
    include_str!("../shim/tree.shim"),
    include_str!("../shim/image.shim"),
    include_str!("../shim/streams.shim"),
    include_str!("../shim/paths.shim"),
    include_str!("../shim/process.shim"),
];

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/shim/shim.wasm");

/// With `GIO_WRITE_SHIM=1` the compiled shim is written instead, for whoever changes the source.
#[test]
fn the_committed_shim_is_what_its_source_compiles_to() {
    let compiled = shim_compiler::compile(&SOURCES);
    let features = wasmparser::WasmFeatures::default() | wasmparser::WasmFeatures::MULTI_MEMORY;
    wasmparser::Validator::new_with_features(features)
        .validate_all(&compiled)
        .unwrap();
    if std::env::var_os("GIO_WRITE_SHIM").is_some() {
        std::fs::write(COMMITTED, &compiled).unwrap();
    }
    let committed = std::fs::read(COMMITTED).unwrap_or_default();
    assert!(
        committed == compiled,
        "run with GIO_WRITE_SHIM=1 and commit"
    );
}
