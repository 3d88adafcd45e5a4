//! The chain watcher: what the wallet says becomes what the hub knows.
//!
//! # Correctness
//! The cursor moves only after every event up to it is written down, and every event may be seen twice. The cursor
//! remembers its block's hash: where the chain has another block there now, it was reorganised, and is read again from
//! well below.

use std::sync::Arc;
use std::time::Duration;

use gio_evm::{BlockHead, ChainError, WalletEvent, WalletLog};
use gio_protocol::{B256, DealId, DealStage, UnixSeconds};
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::timeout;

use super::deals::close;
use crate::domain::stage::Stage;
use crate::hub::Hub;
use crate::infra::observe;
use crate::infra::store::{Cursor, Settled, StoreError};

/// Blocks asked for at once; public RPCs refuse much longer ranges.
const BLOCKS_PER_QUESTION: u64 = 500;
/// Blocks read again after a reorganisation: deeper ones need `confirmations`.
const REORG_BLOCKS: u64 = 64;
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
    let cursor = match hub.store.cursor().await? {
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
            postings_taken_back(hub).await?;
            cursor.block.saturating_sub(REORG_BLOCKS)
        }
    };
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
        hub.store.set_cursor(cursor).await?;
        expire(hub, end.time).await?;
        next = last + 1;
    }
    hub.look_at_deals.notify_one();
    Ok(())
}

/// Notes which results are on chain no more. Those that are again are found when the events are read again.
async fn postings_taken_back(hub: &Hub) -> Result<(), WatchError> {
    for deal in hub.store.deals_in(&[Stage::Posted]).await? {
        let stage = hub.chain.deal(hub.wallet, deal.id).await?.stage;
        if matches!(stage, DealStage::None | DealStage::Open) {
            observe::posting_taken_back(deal.id);
            hub.store.set_posted(deal.id, None, None).await?;
        }
    }
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
    let tx = log.place.tx;
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
        // Seen before, by this process or another.
        _ if deal.stage.is_final() => {}
        end => return over(hub, id, &end, tx).await,
    }
    Ok(())
}

/// A deal ended, one way or another.
async fn over(hub: &Hub, id: DealId, event: &WalletEvent, tx: B256) -> Result<(), WatchError> {
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
            tx,
        };
        hub.store.set_settled(id, &settled).await?;
    }
    finished(hub, id, stage, message).await
}

/// Off the board first: once the stage says that the deal is over, its miners' accounts are final.
async fn finished(hub: &Hub, id: DealId, stage: Stage, message: &str) -> Result<(), WatchError> {
    if hub.store.is_held_elsewhere(id).await? {
        return Err(WatchError::Elsewhere);
    }
    let _board = hub.notes.board.lock().await;
    if !close(hub, id).await {
        return Err(WatchError::Stopping);
    }
    let moved = hub.move_on(id, stage, message).await?;
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
