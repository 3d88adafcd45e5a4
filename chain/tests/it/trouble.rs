//! Files of others, files in use, files that are damaged.

use std::fs;

use gio_chain::{BodyFile, Chain, Store, StoreError};
use gio_coin::{Network, Params};

use crate::forge::{Forge, NOW};

#[test]
fn a_store_of_another_network_is_refused() {
    let forge = Forge::new();
    let (folder, chain) = forge.chain();
    drop(chain);
    let test = Params::of(Network::Test);
    let error = Store::open(&folder.path().join("index"), &test).unwrap_err();
    assert!(
        matches!(error, StoreError::OtherNetwork { .. }),
        "{error:?}"
    );
}

#[test]
fn a_second_node_on_the_folder_is_refused() {
    let forge = Forge::new();
    let (folder, _chain) = forge.chain();
    let error = Store::open(&folder.path().join("index"), &forge.params).unwrap_err();
    assert!(matches!(error, StoreError::InUse), "{error:?}");
}

#[test]
fn a_damaged_store_is_an_error_that_reindexing_heals() {
    let mut forge = Forge::new();
    let (folder, mut chain) = forge.chain();
    let short = forge.grow(forge.genesis(), 3);
    let long = forge.grow(short[0].id(), 30);
    for block in short.iter().chain(&long) {
        chain.add_block(block, NOW).unwrap();
    }
    drop(chain);
    let index = folder.path().join("index");
    let mut bytes = fs::read(&index).unwrap();
    bytes[..64].fill(0xaa);
    fs::write(&index, bytes).unwrap();
    let error = Store::open(&index, &forge.params).unwrap_err();
    assert!(error.to_string().contains("--reindex"), "{error}");

    fs::remove_file(&index).unwrap();
    let store = Store::open(&index, &forge.params).unwrap();
    let magic = forge.params.magic;
    let bodies = BodyFile::open(&folder.path().join("blocks"), magic, 0).unwrap();
    let chain = Chain::reindex(forge.params.clone(), store, bodies).unwrap();
    forge.assert_at(&chain, long[29].id());
    drop(chain);
    let chain = forge.open(folder.path());
    forge.assert_at(&chain, long[29].id());
}

#[test]
fn a_restart_changes_nothing() {
    let mut forge = Forge::new();
    let (folder, mut chain) = forge.chain();
    let one = forge.grow(forge.genesis(), 2);
    let other = forge.grow(forge.genesis(), 2);
    for block in one.iter().chain(&other) {
        chain.add_block(block, NOW).unwrap();
    }
    assert_eq!(chain.tip(), one[1].id());
    drop(chain);
    let mut chain = forge.open(folder.path());
    forge.assert_at(&chain, one[1].id());
    let more = forge.grow(other[1].id(), 1);
    chain.add_block(&more[0], NOW).unwrap();
    forge.assert_at(&chain, more[0].id());
}
