//! Everything the hub tells its operator, one function per event. No other file logs.

use std::error::Error;
use std::net::SocketAddr;

use gio_agent::control::Reply;
use gio_protocol::{Address, B256, Cu, DealId, Gio, UnixSeconds};
use tracing::{debug, error, info, warn};

use super::metrics;
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
    metrics::QUOTES.inc();
    debug!(%buyer, %price, "quote given");
}

pub(crate) fn refused(buyer: Address, error: &dyn Error) {
    metrics::REFUSALS.inc();
    info!(%buyer, reason = chain(error), "deal refused");
}

pub(crate) fn stage(deal: DealId, stage: Stage) {
    match stage {
        Stage::Signed => metrics::DEALS_SIGNED.inc(),
        Stage::Settled => metrics::DEALS_SETTLED.inc(),
        Stage::Refunded | Stage::Cancelled | Stage::Refuted => metrics::DEALS_REFUNDED.inc(),
        Stage::Open | Stage::Running | Stage::Assembling | Stage::Posted | Stage::Expired => {}
    }
    info!(%deal, stage = stage.name(), "deal moved on");
}

pub(crate) fn deals_taken(count: u64) {
    info!(count, "deals taken that no process had");
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
    metrics::UNITS_ASSIGNED.add(count as u64);
    debug!(count, "units assigned");
}

pub(crate) fn units_requeued(count: usize) {
    metrics::UNITS_REQUEUED.add(count as u64);
    debug!(count, "units back in the queue");
}

pub(crate) fn claim_refused(miner: Address, deal: DealId, unit: u32, reason: &str) {
    metrics::CLAIMS_REFUSED.inc();
    warn!(%miner, %deal, unit, reason, "claim refused");
}

pub(crate) fn units_failed(miner: Address, count: usize, deal: DealId, reason: &str) {
    debug!(%miner, count, %deal, reason = foreign(reason), "miner gave units back");
}

pub(crate) fn result_posted(deal: DealId, root: B256, cu: Cu) {
    metrics::DEALS_POSTED.inc();
    info!(%deal, %root, %cu, "result posted");
}

pub(crate) fn cancelled(deal: DealId, until: UnixSeconds) {
    info!(%deal, %until, "the buyer cancelled; what runs is finished");
}

pub(crate) fn serving_metrics(addr: SocketAddr) {
    info!(%addr, "metrics and health are served");
}

pub(crate) fn without_control(error: &dyn Error) {
    warn!(
        error = chain(error),
        "drain, resume and reload cannot reach this hub; SIGHUP and SIGTERM do"
    );
}

pub(crate) fn reloaded(outcome: &Reply) {
    if outcome.done {
        info!("prices and limits were read again");
    } else {
        warn!(reason = outcome.text, "the config was not taken over");
    }
}

pub(crate) fn draining(units: u64) {
    info!(units, "finishing what runs");
}

pub(crate) fn foreign_result(deal: DealId, root: B256) {
    error!(%deal, %root, "another result than this hub's was posted with its key");
}

pub(crate) fn miner_paid(deal: DealId, miner: Address, net: Gio, gross: Gio) {
    metrics::PAID_NET.add(net.units());
    info!(%deal, %miner, %net, %gross, "miner paid");
}

pub(crate) fn payment_mined(deal: DealId, miner: Address, net: Gio, block: u64) {
    debug!(%deal, %miner, %net, block, "payment mined; it counts once its block is deep enough");
}

pub(crate) fn payment_taken_back(deal: DealId, miner: Address, net: Gio) {
    warn!(%deal, %miner, %net, "a reorganisation took a payment back; it is made again once it certainly is not mined any more");
}

pub(crate) fn payments_looked_up_again(count: u64) {
    info!(
        count,
        "payments near the reorganisation are looked up again"
    );
}

pub(crate) fn pay_in_doubt(count: usize) {
    info!(
        count,
        "payments that nobody followed to their end are looked up"
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

pub(crate) fn posting_taken_back(deal: DealId) {
    warn!(%deal, "a reorganisation took the posted result back; it is posted again");
}

pub(crate) fn end_taken_back(deal: DealId, ended: Stage, stage: Stage) {
    warn!(%deal, ended = ended.name(), stage = stage.name(), "a reorganisation took the deal's end back; it goes on");
}

pub(crate) fn wallet_condemned(state: &'static str) {
    warn!(
        state,
        "the wallet is not registered any more; deals under way are ended and results served, and no new deals are taken"
    );
}

pub(crate) fn cleaned(contents: usize, deals: u64) {
    debug!(contents, deals, "dropped contents nobody needs");
}

pub(crate) fn too_early(what: &'static str, deal: DealId, error: &dyn Error) {
    debug!(what, %deal, error = chain(error), "the chain says not yet");
}

pub(crate) fn retrying(what: &'static str, error: &dyn Error) {
    metrics::RETRIES.inc();
    warn!(what, error = chain(error), "will try again");
}

pub(crate) fn retrying_deal(what: &'static str, deal: DealId, error: &dyn Error) {
    metrics::RETRIES.inc();
    warn!(what, %deal, error = chain(error), "will try again");
}

/// Peers will not believe this hub's announcements.
pub fn clock_is_off(off: &str) {
    tracing::warn!(off, "this machine's clock looks wrong; set it, best by NTP");
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
