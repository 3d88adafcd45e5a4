//! Files of others, files in use, files that are damaged.

use std::fs;
use std::ops::Range;
use std::path::Path;

use gio_chain::{BodyFile, Chain, ChainError, Store, StoreError};
use gio_coin::{Network, Params};

use crate::disk::{Disk, Power};
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

/// What becomes of a chain whose index some bytes were overwritten of: the digest of its coins, and whether it finds
/// itself intact.
fn opened_with(forge: &Forge, folder: &Path, at: Range<usize>) -> Option<([u8; 32], bool)> {
    let index = folder.join("index");
    let intact = fs::read(&index).expect("a closed store");
    let mut bytes = intact.clone();
    bytes[at].iter_mut().for_each(|byte| *byte ^= 0xaa);
    fs::write(&index, bytes).expect("a writable folder");
    let opened = || {
        let store = Store::open(&index, &forge.params)?;
        let bodies = |end| BodyFile::open(&folder.join("blocks"), forge.params.magic, end);
        let mut chain = Chain::open(forge.params.clone(), store, bodies)?;
        Ok::<_, ChainError>((chain.coins_digest()?, chain.is_index_intact()?))
    };
    let outcome = opened().ok();
    fs::write(&index, intact).expect("a writable folder");
    outcome
}

#[test]
fn garbage_anywhere_in_the_store_is_found_and_never_a_panic() {
    const PAGE: usize = 4096;
    let mut forge = Forge::new();
    let (folder, mut chain) = forge.chain();
    let blocks = forge.grow(forge.genesis(), 60);
    for block in &blocks {
        chain.add_block(block, NOW).unwrap();
    }
    drop(chain);
    let coins = forge.coins_digest(blocks[59].id());
    let length = fs::read(folder.path().join("index")).unwrap().len();
    let mut found = 0;
    for from in (0..length).step_by(PAGE) {
        // A whole page, and a byte of it.
        for at in [from..from + PAGE, from + 2000..from + 2001] {
            match opened_with(&forge, folder.path(), at.clone()) {
                None | Some((_, false)) => found += 1,
                Some((digest, true)) => assert_eq!(digest, coins, "wrong coins after {at:?}"),
            }
        }
    }
    // Most pages of so young a store are free.
    assert!(found > 10, "{found} of {length} bytes' pages");
}

#[test]
fn a_full_disk_is_told_apart_from_a_damaged_one() {
    let forge = Forge::new();
    let power = Power::full_once_after(0);
    let error = Store::open_backend(Disk::with(vec![], &power), &forge.params).unwrap_err();
    assert!(ChainError::from(error).is_disk_full());
    let power = Power::for_operations(0);
    let error = Store::open_backend(Disk::with(vec![], &power), &forge.params).unwrap_err();
    assert!(!ChainError::from(error).is_disk_full());
    for (power, expected) in [
        (Power::full_once_after(0), true),
        (Power::for_operations(0), false),
    ] {
        let mut bodies = BodyFile::on(Box::new(Disk::with(vec![], &power)), *b"test", 0);
        let error = bodies.append(&forge.params.genesis.encode()).unwrap_err();
        assert_eq!(ChainError::from(error).is_disk_full(), expected);
    }
}
