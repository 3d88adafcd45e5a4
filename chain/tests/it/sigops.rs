//! Signature checks are part of what a block has room for: no transaction that waits makes a block that breaks the
//! rule.

use gio_chain::{AdmitError, FeeRate, Ledger, PolicyError, SubmitError};
use gio_coin::{
    Block, Link, MAX_BLOCK_SIGOPS, OutPoint, Script, Transaction, TxOut, opcode, transaction_sigops,
};
use gio_protocol::Gio;

use crate::forge::{Forge, NOW, halve, open_script};

/// What a check of many signatures counts in an output.
const MULTISIG: usize = 20;
/// Most checks of a transaction that is passed on.
const PASSED_ON: usize = MAX_BLOCK_SIGOPS / 5;

/// Spends a coin and makes so many signature checks that nobody ever runs.
fn heavy(point: OutPoint, units: u64, checks: usize, fee: u64) -> Transaction {
    let mut script = vec![opcode::OP_RETURN];
    script.resize(1 + checks / MULTISIG, opcode::OP_CHECKMULTISIG);
    let mut heavy = halve(point, units);
    heavy.outputs[0].value = Gio::from_units(units - fee);
    heavy.outputs[1] = TxOut {
        value: Gio::ZERO,
        script_pubkey: Script::new(script),
        link: Link::NONE,
    };
    assert_eq!(transaction_sigops(&heavy, &[]), checks);
    heavy
}

/// A ledger with ten rewards to spend.
fn scene() -> (Forge, tempfile::TempDir, Ledger, Vec<Block>) {
    let mut forge = Forge::new();
    let (folder, mut chain) = forge.chain();
    let base = forge.grow(forge.genesis(), 110);
    for block in &base {
        chain.add_block(block, NOW).expect("a valid block");
    }
    (forge, folder, Ledger::new(chain, [1; 8]), base)
}

fn refusal(ledger: &mut Ledger, transaction: Transaction) -> AdmitError {
    match ledger.submit(transaction) {
        Err(SubmitError::Refused(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_transaction_with_too_many_signature_checks_does_not_wait_and_mining_goes_on() {
    let (_forge, _folder, mut ledger, base) = scene();
    let (point, units) = Forge::reward_of(&base[0]);
    // Two kilobytes with more checks than a block may have.
    let evil = heavy(point, units, MAX_BLOCK_SIGOPS + MULTISIG, 1_000_000);
    assert!(evil.encoded_len() < 2200);
    let error = refusal(&mut ledger, evil);
    let (count, max) = (MAX_BLOCK_SIGOPS + MULTISIG, PASSED_ON);
    let too_many = PolicyError::TooManySigops { count, max };
    assert_eq!(error, AdmitError::Policy(too_many));
    ledger.generate(&open_script()).expect("mining goes on");
}

#[test]
fn signature_checks_that_only_a_witness_shows_count_too() {
    let (mut forge, _folder, mut ledger, base) = scene();
    let checks = vec![opcode::OP_CHECKMULTISIG; PASSED_ON / MULTISIG + 1];
    let script = Script::new(checks);
    let (point, units) = Forge::reward_of(&base[0]);
    let mut fund = halve(point, units);
    fund.outputs[0].script_pubkey = Script::pay_to_witness_script_hash(&script);
    let txid = fund.txid();
    let block = forge.block(base[109].id(), vec![fund]);
    ledger.add_block(&block).expect("a valid block");
    let mut spend = halve(OutPoint { txid, index: 0 }, units / 4);
    spend.inputs[0].witness = vec![script.as_bytes().to_vec()];
    let error = refusal(&mut ledger, spend);
    let (count, max) = (PASSED_ON + MULTISIG, PASSED_ON);
    let too_many = PolicyError::TooManySigops { count, max };
    assert_eq!(error, AdmitError::Policy(too_many));
}

#[test]
fn blocks_take_what_they_have_room_for_in_signature_checks() {
    let (_forge, _folder, mut ledger, base) = scene();
    for block in &base[..6] {
        let (point, units) = Forge::reward_of(block);
        let transaction = heavy(point, units, PASSED_ON, 1_000_000);
        ledger
            .submit(transaction)
            .expect("a fifth of a block waits");
    }
    // The miner's own output makes one check: four fifths and one are taken, not five.
    let checked = Script::new([opcode::OP_1, opcode::OP_CHECKSIG]);
    let mut mined = Vec::new();
    while !ledger.mempool().is_empty() {
        let id = ledger.generate(&checked).expect("no block has too many");
        let block = ledger.chain().block(&id).expect("readable").expect("mined");
        mined.push(block.transactions.len() - 1);
    }
    assert_eq!(mined, [4, 2]);
}

#[test]
fn signature_checks_are_paid_for_like_the_bytes_they_stand_for() {
    let (_forge, _folder, mut ledger, base) = scene();
    let (point, units) = Forge::reward_of(&base[0]);
    // Twenty bytes each, at 1,000 units for 1,000 bytes.
    let enough = u64::try_from(PASSED_ON * 20).expect("small");
    let cheap = heavy(point, units, PASSED_ON, enough - 1);
    let error = refusal(&mut ledger, cheap);
    let rate_min = FeeRate::per_kilobyte(1000);
    assert!(
        matches!(error, AdmitError::FeeTooLow { rate_min: asked, .. } if asked == rate_min),
        "{error}"
    );
    ledger
        .submit(heavy(point, units, PASSED_ON, enough))
        .expect("it pays for its checks");
}
