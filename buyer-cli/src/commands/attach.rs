//! `attach`: goes on with a job wherever it is.

use clap::Args;
use gio_agent::{ExitStatus, UserError};

use super::{ProgressFlag, drive, find_job, finish};
use crate::cli::Global;
use crate::session::Session;
use crate::steps::{Approval, Driver, Goal};

/// Go on with a job wherever it is: after Ctrl-C, a crash, or an error that was put right
#[derive(Clone, Debug, Args)]
pub struct Attach {
    /// The job, or the beginning of its id
    #[arg(value_name = "JOB")]
    pub(super) job: String,
    /// Ask nothing
    #[arg(long)]
    pub(super) yes: bool,
    #[command(flatten)]
    pub(super) progress: ProgressFlag,
}

impl Attach {
    /// Carries the job to its end.
    ///
    /// # Errors
    /// A [`UserError`] that says what became of the money.
    pub async fn run(self, global: &Global) -> Result<ExitStatus, UserError> {
        let session = Session::open(global.home())?;
        let job = find_job(&session, &self.job)?;
        let id = job.id.clone();
        let is_over = job.dealt().is_some_and(|dealt| dealt.end.is_some());
        let mut left = None;
        if !is_over {
            let progress = self.progress.start();
            let driver = Driver::new(&session, &progress, job, Approval::new(self.yes)).await?;
            left = drive(&session, driver, Goal::End, &progress).await?;
        }
        let job = session.jobs().load(&id)?;
        finish(&session, &job, left, global.output())
    }
}
