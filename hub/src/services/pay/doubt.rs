//! What became of payments that were written down and that nobody followed to their end: the hub was killed or frozen, or
//! they were not mined in time.
//!
//! # Correctness
//! A payment without a nonce was not sent, and once it is off the books no process sends it. One with a nonce may wait in
//! the nodes' pools for hours, or in a frozen process that has not sent it yet, so its absence from the chain proves
//! nothing. The barrier does: a transaction of this account that changes nothing, sent now and mined. The account's
//! transactions are mined in the order of their nonces. A barrier that is sent when every nonce below the payment's is
//! used has the payment's nonce or a higher one: once it is mined, the payment is mined too, or never will be. Then the
//! wallet's events tell which payments were made.

use gio_evm::WalletEvent;
use gio_protocol::B256;

use super::{PayError, complete};
use crate::hub::Hub;
use crate::infra::store::{PayoutRow, StoreError};

/// Nonces that may be free below a payment's, because their transactions were lost: as many as payments are under way at
/// once, twice over.
const GAP_MAX: usize = 2 * super::PAYMENTS_MAX;

/// Blocks searched below the one a payment was written down at: a reorganisation may have moved it there. What else lies
/// there is in the books.
const REORG_BLOCKS: u64 = 64;

/// Completes the payments that were made and forgets those that were not.
pub(super) async fn settle(hub: &Hub, rows: &[PayoutRow]) -> Result<(), PayError> {
    let is_sent = |row: &&PayoutRow| row.nonce.is_some();
    let (sent, unsent): (Vec<&PayoutRow>, Vec<&PayoutRow>) = rows.iter().partition(is_sent);
    for row in unsent {
        hub.store.drop_payout(row.id, None).await?;
    }
    let Some(highest) = sent.iter().filter_map(|row| row.nonce).max() else {
        return Ok(());
    };
    let block = barrier(hub, highest).await?;
    for row in sent {
        match find(hub, row, block).await? {
            Some(tx) => complete(hub, row, tx).await?,
            None => hub.store.drop_payout(row.id, row.nonce).await?,
        }
    }
    Ok(())
}

/// Has this nonce and everything below it used up. Returns a block by which it is.
async fn barrier(hub: &Hub, nonce: u64) -> Result<u64, PayError> {
    for _ in 0..GAP_MAX {
        let is_last = hub.chain.nonces_used().await? >= nonce;
        gio_failpoint::fail_point!("hub.sends.barrier");
        let sent = hub.chain.reconcile(hub.wallet, &[]).await?;
        gio_failpoint::fail_point!("hub.sent.barrier");
        if is_last {
            return Ok(sent.block);
        }
    }
    Err(PayError::Undecided)
}

/// The transaction that made a payment: the wallet approved this gross to this miner, for no other payment in the books.
async fn find(hub: &Hub, row: &PayoutRow, until: u64) -> Result<Option<B256>, PayError> {
    let since = row.from_block.saturating_sub(REORG_BLOCKS);
    let logs = hub.chain.wallet_events(hub.wallet, since, until);
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
