//! The chain watcher: what the wallet says becomes what the hub knows.
//!
//! # Correctness
//! The cursor moves only after every event up to it is written down, and every event may be seen twice. The cursor
//! remembers its block's hash: where the chain has another block there now, it was reorganised, and is read again from
//! well below. What was written down of blocks that are about to be read, again or after a look that was cut short, is
//! compared with the chain first.

mod taken_back;

use std::sync::Arc;
use std::time::Duration;

use gio_evm::{BlockHead, ChainError, LogPlace, WalletEvent, WalletLog};
use gio_protocol::{DealId, UnixSeconds};
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::timeout;

use super::deals::close;
use crate::domain::stage::Stage;
use crate::hub::{Hub, REORG_BLOCKS};
use crate::infra::observe;
use crate::infra::store::{Cursor, Settled, StoreError};

/// Blocks asked for at once; public RPCs refuse much longer ranges.
const BLOCKS_PER_QUESTION: u64 = 500;
/// After an error, so that a dead RPC is not hammered.
const PAUSE: Duration = Duration::from_secs(1);
/// Between two looks, however often somebody asks for one.
const SPACING: Duration = Duration::from_millis(50);

/// The watcher cannot go on.
#[derive(Debug, Error)]
enum WatchError {
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the hub is stopping")]
    Stopping,
    /// The event is read again until the process that has the deal on its board has ended it, or has lost it.
    #[error("another process of this hub has the deal")]
    Elsewhere,
}

/// Runs until the hub stops.
pub(crate) async fn run(hub: Arc<Hub>, head: watch::Sender<BlockHead>) -> Result<(), StoreError> {
    let pause = Duration::from_millis(hub.config().hub.poll_ms);
    while !hub.stop.is_cancelled() {
        let wait = match hub.unless_stopped(Box::pin(look(&hub, &head))).await {
            Some(Ok(())) => pause,
            Some(Err(WatchError::Store(error))) => return Err(error),
            Some(Err(WatchError::Chain(error))) => {
                observe::retrying("reading the chain", &error);
                PAUSE
            }
            Some(Err(WatchError::Elsewhere)) => pause,
            Some(Err(WatchError::Stopping)) | None => break,
        };
        let spaced = async {
            tokio::time::sleep(SPACING).await;
            let _ = timeout(wait, hub.look_at_chain.notified()).await;
        };
        hub.unless_stopped(spaced).await;
    }
    Ok(())
}

async fn look(hub: &Arc<Hub>, head: &watch::Sender<BlockHead>) -> Result<(), WatchError> {
    let newest = hub.chain.head().await?;
    head.send_replace(newest);
    hub.operation.saw_chain();
    let mut before = hub.store.cursor().await?;
    let cursor = match before {
        Some(cursor) => cursor,
        None => beginning(hub, newest).await?,
    };
    let confirmed = newest.number.saturating_sub(hub.config().hub.confirmations);
    if cursor.block >= confirmed {
        return Ok(());
    }
    let mut next = match hub.chain.block(cursor.block).await?.hash == cursor.hash {
        true => cursor.block + 1,
        false => {
            observe::chain_reorganised(cursor.block);
            let since = cursor.block.saturating_sub(REORG_BLOCKS);
            taken_back::postings(hub).await?;
            taken_back::payments(hub, since).await?;
            since
        }
    };
    if taken_back::ends(hub, next).await? {
        // The cursor is on no block of the chain now: the next look reads again from well below.
        hub.look_at_chain.notify_one();
        return Ok(());
    }
    while next <= confirmed {
        let last = confirmed.min(next + BLOCKS_PER_QUESTION - 1);
        // The block before the events: if it is replaced in between, the next look notices.
        let end = hub.chain.block(last).await?;
        for log in hub.chain.wallet_events(hub.wallet, next, last).await? {
            take(hub, log).await?;
        }
        let cursor = Cursor {
            block: last,
            hash: end.hash,
        };
        if !hub.store.set_cursor(before, cursor).await? {
            hub.look_at_chain.notify_one();
            return Ok(());
        }
        before = Some(cursor);
        expire(hub, end.time).await?;
        next = last + 1;
    }
    hub.look_at_deals.notify_one();
    Ok(())
}

/// Where a hub without a cursor begins: below its wallet's registration, before which there was no deal. Found by
/// halving, because a chain has too many blocks to read them all.
async fn beginning(hub: &Hub, newest: BlockHead) -> Result<Cursor, ChainError> {
    let registered = hub.chain.wallet(hub.wallet).await?.registered_at;
    let since = registered.unwrap_or(newest.time);
    let (mut below, mut above) = (0, newest.number);
    while above - below > 1 {
        let middle = below + (above - below) / 2;
        if hub.chain.block(middle).await?.time < since {
            below = middle;
        } else {
            above = middle;
        }
    }
    let hash = hub.chain.block(below).await?.hash;
    Ok(Cursor { block: below, hash })
}

async fn take(hub: &Arc<Hub>, log: WalletLog) -> Result<(), WatchError> {
    let Some(id) = log.event.deal() else {
        return Ok(());
    };
    let Some(deal) = hub.store.deal(id).await? else {
        if matches!(log.event, WalletEvent::DealOpened { .. }) {
            observe::foreign_deal(id);
        }
        return Ok(());
    };
    let (tx, block) = (log.place.tx, log.place.block);
    match log.event {
        WalletEvent::DealOpened { .. } => {
            hub.move_on(id, Stage::Open, "the cap is in escrow").await?;
        }
        WalletEvent::ResultPosted {
            window_end,
            result_root,
            ..
        } => {
            let own = deal.posted.map(|own| own.result_root);
            if own.is_some_and(|own| own != result_root) {
                observe::foreign_result(id, result_root);
            }
            hub.store.set_posted(id, Some(tx), Some(window_end)).await?;
            let message = "the result root is on chain";
            hub.move_on(id, Stage::Posted, message).await?;
        }
        // Seen before, by this process or another, perhaps in another block.
        _ if deal.stage.is_final() => hub.store.note_end_block(id, block).await?,
        end => return over(hub, id, &end, log.place).await,
    }
    Ok(())
}

/// A deal ended, one way or another.
async fn over(
    hub: &Hub,
    id: DealId,
    event: &WalletEvent,
    place: LogPlace,
) -> Result<(), WatchError> {
    let (stage, message) = match event {
        WalletEvent::DealSettled { .. } => (Stage::Settled, "the deal is settled"),
        WalletEvent::DealCancelled { .. } => (Stage::Cancelled, "buyer and hub ended the deal"),
        WalletEvent::DealRefunded { .. } => (Stage::Refunded, "the cap went back to the buyer"),
        WalletEvent::DealRefuted { .. } => (Stage::Refuted, "the bill was refuted"),
        // Of the wallet, not of a deal.
        _ => return Ok(()),
    };
    if let WalletEvent::DealSettled {
        payment,
        royalty,
        refund,
        ..
    }
    | WalletEvent::DealCancelled {
        payment,
        royalty,
        refund,
        ..
    } = event
    {
        let settled = Settled {
            payment: *payment,
            royalty: *royalty,
            refund: *refund,
            tx: place.tx,
        };
        hub.store.set_settled(id, &settled).await?;
    }
    finished(hub, id, (stage, place.block), message).await
}

/// Off the board first: once the stage says that the deal is over, its miners' accounts are final.
async fn finished(
    hub: &Hub,
    id: DealId,
    end: (Stage, u64),
    message: &str,
) -> Result<(), WatchError> {
    if hub.store.is_held_elsewhere(id).await? {
        return Err(WatchError::Elsewhere);
    }
    let _board = hub.notes.board.lock().await;
    if !close(hub, id).await {
        return Err(WatchError::Stopping);
    }
    let moved = hub.end(id, end, message).await?;
    if !moved && hub.store.is_held_elsewhere(id).await? {
        return Err(WatchError::Elsewhere);
    }
    hub.look_at_pay.notify_one();
    Ok(())
}

/// Signed terms that nobody opened in time free their guarantee. `until` is the time of a block up to which every event
/// is written down, so a deal that was opened in the last second is not taken for one that was not.
async fn expire(hub: &Hub, until: UnixSeconds) -> Result<(), StoreError> {
    for deal in hub.store.deals_in(&[Stage::Signed]).await? {
        if until > deal.terms.open_by {
            hub.move_on(deal.id, Stage::Expired, "nobody opened the deal in time")
                .await?;
        }
    }
    Ok(())
}
