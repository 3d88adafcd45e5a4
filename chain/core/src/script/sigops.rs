//! Counting signature checks before they are run.
//!
//! Every check counts one, wherever it stands: the coin has no witness discount (R28), so it
//! has none here either.

use super::opcode::{
    OP_1, OP_16, OP_CHECKMULTISIG, OP_CHECKMULTISIGVERIFY, OP_CHECKSIG, OP_CHECKSIGVERIFY,
};
use super::{Script, opcode};
use crate::transaction::Witness;

/// What a check of many signatures counts when its number of keys is not known.
const KEYS_OF_MULTISIG: usize = 20;

/// Signature checks in a script. `accurate` reads the number of keys before a check of many.
pub(crate) fn sigops(script: &Script, accurate: bool) -> usize {
    let mut count = 0;
    let mut previous = 0xff;
    for instruction in script.instructions() {
        let Ok(instruction) = instruction else { break };
        count += match instruction.opcode {
            OP_CHECKSIG | OP_CHECKSIGVERIFY => 1,
            OP_CHECKMULTISIG | OP_CHECKMULTISIGVERIFY => match previous {
                OP_1..=OP_16 if accurate => usize::from(previous - OP_1 + 1),
                _ => KEYS_OF_MULTISIG,
            },
            _ => 0,
        };
        previous = instruction.opcode;
    }
    count
}

/// Signature checks that spending `spent` may run outside the witness: those of the script
/// itself, or those of the script it pays to.
pub(crate) fn sigops_of_spend(spent: &Script, script_sig: &Script) -> usize {
    if spent.is_pay_to_script_hash() {
        redeem_script(script_sig).map_or(0, |redeem| sigops(&redeem, true))
    } else {
        sigops(spent, true)
    }
}

/// Signature checks of a witness program of version 0; taproot pays for its own by size.
pub(crate) fn witness_sigops(spent: &Script, script_sig: &Script, witness: &Witness) -> usize {
    if spent.witness_program().is_some() {
        return program_sigops(spent, witness);
    }
    if spent.is_pay_to_script_hash() {
        return redeem_script(script_sig).map_or(0, |redeem| program_sigops(&redeem, witness));
    }
    0
}

fn program_sigops(program: &Script, witness: &Witness) -> usize {
    let Some(found) = program.witness_program() else {
        return 0;
    };
    match (found.version, found.program.len(), witness.last()) {
        (0, 20, _) => 1,
        (0, 32, Some(script)) => sigops(&Script::new(script.clone()), true),
        _ => 0,
    }
}

/// The last item a push-only input script leaves.
fn redeem_script(script_sig: &Script) -> Option<Script> {
    let mut last = None;
    for instruction in script_sig.instructions() {
        let instruction = instruction
            .ok()
            .filter(|found| found.opcode <= opcode::OP_16)?;
        last = Some(instruction.data);
    }
    last.map(Script::new)
}

#[cfg(test)]
mod tests {
    use super::super::ScriptBuilder;
    use super::super::opcode::{OP_2, OP_3, OP_RETURN};
    use super::*;

    #[test]
    fn checks_are_counted_as_bitcoin_counts_them() {
        let multisig = ScriptBuilder::new()
            .op(OP_2)
            .push(&[2; 33])
            .push(&[3; 33])
            .push(&[2; 33])
            .op(OP_3)
            .op(OP_CHECKMULTISIG)
            .build();
        assert_eq!((sigops(&multisig, true), sigops(&multisig, false)), (3, 20));
        let cut_off = ScriptBuilder::new()
            .op(OP_CHECKSIG)
            .op(5)
            .op(OP_CHECKSIG)
            .build();
        assert_eq!(sigops(&cut_off, false), 1);
        let hashed = Script::pay_to_script_hash(&multisig);
        let spend = ScriptBuilder::new().op(0).push(multisig.as_bytes()).build();
        assert_eq!(sigops_of_spend(&hashed, &spend), 3);
        let not_a_push = ScriptBuilder::new()
            .op(OP_RETURN)
            .push(multisig.as_bytes())
            .build();
        assert_eq!(sigops_of_spend(&hashed, &not_a_push), 0);
        assert_eq!(sigops(&hashed, false), 0);
    }

    #[test]
    fn witness_checks_are_counted_without_discount() {
        let script = ScriptBuilder::new()
            .op(OP_CHECKSIG)
            .op(OP_CHECKSIGVERIFY)
            .build();
        let program = Script::pay_to_witness_script_hash(&script);
        let witness = vec![vec![1], script.as_bytes().to_vec()];
        let nothing = Script::default();
        assert_eq!(witness_sigops(&program, &nothing, &witness), 2);
        let nested = Script::pay_to_script_hash(&program);
        let spend = ScriptBuilder::new().push(program.as_bytes()).build();
        assert_eq!(witness_sigops(&nested, &spend, &witness), 2);
        let key = Script::pay_to_witness_pubkey_hash(&[7; 20]);
        assert_eq!(witness_sigops(&key, &nothing, &Witness::new()), 1);
        let taproot = Script::pay_to_taproot(&[7; 32]);
        assert_eq!(witness_sigops(&taproot, &nothing, &witness), 0);
    }
}
