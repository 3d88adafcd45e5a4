//! A published transaction until its receipt: raising its fee, closing gaps before it, and saying what became of it.

use std::time::Duration;

use alloy::primitives::{Bytes, TxKind};
use alloy::rpc::types::{BlockId, BlockNumberOrTag, TransactionReceipt};
use tokio::time::Instant;

use super::fees::Fees;
use super::publish::Published;
use super::{Order, Sender, Signed};
use crate::error::{ChainError, SendError};
use crate::revert::RevertReason;
use crate::rpc::Poll;

/// Pause between the first and the second time the chain says that our nonce is used by another transaction: one of a
/// load balancer's nodes may know the nonce and not yet the receipt.
const OVERTAKEN_PAUSE: Duration = Duration::from_secs(5);
/// Pause before a transaction is published again of which nobody knows whether it arrived.
const DOUBT_PAUSE: Duration = Duration::from_secs(2);
/// Gas of a transfer of nothing, which fills a gap.
const FILLER_GAS: u64 = 21_000;
/// Missing nonces filled in one go; more would mean another chain, and the caller hears about that anyway.
const GAP_MAX: u64 = 16;

/// One nonce, and every transaction published for it.
pub(super) struct Flight<'a> {
    sender: &'a Sender,
    order: Order,
    nonce: u64,
    gas: u64,
    fees: Fees,
    /// Newest last; any of them may be mined, and only one can be.
    signed: Vec<Signed>,
    /// Nobody knows whether it arrived.
    pub(super) is_doubtful: bool,
}

impl<'a> Flight<'a> {
    pub(super) fn new(sender: &'a Sender, order: Order, nonce: u64, gas: u64, fees: Fees) -> Self {
        let signed = vec![sender.sign(&order, nonce, gas, fees)];
        sender.followed().insert(nonce);
        Self {
            sender,
            order,
            nonce,
            gas,
            fees,
            signed,
            is_doubtful: false,
        }
    }

    /// The newest transaction.
    pub(super) fn signed(&self) -> &Signed {
        &self.signed[self.signed.len() - 1]
    }

    fn raise_fees(&mut self, usual: Fees) {
        if let Some(fees) = self.fees.raised(usual) {
            let signed = self.sender.sign(&self.order, self.nonce, self.gas, fees);
            self.fees = fees;
            self.signed.push(signed);
        }
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.sender.followed().remove(&self.nonce);
    }
}

impl Sender {
    /// Follows a transaction to its end.
    pub(super) async fn land(
        &self,
        mut flight: Flight<'_>,
    ) -> Result<TransactionReceipt, SendError> {
        let timing = self.rpc.timing();
        let started = Instant::now();
        let patience = if flight.is_doubtful {
            DOUBT_PAUSE
        } else {
            timing.stuck_after
        };
        let mut stuck_at = started + patience.min(timing.stuck_after);
        let mut overtaken = false;
        let mut poll = Poll::default();
        loop {
            if let Some(receipt) = self.any_receipt(&flight).await {
                gio_failpoint::fail_point!("evm.mined");
                return self.judge(&flight, receipt).await;
            }
            let now = Instant::now();
            if now - started >= timing.receipt {
                return Err(SendError::Unresolved {
                    tx: flight.signed().hash,
                    waited: timing.receipt,
                });
            }
            if now >= stuck_at {
                if self.nonce_is_used(&flight).await {
                    if overtaken {
                        return Err(self.conflict(&flight).await);
                    }
                    overtaken = true;
                    stuck_at = now + OVERTAKEN_PAUSE.min(timing.stuck_after);
                } else {
                    self.push(&mut flight).await;
                    stuck_at = Instant::now() + timing.stuck_after;
                }
            }
            poll.pause().await;
        }
    }

    async fn any_receipt(&self, flight: &Flight<'_>) -> Option<TransactionReceipt> {
        for signed in flight.signed.iter().rev() {
            if let Some(receipt) = self.rpc.receipt(signed.hash).await {
                return Some(receipt);
            }
        }
        None
    }

    async fn judge(
        &self,
        flight: &Flight<'_>,
        receipt: TransactionReceipt,
    ) -> Result<TransactionReceipt, SendError> {
        let tx = receipt.transaction_hash;
        if receipt.status() {
            tracing::debug!(%tx, nonce = flight.nonce, gas = receipt.gas_used, "transaction mined");
            return Ok(receipt);
        }
        let reason = self.reason(flight, &receipt).await;
        tracing::warn!(%tx, nonce = flight.nonce, %reason, "transaction reverted");
        Err(SendError::RevertedOnChain { reason, tx })
    }

    /// Asks again, on the state the transaction left behind, for the reason a receipt does not hold.
    async fn reason(&self, flight: &Flight<'_>, receipt: &TransactionReceipt) -> RevertReason {
        let at = receipt
            .block_number
            .map_or(BlockId::latest(), BlockId::number);
        let again: Result<Bytes, ChainError> = self
            .rpc
            .ask("eth_call", (self.request(&flight.order), at))
            .await;
        match again {
            Err(ChainError::Reverted(reason)) => reason,
            Ok(_) | Err(_) => RevertReason::Unexplained,
        }
    }

    /// Whether a mined transaction has this nonce; without an answer, no.
    async fn nonce_is_used(&self, flight: &Flight<'_>) -> bool {
        self.count(BlockNumberOrTag::Latest)
            .await
            .is_ok_and(|count| count > flight.nonce)
    }

    async fn conflict(&self, flight: &Flight<'_>) -> SendError {
        // Somebody else sends with this key: what comes next is for the chain to say.
        *self.next.lock().await = None;
        SendError::NonceConflict {
            account: self.account(),
            nonce: flight.nonce,
        }
    }

    /// Offers more for a transaction that waits too long, and closes gaps before it.
    async fn push(&self, flight: &mut Flight<'_>) {
        let Ok(usual) = Fees::ask(&self.rpc).await else {
            return;
        };
        self.fill_gap(flight, usual).await;
        flight.raise_fees(usual);
        let newest = flight.signed();
        let published = self.publish(newest).await;
        gio_failpoint::fail_point!("evm.replaced");
        match published {
            Published::Taken => {
                tracing::info!(tx = %newest.hash, nonce = flight.nonce, fee = flight.fees.max, "fee raised");
            }
            Published::Unknown => {}
            Published::Refused { refusal, message } => {
                tracing::warn!(
                    nonce = flight.nonce,
                    ?refusal,
                    message,
                    "cannot raise the fee"
                );
                // An older one may still be mined: make sure that the node has one.
                self.publish(&flight.signed[0]).await;
            }
        }
    }

    /// Sends nothing to ourselves for every earlier nonce that the node does not know and nobody follows: its
    /// transaction was lost, for example when the node restarted, and ours would wait for it for ever.
    async fn fill_gap(&self, flight: &Flight<'_>, fees: Fees) {
        for _ in 0..GAP_MAX {
            // No nonce is given out meanwhile.
            let _turn = self.next.lock().await;
            let Ok(missing) = self.count(BlockNumberOrTag::Pending).await else {
                return;
            };
            if missing >= flight.nonce || self.followed().contains(&missing) {
                return;
            }
            let nothing = Order {
                to: TxKind::Call(self.account()),
                input: Bytes::new(),
            };
            let filler = self.sign(&nothing, missing, FILLER_GAS, fees);
            tracing::warn!(nonce = missing, tx = %filler.hash, "filling a gap in the nonces");
            self.publish(&filler).await;
            gio_failpoint::fail_point!("evm.gap_filled");
        }
    }
}
