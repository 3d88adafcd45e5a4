//! The `gio-miner` binary.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    gio_miner::cli::main().await
}
