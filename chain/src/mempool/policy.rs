//! What is passed on: narrower than what blocks may contain.

use std::str;

use gio_coin::{MAX_BLOCK_SIGOPS, Transaction};

use super::{FeeRate, PolicyError};

/// Bytes of an input that spends an ordinary output: what a coin costs to get rid of.
const INPUT_BYTES: usize = 148;
/// Newest version with a meaning.
const VERSION_MAX: u32 = 2;

/// Limits of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MempoolLimits {
    /// Bytes of all transactions together: memory, several times that in structures.
    pub bytes_max: usize,
    /// Largest transaction that is passed on: a twentieth of a block.
    pub transaction_bytes_max: usize,
    /// Most signature checks of a transaction, those of witnesses included: a fifth of a block. Bounds what it costs to
    /// find out that the last of them fails.
    pub transaction_sigops_max: usize,
    /// The least rate: makes filling the network with transactions cost something.
    pub relay_rate_min: FeeRate,
    /// Most transactions one replacement removes.
    pub replaced_max: usize,
    /// Most unconfirmed ancestors or descendants, the transaction itself included.
    pub family_max: usize,
}

impl Default for MempoolLimits {
    fn default() -> Self {
        Self {
            bytes_max: 64 << 20,
            transaction_bytes_max: 100_000,
            transaction_sigops_max: MAX_BLOCK_SIGOPS / 5,
            relay_rate_min: FeeRate::per_kilobyte(1000),
            replaced_max: 100,
            family_max: 25,
        }
    }
}

/// Whether a transaction is passed on, as far as it can be said without its coins.
pub(super) fn check(transaction: &Transaction, limits: &MempoolLimits) -> Result<(), PolicyError> {
    if transaction.is_coinbase() {
        return Err(PolicyError::Coinbase);
    }
    if !(1..=VERSION_MAX).contains(&transaction.version) {
        return Err(PolicyError::Version(transaction.version));
    }
    let (bytes, max) = (transaction.encoded_len(), limits.transaction_bytes_max);
    if bytes > max {
        return Err(PolicyError::TooLarge { bytes, max });
    }
    for (output, made) in transaction.outputs.iter().enumerate() {
        let script = made.script_pubkey.as_bytes().len();
        let least = limits.relay_rate_min.fee_of(8 + script + INPUT_BYTES);
        let kept = !made.script_pubkey.is_unspendable();
        if kept && made.value < least {
            return Err(PolicyError::Dust { output, least });
        }
        if str::from_utf8(made.link.as_bytes()).is_err() {
            return Err(PolicyError::LinkNotText(output));
        }
    }
    Ok(())
}

/// Whether a transaction is passed on in spite of the signatures it may make others check.
pub(super) fn check_sigops(count: usize, limits: &MempoolLimits) -> Result<(), PolicyError> {
    let max = limits.transaction_sigops_max;
    if count > max {
        return Err(PolicyError::TooManySigops { count, max });
    }
    Ok(())
}
