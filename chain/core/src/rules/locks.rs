//! Earliest times: absolute lock times and relative ones (BIP 68, BIP 113).

use crate::transaction::Transaction;

/// Lock times below are heights, from here on Unix seconds.
pub const LOCK_TIME_THRESHOLD: u32 = 500_000_000;
/// An input with this sequence ignores all locks.
pub(crate) const SEQUENCE_FINAL: u32 = u32::MAX;
/// A sequence with this bit is no relative lock.
pub(crate) const SEQUENCE_DISABLED: u32 = 1 << 31;
/// A relative lock with this bit counts time, otherwise blocks.
pub(crate) const SEQUENCE_IS_TIME: u32 = 1 << 22;
/// The length of a relative lock.
pub(crate) const SEQUENCE_MASK: u32 = 0xffff;
/// Relative time is counted in units of 512 seconds.
const SEQUENCE_TIME_SHIFT: u32 = 9;

/// Whether a transaction's absolute lock allows it in the block at `height`, whose parent has
/// this median time.
#[must_use]
pub fn is_final(transaction: &Transaction, height: u32, median_time_past: u32) -> bool {
    let lock = transaction.lock_time;
    let reached = if lock < LOCK_TIME_THRESHOLD {
        height
    } else {
        median_time_past
    };
    let ignored = || {
        let mut inputs = transaction.inputs.iter();
        inputs.all(|input| input.sequence == SEQUENCE_FINAL)
    };
    lock == 0 || lock < reached || ignored()
}

/// Where a spent coin was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpentAt {
    /// Height of its block.
    pub height: u32,
    /// Median time past of the block before that.
    pub median_time_past: u32,
}

/// Whether a transaction's relative locks allow it in the block at `height`, whose parent has
/// this median time. `spent` is asked once for each input that has a lock.
#[must_use]
pub fn relative_locks_hold(
    transaction: &Transaction,
    height: u32,
    median_time_past: u32,
    mut spent: impl FnMut(usize) -> SpentAt,
) -> bool {
    if transaction.version < 2 {
        return true;
    }
    transaction
        .inputs
        .iter()
        .enumerate()
        .all(|(input, spending)| {
            let sequence = spending.sequence;
            if sequence & SEQUENCE_DISABLED != 0 {
                return true;
            }
            let made = spent(input);
            let length = u64::from(sequence & SEQUENCE_MASK);
            if sequence & SEQUENCE_IS_TIME != 0 {
                let earliest = u64::from(made.median_time_past) + (length << SEQUENCE_TIME_SHIFT);
                earliest <= u64::from(median_time_past)
            } else {
                u64::from(made.height) + length <= u64::from(height)
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OutPoint, Script, TxIn, Witness};

    fn transaction(version: u32, lock_time: u32, sequence: u32) -> Transaction {
        Transaction {
            version,
            inputs: vec![TxIn {
                previous: OutPoint::NULL,
                script_sig: Script::default(),
                sequence,
                witness: Witness::new(),
            }],
            outputs: Vec::new(),
            lock_time,
        }
    }

    #[test]
    fn absolute_locks_end_after_their_height_or_time() {
        assert!(is_final(&transaction(1, 0, 0), 0, 0));
        assert!(!is_final(&transaction(1, 100, 0), 100, u32::MAX));
        assert!(is_final(&transaction(1, 100, 0), 101, 0));
        assert!(!is_final(
            &transaction(1, 1_600_000_000, 0),
            u32::MAX,
            1_600_000_000
        ));
        assert!(is_final(
            &transaction(1, 1_600_000_000, 0),
            0,
            1_600_000_001
        ));
        assert!(is_final(&transaction(1, u32::MAX, SEQUENCE_FINAL), 0, 0));
        assert!(!is_final(
            &transaction(1, 499_999_999, 0),
            499_999_999,
            u32::MAX
        ));
    }

    #[test]
    fn relative_locks_count_blocks_or_units_of_512_seconds() {
        let made = SpentAt {
            height: 1000,
            median_time_past: 10_000,
        };
        let holds = |version, sequence, height, time| {
            let transaction = transaction(version, 0, sequence);
            relative_locks_hold(&transaction, height, time, |_| made)
        };
        assert!(!holds(2, 10, 1009, 0));
        assert!(holds(2, 10, 1010, 0));
        assert!(holds(1, 10, 0, 0));
        assert!(holds(2, 10 | SEQUENCE_DISABLED, 0, 0));
        assert!(!holds(2, 2 | SEQUENCE_IS_TIME, u32::MAX, 11_023));
        assert!(holds(2, 2 | SEQUENCE_IS_TIME, 0, 11_024));
        assert!(holds(u32::MAX, 0, 1000, 0));
        assert!(!holds(u32::MAX, 1, 1000, 0));
    }
}
