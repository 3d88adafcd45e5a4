//! `cancel`: no more of a job is run (R10).

use clap::Args;
use gio_agent::{Code, ExitStatus, UserError};
use gio_protocol::{DealStage, Domain, Gio, cancellation_digest};
use serde_json::json;

use super::find_job;
use crate::cli::Global;
use crate::decimal::{gio_text, units_text};
use crate::domain::next::{End, Step};
use crate::faults;
use crate::infra::hub::{Cancelled, HubClient};
use crate::job::{Dealt, Job};
use crate::session::{Session, local_now, now_at};
use crate::steps::reach;

/// Run no more of a job: what is running is finished and paid, the rest of the cap comes back
///
/// Units that miners have already may still be claimed for a while; if none is, the whole cap comes back before the
/// deadline. A job whose cap is not locked yet is never opened.
#[derive(Clone, Debug, Args)]
pub struct Cancel {
    /// The job, or the beginning of its id
    #[arg(value_name = "JOB")]
    job: String,
}

impl Cancel {
    /// Tells the hub, or forgets a job that has none.
    ///
    /// # Errors
    /// A [`UserError`] if it is too late, or the hub does not answer.
    pub async fn run(self, global: &Global) -> Result<ExitStatus, UserError> {
        let session = Session::open(global.home())?;
        let mut job = find_job(&session, &self.job)?;
        let id = job.id.clone();
        let Some(dealt) = job.dealt() else {
            let _lock = session.jobs().lock(&id).map_err(faults::jobs)?;
            job.cancelled = true;
            session.jobs().save(&job)?;
            let value = json!({ "job": id, "state": job.state_name() });
            let text = format!("{id} is cancelled; nothing was locked");
            global.output().result(&text, &value);
            return Ok(ExitStatus::Ok);
        };
        if let Some(end) = dealt.end {
            return Err(over(&job, end.name()));
        }
        match stage(&session, dealt).await? {
            DealStage::None => self.never_open(&session, job, global).await,
            DealStage::Open => {
                let cancelled = tell(&session, dealt).await?;
                let text = told_text(&job, dealt, &cancelled);
                let value = json!({
                    "job": id,
                    "state": "cancelling",
                    "until": cancelled.until,
                    "units_running": cancelled.units_running,
                    "units_done": cancelled.units_done,
                });
                global.output().result(&text, &value);
                Ok(ExitStatus::Ok)
            }
            stage => Err(over(&job, stage.name())),
        }
    }

    /// The hub signed and nothing is locked: as long as nothing was sent, nothing will be.
    async fn never_open(
        &self,
        session: &Session,
        mut job: Job,
        global: &Global,
    ) -> Result<ExitStatus, UserError> {
        let _lock = session.jobs().lock(&job.id).map_err(faults::jobs)?;
        let dealt = job.dealt_mut().expect("whoever calls has looked");
        let chain = session.chain().await?;
        let head = chain.head().await.map_err(faults::chain)?;
        let open_by = dealt.deal.terms.open_by;
        if dealt.step > Step::Signed && head.time <= open_by {
            let left = now_at(&head).until(open_by);
            let text = "the transaction that locks the cap may be on its way";
            let hint = format!("in {left} s it is either mined or never will be");
            let error = UserError::of(Code::TooEarly, text).hint(hint);
            return Err(error.escrow("not locked as of the last block"));
        }
        dealt.end = Some(End::Expired);
        dealt.step = Step::Ended;
        session.jobs().save(&job)?;
        let text = format!("{} is cancelled; nothing was locked", job.id);
        let value = json!({ "job": job.id, "state": job.state_name() });
        global.output().result(&text, &value);
        Ok(ExitStatus::Ok)
    }
}

async fn stage(session: &Session, dealt: &Dealt) -> Result<DealStage, UserError> {
    let chain = session.chain().await?;
    let (wallet, id) = (dealt.deal.terms.wallet, dealt.deal.id);
    Ok(chain.deal(wallet, id).await.map_err(faults::chain)?.stage)
}

fn over(job: &Job, state: &str) -> UserError {
    let text = format!("it is too late to cancel {}: the deal is {state}", job.id);
    UserError::of(Code::NothingToDo, text)
        .escrow(format!("the deal is {state}"))
        .next(format!("gio-buyer status {}", job.id))
}

async fn tell(session: &Session, dealt: &Dealt) -> Result<Cancelled, UserError> {
    let deal = &dealt.deal;
    let domain = Domain::new(deal.chain_id, deal.terms.wallet);
    let signature = session
        .key()
        .sign(cancellation_digest(&domain, deal.id.0, Gio::ZERO));
    let effect = || {
        let cap = gio_text(deal.terms.cap);
        format!(
            "{cap} GIO stay in escrow; they are paid out against a result only, and all come back when none is posted in time"
        )
    };
    let net = session.net().await?;
    let hub: HubClient = reach(&net.net, &deal.hub)
        .await
        .map_err(|error| faults::unreachable(error).escrow(effect()))?;
    let told = hub.cancel(deal.id, &signature).await;
    told.map_err(|error| faults::hub(error).escrow(effect()))
}

fn told_text(job: &Job, dealt: &Dealt, cancelled: &Cancelled) -> String {
    let Cancelled {
        until,
        units_running,
        units_done,
    } = *cancelled;
    let (id, cap) = (&job.id, gio_text(dealt.deal.terms.cap));
    let left = local_now().until(until);
    let first = format!("{id} is being cancelled: no more units are given out");
    let next = format!("next: gio-buyer attach {id}");
    if units_running + units_done == 0 {
        return format!("{first}\nnothing was done: the whole cap of {cap} GIO comes back\n{next}");
    }
    let (running, done) = (units_text(units_running), units_text(units_done));
    format!(
        "{first}\n{done} done, {running} running for at most {left} s more: these are paid, the rest of the cap of {cap} GIO comes back\n{next}"
    )
}
