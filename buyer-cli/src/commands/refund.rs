//! `refund`: takes the cap of a job back that was not delivered in time.

use clap::Args;
use gio_agent::{ExitStatus, UserError};
use gio_evm::RevertReason;
use gio_protocol::DealStage;

use super::attach::Attach;
use super::{ProgressFlag, find_job};
use crate::cli::Global;
use crate::domain::next::End;
use crate::faults;
use crate::job::Dealt;
use crate::session::Session;

/// Take the cap of a job back that was not delivered in time
///
/// Anybody may do this for anybody: the money goes to the buyer. `attach` does it by itself when it follows a job past
/// its deadline.
#[derive(Clone, Debug, Args)]
pub struct Refund {
    /// The job, or the beginning of its id
    #[arg(value_name = "JOB")]
    job: String,
    #[command(flatten)]
    progress: ProgressFlag,
}

impl Refund {
    /// Sends the refund, then writes down how the job ended.
    ///
    /// # Errors
    /// A [`UserError`] if it is too early, or there is nothing to take back.
    pub async fn run(self, global: &Global) -> Result<ExitStatus, UserError> {
        let session = Session::open(global.home.clone())?;
        let job = find_job(&session, &self.job)?;
        let nothing = || {
            let message = format!("{} was never opened: nothing is locked", job.id);
            UserError::new(message, ExitStatus::Usage).escrow("untouched")
        };
        let dealt = job.dealt().ok_or_else(nothing)?;
        if dealt.end.is_none() {
            take_back(&session, dealt).await?;
        }
        let attach = Attach {
            job: job.id.to_string(),
            yes: false,
            progress: self.progress,
        };
        let status = Box::pin(attach.run(global)).await?;
        let job = session.jobs().load(&job.id)?;
        let end = job.dealt().and_then(|dealt| dealt.end);
        // What was asked for was done, although the job was not.
        Ok(if end == Some(End::Refunded) {
            ExitStatus::Ok
        } else {
            status
        })
    }
}

async fn take_back(session: &Session, dealt: &Dealt) -> Result<(), UserError> {
    let chain = session.chain().await?;
    let terms = &dealt.deal.terms;
    let deal = chain
        .deal(terms.wallet, dealt.deal.id)
        .await
        .map_err(faults::chain)?;
    if deal.stage != DealStage::Open {
        let message = format!(
            "the deal is {} on chain: there is nothing to take back",
            deal.stage.name()
        );
        return Err(UserError::new(message, ExitStatus::Usage));
    }
    let Err(error) = Box::pin(chain.refund(terms)).await else {
        return Ok(());
    };
    match error.revert() {
        Some(RevertReason::DealStateMismatch { .. }) => Ok(()),
        Some(RevertReason::DeliverByNotPassed { deliver_by, time }) => {
            let left = time.until(*deliver_by);
            let message = format!("the hub may deliver for another {left} s");
            Err(UserError::new(message, ExitStatus::Failure).retryable())
        }
        _ => Err(faults::send(error)),
    }
}
