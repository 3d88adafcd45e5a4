//! `plan`: what a job would cost and who could run it, before anything is paid.

use clap::Args;
use gio_agent::{Code, ExitStatus, UserError};
use gio_protocol::{Gio, U256};
use serde::Serialize;

use super::ProgressFlag;
use crate::apps;
use crate::cli::Global;
use crate::decimal::{gio_text, pu_text, units_text};
use crate::domain::machines::Machines;
use crate::domain::terms::cap;
use crate::domain::work::Work;
use crate::faults;
use crate::infra::inputs::load;
use crate::infra::progress::Progress;
use crate::job::Order;
use crate::job_flags::{JobFlags, MarketFlags};
use crate::session::{Session, now_at};
use crate::steps::seek::{Candidate, Seeker, label};

/// Say what a job would cost and who could run it, before anything is paid
///
/// Takes what `submit` takes, asks the same hubs for the same prices, and binds nobody. For every hub that does not
/// fit, and for every machine, it says which condition is not met and what would have to change.
#[derive(Clone, Debug, Args)]
pub struct Plan {
    #[command(flatten)]
    job: JobFlags,
    #[command(flatten)]
    market: MarketFlags,
    #[command(flatten)]
    progress: ProgressFlag,
}

/// What `--json` prints. Amounts are decimal texts.
#[derive(Debug, Serialize)]
struct Report {
    name: String,
    units: u32,
    pu_max: String,
    pu_max_per_unit: String,
    memory_mib: u32,
    hubs: Vec<HubReport>,
    /// The least of the caps; absent if no hub takes the job.
    cap_gio: Option<String>,
    held_gio: String,
    /// What the account lacks of the cap; absent if nothing.
    missing_gio: Option<String>,
    has_gas: bool,
}

/// One hub.
#[derive(Debug, Serialize)]
pub(super) struct HubReport {
    name: String,
    price_per_pu_gio: String,
    /// Whether it meets the conditions and quoted.
    fits: bool,
    /// Most the job locks with it.
    cap_gio: Option<String>,
    #[serde(skip)]
    cap: Option<Gio>,
    problems: Vec<Problem>,
    machines: Option<Machines>,
    machine_reasons: Vec<String>,
}

impl HubReport {
    /// Whether it would take the job and has a machine that fits, if only later.
    fn has_a_machine(&self) -> bool {
        self.fits && self.machines.is_some_and(|machines| machines.can_run())
    }
}

/// A condition that is not met.
#[derive(Debug, Serialize)]
struct Problem {
    what: String,
    remedy: String,
}

impl Plan {
    /// Looks and prints.
    ///
    /// # Errors
    /// A [`UserError`] if the job is wrong, or nobody answers.
    pub async fn run(self, global: &Global) -> Result<ExitStatus, UserError> {
        let session = Session::open(global.home())?;
        let mut request = Box::pin(apps::request(&session, &self.job)).await?;
        self.market.change(&mut request)?;
        let loaded = tokio::task::spawn_blocking(move || load(&request)).await;
        let loaded = loaded.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        let loaded = loaded.map_err(faults::input)?;
        let progress = self.progress.start();
        let report = report(&session, &loaded.order, &loaded.work, &progress).await;
        progress.clear();
        let report = report?;
        let is_possible = report.cap_gio.is_some();
        global.output().result(&text(&report), &report);
        Ok(if is_possible {
            ExitStatus::Ok
        } else {
            ExitStatus::NoMatch
        })
    }
}

async fn report(
    session: &Session,
    order: &Order,
    work: &Work,
    progress: &Progress,
) -> Result<Report, UserError> {
    let hubs = survey(session, order, work, progress).await?;
    let chain = session.chain().await?;
    let address = session.address();
    let (held, gas) = tokio::try_join!(chain.balance(address), chain.gas_balance(address))
        .map_err(faults::chain)?;
    let cap = hubs
        .iter()
        .filter(|hub| hub.fits)
        .filter_map(|hub| hub.cap)
        .min();
    let missing = cap.unwrap_or(Gio::ZERO).minus_or_zero(held);
    let total = work.cu_total_limit().map_err(faults::job)?;
    let bounds = &work.spec().bounds;
    Ok(Report {
        name: work.spec().name.clone(),
        units: work.unit_count(),
        pu_max: pu_text(total),
        pu_max_per_unit: pu_text(bounds.cu_limit),
        memory_mib: bounds.pages_max / 16,
        hubs,
        cap_gio: cap.map(gio_text),
        held_gio: gio_text(held),
        missing_gio: (missing > Gio::ZERO).then(|| gio_text(missing)),
        has_gas: gas != U256::ZERO,
    })
}

/// Looks at every hub that announced itself, the cheapest first.
pub(super) async fn survey(
    session: &Session,
    order: &Order,
    work: &Work,
    progress: &Progress,
) -> Result<Vec<HubReport>, UserError> {
    progress.stage("finding hubs");
    let (chain, net) = tokio::try_join!(session.chain(), session.net())?;
    let seeker = Seeker {
        session,
        chain: &chain,
        net: &net.net,
        order,
    };
    let candidates = seeker.announced().await?;
    let head = chain.head().await.map_err(faults::chain)?;
    progress.stage("asking hubs for prices and machines");
    let mut hubs = Vec::new();
    for candidate in candidates {
        let mut report = judged(&seeker, &candidate);
        if report.problems.is_empty() {
            ask(&seeker, work, candidate, now_at(&head), &mut report).await;
        }
        hubs.push(report);
    }
    Ok(hubs)
}

fn judged(seeker: &Seeker<'_>, candidate: &Candidate) -> HubReport {
    let found = seeker.judge(&candidate.offer);
    let problem = |mismatch: &crate::domain::choose::Mismatch| Problem {
        what: mismatch.to_string(),
        remedy: mismatch.remedy(),
    };
    HubReport {
        name: label(&candidate.offer),
        price_per_pu_gio: gio_text(candidate.offer.price.0),
        fits: false,
        cap_gio: None,
        cap: None,
        problems: found.iter().map(problem).collect(),
        machines: None,
        machine_reasons: Vec::new(),
    }
}

/// Price and machines of a hub that meets the conditions.
async fn ask(
    seeker: &Seeker<'_>,
    work: &Work,
    candidate: Candidate,
    now: gio_protocol::UnixSeconds,
    report: &mut HubReport,
) {
    let mut trouble = |what: String, remedy: &str| {
        report.problems.push(Problem {
            what,
            remedy: remedy.to_owned(),
        });
    };
    let quoted = match seeker.quote(work, candidate, now).await {
        Ok(quoted) => quoted,
        Err(reason) => return trouble(reason, "change what it refuses, or wait"),
    };
    match cap(work, &seeker.order.price, quoted.quote.price) {
        Ok(cap) => {
            report.cap = Some(cap);
            report.cap_gio = Some(gio_text(cap));
            report.fits = true;
        }
        Err(error) => {
            trouble(error.to_string(), "--cap, or cap_gio in the job file");
        }
    }
    report.price_per_pu_gio = gio_text(quoted.quote.price.0);
    match quoted.hub.machines(work.spec().bounds.pages_max).await {
        Ok(machines) => {
            report.machine_reasons = machines.reasons();
            report.machines = Some(machines);
        }
        Err(error) => report.machine_reasons = vec![error.to_string()],
    }
}

fn text(report: &Report) -> String {
    let Report {
        name,
        units,
        pu_max,
        pu_max_per_unit,
        memory_mib,
        ..
    } = report;
    let count = units_text(*units);
    let mut lines = vec![format!(
        "plan {name}: {count} of at most {pu_max_per_unit} PU and {memory_mib} MiB; {pu_max} PU at most"
    )];
    lines.extend(report.hubs.iter().flat_map(hub_lines));
    let fitting = report.hubs.iter().filter(|hub| hub.fits).count();
    let of = report.hubs.len();
    match &report.cap_gio {
        Some(cap) => {
            let held = &report.held_gio;
            lines.push(format!(
                "{fitting} of {of} hubs would take it; at most {cap} GIO are locked, what is not used comes back"
            ));
            if !report.hubs.iter().any(HubReport::has_a_machine) {
                lines.push(
                    "but none of their machines could run a unit now: the cap would wait for one"
                        .to_owned(),
                );
            }
            lines.push(format!("this account holds {held} GIO"));
            if let Some(missing) = &report.missing_gio {
                lines.push(format!("missing: {missing} GIO"));
            }
            if !report.has_gas {
                lines.push("missing: the chain's own coin, which pays the gas".to_owned());
            }
            lines.push("next: gio-buyer submit with the same arguments".to_owned());
        }
        None => lines.push(format!("none of {of} hubs would take it")),
    }
    lines.join("\n")
}

pub(super) fn hub_lines(hub: &HubReport) -> Vec<String> {
    let mut lines = vec![format!("hub {}", hub.name)];
    let mut line = |label: &str, value: &str| lines.push(format!("  {label:<10}{value}"));
    line("price", &format!("{} GIO per PU", hub.price_per_pu_gio));
    if let Some(cap) = &hub.cap_gio {
        line("cost", &format!("at most {cap} GIO"));
    }
    for problem in &hub.problems {
        line("no match", &problem.what);
        line("", &format!("to change: {}", problem.remedy));
    }
    if let Some(machines) = &hub.machines {
        line("machines", &machines.summary());
    }
    for reason in &hub.machine_reasons {
        line("", reason);
    }
    lines
}

/// The words for a job no hub has yet.
pub(super) fn waiting_text(hubs: &[HubReport]) -> String {
    let lines: Vec<String> = hubs.iter().flat_map(hub_lines).collect();
    lines.join("\n")
}

/// Whether any hub would take the job.
pub(super) fn any_fits(hubs: &[HubReport]) -> bool {
    hubs.iter().any(|hub| hub.fits)
}

/// Of a survey that could not be made.
pub(super) fn is_nobody(error: &UserError) -> bool {
    error.code == Code::NoHubFound
}
