//! Signatures and links, contracts the market needs, and what relay refuses. Bitcoin's own
//! rules are compared with its consensus library in `tests/it`.

use bitcoin::hashes::Hash;
use bitcoin::sighash as oracle;
use gio_protocol::Gio;
use proptest::prelude::*;
use secp256k1::{Keypair, Message, SECP256K1, SecretKey};

use super::super::opcode::*;
use super::super::sighash::*;
use super::*;
use crate::arbitrary::{transaction, without_links};
use crate::hash::hash160;
use crate::{Link, OutPoint, TxOut, Txid, Witness};

fn keypair(seed: u8) -> Keypair {
    Keypair::from_secret_key(SECP256K1, &SecretKey::from_slice(&[seed; 32]).unwrap())
}

fn ecdsa(seed: u8, hash: [u8; 32], hash_type: u8) -> Vec<u8> {
    let message = Message::from_digest(hash);
    let signature = SECP256K1.sign_ecdsa(&message, &keypair(seed).secret_key());
    [&signature.serialize_der()[..], &[hash_type]].concat()
}

fn coin(script_pubkey: Script) -> Coin {
    Coin {
        value: Gio::from_units(5_000_000_000),
        script_pubkey,
        link: None,
        height: 1,
        is_coinbase: false,
    }
}

fn output(link: &[u8]) -> TxOut {
    TxOut {
        value: Gio::from_units(1000),
        script_pubkey: Script::pay_to_pubkey_hash(&[9; 20]),
        link: Link::new(link).unwrap(),
    }
}

fn unsigned(links: [&[u8]; 2]) -> Transaction {
    Transaction {
        version: 2,
        inputs: vec![TxIn {
            previous: OutPoint {
                txid: Txid::from_bytes([3; 32]),
                index: 1,
            },
            script_sig: Script::default(),
            sequence: 0,
            witness: Witness::new(),
        }],
        outputs: links.map(output).to_vec(),
        lock_time: 0,
    }
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Legacy,
    Witness,
    Taproot,
}

const KINDS: [Kind; 3] = [Kind::Legacy, Kind::Witness, Kind::Taproot];

/// The coin of a kind and the transaction with its signature.
fn signed(kind: Kind, mut transaction: Transaction, hash_type: u8) -> (Coin, Transaction) {
    let key = keypair(1).public_key().serialize();
    let hash = hash160(&key);
    let code = Script::pay_to_pubkey_hash(&hash);
    let coin = coin(match kind {
        Kind::Legacy => code.clone(),
        Kind::Witness => Script::pay_to_witness_pubkey_hash(&hash),
        Kind::Taproot => Script::pay_to_taproot(&keypair(1).x_only_public_key().0.serialize()),
    });
    let coins = [coin];
    let hashes = SignatureHashes::new(&transaction, &coins);
    match kind {
        Kind::Legacy => {
            let signature = ecdsa(1, hashes.legacy(0, code.as_bytes(), hash_type), hash_type);
            let script = ScriptBuilder::new().push(&signature).push(&key);
            transaction.inputs[0].script_sig = script.build();
        }
        Kind::Witness => {
            let hash = hashes.witness_v0(0, code.as_bytes(), hash_type);
            transaction.inputs[0].witness = vec![ecdsa(1, hash, hash_type), key.to_vec()];
        }
        Kind::Taproot => {
            let hash = hashes.taproot(0, hash_type, TaprootExtra::default());
            let message = Message::from_digest(hash.unwrap());
            let signature = SECP256K1.sign_schnorr_no_aux_rand(&message, &keypair(1));
            transaction.inputs[0].witness =
                vec![[&signature.serialize()[..], &[hash_type]].concat()];
        }
    }
    let [coin] = coins;
    (coin, transaction)
}

fn holds(coin: &Coin, transaction: &Transaction) -> bool {
    let coins = std::slice::from_ref(coin);
    verify_transaction(transaction, coins, Strictness::Relay).is_ok()
}

#[test]
fn flipping_any_link_bit_breaks_the_signature() {
    for kind in KINDS {
        let (coin, good) = signed(kind, unsigned([b"gio:deal/1", b"x"]), SIGHASH_ALL);
        assert!(holds(&coin, &good), "{kind:?}");
        for output in 0..2 {
            let link = good.outputs[output].link.as_bytes().to_vec();
            for bit in 0..link.len() * 8 {
                let mut flipped = link.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                let mut bad = good.clone();
                bad.outputs[output].link = Link::new(flipped).unwrap();
                assert!(!holds(&coin, &bad), "{kind:?} {output} {bit}");
            }
        }
    }
}

#[test]
fn links_can_neither_be_added_nor_removed_nor_moved() {
    let forms: [[&[u8]; 2]; 5] = [
        [b"", b""],
        [b"a", b""],
        [b"", b"a"],
        [b"a", b"a"],
        [b"aa", b""],
    ];
    for kind in KINDS {
        for (at, links) in forms.iter().enumerate() {
            let (coin, good) = signed(kind, unsigned(*links), SIGHASH_ALL);
            for (other, links) in forms.iter().enumerate() {
                let mut changed = good.clone();
                changed.outputs = unsigned(*links).outputs;
                assert_eq!(holds(&coin, &changed), at == other, "{kind:?} {at} {other}");
            }
        }
    }
}

/// A link that reads like an output must not let a signature count for a transaction that
/// has that output instead.
#[test]
fn a_link_cannot_turn_into_an_output() {
    for kind in KINDS {
        // Length 11, then the rest of a value of 11 and seven zeros, and a script of 3 bytes.
        let link = [0, 0, 0, 0, 0, 0, 0, 3, 0x51, 0x51, 0x51];
        let mut with_link = unsigned([b"", b""]);
        with_link.outputs.pop();
        with_link.outputs[0].link = Link::new(link).unwrap();
        let mut with_output = with_link.clone();
        with_output.outputs[0].link = Link::NONE;
        with_output.outputs.push(TxOut {
            value: Gio::from_units(11),
            script_pubkey: Script::new([0x51; 3]),
            link: Link::NONE,
        });
        for (from, to) in [(&with_link, &with_output), (&with_output, &with_link)] {
            let (coin, good) = signed(kind, from.clone(), SIGHASH_ALL);
            let mut forged = good;
            forged.outputs = to.outputs.clone();
            assert!(!holds(&coin, &forged), "{kind:?}");
        }
    }
}

#[test]
fn a_hash_type_covers_the_links_of_the_outputs_it_covers() {
    for kind in KINDS {
        for (hash_type, own, other) in [
            (SIGHASH_ALL, true, true),
            (SIGHASH_SINGLE, true, false),
            (SIGHASH_NONE, false, false),
            (SIGHASH_ALL | SIGHASH_ANYONE, true, true),
            (SIGHASH_SINGLE | SIGHASH_ANYONE, true, false),
        ] {
            let (coin, good) = signed(kind, unsigned([b"mine", b"theirs"]), hash_type);
            assert!(holds(&coin, &good), "{kind:?} {hash_type}");
            for (output, covered) in [(0, own), (1, other)] {
                for link in [&b"another"[..], b""] {
                    let mut changed = good.clone();
                    changed.outputs[output].link = Link::new(link).unwrap();
                    assert_eq!(
                        holds(&coin, &changed),
                        !covered,
                        "{kind:?} {hash_type} {output}"
                    );
                }
            }
        }
    }
}

/// Computed by a second program from the words of `docs/coin.md`.
#[test]
fn what_signatures_sign_with_links_is_fixed() {
    let transaction = unsigned([b"gio:deal/1", b"x"]);
    let txid = "11ae24db06b82e1d9596392fe19fd30423fdabfcfea8361907c8c61f212b65ef";
    assert_eq!(transaction.txid().to_string(), txid);
    let code = Script::pay_to_pubkey_hash(&[7; 20]);
    let coins = [coin(code.clone())];
    let hashes = SignatureHashes::new(&transaction, &coins);
    let legacy = [
        (
            SIGHASH_ALL,
            "e11b4c27034df48710058e9173752230554a5b2396fb9394e6b5cfb79f7aa135",
        ),
        (
            SIGHASH_SINGLE,
            "1ea214395fc59a511d87f266f2dd5a440acf8403404d8f30aefa4d81bfac052e",
        ),
    ];
    for (hash_type, expected) in legacy {
        let hash = hashes.legacy(0, code.as_bytes(), hash_type);
        assert_eq!(hex::encode(hash), expected);
    }
    let witness = [
        (
            SIGHASH_ALL,
            "6d541f26a6e7409bb289d03bde8a343e87f663e5a1edab83111ee6973df6db60",
        ),
        (
            SIGHASH_SINGLE,
            "2673798a85d67b5a1b4bfaf489d0490abf1ae758e70898f7b17ff75a92b31f10",
        ),
    ];
    for (hash_type, expected) in witness {
        let hash = hashes.witness_v0(0, code.as_bytes(), hash_type);
        assert_eq!(hex::encode(hash), expected);
    }
    let taproot = [
        (
            SIGHASH_DEFAULT,
            "a7030e57dffc7412de93b04fe49d37162360b787428c1b9393dffea6f062d215",
        ),
        (
            SIGHASH_ALL,
            "f11e130f21918f8d0a5307471dd85cd3ef6b2797b98ab5331cc260222a3734f7",
        ),
        (
            SIGHASH_SINGLE,
            "ae426ac109bc6a7540674fdce5c795fbdab87e3efd06afab13dfd482fa00045b",
        ),
    ];
    for (hash_type, expected) in taproot {
        let hash = hashes.taproot(0, hash_type, TaprootExtra::default());
        assert_eq!(hash.map(hex::encode).as_deref(), Some(expected));
    }
}

/// The hash-locked contract of the bridge's fast path.
#[test]
fn a_hash_time_lock_opens_by_secret_or_after_its_height() {
    let [claim, refund] = [1, 2].map(|seed| keypair(seed).public_key().serialize());
    let secret = [5; 32];
    let script = ScriptBuilder::new()
        .op(OP_IF)
        .op(OP_SHA256)
        .push(&sha256(&secret))
        .op(OP_EQUALVERIFY)
        .push(&claim)
        .op(OP_ELSE)
        .number(1000)
        .op(OP_CHECKLOCKTIMEVERIFY)
        .op(OP_DROP)
        .push(&refund)
        .op(OP_ENDIF)
        .op(OP_CHECKSIG)
        .build();
    let coin = coin(Script::pay_to_witness_script_hash(&script));
    let spend = |seed: u8, lock_time: u32, rest: &[&[u8]]| {
        let mut transaction = unsigned([b"", b""]);
        transaction.lock_time = lock_time;
        let coins = [coin.clone()];
        let hashes = SignatureHashes::new(&transaction, &coins);
        let hash = hashes.witness_v0(0, script.as_bytes(), SIGHASH_ALL);
        let mut witness = vec![ecdsa(seed, hash, SIGHASH_ALL)];
        witness.extend(rest.iter().map(|item| item.to_vec()));
        witness.push(script.as_bytes().to_vec());
        transaction.inputs[0].witness = witness;
        verify_transaction(&transaction, &coins, Strictness::Relay).map_err(|error| error.source)
    };
    assert_eq!(spend(1, 0, &[&secret, &[1]]), Ok(()));
    assert_eq!(spend(2, 1000, &[&[]]), Ok(()));
    assert_eq!(spend(2, 999, &[&[]]), Err(ScriptError::LockTimeNotReached));
    assert_eq!(
        spend(1, 0, &[&[6; 32], &[1]]),
        Err(ScriptError::VerifyFailed)
    );
    assert_eq!(
        spend(2, 0, &[&secret, &[1]]),
        Err(ScriptError::FailedSignatureNotEmpty)
    );
}

#[test]
fn relay_refuses_what_others_could_alter() {
    let consensus = |coin: &Coin, transaction: &Transaction| {
        verify_transaction(
            transaction,
            std::slice::from_ref(coin),
            Strictness::Consensus,
        )
    };
    let relay = |coin: &Coin, transaction: &Transaction| {
        let coins = std::slice::from_ref(coin);
        verify_transaction(transaction, coins, Strictness::Relay).map_err(|error| error.source)
    };
    let cases: [(Script, Script, ScriptError); 5] = [
        (
            Script::new([OP_1]),
            Script::new([OP_NOP]),
            ScriptError::InputNotPushOnly,
        ),
        (
            Script::new([OP_1]),
            Script::new([OP_1]),
            ScriptError::StackNotClean,
        ),
        (
            Script::new([OP_DROP, OP_1]),
            Script::new([OP_PUSHDATA1, 1, 7]),
            ScriptError::NotMinimal,
        ),
        (
            Script::new([OP_NOP4, OP_1]),
            Script::default(),
            ScriptError::Upgradable,
        ),
        (
            Script::new([OP_2, 2, 7, 7]),
            Script::default(),
            ScriptError::Upgradable,
        ),
    ];
    for (spent, script_sig, error) in cases {
        let mut transaction = unsigned([b"", b""]);
        transaction.inputs[0].script_sig = script_sig;
        let coin = coin(spent);
        assert_eq!(consensus(&coin, &transaction), Ok(()), "{error}");
        assert_eq!(relay(&coin, &transaction), Err(error));
    }
    for (hash_type, error) in [(0x21, ScriptError::HashType), (0, ScriptError::HashType)] {
        let (coin, transaction) = signed(Kind::Legacy, unsigned([b"", b""]), hash_type);
        assert_eq!(consensus(&coin, &transaction), Ok(()));
        assert_eq!(relay(&coin, &transaction), Err(error));
    }
}

/// With more signatures left than keys the check ends, and what is left is not looked at.
#[test]
fn a_hopeless_check_of_many_signatures_ends_before_it_meets_garbage() {
    let mut script = ScriptBuilder::new().op(OP_3);
    for seed in [1, 2, 3] {
        script = script.push(&keypair(seed).public_key().serialize());
    }
    let script = script.op(OP_3).op(OP_CHECKMULTISIG).op(OP_NOT).build();
    let mut transaction = unsigned([b"", b""]);
    let coins = [coin(script.clone())];
    let hashes = SignatureHashes::new(&transaction, &coins);
    let hash = hashes.legacy(0, script.as_bytes(), SIGHASH_ALL);
    let second = ecdsa(2, hash, SIGHASH_ALL);
    let items = [&[][..], &[], &[7; 9], &second];
    let push = |script: ScriptBuilder, item: &&[u8]| script.push(item);
    transaction.inputs[0].script_sig = items.iter().fold(ScriptBuilder::new(), push).build();
    let result = verify_transaction(&transaction, &coins, Strictness::Consensus);
    assert_eq!(result, Ok(()));
}

/// BIP 342: 50 for each signature, out of 50 and the witness's bytes.
#[test]
fn tapscript_signatures_are_paid_for_byte_by_byte() {
    let key = keypair(1).x_only_public_key().0.serialize();
    let checks = 5u8;
    let mut script = ScriptBuilder::new().push(&key);
    for _ in 1..checks {
        script = script.op(OP_2DUP).op(OP_CHECKSIGVERIFY);
    }
    let script = script.op(OP_CHECKSIG).build();
    let leaf = leaf_hash(LEAF_TAPSCRIPT, script.as_bytes());
    let internal = keypair(2).x_only_public_key().0;
    let tweak = tagged_engine("TapTweak")
        .chain_update(internal.serialize())
        .chain_update(leaf);
    let tweak = secp256k1::Scalar::from_be_bytes(tweak.finalize().into()).unwrap();
    let (output, parity) = internal.add_tweak(SECP256K1, &tweak).unwrap();
    let control = [
        &[LEAF_TAPSCRIPT | parity.to_u8()][..],
        &internal.serialize(),
    ]
    .concat();
    let coins = [coin(Script::pay_to_taproot(&output.serialize()))];
    let mut outcomes = [0, 0];
    for padding in 0..100 {
        let mut transaction = unsigned([b"", b""]);
        let annex = [&[ANNEX_TAG][..], &vec![0; padding]].concat();
        let hashes = SignatureHashes::new(&transaction, &coins);
        let annexed = Some(annex.as_slice());
        let leaf = Some((leaf, u32::MAX));
        let hash = hashes.taproot(
            0,
            SIGHASH_DEFAULT,
            TaprootExtra {
                annex: annexed,
                leaf,
            },
        );
        let message = Message::from_digest(hash.unwrap());
        let signature = SECP256K1.sign_schnorr_no_aux_rand(&message, &keypair(1));
        let items = [
            &signature.serialize()[..],
            script.as_bytes(),
            &control,
            &annex,
        ];
        transaction.inputs[0].witness = items.map(<[u8]>::to_vec).to_vec();
        let size = 1 + items.iter().map(|item| 1 + item.len()).sum::<usize>();
        let paid = usize::from(checks) * 50 <= 50 + size;
        let result = verify_transaction(&transaction, &coins, Strictness::Consensus);
        let expected = if paid {
            Ok(())
        } else {
            Err(ScriptError::SignatureBudget)
        };
        assert_eq!(result.map_err(|error| error.source), expected, "{padding}");
        outcomes[usize::from(paid)] += 1;
    }
    assert!(outcomes[0] > 10 && outcomes[1] > 10, "{outcomes:?}");
}

#[test]
fn deep_branches_cost_no_more_than_others() {
    // 2^17 operations: a search through open branches at each of them would not end.
    let mut script = vec![];
    for _ in 0..1 << 16 {
        script.extend([OP_0, OP_IF]);
    }
    script.extend(vec![OP_ENDIF; 1 << 16]);
    script.push(OP_1);
    let transaction = unsigned([b"", b""]);
    let coins = [coin(Script::default())];
    let hashes = SignatureHashes::new(&transaction, &coins);
    let environment = Environment {
        hashes: &hashes,
        input: 0,
        strictness: Strictness::Consensus,
    };
    let leaf = Leaf {
        hash: [0; 32],
        annex: None,
        budget: 0,
    };
    let mut stack = Stack::default();
    let result = run(
        &script,
        &mut stack,
        SigVersion::Tapscript,
        environment,
        Some(leaf),
    );
    assert_eq!(result, Ok(()));
}

fn theirs(transaction: &Transaction) -> bitcoin::Transaction {
    bitcoin::consensus::deserialize(&transaction.encode()).unwrap()
}

proptest! {
    #[test]
    fn signature_hashes_without_links_are_bitcoins(
        transaction in transaction(), at: usize, code in proptest::collection::vec(0x51u8..0x60, 0..40),
        type_at in 0usize..6, odd_type: u8, value in 0u64..1 << 50, annex: bool,
        leaf: Option<([u8; 32], u32)>,
    ) {
        let hash_type = [1, 2, 3, 0x81, 0x82, 0x83][type_at];
        let ours = without_links(transaction);
        let input = at % ours.inputs.len();
        let coins: Vec<Coin> = (0..).take(ours.inputs.len()).map(|i| Coin {
            value: Gio::from_units(value + i),
            ..coin(Script::new(code.clone()))
        }).collect();
        let hashes = SignatureHashes::new(&ours, &coins);
        let theirs = theirs(&ours);
        let mut cache = oracle::SighashCache::new(&theirs);
        let script = bitcoin::Script::from_bytes(&code);

        let legacy = cache.legacy_signature_hash(input, script, u32::from(odd_type)).unwrap();
        prop_assert_eq!(hashes.legacy(input, &code, odd_type), legacy.to_byte_array());

        let ecdsa_type = bitcoin::EcdsaSighashType::from_consensus(u32::from(hash_type));
        let amount = bitcoin::Amount::from_sat(coins[input].value.units());
        let v0 = cache.p2wsh_signature_hash(input, script, amount, ecdsa_type).unwrap();
        prop_assert_eq!(hashes.witness_v0(input, &code, hash_type), v0.to_byte_array());

        let prevouts: Vec<bitcoin::TxOut> = coins.iter().map(|coin| bitcoin::TxOut {
            value: bitcoin::Amount::from_sat(coin.value.units()),
            script_pubkey: bitcoin::ScriptBuf::from_bytes(code.clone()),
        }).collect();
        let annex = annex.then_some([0x50, 1, 2]);
        let taproot = cache.taproot_signature_hash(
            input,
            &oracle::Prevouts::All(&prevouts),
            annex.as_ref().map(|annex| oracle::Annex::new(annex).unwrap()),
            leaf.map(|(hash, separator)| (bitcoin::TapLeafHash::from_byte_array(hash), separator)),
            bitcoin::TapSighashType::from_consensus_u8(hash_type).unwrap(),
        );
        let extra = TaprootExtra { annex: annex.as_ref().map(|annex| &annex[..]), leaf };
        let ours = hashes.taproot(input, hash_type, extra);
        prop_assert_eq!(ours, taproot.ok().map(|hash| hash.to_byte_array()));
    }
}
