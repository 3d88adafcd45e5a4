//! Writing scripts.

use super::opcode::{
    OP_0, OP_1, OP_1NEGATE, OP_CHECKSIG, OP_DUP, OP_EQUAL, OP_EQUALVERIFY, OP_HASH160,
    OP_PUSHDATA1, OP_PUSHDATA2, OP_PUSHDATA4,
};
use super::{Script, number};
use crate::hash::{hash160, sha256};

/// Appends operations to a script.
#[derive(Clone, Debug, Default)]
pub struct ScriptBuilder(Vec<u8>);

impl ScriptBuilder {
    /// An empty script.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Appends an operation.
    #[must_use]
    pub fn op(mut self, opcode: u8) -> Self {
        self.0.push(opcode);
        self
    }

    /// Pushes bytes with the shortest length form (a number stays a push of bytes).
    ///
    /// # Panics
    /// If the data has 2^32 bytes or more, which no script can hold.
    #[must_use]
    pub fn push(mut self, data: &[u8]) -> Self {
        let length = u32::try_from(data.len()).expect("a push is far below 4 GiB");
        let [a, b, _, _] = length.to_le_bytes();
        match length {
            0..=0x4b => self.0.push(a),
            0x4c..=0xff => self.0.extend([OP_PUSHDATA1, a]),
            0x100..=0xffff => self.0.extend([OP_PUSHDATA2, a, b]),
            _ => {
                self.0.push(OP_PUSHDATA4);
                self.0.extend(length.to_le_bytes());
            }
        }
        self.0.extend_from_slice(data);
        self
    }

    /// Pushes a number in its shortest form.
    #[must_use]
    pub fn number(self, value: i64) -> Self {
        match value {
            -1 => self.op(OP_1NEGATE),
            0 => self.op(OP_0),
            1..=16 => self.op(OP_1 + u8::try_from(value - 1).expect("at most 15")),
            _ => self.push(&number::encode(value)),
        }
    }

    /// The script.
    #[must_use]
    pub fn build(self) -> Script {
        Script(self.0)
    }
}

impl Script {
    /// Pays to whoever shows a key with this hash and a signature.
    #[must_use]
    pub fn pay_to_pubkey_hash(hash: &[u8; 20]) -> Self {
        ScriptBuilder::new()
            .op(OP_DUP)
            .op(OP_HASH160)
            .push(hash)
            .op(OP_EQUALVERIFY)
            .op(OP_CHECKSIG)
            .build()
    }

    /// Pays to whoever fulfils this script.
    #[must_use]
    pub fn pay_to_script_hash(redeem: &Self) -> Self {
        ScriptBuilder::new()
            .op(OP_HASH160)
            .push(&hash160(redeem.as_bytes()))
            .op(OP_EQUAL)
            .build()
    }

    /// Pays to the key with this hash, the signature in the witness.
    #[must_use]
    pub fn pay_to_witness_pubkey_hash(hash: &[u8; 20]) -> Self {
        ScriptBuilder::new().op(OP_0).push(hash).build()
    }

    /// Pays to whoever fulfils this script in the witness.
    #[must_use]
    pub fn pay_to_witness_script_hash(script: &Self) -> Self {
        let hash = sha256(script.as_bytes());
        ScriptBuilder::new().op(OP_0).push(&hash).build()
    }

    /// Pays to a (tweaked) taproot key.
    #[must_use]
    pub fn pay_to_taproot(key: &[u8; 32]) -> Self {
        ScriptBuilder::new().op(OP_1).push(key).build()
    }

    /// The hash under which a public key or a redeem script is paid.
    #[must_use]
    pub fn hash160(data: &[u8]) -> [u8; 20] {
        hash160(data)
    }
}
