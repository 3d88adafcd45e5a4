//! One file per command: its flags, and what it does.

pub mod address;
pub mod app;
pub mod attach;
pub mod balance;
pub mod cancel;
pub mod check;
pub mod doctor;
pub mod get;
pub mod init;
pub mod list;
pub mod logs;
pub mod plan;
pub mod reduce;
pub mod refund;
pub mod run;
pub mod status;
pub mod submit;
pub mod why;

use clap::Args;
use gio_agent::{ExitStatus, UserError, shutdown_signal};

use crate::faults;
use crate::infra::progress::{Progress, ProgressMode};
use crate::job::Job;
use crate::output::Output;
use crate::results::{Answer, answer};
use crate::session::Session;
use crate::steps::{Driver, Goal, escrow_effect};

/// How progress is shown; of every command that waits.
#[derive(Clone, Copy, Debug, Args)]
pub struct ProgressFlag {
    /// How progress is shown, on standard error
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "HOW",
        hide_possible_values = false
    )]
    progress: ProgressMode,
}

impl ProgressFlag {
    /// The progress display.
    #[must_use]
    pub fn start(self) -> Progress {
        Progress::new(self.progress)
    }
}

/// The job a command names.
///
/// # Errors
/// A [`UserError`] if there is none of that name.
pub fn find_job(session: &Session, name: &str) -> Result<Job, UserError> {
    session.jobs().find(name).map_err(faults::jobs)
}

/// Carries a job to a goal; Ctrl-C leaves it to itself.
///
/// # Errors
/// The driver's.
pub async fn drive(
    session: &Session,
    mut driver: Driver<'_>,
    goal: Goal,
    progress: &Progress,
) -> Result<Option<ExitStatus>, UserError> {
    let id = driver.job_id().clone();
    let left = tokio::select! {
        result = Box::pin(driver.drive(goal)) => {
            progress.clear();
            result?;
            false
        }
        () = shutdown_signal() => {
            progress.clear();
            true
        }
    };
    if !left {
        return Ok(None);
    }
    let job = session.jobs().load(&id)?;
    progress.note(format!("detached; escrow: {}", escrow_effect(&job)));
    progress.note(format!("come back with: gio-buyer attach {id}"));
    Ok(Some(ExitStatus::Detached))
}

/// Prints a job as it was left: whoever pressed Ctrl-C was told how to come back and needs no more words.
///
/// # Errors
/// A [`UserError`] if the buyer's own copies are damaged.
pub fn finish(
    session: &Session,
    job: &Job,
    left: Option<ExitStatus>,
    output: Output,
) -> Result<ExitStatus, UserError> {
    match left {
        Some(status) if !output.is_json() => Ok(status),
        Some(status) => print_job(session, job, output).map(|_| status),
        None => print_job(session, job, output),
    }
}

/// Prints a job as it stands.
///
/// # Errors
/// A [`UserError`] if the buyer's own copies are damaged.
pub fn print_job(session: &Session, job: &Job, output: Output) -> Result<ExitStatus, UserError> {
    let Answer {
        text,
        report,
        status,
    } = answer(session, job)?;
    output.result(&text, &report);
    Ok(status)
}
