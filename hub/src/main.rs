//! The `gio-hub` binary.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    gio_hub::cli::main().await
}
