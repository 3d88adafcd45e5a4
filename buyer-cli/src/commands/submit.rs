//! `submit`: a job file or flags become a job, and the job a result.

use std::path::PathBuf;

use clap::Args;
use gio_agent::{ExitStatus, UserError, random_word};

use super::{ProgressFlag, drive, finish};
use crate::apps;
use crate::cli::Global;
use crate::faults;
use crate::infra::inputs::{LoadedJob, load};
use crate::infra::output_folder;
use crate::job::{Job, JobId, Moment};
use crate::job_flags::{JobFlags, MarketFlags};
use crate::output::Output;
use crate::session::Session;
use crate::steps::{Approval, Driver, Goal, blocking, unix_ms};

/// What the job file may say and where the result goes, after the flags.
const AFTER_HELP: &str = "\
Job file (TOML; every key but wasm or app has a default, paths are relative to the file):
  name, wasm, app, args, env, inputs, shared, stdin, verify
  [split]     by = none, files, range (start, end, units), lines (file, units),
              bytes (file, size) or list (items)
  [assemble]  by = directory, concat or reduce (wasm, args: runs here, over the units' files)
  [limits]    pu, memory_mib, output_mib: of each unit
  [price]     cap_gio, max_price_per_pu, deadline_minutes, window_minutes
  [hubs]      regions, only

Result (in --out):
  directory   <unit>/...       every unit's files; directly in the folder if split is none
  concat      stdout           all standard outputs in unit order
  reduce      ...              the reducing program's files
  always      units.json       how each unit ended, its CU and its miner
              receipt.json     what it cost, who was paid, what was proven
              stdout, stderr   of the only unit, or of the reducing program
              units/<unit>/    the other units' stdout and stderr, as far as they wrote any
  If a program wrote a file of one of these names itself, all its files are below files/.

Exit codes: 0 done, 2 the job is wrong, 10 a unit failed, 11 not delivered, 12 no hub fits,
13 too little money, 14 somebody cannot be reached, 15 the result is not what was posted,
20 detached.";

/// Run a job on the market and pay for it
///
/// The first line printed is the job's id. Ctrl-C detaches: the job goes on, `attach` comes back to it.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct Submit {
    #[command(flatten)]
    job: JobFlags,
    #[command(flatten)]
    market: MarketFlags,
    #[command(flatten)]
    buying: Buying,
}

/// How `submit` and `reduce` buy.
#[derive(Clone, Debug, Args)]
pub struct Buying {
    /// Where the result goes [default: a folder named as the job]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Leave as soon as the cap is in escrow
    #[arg(long)]
    detach: bool,
    /// Ask nothing
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    progress: ProgressFlag,
}

impl Submit {
    /// Validates, then buys.
    ///
    /// # Errors
    /// A [`UserError`] that says what became of the money.
    pub async fn run(self, global: &Global) -> Result<ExitStatus, UserError> {
        let submitted = unix_ms();
        let session = Session::open(global.home())?;
        let mut request = Box::pin(apps::request(&session, &self.job)).await?;
        self.market.change(&mut request)?;
        let loaded = tokio::task::spawn_blocking(move || load(&request)).await;
        let loaded = loaded.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        let loaded = loaded.map_err(faults::input)?;
        self.buying
            .buy(&session, loaded, submitted, global.output())
            .await
    }
}

impl Buying {
    /// Carries a job that was found to be right to its end, or as far as the flags say.
    ///
    /// # Errors
    /// A [`UserError`] that says what became of the money.
    pub(super) async fn buy(
        &self,
        session: &Session,
        loaded: LoadedJob,
        submitted: u64,
        output: Output,
    ) -> Result<ExitStatus, UserError> {
        let work = loaded.work.clone();
        let job = self.draft(session, loaded, submitted, output).await?;
        let id = job.id.clone();
        let progress = self.progress.start();
        if !self.detach {
            progress.note(format!(
                "Ctrl-C leaves the job to itself; `gio-buyer attach {id}` comes back to it"
            ));
        }
        let driver = Driver::new(session, &progress, job, Approval::new(self.yes)).await?;
        let goal = if self.detach { Goal::Open } else { Goal::End };
        let left = drive(session, driver.with_work(work), goal, &progress).await?;
        let job = session.jobs().load(&id)?;
        finish(session, &job, left, output)
    }

    /// Everything is right as far as can be told here: the job gets its id and goes to disk.
    async fn draft(
        &self,
        session: &Session,
        loaded: LoadedJob,
        submitted: u64,
        output: Output,
    ) -> Result<Job, UserError> {
        let id = JobId::from_random(random_word());
        let out = self
            .out
            .clone()
            .unwrap_or_else(|| PathBuf::from(id.as_str()));
        let out = output_folder::resolve(&out).map_err(faults::job)?;
        let mut job = Job::new(id, out, loaded.order);
        job.note(Moment::Submitted, submitted);
        let store = session.contents().clone();
        let contents = loaded.contents;
        blocking(move || {
            contents
                .iter()
                .try_for_each(|bytes| store.put(bytes).map(drop))
        })
        .await?;
        job.note(Moment::Checked, unix_ms());
        session.jobs().save(&job)?;
        output.line(&format!("job {}", job.id));
        Ok(job)
    }
}
