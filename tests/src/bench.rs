//! What `make bench` measures of a whole market: real processes, read from outside, by their logs and by what the
//! system says of them. `docs/benchmarks.md` defines every figure.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Serialize;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::devnet::{Devnet, Settings};
use crate::paths::repository;
use crate::process::Process;

/// Between two looks at the hub's log: well below what is measured, well above what looking costs.
const LOOK: Duration = Duration::from_millis(5);
/// Longest that any single job of a measurement may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// CU of one tiny unit, generously: what it may cost at most decides how many a miner dares to hold.
const TINY_PU: &str = "0.0001";
/// Ticks of the processor clock in a second, fixed on Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// How a measurement's market is made.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Load {
    pub miners: usize,
    pub cores_per_miner: u32,
    pub prefetch: u32,
}

/// One job of many tiny units.
#[derive(Clone, Copy, Debug, Serialize)]
#[expect(missing_docs, reason = "docs/benchmarks.md defines them")]
pub struct Dispatch {
    pub seconds: f64,
    pub units_per_s: f64,
    /// Processor time between the same two moments, per unit.
    pub hub_cpu_us_per_unit: f64,
    pub miners_cpu_us_per_unit: f64,
    pub hub_rss_queued_bytes: u64,
    pub miners_rss_bytes: u64,
}

/// A market to measure, in a folder of its own.
#[derive(Debug)]
pub struct Bench {
    net: Devnet,
}

/// What the system says of some processes.
#[derive(Clone, Copy, Debug, Default)]
struct Usage {
    cpu_seconds: f64,
    rss_bytes: u64,
}

impl Bench {
    /// Starts a market.
    ///
    /// # Errors
    /// If a part does not come up.
    pub async fn start(folder: &Path, load: &Load) -> Result<Self> {
        let settings = Settings {
            miners: load.miners,
            cores_per_miner: load.cores_per_miner,
            json_logs: true,
            ..Settings::default()
        };
        let mut net = Devnet::prepare(folder, settings).await?;
        net.start_hub().await?;
        for number in 0..load.miners {
            set_prefetch(&net.folder, number, load.prefetch)?;
            net.start_miner(number).await?;
        }
        Ok(Self { net })
    }

    /// Stops it.
    ///
    /// # Errors
    /// If a part does not stop by itself.
    pub async fn stop(self) -> Result<()> {
        self.net.stop().await
    }

    /// One job of so many tiny units, from the first unit's dispatch to the last claim on the hub's disk.
    ///
    /// # Errors
    /// If the job does not end as it should.
    pub async fn dispatch(&self, units: u32) -> Result<Dispatch> {
        let mut log = HubLog::at_end(&self.net)?;
        let split = format!("range:0..{units}:{units}");
        let flags = ["--split", &split, "--assemble", "concat", "--", "{start}"];
        let job = self.tiny(&flags);
        let watched = async {
            let start = log.wait_for("running").await?;
            let before = self.usage()?;
            let end = log.wait_for("assembling").await?;
            let after = self.usage()?;
            Ok::<_, anyhow::Error>((start, end, before, after))
        };
        let (job, watched) = tokio::join!(job, watched);
        let (start, end, before, after) = watched?;
        check_squares(&job?, units)?;
        let seconds = end - start;
        let per_unit = |before: Usage, after: Usage| {
            (after.cpu_seconds - before.cpu_seconds) * 1e6 / f64::from(units)
        };
        Ok(Dispatch {
            seconds,
            units_per_s: f64::from(units) / seconds,
            hub_cpu_us_per_unit: per_unit(before.0, after.0),
            miners_cpu_us_per_unit: per_unit(before.1, after.1),
            hub_rss_queued_bytes: before.0.rss_bytes,
            miners_rss_bytes: after.1.rss_bytes,
        })
    }

    /// From the start of a buyer's `submit` to its first unit being with a miner, in milliseconds.
    ///
    /// # Errors
    /// If the job does not end as it should.
    pub async fn submit_to_running_ms(&self) -> Result<f64> {
        let mut log = HubLog::at_end(&self.net)?;
        let submitted = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
        let (job, running) = tokio::join!(self.tiny(&["--", "7"]), log.wait_for("running"));
        job?;
        Ok((running? - submitted) * 1e3)
    }

    /// Runs a job of the tiny program to its end; returns its standard output.
    async fn tiny(&self, more: &[&str]) -> Result<String> {
        let wasm = repository().join("apps/bench/tiny.wasm");
        let out = tempfile::tempdir_in(&self.net.folder)?;
        let mut command = self.net.buyer(&["submit", "--json", "--yes"]);
        command
            .arg("--wasm")
            .arg(&wasm)
            .arg("--out")
            .arg(out.path());
        command.args(["--pu", TINY_PU, "--memory-mib", "4", "--output-mib", "1"]);
        command.args(more);
        let output = command.output().await?;
        ensure!(
            output.status.success(),
            "the job failed ({}): {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(fs::read_to_string(out.path().join("stdout"))?)
    }

    fn usage(&self) -> Result<(Usage, Usage)> {
        let hub = self.net.hub.as_ref().context("the hub runs")?;
        let mut miners = Usage::default();
        for miner in self.net.miners.iter().flatten() {
            let usage = usage_of(miner)?;
            miners.cpu_seconds += usage.cpu_seconds;
            miners.rss_bytes += usage.rss_bytes;
        }
        Ok((usage_of(hub)?, miners))
    }
}

/// The middle value and the one that 95 % do not exceed.
///
/// # Panics
/// Without values.
#[must_use]
pub fn p50_p95(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |percent: usize| values[(values.len() * percent).div_ceil(100).max(1) - 1];
    (at(50), at(95))
}

fn set_prefetch(folder: &Path, miner: usize, prefetch: u32) -> Result<()> {
    let path = folder.join(format!("miner-{}/config.toml", miner + 1));
    let text = fs::read_to_string(&path)?;
    let line = |line: &str| match line.starts_with("prefetch = ") {
        true => format!("prefetch = {prefetch}\n"),
        false => format!("{line}\n"),
    };
    let changed: String = text.lines().map(line).collect();
    ensure!(
        changed.contains(&format!("prefetch = {prefetch}\n")),
        "no prefetch in {}",
        path.display()
    );
    fs::write(path, changed)?;
    Ok(())
}

/// A result that is not right is no measurement.
fn check_squares(stdout: &str, units: u32) -> Result<()> {
    let mut lines = stdout.lines();
    for n in 0..u64::from(units) {
        ensure!(
            lines.next() == Some((n * n).to_string().as_str()),
            "unit {n} printed something else"
        );
    }
    ensure!(lines.next().is_none(), "more lines than units");
    Ok(())
}

fn usage_of(process: &Process) -> Result<Usage> {
    let id = process.id().context("the process has ended")?;
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    // The name, in parentheses, may hold anything; the fields behind it are numbers.
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks =
        |at: usize| -> Result<f64> { Ok(fields.get(at).context("a short stat file")?.parse()?) };
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let rss = rss
        .and_then(|text| text.split_whitespace().next())
        .context("no VmRSS")?;
    Ok(Usage {
        cpu_seconds: (ticks(11)? + ticks(12)?) / TICKS_PER_SECOND,
        rss_bytes: rss.parse::<u64>()? * 1024,
    })
}

/// The hub's log from some moment on: when deals reached their stages.
struct HubLog {
    path: PathBuf,
    read: usize,
    /// Seconds since 1970 by stage, of deals that moved since.
    moved: BTreeMap<String, f64>,
}

impl HubLog {
    fn at_end(net: &Devnet) -> Result<Self> {
        let path = net.folder.join("logs/hub.log");
        Ok(Self {
            read: fs::read(&path)?.len(),
            path,
            moved: BTreeMap::new(),
        })
    }

    /// When a deal reached this stage, by the hub's clock.
    async fn wait_for(&mut self, stage: &str) -> Result<f64> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            self.look()?;
            if let Some(at) = self.moved.get(stage) {
                return Ok(*at);
            }
            sleep(LOOK).await;
        }
        bail!("no deal became {stage} within {} s", PATIENCE.as_secs())
    }

    fn look(&mut self) -> Result<()> {
        let bytes = fs::read(&self.path)?;
        let Some(end) = bytes[self.read..].iter().rposition(|byte| *byte == b'\n') else {
            return Ok(());
        };
        let lines = String::from_utf8_lossy(&bytes[self.read..=self.read + end]).into_owned();
        self.read += end + 1;
        for line in lines.lines() {
            let Ok(line) = serde_json::from_str::<Value>(line) else {
                continue;
            };
            let fields = &line["fields"];
            if fields["message"] == "deal moved on" {
                let stage = fields["stage"].as_str().unwrap_or_default().to_owned();
                let at = line["timestamp"].as_str().unwrap_or_default();
                let at = unix_seconds(at).with_context(|| format!("`{at}` is no time"))?;
                self.moved.entry(stage).or_insert(at);
            }
        }
        Ok(())
    }
}

/// Unix seconds of an RFC 3339 time in UTC.
fn unix_seconds(text: &str) -> Option<f64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let mut time = time.split(':');
    let hours: f64 = time.next()?.parse().ok()?;
    let minutes: f64 = time.next()?.parse().ok()?;
    let seconds: f64 = time.next()?.parse().ok()?;
    // Days since 1970 by the civil calendar, years beginning in March.
    let shifted = if month <= 2 { year - 1 } else { year };
    let month_of_year = (month + 9) % 12;
    let days = 365 * shifted + shifted / 4 - shifted / 100
        + shifted / 400
        + (153 * month_of_year + 2) / 5
        + day
        - 1
        - 719_468;
    #[expect(clippy::cast_precision_loss, reason = "days since 1970 are few")]
    let days = days as f64;
    Some(days * 86_400.0 + hours * 3_600.0 + minutes * 60.0 + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_a_log_are_unix_seconds() {
        let at = |text| unix_seconds(text).unwrap();
        assert!(at("1970-01-01T00:00:00Z").abs() < 1e-9);
        assert!((at("2000-03-01T00:00:01.5Z") - 951_868_801.5).abs() < 1e-6);
        assert!((at("2026-11-20T08:42:30.000250Z") - 1_795_164_150.000_25).abs() < 1e-5);
        assert_eq!(unix_seconds("2026-11-20 08:42:30Z"), None);
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let values: Vec<f64> = (1..=20).rev().map(f64::from).collect();
        assert_eq!(p50_p95(values), (10.0, 19.0));
        assert_eq!(p50_p95(vec![3.0]), (3.0, 3.0));
    }

    #[test]
    fn only_right_squares_count() {
        check_squares("0\n1\n4\n", 3).unwrap();
        for wrong in ["0\n1\n", "0\n1\n5\n", "0\n1\n4\n9\n"] {
            assert!(check_squares(wrong, 3).is_err(), "{wrong}");
        }
    }
}
