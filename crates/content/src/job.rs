//! A job as the buyer describes it to hubs: what to run, on what, cut how, within which limits.
//!
//! The specification travels as JSON; nothing is bound by those bytes, because the job root of the terms
//! binds every unit it leads to (R1).

use std::collections::{BTreeMap, BTreeSet};

use gio_protocol::{B256, Cu};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::path::{PathError, check_path};

/// The only version of the specification so far.
pub const SPEC_VERSION: u32 = 1;
/// Longest specification: 10,000 inputs with long names fit.
pub const SPEC_BYTES_MAX: usize = 4 << 20;
/// Most memory a unit may ask for: 65,536 pages are WASM's 4 GiB.
pub const PAGES_MAX: u32 = 65_536;
/// Largest output of a unit: what its word tree of depth 22 holds.
pub const OUTPUT_MAX: u64 = 128 << 20;

/// A specification that is no job.
#[derive(Debug, Error)]
pub enum JobSpecError {
    /// More than [`SPEC_BYTES_MAX`].
    #[error("{0} bytes of job specification; at most {SPEC_BYTES_MAX}")]
    TooLong(usize),
    /// Not the JSON of a job.
    #[error("the job specification cannot be read")]
    Json(#[from] serde_json::Error),
    /// Another version.
    #[error("job specification version {0}; this program knows version {SPEC_VERSION}")]
    Version(u32),
    /// A name the guest cannot have.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A name that is not among the inputs.
    #[error("`{0}` is not one of the job's inputs")]
    NoSuchInput(String),
    /// A limit of zero or beyond what the machine can have.
    #[error("{what} of {value}; allowed are 1 to {max}")]
    Limit {
        /// Which limit.
        what: &'static str,
        /// What was asked.
        value: u64,
        /// The most there is.
        max: u64,
    },
}

/// Where some bytes are: their content root and length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContentRef {
    /// Content root (section 2.4).
    pub root: B256,
    /// Bytes.
    pub length: u64,
}

impl ContentRef {
    /// The reference of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self {
            root: crate::content_root(bytes),
            length: bytes.len() as u64,
        }
    }
}

/// How a job is cut into units (section 9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case", deny_unknown_fields)]
pub enum Split {
    /// One unit.
    None,
    /// One unit per input file that is not shared.
    Files,
    /// Equal parts of a range of numbers.
    Range {
        /// First number.
        start: u64,
        /// One past the last number.
        end: u64,
        /// How many parts.
        units: u32,
    },
    /// Parts of a text file, cut after line ends.
    Lines {
        /// Which input.
        file: String,
        /// How many parts at most.
        units: u32,
    },
    /// Parts of a file, `size` bytes each.
    Bytes {
        /// Which input.
        file: String,
        /// Bytes of a part.
        size: u64,
    },
    /// One unit per item; the item is `{file}`.
    List {
        /// The items.
        items: Vec<String>,
    },
}

/// How the units' outputs become the job's (section 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assemble {
    /// All stdouts, in unit order.
    Concat,
    /// Every unit's files under its index.
    Directory,
}

/// What one unit may use; part of its leaf (R21).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitBounds {
    /// Most CU.
    pub cu_limit: Cu,
    /// Most memory, in pages of 64 KiB.
    pub pages_max: u32,
    /// Longest output image, in bytes.
    pub output_max: u64,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobSpec {
    /// [`SPEC_VERSION`].
    pub version: u32,
    /// What the buyer calls it.
    pub name: String,
    /// The WASI command module.
    pub module: ContentRef,
    /// Arguments, the program's name first; templates.
    pub args: Vec<String>,
    /// Environment; the values are templates.
    pub env: BTreeMap<String, String>,
    /// The input file that becomes standard input; a template.
    pub stdin: Option<String>,
    /// Input files by the path the guest sees.
    pub inputs: BTreeMap<String, ContentRef>,
    /// Inputs every unit sees where a split cuts inputs.
    pub shared: BTreeSet<String>,
    /// How to cut.
    pub split: Split,
    /// How to put together.
    pub assemble: Assemble,
    /// What each unit may use.
    pub bounds: UnitBounds,
}

impl JobSpec {
    /// Reads and checks a specification.
    ///
    /// # Errors
    /// [`JobSpecError`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, JobSpecError> {
        if bytes.len() > SPEC_BYTES_MAX {
            return Err(JobSpecError::TooLong(bytes.len()));
        }
        let spec: Self = serde_json::from_slice(bytes)?;
        spec.check()?;
        Ok(spec)
    }

    /// The JSON that travels.
    ///
    /// # Panics
    /// Never: a specification holds nothing JSON cannot say.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self)
            .expect("a specification holds only texts, numbers and maps with text keys")
    }

    /// Everything the job needs the bytes of.
    pub fn contents(&self) -> impl Iterator<Item = ContentRef> {
        std::iter::once(self.module).chain(self.inputs.values().copied())
    }

    /// The rules a specification must keep before its inputs are known.
    ///
    /// # Errors
    /// [`JobSpecError`].
    pub fn check(&self) -> Result<(), JobSpecError> {
        if self.version != SPEC_VERSION {
            return Err(JobSpecError::Version(self.version));
        }
        self.inputs.keys().try_for_each(|path| check_path(path))?;
        let cut = match &self.split {
            Split::Lines { file, .. } | Split::Bytes { file, .. } => Some(file),
            Split::None | Split::Files | Split::Range { .. } | Split::List { .. } => None,
        };
        if let Some(name) = self
            .shared
            .iter()
            .chain(cut)
            .find(|name| !self.inputs.contains_key(*name))
        {
            return Err(JobSpecError::NoSuchInput(name.clone()));
        }
        self.bounds.check()
    }
}

impl UnitBounds {
    fn check(&self) -> Result<(), JobSpecError> {
        let limits = [
            ("a CU limit", self.cu_limit.0, u64::MAX),
            (
                "a memory limit in pages",
                u64::from(self.pages_max),
                u64::from(PAGES_MAX),
            ),
            ("an output limit in bytes", self.output_max, OUTPUT_MAX),
        ];
        match limits
            .into_iter()
            .find(|(_, value, max)| *value == 0 || value > max)
        {
            Some((what, value, max)) => Err(JobSpecError::Limit { what, value, max }),
            None => Ok(()),
        }
    }
}
