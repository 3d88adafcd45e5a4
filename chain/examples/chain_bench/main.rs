//! What the node does in a second and in a megabyte: `cargo build --release -p gio-chain` and then
//! `cargo run --release -p gio-chain --example chain_bench -- verify|connect|utxo|sync [--dir DIR]`.
//! Each prints one JSON object; `scripts/bench` collects them.

#[path = "../../tests/it/http.rs"]
mod http;
mod maker;
mod sync;
mod utxo;

use std::path::{Path, PathBuf};
use std::time::Instant;

use gio_chain::{BodyFile, Chain, Store};
use gio_coin::{Block, Header, HeaderTree, Network, Params, ScryptHasher, Transaction, check_work};
use gio_protocol::UnixSeconds;
use maker::{Maker, Payee};
use serde_json::json;

/// Later than any block made here.
const NOW: UnixSeconds = UnixSeconds(4_000_000_000);
/// Rounds of each measurement; the median is reported.
const ROUNDS: usize = 5;
/// Headers checked in one round: a day and some.
const HEADERS: usize = 2000;
/// Spends in a measured block.
const SPENDS: u32 = 4000;

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// Runs something and gives how many of it there were in a second.
fn rate(count: usize, work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    count as f64 / start.elapsed().as_secs_f64()
}

fn open(folder: &Path) -> Chain {
    let params = Params::of(Network::Regtest);
    let store = Store::open(&folder.join("index"), &params).expect("a new store");
    let magic = params.magic;
    let bodies = |end| BodyFile::open(&folder.join("blocks"), magic, end);
    Chain::open(params, store, bodies).expect("a new chain")
}

/// Headers per second on one core: work, difficulty, times, and their place in the tree.
fn verify() -> serde_json::Value {
    let mut maker = Maker::new();
    let headers: Vec<Header> = (0..HEADERS).map(|_| maker.block(vec![]).header).collect();
    let params = Params::of(Network::Regtest);
    let mut hasher = ScryptHasher::new();
    let mut round = || {
        let mut tree = HeaderTree::new(&params);
        rate(HEADERS, || {
            check_work(&mut hasher, &headers, params.pow_limit).expect("mined headers");
            for header in &headers {
                tree.insert(*header, NOW).expect("headers in order");
            }
        })
    };
    let rates = (0..ROUNDS).map(|_| round()).collect();
    json!({"headers_verified_per_s": median(rates).round()})
}

/// Transactions per second of blocks full of spends, with one signature each and without.
fn connect(folder: &Path) -> serde_json::Value {
    let mut figures = serde_json::Map::new();
    for (name, payee) in [
        ("block_connect_tx_per_s", Payee::Key),
        ("block_connect_nosig_tx_per_s", Payee::Anybody),
    ] {
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder).expect("a writable folder");
        let mut chain = open(&folder);
        let mut maker = Maker::new();
        for _ in 0..=100 {
            add(&mut chain, &maker.block(vec![]));
        }
        let rounds = u32::try_from(ROUNDS).expect("a few");
        let coins = maker.fan_out(1, SPENDS * rounds, payee);
        add(&mut chain, &maker.block(vec![coins.clone()]));
        let spends: Vec<Transaction> = (0..SPENDS * rounds)
            .map(|index| maker.spend(&coins, index, payee))
            .collect();
        let parts = spends.chunks(SPENDS as usize);
        let rates = parts.map(|part| {
            let block = maker.block(part.to_vec());
            rate(part.len(), || add(&mut chain, &block))
        });
        figures.insert(name.to_owned(), json!(median(rates.collect()).round()));
    }
    serde_json::Value::Object(figures)
}

fn add(chain: &mut Chain, block: &Block) {
    let added = chain.add_block(block, NOW).expect("a valid block");
    assert!(added.invalid.is_empty(), "{:?}", added.invalid);
}

#[expect(clippy::print_stdout, reason = "the result of a benchmark")]
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let named = arguments.iter().position(|argument| argument == "--dir");
    let named = named
        .and_then(|at| arguments.get(at + 1))
        .map(PathBuf::from);
    let kept = tempfile::tempdir().expect("a temporary folder");
    let folder = named.unwrap_or_else(|| kept.path().to_owned());
    let figures = match arguments.first().map(String::as_str) {
        Some("verify") => verify(),
        Some("connect") => connect(&folder),
        Some("utxo") => utxo::measure(&folder),
        Some("utxo-child") => utxo::child(&folder),
        Some("sync") => sync::measure(&folder),
        _ => panic!("name one of verify, connect, utxo, sync"),
    };
    println!("{figures}");
}
