//! A job as the buyer asked for it, with every default filled in: what a job file or the flags come to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use gio_content::{Split, UnitBounds};
use gio_protocol::{Address, AmountError, Cu, Gio, PricePerPu};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::decimal::{Decimal, DecimalError};
use crate::job_file::{Assembly, JobFile, JobFileError};

/// Most PU of a unit when the job names none: some ten seconds of work, so that a first job of one's own neither
/// stops half-way nor locks much.
const PU_DEFAULT: Cu = Cu(10_000_000_000);
/// Memory of a unit when the job names none: what ordinary command line programs live in.
const MEMORY_MIB_DEFAULT: u32 = 256;
/// Output of a unit when the job names none.
const OUTPUT_MIB_DEFAULT: u32 = 16;
/// When a job is due that names no deadline.
const DEADLINE_MINUTES_DEFAULT: u32 = 30;
/// Pages of 64 KiB in a MiB.
const PAGES_PER_MIB: u32 = 16;

/// What the job may cost, and when it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceLimits {
    /// Most the job may cost; `None`: what its limits cost at the hub's price.
    pub cap: Option<Gio>,
    /// Most a hub may ask for one PU; `None`: any price the cap allows.
    pub price_max: Option<PricePerPu>,
    /// Seconds from now until the result is due.
    pub deadline_seconds: u64,
    /// What the program's author earns out of the payment; `None`: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub royalty: Option<Royalty>,
    /// Least seconds to look at the result before anybody may settle it; `None`: the hub's least.
    pub window_seconds: Option<u64>,
}

/// An author's share of every payment, as the application pool says (GV-21).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Royalty {
    /// Who earns it.
    pub to: Address,
    /// Thousandths of the payment.
    pub per_mille: u16,
}

impl PriceLimits {
    /// What the terms say a PU costs, so that the hub's part is what it asks for:
    /// `⌈asked · 1000 / (1000 − per mille)⌉`.
    ///
    /// # Errors
    /// [`AmountError::Overflow`], also if the author leaves nothing to anybody.
    pub fn with_royalty(&self, asked: PricePerPu) -> Result<PricePerPu, AmountError> {
        let Some(royalty) = self.royalty else {
            return Ok(asked);
        };
        let left = 1000_u128.saturating_sub(royalty.per_mille.into());
        let gross = (u128::from(asked.0.units()) * 1000).checked_add(left.saturating_sub(1));
        let gross = gross.and_then(|gross| gross.checked_div(left));
        let gross = gross.and_then(|gross| u64::try_from(gross).ok());
        let gross = gross.ok_or(AmountError::Overflow)?;
        Ok(PricePerPu(Gio::from_units(gross)))
    }
}

/// Which hubs may have the job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HubConditions {
    /// Regions; empty: any.
    pub regions: BTreeSet<String>,
    /// Owners or wallets; empty: any.
    pub only: BTreeSet<Address>,
}

/// A job with every default filled in; its files are not read yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the job file")]
pub struct JobRequest {
    pub name: String,
    pub wasm: PathBuf,
    pub args: Vec<String>,
    pub env: BTreeMap<String, String>,
    pub inputs: Vec<PathBuf>,
    pub shared: BTreeSet<String>,
    pub stdin: Option<String>,
    pub split: Split,
    pub assembly: Assembly<PathBuf>,
    pub bounds: UnitBounds,
    pub price: PriceLimits,
    pub hubs: HubConditions,
}

/// A job that asks for something that is not there.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RequestError {
    /// A key.
    #[error(transparent)]
    Key(#[from] JobFileError),
    /// A number.
    #[error("`{key}` cannot be used")]
    Number {
        /// Which key.
        key: &'static str,
        /// Why.
        source: DecimalError,
    },
    /// Due now or before.
    #[error("the deadline lies in the past: a job is due some time from now")]
    Past,
    /// A number beyond its type.
    #[error("`{key}` is too large")]
    TooLarge {
        /// Which key.
        key: &'static str,
    },
}

impl JobRequest {
    /// Fills in the defaults; paths are relative to `base`.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn new(file: JobFile, base: &Path) -> Result<Self, RequestError> {
        file.check_verify()?;
        let wasm = file.wasm.as_ref().ok_or(JobFileError::NoProgram)?;
        Ok(Self {
            name: file.name.clone().unwrap_or_else(|| stem(wasm)),
            split: file.split.resolve()?,
            assembly: match file.assemble.resolve(wasm)? {
                Assembly::Reduce { program, args } => Assembly::Reduce {
                    program: base.join(program),
                    args,
                },
                other => other,
            },
            bounds: bounds(&file)?,
            price: price(&file)?,
            hubs: HubConditions {
                regions: file.hubs.regions,
                only: file.hubs.only,
            },
            wasm: base.join(wasm),
            args: file.args,
            env: file.env,
            inputs: file.inputs.iter().map(|path| base.join(path)).collect(),
            shared: file.shared,
            stdin: file.stdin,
        })
    }
}

fn bounds(file: &JobFile) -> Result<UnitBounds, RequestError> {
    let limits = &file.limits;
    let memory_mib = limits.memory_mib.unwrap_or(MEMORY_MIB_DEFAULT);
    let output_mib = limits.output_mib.unwrap_or(OUTPUT_MIB_DEFAULT);
    let too_large = RequestError::TooLarge { key: "memory_mib" };
    Ok(UnitBounds {
        cu_limit: number("pu", limits.pu.as_ref(), Decimal::pu)?.unwrap_or(PU_DEFAULT),
        pages_max: memory_mib.checked_mul(PAGES_PER_MIB).ok_or(too_large)?,
        output_max: u64::from(output_mib) << 20,
    })
}

fn price(file: &JobFile) -> Result<PriceLimits, RequestError> {
    let price = &file.price;
    let minutes = price.deadline_minutes.unwrap_or(DEADLINE_MINUTES_DEFAULT);
    Ok(PriceLimits {
        cap: number("cap_gio", price.cap_gio.as_ref(), Decimal::gio)?,
        price_max: number(
            "max_price_per_pu",
            price.max_price_per_pu.as_ref(),
            Decimal::price,
        )?,
        deadline_seconds: u64::from(minutes) * 60,
        royalty: None,
        window_seconds: price.window_minutes.map(|minutes| u64::from(minutes) * 60),
    })
}

fn number<T>(
    key: &'static str,
    given: Option<&Decimal>,
    read: impl Fn(&Decimal) -> Result<T, DecimalError>,
) -> Result<Option<T>, RequestError> {
    given
        .map(read)
        .transpose()
        .map_err(|source| RequestError::Number { key, source })
}

/// `apps/render.wasm` → `render`.
fn stem(wasm: &Path) -> String {
    wasm.file_stem().map_or_else(
        || "job".to_owned(),
        |stem| stem.to_string_lossy().into_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_program_is_a_job_and_every_default_is_filled_in() {
        let file = JobFile {
            wasm: Some("apps/echo.wasm".into()),
            ..JobFile::default()
        };
        let job = JobRequest::new(file, Path::new("/base")).unwrap();
        assert_eq!(job.name, "echo");
        assert_eq!(job.wasm, Path::new("/base/apps/echo.wasm"));
        assert_eq!(job.bounds.pages_max, 4096);
        assert_eq!(job.price.cap, None);
        assert_eq!(job.assembly, Assembly::Directory);
    }

    #[test]
    fn a_job_without_a_program_is_none() {
        let error = JobRequest::new(JobFile::default(), Path::new("")).unwrap_err();
        assert_eq!(error, RequestError::Key(JobFileError::NoProgram));
    }

    #[test]
    fn the_demos_numbers_arrive_exactly() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../apps/render");
        let file = JobFile::read(&folder.join("job.toml")).unwrap();
        let job = JobRequest::new(file, &folder).unwrap();
        assert_eq!(job.bounds.cu_limit, Cu(5_000_000_000));
        assert_eq!(job.price.cap, Some(Gio::from_whole(5).unwrap()));
        assert_eq!(job.price.deadline_seconds, 600);
    }
}
