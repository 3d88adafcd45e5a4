//! Every decoder of bytes that others wrote, with what must hold of it: no panic, no more memory than the input is
//! worth, and one encoding for one value.
//!
//! Fuzzers (`chain/fuzz`) and property tests (`chain/tests/it/decoders.rs`) call these with whatever they like.

use gio_coin::{
    Block, BlockUndo, Coin, Header, Link, Network, OutPoint, Params, Script, SpvProof, Strictness,
    Transaction, TxIn, TxOut, Txid, check_block, check_transaction, verify_transaction,
};
use gio_protocol::Gio;

use crate::address::script_of;
use crate::rpc;
use crate::store::StoredHeader;
use crate::wire::{Frame, FrameHead, HEAD_BYTES, Message, encode};

/// A decoder's name and its check, which says whether the bytes were taken.
pub type Decoder = (&'static str, fn(&[u8]) -> bool);

/// All of them.
pub const ALL: [Decoder; 12] = [
    ("header", header),
    ("transaction", transaction),
    ("block", block),
    ("message", message),
    ("compact", compact),
    ("script", script),
    ("link", link),
    ("address", address),
    ("stored_header", stored_header),
    ("stored_coins", stored_coins),
    ("proof", proof),
    ("rpc_request", rpc_request),
];

/// A block's header.
#[must_use]
pub fn header(bytes: &[u8]) -> bool {
    let Ok(header) = Header::decode(bytes) else {
        return false;
    };
    assert_eq!(&header.encode()[..], bytes);
    // Whatever the bits are, they stand for a target or for none.
    let _ = header.bits.expand().map(|target| target.work());
    true
}

/// A transaction, links and witnesses included.
#[must_use]
pub fn transaction(bytes: &[u8]) -> bool {
    let Ok(transaction) = Transaction::decode(bytes) else {
        return false;
    };
    assert_eq!(transaction.encode(), bytes);
    assert_eq!(transaction.encoded_len(), bytes.len());
    let (_, _) = (transaction.txid(), transaction.wtxid());
    let _ = check_transaction(&transaction);
    true
}

/// A block.
#[must_use]
pub fn block(bytes: &[u8]) -> bool {
    let Ok(block) = Block::decode(bytes) else {
        return false;
    };
    assert_eq!(block.encode(), bytes);
    let _ = check_block(&block);
    let proofs = (0..3).filter_map(|at| SpvProof::new(&block, at));
    proofs.for_each(|proof| {
        let again = SpvProof::decode(&proof.encode());
        assert_eq!(again.as_ref(), Ok(&proof));
    });
    true
}

/// A message in its envelope, and its payload under every name.
#[must_use]
pub fn message(bytes: &[u8]) -> bool {
    let names = [
        "version",
        "verack",
        "ping",
        "pong",
        "getheaders",
        "headers",
        "inv",
        "getdata",
        "notfound",
        "tx",
        "sendcmpct",
        "getaddr",
        "addr",
    ];
    for name in names {
        // A payload alone is no message.
        let _ = payload(name, bytes);
    }
    let magic = Params::of(Network::Regtest).magic;
    let Some((head, payload)) = bytes.split_first_chunk::<HEAD_BYTES>() else {
        return false;
    };
    let head = FrameHead::decode(head, magic);
    match head.and_then(|head| head.message(payload)) {
        Ok(Frame::Known(message)) => {
            assert_eq!(encode(&message, magic).len(), bytes.len());
            true
        }
        Ok(Frame::Unknown(_)) | Err(_) => false,
    }
}

/// The messages of blocks without what the receiver has.
#[must_use]
pub fn compact(bytes: &[u8]) -> bool {
    let names = ["cmpctblock", "getblocktxn", "blocktxn"];
    let taken = names.map(|name| payload(name, bytes));
    taken.contains(&true)
}

fn payload(name: &str, bytes: &[u8]) -> bool {
    let Some(Ok(message)) = Message::decode(name, bytes) else {
        return false;
    };
    assert_eq!(message.name(), name);
    let again = Message::decode(name, &message.payload());
    assert_eq!(again, Some(Ok(message)));
    true
}

/// An input's script and an output's script, run against each other under both sets of rules.
#[must_use]
pub fn script(bytes: &[u8]) -> bool {
    let middle = bytes.first().map_or(0, |first| usize::from(*first));
    let rest = bytes.get(1..).unwrap_or_default();
    let (first, second) = rest.split_at(middle.min(rest.len()));
    let witness: Vec<Vec<u8>> = first.chunks(40).map(<[u8]>::to_vec).collect();
    let coin = Coin {
        value: Gio::from_units(1),
        script_pubkey: Script::new(second),
        link: None,
        height: 1,
        is_coinbase: false,
    };
    let mut taken = false;
    for (script_sig, witness) in [(first, vec![]), (&[][..], witness)] {
        let spending = spending(script_sig, witness);
        let run = |strictness| {
            verify_transaction(&spending, std::slice::from_ref(&coin), strictness).is_ok()
        };
        let (relayed, valid) = (run(Strictness::Relay), run(Strictness::Consensus));
        assert!(valid || !relayed, "relayed, but no block may contain it");
        taken |= valid;
    }
    taken
}

fn spending(script_sig: &[u8], witness: Vec<Vec<u8>>) -> Transaction {
    Transaction {
        version: 2,
        inputs: vec![TxIn {
            previous: OutPoint {
                txid: Txid::default(),
                index: 0,
            },
            script_sig: Script::new(script_sig),
            sequence: 0,
            witness,
        }],
        outputs: vec![],
        lock_time: 0,
    }
}

/// A link, alone and on its way with an output.
#[must_use]
pub fn link(bytes: &[u8]) -> bool {
    let Ok(link) = Link::new(bytes) else {
        assert!(bytes.len() > gio_coin::MAX_LINK_BYTES);
        return false;
    };
    assert_eq!(link.as_bytes(), bytes);
    let mut carrier = Params::of(Network::Regtest).genesis.transactions[0].clone();
    carrier.outputs.push(TxOut {
        value: Gio::ZERO,
        script_pubkey: Script::default(),
        link,
    });
    let decoded = Transaction::decode(&carrier.encode());
    assert_eq!(decoded.as_ref(), Ok(&carrier));
    true
}

/// An address as people write it, on every network.
#[must_use]
pub fn address(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let networks = [Network::Main, Network::Test, Network::Regtest];
    let taken = networks.map(|network| script_of(text, &Params::of(network).prefixes).is_ok());
    taken.contains(&true)
}

/// A header as the store keeps it.
#[must_use]
pub fn stored_header(bytes: &[u8]) -> bool {
    let Ok(stored) = StoredHeader::decode(7, bytes) else {
        return false;
    };
    let again = StoredHeader::decode(7, &stored.encode());
    assert_eq!(again.ok(), Some(stored));
    true
}

/// A coin, and what undoes a block, as the store keeps them.
#[must_use]
pub fn stored_coins(bytes: &[u8]) -> bool {
    let coin = Coin::decode(bytes);
    if let Ok(coin) = &coin {
        assert_eq!(coin.encode(), bytes);
    }
    let undo = BlockUndo::decode(bytes);
    if let Ok(undo) = &undo {
        assert_eq!(undo.encode(), bytes);
    }
    coin.is_ok() || undo.is_ok()
}

/// A proof that a transaction is in a block.
#[must_use]
pub fn proof(bytes: &[u8]) -> bool {
    let Ok(proof) = SpvProof::decode(bytes) else {
        return false;
    };
    assert_eq!(proof.encode(), bytes);
    let _ = proof.verify(gio_coin::MerkleRoot::default());
    true
}

/// The body of a JSON-RPC request.
#[must_use]
pub fn rpc_request(bytes: &[u8]) -> bool {
    rpc::is_request(bytes)
}
