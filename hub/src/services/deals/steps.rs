//! The steps of a deal. Each looks at the chain before it sends anything.

use std::sync::Arc;

use gio_evm::{ChainError, RevertReason, SendError};
use gio_protocol::{ClaimsFile, DealStage, Domain, Gio, SignedClaim, cancellation_digest};
use thiserror::Error;

use super::close;
use crate::domain::next::Step;
use crate::domain::stage::Stage;
use crate::hub::Hub;
use crate::infra::api::ApiError;
use crate::infra::content::ContentError;
use crate::infra::observe;
use crate::infra::store::{Cancellation, DealRow, Posted, StoreError};
use crate::services::dispatch::Command;

/// A step that was not done.
#[derive(Debug, Error)]
pub(super) enum StepError {
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error(transparent)]
    Send(#[from] SendError),
    #[error(transparent)]
    Content(#[from] ContentError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the deal's units cannot be made again")]
    Units(#[source] ApiError),
    #[error("the hub is stopping")]
    Stopping,
    #[error("no unit is done")]
    NothingDone,
    #[error("a claim came while the deal was being ended")]
    LateClaim,
}

/// What came of a step.
#[derive(Debug)]
pub(super) enum Done {
    /// The dispatcher has the deal.
    Begun,
    /// The chain will say.
    Sent,
}

impl StepError {
    /// Whether only time is missing: the contract compares deadlines with the next block's time (F5), the hub with the
    /// later of the last block's and its own.
    pub(super) fn is_too_early(&self) -> bool {
        match self {
            Self::Send(error) => matches!(
                error.revert(),
                Some(RevertReason::DeliverByNotPassed { .. } | RevertReason::WindowOpen { .. })
            ),
            Self::Stopping | Self::NothingDone | Self::LateClaim => true,
            Self::Chain(_) | Self::Content(_) | Self::Store(_) | Self::Units(_) => false,
        }
    }
}

impl StepError {
    /// Whether the deal cannot be taken up before somebody repairs something.
    pub(super) fn is_for_good(&self) -> bool {
        matches!(self, Self::Units(error) if !matches!(error, ApiError::Busy(_) | ApiError::Stopping))
    }
}

impl Step {
    /// What the hub was at, for its operator.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Begin => "taking a deal up",
            Self::PostWhatIsDone | Self::Post => "posting a result",
            Self::Confirm | Self::Settle => "settling a deal",
            Self::Refund => "giving a cap back",
            Self::Wait => "waiting",
        }
    }
}

/// Takes a deal one step further.
pub(super) async fn take(hub: &Arc<Hub>, deal: &DealRow, step: Step) -> Result<Done, StepError> {
    match step {
        Step::Begin => return begin(hub, deal).await,
        Step::PostWhatIsDone => post_what_is_done(hub, deal).await?,
        Step::Post => post(hub, deal).await?,
        Step::Confirm => confirm(hub, deal).await?,
        Step::Settle => settle(hub, deal).await?,
        Step::Refund => refund(hub, deal).await?,
        Step::Wait => {}
    }
    hub.look_at_chain.notify_one();
    Ok(Done::Sent)
}

/// Puts an open deal on the board, fresh or after a restart.
async fn begin(hub: &Arc<Hub>, deal: &DealRow) -> Result<Done, StepError> {
    let damaged = StoreError::Damaged { column: "job_spec" };
    let job_spec = hub.store.job_spec(deal.id).await?.ok_or(damaged)?;
    let _place = hub
        .checks
        .acquire()
        .await
        .map_err(|_| StepError::Stopping)?;
    let derived = hub.derive(deal.terms.clone(), &job_spec, deal.net_price);
    let derived = Arc::new(derived.await.map_err(|error| match error {
        ApiError::Store(error) => StepError::Store(error),
        error => StepError::Units(error),
    })?);
    // The places and the memory may have been a long time coming: meanwhile the deal may have ended.
    let _board = hub.notes.board.lock().await;
    let now = hub.store.deal(deal.id).await?;
    if now.is_none_or(|now| now.stage > Stage::Running) {
        hub.has_come(deal.id);
        return Ok(Done::Sent);
    }
    let restored = hub.store.restored(deal.id).await?;
    let open = Command::Open {
        deal: derived,
        restored,
    };
    let sent = hub.dispatcher.send(open).await;
    sent.map_err(|_| StepError::Stopping)?;
    hub.notes.on_board.lock().insert(deal.id);
    Ok(Done::Begun)
}

/// A deal that is nearly due is posted with what there is; with nothing, its deadline refunds it.
async fn post_what_is_done(hub: &Hub, deal: &DealRow) -> Result<(), StepError> {
    let cancellation = hub.store.cancellation(deal.id).await?;
    if !hub.store.has_claims(deal.id).await? {
        let cancellation = cancellation.ok_or(StepError::NothingDone)?;
        return end_together(hub, deal, &cancellation).await;
    }
    let message = match cancellation {
        Some(_) => "the buyer cancelled; what is done is posted",
        None => "the deal is nearly due; what is done is posted",
    };
    hub.move_on(deal.id, Stage::Assembling, message).await?;
    post(hub, deal).await
}

async fn post(hub: &Hub, deal: &DealRow) -> Result<(), StepError> {
    if !close(hub, deal.id).await {
        return Err(StepError::Stopping);
    }
    let posted = match assemble(hub, deal).await {
        Err(StepError::NothingDone) => {
            let cancellation = hub.store.cancellation(deal.id).await?;
            let cancellation = cancellation.ok_or(StepError::NothingDone)?;
            return end_together(hub, deal, &cancellation).await;
        }
        assembled => assembled?,
    };
    let known = hub.chain.deal(hub.wallet, deal.id).await?;
    match known.stage {
        DealStage::Open => {
            let (tree, cu, claims) = (posted.tree_hash, posted.cu_total, posted.claims.root);
            gio_failpoint::fail_point!("hub.sends.result");
            hub.chain.post_result(&deal.terms, tree, cu, claims).await?;
            gio_failpoint::fail_point!("hub.sent.result");
            observe::result_posted(deal.id, posted.result_root, posted.cu_total);
        }
        // It was not taken back after all: the node that said so lagged behind.
        DealStage::Posted if deal.stage == Stage::Posted => {
            hub.store
                .set_posted(deal.id, None, known.window_end)
                .await?;
        }
        _ => {}
    }
    Ok(())
}

/// A cancelled deal of which nothing is done: buyer and hub agree on a payment of nothing, and the cap comes back
/// before deliver-by (R10).
async fn end_together(
    hub: &Hub,
    deal: &DealRow,
    cancellation: &Cancellation,
) -> Result<(), StepError> {
    if !close(hub, deal.id).await {
        return Err(StepError::Stopping);
    }
    if hub.store.has_claims(deal.id).await? {
        // A claim came in the last moment: it is posted in the next step.
        let message = "the buyer cancelled; what is done is posted";
        hub.move_on(deal.id, Stage::Assembling, message).await?;
        return Err(StepError::LateClaim);
    }
    if stage(hub, deal).await? == DealStage::Open {
        let domain = Domain::new(hub.chain.chain_id(), hub.wallet);
        let digest = cancellation_digest(&domain, deal.id.0, Gio::ZERO);
        let own = hub.key.sign(digest);
        let (buyer, own) = (&cancellation.signature, own.as_bytes());
        let sent = hub.chain.cancel(&deal.terms, Gio::ZERO, buyer, own);
        gio_failpoint::fail_point!("hub.sends.cancellation");
        Box::pin(sent).await?;
        gio_failpoint::fail_point!("hub.sent.cancellation");
    }
    Ok(())
}

/// Builds the claims file and the result tree from the accepted claims and writes them down, the same every time: the
/// deal is off the board.
async fn assemble(hub: &Hub, deal: &DealRow) -> Result<Posted, StepError> {
    let claims = hub.store.claims(deal.id).await?;
    if claims.is_empty() {
        return Err(StepError::NothingDone);
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
    // Every claim is within its unit's limit, and the limits add up to less than 64 bits.
    let tree = file
        .tree()
        .map_err(|_| StoreError::Damaged { column: "cu" })?;
    let claims = hub
        .contents
        .put_anyway(file.to_bytes(), hub.now().after(KEEP_SECONDS))
        .await?;
    if !hub.store.use_content(claims.root, deal.id).await? {
        return Err(ContentError::Missing(claims.root).into());
    }
    let posted = Posted {
        result_root: tree.root(),
        tree_hash: tree.top().hash,
        cu_total: tree.top().sum,
        claims,
        tx: None,
        window_end: None,
    };
    hub.store.set_result(deal.id, &posted).await?;
    Ok(posted)
}

/// From the claims file's first byte on disk to the note that its deal uses it.
const KEEP_SECONDS: u64 = 3600;

async fn confirm(hub: &Hub, deal: &DealRow) -> Result<(), StepError> {
    let (Some(posted), Some(signature)) = (deal.posted, &deal.confirmation) else {
        return Ok(());
    };
    if is_posted(hub, deal).await? {
        let root = posted.result_root;
        gio_failpoint::fail_point!("hub.sends.confirmation");
        hub.chain.confirm(&deal.terms, root, signature).await?;
        gio_failpoint::fail_point!("hub.sent.confirmation");
    }
    Ok(())
}

async fn settle(hub: &Hub, deal: &DealRow) -> Result<(), StepError> {
    if is_posted(hub, deal).await? {
        gio_failpoint::fail_point!("hub.sends.settlement");
        hub.chain.settle(&deal.terms).await?;
        gio_failpoint::fail_point!("hub.sent.settlement");
    }
    Ok(())
}

async fn refund(hub: &Hub, deal: &DealRow) -> Result<(), StepError> {
    // What is not posted by now is not paid by the buyer.
    if !close(hub, deal.id).await {
        return Err(StepError::Stopping);
    }
    match stage(hub, deal).await? {
        DealStage::Open => {
            gio_failpoint::fail_point!("hub.sends.refund");
            hub.chain.refund(&deal.terms).await?;
            gio_failpoint::fail_point!("hub.sent.refund");
        }
        // A reorganisation took the opening back, and it is too late for another.
        DealStage::None => {
            let message = "nobody opened the deal again in time";
            hub.move_on(deal.id, Stage::Expired, message).await?;
            hub.look_at_pay.notify_one();
        }
        DealStage::Posted
        | DealStage::Settled
        | DealStage::Refunded
        | DealStage::Cancelled
        | DealStage::Refuted => {}
    }
    Ok(())
}

/// Whether the result is still on chain; if a reorganisation took it back, that is written down, and it is posted again.
async fn is_posted(hub: &Hub, deal: &DealRow) -> Result<bool, StepError> {
    let stage = stage(hub, deal).await?;
    if matches!(stage, DealStage::None | DealStage::Open) {
        observe::posting_taken_back(deal.id);
        hub.store.set_posted(deal.id, None, None).await?;
    }
    Ok(stage == DealStage::Posted)
}

async fn stage(hub: &Hub, deal: &DealRow) -> Result<DealStage, StepError> {
    Ok(hub.chain.deal(hub.wallet, deal.id).await?.stage)
}
