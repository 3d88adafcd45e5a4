//! Every decoder against random bytes and against damaged good ones; `chain/fuzz` looks for worse.

use gio_chain::decoders::ALL;
use gio_chain::wire::{BlockTxnRequest, CompactBlock, Inventory, Message, encode};
use gio_coin::{BlockUndo, Coin, Network, Params, SpvProof, UtxoSet, connect_genesis};
use proptest::prelude::*;

use super::forge::{Forge, halve};

/// Good bytes of every kind: fuzzing begins where decoders say yes.
fn good() -> Vec<Vec<u8>> {
    let mut forge = Forge::new();
    let base = forge.grow(forge.genesis(), 2);
    let (point, units) = Forge::reward_of(&base[0]);
    let spend = halve(point, units);
    let block = forge.block(base[1].id(), vec![spend.clone()]);
    let mut coins = UtxoSet::new();
    let first = connect_genesis(&Params::of(Network::Regtest).genesis);
    coins.apply(first).expect("an empty set");
    let coin: Vec<Coin> = coins.iter().map(|(_, coin)| coin.clone()).collect();
    let proof = SpvProof::new(&block, 1).expect("there are two");
    let (id, positions) = (block.id(), vec![0, 1]);
    let request = BlockTxnRequest {
        block: id,
        positions,
    };
    let magic = forge.params.magic;
    let messages = [
        Message::Headers(vec![block.header; 3]),
        Message::Inv(vec![Inventory::Block(id), Inventory::CompactBlock(id)]),
        Message::CompactBlock(CompactBlock::new(&block, 9)),
        Message::GetBlockTxn(request),
    ];
    let mut all = vec![
        block.header.encode().to_vec(),
        spend.encode(),
        block.encode(),
        proof.encode(),
        BlockUndo {
            coins: coin.clone(),
        }
        .encode(),
        coin[0].encode(),
        [&block.header.encode()[..], &[1], &[7; 20]].concat(),
        b"giort1qw508d6qejxtdg4y5r3zarvary0c5xw7kxnfxx5".to_vec(),
        b"mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn".to_vec(),
        br#"[{"jsonrpc":"2.0","method":"getblock","params":{"blockhash":"00"},"id":1}]"#.to_vec(),
        vec![3, 0x51, 0x51, 0x93, 0x52, 0x87],
        vec![0x00, 0x63, 0x67, 0x68, 0xae, 0xac],
    ];
    for message in &messages {
        all.push(message.payload());
        all.push(encode(message, magic));
    }
    all
}

fn check_all(bytes: &[u8]) {
    for (_, check) in ALL {
        // Whether they are taken is up to the bytes.
        let _ = check(bytes);
    }
}

/// Damages good bytes: cut, repeated, overwritten.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..4u8);
    let changes = prop::collection::vec(change, 0..6);
    (prop::sample::select(good()), changes).prop_map(|(mut bytes, changes)| {
        for (at, value, kind) in changes {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = value,
                1 => bytes[at] ^= 1 << (value % 8),
                2 => bytes.truncate(at),
                _ => bytes.insert(at, value),
            }
        }
        bytes
    })
}

proptest! {
    #[test]
    fn no_decoder_panics_on_random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        check_all(&bytes);
    }

    #[test]
    fn no_decoder_panics_on_damaged_bytes(bytes in damaged()) {
        check_all(&bytes);
    }

    #[test]
    fn no_script_panics(bytes in prop::collection::vec(prop_oneof![
        any::<u8>(), 0x4c..=0xbau8, Just(0x51), Just(0x00)
    ], 0..200)) {
        let _ = gio_chain::decoders::script(&bytes);
    }

    #[test]
    fn no_text_panics_as_an_address(text in "(gio|tgio|giort|[13mn2])?1?[a-zA-Z0-9]{0,80}") {
        let _ = gio_chain::decoders::address(text.as_bytes());
    }

    #[test]
    fn no_json_panics_as_a_request(
        method in "[a-z]{0,20}", id in any::<i64>(), nested in 1..200usize, version in "[12][.]0"
    ) {
        let params = format!("{}{}", "[".repeat(nested), "]".repeat(nested));
        for params in [params, "{\"height\":1}".to_owned(), "null".to_owned()] {
            let body = format!(
                "{{\"jsonrpc\":\"{version}\",\"method\":\"{method}\",\"params\":{params},\"id\":{id}}}"
            );
            let one = gio_chain::decoders::rpc_request(body.as_bytes());
            let two = gio_chain::decoders::rpc_request(format!("[{body},{body}]").as_bytes());
            // Deeper nesting than the parser allows is no JSON to it.
            prop_assert!(nested > 100 || one && two);
        }
    }
}

/// Counts of which a short input cannot have as many: refused before memory is taken for them.
#[test]
fn huge_counts_take_no_memory() {
    for count in [
        &[0xfe, 0xff, 0xff, 0xff, 0x7f][..],
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
    ] {
        for lead in [0, 4, 5, 32, 36, 80, 88] {
            let bytes = [&vec![0; lead], count, &[1; 40]].concat();
            check_all(&bytes);
        }
    }
}

#[test]
fn every_decoder_takes_some_good_bytes() {
    let good = good();
    for (name, check) in ALL {
        let taken = good.iter().filter(|bytes| check(bytes)).count();
        assert!(taken > 0, "`{name}` takes nothing");
    }
}
