//! `run`: the whole job in the local sandbox, for nothing, with the outputs the market would give.

use std::path::PathBuf;

use clap::Args;

use gio_agent::{ExitStatus, UserError, random_word};
use gio_protocol::{B256, Cu};
use gio_runtime::RunControl;
use serde::Serialize;

use super::ProgressFlag;
use super::check::counter;
use crate::apps;
use crate::cli::Global;
use crate::content_store::ContentStore;
use crate::decimal::{pu_text, units_text};
use crate::domain::failures::{FailedUnit, failed_units, lines};
use crate::domain::layout::UnitOutcome;
use crate::domain::receipt::UnitCounts;
use crate::domain::work::Work;
use crate::faults;
use crate::infra::inputs::{LoadedJob, load};
use crate::infra::output_folder;
use crate::infra::progress::Progress;
use crate::infra::sandbox::{SandboxConfig, Watch, run_units};
use crate::job_flags::JobFlags;
use crate::results::{Assembling, is_plain, of_units};
use crate::session::{Session, local_now};
use crate::steps::blocking;

/// Run a job on this machine, without any market
///
/// The outputs are those the market would give, but for random numbers and the clock, which follow from the deal. Says
/// how much PU each unit took, to set limits by.
#[derive(Clone, Debug, Args)]
pub struct Run {
    #[command(flatten)]
    job: JobFlags,
    /// Run on this machine; the only way so far
    #[arg(long)]
    local: bool,
    /// Where the result goes
    #[arg(long, value_name = "DIR", default_value = "local-run")]
    out: PathBuf,
    /// Units at a time [default: one per core]
    #[arg(long, value_name = "N")]
    sandboxes: Option<u32>,
    #[command(flatten)]
    progress: ProgressFlag,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    name: String,
    out: PathBuf,
    units: u32,
    failed: u32,
    failed_units: Vec<FailedUnit>,
    cu_total: Cu,
    cu_largest_unit: Cu,
    assembly_failure: Option<String>,
}

impl Run {
    /// Runs all units and writes the result.
    ///
    /// # Errors
    /// A [`UserError`] about the job, or this machine.
    pub async fn run(self, global: &Global) -> Result<ExitStatus, UserError> {
        // Only an application of the pool needs a home and a chain.
        let request = match self.job.file()?.0.app {
            Some(_) => {
                let session = Session::open(global.home())?;
                Box::pin(apps::request(&session, &self.job)).await?
            }
            None => self.job.request()?,
        };
        let out = output_folder::resolve(&self.out).map_err(faults::usage)?;
        let home = global.home();
        let sandbox = SandboxConfig {
            // Without a home nothing is kept between runs.
            cache_dir: home.folder().is_dir().then(|| home.path("compiled")),
            threads: self.sandboxes,
        };
        let loaded = tokio::task::spawn_blocking(move || load(&request)).await;
        let loaded = loaded.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        let loaded = loaded.map_err(faults::input)?;
        let progress = self.progress.start();
        progress.stage(format!(
            "running {} here",
            units_text(loaded.work.unit_count())
        ));
        let module = module_of(&loaded);
        let config = sandbox.clone();
        let outcomes = run_all(config, loaded.work.clone(), module, progress).await?;
        let failed = outcomes.iter().filter(|outcome| !outcome.is_success());
        let failed = u32::try_from(failed.count()).unwrap_or(u32::MAX);
        let units: Vec<_> = outcomes.iter().cloned().map(Some).collect();
        let failed_units = failed_units(&units);
        let failure = assemble(loaded.clone(), sandbox, out.clone(), units).await?;
        let counts = UnitCounts {
            total: loaded.work.unit_count(),
            delivered: loaded.work.unit_count(),
            failed,
        };
        let report = Report {
            name: loaded.order.spec.name,
            out,
            units: counts.total,
            failed,
            failed_units,
            cu_total: Cu(outcomes.iter().fold(0, |sum, o| sum.saturating_add(o.cu.0))),
            cu_largest_unit: outcomes.iter().map(|o| o.cu).max().unwrap_or_default(),
            assembly_failure: failure.as_ref().map(|failure| failure.message.clone()),
        };
        global.output().result(&text(&report), &report);
        Ok(of_units(&counts, failure.as_ref()))
    }
}

/// The job's module among its contents.
fn module_of(loaded: &LoadedJob) -> Vec<u8> {
    let last = loaded.contents.last();
    last.cloned()
        .expect("a loaded job has at least its module, and it stands last")
}

async fn run_all(
    sandbox: SandboxConfig,
    work: Work,
    module: Vec<u8>,
    progress: Progress,
) -> Result<Vec<UnitOutcome>, UserError> {
    blocking(move || {
        let control = RunControl::none();
        // No deal: any seed is as good as another.
        let leaves = work.leaves(random_word());
        let watch = Watch {
            control: &control,
            done: counter(&progress, leaves.len()),
        };
        let ran = run_units(&sandbox, &module, work.plan(), &leaves, local_now(), &watch);
        progress.clear();
        ran
    })
    .await
}

async fn assemble(
    loaded: LoadedJob,
    sandbox: SandboxConfig,
    out: PathBuf,
    units: Vec<Option<UnitOutcome>>,
) -> Result<Option<crate::job::AssemblyFailure>, UserError> {
    // A reducing program is looked up by its content; a folder that ends with this command holds it.
    let folder = std::env::temp_dir().join(format!("gio-buyer-{}", B256::from(random_word())));
    let contents = ContentStore::new(folder.clone());
    for bytes in &loaded.contents {
        contents.put(bytes)?;
    }
    let assembling = Assembling {
        is_plain: is_plain(&loaded.work),
        order: loaded.order,
        clock_start: local_now(),
        contents,
        sandbox,
        out,
    };
    let result = assembling.run(units).await;
    if let Err(error) = std::fs::remove_dir_all(&folder) {
        tracing::debug!(%error, folder = %folder.display(), "a temporary folder stays");
    }
    result
}

fn text(report: &Report) -> String {
    let Report {
        units, failed, out, ..
    } = report;
    let (total, largest) = (pu_text(report.cu_total), pu_text(report.cu_largest_unit));
    let mut text = format!(
        "{} run here, {failed} ended with an error\n  used     {total} PU in all, {largest} PU at most in one unit\n  output   {}\n",
        units_text(*units),
        out.display(),
    );
    for line in lines(&report.failed_units) {
        text.push_str(&format!("  failed   {line}\n"));
    }
    if let Some(failure) = &report.assembly_failure {
        text.push_str(failure);
    }
    text
}
