//! Nodes as processes whose index is gone or half made: the blocks are all that counts, and none is lost.

use std::fs;
use std::process::{Command, Stdio};

use super::daemon::{Daemon, run, until};

/// A stopped node with some blocks, its tip and its coins.
fn stopped(folder: &tempfile::TempDir, blocks: u32) -> (Daemon, [String; 2]) {
    let mut node = Daemon::init(folder.path().join("node"));
    node.start(&[]);
    let tip = node.generate(blocks);
    let coins = node.coins_digest();
    node.stop();
    (node, [tip, coins])
}

/// Starts a node as nobody does who knows that something happened, and asserts that nothing was lost.
fn assert_goes_on(node: &mut Daemon, expected: &[String; 2]) {
    node.start(&[]);
    assert_eq!([node.tip(), node.coins_digest()], *expected);
    assert!(!node.home.join("index.new").exists());
    let next = node.generate(1);
    node.kill();
    node.start(&["--reindex"]);
    assert_eq!(node.tip(), next, "what came later is in the same file");
    node.stop();
}

fn assert_doctor_says(node: &Daemon, what: &str) {
    let sick = run(&node.home, &["doctor"]);
    let told = String::from_utf8_lossy(&sick.stdout).into_owned();
    assert!(!sick.status.success() && told.contains(what), "{told}");
}

#[test]
fn blocks_without_an_index_are_read_and_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let (mut node, expected) = stopped(&folder, 30);
    fs::remove_file(node.home.join("index")).unwrap();
    assert_doctor_says(&node, "its index is gone");
    let before = fs::read(node.home.join("blocks")).unwrap();
    assert_goes_on(&mut node, &expected);
    let after = fs::read(node.home.join("blocks")).unwrap();
    assert!(after.starts_with(&before));
}

#[test]
fn an_interrupted_reindex_goes_on_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let (mut node, expected) = stopped(&folder, 150);
    let half_made = node.home.join("index.new");
    let mut reindex = Command::new(env!("CARGO_BIN_EXE_gio-chain"));
    let reindex = reindex.arg("--home").arg(&node.home);
    let reindex = reindex.args(["node", "--reindex"]).stderr(Stdio::null());
    let mut reindex = reindex.spawn().unwrap();
    until("the reindex begins", || half_made.exists());
    reindex.kill().unwrap();
    reindex.wait().unwrap();
    // Whatever is left of it, and whatever the old index is worth.
    fs::write(&half_made, b"half").unwrap();
    fs::write(node.home.join("index"), b"damaged").unwrap();
    assert_doctor_says(&node, "its index is half made");
    assert_goes_on(&mut node, &expected);
}
