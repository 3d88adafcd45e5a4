//! Everything an operator can see: one function per event. Info is a change of state, warn is a retry or lost money.

use std::error::Error;
use std::net::SocketAddr;

use gio_agent::control::Reply;
use gio_protocol::{Address, B256, DealId, Gio, PricePerPu};
use tracing::{debug, error, info, warn};

use super::metrics;
use super::store::{PartRow, PayoutRow};
use crate::domain::order::UnitKey;
use crate::domain::trust::Judgement;

/// An error with its chain of causes, as the log prints it.
type Cause<'a> = &'a (dyn Error + 'static);

/// The miner runs.
pub fn started(owner: Address, cores: u32, exposure_initial: Gio) {
    info!(%owner, cores, %exposure_initial, "miner started");
}

/// Where metrics and health are.
pub fn serving_metrics(addr: SocketAddr) {
    info!(%addr, "metrics and health are served");
}

/// Commands cannot reach this miner.
pub fn without_control(failure: Cause<'_>) {
    warn!(
        failure,
        "drain, resume and reload cannot reach this miner; SIGHUP and SIGTERM do"
    );
}

/// The config was read again.
pub fn reloaded(outcome: &Reply) {
    if outcome.done {
        info!("prices and limits were read again");
    } else {
        warn!(reason = outcome.text, "the config was not taken over");
    }
}

/// A stop signal came.
pub fn draining(running: usize) {
    info!(running, "stopping; no new orders");
}

/// Everything is on disk.
pub fn stopped() {
    info!("miner stopped");
}

/// A part of the miner ended, and the miner with it.
pub fn service_failed(service: &'static str, failure: Cause<'_>) {
    error!(service, failure, "a service failed");
}

/// This miner thinks something new of a hub.
pub fn hub_judged(wallet: Address, name: &str, judgement: &Judgement) {
    let reason = judgement.reason.to_string();
    info!(%wallet, name, status = judgement.status.name(), reason, "hub judged");
}

/// A hub cannot be judged now; the last judgement stands.
pub fn hub_not_judged(wallet: Address, failure: Cause<'_>) {
    warn!(%wallet, failure, "the chain says nothing of a hub; its last status stands");
}

/// A work stream is open.
pub fn connected(wallet: Address, name: &str, limit: Gio, resent: usize) {
    info!(%wallet, name, %limit, resent, "connected to a hub");
}

/// A work stream ended.
pub fn disconnected(wallet: Address, reason: Cause<'_>) {
    warn!(%wallet, reason, "a work stream ended");
}

/// A deal was found open and true.
pub fn deal_taken(wallet: Address, deal: DealId, net_price: PricePerPu) {
    info!(%wallet, %deal, net_price = %net_price.0, "working on a deal");
}

/// An order was given back before it ran.
pub fn order_refused(key: UnitKey, reason: Cause<'_>, retryable: bool) {
    metrics::UNITS_REFUSED.inc();
    let UnitKey { deal, unit } = key;
    if retryable {
        debug!(%deal, unit, reason, "order given back");
    } else {
        warn!(%deal, unit, reason, "order refused");
    }
}

/// A unit ended without a result.
pub fn unit_failed(key: UnitKey, reason: Cause<'_>) {
    metrics::UNITS_FAILED.inc();
    let UnitKey { deal, unit } = key;
    warn!(%deal, unit, reason, "unit failed");
}

/// Claims are on disk.
pub fn claims_made(wallet: Address, count: usize) {
    metrics::CLAIMS_MADE.add(count as u64);
    debug!(%wallet, count, "claims signed");
}

/// Claims are countersigned.
pub fn claims_accepted(wallet: Address, count: usize) {
    metrics::CLAIMS_ACCEPTED.add(count as u64);
    debug!(%wallet, count, "claims accepted");
}

/// The hub did not take a claim.
pub fn claim_rejected(key: UnitKey, reason: &str) {
    metrics::CLAIMS_REJECTED.inc();
    let UnitKey { deal, unit } = key;
    warn!(%deal, unit, reason, "claim rejected");
}

/// The hub's countersignature is not one: the claim stays unanswered (R14).
pub fn acceptance_invalid(wallet: Address, reason: Cause<'_>) {
    warn!(%wallet, reason, "an acceptance without the hub's signature");
}

/// A result did not reach the hub.
pub fn upload_failed(key: UnitKey, reason: Cause<'_>) {
    let UnitKey { deal, unit } = key;
    warn!(%deal, unit, reason, "a result could not be uploaded; trying again");
}

/// A result is gone from this disk; the unit goes back.
pub fn output_lost(key: UnitKey) {
    let UnitKey { deal, unit } = key;
    warn!(%deal, unit, "a result was lost from disk; the unit goes back");
}

/// A message that means nothing.
pub fn message_senseless(wallet: Address, reason: Cause<'_>) {
    warn!(%wallet, reason, "the hub sent a senseless message");
}

/// The hub speaks of another wallet's payment, which counts for nothing (HW-13).
pub fn foreign_payment(wallet: Address, named: Address) {
    warn!(%wallet, %named, "the hub names another wallet as payer; only the deals' wallet counts");
}

/// The hub says it paid.
pub fn payment_promised(wallet: Address, net: Gio, tx: B256) {
    info!(%wallet, %net, %tx, "the hub says it paid");
}

/// The hub says that it paid, and has said so too often.
pub fn promise_unheard(wallet: Address) {
    debug!(%wallet, "the hub says it paid more often than it can; not listened to");
}

/// Pay is in this miner's account.
pub fn pulled(wallet: Address, amount: Gio, tx: Option<B256>) {
    metrics::PAY_RECEIVED.add(amount.units());
    let tx = tx.map(tracing::field::display);
    info!(%wallet, %amount, tx, "pay arrived");
}

/// A pull did not arrive.
pub fn pull_failed(wallet: Address, failure: Cause<'_>) {
    warn!(%wallet, failure, "pay was not collected; trying again later");
}

/// A pull of before is still to be mined.
pub fn pull_waits(wallet: Address, nonce: u64) {
    info!(%wallet, nonce, "a pull of before waits to be mined");
}

/// A wallet this miner worked for has posted a payout.
pub fn payout_posted(payout: &PayoutRow) {
    let PayoutRow {
        wallet, epoch, net, ..
    } = payout;
    info!(%wallet, epoch, %net, "a payout was posted");
}

/// A payout's leaf file is the posted one.
pub fn payout_proven(payout: &PayoutRow, parts: usize) {
    let PayoutRow { wallet, epoch, .. } = payout;
    info!(%wallet, epoch, parts, "a payout was proven");
}

/// A payout's leaf file cannot be had, or is none.
pub fn payout_not_proven(payout: &PayoutRow, reason: Cause<'_>) {
    metrics::PAYOUT_FAILURES.inc();
    let PayoutRow { wallet, epoch, .. } = payout;
    warn!(%wallet, epoch, reason, "a payout is not proven; trying again later");
}

/// A part of a payout is in this miner's account.
pub fn payout_claimed(part: &PartRow, tx: Option<B256>) {
    metrics::PAYOUTS_CLAIMED.inc();
    metrics::PAYOUTS_RECEIVED.add(part.net.units());
    let PayoutRow { wallet, epoch, .. } = part.payout;
    let tx = tx.map(tracing::field::display);
    info!(%wallet, epoch, net = %part.net, tx, "a part of a payout is claimed");
}

/// A part of a payout was not claimed.
pub fn payout_not_claimed(part: &PartRow, reason: Cause<'_>) {
    metrics::PAYOUT_FAILURES.inc();
    let PayoutRow { wallet, epoch, .. } = part.payout;
    warn!(%wallet, epoch, net = %part.net, reason, "a part of a payout is not claimed; trying again later");
}

/// What a round has left.
pub fn payouts_open(parts: u64, unproven: u64) {
    metrics::PAYOUTS_OPEN.set(parts);
    metrics::PAYOUTS_UNPROVEN.set(unproven);
}

/// The chain did not answer; what it would have changed stays as it is.
pub fn chain_silent(wallet: Address, failure: Cause<'_>) {
    metrics::CHAIN_FAILURES.inc();
    warn!(%wallet, failure, "the chain does not answer");
}

/// This miner will not believe any hub's announcements.
pub fn clock_is_off(off: &str) {
    tracing::warn!(off, "this machine's clock looks wrong; set it, best by NTP");
}
