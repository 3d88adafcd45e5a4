//! `status`: a job as it stands, here and on chain.

use std::time::Duration;

use clap::Args;
use gio_agent::{ExitStatus, UserError};
use gio_protocol::{DealStage, UnixSeconds};
use serde::Serialize;

use super::attach::Attach;
use super::{ProgressFlag, find_job};
use crate::cli::Global;
use crate::domain::machines::Machines;
use crate::faults;
use crate::job::Job;
use crate::results::{Answer, JobReport, answer};
use crate::session::Session;
use crate::steps::reach;

/// Show a job as it stands, here and on chain
#[derive(Clone, Debug, Args)]
pub struct Status {
    /// The job, or the beginning of its id [default: the newest]
    #[arg(value_name = "JOB")]
    job: Option<String>,
    /// Stay and carry the job to its end, as `attach` does
    #[arg(long)]
    watch: bool,
    /// Do not ask the chain
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    progress: ProgressFlag,
}

/// How long the hub has to answer.
const HUB_WAIT: Duration = Duration::from_secs(5);

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    #[serde(flatten)]
    job: JobReport,
    chain: Option<OnChain>,
    /// Of an open deal, if the hub answers.
    hub: Option<AtTheHub>,
}

/// Where an open deal is at its hub.
#[derive(Debug, Serialize)]
struct AtTheHub {
    units_done: u32,
    units_running: u32,
    units_waiting: u32,
    units_total: u32,
    machines: Machines,
    machine_reasons: Vec<String>,
}

/// The deal in the hub's wallet.
#[derive(Debug, Serialize)]
struct OnChain {
    stage: &'static str,
    window_end: Option<UnixSeconds>,
    deliver_by: UnixSeconds,
    block_time: UnixSeconds,
}

impl Status {
    /// Shows the job.
    ///
    /// # Errors
    /// A [`UserError`] if there is no such job, or the chain does not answer.
    pub async fn run(self, global: &Global) -> Result<ExitStatus, UserError> {
        let session = Session::open(global.home())?;
        let job = match &self.job {
            Some(name) => find_job(&session, name)?,
            None => newest(&session)?,
        };
        if self.watch {
            let attach = Attach {
                job: job.id.to_string(),
                yes: false,
                progress: self.progress,
            };
            return Box::pin(attach.run(global)).await;
        }
        let chain = match self.offline {
            true => None,
            false => on_chain(&session, &job).await?,
        };
        let hub = match chain.as_ref().map(|chain| chain.stage) {
            Some("open") => at_the_hub(&session, &job).await,
            _ => None,
        };
        let Answer { text, report, .. } = answer(&session, &job)?;
        let text = match &chain {
            Some(chain) => format!("{text}{}", chain_text(chain)),
            None => text,
        };
        let text = match &hub {
            Some(hub) => format!("{text}{}", hub_text(hub)),
            None => text,
        };
        let report = Report {
            job: report,
            chain,
            hub,
        };
        global.output().result(&text, &report);
        Ok(ExitStatus::Ok)
    }
}

/// The job that was submitted last.
fn newest(session: &Session) -> Result<Job, UserError> {
    let mut newest: Option<Job> = None;
    for id in session.jobs().ids()? {
        let job = session.jobs().load(&id)?;
        if newest
            .as_ref()
            .is_none_or(|known| job.submitted_ms() > known.submitted_ms())
        {
            newest = Some(job);
        }
    }
    let none = || UserError::new("there is no job here yet", ExitStatus::Usage);
    newest.ok_or_else(|| none().hint("gio-buyer submit JOB.toml"))
}

async fn on_chain(session: &Session, job: &Job) -> Result<Option<OnChain>, UserError> {
    let Some(dealt) = job.dealt() else {
        return Ok(None);
    };
    let chain = session.chain().await?;
    let terms = &dealt.deal.terms;
    let (deal, head) = tokio::try_join!(chain.deal(terms.wallet, dealt.deal.id), chain.head())
        .map_err(faults::chain)?;
    Ok(Some(OnChain {
        stage: DealStage::name(deal.stage),
        window_end: deal.window_end,
        deliver_by: terms.deliver_by,
        block_time: head.time,
    }))
}

/// What the hub says, if it says anything soon: a status is for a quick look, `why` for the reasons.
async fn at_the_hub(session: &Session, job: &Job) -> Option<AtTheHub> {
    let deal = &job.dealt()?.deal;
    let ask = async {
        let net = session.net().await.ok()?;
        let hub = reach(&net.net, &deal.hub).await.ok()?;
        hub.explain(deal.id).await.ok()
    };
    let found = tokio::time::timeout(HUB_WAIT, ask).await.ok().flatten()?;
    Some(AtTheHub {
        units_done: found.units_done,
        units_running: found.units_running,
        units_waiting: found.units_queued,
        units_total: found.units_total,
        machine_reasons: found.machines.reasons(),
        machines: found.machines,
    })
}

fn hub_text(hub: &AtTheHub) -> String {
    let AtTheHub {
        units_done,
        units_running,
        units_waiting,
        units_total,
        ..
    } = hub;
    let mut text = format!(
        "  units    {units_done} of {units_total} done, {units_running} running, {units_waiting} waiting\n  machines {}\n",
        hub.machines.summary()
    );
    for reason in &hub.machine_reasons {
        text.push_str(&format!("           {reason}\n"));
    }
    text
}

fn chain_text(chain: &OnChain) -> String {
    let left = chain.block_time.until(chain.deliver_by);
    match (chain.stage, chain.window_end) {
        ("open", _) => format!("  on chain open; due in {left} s by the last block\n"),
        ("posted", Some(end)) => {
            let left = chain.block_time.until(end);
            format!("  on chain posted; anyone may settle in {left} s by the last block\n")
        }
        (stage, _) => format!("  on chain {stage}\n"),
    }
}
