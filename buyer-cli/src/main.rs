//! `gio-buyer`: submits jobs to the market, follows them, checks results, pays for them.

use std::process::ExitCode;

fn main() -> ExitCode {
    gio_buyer::run(std::env::args_os())
}
