//! The command line as a user meets it: help pages, set-up, errors, exit codes. Stories with a hub are told in the
//! package gio-e2e.

#![allow(clippy::unwrap_used, reason = "the whole binary is a test")]

mod bad_input;
#[path = "../../../tests/support/golden.rs"]
mod golden;
mod offline;
mod pages;

use std::path::Path;
use std::process::{Command, Output};

/// Runs `gio-buyer` with a home of its own and nothing of the user's environment.
fn gio_buyer(home: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gio-buyer"))
        .args(args)
        .env_clear()
        .env("GIO_BUYER_HOME", home)
        .current_dir(home.parent().expect("homes are inside a folder"))
        .output()
        .expect("the binary was built for this test")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("output is text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("output is text")
}
