//! Searches the nonces of the first blocks: needed once, when a launch replaces what
//! `docs/coin.md` lists. `cargo run --release --example mine_genesis`.

use gio_coin::{Network, Params, mine};

#[expect(clippy::print_stdout, reason = "the result of a search")]
fn main() {
    for network in [Network::Main, Network::Test, Network::Regtest] {
        let header = Params::of(network).genesis.header;
        match mine(header, 0..=u32::MAX) {
            Some(mined) => println!(
                "{}: nonce {} id {}",
                network.name(),
                mined.nonce,
                mined.id()
            ),
            None => println!("{}: no nonce is good, change the time", network.name()),
        }
    }
}
