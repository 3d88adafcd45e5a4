//! Memory and disk of a node with a million unspent coins: one process makes them, another opens them and connects
//! blocks that spend some.

use std::path::Path;
use std::process::Command;

use gio_coin::Block;
use serde_json::{Value, json};

use super::maker::{Maker, Payee};
use super::{SPENDS, add, open};

/// Coins made by one transaction: a megabyte holds more, a block two of those.
const PER_BLOCK: u32 = 20_000;
const BLOCKS: u32 = 50;
/// Blocks the second process connects.
const EXTRA: u32 = 5;

pub(crate) fn measure(folder: &Path) -> Value {
    let mut chain = open(folder);
    let mut maker = Maker::new();
    for _ in 0..100 + BLOCKS {
        add(&mut chain, &maker.block(vec![]));
    }
    let mut coins = None;
    for height in 1..=BLOCKS as usize {
        let made = maker.fan_out(height, PER_BLOCK, Payee::Anybody);
        add(&mut chain, &maker.block(vec![made.clone()]));
        coins = Some(made);
    }
    drop(chain);
    let coins = coins.expect("there were blocks");
    for number in 0..EXTRA {
        let indexes = number * SPENDS..(number + 1) * SPENDS;
        let spends = indexes.map(|index| maker.spend(&coins, index % PER_BLOCK, Payee::Anybody));
        // Their coins differ from block to block: five times four thousand are all of one transaction.
        let block = maker.block(spends.collect());
        std::fs::write(folder.join(format!("extra-{number}")), block.encode())
            .expect("a writable folder");
    }
    let index = std::fs::metadata(folder.join("index"))
        .expect("a store")
        .len();
    let here = std::env::current_exe().expect("a running program knows its path");
    let mut command = Command::new(here);
    let output = command
        .arg("utxo-child")
        .arg("--dir")
        .arg(folder)
        .output()
        .expect("it runs again");
    assert!(output.status.success(), "{output:?}");
    let mut figures: Value = serde_json::from_slice(&output.stdout).expect("figures in JSON");
    figures["utxo_1m_index_mib"] = json!(index >> 20);
    figures
}

pub(crate) fn child(folder: &Path) -> Value {
    let mut chain = open(folder);
    let opened = kibibytes("VmRSS");
    for number in 0..EXTRA {
        let bytes = std::fs::read(folder.join(format!("extra-{number}"))).expect("a block");
        add(&mut chain, &Block::decode(&bytes).expect("a block"));
    }
    json!({"utxo_1m_open_rss_mib": opened >> 10, "utxo_1m_peak_rss_mib": kibibytes("VmHWM") >> 10})
}

/// A line of what the system knows of a process.
pub(crate) fn status(process: &str, name: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).expect("Linux");
    let line = text.lines().find(|line| line.starts_with(name));
    let digits = line.and_then(|line| line.split_whitespace().nth(1));
    digits
        .and_then(|digits| digits.parse().ok())
        .expect("a number of kilobytes")
}

fn kibibytes(name: &str) -> u64 {
    status("self", name)
}
