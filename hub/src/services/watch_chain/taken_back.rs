//! What a reorganisation took back: posted results, payments to miners, and ends of deals.
//!
//! # Correctness
//! All of it is written down before the cursor moves: a process that is killed in between notices the reorganisation
//! again. An end that is taken back takes the cursor off the chain in the same transaction, so that the events from well
//! below are read again, whoever else reads at the same time: if the node that said so lags behind, they bring the end
//! back.

use gio_protocol::DealStage;

use super::WatchError;
use crate::domain::stage::Stage;
use crate::hub::Hub;
use crate::infra::observe;
use crate::infra::store::{LostEnd, StoreError};

/// Notes which results are on chain no more. Those that are again are found when the events are read again.
pub(super) async fn postings(hub: &Hub) -> Result<(), WatchError> {
    for deal in hub.store.deals_in(&[Stage::Posted]).await? {
        let stage = hub.chain.deal(hub.wallet, deal.id).await?.stage;
        if matches!(stage, DealStage::None | DealStage::Open) {
            observe::posting_taken_back(deal.id);
            hub.store.set_posted(deal.id, None, None).await?;
        }
    }
    Ok(())
}

/// Has the payer look for the payments of these blocks.
pub(super) async fn payments(hub: &Hub, since: u64) -> Result<(), StoreError> {
    let count = hub.store.doubt_payouts_since(since).await?;
    if count > 0 {
        observe::payments_looked_up_again(count);
        hub.look_at_pay.notify_one();
    }
    Ok(())
}

/// Carries deals on whose ends, seen in this block or later, are on chain no more. Returns whether there were any.
pub(super) async fn ends(hub: &Hub, since: u64) -> Result<bool, WatchError> {
    let mut any = false;
    for (deal, over_block) in hub.store.ends_since(since).await? {
        let known = hub.chain.deal(hub.wallet, deal.id).await?;
        let has_result = deal.posted.is_some();
        let Some(stage) = deal.stage.if_not_over(known.stage, has_result) else {
            continue;
        };
        let is_posted = known.stage == DealStage::Posted;
        let lost = LostEnd {
            deal: deal.id,
            ended: deal.stage,
            over_block,
            stage,
            window_end: known.window_end.filter(|_| is_posted),
        };
        let message = "a reorganisation took the deal's end back";
        if hub.store.take_end_back(&lost, message, hub.now()).await? {
            observe::end_taken_back(deal.id, deal.stage, stage);
            hub.progress.wake(deal.id);
            any = true;
        }
    }
    Ok(any)
}
