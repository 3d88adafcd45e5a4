//! A job on the command line: a job file, flags that stand for one, or flags that change one.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, ValueEnum};
use gio_agent::{ConfigError, UserError};
use gio_protocol::Address;
use thiserror::Error;

use crate::decimal::Decimal;
use crate::faults;
use crate::job_file::{AssembleTable, JobFile, SplitTable};
use crate::job_request::{JobRequest, RequestError};

/// A job, from a file or from flags.
#[derive(Clone, Debug, Args)]
pub struct JobFlags {
    /// The job file; or describe the job by --wasm and the flags below
    #[arg(value_name = "JOB.toml", required_unless_present_any = ["wasm", "app"])]
    job: Option<PathBuf>,
    /// The program: a WASI command module, from any language
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "job",
        help_heading = "Job"
    )]
    wasm: Option<PathBuf>,
    /// An application of the pool: its program, and its author's royalty out of the payment
    #[arg(
        long,
        value_name = "NAME@VERSION",
        conflicts_with = "job",
        help_heading = "Job"
    )]
    app: Option<String>,
    /// An input file, seen under its own name, or a folder, whose files are seen relative to it
    #[arg(
        long,
        value_name = "PATH",
        conflicts_with = "job",
        help_heading = "Job"
    )]
    input: Vec<PathBuf>,
    /// An input that every unit sees although the split cuts inputs
    #[arg(
        long,
        value_name = "NAME",
        conflicts_with = "job",
        help_heading = "Job"
    )]
    share: Vec<String>,
    /// How to cut the job: none, files, lines:FILE:UNITS, bytes:FILE:SIZE, range:A..B:UNITS or list:a,b,c
    #[arg(long, value_name = "HOW", conflicts_with = "job", help_heading = "Job")]
    split: Option<SplitFlag>,
    /// The input that becomes standard input; `{file}` in it stands for the unit's own
    #[arg(
        long,
        value_name = "NAME",
        conflicts_with = "job",
        help_heading = "Job"
    )]
    stdin: Option<String>,
    /// How to put the units' outputs together [default: directory]
    #[arg(
        long,
        value_name = "HOW",
        value_enum,
        conflicts_with = "job",
        help_heading = "Job"
    )]
    assemble: Option<AssembleFlag>,
    /// An environment variable of the program
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Job")]
    env: Vec<Variable>,
    /// What to call the job
    #[arg(long, value_name = "NAME", help_heading = "Job")]
    name: Option<String>,
    /// Most PU (10^9 metered instructions) of a unit [default: 10]
    #[arg(long, value_name = "PU", help_heading = "Limits")]
    pu: Option<Decimal>,
    /// Most memory of a unit [default: 256]
    #[arg(long, value_name = "MIB", help_heading = "Limits")]
    memory_mib: Option<u32>,
    /// Most output of a unit [default: 16]
    #[arg(long, value_name = "MIB", help_heading = "Limits")]
    output_mib: Option<u32>,
    /// Arguments of the program: {unit} {units} {start} {end} {file} are filled in per unit
    #[arg(last = true, value_name = "ARGS")]
    args: Vec<String>,
}

/// What the job may cost and who may have it.
#[derive(Clone, Debug, Args)]
pub struct MarketFlags {
    /// Most the job may cost, locked until it ends [default: units x PU limit x the hub's price]
    #[arg(long, value_name = "GIO", help_heading = "Price")]
    cap: Option<Decimal>,
    /// Most a hub may ask for one PU
    #[arg(long, value_name = "GIO", help_heading = "Price")]
    max_price: Option<Decimal>,
    /// When the result is due, from now: 90s, 10m, 2h; later the whole cap comes back [default: 30m]
    #[arg(
        long,
        value_name = "TIME",
        help_heading = "Price",
        allow_hyphen_values = true
    )]
    deadline: Option<Span>,
    /// Least time to look at the result before anybody may settle it [default: the hub's least]
    #[arg(long, value_name = "TIME", help_heading = "Price")]
    window: Option<Span>,
    /// A region the hub may be in
    #[arg(long, value_name = "NAME", help_heading = "Hubs")]
    region: Vec<String>,
    /// A hub that may have the job, by owner or wallet
    #[arg(long, value_name = "ADDRESS", help_heading = "Hubs")]
    hub: Vec<Address>,
}

/// A word on the command line that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FlagError {
    /// Not one of the ways to cut.
    #[error(
        "`{0}` is none of none, files, lines:FILE:UNITS, bytes:FILE:SIZE, range:A..B:UNITS, list:a,b,c"
    )]
    Split(String),
    /// No `=`.
    #[error("`{0}` is not NAME=VALUE")]
    Variable(String),
    /// No number with a unit.
    #[error("`{0}` is not a time such as 90s, 10m or 2h")]
    Span(String),
    /// A deadline that has passed.
    #[error("`{0}` lies in the past; a time from now is meant, such as 10m")]
    Past(String),
}

/// `--split`.
#[derive(Clone, Debug)]
struct SplitFlag(SplitTable);

impl FromStr for SplitFlag {
    type Err = FlagError;

    fn from_str(text: &str) -> Result<Self, FlagError> {
        let bad = || FlagError::Split(text.to_owned());
        let (by, rest) = text
            .split_once(':')
            .map_or((text, None), |(by, rest)| (by, Some(rest)));
        let mut table = SplitTable {
            by: Some(by.to_owned()),
            ..SplitTable::default()
        };
        // From the right, because a file's name may hold a colon.
        let pair = || rest.and_then(|rest| rest.rsplit_once(':')).ok_or_else(bad);
        match (by, rest) {
            ("none" | "files", None) => {}
            ("lines", _) => {
                let (file, units) = pair()?;
                table.file = Some(file.to_owned());
                table.units = Some(units.parse().map_err(|_| bad())?);
            }
            ("bytes", _) => {
                let (file, size) = pair()?;
                table.file = Some(file.to_owned());
                table.size = Some(size.parse().map_err(|_| bad())?);
            }
            ("range", _) => {
                let (range, units) = pair()?;
                let (start, end) = range.split_once("..").ok_or_else(bad)?;
                table.start = Some(start.parse().map_err(|_| bad())?);
                table.end = Some(end.parse().map_err(|_| bad())?);
                table.units = Some(units.parse().map_err(|_| bad())?);
            }
            ("list", Some(items)) => {
                table.items = Some(items.split(',').map(str::to_owned).collect());
            }
            _ => return Err(bad()),
        }
        Ok(Self(table))
    }
}

/// `--assemble`.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum AssembleFlag {
    /// All standard outputs, in unit order
    Concat,
    /// Every unit's files under its index
    Directory,
}

/// `--env`.
#[derive(Clone, Debug)]
struct Variable(String, String);

impl FromStr for Variable {
    type Err = FlagError;

    fn from_str(text: &str) -> Result<Self, FlagError> {
        let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
        let (name, value) = pair.ok_or_else(|| FlagError::Variable(text.to_owned()))?;
        Ok(Self(name.to_owned(), value.to_owned()))
    }
}

/// A length of time on the command line, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(u64);

impl FromStr for Span {
    type Err = FlagError;

    fn from_str(text: &str) -> Result<Self, FlagError> {
        let bad = || FlagError::Span(text.to_owned());
        let unit = text.bytes().last().ok_or_else(bad)?;
        let seconds = match unit {
            b's' => 1,
            b'm' => 60,
            b'h' => 3600,
            _ => return Err(bad()),
        };
        let digits = &text[..text.len() - 1];
        if digits.starts_with('-') && digits[1..].parse::<u64>().is_ok() {
            return Err(FlagError::Past(text.to_owned()));
        }
        let number: u64 = digits.parse().map_err(|_| bad())?;
        number.checked_mul(seconds).map(Self).ok_or_else(bad)
    }
}

/// A job file that is wrong, with the place where its keys are listed.
fn job_file(error: ConfigError) -> UserError {
    let hint = match &error {
        ConfigError::Read { .. } => {
            "the job file is the first argument; or describe the job by --wasm and flags"
        }
        ConfigError::Parse { .. } => "`gio-buyer submit --help` lists every key",
    };
    faults::job(error).hint(hint)
}

impl JobFlags {
    /// The job file these flags name or stand for, with the defaults filled in.
    ///
    /// # Errors
    /// A [`UserError`] about the job file or a flag.
    pub fn request(&self) -> Result<JobRequest, UserError> {
        let (file, base) = self.file()?;
        JobRequest::new(file, &base).map_err(faults::job)
    }

    /// The job file these flags name or stand for, and the folder its paths are relative to.
    ///
    /// # Errors
    /// A [`UserError`] about the job file.
    pub fn file(&self) -> Result<(JobFile, PathBuf), UserError> {
        let (mut file, base) = match &self.job {
            Some(path) => (
                JobFile::read(path).map_err(job_file)?,
                path.parent().unwrap_or(Path::new("")).to_owned(),
            ),
            None => (self.described(), PathBuf::new()),
        };
        self.change(&mut file);
        Ok((file, base))
    }

    fn described(&self) -> JobFile {
        JobFile {
            wasm: self.wasm.clone(),
            app: self.app.clone(),
            inputs: self.input.clone(),
            shared: self.share.iter().cloned().collect(),
            stdin: self.stdin.clone(),
            split: self.split.clone().map(|flag| flag.0).unwrap_or_default(),
            assemble: AssembleTable {
                by: self.assemble.map(|how| match how {
                    AssembleFlag::Concat => "concat".to_owned(),
                    AssembleFlag::Directory => "directory".to_owned(),
                }),
                ..AssembleTable::default()
            },
            ..JobFile::default()
        }
    }

    fn change(&self, file: &mut JobFile) {
        if !self.args.is_empty() {
            file.args.clone_from(&self.args);
        }
        let variables = self.env.iter().cloned();
        file.env
            .extend(variables.map(|Variable(name, value)| (name, value)));
        replace(&mut file.name, self.name.as_ref());
        replace(&mut file.limits.pu, self.pu.as_ref());
        replace(&mut file.limits.memory_mib, self.memory_mib.as_ref());
        replace(&mut file.limits.output_mib, self.output_mib.as_ref());
    }
}

fn replace<T: Clone>(value: &mut Option<T>, flag: Option<&T>) {
    if let Some(flag) = flag {
        *value = Some(flag.clone());
    }
}

impl MarketFlags {
    /// Changes a job's price limits and conditions as the flags say.
    ///
    /// # Errors
    /// A [`UserError`] about a number.
    pub fn change(&self, job: &mut JobRequest) -> Result<(), UserError> {
        if let Some(cap) = &self.cap {
            job.price.cap = Some(cap.gio().map_err(faults::job)?);
        }
        if let Some(price) = &self.max_price {
            job.price.price_max = Some(price.price().map_err(faults::job)?);
        }
        if let Some(Span(seconds)) = self.deadline {
            job.price.deadline_seconds = seconds;
        }
        if let Some(Span(seconds)) = self.window {
            job.price.window_seconds = Some(seconds);
        }
        job.hubs.regions.extend(self.region.iter().cloned());
        job.hubs.only.extend(self.hub.iter().copied());
        if job.price.deadline_seconds == 0 {
            return Err(
                faults::job(RequestError::Past).hint("--deadline 10m, or deadline_minutes = 10")
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use gio_content::Split;
    use gio_protocol::{Cu, Gio};

    use super::*;
    use crate::job_file::Assembly;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        job: JobFlags,
        #[command(flatten)]
        market: MarketFlags,
    }

    fn request(line: &[&str]) -> JobRequest {
        let line = Line::try_parse_from([&["submit"], line].concat()).unwrap();
        let mut request = line.job.request().unwrap();
        line.market.change(&mut request).unwrap();
        request
    }

    #[test]
    fn flags_alone_describe_a_job() {
        let job = request(&[
            "--wasm=dir/app.wasm",
            "--input=data",
            "--split=files",
            "--stdin={file}",
            "--env=A=b=c",
            "--assemble=concat",
            "--pu=0.5",
            "--cap=2.5",
            "--deadline=90s",
            "--",
            "-v",
            "{file}",
        ]);
        assert_eq!(job.name, "app");
        assert_eq!(job.args, ["-v", "{file}"]);
        assert_eq!(job.env["A"], "b=c");
        assert_eq!(job.split, Split::Files);
        assert_eq!(job.assembly, Assembly::Concat);
        assert_eq!(job.bounds.cu_limit, Cu(500_000_000));
        assert_eq!(job.price.cap, Some(Gio::from_units(250_000_000)));
        assert_eq!(job.price.deadline_seconds, 90);
    }

    #[test]
    fn flags_change_a_job_file() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../apps/render/job.toml");
        let job = request(&[path, "--pu=7", "--window=5m", "--name=mine"]);
        assert_eq!(job.name, "mine");
        assert_eq!(job.bounds.cu_limit, Cu(7_000_000_000));
        assert_eq!(job.price.window_seconds, Some(300));
        assert_eq!(job.args[0], "scene.txt", "what no flag names stays");
    }

    #[test]
    fn every_split_can_be_written_as_a_word() {
        let split = |text: &str| {
            text.parse::<SplitFlag>()
                .map(|flag| flag.0.resolve().unwrap())
        };
        let file = "a:b".to_owned();
        assert_eq!(
            split("lines:a:b:3").unwrap(),
            Split::Lines { file, units: 3 }
        );
        let file = "a".to_owned();
        assert_eq!(split("bytes:a:9").unwrap(), Split::Bytes { file, size: 9 });
        let (start, end, units) = (1, 5, 2);
        assert_eq!(
            split("range:1..5:2").unwrap(),
            Split::Range { start, end, units }
        );
        let items = vec!["x".to_owned(), "y".to_owned()];
        assert_eq!(split("list:x,y").unwrap(), Split::List { items });
        for bad in [
            "file",
            "files:a",
            "lines:a",
            "bytes:a:x",
            "range:1-5:2",
            "list",
            "",
        ] {
            assert!(split(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_job_is_a_file_or_flags_and_not_both() {
        assert!(Line::try_parse_from(["submit"]).is_err());
        assert!(Line::try_parse_from(["submit", "job.toml", "--wasm=a.wasm"]).is_err());
        assert!(Line::try_parse_from(["submit", "job.toml", "--split=files"]).is_err());
    }

    #[test]
    fn times_have_a_unit() {
        assert_eq!("2h".parse::<Span>().unwrap(), Span(7200));
        for bad in ["", "10", "m", "-1m", "10d", "99999999999999999999h"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }
}
