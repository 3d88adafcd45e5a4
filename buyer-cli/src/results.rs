//! From the buyer's own copies to files and reports: the output folder, the receipt, what a command answers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gio_agent::{ExitStatus, UserError};
use gio_content::{ContentRef, assembled_files};
use gio_protocol::{ClaimsFile, UnixSeconds};
use gio_runtime::RunControl;
use serde::Serialize;

use crate::content_store::ContentStore;
use crate::domain::layout::{Files, UnitOutcome, lay_out};
use crate::domain::next::End;
use crate::domain::receipt::{self, Receipt, UnitCounts, counts, receipt};
use crate::domain::work::Work;
use crate::faults;
use crate::infra::output_folder;
use crate::infra::sandbox::{Reduction, SandboxConfig, SandboxError, reduce};
use crate::job::{AssemblyFailure, Dealt, Job, JobId, Moment, Order};
use crate::job_file::Assembly;
use crate::session::Session;
use crate::steps::blocking;

/// The checked claims of a job, if they are here.
///
/// # Errors
/// A [`UserError`] if the copy is damaged.
pub fn claims(session: &Session, job: &Job) -> Result<Option<ClaimsFile>, UserError> {
    let Some(collected) = job.dealt().and_then(|dealt| dealt.collected.as_ref()) else {
        return Ok(None);
    };
    let bytes = session.contents().get(collected.claims)?;
    Ok(Some(ClaimsFile::from_bytes(&bytes)?))
}

/// Every unit's claim with its output, `None` for units that were not delivered.
///
/// # Errors
/// A [`UserError`] if a copy is damaged or the result is not here.
pub async fn units(session: &Session, job: &Job) -> Result<Vec<Option<UnitOutcome>>, UserError> {
    let collected = job.dealt().and_then(|dealt| dealt.collected.clone());
    let (Some(file), Some(collected)) = (claims(session, job)?, collected) else {
        return Err(not_here(job));
    };
    let contents = session.contents().clone();
    blocking(move || outcomes(&file, &collected.outputs, &contents)).await
}

fn outcomes(
    file: &ClaimsFile,
    outputs: &BTreeMap<u32, ContentRef>,
    contents: &ContentStore,
) -> Result<Vec<Option<UnitOutcome>>, crate::content_store::ContentError> {
    let outcome = |signed: &gio_protocol::SignedClaim| {
        let claim = &signed.claim;
        let content = outputs.get(&claim.unit).copied().unwrap_or(ContentRef {
            root: claim.content_root,
            length: claim.output_length,
        });
        Ok(UnitOutcome {
            status: claim.status,
            exit_code: claim.exit_code,
            cu: claim.cu,
            owner: Some(claim.owner),
            image: contents.get(content)?,
        })
    };
    let claims = file.claims.iter();
    claims
        .map(|signed| signed.as_ref().map(outcome).transpose())
        .collect()
}

fn not_here(job: &Job) -> UserError {
    let message = format!(
        "the result of {} is not here yet; it is {}",
        job.id,
        job.state_name()
    );
    UserError::new(message, ExitStatus::Failure).hint(format!("gio-buyer attach {}", job.id))
}

/// Puts a fetched job's result together in `out`. A reducing program that fails, or a full disk, is no reason not to
/// pay the miners, so it comes back as a fact.
///
/// # Errors
/// A [`UserError`] if the buyer's own copies are damaged.
pub async fn write_out(
    session: &Session,
    job: &Job,
    work: &Work,
    out: &Path,
) -> Result<Option<AssemblyFailure>, UserError> {
    let dealt = job.dealt().ok_or_else(|| not_here(job))?;
    let assembling = Assembling {
        order: job.order.clone(),
        is_plain: is_plain(work),
        clock_start: dealt.deal.terms.clock_start,
        contents: session.contents().clone(),
        sandbox: session.sandbox(),
        out: out.to_owned(),
    };
    assembling.run(units(session, job).await?).await
}

/// Whether the job has one unit by its nature.
#[must_use]
pub fn is_plain(work: &Work) -> bool {
    matches!(work.spec().split, gio_content::Split::None)
}

/// What it takes to make a result of outputs.
#[derive(Debug)]
pub struct Assembling {
    /// The job.
    pub order: Order,
    /// Whether it has one unit by its nature.
    pub is_plain: bool,
    /// What a reducing program's clock shows first.
    pub clock_start: UnixSeconds,
    /// Where the reducing program is.
    pub contents: ContentStore,
    /// Where it runs.
    pub sandbox: SandboxConfig,
    /// Where the files go.
    pub out: PathBuf,
}

/// Stops a reducing program when the command ends, by Ctrl-C for example.
struct CancelOnDrop(RunControl);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Assembling {
    /// Puts outputs together and writes them.
    ///
    /// # Errors
    /// A [`UserError`] if an output cannot be read at all.
    pub async fn run(
        self,
        units: Vec<Option<UnitOutcome>>,
    ) -> Result<Option<AssemblyFailure>, UserError> {
        let control = CancelOnDrop(RunControl::none());
        let inner = control.0.clone();
        blocking(move || self.run_here(&units, &inner)).await
    }

    fn run_here(
        &self,
        units: &[Option<UnitOutcome>],
        control: &RunControl,
    ) -> Result<Option<AssemblyFailure>, gio_content::AssembleError> {
        let (files, failure) = self.files(units, control)?;
        let written = output_folder::write(&self.out, &files);
        Ok(failure.or_else(|| written.err().map(|error| self.failure(&error, false))))
    }

    fn files(
        &self,
        units: &[Option<UnitOutcome>],
        control: &RunControl,
    ) -> Result<(Files, Option<AssemblyFailure>), gio_content::AssembleError> {
        let Assembly::Reduce { program, args } = &self.order.assembly else {
            let files = lay_out(&self.order.assembly, self.is_plain, units, None)?;
            return Ok((files, None));
        };
        let images: Vec<_> = units
            .iter()
            .map(|unit| unit.as_ref().map(|unit| unit.image.clone()))
            .collect();
        let reduced = self.reduce(*program, args, assembled_files(&images)?, control);
        match reduced {
            Ok(output) => {
                let files = lay_out(&self.order.assembly, self.is_plain, units, Some(output))?;
                Ok((files, None))
            }
            // The units' own files are worth having when what should join them failed.
            Err(failure) => {
                let files = lay_out(&Assembly::<()>::Directory, false, units, None)?;
                Ok((files, Some(failure)))
            }
        }
    }

    fn reduce(
        &self,
        program: ContentRef,
        args: &[String],
        files: Files,
        control: &RunControl,
    ) -> Result<gio_content::OutputImage, AssemblyFailure> {
        let module = self.contents.get(program);
        let module = module.map_err(|error| self.failure(&error, false))?;
        let own_name = self.order.spec.args.first().cloned().unwrap_or_default();
        let reduction = Reduction {
            module: &module,
            args: [own_name].into_iter().chain(args.iter().cloned()).collect(),
            files,
            clock_start: self.clock_start,
        };
        reduce(&self.sandbox, reduction, control).map_err(|error| {
            let by_program = matches!(error, SandboxError::Reducer { .. });
            self.failure(&error, by_program)
        })
    }

    fn failure(&self, error: &dyn std::error::Error, by_program: bool) -> AssemblyFailure {
        let mut message = format!(
            "the result was not put together in {}: {error}",
            self.out.display()
        );
        let mut cause = error.source();
        while let Some(error) = cause {
            message.push_str(&format!(": {error}"));
            cause = error.source();
        }
        AssemblyFailure {
            message,
            by_program,
        }
    }
}

/// Writes the receipt beside the job, and beside the result if there is one.
///
/// # Errors
/// A [`UserError`] if the home cannot be written; a result folder that went away is nobody's loss.
///
/// # Panics
/// Never: a receipt holds nothing JSON cannot say.
pub fn write_receipt(session: &Session, job: &Job) -> Result<(), UserError> {
    let Some(dealt) = job.dealt() else {
        return Ok(());
    };
    let receipt = receipt(job, dealt, claims(session, job)?.as_ref());
    let json = serde_json::to_vec_pretty(&receipt).expect("a receipt holds only texts and numbers");
    session.jobs().write(&job.id, "receipt.json", &json)?;
    gio_failpoint::fail_point!("buyer.wrote.receipt");
    if dealt.collected.is_some() && job.out.is_dir() {
        write_beside(&job.out, json);
    }
    Ok(())
}

fn write_beside(out: &Path, receipt: Vec<u8>) {
    let files: Files = [("receipt.json".to_owned(), receipt)].into();
    if let Err(error) = output_folder::write(out, &files) {
        tracing::warn!(%error, "the receipt was not written beside the result");
    }
}

/// What a command that moved or looked at a job answers. Stable: `--json` prints it.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct JobReport {
    pub job: JobId,
    pub name: String,
    pub state: &'static str,
    pub out: PathBuf,
    pub exit_code: u8,
    pub assembly_failure: Option<String>,
    pub receipt: Option<Receipt>,
    pub timings_ms: BTreeMap<Moment, u64>,
}

/// A report and how the command should end.
#[derive(Clone, Debug)]
pub struct Answer {
    /// For people.
    pub text: String,
    /// For programs.
    pub report: JobReport,
    /// The exit code.
    pub status: ExitStatus,
}

/// Reports a job as it stands on disk.
///
/// # Errors
/// A [`UserError`] if the buyer's own copies are damaged.
pub fn answer(session: &Session, job: &Job) -> Result<Answer, UserError> {
    let file = claims(session, job)?;
    let dealt = job.dealt();
    let receipt = dealt.map(|dealt| receipt(job, dealt, file.as_ref()));
    let status = dealt.map_or(ExitStatus::Ok, |dealt| status(dealt, file.as_ref()));
    let failure = dealt.and_then(|dealt| dealt.assembly_failure.as_ref());
    let mut text = match &receipt {
        Some(receipt) => receipt::text(receipt, dealt.and_then(|dealt| dealt.end)),
        None => format!(
            "{}  {}  {}\n",
            job.id,
            job.order.spec.name,
            job.state_name()
        ),
    };
    if let Some(failure) = failure {
        text.push_str(&format!("{}\n", failure.message));
    }
    Ok(Answer {
        text,
        report: JobReport {
            job: job.id.clone(),
            name: job.order.spec.name.clone(),
            state: job.state_name(),
            out: job.out.clone(),
            exit_code: status as u8,
            assembly_failure: failure.map(|failure| failure.message.clone()),
            receipt,
            timings_ms: job.timings_ms(),
        },
        status,
    })
}

/// The exit code that a deal deserves.
fn status(dealt: &Dealt, claims: Option<&ClaimsFile>) -> ExitStatus {
    match dealt.end {
        None => ExitStatus::Ok,
        Some(End::Settled) => {
            let units = counts(dealt.deal.terms.unit_count, claims);
            of_units(&units, dealt.assembly_failure.as_ref())
        }
        Some(End::Refunded | End::Cancelled | End::Refuted | End::Expired) => {
            ExitStatus::NotDelivered
        }
    }
}

/// The exit code that units and what was made of them deserve.
#[must_use]
pub fn of_units(units: &UnitCounts, failure: Option<&AssemblyFailure>) -> ExitStatus {
    if units.delivered < units.total {
        ExitStatus::NotDelivered
    } else if units.failed > 0 || failure.is_some_and(|failure| failure.by_program) {
        ExitStatus::UnitFailed
    } else if failure.is_some() {
        ExitStatus::Failure
    } else {
        ExitStatus::Ok
    }
}

/// Writes a result to another folder, and the receipt beside it if the job is over.
///
/// # Errors
/// A [`UserError`] about the folder or the copies.
pub async fn write_again(
    session: &Session,
    job: &Job,
    work: &Work,
    out: &Path,
) -> Result<(), UserError> {
    let out = output_folder::resolve(out).map_err(faults::usage)?;
    let failure = write_out(session, job, work, &out).await?;
    if let Ok(receipt) = session.jobs().read(&job.id, "receipt.json") {
        write_beside(&out, receipt);
    }
    match failure {
        None => Ok(()),
        Some(failure) => {
            let status = if failure.by_program {
                ExitStatus::UnitFailed
            } else {
                ExitStatus::Failure
            };
            Err(UserError::new(failure.message, status))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::next::Step;
    use crate::domain::verify::tests::good_file;
    use crate::job_store::tests::fetched_job;

    fn ended(end: End) -> Dealt {
        let mut dealt = fetched_job().dealt().unwrap().clone();
        (dealt.step, dealt.end) = (Step::Ended, Some(end));
        dealt
    }

    #[test]
    fn the_exit_code_says_how_the_job_ended() {
        let file = good_file();
        assert_eq!(status(&ended(End::Settled), Some(&file)), ExitStatus::Ok);
        let mut failed = file.clone();
        failed.claims[1].as_mut().unwrap().claim.exit_code = 3;
        let code = status(&ended(End::Settled), Some(&failed));
        assert_eq!(code, ExitStatus::UnitFailed);
        failed.claims[0] = None;
        let code = status(&ended(End::Settled), Some(&failed));
        assert_eq!(code, ExitStatus::NotDelivered);
        for end in [End::Refunded, End::Cancelled, End::Refuted, End::Expired] {
            assert_eq!(status(&ended(end), Some(&file)), ExitStatus::NotDelivered);
        }
    }

    #[test]
    fn a_reducing_program_that_failed_is_told_from_a_full_disk() {
        let mut dealt = ended(End::Settled);
        for (by_program, code) in [(true, ExitStatus::UnitFailed), (false, ExitStatus::Failure)] {
            let message = "no".to_owned();
            dealt.assembly_failure = Some(AssemblyFailure {
                message,
                by_program,
            });
            assert_eq!(status(&dealt, Some(&good_file())), code);
        }
    }
}
