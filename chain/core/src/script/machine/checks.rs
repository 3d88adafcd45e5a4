//! Operations that hash, compare, check signatures and check locks.

use sha2::Digest;

use super::{Machine, take};
use crate::hash::{hash160, sha256, sha256d};
use crate::rules::{
    LOCK_TIME_THRESHOLD, SEQUENCE_DISABLED, SEQUENCE_FINAL, SEQUENCE_IS_TIME, SEQUENCE_MASK,
};
use crate::script::number::LOCK_TIME_BYTES;
use crate::script::opcode::{
    OP_CHECKMULTISIG, OP_CHECKMULTISIGVERIFY, OP_CHECKSIG, OP_CHECKSIGADD, OP_CHECKSIGVERIFY,
    OP_EQUAL, OP_EQUALVERIFY, OP_HASH160, OP_HASH256, OP_RIPEMD160, OP_SHA1, OP_SHA256,
};
use crate::script::sighash::{SIGHASH_DEFAULT, TaprootExtra};
use crate::script::signature::{
    check_key_form, check_signature_encoding, ecdsa_holds, schnorr_holds,
};
use crate::script::stack::Item;
use crate::script::{Instructions, ScriptBuilder, ScriptError, SigVersion};

/// Most keys of one check of many signatures.
const MAX_MULTISIG_KEYS: i64 = 20;
/// What one signature takes from the budget of a tapscript.
const SIGNATURE_COST: i64 = 50;

impl Machine<'_, '_> {
    /// Executes the operation if it is one of these.
    pub(super) fn check(&mut self, opcode: u8) -> Result<bool, ScriptError> {
        match opcode {
            OP_EQUAL | OP_EQUALVERIFY => {
                let [a, b] = take(self.stack)?;
                self.stack.push_bool(a == b);
                if opcode == OP_EQUALVERIFY {
                    self.verify()?;
                }
            }
            OP_RIPEMD160 | OP_SHA1 | OP_SHA256 | OP_HASH160 | OP_HASH256 => {
                let item = self.stack.pop()?;
                self.stack.push(digest(opcode, &item));
            }
            OP_CHECKSIG | OP_CHECKSIGVERIFY => {
                let [signature, key] = take(self.stack)?;
                let holds = self.signature_holds(&signature, &key)?;
                self.stack.push_bool(holds);
                if opcode == OP_CHECKSIGVERIFY {
                    self.verify()?;
                }
            }
            OP_CHECKSIGADD if self.version == SigVersion::Tapscript => self.add_signature()?,
            OP_CHECKMULTISIG | OP_CHECKMULTISIGVERIFY => {
                let holds = self.multisig()?;
                self.stack.push_bool(holds);
                if opcode == OP_CHECKMULTISIGVERIFY {
                    self.verify()?;
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn signature_holds(&mut self, signature: &[u8], key: &[u8]) -> Result<bool, ScriptError> {
        match self.version {
            SigVersion::Tapscript => self.schnorr_holds(signature, key),
            SigVersion::Legacy | SigVersion::WitnessV0 => {
                let code = self.script_code(std::slice::from_ref(&signature))?;
                let holds = self.ecdsa_holds(signature, key, &code)?;
                if !holds && !signature.is_empty() && self.is_relay() {
                    return Err(ScriptError::FailedSignatureNotEmpty);
                }
                Ok(holds)
            }
        }
    }

    /// The script that signatures sign: from the last separator on, and before segregated
    /// witnesses without the signatures themselves.
    fn script_code(&self, signatures: &[&[u8]]) -> Result<Vec<u8>, ScriptError> {
        let mut code = self.script[self.code_start..].to_vec();
        if self.version == SigVersion::Legacy {
            for signature in signatures {
                let push = ScriptBuilder::new().push(signature).build();
                let without = without_operation(&code, push.as_bytes());
                if without.len() != code.len() && self.is_relay() {
                    return Err(ScriptError::ScriptCodeNotConstant);
                }
                code = without;
            }
        }
        Ok(code)
    }

    fn ecdsa_holds(&self, signature: &[u8], key: &[u8], code: &[u8]) -> Result<bool, ScriptError> {
        let strictness = self.environment.strictness;
        check_signature_encoding(signature, strictness)?;
        check_key_form(key, self.version, strictness)?;
        let Some((hash_type, der)) = signature.split_last() else {
            return Ok(false);
        };
        let (hashes, input) = (self.environment.hashes, self.environment.input);
        let hash = match self.version {
            SigVersion::Legacy => hashes.legacy(input, code, *hash_type),
            SigVersion::WitnessV0 | SigVersion::Tapscript => {
                hashes.witness_v0(input, code, *hash_type)
            }
        };
        Ok(ecdsa_holds(der, key, &hash))
    }

    /// Tapscript's check: an empty signature is false, a wrong one ends the script.
    fn schnorr_holds(&mut self, signature: &[u8], key: &[u8]) -> Result<bool, ScriptError> {
        let leaf = self.leaf.as_mut().expect("tapscript runs with its leaf");
        let given = !signature.is_empty();
        if given {
            leaf.budget -= SIGNATURE_COST;
            if leaf.budget < 0 {
                return Err(ScriptError::SignatureBudget);
            }
        }
        let extra = TaprootExtra {
            annex: leaf.annex,
            leaf: Some((leaf.hash, self.separator)),
        };
        match key.len() {
            0 => return Err(ScriptError::EmptyPublicKey),
            32 if given => check_schnorr(self.environment, signature, key, extra)?,
            32 => {}
            _ if self.is_relay() => return Err(ScriptError::Upgradable),
            _ => {}
        }
        Ok(given)
    }

    fn add_signature(&mut self) -> Result<(), ScriptError> {
        self.stack.need(3)?;
        let max = crate::script::number::DEFAULT_BYTES;
        let count = self
            .stack
            .peek_number(1, max, self.environment.strictness)?;
        let [signature, _, key] = take(self.stack)?;
        let holds = self.schnorr_holds(&signature, &key)?;
        self.stack.push_number(count + i64::from(holds));
        Ok(())
    }

    /// Takes `0 signatures… m keys… n` off the stack: whether m of the n keys signed, in
    /// their order.
    fn multisig(&mut self) -> Result<bool, ScriptError> {
        if self.version == SigVersion::Tapscript {
            return Err(ScriptError::MultisigInTapscript);
        }
        let keys = self.counted_items(MAX_MULTISIG_KEYS)?;
        self.count_operations(keys.len())?;
        let keys_max = i64::try_from(keys.len()).expect("at most 20 keys");
        let signatures = self.counted_items(keys_max)?;
        self.stack.need(1)?;
        let given: Vec<&[u8]> = signatures.iter().rev().map(Vec::as_slice).collect();
        let code = self.script_code(&given)?;
        let holds = self.all_signed(&signatures, &keys, &code)?;
        if !holds && self.is_relay() && signatures.iter().any(|given| !given.is_empty()) {
            return Err(ScriptError::FailedSignatureNotEmpty);
        }
        if !self.stack.pop()?.is_empty() {
            return Err(ScriptError::DummyNotEmpty);
        }
        Ok(holds)
    }

    /// A number of at most `max`, then that many items below it, in stack order.
    fn counted_items(&mut self, max: i64) -> Result<Vec<Item>, ScriptError> {
        let count = self.stack.pop_number(self.environment.strictness)?;
        if !(0..=max).contains(&count) {
            return Err(ScriptError::MultisigCount);
        }
        let count = usize::try_from(count).expect("between 0 and 20");
        self.stack.need(count)?;
        Ok(self.stack.0.split_off(self.stack.len() - count))
    }

    /// Signatures and keys are compared from the top of the stack downwards; a key that does
    /// not fit is passed over. Bytes are checked exactly as far as the comparison goes.
    fn all_signed(
        &self,
        signatures: &[Item],
        keys: &[Item],
        code: &[u8],
    ) -> Result<bool, ScriptError> {
        let mut left = signatures.len();
        for (passed, key) in keys.iter().rev().enumerate() {
            if left == 0 {
                break;
            }
            if left > keys.len() - passed {
                return Ok(false);
            }
            if self.ecdsa_holds(&signatures[left - 1], key, code)? {
                left -= 1;
            }
        }
        Ok(left == 0)
    }

    /// BIP 65.
    pub(super) fn check_lock_time(&self) -> Result<(), ScriptError> {
        let strictness = self.environment.strictness;
        let lock = self.stack.peek_number(0, LOCK_TIME_BYTES, strictness)?;
        if lock < 0 {
            return Err(ScriptError::NegativeLockTime);
        }
        let transaction = self.environment.hashes.transaction();
        let current = i64::from(transaction.lock_time);
        let threshold = i64::from(LOCK_TIME_THRESHOLD);
        let same_kind = (lock < threshold) == (current < threshold);
        let sequence = transaction.inputs[self.environment.input].sequence;
        if !same_kind || lock > current || sequence == SEQUENCE_FINAL {
            return Err(ScriptError::LockTimeNotReached);
        }
        Ok(())
    }

    /// BIP 112.
    pub(super) fn check_sequence(&self) -> Result<(), ScriptError> {
        let strictness = self.environment.strictness;
        let lock = self.stack.peek_number(0, LOCK_TIME_BYTES, strictness)?;
        if lock < 0 {
            return Err(ScriptError::NegativeLockTime);
        }
        if lock & i64::from(SEQUENCE_DISABLED) != 0 {
            return Ok(());
        }
        let transaction = self.environment.hashes.transaction();
        let current = transaction.inputs[self.environment.input].sequence;
        let kept = i64::from(SEQUENCE_IS_TIME | SEQUENCE_MASK);
        let is_time = i64::from(SEQUENCE_IS_TIME);
        let (lock, given) = (lock & kept, i64::from(current) & kept);
        let in_force = transaction.version >= 2 && current & SEQUENCE_DISABLED == 0;
        if !in_force || lock & is_time != given & is_time || lock > given {
            return Err(ScriptError::LockTimeNotReached);
        }
        Ok(())
    }
}

/// Checks a Schnorr signature of a key spend or a tapscript.
pub(in crate::script) fn check_schnorr(
    environment: super::Environment<'_>,
    signature: &[u8],
    key: &[u8],
    extra: TaprootExtra<'_>,
) -> Result<(), ScriptError> {
    let (signature, hash_type) = match signature.split_last() {
        // The default is said by leaving the type out.
        Some((&SIGHASH_DEFAULT, rest)) if rest.len() == 64 => {
            return Err(ScriptError::SchnorrHashType);
        }
        Some((hash_type, rest)) if rest.len() == 64 => (rest, *hash_type),
        _ if signature.len() == 64 => (signature, SIGHASH_DEFAULT),
        _ => return Err(ScriptError::SchnorrLength),
    };
    let hash = environment
        .hashes
        .taproot(environment.input, hash_type, extra);
    let hash = hash.ok_or(ScriptError::SchnorrHashType)?;
    if !schnorr_holds(signature, key, &hash) {
        return Err(ScriptError::SchnorrSignature);
    }
    Ok(())
}

fn digest(opcode: u8, item: &[u8]) -> Item {
    match opcode {
        OP_RIPEMD160 => ripemd::Ripemd160::digest(item).to_vec(),
        OP_SHA1 => sha1::Sha1::digest(item).to_vec(),
        OP_SHA256 => sha256(item).to_vec(),
        OP_HASH160 => hash160(item).to_vec(),
        _ => sha256d(item).to_vec(),
    }
}

/// A script without every occurrence of an operation that begins at an operation's place.
fn without_operation(script: &[u8], operation: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(script.len());
    let mut instructions = Instructions::new(script);
    loop {
        let mut rest = instructions.rest();
        while rest.starts_with(operation) {
            rest = &rest[operation.len()..];
            instructions = Instructions::new(rest);
        }
        match instructions.next() {
            Some(Ok(_)) => {
                let length = rest.len() - instructions.rest().len();
                kept.extend_from_slice(&rest[..length]);
            }
            _ => {
                kept.extend_from_slice(rest);
                return kept;
            }
        }
    }
}
