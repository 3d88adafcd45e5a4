//! `why`: what a job waits for, what went wrong with its units, and who could run them.

use std::collections::BTreeMap;

use clap::Args;
use gio_agent::{ExitStatus, UserError};
use gio_net::wire;
use gio_protocol::{DealStage, UnixSeconds};
use serde::Serialize;

use super::plan::{self, HubReport, any_fits, is_nobody, survey};
use super::{ProgressFlag, find_job};
use crate::cli::Global;
use crate::decimal::units_text;
use crate::domain::failures::{self, FailedUnit, NAMED_MAX};
use crate::domain::machines::Machines;
use crate::faults;
use crate::infra::hub::{Explanation, UnitTrouble};
use crate::infra::inputs::restore;
use crate::infra::progress::Progress;
use crate::job::{Dealt, Job};
use crate::results;
use crate::session::{Session, local_now};
use crate::steps::{blocking, escrow_effect, reach};

/// Say what a job waits for, what went wrong with its units, and who could run them
#[derive(Clone, Debug, Args)]
pub struct Why {
    /// The job, or the beginning of its id
    #[arg(value_name = "JOB")]
    job: String,
    #[command(flatten)]
    progress: ProgressFlag,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    job: String,
    state: &'static str,
    escrow: String,
    /// What it waits for, the first thing first; empty if it waits for nothing.
    waits_for: Vec<String>,
    chain: Option<&'static str>,
    hub: Option<HubWord>,
    hub_error: Option<String>,
    hubs: Vec<HubReport>,
    failed_units: Vec<FailedUnit>,
    next: String,
}

/// What the hub says.
#[derive(Debug, Serialize)]
struct HubWord {
    stage: &'static str,
    message: String,
    units_queued: u32,
    units_running: u32,
    units_done: u32,
    units_total: u32,
    machines: Machines,
    machine_reasons: Vec<String>,
    troubles: Vec<TroubleLine>,
    troubles_total: u32,
}

/// Units that came back for one reason.
#[derive(Debug, Serialize)]
struct TroubleLine {
    reason: String,
    count: usize,
    units: Vec<u32>,
    miners: Vec<String>,
    seconds_ago: u64,
}

impl Why {
    /// Asks the chain and the hub, and prints.
    ///
    /// # Errors
    /// A [`UserError`] if there is no such job, or the chain does not answer.
    pub async fn run(self, global: &Global) -> Result<ExitStatus, UserError> {
        let session = Session::open(global.home())?;
        let job = find_job(&session, &self.job)?;
        let progress = self.progress.start();
        let report = report(&session, &job, &progress).await;
        progress.clear();
        let report = report?;
        global.output().result(&text(&report), &report);
        Ok(ExitStatus::Ok)
    }
}

async fn report(session: &Session, job: &Job, progress: &Progress) -> Result<Report, UserError> {
    let mut report = Report {
        job: job.id.to_string(),
        state: job.state_name(),
        escrow: escrow_effect(job),
        waits_for: Vec::new(),
        chain: None,
        hub: None,
        hub_error: None,
        hubs: Vec::new(),
        failed_units: failed_units(session, job).await?,
        next: format!("gio-buyer attach {}", job.id),
    };
    match job.dealt() {
        None if job.cancelled => "gio-buyer submit JOB.toml".clone_into(&mut report.next),
        None => drafted(session, job, progress, &mut report).await?,
        Some(dealt) if dealt.end.is_some() => {
            report.next = format!("gio-buyer logs {}", job.id);
        }
        Some(dealt) => dealt_with(session, dealt, progress, &mut report).await?,
    }
    Ok(report)
}

/// No hub has it: the same look as `plan` takes.
async fn drafted(
    session: &Session,
    job: &Job,
    progress: &Progress,
    report: &mut Report,
) -> Result<(), UserError> {
    let (order, contents) = (job.order.clone(), session.contents().clone());
    let work = blocking(move || restore(&order, &contents)).await?;
    let waits = match survey(session, &job.order, &work, progress).await {
        Ok(hubs) => {
            report.hubs = hubs;
            match any_fits(&report.hubs) {
                true => "nothing: a hub would take it now",
                false => "a hub that meets its conditions",
            }
        }
        Err(error) if is_nobody(&error) => "a hub: none announced itself to this machine",
        Err(error) => return Err(error),
    };
    report.waits_for.push(waits.to_owned());
    Ok(())
}

async fn dealt_with(
    session: &Session,
    dealt: &Dealt,
    progress: &Progress,
    report: &mut Report,
) -> Result<(), UserError> {
    progress.stage("asking the chain and the hub");
    let chain = session.chain().await?;
    let (deal, head) = tokio::try_join!(
        chain.deal(dealt.deal.terms.wallet, dealt.deal.id),
        chain.head()
    )
    .map_err(faults::chain)?;
    report.chain = Some(deal.stage.name());
    let net = session.net().await?;
    let explained = match reach(&net.net, &dealt.deal.hub).await {
        Ok(hub) => hub
            .explain(dealt.deal.id)
            .await
            .map_err(|error| error.to_string()),
        Err(error) => Err(gio_agent::doctor::chain_of(&error)),
    };
    let now = head.time.max(local_now());
    let left = now.until(dealt.deal.terms.deliver_by);
    match explained {
        Ok(explained) => {
            let deadline = format!("in {left} s the whole cap comes back if nothing is posted");
            report.waits_for = waits_for(deal.stage, &explained, now);
            if deal.stage == DealStage::Open {
                report.waits_for.push(deadline);
            }
            report.hub = Some(word_of(explained));
        }
        Err(error) => {
            let waits = match deal.stage {
                DealStage::Open => {
                    format!("the hub, which does not answer; in {left} s the whole cap comes back")
                }
                stage => format!(
                    "the hub, which does not answer; the deal is {} on chain",
                    stage.name()
                ),
            };
            report.waits_for.push(waits);
            report.hub_error = Some(error);
        }
    }
    Ok(())
}

fn waits_for(stage: DealStage, explained: &Explanation, now: UnixSeconds) -> Vec<String> {
    let Explanation {
        units_queued: queued,
        units_running: running,
        machines,
        ..
    } = explained;
    let mut waits = Vec::new();
    match stage {
        DealStage::None => waits.push("the transaction that locks the cap".to_owned()),
        DealStage::Posted => waits.push("you: fetch the result and confirm it".to_owned()),
        DealStage::Open if explained.cancel_until.is_some() => {
            let left = explained.cancel_until.map_or(0, |until| now.until(until));
            waits.push(format!(
                "{} that still run, at most {left} s (cancelled)",
                units_text(*running)
            ));
        }
        DealStage::Open => {
            if *running > 0 {
                waits.push(format!("{} that run now", units_text(*running)));
            }
            if *queued > 0 && machines.connected == 0 {
                waits.push("miners: none is connected to the hub".to_owned());
            } else if *queued > 0 && !machines.can_run() {
                waits.push("miners that fit: none of those connected does".to_owned());
            } else if *queued > 0 {
                waits.push(format!("free miners for {}", units_text(*queued)));
            }
            if *queued + *running == 0 {
                let step = match explained.stage {
                    wire::DealStage::Signed | wire::DealStage::Open => "has not begun with it yet",
                    _ => "puts the result together",
                };
                waits.push(format!("the hub, which {step}"));
            }
        }
        DealStage::Settled | DealStage::Refunded | DealStage::Cancelled | DealStage::Refuted => {
            waits.push(format!(
                "you: the deal is {} on chain, `attach` writes it down",
                stage.name()
            ));
        }
    }
    waits
}

fn word_of(explained: Explanation) -> HubWord {
    HubWord {
        stage: explained.stage.as_str_name(),
        message: explained.message,
        units_queued: explained.units_queued,
        units_running: explained.units_running,
        units_done: explained.units_done,
        units_total: explained.units_total,
        machine_reasons: explained.machines.reasons(),
        machines: explained.machines,
        troubles: grouped(&explained.troubles),
        troubles_total: explained.troubles_total,
    }
}

/// Troubles by their reason, the most frequent first.
fn grouped(troubles: &[UnitTrouble]) -> Vec<TroubleLine> {
    let mut groups: BTreeMap<&str, Vec<&UnitTrouble>> = BTreeMap::new();
    for trouble in troubles {
        groups.entry(&trouble.reason).or_default().push(trouble);
    }
    let line = |(reason, group): (&str, Vec<&UnitTrouble>)| {
        let mut units: Vec<u32> = group.iter().map(|trouble| trouble.unit).collect();
        units.sort_unstable();
        units.dedup();
        let mut miners: Vec<String> = group.iter().map(|t| t.miner.to_string()).collect();
        miners.sort();
        miners.dedup();
        let newest = group
            .iter()
            .map(|trouble| trouble.at)
            .max()
            .unwrap_or_default();
        TroubleLine {
            reason: reason.to_owned(),
            count: group.len(),
            units,
            miners,
            seconds_ago: newest.until(local_now()),
        }
    };
    let mut lines: Vec<TroubleLine> = groups.into_iter().map(line).collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.count));
    lines
}

async fn failed_units(session: &Session, job: &Job) -> Result<Vec<FailedUnit>, UserError> {
    if job.dealt().is_none_or(|dealt| dealt.collected.is_none()) {
        return Ok(Vec::new());
    }
    Ok(failures::failed_units(&results::units(session, job).await?))
}

fn text(report: &Report) -> String {
    let mut lines = vec![format!("{} is {}", report.job, report.state)];
    let mut line = |label: &str, value: &str| lines.push(format!("  {label:<10}{value}"));
    line("escrow", &report.escrow);
    if let Some(chain) = report.chain {
        line("on chain", chain);
    }
    for (at, waits) in report.waits_for.iter().enumerate() {
        line(if at == 0 { "waits for" } else { "" }, waits);
    }
    if let Some(error) = &report.hub_error {
        line("hub", error);
    }
    if let Some(hub) = &report.hub {
        let HubWord {
            units_done,
            units_running,
            units_queued,
            units_total,
            ..
        } = hub;
        line("hub", &hub.message);
        line(
            "units",
            &format!(
                "{units_done} of {units_total} done, {units_running} running, {units_queued} waiting"
            ),
        );
        line("machines", &hub.machines.summary());
        for reason in &hub.machine_reasons {
            line("", reason);
        }
        for trouble in &hub.troubles {
            line("failed", &trouble_text(trouble));
        }
    }
    for text in failures::lines(&report.failed_units) {
        line("failed", &text);
    }
    if !report.hubs.is_empty() {
        lines.push(plan::waiting_text(&report.hubs));
    }
    lines.push(format!("next: {}", report.next));
    lines.join("\n")
}

fn trouble_text(trouble: &TroubleLine) -> String {
    let TroubleLine {
        reason,
        count,
        units,
        miners,
        seconds_ago,
    } = trouble;
    let named: Vec<String> = units.iter().take(NAMED_MAX).map(u32::to_string).collect();
    let more = if units.len() > NAMED_MAX { ", …" } else { "" };
    let who = match miners.as_slice() {
        [miner] => format!("miner {miner}"),
        miners => format!("{} miners", miners.len()),
    };
    format!(
        "{count} times, units {}{more}, {who}, last {seconds_ago} s ago: {reason}",
        named.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use gio_protocol::Address;

    use super::*;

    #[test]
    fn an_open_deal_without_units_is_not_begun_or_put_together() {
        let hub_says = |stage| Explanation {
            stage,
            message: String::new(),
            at: local_now(),
            units_total: 4,
            units_queued: 0,
            units_running: 0,
            units_done: 0,
            machines: Machines::default(),
            troubles: Vec::new(),
            troubles_total: 0,
            cancel_until: None,
        };
        let waits = |stage| waits_for(DealStage::Open, &hub_says(stage), local_now());
        assert_eq!(
            waits(wire::DealStage::Open),
            ["the hub, which has not begun with it yet"]
        );
        assert_eq!(
            waits(wire::DealStage::Assembling),
            ["the hub, which puts the result together"]
        );
    }

    #[test]
    fn troubles_are_told_by_reason_the_most_frequent_first() {
        let trouble = |unit, miner, reason: &str| UnitTrouble {
            unit,
            miner: Address::repeat_byte(miner),
            reason: reason.to_owned(),
            at: local_now(),
        };
        let troubles = [
            trouble(3, 1, "gone"),
            trouble(2, 1, "no memory"),
            trouble(1, 1, "no memory"),
            trouble(1, 2, "no memory"),
        ];
        let lines = grouped(&troubles);
        assert_eq!(
            (lines[0].count, lines[0].units.as_slice()),
            (3, [1, 2].as_slice())
        );
        let text = trouble_text(&lines[0]);
        assert!(
            text.starts_with("3 times, units 1, 2, 2 miners, last "),
            "{text}"
        );
        assert!(text.ends_with("s ago: no memory"), "{text}");
        assert!(trouble_text(&lines[1]).contains("miner 0x0101"));
    }
}
