//! `refund`: takes the cap of a job back that was not delivered in time.

use clap::Args;
use gio_agent::{Code, ExitStatus, UserError};
use gio_evm::{Chain, RevertReason};
use gio_protocol::{DealStage, DealTerms};
use serde_json::json;

use super::attach::Attach;
use super::{ProgressFlag, find_job};
use crate::cli::Global;
use crate::domain::next::End;
use crate::faults;
use crate::job::{Dealt, Job};
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
        if let Some(end) = dealt.end {
            return ended(&job, end, global);
        }
        if take_back(&session, &job, dealt).await? == Taken::Rest {
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

/// A job that is over: its cap is back already, or was paid out.
fn ended(job: &Job, end: End, global: &Global) -> Result<ExitStatus, UserError> {
    if end != End::Refunded {
        return Err(nothing_left(job, end.name()));
    }
    let text = format!("{}: the whole cap is back already", job.id);
    let value = json!({ "job": job.id.to_string(), "state": end.name() });
    global.output().result(&text, &value);
    Ok(ExitStatus::Ok)
}

fn nothing_left(job: &Job, state: &str) -> UserError {
    let text = format!("{}: there is nothing to take back", job.id);
    UserError::of(Code::NothingToDo, format!("{text}, the deal is {state}"))
        .escrow(format!("the deal is {state}"))
        .next(format!("gio-buyer status {}", job.id))
}

/// What came back to the buyer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    /// The whole cap.
    Cap,
    /// What the posted bill leaves of it: the hub posted, and has not been seen since.
    Rest,
}

async fn take_back(session: &Session, job: &Job, dealt: &Dealt) -> Result<Taken, UserError> {
    let chain = session.chain().await?;
    let terms = &dealt.deal.terms;
    let deal = chain
        .deal(terms.wallet, dealt.deal.id)
        .await
        .map_err(faults::chain)?;
    match deal.stage {
        DealStage::Open => {}
        DealStage::Posted => return settle(&chain, terms).await,
        // The hub was faster.
        DealStage::Refunded => return Ok(Taken::Cap),
        stage => return Err(nothing_left(job, stage.name())),
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
