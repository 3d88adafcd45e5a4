//! The `gio-chain` binary.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    gio_chain::cli::main().await
}
