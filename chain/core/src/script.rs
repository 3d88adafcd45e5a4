//! Scripts: the conditions on outputs and what fulfils them.

mod build;
mod error;
mod machine;
mod number;
pub mod opcode;
mod parse;
mod sighash;
mod signature;
mod sigops;
mod stack;
mod verify;

use std::fmt;

use opcode::{OP_EQUAL, OP_HASH160, OP_RETURN};

pub use build::ScriptBuilder;
pub use error::ScriptError;
pub(crate) use parse::Instructions;
pub use sighash::{
    SIGHASH_ALL, SIGHASH_ANYONE, SIGHASH_DEFAULT, SIGHASH_NONE, SIGHASH_SINGLE, SignatureHashes,
    TaprootExtra,
};
pub(crate) use sigops::{sigops, sigops_of_spend, witness_sigops};
pub use verify::{InputError, verify_input, verify_transaction};

/// Longest script outside tapscript.
pub(crate) const MAX_SCRIPT_BYTES: usize = 10_000;

/// How much is asked of a spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// What blocks must fulfil: Bitcoin's rules of today, all of them from the first block.
    Consensus,
    /// What the mempool asks besides: nothing that a third party can alter or a later rule
    /// may give another meaning.
    Relay,
}

/// Which rules an executed script follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SigVersion {
    /// In inputs, outputs and behind script hashes.
    Legacy,
    /// In a witness of version 0.
    WitnessV0,
    /// In a leaf of a taproot output.
    Tapscript,
}

/// A script's bytes. Any bytes are a script; whether it can be fulfilled is another question.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Script(Vec<u8>);

impl Script {
    /// A script of these bytes.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether nothing can ever fulfil it, so that its output is never kept as a coin.
    #[must_use]
    pub fn is_unspendable(&self) -> bool {
        self.0.first() == Some(&OP_RETURN) || self.0.len() > MAX_SCRIPT_BYTES
    }

    /// Whether it pays to the hash of a script.
    #[must_use]
    pub fn is_pay_to_script_hash(&self) -> bool {
        matches!(self.0.as_slice(), [OP_HASH160, 20, .., OP_EQUAL] if self.0.len() == 23)
    }

    /// The witness program it is, if it is one.
    #[must_use]
    pub fn witness_program(&self) -> Option<WitnessProgram<'_>> {
        let [version, length, program @ ..] = self.0.as_slice() else {
            return None;
        };
        let version = opcode::small_number(*version)?;
        let fits = (2..=40).contains(&program.len()) && usize::from(*length) == program.len();
        fits.then_some(WitnessProgram { version, program })
    }

    /// Whether it only pushes data.
    #[must_use]
    pub fn is_push_only(&self) -> bool {
        Instructions::new(&self.0).all(|next| next.is_ok_and(|instruction| instruction.is_push()))
    }

    pub(crate) fn instructions(&self) -> Instructions<'_> {
        Instructions::new(&self.0)
    }
}

/// An output condition whose fulfilment stands in the witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WitnessProgram<'a> {
    /// Which rules read it: 0 segwit, 1 taproot, 2 to 16 not yet given a meaning.
    pub version: u8,
    /// A hash or a key.
    pub program: &'a [u8],
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Script(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}
