//! Whether an input fulfils the condition of the coin it spends.

use sha2::{Digest, Sha256};

use super::machine::{Environment, Leaf, MAX_ITEM_BYTES, MAX_STACK_ITEMS, check_schnorr, run};
use super::opcode::is_op_success;
use super::sighash::{SignatureHashes, TaprootExtra};
use super::stack::Stack;
use super::{
    Instructions, Script, ScriptBuilder, ScriptError, SigVersion, Strictness, WitnessProgram,
};
use crate::coins::Coin;
use crate::hash::{sha256, tagged_engine};
use crate::transaction::{Transaction, TxIn, put_witness};
use crate::wire::{ByteCount, Sink, put_compact};

/// First byte of an annex: the last witness item when there are at least two.
const ANNEX_TAG: u8 = 0x50;
/// The only version of taproot leaves with a meaning.
const LEAF_TAPSCRIPT: u8 = 0xc0;
/// First part of a control block: version and internal key.
const CONTROL_BASE: usize = 33;
/// One step of its path.
const CONTROL_NODE: usize = 32;
/// Most steps of its path.
const CONTROL_DEPTH_MAX: usize = 128;
/// Signatures a tapscript may check without paying by size.
const FREE_BUDGET: usize = 50;

/// An input does not fulfil the condition of the coin it spends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("input {input} does not fulfil the script of the coin it spends")]
pub struct InputError {
    /// Its position.
    pub input: usize,
    /// The rule it breaks.
    #[source]
    pub source: ScriptError,
}

/// Runs the scripts of all inputs of a transaction over the coins it spends.
///
/// # Errors
/// The first input that fails.
///
/// # Panics
/// If there is not one coin for each input.
pub fn verify_transaction(
    transaction: &Transaction,
    coins: &[Coin],
    strictness: Strictness,
) -> Result<(), InputError> {
    let hashes = SignatureHashes::new(transaction, coins);
    (0..coins.len()).try_for_each(|input| {
        verify_input(&hashes, input, strictness).map_err(|source| InputError { input, source })
    })
}

/// Runs the scripts of one input.
///
/// # Errors
/// The rule it breaks.
///
/// # Panics
/// If the transaction has no such input.
pub fn verify_input(
    hashes: &SignatureHashes<'_>,
    input: usize,
    strictness: Strictness,
) -> Result<(), ScriptError> {
    let environment = Environment {
        hashes,
        input,
        strictness,
    };
    let spending = &hashes.transaction().inputs[input];
    let spent = &hashes.coins()[input].script_pubkey;
    let mut stack = run_legacy(spending, spent, environment)?;
    let mut witness_read = false;
    if let Some(program) = spent.witness_program() {
        witness_read = true;
        if !spending.script_sig.as_bytes().is_empty() {
            return Err(ScriptError::WitnessMalleated);
        }
        verify_program(program, spending, environment, false)?;
        stack.0.truncate(1);
    }
    if spent.is_pay_to_script_hash() {
        let redeem = run_redeem_script(spending, &mut stack, environment)?;
        if let Some(program) = redeem.witness_program() {
            witness_read = true;
            let only_push = ScriptBuilder::new().push(redeem.as_bytes()).build();
            if spending.script_sig != only_push {
                return Err(ScriptError::WitnessMalleated);
            }
            verify_program(program, spending, environment, true)?;
            stack.0.truncate(1);
        }
    }
    if strictness == Strictness::Relay && stack.len() != 1 {
        return Err(ScriptError::StackNotClean);
    }
    if !witness_read && !spending.witness.is_empty() {
        return Err(ScriptError::WitnessUnexpected);
    }
    Ok(())
}

/// Runs the input's script and then the coin's on one stack, which is left as the input's
/// script left it if the coin pays to a script hash.
fn run_legacy(
    spending: &TxIn,
    spent: &Script,
    environment: Environment<'_>,
) -> Result<Stack, ScriptError> {
    if environment.strictness == Strictness::Relay && !spending.script_sig.is_push_only() {
        return Err(ScriptError::InputNotPushOnly);
    }
    let version = SigVersion::Legacy;
    let mut stack = Stack::default();
    run(
        spending.script_sig.as_bytes(),
        &mut stack,
        version,
        environment,
        None,
    )?;
    let pushed = stack.clone();
    run(spent.as_bytes(), &mut stack, version, environment, None)?;
    if !stack.top_is_true() {
        return Err(ScriptError::EvaluatesToFalse);
    }
    let hashed = spent.is_pay_to_script_hash();
    Ok(if hashed { pushed } else { stack })
}

/// Runs the script whose hash the coin pays to; `stack` is what the input's script pushed.
fn run_redeem_script(
    spending: &TxIn,
    stack: &mut Stack,
    environment: Environment<'_>,
) -> Result<Script, ScriptError> {
    if !spending.script_sig.is_push_only() {
        return Err(ScriptError::InputNotPushOnly);
    }
    let redeem = Script::new(stack.pop()?);
    run_on(&redeem, stack, environment)?;
    if !stack.top_is_true() {
        return Err(ScriptError::EvaluatesToFalse);
    }
    Ok(redeem)
}

fn run_on(
    script: &Script,
    stack: &mut Stack,
    environment: Environment<'_>,
) -> Result<(), ScriptError> {
    let version = SigVersion::Legacy;
    run(script.as_bytes(), stack, version, environment, None)
}

fn verify_program(
    program: WitnessProgram<'_>,
    spending: &TxIn,
    environment: Environment<'_>,
    nested: bool,
) -> Result<(), ScriptError> {
    let witness = spending.witness.as_slice();
    match (program.version, program.program.len()) {
        (0, 20) => {
            let [_, _] = witness else {
                return Err(ScriptError::WitnessMismatch);
            };
            let hash: [u8; 20] = program.program.try_into().expect("the length was matched");
            let script = Script::pay_to_pubkey_hash(&hash);
            run_witness_script(&script, witness, environment)
        }
        (0, 32) => {
            let (script, items) = witness.split_last().ok_or(ScriptError::WitnessMissing)?;
            if sha256(script) != *program.program {
                return Err(ScriptError::WitnessMismatch);
            }
            run_witness_script(&Script::new(script.clone()), items, environment)
        }
        (0, _) => Err(ScriptError::WitnessProgramLength),
        (1, 32) if !nested => verify_taproot(program.program, witness, environment),
        _ if environment.strictness == Strictness::Relay => Err(ScriptError::Upgradable),
        _ => Ok(()),
    }
}

fn run_witness_script(
    script: &Script,
    items: &[Vec<u8>],
    environment: Environment<'_>,
) -> Result<(), ScriptError> {
    let mut stack = initial_stack(items)?;
    let version = SigVersion::WitnessV0;
    run(script.as_bytes(), &mut stack, version, environment, None)?;
    check_result(&stack)
}

fn initial_stack(items: &[Vec<u8>]) -> Result<Stack, ScriptError> {
    if items.iter().any(|item| item.len() > MAX_ITEM_BYTES) {
        return Err(ScriptError::ItemTooLong);
    }
    Ok(Stack(items.to_vec()))
}

/// A witness script leaves exactly one item, and that is true.
fn check_result(stack: &Stack) -> Result<(), ScriptError> {
    if stack.len() != 1 {
        return Err(ScriptError::StackNotClean);
    }
    if !stack.top_is_true() {
        return Err(ScriptError::EvaluatesToFalse);
    }
    Ok(())
}

/// BIP 341: one item is a signature of the key; more are a script the key commits to.
fn verify_taproot(
    key: &[u8],
    witness: &[Vec<u8>],
    environment: Environment<'_>,
) -> Result<(), ScriptError> {
    let (annex, items) = match witness {
        [items @ .., annex] if !items.is_empty() && annex.first() == Some(&ANNEX_TAG) => {
            (Some(annex.as_slice()), items)
        }
        items => (None, items),
    };
    match items {
        [] => Err(ScriptError::WitnessMissing),
        [signature] => {
            let extra = TaprootExtra { annex, leaf: None };
            check_schnorr(environment, signature, key, extra)
        }
        [items @ .., script, control] => {
            let leaf = committed_leaf(key, script, control)?;
            if control[0] & 0xfe != LEAF_TAPSCRIPT {
                return match environment.strictness {
                    Strictness::Relay => Err(ScriptError::Upgradable),
                    Strictness::Consensus => Ok(()),
                };
            }
            let mut size = ByteCount::default();
            put_witness(&mut size, witness);
            let budget = i64::try_from(size.0 + FREE_BUDGET).expect("a witness fits a block");
            let leaf = Leaf {
                hash: leaf,
                annex,
                budget,
            };
            run_tapscript(script, items, leaf, environment)
        }
    }
}

fn run_tapscript(
    script: &[u8],
    items: &[Vec<u8>],
    leaf: Leaf<'_>,
    environment: Environment<'_>,
) -> Result<(), ScriptError> {
    for instruction in Instructions::new(script) {
        let instruction = instruction.map_err(|_| ScriptError::BadOperation)?;
        if is_op_success(instruction.opcode) {
            return match environment.strictness {
                Strictness::Relay => Err(ScriptError::Upgradable),
                Strictness::Consensus => Ok(()),
            };
        }
    }
    if items.len() > MAX_STACK_ITEMS {
        return Err(ScriptError::StackTooDeep);
    }
    let mut stack = initial_stack(items)?;
    let version = SigVersion::Tapscript;
    run(script, &mut stack, version, environment, Some(leaf))?;
    check_result(&stack)
}

/// The hash of the leaf, if the output key commits to it.
fn committed_leaf(key: &[u8], script: &[u8], control: &[u8]) -> Result<[u8; 32], ScriptError> {
    let path = control
        .get(CONTROL_BASE..)
        .filter(|path| path.len() % CONTROL_NODE == 0)
        .filter(|path| path.len() / CONTROL_NODE <= CONTROL_DEPTH_MAX)
        .ok_or(ScriptError::ControlBlockLength)?;
    let leaf = leaf_hash(control[0] & 0xfe, script);
    let root = path.chunks_exact(CONTROL_NODE).fold(leaf, |node, other| {
        let (first, second) = if node[..] < *other {
            (&node[..], other)
        } else {
            (other, &node[..])
        };
        let mut engine = tagged_engine("TapBranch");
        engine.put(first);
        engine.put(second);
        engine.finalize().into()
    });
    let internal = &control[1..CONTROL_BASE];
    if !is_tweak(key, internal, &root, control[0] & 1) {
        return Err(ScriptError::WitnessMismatch);
    }
    Ok(leaf)
}

/// The hash of a leaf of this version.
pub(super) fn leaf_hash(version: u8, script: &[u8]) -> [u8; 32] {
    let mut engine: Sha256 = tagged_engine("TapLeaf");
    engine.put(&[version]);
    put_compact(&mut engine, script.len());
    engine.put(script);
    engine.finalize().into()
}

/// Whether `key` is the internal key tweaked by the root, with this parity.
fn is_tweak(key: &[u8], internal: &[u8], root: &[u8; 32], parity: u8) -> bool {
    let mut engine = tagged_engine("TapTweak");
    engine.put(internal);
    engine.put(root);
    let tweak: [u8; 32] = engine.finalize().into();
    let parsed = (
        secp256k1::XOnlyPublicKey::from_slice(key),
        secp256k1::XOnlyPublicKey::from_slice(internal),
        secp256k1::Scalar::from_be_bytes(tweak),
        secp256k1::Parity::from_u8(parity),
    );
    let (Ok(key), Ok(internal), Ok(tweak), Ok(parity)) = parsed else {
        return false;
    };
    internal.tweak_add_check(secp256k1::SECP256K1, &key, parity, tweak)
}

#[cfg(test)]
mod tests;
