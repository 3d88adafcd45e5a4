//! `logs`: what the units of a job wrote to standard output and standard error.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clap::Args;
use gio_agent::{Code, ExitStatus, UserError, shutdown_signal};
use gio_content::{ContentRef, OutputImage};
use gio_protocol::{Claim, DealStage, Domain, SignedClaim};
use serde_json::json;
use tokio::time::sleep;

use super::find_job;
use crate::cli::Global;
use crate::domain::verify::check_output;
use crate::faults;
use crate::infra::hub::{HubClient, HubError};
use crate::infra::retry::retrying;
use crate::job::{Dealt, Job};
use crate::output::{Stream, bytes_of_a_program, note};
use crate::results;
use crate::session::{RunningNet, Session};
use crate::steps::{OUTPUT_WITH_CLAIM_MAX, blocking, reach};

/// Between two questions to the hub.
const LOOK: Duration = Duration::from_secs(1);
/// Attempts while the hub has too many questions of this key: each takes it milliseconds.
const ATTEMPTS_MAX: u32 = 10;

/// Print what the units of a job wrote to standard output and standard error
///
/// A unit's standard output goes to standard output and its standard error to standard error. Of a job with several
/// units every line begins with its unit. Logs are the buyer's own copies: they outlive the deal, the miner and the
/// hub. Of a job that still runs they are fetched from the hub unit by unit, as claims come in.
#[derive(Clone, Debug, Args)]
pub struct Logs {
    /// The job, or the beginning of its id
    #[arg(value_name = "JOB")]
    job: String,
    /// Only this unit, as it wrote it
    #[arg(long, value_name = "N")]
    unit: Option<u32>,
    /// Stay until every unit is there
    #[arg(long)]
    follow: bool,
}

impl Logs {
    /// Prints.
    ///
    /// # Errors
    /// A [`UserError`] if there is nothing to print, or the hub does not answer.
    pub async fn run(self, global: &Global) -> Result<ExitStatus, UserError> {
        let session = Session::open(global.home())?;
        let job = find_job(&session, &self.job)?;
        self.check_unit(&job)?;
        let printer = Printer {
            only: self.unit,
            is_json: global.json,
            is_lonely: unit_count(&job) == 1,
        };
        if job.dealt().is_some_and(|dealt| dealt.collected.is_some()) {
            return self.print_own(&session, &job, &printer).await;
        }
        let dealt = job.dealt().filter(|dealt| dealt.end.is_none());
        let dealt = dealt.ok_or_else(|| nothing(&job))?;
        tokio::select! {
            result = self.print_live(&session, &job, dealt, &printer) => result,
            () = shutdown_signal() => Ok(ExitStatus::Detached),
        }
    }

    fn check_unit(&self, job: &Job) -> Result<(), UserError> {
        let count = unit_count(job);
        match self.unit {
            Some(unit) if count > 0 && unit >= count => {
                let text = format!("{} has units 0 to {}, not {unit}", job.id, count - 1);
                Err(UserError::of(Code::Usage, text))
            }
            _ => Ok(()),
        }
    }

    async fn print_own(
        &self,
        session: &Session,
        job: &Job,
        printer: &Printer,
    ) -> Result<ExitStatus, UserError> {
        for (unit, outcome) in (0u32..).zip(results::units(session, job).await?) {
            if let Some(outcome) = outcome {
                printer.print(unit, &decoded(&outcome.image)?);
            } else if self.unit == Some(unit) {
                note(&format!("unit {unit} was not delivered"));
            }
        }
        Ok(ExitStatus::Ok)
    }

    async fn print_live(
        &self,
        session: &Session,
        job: &Job,
        dealt: &Dealt,
        printer: &Printer,
    ) -> Result<ExitStatus, UserError> {
        let live = Live::connect(session, dealt).await?;
        let mut printed = BTreeSet::new();
        loop {
            let is_over = live.is_over(session).await?;
            let mut new = live.claims().await?;
            new.retain(|signed| {
                let unit = signed.claim.unit;
                let is_wanted = self.unit.is_none_or(|only| only == unit);
                is_wanted && printed.insert(unit)
            });
            let mut small = live.small_outputs(session, &new).await?;
            for signed in new {
                let unit = signed.claim.unit;
                let image = live.output(session, &signed, small.remove(&unit)).await?;
                printer.print(unit, &image);
            }
            let wanted = self.unit.map_or(unit_count(job), |_| 1) as usize;
            if printed.len() >= wanted || is_over {
                return Ok(ExitStatus::Ok);
            }
            if !self.follow {
                if printed.is_empty() {
                    note(&format!(
                        "no unit is done yet; --follow waits, `gio-buyer why {}` says for what",
                        job.id
                    ));
                }
                return Ok(ExitStatus::Ok);
            }
            sleep(LOOK).await;
        }
    }
}

fn unit_count(job: &Job) -> u32 {
    job.dealt().map_or(0, |dealt| dealt.deal.terms.unit_count)
}

fn nothing(job: &Job) -> UserError {
    let text = format!(
        "{} is {}: no unit of it was delivered",
        job.id,
        job.state_name()
    );
    UserError::of(Code::ResultMissing, text).next(format!("gio-buyer why {}", job.id))
}

fn decoded(image: &[u8]) -> Result<OutputImage, UserError> {
    OutputImage::decode(image).map_err(UserError::from)
}

/// Asks the hub, again as long as it may answer in a moment.
async fn ask<T, F>(call: impl Fn() -> F) -> Result<T, UserError>
where
    F: Future<Output = Result<T, HubError>>,
{
    for _ in 1..ATTEMPTS_MAX {
        match retrying(&call).await {
            Err(error) if error.is_crowded() => sleep(LOOK).await,
            answer => return answer.map_err(faults::hub),
        }
    }
    call().await.map_err(faults::hub)
}

fn content_of(claim: &Claim) -> ContentRef {
    ContentRef {
        root: claim.content_root,
        length: claim.output_length,
    }
}

/// A deal that still runs, and its hub.
struct Live<'a> {
    dealt: &'a Dealt,
    hub: HubClient,
    _net: RunningNet,
}

impl<'a> Live<'a> {
    async fn connect(session: &Session, dealt: &'a Dealt) -> Result<Self, UserError> {
        let net = session.net().await?;
        let hub = reach(&net.net, &dealt.deal.hub).await;
        let hub = hub.map_err(faults::unreachable)?;
        Ok(Self {
            dealt,
            hub,
            _net: net,
        })
    }

    /// Whether no more claims will come.
    async fn is_over(&self, session: &Session) -> Result<bool, UserError> {
        let chain = session.chain().await?;
        let deal = chain.deal(self.dealt.deal.terms.wallet, self.dealt.deal.id);
        let stage = deal.await.map_err(faults::chain)?.stage;
        Ok(!matches!(stage, DealStage::None | DealStage::Open))
    }

    /// The claims so far whose signatures hold.
    async fn claims(&self) -> Result<Vec<SignedClaim>, UserError> {
        let deal = &self.dealt.deal;
        let domain = Domain::new(deal.chain_id, deal.terms.wallet);
        let mut claims = ask(|| self.hub.claims(deal.id)).await?;
        let holds = |signed: &SignedClaim| {
            let Claim { owner, deal_id, .. } = signed.claim;
            let digest = signed.claim.digest(&domain);
            deal_id == deal.id
                && gio_keys::verify_by_address(owner, digest, &signed.signature).is_ok()
        };
        claims.retain(holds);
        Ok(claims)
    }

    /// The outputs among these that lie with their claims at the hub, and that are not here yet, by unit.
    async fn small_outputs(
        &self,
        session: &Session,
        claims: &[SignedClaim],
    ) -> Result<BTreeMap<u32, Vec<u8>>, UserError> {
        let is_missing = |claim: &Claim| {
            claim.output_length <= OUTPUT_WITH_CLAIM_MAX
                && session.contents().get(content_of(claim)).is_err()
        };
        let wanted = claims.iter().map(|signed| &signed.claim);
        let wanted: BTreeSet<u32> = wanted
            .filter(|claim| is_missing(claim))
            .map(|claim| claim.unit)
            .collect();
        let mut found = BTreeMap::new();
        let Some(first) = wanted.first() else {
            return Ok(found);
        };
        let mut pages = ask(|| self.hub.small_outputs(self.dealt.deal.id, *first)).await?;
        while let Some(page) = HubClient::next_outputs(&mut pages)
            .await
            .map_err(faults::hub)?
        {
            let asked = page.outputs.into_iter();
            let asked = asked.filter(|output| wanted.contains(&output.unit));
            found.extend(asked.map(|output| (output.unit, output.image.to_vec())));
            if found.len() == wanted.len() {
                break;
            }
        }
        Ok(found)
    }

    /// A unit's output: what came with its claim, the buyer's own copy, or the hub's; checked against the claim, and kept
    /// either way.
    async fn output(
        &self,
        session: &Session,
        signed: &SignedClaim,
        small: Option<Vec<u8>>,
    ) -> Result<OutputImage, UserError> {
        let claim = signed.claim.clone();
        let content = content_of(&claim);
        let contents = session.contents().clone();
        let bytes = match small.map_or_else(|| contents.get(content), Ok) {
            Ok(bytes) => bytes,
            Err(_) => ask(|| self.hub.download(content)).await?,
        };
        let keep = move || {
            let image = check_output(&claim, &bytes);
            let image = image.map_err(|_| HubError::OtherBytes(content.root))?;
            // What cannot be kept is fetched again with the result.
            let _ = contents.put(&bytes);
            Ok::<_, HubError>(image)
        };
        blocking(keep).await
    }
}

/// How units are printed.
struct Printer {
    only: Option<u32>,
    is_json: bool,
    is_lonely: bool,
}

impl Printer {
    fn print(&self, unit: u32, image: &OutputImage) {
        if self.only.is_some_and(|only| only != unit) {
            return;
        }
        for (stream, bytes) in [
            (Stream::Stdout, &image.stdout),
            (Stream::Stderr, &image.stderr),
        ] {
            if bytes.is_empty() {
                continue;
            }
            if self.is_json {
                let name = match stream {
                    Stream::Stdout => "stdout",
                    Stream::Stderr => "stderr",
                };
                let text = String::from_utf8_lossy(bytes);
                let line = json!({ "unit": unit, "stream": name, "text": text });
                bytes_of_a_program(Stream::Stdout, format!("{line}\n").as_bytes());
            } else if self.only.is_some() || self.is_lonely {
                bytes_of_a_program(stream, bytes);
            } else {
                bytes_of_a_program(stream, &prefixed(unit, bytes));
            }
        }
    }
}

/// Every line with its unit before it.
fn prefixed(unit: u32, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 8);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        out.extend_from_slice(format!("[{unit}] ").as_bytes());
        out.extend_from_slice(line);
    }
    if !bytes.ends_with(b"\n") {
        out.push(b'\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_says_whose_it_is() {
        assert_eq!(prefixed(3, b"a\nb"), b"[3] a\n[3] b\n");
        assert_eq!(prefixed(3, b"a\n"), b"[3] a\n");
    }
}
