//! Paying miners: when their deal is settled, or earlier from the hub's own money where a miner will not run on
//! credit any more (R25).
//!
//! # Correctness
//! A payment is written down before it is sent, one at a time per miner. After a restart, the wallet's own events
//! tell whether a payment under way was made: the wallet never makes two payments the hub did not write down.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use gio_evm::{ChainError, SendError, WalletEvent};
use gio_protocol::{Address, B256, DealId};
use thiserror::Error;
use tokio::time::timeout;

use crate::domain::payout::due;
use crate::hub::Hub;
use crate::infra::observe;
use crate::infra::store::{MinerAccount, PayoutRow, StoreError};
use crate::services::dispatch::Command;

/// How often accounts are looked at when nothing wakes the loop.
const PULSE: Duration = Duration::from_secs(5);
/// After an error, so that a dead RPC is not hammered.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, Error)]
enum PayError {
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error(transparent)]
    Send(#[from] SendError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Runs until the hub stops.
pub(crate) async fn run(hub: Arc<Hub>) -> Result<(), StoreError> {
    while !hub.stop.is_cancelled() {
        match pay_all(&hub).await {
            Ok(()) => {}
            Err(PayError::Store(error)) => return Err(error),
            Err(error) => {
                observe::retrying("paying miners", &error);
                tokio::time::sleep(PAUSE).await;
            }
        }
        tokio::select! {
            () = hub.stop.cancelled() => {}
            _ = timeout(PULSE, hub.look_at_pay.notified()) => {}
        }
    }
    Ok(())
}

async fn pay_all(hub: &Hub) -> Result<(), PayError> {
    for payout in hub.store.payouts_under_way().await? {
        resolve(hub, &payout).await?;
    }
    let mut open: BTreeSet<DealId> = BTreeSet::new();
    let mut done: BTreeSet<DealId> = BTreeSet::new();
    for account in hub.store.accounts().await? {
        let paid = pay(hub, &account).await?;
        if account.over && paid {
            done.insert(account.deal)
        } else {
            open.insert(account.deal)
        };
    }
    for deal in done.difference(&open) {
        hub.store.set_miners_paid(*deal).await?;
        hub.progress.publish(*deal, None);
    }
    Ok(())
}

/// Pays what is due on one account. Returns whether nothing is left.
async fn pay(hub: &Hub, account: &MinerAccount) -> Result<bool, PayError> {
    // Sums that leave 64 bits cannot come from claims within a cap; such an account waits for a person.
    let Ok(payment) = due(&account.account) else {
        return Ok(false);
    };
    let Some(payment) = payment else {
        return Ok(true);
    };
    if !account.over && !hub.wants_pay(account.miner) {
        return Ok(false);
    }
    let wallet = hub.chain.wallet(hub.wallet).await?;
    if wallet.free < payment.gross {
        // Pulls the wallet has not noticed yet make `free` too low (section 6).
        hub.chain.reconcile(hub.wallet, &[account.miner]).await?;
        if hub.chain.wallet(hub.wallet).await?.free < payment.gross {
            return Ok(false);
        }
    }
    let from_block = hub.chain.head().await?.number;
    let row = hub
        .store
        .intend_payout(account, payment, from_block)
        .await?;
    match hub.chain.transfer_net(hub.wallet, row.miner, row.net).await {
        Ok(tx) => complete(hub, &row, tx.hash).await?,
        Err(error) if error.revert().is_some() => {
            hub.store.drop_payout(row.id).await?;
            return Err(error.into());
        }
        // It may or may not be on its way; `resolve` looks.
        Err(error) => return Err(error.into()),
    }
    Ok(true)
}

/// Finds out whether a payment that was written down was made, and makes it if not.
async fn resolve(hub: &Hub, payout: &PayoutRow) -> Result<(), PayError> {
    match find(hub, payout).await? {
        Some(tx) => complete(hub, payout, tx).await?,
        None => {
            let tx = hub
                .chain
                .transfer_net(hub.wallet, payout.miner, payout.net)
                .await?;
            complete(hub, payout, tx.hash).await?;
        }
    }
    Ok(())
}

async fn find(hub: &Hub, payout: &PayoutRow) -> Result<Option<B256>, PayError> {
    /// Public RPCs refuse much longer ranges.
    const BLOCKS_PER_QUESTION: u64 = 500;
    let head = hub.chain.head().await?.number;
    let mut next = payout.from_block;
    while next <= head {
        let last = head.min(next + BLOCKS_PER_QUESTION - 1);
        for log in hub.chain.wallet_events(hub.wallet, next, last).await? {
            let same = matches!(log.event, WalletEvent::PaymentApproved { miner, gross, .. }
                if miner == payout.miner && gross == payout.gross);
            if same && !hub.store.is_booked(log.place.tx).await? {
                return Ok(Some(log.place.tx));
            }
        }
        next = last + 1;
    }
    Ok(None)
}

async fn complete(hub: &Hub, payout: &PayoutRow, tx: B256) -> Result<(), StoreError> {
    hub.store.complete_payout(payout.id, tx).await?;
    observe::miner_paid(payout.deal, payout.miner, payout.net, payout.gross);
    hub.progress.publish(payout.deal, None);
    let told = Command::Paid {
        miner: payout.miner,
        deal: payout.deal,
        net: payout.net,
        gross: payout.gross,
        tx,
    };
    // A miner that is not told finds the allowance on chain.
    let _ = hub.dispatcher.send(told).await;
    Ok(())
}

impl Hub {
    /// Whether this miner waits for pay before it goes on.
    fn wants_pay(&self, miner: Address) -> bool {
        self.waiting_for_pay
            .lock()
            .expect("no holder of this lock panics")
            .contains(&miner)
    }
}
