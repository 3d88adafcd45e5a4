//! Codecs against the `bitcoin` crate, against garbage, and bit by bit.

use bitcoin::consensus::encode as oracle;
use proptest::prelude::*;

use super::*;
use crate::Block;
use crate::arbitrary::{block, header, transaction, without_links};

/// Garbage that has a chance to get far: small counts and markers are frequent.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![2 => Just(0u8), 2 => 1u8..4, 1 => any::<u8>()];
    proptest::collection::vec(byte, 0..300)
}

#[test]
fn the_seed_networks_coinbase_without_its_blob_byte_has_the_known_root() {
    let pubkey = "02941f81ab8779c7808aaadf83299a0999dc0990248194881fad82810fda981801\
                  dc0199fa93199af91941";
    let mut script_sig = vec![4, 0xff, 0xff, 0, 0x1d, 1, 4, 32];
    script_sig.extend_from_slice(b"GRAVIO - everything is connected");
    let mut script = vec![43];
    script.extend(hex::decode(pubkey.replace(' ', "")).unwrap());
    script.push(0xac);
    let coinbase = Transaction {
        version: 1,
        inputs: vec![TxIn {
            previous: OutPoint::NULL,
            script_sig: Script::new(script_sig),
            sequence: u32::MAX,
            witness: Witness::new(),
        }],
        outputs: vec![TxOut {
            value: Gio::from_whole(1000).unwrap(),
            script_pubkey: Script::new(script),
            link: Link::NONE,
        }],
        lock_time: 0,
    };
    let without_blob = "c43ff0e669bc3fa7d2fc130436f6e235b04c209ae6b62dea8b996caaa0c1cd2a";
    assert_eq!(coinbase.txid().to_string(), without_blob);
    // With the seed network's blob byte after the only output, its own root comes out.
    let mut bytes = coinbase.encode();
    bytes.insert(bytes.len() - 4, 0);
    let with_blob = "c2d6e4d7fa67f03c94d903099a0ce642f7f1d7a4443050f403eb54253b0afe41";
    let root = Txid::from_bytes(crate::hash::sha256d(&bytes));
    assert_eq!(root.to_string(), with_blob);
}

#[test]
fn sections_that_carry_nothing_are_refused() {
    let bare = hex::decode(
        "02000000\
         01aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa0000000000ffffffff\
         010a0000000000000000\
         00000000",
    )
    .unwrap();
    let mut smallest = Transaction::decode(&bare).unwrap();
    smallest.outputs.clear();
    let block = Block {
        header: crate::Header::decode(&[0; 80]).unwrap(),
        transactions: vec![smallest; 3],
    };
    assert_eq!(Block::decode(&block.encode()), Ok(block));
    let flagged = |flag: u8, section: &[u8]| {
        let mut bytes = bare.clone();
        bytes.splice(4..4, [0, flag]);
        let end = bytes.len() - 4;
        bytes.splice(end..end, section.iter().copied());
        Transaction::decode(&bytes)
    };
    assert_eq!(flagged(0, &[]), Err(DecodeError::NoInputs));
    assert_eq!(flagged(1, &[0]), Err(DecodeError::EmptyWitnesses));
    assert_eq!(flagged(2, &[0]), Err(DecodeError::EmptyLinks));
    assert_eq!(flagged(3, &[1, 65, 0]), Err(DecodeError::EmptyWitnesses));
    assert_eq!(flagged(4, &[]), Err(DecodeError::UnknownFlag(4)));
    assert!(flagged(1, &[1, 0]).is_ok());
    assert!(flagged(2, &[1, 65]).is_ok());
    let both = flagged(3, &[1, 65, 1, 0]).unwrap();
    assert_eq!(both.outputs[0].link.as_bytes(), b"A");
    let mut long = vec![0xfd, 1, 1];
    long.extend([65; 257]);
    let too_large = DecodeError::TooLarge {
        what: "link",
        length: 257,
        max: 256,
    };
    assert_eq!(flagged(2, &long), Err(too_large));
}

proptest! {
    #[test]
    fn transactions_round_trip(transaction in transaction()) {
        let bytes = transaction.encode();
        prop_assert_eq!(bytes.len(), transaction.encoded_len());
        prop_assert_eq!(Transaction::decode(&bytes), Ok(transaction));
    }

    #[test]
    fn a_transaction_without_links_has_bitcoins_bytes_and_ids(transaction in transaction()) {
        let ours = without_links(transaction);
        let theirs: bitcoin::Transaction = oracle::deserialize(&ours.encode()).unwrap();
        prop_assert_eq!(oracle::serialize(&theirs), ours.encode());
        prop_assert_eq!(theirs.compute_txid().to_string(), ours.txid().to_string());
        prop_assert_eq!(theirs.compute_wtxid().to_string(), ours.wtxid().to_string());
    }

    #[test]
    fn every_link_bit_is_in_both_ids(transaction in transaction(), at: usize, bit in 0..8) {
        let linked: Vec<usize> = (0..transaction.outputs.len())
            .filter(|i| !transaction.outputs[*i].link.is_empty())
            .collect();
        prop_assume!(!linked.is_empty());
        let output = linked[at % linked.len()];
        let mut link = transaction.outputs[output].link.as_bytes().to_vec();
        let place = at % link.len();
        link[place] ^= 1u8 << bit;
        let mut changed = transaction.clone();
        changed.outputs[output].link = Link::new(link).unwrap();
        prop_assert_ne!(changed.txid(), transaction.txid());
        prop_assert_ne!(changed.wtxid(), transaction.wtxid());
        prop_assert_ne!(without_links(transaction.clone()).txid(), transaction.txid());
    }

    #[test]
    fn garbage_never_panics_and_what_decodes_is_canonical(bytes in garbage()) {
        if let Ok(transaction) = Transaction::decode(&bytes) {
            prop_assert_eq!(transaction.encode(), bytes.clone());
        }
        if let Ok(block) = Block::decode(&bytes) {
            prop_assert_eq!(block.encode(), bytes);
        }
    }

    #[test]
    fn a_damaged_encoding_is_another_transaction_or_none(
        transaction in transaction(), at: usize, bit in 0..8
    ) {
        let mut bytes = transaction.encode();
        let place = at % bytes.len();
        bytes[place] ^= 1u8 << bit;
        if let Ok(other) = Transaction::decode(&bytes) {
            prop_assert_ne!(other.wtxid(), transaction.wtxid());
            prop_assert_eq!(other.encode(), bytes);
        }
    }

    #[test]
    fn every_prefix_is_refused(transaction in transaction(), at: usize) {
        let bytes = transaction.encode();
        let cut = at % bytes.len();
        prop_assert!(Transaction::decode(&bytes[..cut]).is_err());
    }

    #[test]
    fn headers_round_trip_and_have_bitcoins_ids(header in header()) {
        let bytes = header.encode();
        let theirs: bitcoin::block::Header = oracle::deserialize(&bytes).unwrap();
        prop_assert_eq!(theirs.block_hash().to_string(), header.id().to_string());
        prop_assert_eq!(crate::Header::decode(&bytes), Ok(header));
        prop_assert!(crate::Header::decode(&bytes[..79]).is_err());
    }

    #[test]
    fn blocks_round_trip(block in block()) {
        let bytes = block.encode();
        prop_assert_eq!(bytes.len(), block.encoded_len());
        prop_assert_eq!(Block::decode(&bytes), Ok(block));
    }
}
