//! The job file: what a buyer writes in TOML. Every key has a default but `wasm`; an unknown key is an error that
//! names the nearest valid one. Flags fill the same structure, so a job file and flags cannot mean different things.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use gio_agent::{ConfigError, read_config};
use gio_content::Split;
use gio_protocol::Address;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::decimal::Decimal;

/// A job as it stands in TOML.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobFile {
    /// What the buyer calls it; default: the module's name.
    pub name: Option<String>,
    /// The WASI command module, relative to the job file.
    pub wasm: Option<PathBuf>,
    /// An application of the pool, `name@version`: its program, and its author's royalty.
    pub app: Option<String>,
    /// Arguments after the program's name.
    #[serde(default)]
    pub args: Vec<String>,
    /// Environment variables.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Files, and folders whose files are meant, relative to the job file.
    #[serde(default)]
    pub inputs: Vec<PathBuf>,
    /// Inputs that every unit sees although the split cuts inputs.
    #[serde(default)]
    pub shared: BTreeSet<String>,
    /// The input that becomes standard input.
    pub stdin: Option<String>,
    /// How results are checked; `none` so far.
    pub verify: Option<String>,
    /// How the job is cut.
    #[serde(default)]
    pub split: SplitTable,
    /// How the outputs are put together.
    #[serde(default)]
    pub assemble: AssembleTable,
    /// What a unit may use.
    #[serde(default)]
    pub limits: LimitsTable,
    /// What the job may cost, and when it is due.
    #[serde(default)]
    pub price: PriceTable,
    /// Which hubs may have it.
    #[serde(default)]
    pub hubs: HubsTable,
}

/// `[split]`: `by`, and what that way of cutting needs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in docs/protocol.md section 9"
)]
pub struct SplitTable {
    pub by: Option<String>,
    pub start: Option<u64>,
    pub end: Option<u64>,
    pub units: Option<u32>,
    pub file: Option<String>,
    pub size: Option<u64>,
    pub items: Option<Vec<String>>,
}

/// `[assemble]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssembleTable {
    /// `directory` (default), `concat` or `reduce`.
    pub by: Option<String>,
    /// The program that reduces; default: the job's own.
    pub wasm: Option<PathBuf>,
    /// Its arguments.
    pub args: Option<Vec<String>>,
}

/// `[limits]`, for every unit.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsTable {
    /// Most PU.
    pub pu: Option<Decimal>,
    /// Most memory.
    pub memory_mib: Option<u32>,
    /// Most output.
    pub output_mib: Option<u32>,
}

/// `[price]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceTable {
    /// Most the job may cost in all.
    pub cap_gio: Option<Decimal>,
    /// Most a hub may ask for one PU.
    pub max_price_per_pu: Option<Decimal>,
    /// When the result is due, from now.
    pub deadline_minutes: Option<u32>,
    /// How long the result can be looked at before anybody may settle it; default: the hub's least.
    pub window_minutes: Option<u32>,
}

/// `[hubs]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HubsTable {
    /// Regions the hub may be in; empty: any.
    #[serde(default)]
    pub regions: BTreeSet<String>,
    /// Owners or wallets; empty: any.
    #[serde(default)]
    pub only: BTreeSet<Address>,
}

/// How the job's result is made of the units' outputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case", deny_unknown_fields)]
pub enum Assembly<Program> {
    /// All standard outputs in unit order.
    Concat,
    /// Every unit's files.
    Directory,
    /// What a program makes of the units' files, in the buyer's own sandbox.
    Reduce {
        /// The program.
        program: Program,
        /// Its arguments, without its name.
        args: Vec<String>,
    },
}

/// A key whose value does not fit the others.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JobFileError {
    /// A word that is none of the known ones.
    #[error("`{key}` cannot be `{found}`: {}{}", one_of(known), hint(found, known))]
    Word {
        /// Which key.
        key: &'static str,
        /// What it says.
        found: String,
        /// What it may say.
        known: &'static [&'static str],
    },
    /// This way of cutting or assembling needs more.
    #[error("`{table}` by `{by}` needs `{key}`")]
    Missing {
        /// Which table.
        table: &'static str,
        /// Its `by`.
        by: String,
        /// The key that is not there.
        key: &'static str,
    },
    /// This way of cutting or assembling does not know the key.
    #[error("`{table}` by `{by}` has no `{key}`")]
    Surplus {
        /// Which table.
        table: &'static str,
        /// Its `by`.
        by: String,
        /// The key that is not for it.
        key: &'static str,
    },
    /// Nothing to run.
    #[error("the job names no program: `wasm` is missing")]
    NoProgram,
}

fn one_of(known: &[&str]) -> String {
    let quoted: Vec<String> = known.iter().map(|word| format!("`{word}`")).collect();
    format!("it is one of {}", quoted.join(", "))
}

fn hint(found: &str, known: &'static [&'static str]) -> String {
    let nearest = gio_agent::config::nearest(found, known.iter().copied());
    nearest.map_or_else(String::new, |word| format!("; did you mean `{word}`?"))
}

/// Ways to cut.
const SPLITS: &[&str] = &["none", "files", "range", "lines", "bytes", "list"];
/// Ways to put together.
const ASSEMBLIES: &[&str] = &["directory", "concat", "reduce"];
/// Ways to check results; the others need a court or other miners, which do not exist yet.
const VERIFIES: &[&str] = &["none"];

impl JobFile {
    /// Reads a job file.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        read_config(path)
    }

    /// Refuses what this version cannot check.
    ///
    /// # Errors
    /// [`JobFileError::Word`].
    pub fn check_verify(&self) -> Result<(), JobFileError> {
        known_word("verify", self.verify.as_deref().unwrap_or("none"), VERIFIES).map(|_| ())
    }
}

impl SplitTable {
    /// The split it describes.
    ///
    /// # Errors
    /// [`JobFileError`].
    pub fn resolve(&self) -> Result<Split, JobFileError> {
        let by = known_word("split.by", self.by.as_deref().unwrap_or("none"), SPLITS)?;
        self.refuse_surplus(by)?;
        let missing = |key| missing("split", by, key);
        let file = || self.file.clone().ok_or_else(|| missing("file"));
        let units = || self.units.ok_or_else(|| missing("units"));
        Ok(match by {
            "files" => Split::Files,
            "range" => Split::Range {
                start: self.start.ok_or_else(|| missing("start"))?,
                end: self.end.ok_or_else(|| missing("end"))?,
                units: units()?,
            },
            "lines" => Split::Lines {
                file: file()?,
                units: units()?,
            },
            "bytes" => Split::Bytes {
                file: file()?,
                size: self.size.ok_or_else(|| missing("size"))?,
            },
            "list" => Split::List {
                items: self.items.clone().ok_or_else(|| missing("items"))?,
            },
            _ => Split::None,
        })
    }

    fn refuse_surplus(&self, by: &str) -> Result<(), JobFileError> {
        let keys: [(&'static str, bool, &[&str]); 6] = [
            ("start", self.start.is_some(), &["range"]),
            ("end", self.end.is_some(), &["range"]),
            ("units", self.units.is_some(), &["range", "lines"]),
            ("file", self.file.is_some(), &["lines", "bytes"]),
            ("size", self.size.is_some(), &["bytes"]),
            ("items", self.items.is_some(), &["list"]),
        ];
        let surplus = keys
            .iter()
            .find(|(_, given, ways)| *given && !ways.contains(&by));
        surplus.map_or(Ok(()), |(key, ..)| Err(surplus_key("split", by, key)))
    }
}

impl AssembleTable {
    /// The assembly it describes; a reduce without a program of its own runs the job's.
    ///
    /// # Errors
    /// [`JobFileError`].
    pub fn resolve(&self, job_wasm: &Path) -> Result<Assembly<PathBuf>, JobFileError> {
        let word = self.by.as_deref().unwrap_or("directory");
        let by = known_word("assemble.by", word, ASSEMBLIES)?;
        if by == "reduce" {
            return Ok(Assembly::Reduce {
                program: self.wasm.clone().unwrap_or_else(|| job_wasm.to_owned()),
                args: self.args.clone().unwrap_or_default(),
            });
        }
        for (key, given) in [("wasm", self.wasm.is_some()), ("args", self.args.is_some())] {
            if given {
                return Err(surplus_key("assemble", by, key));
            }
        }
        Ok(if by == "concat" {
            Assembly::Concat
        } else {
            Assembly::Directory
        })
    }
}

fn known_word(
    key: &'static str,
    found: &str,
    known: &'static [&'static str],
) -> Result<&'static str, JobFileError> {
    let word = known.iter().copied().find(|word| *word == found);
    word.ok_or_else(|| JobFileError::Word {
        key,
        found: found.to_owned(),
        known,
    })
}

fn missing(table: &'static str, by: &str, key: &'static str) -> JobFileError {
    JobFileError::Missing {
        table,
        by: by.to_owned(),
        key,
    }
}

fn surplus_key(table: &'static str, by: &str, key: &'static str) -> JobFileError {
    JobFileError::Surplus {
        table,
        by: by.to_owned(),
        key,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<JobFile, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("job.toml");
        std::fs::write(&path, text).unwrap();
        JobFile::read(&path).map_err(|error| error.to_string())
    }

    fn split(text: &str) -> Result<Split, JobFileError> {
        read(&format!("[split]\n{text}\n")).unwrap().split.resolve()
    }

    #[test]
    fn unknown_keys_name_the_nearest_in_every_table() {
        for (text, nearest) in [
            ("wsam = \"a.wasm\"", "wasm"),
            ("[split]\nunit = 3", "units"),
            ("[assemble]\narg = []", "args"),
            ("[limits]\nmemory_mb = 3", "memory_mib"),
            ("[price]\ncap_goi = 3", "cap_gio"),
            ("[hubs]\nregion = []", "regions"),
        ] {
            let message = read(text).unwrap_err();
            let hint = format!("did you mean `{nearest}`?");
            assert!(message.contains("unknown field"), "{text}: {message}");
            assert!(message.ends_with(&hint), "{text}: {message}");
        }
    }

    #[test]
    fn every_split_reads_back_and_the_default_is_one_unit() {
        assert_eq!(split("").unwrap(), Split::None);
        assert_eq!(split("by = \"files\"").unwrap(), Split::Files);
        let range = split("by = \"range\"\nstart = 2\nend = 9\nunits = 3").unwrap();
        let expected = Split::Range {
            start: 2,
            end: 9,
            units: 3,
        };
        assert_eq!(range, expected);
        let lines = split("by = \"lines\"\nfile = \"a\"\nunits = 3").unwrap();
        let file = "a".to_owned();
        assert_eq!(lines, Split::Lines { file, units: 3 });
        let bytes = split("by = \"bytes\"\nfile = \"a\"\nsize = 3").unwrap();
        let file = "a".to_owned();
        assert_eq!(bytes, Split::Bytes { file, size: 3 });
        let list = split("by = \"list\"\nitems = [\"x\"]").unwrap();
        let items = vec!["x".to_owned()];
        assert_eq!(list, Split::List { items });
    }

    #[test]
    fn a_split_says_what_it_lacks_and_what_it_does_not_take() {
        let error = split("by = \"rnage\"").unwrap_err().to_string();
        assert!(error.ends_with("did you mean `range`?"), "{error}");
        let error = split("by = \"lines\"\nunits = 3").unwrap_err();
        assert_eq!(error.to_string(), "`split` by `lines` needs `file`");
        let error = split("by = \"files\"\nunits = 3").unwrap_err();
        assert_eq!(error.to_string(), "`split` by `files` has no `units`");
        let error = split("units = 3").unwrap_err();
        assert_eq!(error.to_string(), "`split` by `none` has no `units`");
    }

    #[test]
    fn a_reduce_runs_the_jobs_program_unless_it_names_another() {
        let job = Path::new("a.wasm");
        let reduce = read("[assemble]\nby = \"reduce\"\nargs = [\"-x\"]").unwrap();
        let Assembly::Reduce { program, args } = reduce.assemble.resolve(job).unwrap() else {
            panic!("not a reduce");
        };
        assert_eq!((program.as_path(), args), (job, vec!["-x".to_owned()]));
        let concat = read("[assemble]\nby = \"concat\"\nwasm = \"b.wasm\"").unwrap();
        let error = concat.assemble.resolve(job).unwrap_err();
        assert_eq!(error.to_string(), "`assemble` by `concat` has no `wasm`");
    }

    #[test]
    fn only_what_can_be_checked_is_promised() {
        let error = read("verify = \"fraud-proof\"").unwrap().check_verify();
        assert!(matches!(error, Err(JobFileError::Word { .. })));
        read("verify = \"none\"").unwrap().check_verify().unwrap();
    }

    #[test]
    fn the_demos_job_file_is_valid() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../apps/render/job.toml");
        let job = JobFile::read(&path).unwrap();
        job.check_verify().unwrap();
        let expected = Split::Range {
            start: 0,
            end: 48,
            units: 48,
        };
        assert_eq!(job.split.resolve().unwrap(), expected);
        let assembly = job.assemble.resolve(Path::new("x")).unwrap();
        assert!(matches!(assembly, Assembly::Reduce { .. }));
    }
}
