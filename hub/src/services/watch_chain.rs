//! The chain watcher: what the wallet says becomes what the hub knows.
//!
//! # Correctness
//! The cursor moves only after every event up to it is written down, and every event may be seen twice.

use std::sync::Arc;
use std::time::Duration;

use gio_evm::{BlockHead, ChainError, WalletEvent, WalletLog};
use gio_protocol::{DealId, UnixSeconds};
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::hub::Hub;
use crate::infra::api::ApiError;
use crate::infra::observe;
use crate::infra::progress::Stage;
use crate::infra::store::{DealRow, Posted, Settled, StoreError};
use crate::services::dispatch::Command;

/// Blocks asked for at once; public RPCs refuse much longer ranges.
const BLOCKS_PER_QUESTION: u64 = 500;
/// After an error, so that a dead RPC is not hammered.
const PAUSE: Duration = Duration::from_secs(1);
const CURSOR: &str = "chain_cursor";

/// The watcher cannot go on.
#[derive(Debug, Error)]
pub(crate) enum WatchError {
    /// The chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Runs until the hub stops.
pub(crate) async fn run(hub: Arc<Hub>, head: watch::Sender<BlockHead>) -> Result<(), StoreError> {
    let pause = Duration::from_millis(hub.config.hub.poll_ms);
    while !hub.stop.is_cancelled() {
        let wait = match look(&hub, &head).await {
            Ok(()) => pause,
            Err(WatchError::Store(error)) => return Err(error),
            Err(WatchError::Chain(error)) => {
                observe::retrying("reading the chain", &error);
                PAUSE
            }
        };
        tokio::select! {
            () = hub.stop.cancelled() => {}
            _ = timeout(wait, hub.look_at_chain.notified()) => {}
        }
    }
    Ok(())
}

async fn look(hub: &Arc<Hub>, head: &watch::Sender<BlockHead>) -> Result<(), WatchError> {
    let newest = hub.chain.head().await?;
    let news = head.borrow().number != newest.number;
    head.send_replace(newest);
    let confirmed = newest.number.saturating_sub(hub.config.hub.confirmations);
    let mut next = hub.store.number(CURSOR).await?;
    while next <= confirmed {
        let last = confirmed.min(next + BLOCKS_PER_QUESTION - 1);
        for log in hub.chain.wallet_events(hub.wallet, next, last).await? {
            take(hub, log).await?;
        }
        next = last + 1;
        hub.store.set_number(CURSOR, next).await?;
    }
    if news {
        expire(hub, newest.time).await?;
        hub.look_at_deals.notify_one();
    }
    Ok(())
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
    match log.event {
        WalletEvent::DealOpened { .. } => opened(hub, &deal).await?,
        WalletEvent::ResultPosted { window_end, .. } => {
            if let Some(posted) = deal.posted {
                let posted = Posted {
                    tx: Some(log.place.tx),
                    window_end: Some(window_end),
                    ..posted
                };
                hub.store.set_posted(id, &posted).await?;
            }
            hub.move_on(id, Stage::Posted, "the result root is on chain")
                .await?;
        }
        WalletEvent::DealSettled {
            payment,
            royalty,
            refund,
            ..
        } => {
            hub.store
                .set_settled(
                    id,
                    &Settled {
                        payment,
                        royalty,
                        refund,
                        tx: log.place.tx,
                    },
                )
                .await?;
            finished(hub, id, Stage::Settled, "the deal is settled").await?;
            hub.look_at_pay.notify_one();
        }
        WalletEvent::DealRefunded { .. } => {
            finished(hub, id, Stage::Refunded, "the cap went back to the buyer").await?
        }
        WalletEvent::DealCancelled {
            payment,
            royalty,
            refund,
            ..
        } => {
            hub.store
                .set_settled(
                    id,
                    &Settled {
                        payment,
                        royalty,
                        refund,
                        tx: log.place.tx,
                    },
                )
                .await?;
            finished(hub, id, Stage::Cancelled, "buyer and hub ended the deal").await?;
        }
        WalletEvent::DealRefuted { .. } => {
            finished(hub, id, Stage::Refuted, "the bill was refuted").await?
        }
        WalletEvent::Registered { .. }
        | WalletEvent::PaymentApproved { .. }
        | WalletEvent::PullSeen { .. }
        | WalletEvent::PaydayHeld { .. }
        | WalletEvent::Withdrawn { .. }
        | WalletEvent::PayoutPosted { .. }
        | WalletEvent::PayoutClaimed { .. }
        | WalletEvent::Suspected { .. }
        | WalletEvent::Rehabilitated { .. }
        | WalletEvent::Banned { .. }
        | WalletEvent::Expropriated { .. } => {}
    }
    Ok(())
}

async fn opened(hub: &Arc<Hub>, deal: &DealRow) -> Result<(), StoreError> {
    if hub
        .move_on(deal.id, Stage::Open, "the cap is in escrow")
        .await?
    {
        begin(hub, deal).await?;
    }
    Ok(())
}

/// Puts an open deal on the board, fresh or after a restart.
pub(crate) async fn begin(hub: &Arc<Hub>, deal: &DealRow) -> Result<(), StoreError> {
    let derived = match hub
        .derive(deal.terms.clone(), &deal.job_spec, deal.net_price)
        .await
    {
        Ok(derived) => Arc::new(derived),
        Err(ApiError::Store(error)) => return Err(error),
        Err(error) => {
            // The contents were here when the hub signed; without them the deadline refunds the buyer.
            observe::given_up("bringing up the deal's contents", deal.id, &error);
            return Ok(());
        }
    };
    let restored = hub.store.restored(deal.id).await?;
    hub.deals.insert(Arc::clone(&derived));
    // The dispatcher is gone only when the hub stops; the next start begins here again.
    let _ = hub
        .dispatcher
        .send(Command::Open {
            deal: derived,
            restored,
        })
        .await;
    Ok(())
}

async fn finished(hub: &Hub, id: DealId, stage: Stage, message: &str) -> Result<(), StoreError> {
    hub.move_on(id, stage, message).await?;
    close(hub, id).await;
    Ok(())
}

/// Takes a deal off the board.
pub(crate) async fn close(hub: &Hub, id: DealId) {
    hub.deals.remove(id);
    // As in `begin`.
    let _ = hub.dispatcher.send(Command::Close(id)).await;
}

/// Signed terms that nobody opened in time free their guarantee.
async fn expire(hub: &Hub, now: UnixSeconds) -> Result<(), StoreError> {
    for deal in hub.store.deals_in(&[Stage::Signed]).await? {
        if now.0 > deal.terms.open_by.0 + hub.config.hub.confirmations {
            hub.move_on(deal.id, Stage::Expired, "nobody opened the deal in time")
                .await?;
        }
    }
    hub.store.drop_quotes_before(now).await?;
    Ok(())
}
