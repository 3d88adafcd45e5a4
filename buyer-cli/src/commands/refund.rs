//! `refund`: takes the cap of a job back that was not delivered in time.

use clap::Args;
use gio_agent::{ExitStatus, UserError};
use gio_evm::{Chain, RevertReason};
use gio_protocol::{DealStage, DealTerms};
use serde_json::json;

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
        let session = Session::open(global.home())?;
        let job = find_job(&session, &self.job)?;
        let nothing = || {
            let message = format!("{} was never opened: nothing is locked", job.id);
            UserError::new(message, ExitStatus::Usage).escrow("untouched")
        };
        let dealt = job.dealt().ok_or_else(nothing)?;
        if dealt.end.is_none() && take_back(&session, dealt).await? == Taken::Rest {
            let text = "the window is over: the deal is settled and the rest of the cap is back; `attach` fetches the result once the hub answers";
            let value = json!({ "job": job.id.to_string(), "state": "settled" });
            global.output().result(text, &value);
            return Ok(ExitStatus::Ok);
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

/// What came back to the buyer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    /// The whole cap.
    Cap,
    /// What the posted bill leaves of it: the hub posted, and has not been seen since.
    Rest,
}

async fn take_back(session: &Session, dealt: &Dealt) -> Result<Taken, UserError> {
    let chain = session.chain().await?;
    let terms = &dealt.deal.terms;
    let deal = chain
        .deal(terms.wallet, dealt.deal.id)
        .await
        .map_err(faults::chain)?;
    if deal.stage == DealStage::Posted {
        return settle(&chain, terms).await;
    }
    if deal.stage != DealStage::Open {
        let message = format!(
            "the deal is {} on chain: there is nothing to take back",
            deal.stage.name()
        );
        return Err(UserError::new(message, ExitStatus::Usage));
    }
    let sent = Box::pin(chain.refund(terms)).await;
    gio_failpoint::fail_point!("buyer.sent.refund_command");
    let Err(error) = sent else {
        return Ok(Taken::Cap);
    };
    match error.revert() {
        Some(RevertReason::DealStateMismatch { .. }) => Ok(Taken::Cap),
        Some(RevertReason::DeliverByNotPassed { deliver_by, time }) => {
            let left = time.until(*deliver_by);
            let message = format!("the hub may deliver for another {left} s");
            Err(UserError::new(message, ExitStatus::Failure).retryable())
        }
        _ => Err(faults::send(error)),
    }
}

/// Anybody may settle once the window is over (F5), so a hub that vanished after posting keeps nothing locked.
async fn settle(chain: &Chain, terms: &DealTerms) -> Result<Taken, UserError> {
    let sent = Box::pin(chain.settle(terms)).await;
    gio_failpoint::fail_point!("buyer.sent.settlement_command");
    let Err(error) = sent else {
        return Ok(Taken::Rest);
    };
    match error.revert() {
        Some(RevertReason::DealStateMismatch { .. }) => Ok(Taken::Rest),
        Some(RevertReason::WindowOpen { window_end, time }) => {
            let left = time.until(*window_end);
            let message = format!("a result is posted; its window is open for another {left} s");
            Err(UserError::new(message, ExitStatus::Failure).retryable())
        }
        _ => Err(faults::send(error)),
    }
}
