//! Running a block's scripts on all cores.

use std::num::NonZero;
use std::thread;

use gio_coin::{Block, Spend, Strictness, verify_transaction};

use super::InvalidBlock;

/// Fewer inputs than this per thread take less time than starting the thread.
const INPUTS_PER_THREAD: usize = 16;

/// Runs the scripts of all spends.
///
/// # Errors
/// The first transaction that fails.
pub(super) fn verify(block: &Block, spends: &[Spend]) -> Result<(), InvalidBlock> {
    let inputs: usize = spends.iter().map(|spend| spend.coins.len()).sum();
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = cores.min(inputs / INPUTS_PER_THREAD).max(1);
    if threads == 1 {
        return verify_part(block, spends);
    }
    let part = spends.len().div_ceil(threads).max(1);
    thread::scope(|scope| {
        let parts: Vec<_> = spends
            .chunks(part)
            .map(|part| scope.spawn(move || verify_part(block, part)))
            .collect();
        parts.into_iter().try_for_each(|part| match part.join() {
            Ok(verdict) => verdict,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}

fn verify_part(block: &Block, spends: &[Spend]) -> Result<(), InvalidBlock> {
    spends.iter().try_for_each(|spend| {
        let transaction = spend.transaction;
        verify_transaction(
            &block.transactions[transaction],
            &spend.coins,
            Strictness::Consensus,
        )
        .map_err(|source| InvalidBlock::Script {
            transaction,
            source,
        })
    })
}
