//! Everything the hub tells its operator, one function per event. No other file logs.

use std::error::Error;

use gio_protocol::{Address, B256, Cu, DealId, Gio};
use tracing::{debug, error, info, warn};

use crate::domain::stage::Stage;

/// Longest text of a stranger in a log line.
const FOREIGN_TEXT_MAX: usize = 200;

/// The chain of causes in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// A stranger's words, short and on one line.
fn foreign(text: &str) -> String {
    text.chars()
        .take(FOREIGN_TEXT_MAX)
        .flat_map(char::escape_debug)
        .collect()
}

pub(crate) fn started(owner: Address, wallet: Address, addrs: &[String]) {
    info!(%owner, %wallet, ?addrs, "hub started");
}

pub(crate) fn stopping() {
    info!("hub stopping");
}

pub(crate) fn announced(sequence: u64) {
    debug!(sequence, "announcement published");
}

pub(crate) fn quoted(buyer: Address, price: Gio) {
    debug!(%buyer, %price, "quote given");
}

pub(crate) fn refused(buyer: Address, error: &dyn Error) {
    info!(%buyer, reason = chain(error), "deal refused");
}

pub(crate) fn stage(deal: DealId, stage: Stage) {
    info!(%deal, stage = stage.name(), "deal moved on");
}

pub(crate) fn miner_joined(miner: Address, places: u32) {
    info!(%miner, places, "miner joined");
}

pub(crate) fn miner_left(miner: Address) {
    info!(%miner, "miner left");
}

pub(crate) fn miner_too_slow(miner: Address) {
    info!(%miner, "miner does not read its messages; its session ends");
}

pub(crate) fn units_assigned(count: usize) {
    debug!(count, "units assigned");
}

pub(crate) fn units_requeued(count: usize) {
    debug!(count, "units back in the queue");
}

pub(crate) fn claim_refused(miner: Address, deal: DealId, unit: u32, reason: &str) {
    warn!(%miner, %deal, unit, reason, "claim refused");
}

pub(crate) fn units_failed(miner: Address, count: usize, deal: DealId, reason: &str) {
    debug!(%miner, count, %deal, reason = foreign(reason), "miner gave units back");
}

pub(crate) fn result_posted(deal: DealId, root: B256, cu: Cu) {
    info!(%deal, %root, %cu, "result posted");
}

pub(crate) fn foreign_result(deal: DealId, root: B256) {
    error!(%deal, %root, "another result than this hub's was posted with its key");
}

pub(crate) fn miner_paid(deal: DealId, miner: Address, net: Gio, gross: Gio) {
    info!(%deal, %miner, %net, %gross, "miner paid");
}

pub(crate) fn pay_in_doubt(count: usize) {
    info!(
        count,
        "payments of an earlier run are looked up before anything is paid"
    );
}

pub(crate) fn balance_too_low(miner: Address, gross: Gio) {
    warn!(%miner, %gross, "the wallet's free balance does not cover a miner's pay");
}

pub(crate) fn foreign_deal(deal: DealId) {
    warn!(%deal, "a deal was opened in this wallet that this hub does not know; it will refund after its deadline");
}

pub(crate) fn chain_reorganised(block: u64) {
    warn!(block, "the chain was reorganised; reading again");
}

pub(crate) fn cleaned(contents: usize, deals: u64) {
    debug!(contents, deals, "dropped contents nobody needs");
}

pub(crate) fn too_early(what: &'static str, deal: DealId, error: &dyn Error) {
    debug!(what, %deal, error = chain(error), "the chain says not yet");
}

pub(crate) fn retrying(what: &'static str, error: &dyn Error) {
    warn!(what, error = chain(error), "will try again");
}

pub(crate) fn retrying_deal(what: &'static str, deal: DealId, error: &dyn Error) {
    warn!(what, %deal, error = chain(error), "will try again");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_words_are_short_and_on_one_line() {
        assert_eq!(foreign("a\nb\u{1b}[31m"), "a\\nb\\u{1b}[31m");
        assert_eq!(foreign(&"x".repeat(10_000)).len(), FOREIGN_TEXT_MAX);
    }
}
