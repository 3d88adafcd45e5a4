//! Random spends from a seed: templates signed with this crate's own signature hashes, random
//! programs, and damage done to both.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "random numbers are cut to what a case needs"
)]

use gio_coin::opcode::*;
use gio_coin::{
    Coin, Link, OutPoint, Script, ScriptBuilder, SignatureHashes, TaprootExtra, Transaction, TxIn,
    TxOut, Txid, Witness, sha256,
};
use gio_protocol::Gio;
use secp256k1::{Keypair, SECP256K1};

use super::rng::Rng;
use super::signing::{Wrap, commit_to_leaf, ecdsa, hash_type, key, leaf_hash, schnorr, secret};

/// A transaction, the coins it spends, and the input under test.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) transaction: Transaction,
    pub(crate) coins: Vec<Coin>,
    pub(crate) input: usize,
}

/// An item that fulfils a script, before the transaction to sign is complete.
#[derive(Clone, Debug)]
enum Item {
    Data(Vec<u8>),
    Signature(usize),
}

/// A random case.
pub(crate) fn case(rng: &mut Rng) -> Case {
    let mut case = bare_case(rng);
    match rng.below(10) {
        0 => taproot_key_spend(rng, &mut case),
        1 => witness_key_spend(rng, &mut case),
        2 => signature_inside_its_script(rng, &mut case),
        3 | 4 => random_program(rng, &mut case),
        _ => script_spend(rng, &mut case),
    }
    if rng.one_in(2) {
        damage(rng, &mut case);
    }
    case
}

fn bare_case(rng: &mut Rng) -> Case {
    let count = 1 + rng.below(3);
    let sequences = [0, 1, 5, 0x40_0003, u32::MAX - 1, u32::MAX, 1 << 31];
    let inputs = (0..count).map(|_| TxIn {
        previous: OutPoint {
            txid: Txid::from_bytes(sha256(&rng.bytes(4))),
            index: rng.below(3) as u32,
        },
        script_sig: Script::default(),
        sequence: rng.pick(&sequences),
        witness: Witness::new(),
    });
    let inputs = inputs.collect();
    let outputs = (0..rng.below(4)).map(|_| TxOut {
        value: Gio::from_units(rng.next() >> 8),
        script_pubkey: Script::new(rng.bytes(5)),
        link: Link::NONE,
    });
    let outputs = outputs.collect();
    let coins = (0..count).map(|_| Coin {
        value: Gio::from_units(rng.next() >> 8),
        script_pubkey: Script::new(rng.bytes(3)),
        link: None,
        height: 1,
        is_coinbase: false,
    });
    Case {
        coins: coins.collect(),
        input: rng.below(count),
        transaction: Transaction {
            version: rng.pick(&[1, 2, 2, 2, u32::MAX]),
            inputs,
            outputs,
            lock_time: rng.pick(&[0, 5, 1000, 499_999_999, 500_000_000, 1_700_000_000]),
        },
    }
}

fn taproot_key_spend(rng: &mut Rng, case: &mut Case) {
    let keypair = Keypair::from_secret_key(SECP256K1, &secret(rng.below(4)));
    let key = keypair.x_only_public_key().0.serialize();
    case.coins[case.input].script_pubkey = Script::pay_to_taproot(&key);
    let hash_type = if rng.one_in(2) { 0 } else { hash_type(rng) };
    let annex = rng.one_in(5).then(|| [vec![0x50], rng.bytes(3)].concat());
    let hashes = SignatureHashes::new(&case.transaction, &case.coins);
    let extra = TaprootExtra {
        annex: annex.as_deref(),
        leaf: None,
    };
    let hash = hashes.taproot(case.input, hash_type, extra);
    let mut witness = vec![schnorr(&keypair, hash_type, hash)];
    witness.extend(annex);
    case.transaction.inputs[case.input].witness = witness;
}

fn witness_key_spend(rng: &mut Rng, case: &mut Case) {
    let index = rng.below(4);
    let key = key(index, Wrap::Witness);
    let hash = Script::hash160(&key);
    let program = Script::pay_to_witness_pubkey_hash(&hash);
    let hash_type = hash_type(rng);
    let code = Script::pay_to_pubkey_hash(&hash);
    let hashes = SignatureHashes::new(&case.transaction, &case.coins);
    let signed = hashes.witness_v0(case.input, code.as_bytes(), hash_type);
    let signature = ecdsa(rng, index, hash_type, signed);
    let input = &mut case.transaction.inputs[case.input];
    input.witness = vec![signature, key];
    let nested = rng.one_in(2);
    if nested {
        input.script_sig = ScriptBuilder::new().push(program.as_bytes()).build();
    }
    case.coins[case.input].script_pubkey = if nested {
        Script::pay_to_script_hash(&program)
    } else {
        program
    };
}

/// A script that holds the signature it checks: the signature is taken out before signing.
fn signature_inside_its_script(rng: &mut Rng, case: &mut Case) {
    let index = rng.below(4);
    let code = ScriptBuilder::new()
        .op(OP_DROP)
        .push(&key(index, Wrap::Bare))
        .op(OP_CHECKSIG)
        .build();
    let hash_type = hash_type(rng);
    let hashes = SignatureHashes::new(&case.transaction, &case.coins);
    let signed = hashes.legacy(case.input, code.as_bytes(), hash_type);
    let signature = ecdsa(rng, index, hash_type, signed);
    let repeat = 1 + rng.below(2);
    let mut script = (0..repeat).fold(ScriptBuilder::new(), |script, _| script.push(&signature));
    if repeat > 1 {
        script = script.op(OP_DROP);
    }
    let script = [script.build().as_bytes(), code.as_bytes()].concat();
    case.coins[case.input].script_pubkey = Script::new(script);
    let sig = ScriptBuilder::new().push(&signature).build();
    case.transaction.inputs[case.input].script_sig = sig;
}

fn random_push(rng: &mut Rng, script: ScriptBuilder) -> ScriptBuilder {
    match rng.below(8) {
        0 => {
            let length = rng.pick(&[0, 1, 4, 5, 20, 32, 33, 75, 76, 255, 256, 520, 521]);
            script.push(&rng.bytes(length))
        }
        1 => script.number(rng.next() as i32 as i64),
        2 => script.number(rng.below(1100) as i64 - 50),
        3 => script.push(&key(rng.below(4), Wrap::Bare)),
        4 => script.push(&rng.pick(&[vec![0], vec![0x80], vec![0, 0x80], vec![1, 0]])),
        _ => script.number(rng.below(6) as i64 - 1),
    }
}

/// Operations in a random order over a few pushed items.
pub(crate) fn random_script(rng: &mut Rng) -> Script {
    let mut script = ScriptBuilder::new();
    for _ in 0..rng.below(8) {
        script = random_push(rng, script);
    }
    let mut open = 0;
    let length = if rng.one_in(30) { 250 } else { 20 };
    for _ in 0..rng.below(length) {
        match rng.below(40) {
            0..14 => script = random_push(rng, script),
            14 => {
                script = script.op(rng.pick(&[OP_IF, OP_NOTIF]));
                open += 1;
            }
            15 if open > 0 => script = script.op(OP_ELSE),
            16 if open > 0 => {
                script = script.op(OP_ENDIF);
                open -= 1;
            }
            17 => script = script.op(rng.byte()),
            18 => {
                let checks = [
                    OP_CHECKSIG,
                    OP_CHECKMULTISIG,
                    OP_CHECKSIGADD,
                    OP_CODESEPARATOR,
                ];
                script = script.op(rng.pick(&checks));
            }
            19 => script = script.op(rng.pick(&[OP_CHECKLOCKTIMEVERIFY, OP_CHECKSEQUENCEVERIFY])),
            20..30 => script = script.op(OP_TOALTSTACK + rng.below(19) as u8),
            30 => script = script.op(OP_RIPEMD160 + rng.below(5) as u8),
            _ => script = script.op(OP_1ADD + rng.below(27) as u8),
        }
    }
    for _ in 0..open {
        script = script.op(OP_ENDIF);
    }
    if rng.one_in(2) {
        script = script.op(OP_1);
    }
    script.build()
}

fn random_program(rng: &mut Rng, case: &mut Case) {
    let script = random_script(rng);
    let wrap = rng.pick(&[
        Wrap::Bare,
        Wrap::Bare,
        Wrap::ScriptHash,
        Wrap::Witness,
        Wrap::NestedWitness,
        Wrap::Tapscript,
    ]);
    let items = (0..rng.below(5)).map(|_| {
        let length = rng.below(3);
        Item::Data(rng.bytes(length))
    });
    let items = items.collect();
    fulfil(rng, case, wrap, &script, items);
}

fn script_spend(rng: &mut Rng, case: &mut Case) {
    let wrap = rng.pick(&[
        Wrap::Bare,
        Wrap::ScriptHash,
        Wrap::Witness,
        Wrap::NestedWitness,
        Wrap::Tapscript,
    ]);
    let (script, items) = template(rng, wrap);
    fulfil(rng, case, wrap, &script, items);
}

fn template(rng: &mut Rng, wrap: Wrap) -> (Script, Vec<Item>) {
    use Item::{Data, Signature};
    let (a, b) = (rng.below(4), rng.below(4));
    let (key_a, key_b) = (key(a, wrap), key(b, wrap));
    let new = ScriptBuilder::new;
    match rng.below(10) {
        0 => (
            new().push(&key_a).op(OP_CHECKSIG).build(),
            vec![Signature(a)],
        ),
        1 => {
            let hash = Script::hash160(&key_a);
            let script = Script::pay_to_pubkey_hash(&hash);
            (script, vec![Signature(a), Data(key_a)])
        }
        2 => multisig(rng, wrap),
        3 => {
            let preimage = rng.bytes(32);
            let lock = rng.pick(&[0, 5, 999, 1000, 1001, 500_000_000, 1_700_000_000]);
            let script = new()
                .op(OP_IF)
                .op(OP_SHA256)
                .push(&sha256(&preimage))
                .op(OP_EQUALVERIFY)
                .push(&key_a)
                .op(OP_ELSE)
                .number(lock)
                .op(OP_CHECKLOCKTIMEVERIFY)
                .op(OP_DROP)
                .push(&key_b)
                .op(OP_ENDIF)
                .op(OP_CHECKSIG)
                .build();
            if rng.one_in(2) {
                (script, vec![Signature(a), Data(preimage), Data(vec![1])])
            } else {
                (script, vec![Signature(b), Data(vec![])])
            }
        }
        4 => {
            let lock = rng.pick(&[0, 1, 5, 6, 0x40_0002, 0x40_0003, 0x40_0004, 1 << 31, -1]);
            let script = new().number(lock).op(OP_CHECKSEQUENCEVERIFY).op(OP_DROP);
            (
                script.push(&key_a).op(OP_CHECKSIG).build(),
                vec![Signature(a)],
            )
        }
        7 => {
            // One signature checked often: tapscript pays for each by the witness's size.
            let checks = rng.below(8);
            let script = (0..checks).fold(new().push(&key_a), |script, _| {
                script.op(OP_2DUP).op(OP_CHECKSIGVERIFY)
            });
            (script.op(OP_CHECKSIG).build(), vec![Signature(a)])
        }
        8 => (nested_branches(rng), vec![]),
        9 => (many_keys(rng), vec![]),
        5 => {
            let script = new()
                .push(&key_a)
                .op(OP_CHECKSIGVERIFY)
                .op(OP_CODESEPARATOR);
            let script = script.push(&key_b).op(OP_CHECKSIG).build();
            (script, vec![Signature(b), Signature(a)])
        }
        _ => {
            let script = new()
                .push(&key_a)
                .op(OP_CHECKSIG)
                .push(&key_b)
                .op(OP_CHECKSIGADD);
            (
                script.op(OP_2).op(OP_NUMEQUAL).build(),
                vec![Signature(b), Signature(a)],
            )
        }
    }
}

fn multisig(rng: &mut Rng, wrap: Wrap) -> (Script, Vec<Item>) {
    let keys = 1 + rng.below(4);
    let needed = if rng.one_in(2) {
        keys
    } else {
        rng.below(keys + 1)
    };
    let mut script = ScriptBuilder::new().number(needed as i64);
    for index in 0..keys {
        script = script.push(&key(index, wrap));
    }
    script = script.number(keys as i64).op(OP_CHECKMULTISIG);
    let mut signers: Vec<usize> = (0..keys).collect();
    while signers.len() > needed {
        signers.remove(rng.below(signers.len()));
    }
    if rng.one_in(3) && needed > 1 {
        signers.rotate_right(1);
    }
    let dummy = if rng.one_in(20) { vec![1] } else { vec![] };
    let mut items = vec![Item::Data(dummy)];
    items.extend(signers.into_iter().map(Item::Signature));
    if rng.one_in(4) {
        // What is not compared is not looked at: only then may it be no signature at all.
        let at = rng.below(items.len());
        items[at] = Item::Data(rng.pick(&[vec![], vec![0x30, 1], vec![7; 9]]));
        script = script.op(OP_NOT);
    }
    (script.build(), items)
}

/// Checks of no signatures against many keys: every key counts as an operation.
fn many_keys(rng: &mut Rng) -> Script {
    let mut script = ScriptBuilder::new();
    let keys = 14 + rng.below(7);
    for _ in 0..201 / (keys + 2) {
        script = script.op(OP_0).op(OP_0);
        script = (0..keys).fold(script, |script, _| script.op(OP_1));
        script = script.number(keys as i64).op(OP_CHECKMULTISIG).op(OP_DROP);
    }
    let rest = 201 % (keys + 2) + rng.below(3);
    script = (0..rest.saturating_sub(1)).fold(script, |script, _| script.op(OP_NOP));
    script.op(OP_1).build()
}

/// Nested branches that each change one number, which is compared in the end: which of them
/// are taken decides the result.
fn nested_branches(rng: &mut Rng) -> Script {
    let mut script = ScriptBuilder::new().number(5);
    let mut open = 0;
    for _ in 0..4 + rng.below(16) {
        script = match rng.below(6) {
            0 | 1 => {
                open += 1;
                let condition = rng.pick(&[OP_0, OP_1]);
                script.op(condition).op(rng.pick(&[OP_IF, OP_NOTIF]))
            }
            2 if open > 0 => script.op(OP_ELSE),
            3 if open > 0 => {
                open -= 1;
                script.op(OP_ENDIF)
            }
            _ => script.op(rng.pick(&[OP_1ADD, OP_1SUB, OP_NEGATE])),
        };
    }
    let script = (0..open).fold(script, |script, _| script.op(OP_ENDIF));
    let expected = rng.below(5) as i64 + 3;
    script.number(expected).op(OP_NUMEQUAL).build()
}

/// Pays the input's coin to the script, signs, and puts the items where they belong.
fn fulfil(rng: &mut Rng, case: &mut Case, wrap: Wrap, script: &Script, items: Vec<Item>) {
    let (script_pubkey, control) = match wrap {
        Wrap::Bare => (script.clone(), None),
        Wrap::ScriptHash => (Script::pay_to_script_hash(script), None),
        Wrap::Witness => (Script::pay_to_witness_script_hash(script), None),
        Wrap::NestedWitness => {
            let program = Script::pay_to_witness_script_hash(script);
            (Script::pay_to_script_hash(&program), None)
        }
        Wrap::Tapscript => {
            let (script_pubkey, control) = commit_to_leaf(rng, script);
            (script_pubkey, Some(control))
        }
    };
    case.coins[case.input].script_pubkey = script_pubkey;
    let mut signed = Vec::new();
    for item in items {
        signed.push(match item {
            Item::Data(data) => data,
            Item::Signature(index) => sign(rng, case, wrap, script, index),
        });
    }
    let input = &mut case.transaction.inputs[case.input];
    let push = |items: &[Vec<u8>]| {
        let start = ScriptBuilder::new();
        let pushed = items.iter().fold(start, |script, item| script.push(item));
        pushed.build()
    };
    match wrap {
        Wrap::Bare => input.script_sig = push(&signed),
        Wrap::ScriptHash => {
            signed.push(script.as_bytes().to_vec());
            input.script_sig = push(&signed);
        }
        Wrap::Witness | Wrap::NestedWitness => {
            signed.push(script.as_bytes().to_vec());
            input.witness = signed;
            if wrap == Wrap::NestedWitness {
                let program = Script::pay_to_witness_script_hash(script);
                input.script_sig = push(&[program.as_bytes().to_vec()]);
            }
        }
        Wrap::Tapscript => {
            signed.push(script.as_bytes().to_vec());
            signed.extend(control);
            input.witness = signed;
        }
    }
}

fn sign(rng: &mut Rng, case: &Case, wrap: Wrap, script: &Script, index: usize) -> Vec<u8> {
    let hashes = SignatureHashes::new(&case.transaction, &case.coins);
    // The last signer of the template with a separator signs only what follows it.
    let bytes = script.as_bytes();
    let separator = bytes.iter().position(|byte| *byte == OP_CODESEPARATOR);
    let after = separator.filter(|_| rng.one_in(2));
    let code = after.map_or(bytes, |at| &bytes[at + 1..]);
    if wrap == Wrap::Tapscript {
        let hash_type = if rng.one_in(2) { 0 } else { hash_type(rng) };
        let number = after.map_or(u32::MAX, |_| 2);
        let extra = TaprootExtra {
            annex: None,
            leaf: Some((leaf_hash(script), number)),
        };
        let keypair = Keypair::from_secret_key(SECP256K1, &secret(index));
        let hash = hashes.taproot(case.input, hash_type, extra);
        return schnorr(&keypair, hash_type, hash);
    }
    let hash_type = hash_type(rng);
    let hash = match wrap {
        Wrap::Bare | Wrap::ScriptHash => hashes.legacy(case.input, code, hash_type),
        _ => hashes.witness_v0(case.input, code, hash_type),
    };
    ecdsa(rng, index, hash_type, hash)
}

fn damage(rng: &mut Rng, case: &mut Case) {
    let kind = rng.below(9);
    let input = &mut case.transaction.inputs[case.input];
    match kind {
        0 => flip(rng, &mut input.script_sig),
        1 if !input.witness.is_empty() => {
            let at = rng.below(input.witness.len());
            flip_bit(rng, &mut input.witness[at]);
        }
        2 if !input.witness.is_empty() => {
            let at = rng.below(input.witness.len());
            match rng.below(3) {
                0 => drop(input.witness.remove(at)),
                1 => input.witness.insert(at, vec![0x50]),
                _ => input.witness[at] = vec![],
            }
        }
        3 => input.sequence ^= 1 << rng.below(32),
        4 => case.transaction.lock_time ^= 1 << rng.below(32),
        5 => flip(rng, &mut case.coins[case.input].script_pubkey),
        6 => case.coins[case.input].value = Gio::from_units(rng.next() >> 8),
        7 => {
            let script = [&[OP_1][..], input.script_sig.as_bytes()].concat();
            input.script_sig = Script::new(script);
        }
        _ => case.transaction.version ^= 3,
    }
}

fn flip(rng: &mut Rng, script: &mut Script) {
    let mut bytes = script.as_bytes().to_vec();
    flip_bit(rng, &mut bytes);
    *script = Script::new(bytes);
}

fn flip_bit(rng: &mut Rng, bytes: &mut [u8]) {
    if !bytes.is_empty() {
        let at = rng.below(bytes.len());
        bytes[at] ^= 1 << rng.below(8);
    }
}
