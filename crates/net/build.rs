//! Compiles `proto/gio/v1` with protox, so that a clone needs no system `protoc`.

use std::error::Error;

const FILES: [&str; 4] = [
    "proto/gio/v1/content.proto",
    "proto/gio/v1/directory.proto",
    "proto/gio/v1/market.proto",
    "proto/gio/v1/work.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, ["proto"])?;
    // `bytes::Bytes` for every field: inputs and outputs pass through a hub without being copied.
    tonic_prost_build::configure()
        .bytes(".gio.v1")
        .compile_fds(descriptors)?;
    Ok(())
}
