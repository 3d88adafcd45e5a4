//! What became of payments that were written down and that nobody followed to their end: the hub was killed, or they
//! were not mined in time.
//!
//! # Correctness
//! A transaction that was sent may wait in the nodes' pools for hours, so its absence from the chain proves nothing.
//! The barrier does: a transaction of this account that changes nothing, sent now and mined. The account's transactions
//! are mined in the order of their nonces, and the node gives the barrier a nonce above every one it knows of. Once the
//! barrier is mined, everything sent before it is mined too, or its nonce is taken and it never will be. Then the
//! wallet's events tell which payments were made.

use gio_evm::WalletEvent;
use gio_protocol::B256;

use super::{PayError, complete};
use crate::hub::Hub;
use crate::infra::store::{PayoutRow, StoreError};

/// Completes the payments that were made and forgets those that were not.
pub(super) async fn settle(hub: &Hub, rows: &[PayoutRow]) -> Result<(), PayError> {
    gio_failpoint::fail_point!("hub.sends.barrier");
    let barrier = hub.chain.reconcile(hub.wallet, &[]).await?;
    gio_failpoint::fail_point!("hub.sent.barrier");
    for row in rows {
        match find(hub, row, barrier.block).await? {
            Some(tx) => complete(hub, row, tx).await?,
            None => hub.store.drop_payout(row.id).await?,
        }
    }
    Ok(())
}

/// The transaction that made a payment: the wallet approved this gross to this miner, for no other payment in the books.
async fn find(hub: &Hub, row: &PayoutRow, until: u64) -> Result<Option<B256>, PayError> {
    let logs = hub.chain.wallet_events(hub.wallet, row.from_block, until);
    for log in logs.await? {
        let is_same = matches!(log.event, WalletEvent::PaymentApproved { miner, gross, .. }
            if miner == row.miner && gross == row.gross);
        if is_same && !is_booked(hub, log.place.tx).await? {
            return Ok(Some(log.place.tx));
        }
    }
    Ok(None)
}

async fn is_booked(hub: &Hub, tx: B256) -> Result<bool, StoreError> {
    hub.store.is_booked(tx).await
}
