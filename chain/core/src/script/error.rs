//! Why a script does not allow a spend.

use thiserror::Error;

/// A rule that a spend breaks. The first part is consensus, the last only keeps
/// transactions from being relayed (see [`super::Strictness`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ScriptError {
    /// The script ends without a true item.
    #[error("the script ends without a true item")]
    EvaluatesToFalse,
    /// The script says that it cannot be fulfilled.
    #[error("the script returns early")]
    EarlyReturn,
    /// The script is too long.
    #[error("the script is longer than 10,000 bytes")]
    ScriptTooLong,
    /// A pushed item is too long.
    #[error("a pushed item is longer than 520 bytes")]
    ItemTooLong,
    /// The script has too many operations.
    #[error("the script has more than 201 operations")]
    TooManyOperations,
    /// Too many items on the stacks.
    #[error("more than 1000 items are on the stacks")]
    StackTooDeep,
    /// The number of signatures or keys of a check is out of range.
    #[error("the number of signatures or keys is out of range")]
    MultisigCount,
    /// An operation does not exist, or a push is cut off.
    #[error("an operation does not exist or is cut off")]
    BadOperation,
    /// An operation is disabled, even where it is not executed.
    #[error("a disabled operation")]
    DisabledOperation,
    /// An operation finds too few items, or items it cannot use.
    #[error("an operation finds too few items")]
    MissingItem,
    /// An item is no number of the allowed length.
    #[error("an item is not a number of the allowed length")]
    NotANumber,
    /// A check that had to hold did not.
    #[error("a check that had to hold did not")]
    VerifyFailed,
    /// Branches do not match.
    #[error("branches do not match")]
    UnbalancedBranches,
    /// A lock time is negative.
    #[error("a lock time is negative")]
    NegativeLockTime,
    /// A lock time is not reached.
    #[error("a lock time is not reached")]
    LockTimeNotReached,
    /// An ECDSA signature is not strict DER (BIP 66).
    #[error("a signature is not strict DER")]
    SignatureEncoding,
    /// The extra item of a check of many signatures is not empty (BIP 147).
    #[error("the extra item of a check of many signatures is not empty")]
    DummyNotEmpty,
    /// An input that pays to a script hash does more than push.
    #[error("the input script does more than push")]
    InputNotPushOnly,
    /// A witness program has a length its version does not know.
    #[error("a witness program of wrong length")]
    WitnessProgramLength,
    /// The witness is empty.
    #[error("the witness is empty")]
    WitnessMissing,
    /// The witness does not belong to the program.
    #[error("the witness does not belong to the program")]
    WitnessMismatch,
    /// The input script of a witness program is not empty (or not just the program).
    #[error("the input script of a witness program holds something else")]
    WitnessMalleated,
    /// A witness where none is read.
    #[error("a witness where none is read")]
    WitnessUnexpected,
    /// More than the result is left on a witness script's stack.
    #[error("more than the result is left on the stack")]
    StackNotClean,
    /// A Schnorr signature has neither 64 nor 65 bytes.
    #[error("a Schnorr signature has neither 64 nor 65 bytes")]
    SchnorrLength,
    /// A Schnorr signature names an unknown type of hash.
    #[error("a Schnorr signature names an unknown type of hash")]
    SchnorrHashType,
    /// A Schnorr signature is wrong.
    #[error("a Schnorr signature is wrong")]
    SchnorrSignature,
    /// A taproot control block has a wrong length.
    #[error("a control block has a wrong length")]
    ControlBlockLength,
    /// More signatures than the witness pays for by its size.
    #[error("more signatures than the witness pays for")]
    SignatureBudget,
    /// A check of many signatures in tapscript.
    #[error("a check of many signatures in tapscript")]
    MultisigInTapscript,
    /// A condition is neither empty nor one.
    #[error("a condition is neither empty nor one")]
    ConditionNotMinimal,
    /// An empty public key.
    #[error("an empty public key")]
    EmptyPublicKey,

    /// Relay: a number or push is not in its shortest form.
    #[error("a number or push is not in its shortest form")]
    NotMinimal,
    /// Relay: the signature's second half is high, so another form exists.
    #[error("a signature has a high second half")]
    HighS,
    /// Relay: an unknown type of hash.
    #[error("a signature names an unknown type of hash")]
    HashType,
    /// Relay: a public key of unusual form.
    #[error("a public key of unusual form")]
    PublicKeyForm,
    /// Relay: a failed check with a signature that is not empty.
    #[error("a failed check with a signature that is not empty")]
    FailedSignatureNotEmpty,
    /// Relay: the signed script changes with the signature.
    #[error("the signed script is not constant")]
    ScriptCodeNotConstant,
    /// Relay: uses what later rules may give a meaning.
    #[error("uses what later rules may give a meaning")]
    Upgradable,
}
