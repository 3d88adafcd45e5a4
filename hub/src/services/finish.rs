//! From the last claim to the money: assemble the claims, post the root, settle, or refund.
//!
//! # Correctness
//! Every step looks at the deal's state on chain first, so a step that was done but not recorded is not done twice.
//! The result root and the claims file are on disk before the root is posted.

use std::sync::Arc;
use std::time::Duration;

use gio_evm::{ChainError, SendError};
use gio_protocol::{ClaimsFile, DealStage, SignedClaim, UnixSeconds};
use thiserror::Error;
use tokio::time::timeout;

use crate::hub::Hub;
use crate::infra::content::ContentError;
use crate::infra::observe;
use crate::infra::progress::Stage;
use crate::infra::store::{DealRow, Posted, StoreError};
use crate::services::watch_chain::close;

/// How often deadlines are looked at when nothing wakes the loop.
const PULSE: Duration = Duration::from_secs(2);
/// What is done by then is posted: a transaction may need this long to be mined.
const POST_SECONDS: u64 = 60;
/// After an error, so that a dead RPC is not hammered.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, Error)]
enum FinishError {
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error(transparent)]
    Send(#[from] SendError),
    #[error(transparent)]
    Content(#[from] ContentError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Runs until the hub stops.
pub(crate) async fn run(hub: Arc<Hub>) -> Result<(), StoreError> {
    while !hub.stop.is_cancelled() {
        for stage in [
            Stage::Running,
            Stage::Open,
            Stage::Assembling,
            Stage::Posted,
        ] {
            for deal in hub.store.deals_in(&[stage]).await? {
                match advance(&hub, &deal).await {
                    Ok(()) => {}
                    Err(FinishError::Store(error)) => return Err(error),
                    Err(error) => {
                        observe::retrying("finishing a deal", &error);
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            }
        }
        tokio::select! {
            () = hub.stop.cancelled() => {}
            _ = timeout(PULSE, hub.look_at_deals.notified()) => {}
        }
    }
    Ok(())
}

async fn advance(hub: &Hub, deal: &DealRow) -> Result<(), FinishError> {
    let now = hub.now();
    match deal.stage {
        Stage::Open | Stage::Running => late(hub, deal, now).await,
        Stage::Assembling => post(hub, deal, now).await,
        Stage::Posted => settle(hub, deal, now).await,
        Stage::Signed
        | Stage::Settled
        | Stage::Refunded
        | Stage::Cancelled
        | Stage::Refuted
        | Stage::Expired => Ok(()),
    }
}

/// A deal that is nearly due is posted with what there is; one that is past due is refunded.
async fn late(hub: &Hub, deal: &DealRow, now: UnixSeconds) -> Result<(), FinishError> {
    let due = deal.terms.deliver_by;
    if now > due {
        return refund(hub, deal).await;
    }
    // A short deal keeps half its time for running.
    let margin = POST_SECONDS.min(deal.terms.open_by.until(due) / 2);
    if now.after(margin) >= due && !hub.store.claims(deal.id).await?.is_empty() {
        hub.move_on(
            deal.id,
            Stage::Assembling,
            "the deal is nearly due; what is done is posted",
        )
        .await?;
        return post(hub, deal, now).await;
    }
    Ok(())
}

async fn refund(hub: &Hub, deal: &DealRow) -> Result<(), FinishError> {
    if hub.chain.deal(hub.wallet, deal.id).await?.stage == DealStage::Open {
        hub.chain.refund(&deal.terms).await?;
    }
    close(hub, deal.id).await;
    hub.look_at_chain.notify_one();
    Ok(())
}

async fn post(hub: &Hub, deal: &DealRow, now: UnixSeconds) -> Result<(), FinishError> {
    close(hub, deal.id).await;
    let posted = match deal.posted {
        Some(posted) => posted,
        None => match assemble(hub, deal).await? {
            Some(posted) => posted,
            // Not one unit was done: nothing to post, the deadline refunds.
            None if now > deal.terms.deliver_by => return refund(hub, deal).await,
            None => return Ok(()),
        },
    };
    if hub.chain.deal(hub.wallet, deal.id).await?.stage == DealStage::Open {
        if now > deal.terms.deliver_by {
            return refund(hub, deal).await;
        }
        let tx = hub
            .chain
            .post_result(
                &deal.terms,
                posted.tree_hash,
                posted.cu_total,
                posted.claims.root,
            )
            .await?;
        hub.store
            .set_posted(
                deal.id,
                &Posted {
                    tx: Some(tx.hash),
                    ..posted
                },
            )
            .await?;
        observe::result_posted(deal.id, posted.result_root, posted.cu_total);
    }
    hub.look_at_chain.notify_one();
    Ok(())
}

/// Builds the claims file and the result tree from the accepted claims and writes them down.
async fn assemble(hub: &Hub, deal: &DealRow) -> Result<Option<Posted>, FinishError> {
    let claims = hub.store.claims(deal.id).await?;
    if claims.is_empty() {
        return Ok(None);
    }
    let mut by_unit: Vec<Option<SignedClaim>> = vec![None; deal.terms.unit_count as usize];
    for signed in claims {
        let unit = signed.claim.unit as usize;
        let slot = by_unit
            .get_mut(unit)
            .ok_or(StoreError::Damaged { column: "unit" })?;
        *slot = Some(signed);
    }
    let file = ClaimsFile {
        deal_id: deal.id,
        claims: by_unit,
    };
    // Every claim is within its unit's limit and the cap was kept, so the sum is far from 64 bits.
    let tree = file
        .tree()
        .map_err(|_| StoreError::Damaged { column: "cu" })?;
    let claims = hub.contents.put(None, file.to_bytes()).await?;
    let posted = Posted {
        result_root: tree.root(),
        tree_hash: tree.top().hash,
        cu_total: tree.top().sum,
        claims,
        tx: None,
        window_end: None,
    };
    hub.store.set_posted(deal.id, &posted).await?;
    Ok(Some(posted))
}

/// Settles with the buyer's confirmation, or without it once the window is over.
async fn settle(hub: &Hub, deal: &DealRow, now: UnixSeconds) -> Result<(), FinishError> {
    let Some(posted) = deal.posted else {
        return Ok(());
    };
    let over = posted.window_end.is_some_and(|end| now > end);
    if deal.confirmation.is_none() && !over {
        return Ok(());
    }
    if hub.chain.deal(hub.wallet, deal.id).await?.stage == DealStage::Posted {
        match &deal.confirmation {
            Some(signature) => {
                hub.chain
                    .confirm(&deal.terms, posted.result_root, signature)
                    .await?
            }
            None => hub.chain.settle(&deal.terms).await?,
        };
    }
    hub.look_at_chain.notify_one();
    Ok(())
}
