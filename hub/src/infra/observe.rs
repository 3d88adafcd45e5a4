//! Everything the hub tells its operator, one function per event. No other file logs.

use std::error::Error;

use gio_protocol::{Address, B256, Cu, DealId, Gio};
use tracing::{debug, info, warn};

use crate::infra::progress::Stage;

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
    info!(%deal, ?stage, "deal moved on");
}

pub(crate) fn miner_joined(miner: Address, places: u32) {
    info!(%miner, places, "miner joined");
}

pub(crate) fn miner_left(miner: Address) {
    info!(%miner, "miner left");
}

pub(crate) fn units_assigned(count: usize) {
    debug!(count, "units assigned");
}

pub(crate) fn units_requeued(count: usize) {
    info!(count, "units back in the queue");
}

pub(crate) fn claim_refused(miner: Address, deal: DealId, unit: u32, reason: &str) {
    warn!(%miner, %deal, unit, reason, "claim refused");
}

pub(crate) fn unit_failed(miner: Address, deal: DealId, unit: u32, reason: &str) {
    info!(%miner, %deal, unit, reason, "miner gave a unit back");
}

pub(crate) fn result_posted(deal: DealId, root: B256, cu: Cu) {
    info!(%deal, %root, %cu, "result posted");
}

pub(crate) fn miner_paid(deal: DealId, miner: Address, net: Gio, gross: Gio) {
    info!(%deal, %miner, %net, %gross, "miner paid");
}

pub(crate) fn foreign_deal(deal: DealId) {
    warn!(%deal, "a deal was opened in this wallet that this hub does not know; it will refund after its deadline");
}

pub(crate) fn retrying(what: &'static str, error: &dyn Error) {
    warn!(what, error = chain(error), "will try again");
}

pub(crate) fn given_up(what: &'static str, deal: DealId, error: &dyn Error) {
    warn!(what, %deal, error = chain(error), "given up");
}
