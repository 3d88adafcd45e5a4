//! `check`: runs units again here and compares every field a claim binds.

use clap::Args;
use gio_agent::{ExitStatus, UserError};
use gio_content::content_root;
use gio_protocol::{B256, Cu, MachineParams, Status, UnitLeaf, word_root};
use gio_runtime::RunControl;
use serde::Serialize;

use super::{ProgressFlag, find_job};
use crate::cli::Global;
use crate::decimal::{pu_text, units_text};
use crate::domain::layout::UnitOutcome;
use crate::domain::work::Work;
use crate::infra::inputs::restore;
use crate::infra::progress::{Progress, Units};
use crate::infra::sandbox::{Watch, ending, run_units};
use crate::job::Job;
use crate::results;
use crate::session::Session;
use crate::steps::blocking;

/// Run units of a fetched job again here and compare with what the miners claimed
///
/// Compares how each unit ended, its exit code, its CU and its output, byte for byte. Without --unit or --all the first
/// unit is run.
#[derive(Clone, Debug, Args)]
pub struct Check {
    /// The job, or the beginning of its id
    #[arg(value_name = "JOB")]
    job: String,
    /// A unit to run again
    #[arg(long, value_name = "N", conflicts_with = "all")]
    unit: Vec<u32>,
    /// Run every unit again
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    progress: ProgressFlag,
}

/// A unit whose claim and own run differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Difference {
    unit: u32,
    field: &'static str,
    claimed: String,
    own: String,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    job: String,
    checked: Vec<u32>,
    cu: Cu,
    differences: Vec<Difference>,
}

impl Check {
    /// Runs and compares.
    ///
    /// # Errors
    /// A [`UserError`] if the result is not here, or a unit cannot be run.
    pub async fn run(self, global: &Global) -> Result<ExitStatus, UserError> {
        let session = Session::open(global.home())?;
        let job = find_job(&session, &self.job)?;
        let claimed = results::units(&session, &job).await?;
        let (order, contents) = (job.order.clone(), session.contents().clone());
        let work = blocking(move || restore(&order, &contents)).await?;
        let wanted = self.wanted(&claimed)?;
        let progress = self.progress.start();
        progress.stage(format!("running {} here", units_text(count_of(&wanted))));
        let own = own_run(&session, &job, work, &wanted, progress).await?;
        let pairs = wanted.iter().zip(&own);
        let differences: Vec<Difference> = pairs
            .flat_map(|(unit, own)| match &claimed[*unit as usize] {
                Some(claim) => compare(*unit, claim, own),
                None => Vec::new(),
            })
            .collect();
        let total = own
            .iter()
            .fold(0u64, |sum, own| sum.saturating_add(own.cu.0));
        let report = Report {
            job: job.id.to_string(),
            checked: wanted,
            cu: Cu(total),
            differences,
        };
        global.output().result(&text(&report), &report);
        Ok(if report.differences.is_empty() {
            ExitStatus::Ok
        } else {
            ExitStatus::BadResult
        })
    }

    /// The units to run, all of them delivered.
    fn wanted(&self, claimed: &[Option<UnitOutcome>]) -> Result<Vec<u32>, UserError> {
        let delivered = (0u32..).zip(claimed).filter(|(_, claim)| claim.is_some());
        let mut delivered = delivered.map(|(unit, _)| unit);
        if self.all {
            return Ok(delivered.collect());
        }
        if self.unit.is_empty() {
            return Ok(delivered.next().into_iter().collect());
        }
        let is_there = |unit: &u32| matches!(claimed.get(*unit as usize), Some(Some(_)));
        match self.unit.iter().find(|unit| !is_there(unit)) {
            None => Ok(self.unit.clone()),
            Some(unit) => {
                let message = format!("unit {unit} was not delivered, or the job has none such");
                Err(UserError::new(message, ExitStatus::Usage))
            }
        }
    }
}

async fn own_run(
    session: &Session,
    job: &Job,
    work: Work,
    wanted: &[u32],
    progress: Progress,
) -> Result<Vec<UnitOutcome>, UserError> {
    let dealt = job.dealt().ok_or("the job has no deal");
    let dealt = dealt.map_err(|text| UserError::new(text, ExitStatus::Usage))?;
    let terms = &dealt.deal.terms;
    let all = work.leaves(terms.deal_seed());
    let leaves: Vec<UnitLeaf> = wanted
        .iter()
        .map(|unit| all[*unit as usize].clone())
        .collect();
    let module = session.contents().get(work.spec().module)?;
    let (sandbox, clock_start) = (session.sandbox(), terms.clock_start);
    blocking(move || {
        let control = RunControl::none();
        let done = counter(&progress, leaves.len());
        let watch = Watch {
            control: &control,
            done,
        };
        let plan = work.plan();
        let ran = run_units(&sandbox, &module, plan, &leaves, clock_start, &watch);
        progress.clear();
        ran
    })
    .await
}

/// Shows units as they end.
pub(super) fn counter(
    progress: &Progress,
    total: usize,
) -> impl Fn(u32, &UnitOutcome) + Sync + use<'_> {
    use std::sync::Mutex;
    let total = u32::try_from(total).unwrap_or(u32::MAX);
    let shown = Mutex::new(Units {
        total,
        ..Units::default()
    });
    move |_, outcome| {
        let mut units = shown
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        units.done += 1;
        units.cu_done = Cu(units.cu_done.0.saturating_add(outcome.cu.0));
        progress.units(*units);
    }
}

/// Every field a claim binds that the own run gives another value.
fn compare(unit: u32, claimed: &UnitOutcome, own: &UnitOutcome) -> Vec<Difference> {
    let ended = |outcome: &UnitOutcome| -> (Status, u32) { (outcome.status, outcome.exit_code) };
    let root = |outcome: &UnitOutcome| -> B256 {
        word_root(&outcome.image, MachineParams::IMAGE_DEPTH).unwrap_or_default()
    };
    let texts = |outcome: &UnitOutcome| {
        let (status, exit_code) = ended(outcome);
        [
            ("ending", ending(status, exit_code)),
            ("cu", outcome.cu.to_string()),
            ("output_length", outcome.image.len().to_string()),
            ("output_root", root(outcome).to_string()),
            ("content_root", content_root(&outcome.image).to_string()),
        ]
    };
    let pairs = texts(claimed).into_iter().zip(texts(own));
    let differing = pairs.filter(|((_, claimed), (_, own))| claimed != own);
    differing
        .map(|((field, claimed), (_, own))| Difference {
            unit,
            field,
            claimed,
            own,
        })
        .collect()
}

fn count_of(units: &[u32]) -> u32 {
    u32::try_from(units.len()).unwrap_or(u32::MAX)
}

fn text(report: &Report) -> String {
    let count = units_text(count_of(&report.checked));
    let pu = pu_text(report.cu);
    if report.differences.is_empty() {
        return format!("{count} run again, {pu} PU: every claim is as this machine computes it");
    }
    let line = |d: &Difference| {
        let Difference {
            unit,
            field,
            claimed,
            own,
        } = d;
        format!("unit {unit}: {field} was claimed as {claimed}, here it is {own}\n")
    };
    report.differences.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::verify::tests::image;

    fn outcome() -> UnitOutcome {
        UnitOutcome {
            status: Status::Exit,
            exit_code: 0,
            cu: Cu(7),
            owner: None,
            image: image(0),
        }
    }

    #[test]
    fn every_field_a_claim_binds_is_compared() {
        assert_eq!(compare(0, &outcome(), &outcome()), []);
        let fields = |change: fn(&mut UnitOutcome)| {
            let mut other = outcome();
            change(&mut other);
            let found = compare(4, &outcome(), &other);
            assert!(found.iter().all(|difference| difference.unit == 4));
            found
                .iter()
                .map(|difference| difference.field)
                .collect::<Vec<_>>()
        };
        assert_eq!(fields(|o| o.status = Status::Trap), ["ending"]);
        assert_eq!(fields(|o| o.exit_code = 1), ["ending"]);
        assert_eq!(fields(|o| o.cu = Cu(8)), ["cu"]);
        assert_eq!(
            fields(|o| o.image = image(1)),
            ["output_root", "content_root"]
        );
        assert!(fields(|o| o.image.push(0)).contains(&"output_length"));
    }
}
