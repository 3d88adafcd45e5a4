//! Random values for property tests.

use gio_protocol::Gio;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::{
    Block, BlockHash, CompactTarget, Header, Link, MerkleRoot, OutPoint, Script, Transaction, TxIn,
    TxOut, Txid,
};

fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..max)
}

pub(crate) fn link() -> impl Strategy<Value = Link> {
    prop_oneof![
        3 => Just(Link::NONE),
        1 => vec(any::<u8>(), 1..=256).prop_map(|link| Link::new(link).unwrap()),
    ]
}

pub(crate) fn input() -> impl Strategy<Value = TxIn> {
    let witness = prop_oneof![Just(Vec::new()), vec(bytes(40), 0..4)];
    (
        any::<[u8; 32]>(),
        any::<u32>(),
        bytes(120),
        any::<u32>(),
        witness,
    )
        .prop_map(|(txid, index, script_sig, sequence, witness)| TxIn {
            previous: OutPoint {
                txid: Txid::from_bytes(txid),
                index,
            },
            script_sig: Script::new(script_sig),
            sequence,
            witness,
        })
}

pub(crate) fn output() -> impl Strategy<Value = TxOut> {
    (any::<u64>(), bytes(80), link()).prop_map(|(value, script, link)| TxOut {
        value: Gio::from_units(value),
        script_pubkey: Script::new(script),
        link,
    })
}

pub(crate) fn transaction() -> impl Strategy<Value = Transaction> {
    let (inputs, outputs) = (vec(input(), 1..6), vec(output(), 0..6));
    (any::<u32>(), inputs, outputs, any::<u32>()).prop_map(
        |(version, inputs, outputs, lock_time)| Transaction {
            version,
            inputs,
            outputs,
            lock_time,
        },
    )
}

pub(crate) fn header() -> impl Strategy<Value = Header> {
    any::<([u8; 32], [u8; 32], [u32; 4])>().prop_map(|(previous, root, rest)| Header {
        version: rest[0],
        previous: BlockHash::from_bytes(previous),
        merkle_root: MerkleRoot::from_bytes(root),
        time: rest[1],
        bits: CompactTarget(rest[2]),
        nonce: rest[3],
    })
}

pub(crate) fn block() -> impl Strategy<Value = Block> {
    (header(), vec(transaction(), 0..4)).prop_map(|(header, transactions)| Block {
        header,
        transactions,
    })
}

/// The same transaction as other software knows it: without links.
pub(crate) fn without_links(mut transaction: Transaction) -> Transaction {
    for output in &mut transaction.outputs {
        output.link = Link::NONE;
    }
    transaction
}
