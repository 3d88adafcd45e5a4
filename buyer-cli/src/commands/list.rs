//! `list`: the jobs of this home.

use std::fmt::Write as _;

use clap::Args;
use gio_agent::{ExitStatus, UserError};
use gio_protocol::bill;
use serde::Serialize;

use crate::cli::Global;
use crate::decimal::gio_text;
use crate::job::{Job, JobId};
use crate::session::Session;

/// List the jobs of this home, the newest first
#[derive(Clone, Copy, Debug, Args)]
pub struct List {}

/// A line.
#[derive(Debug, Serialize)]
struct Line {
    job: JobId,
    name: String,
    state: &'static str,
    submitted_unix_ms: u64,
    units: Option<u32>,
    /// What it cost, or will cost when the posted result settles.
    cost_gio: Option<String>,
}

impl List {
    /// Lists from disk alone.
    ///
    /// # Errors
    /// A [`UserError`] if a record is damaged.
    pub fn run(self, global: &Global) -> Result<ExitStatus, UserError> {
        let session = Session::open(global.home())?;
        let ids = session.jobs().ids()?;
        let jobs: Result<Vec<Job>, _> = ids.iter().map(|id| session.jobs().load(id)).collect();
        let mut lines: Vec<Line> = jobs?.iter().map(line).collect();
        lines.sort_by_key(|line| std::cmp::Reverse(line.submitted_unix_ms));
        let mut text = format!(
            "{:<11} {:<10} {:>6}  {:>12}  {}\n",
            "JOB", "STATE", "UNITS", "GIO", "NAME"
        );
        for line in &lines {
            let units = line
                .units
                .map_or_else(String::new, |units| units.to_string());
            let cost = line.cost_gio.as_deref().unwrap_or_default();
            let Line {
                job, state, name, ..
            } = line;
            let _ = writeln!(text, "{job:<11} {state:<10} {units:>6}  {cost:>12}  {name}");
        }
        global.output().result(&text, &lines);
        Ok(ExitStatus::Ok)
    }
}

fn line(job: &Job) -> Line {
    let dealt = job.dealt();
    let settled = dealt.and_then(|dealt| dealt.settlement.map(|s| s.payment));
    let expected = || {
        let dealt = dealt?;
        let terms = &dealt.deal.terms;
        let collected = dealt.collected.as_ref()?;
        Some(bill(terms.cap, collected.cu_total, terms.price_per_pu))
    };
    Line {
        job: job.id.clone(),
        name: job.order.spec.name.clone(),
        state: job.state_name(),
        submitted_unix_ms: job.submitted_ms(),
        units: dealt.map(|dealt| dealt.deal.terms.unit_count),
        cost_gio: settled.or_else(expected).map(gio_text),
    }
}
