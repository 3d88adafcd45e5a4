//! What became of payments that were written down and that nobody followed to their end: the hub was killed or frozen,
//! they were not mined in time, or a reorganisation took them back.
//!
//! # Correctness
//! A payment without a nonce was not sent, and once it is off the books no process sends it. One with a nonce may wait in
//! the nodes' pools for hours, or in a frozen process that has not sent it yet, so its absence from the chain proves
//! nothing. The barrier does: a transaction of this account that changes nothing, sent now and mined. The account's
//! transactions are mined in the order of their nonces. A barrier that is sent when every nonce below the payment's is
//! used has the payment's nonce or a higher one: once it is mined, the payment is mined too, or never will be. Then the
//! wallet's events tell which payments were made.
//!
//! A barrier proves this for the chain that it is in. So it has to be as deep as the hub wants blocks to be before it
//! believes them, and as deep as the deepest reorganisation it reckons with for a payment that a reorganisation took back:
//! if the chain changed its mind once more after another payment was sent, both would be made.

use std::collections::BTreeMap;

use gio_evm::{BlockHead, LogPlace, WalletEvent};
use gio_protocol::B256;

use super::depth::is_deep;
use super::{PayError, announce};
use crate::hub::{Hub, REORG_BLOCKS};
use crate::infra::observe;
use crate::infra::store::{PayoutRow, StoreError};

/// Nonces that may be free below a payment's, because their transactions were lost: as many as payments are under way at
/// once, twice over.
const GAP_MAX: usize = 2 * super::PAYMENTS_MAX;

/// The barriers sent for payments in doubt, by payment, until they are deep enough. A process that is killed sends others.
#[derive(Default)]
pub(super) struct Barriers(BTreeMap<i64, Barrier>);

#[derive(Clone, Copy)]
struct Barrier {
    /// The payment's nonce, which is used up.
    nonce: u64,
    /// By this block.
    block: u64,
    hash: B256,
}

impl Barriers {
    /// The barrier that decides about a payment, unless its nonce has changed since.
    fn of(&self, row: &PayoutRow) -> Option<Barrier> {
        let barrier = self.0.get(&row.id).copied();
        barrier.filter(|barrier| Some(barrier.nonce) == row.nonce)
    }

    /// Sends a barrier for those that have none.
    async fn send(&mut self, hub: &Hub, rows: &[&PayoutRow]) -> Result<(), PayError> {
        let new = rows.iter().filter(|row| self.of(row).is_none());
        let new: Vec<(i64, u64)> = new.filter_map(|row| Some((row.id, row.nonce?))).collect();
        let Some(highest) = new.iter().map(|(_, nonce)| *nonce).max() else {
            return Ok(());
        };
        observe::pay_in_doubt(new.len());
        let (block, hash) = barrier(hub, highest).await?;
        let of = |nonce| Barrier { nonce, block, hash };
        self.0
            .extend(new.into_iter().map(|(id, nonce)| (id, of(nonce))));
        Ok(())
    }
}

/// Completes the payments that were made and forgets those that were not. Those whose barriers are not deep enough wait
/// for a later look, and hold nothing else up.
pub(super) async fn settle(
    hub: &Hub,
    barriers: &mut Barriers,
    rows: &[PayoutRow],
) -> Result<(), PayError> {
    barriers
        .0
        .retain(|id, _| rows.iter().any(|row| row.id == *id));
    let is_sent = |row: &&PayoutRow| row.nonce.is_some();
    let (sent, unsent): (Vec<&PayoutRow>, Vec<&PayoutRow>) = rows.iter().partition(is_sent);
    for row in unsent {
        hub.store.drop_payout(row.id, None).await?;
    }
    if sent.is_empty() {
        return Ok(());
    }
    barriers.send(hub, &sent).await?;
    let head = hub.chain.head().await?;
    for row in sent {
        let Some(barrier) = barriers.of(row) else {
            continue;
        };
        match standing(hub, row, barrier, head).await? {
            Standing::Waits => continue,
            Standing::Decided => decide(hub, row, barrier.block).await?,
            Standing::TakenBack => {}
        }
        barriers.0.remove(&row.id);
    }
    Ok(())
}

/// How far a barrier is.
enum Standing {
    Waits,
    Decided,
    /// A reorganisation took its block: another one is sent.
    TakenBack,
}

async fn standing(
    hub: &Hub,
    row: &PayoutRow,
    barrier: Barrier,
    head: BlockHead,
) -> Result<Standing, PayError> {
    let depth = match row.block {
        None => hub.config().hub.confirmations,
        Some(_) => deepest(hub.config().hub.confirmations),
    };
    if depth == 0 {
        return Ok(Standing::Decided);
    }
    if !is_deep(barrier.block, depth, head) {
        return Ok(Standing::Waits);
    }
    match hub.chain.block(barrier.block).await?.hash == barrier.hash {
        true => Ok(Standing::Decided),
        false => Ok(Standing::TakenBack),
    }
}

/// The deepest reorganisation the hub reckons with.
fn deepest(confirmations: u64) -> u64 {
    confirmations.max(REORG_BLOCKS)
}

/// Looks whether a payment was made, now that its nonce is used up by this block.
async fn decide(hub: &Hub, row: &PayoutRow, until: u64) -> Result<(), PayError> {
    match find(hub, row, until).await? {
        Some(place) => {
            let made = hub
                .store
                .complete_payout(row.id, place.tx, place.block, true);
            made.await?;
            announce(hub, row, place.tx).await;
        }
        None => hub.store.drop_payout(row.id, row.nonce).await?,
    }
    Ok(())
}

/// Has this nonce and everything below it used up. Returns a block by which it is.
async fn barrier(hub: &Hub, nonce: u64) -> Result<(u64, B256), PayError> {
    for _ in 0..GAP_MAX {
        let is_last = hub.chain.nonces_used().await? >= nonce;
        gio_failpoint::fail_point!("hub.sends.barrier");
        let sent = hub.chain.reconcile(hub.wallet, &[]).await?;
        gio_failpoint::fail_point!("hub.sent.barrier");
        if is_last {
            return Ok((sent.block, sent.block_hash));
        }
    }
    Err(PayError::Undecided)
}

/// The transaction that made a payment: the wallet approved this gross to this miner, for no other payment in the books.
/// A reorganisation may have moved it below the block it was written down at; what else lies there is in the books.
async fn find(hub: &Hub, row: &PayoutRow, until: u64) -> Result<Option<LogPlace>, PayError> {
    let deepest = deepest(hub.config().hub.confirmations);
    let since = row.from_block.saturating_sub(deepest);
    let logs = hub.chain.wallet_events(hub.wallet, since, until);
    for log in logs.await? {
        let is_same = matches!(log.event, WalletEvent::PaymentApproved { miner, gross, .. }
            if miner == row.miner && gross == row.gross);
        if is_same && !is_booked(hub, log.place.tx).await? {
            return Ok(Some(log.place));
        }
    }
    Ok(None)
}

async fn is_booked(hub: &Hub, tx: B256) -> Result<bool, StoreError> {
    hub.store.is_booked(tx).await
}
