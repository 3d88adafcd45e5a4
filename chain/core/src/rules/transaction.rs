//! What can be said of a transaction without knowing what it spends.

use std::collections::BTreeSet;

use gio_protocol::Gio;
use thiserror::Error;

use crate::subsidy::MAX_MONEY;
use crate::transaction::{MAX_TX_BYTES, OutPoint, Transaction};

/// Most signature checks outside witnesses that one transaction may run (BIP 54): bounds the
/// bytes hashed for signatures that each cover the whole transaction.
pub const MAX_TX_SIGOPS: usize = 2500;
/// A transaction of this length could be read as an inner node of a Merkle tree (BIP 54).
const FORBIDDEN_BYTES: usize = 64;
/// Shortest input script of a coinbase.
const COINBASE_SCRIPT_BYTES_MIN: usize = 2;
/// Longest input script of a coinbase.
const COINBASE_SCRIPT_BYTES_MAX: usize = 100;

/// A rule that a transaction breaks on its own.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TransactionError {
    /// It spends nothing.
    #[error("the transaction has no inputs")]
    NoInputs,
    /// It makes nothing.
    #[error("the transaction has no outputs")]
    NoOutputs,
    /// Larger than any transaction may be.
    #[error("the transaction has {0} bytes, at most {MAX_TX_BYTES} are allowed")]
    TooLarge(usize),
    /// The bytes behind its id are 64, links included (R28).
    #[error("the transaction has 64 bytes without witnesses")]
    SixtyFourBytes,
    /// An output is worth more than can exist.
    #[error("output {output} is worth more than can exist")]
    ValueTooLarge {
        /// Its position.
        output: usize,
    },
    /// The outputs together are worth more than can exist.
    #[error("the outputs are worth more than can exist")]
    TotalTooLarge,
    /// It spends one output twice.
    #[error("output {} of {} is spent twice", .0.index, .0.txid)]
    DuplicateInput(OutPoint),
    /// An input names no output, and the transaction is no coinbase.
    #[error("input {input} names no output")]
    NullInput {
        /// Its position.
        input: usize,
    },
    /// A coinbase's input script has a wrong length.
    #[error("the coinbase's input script has {0} bytes, 2 to 100 are allowed")]
    CoinbaseScriptLength(usize),
}

/// Checks a transaction on its own.
///
/// # Errors
/// The first rule it breaks.
pub fn check_transaction(transaction: &Transaction) -> Result<(), TransactionError> {
    if transaction.inputs.is_empty() {
        return Err(TransactionError::NoInputs);
    }
    if transaction.outputs.is_empty() {
        return Err(TransactionError::NoOutputs);
    }
    let length = transaction.encoded_len();
    if length > MAX_TX_BYTES {
        return Err(TransactionError::TooLarge(length));
    }
    if transaction.txid_preimage_len() == FORBIDDEN_BYTES {
        return Err(TransactionError::SixtyFourBytes);
    }
    check_values(transaction)?;
    check_inputs(transaction)
}

fn check_values(transaction: &Transaction) -> Result<(), TransactionError> {
    let mut total = Gio::ZERO;
    for (output, made) in transaction.outputs.iter().enumerate() {
        if made.value > MAX_MONEY {
            return Err(TransactionError::ValueTooLarge { output });
        }
        total = match total.plus(made.value) {
            Ok(total) if total <= MAX_MONEY => total,
            _ => return Err(TransactionError::TotalTooLarge),
        };
    }
    Ok(())
}

fn check_inputs(transaction: &Transaction) -> Result<(), TransactionError> {
    if transaction.is_coinbase() {
        let length = transaction.inputs[0].script_sig.as_bytes().len();
        return match length {
            COINBASE_SCRIPT_BYTES_MIN..=COINBASE_SCRIPT_BYTES_MAX => Ok(()),
            _ => Err(TransactionError::CoinbaseScriptLength(length)),
        };
    }
    let mut seen = BTreeSet::new();
    for (input, spending) in transaction.inputs.iter().enumerate() {
        if spending.previous == OutPoint::NULL {
            return Err(TransactionError::NullInput { input });
        }
        if !seen.insert(spending.previous) {
            return Err(TransactionError::DuplicateInput(spending.previous));
        }
    }
    Ok(())
}
