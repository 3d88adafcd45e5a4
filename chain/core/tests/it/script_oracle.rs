//! Every verdict on a spend without links equals that of Bitcoin's consensus library.

use bitcoinconsensus::{Utxo, VERIFY_ALL_PRE_TAPROOT, VERIFY_TAPROOT, verify_with_flags};
use gio_coin::{SignatureHashes, Strictness, verify_input};

use super::generator::{Case, case};
use super::rng::Rng;

/// Whether the consensus library accepts the spend.
fn oracle_accepts(case: &Case) -> bool {
    let outputs: Vec<Utxo> = case
        .coins
        .iter()
        .map(|coin| Utxo {
            script_pubkey: coin.script_pubkey.as_bytes().as_ptr(),
            script_pubkey_len: u32::try_from(coin.script_pubkey.as_bytes().len())
                .expect("scripts are short"),
            value: coin.value.units().cast_signed(),
        })
        .collect();
    let coin = &case.coins[case.input];
    let verdict = verify_with_flags(
        coin.script_pubkey.as_bytes(),
        coin.value.units(),
        &case.transaction.encode(),
        Some(&outputs),
        case.input,
        VERIFY_ALL_PRE_TAPROOT | VERIFY_TAPROOT,
    );
    if let Err(error) = verdict {
        let script = bitcoinconsensus::Error::ERR_SCRIPT;
        assert_eq!(
            error, script,
            "the library could not read the case: {case:#?}"
        );
    }
    verdict.is_ok()
}

/// Runs cases from a seed; gives how many were accepted by both.
pub(crate) fn compare(seed: u64, cases: u64) -> u64 {
    let mut rng = Rng(seed);
    let mut accepted = 0;
    for number in 0..cases {
        let case = case(&mut rng);
        let hashes = SignatureHashes::new(&case.transaction, &case.coins);
        let ours = verify_input(&hashes, case.input, Strictness::Consensus);
        let theirs = oracle_accepts(&case);
        assert_eq!(
            ours.is_ok(),
            theirs,
            "seed {seed} case {number}: {ours:?}\n{case:#?}"
        );
        accepted += u64::from(theirs);
    }
    accepted
}

#[test]
fn verdicts_equal_those_of_the_consensus_library() {
    // A few seconds; `cargo run --release --example script_oracle -- 1000000` runs more.
    const CASES: u64 = 20_000;
    let accepted = compare(1, CASES);
    // A generator whose cases all fail would prove nothing.
    assert!(
        accepted > CASES / 5 && accepted < CASES * 4 / 5,
        "{accepted}"
    );
}
