//! `get`: fetches a result if it is not here, and puts it together again.

use std::path::PathBuf;

use clap::Args;
use gio_agent::{ExitStatus, UserError};

use super::{ProgressFlag, drive, find_job, print_job};
use crate::cli::Global;
use crate::domain::next::Step;
use crate::infra::inputs::restore;
use crate::results::write_again;
use crate::session::Session;
use crate::steps::{Approval, Driver, Goal, blocking};

/// Fetch a result if it is not here yet, and write it out again
///
/// Confirms and pays nothing. What was fetched once is kept, so this works without the hub, and offline.
#[derive(Clone, Debug, Args)]
pub struct Get {
    /// The job, or the beginning of its id
    #[arg(value_name = "JOB")]
    job: String,
    /// Where the result goes [default: where `submit` put it]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    progress: ProgressFlag,
}

impl Get {
    /// Writes the result out.
    ///
    /// # Errors
    /// A [`UserError`] if there is no result, or it is not right.
    pub async fn run(self, global: &Global) -> Result<ExitStatus, UserError> {
        let session = Session::open(global.home())?;
        let mut job = find_job(&session, &self.job)?;
        let is_here = job.dealt().is_some_and(|dealt| dealt.collected.is_some());
        let is_over = job.dealt().is_some_and(|dealt| dealt.end.is_some());
        let is_open = job.dealt().is_some_and(|dealt| dealt.step >= Step::Open);
        if !is_here && is_open && !is_over {
            let id = job.id.clone();
            let progress = self.progress.start();
            let driver = Driver::new(&session, &progress, job, Approval::Given).await?;
            if let Some(left) = drive(&session, driver, Goal::Fetched, &progress).await? {
                return Ok(left);
            }
            job = session.jobs().load(&id)?;
        }
        let (order, contents) = (job.order.clone(), session.contents().clone());
        let work = blocking(move || restore(&order, &contents)).await?;
        let out = self.out.unwrap_or_else(|| job.out.clone());
        write_again(&session, &job, &work, &out).await?;
        job.out = std::path::absolute(out)?;
        print_job(&session, &job, global.output())
    }
}
