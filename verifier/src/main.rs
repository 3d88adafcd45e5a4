//! The `gio-verifier` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    gio_verifier::run(std::env::args_os())
}
