//! The known attacks on transaction proofs, one by one.

use gio_protocol::Gio;
use proptest::prelude::*;

use super::*;
use crate::arbitrary::transaction;
use crate::mining::{assemble, coinbase};
use crate::{BlockHash, CompactTarget, Link, OutPoint, Script, TxIn, TxOut, Witness};

fn pay(script_pubkey: Script) -> TxOut {
    TxOut {
        value: Gio::from_units(1),
        script_pubkey,
        link: Link::NONE,
    }
}

fn block(others: usize) -> Block {
    let first = coinbase(7, b"spv", vec![pay(Script::new([0x51; 20]))]);
    let other = |n: usize| Transaction {
        version: 2,
        inputs: vec![TxIn {
            previous: OutPoint {
                txid: Txid::from_bytes(crate::sha256(&n.to_le_bytes())),
                index: 0,
            },
            script_sig: Script::default(),
            sequence: 0,
            witness: vec![vec![7; 3]],
        }],
        outputs: vec![TxOut {
            link: Link::new(*b"gio:deal/1").unwrap(),
            ..pay(Script::new([0x51; 22]))
        }],
        lock_time: 0,
    };
    let others = (0..others).map(other).collect();
    assemble(BlockHash::default(), 0, CompactTarget(0), first, others).unwrap()
}

#[test]
fn every_transaction_of_every_block_is_proven() {
    for others in 0..40 {
        let block = block(others);
        for (index, txid) in block.txids().into_iter().enumerate() {
            let proof = SpvProof::new(&block, index).unwrap();
            assert_eq!(proof.verify(block.header.merkle_root), Ok(txid));
            assert!(!proof.transaction.has_witnesses());
            assert_eq!(SpvProof::decode(&proof.encode()), Ok(proof));
        }
        assert_eq!(SpvProof::new(&block, others + 1), None);
    }
}

#[test]
fn t2_a_repeated_position_proves_nothing() {
    // Three transactions: the fourth place repeats the third, with a path that fits.
    let block = block(2);
    let mut proof = SpvProof::new(&block, 2).unwrap();
    proof.index = 3;
    let error = proof.verify(block.header.merkle_root).unwrap_err();
    assert_eq!(error, SpvError::RepeatedPosition(3));
}

#[test]
fn t3_a_position_beyond_the_depth_proves_nothing() {
    let block = block(3);
    let mut proof = SpvProof::new(&block, 1).unwrap();
    proof.index = 1 + 4;
    let error = proof.verify(block.header.merkle_root).unwrap_err();
    assert_eq!(error, SpvError::NoSuchPosition { index: 5, depth: 2 });
    proof.path = vec![MerkleRoot::default(); 17];
    proof.coinbase_path = proof.path.clone();
    let error = proof.verify(block.header.merkle_root).unwrap_err();
    assert_eq!(
        error,
        SpvError::NoSuchPosition {
            index: 5,
            depth: 17
        }
    );
}

#[test]
fn t4_another_depth_than_the_coinbases_proves_nothing() {
    let block = block(3);
    let mut proof = SpvProof::new(&block, 1).unwrap();
    proof.path.pop();
    let error = proof.verify(block.header.merkle_root).unwrap_err();
    let (transaction, coinbase) = (1, 2);
    assert_eq!(
        error,
        SpvError::DifferentDepths {
            transaction,
            coinbase
        }
    );
}

#[test]
fn t1_an_inner_node_is_no_transaction() {
    // A transaction of 64 bytes, read as an inner node, would prove one "below" it.
    let mut inner = block(1).transactions.remove(1);
    inner.inputs[0].witness = Witness::new();
    inner.outputs[0] = pay(Script::new([0x51; 4]));
    assert_eq!(inner.txid_preimage_len(), 64);
    let first = coinbase(7, b"spv", vec![pay(Script::new([0x51; 20]))]);
    let header = CompactTarget(0);
    let block = assemble(BlockHash::default(), 0, header, first, vec![inner.clone()]).unwrap();
    let proof = SpvProof::new(&block, 1).unwrap();
    let error = proof.verify(block.header.merkle_root).unwrap_err();
    assert_eq!(error, SpvError::SixtyFourBytes);
    // Below it: the path is one longer than the coinbase's, whatever stands there.
    let mut below = proof;
    let half: [u8; 32] = inner.encode()[32..].try_into().unwrap();
    below.path.insert(0, MerkleRoot::from_bytes(half));
    below.index = 2;
    let error = below.verify(block.header.merkle_root).unwrap_err();
    assert!(matches!(error, SpvError::DifferentDepths { .. }));
}

#[test]
fn only_the_true_root_and_the_true_coinbase_will_do() {
    let block = block(5);
    let good = SpvProof::new(&block, 3).unwrap();
    let error = good.verify(MerkleRoot::default()).unwrap_err();
    assert_eq!(error, SpvError::WrongCoinbaseRoot);
    let mut no_coinbase = good.clone();
    no_coinbase.coinbase = good.transaction.clone();
    let error = no_coinbase.verify(block.header.merkle_root).unwrap_err();
    assert_eq!(error, SpvError::NoCoinbase);
    let mut other_link = good.clone();
    other_link.transaction.outputs[0].link = Link::new(*b"gio:deal/2").unwrap();
    let error = other_link.verify(block.header.merkle_root).unwrap_err();
    assert_eq!(error, SpvError::WrongRoot);
    let mut other_place = good;
    other_place.index = 2;
    let error = other_place.verify(block.header.merkle_root).unwrap_err();
    assert_eq!(error, SpvError::WrongRoot);
}

proptest! {
    #[test]
    fn garbage_is_refused_or_canonical(
        bytes in proptest::collection::vec(0u8..3, 0..250), transaction in transaction()
    ) {
        if let Ok(proof) = SpvProof::decode(&bytes) {
            prop_assert_eq!(proof.encode(), bytes);
        }
        let proof = SpvProof {
            index: 0,
            transaction: transaction.clone(),
            path: vec![MerkleRoot::default(); 3],
            coinbase: transaction,
            coinbase_path: vec![MerkleRoot::default(); 3],
        };
        prop_assert_eq!(SpvProof::decode(&proof.encode()), Ok(proof));
    }
}
