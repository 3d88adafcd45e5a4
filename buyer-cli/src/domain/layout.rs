//! The output folder: which file goes where.
//!
//! ```text
//! directory   <unit>/<path>    every unit's files; with `split none` just <path>
//! concat      stdout           all standard outputs in unit order
//! reduce      <path>           the reducing program's files
//! always      units.json       how every unit ended, its CU and its miner
//!             stdout, stderr   of the only unit, or of the reducing program
//!             units/<unit>/    stdout and stderr of each unit that wrote any; with concat also its files
//! ```
//! Names that the folder needs itself are never given to a guest's file: one guest file named `stdout`, `units` or
//! the like moves all of them below `files/`.

use std::collections::BTreeMap;

use gio_content::{AssembleError, ImageError, OutputImage, concatenated};
use gio_protocol::{Address, Cu, Status};
use serde::Serialize;

use crate::job_file::Assembly;

/// Names at the top of the folder that are the buyer's own.
const RESERVED: [&str; 5] = ["stdout", "stderr", "units", "units.json", "receipt.json"];

/// What became of one unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitOutcome {
    /// How it ended.
    pub status: Status,
    /// What it gave to `exit`.
    pub exit_code: u32,
    /// What it used.
    pub cu: Cu,
    /// Who ran it; nobody else's miner in a local run.
    pub owner: Option<Address>,
    /// Its output image.
    pub image: Vec<u8>,
}

impl UnitOutcome {
    /// Whether the program ended by itself with exit code 0.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.status == Status::Exit && self.exit_code == 0
    }
}

/// A line of `units.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct UnitLine {
    unit: u32,
    delivered: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cu: Option<Cu>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<Address>,
}

/// Files by their path in the output folder.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Lays out a job's result. `is_plain`: the job has one unit by its nature (`split none`). `reduced` is the reducing
/// program's output, of a job that has one.
///
/// # Errors
/// [`AssembleError`] if an output image cannot be read.
///
/// # Panics
/// If there are more than 2^32 units, which no deal has.
pub fn lay_out<P>(
    assembly: &Assembly<P>,
    is_plain: bool,
    units: &[Option<UnitOutcome>],
    reduced: Option<OutputImage>,
) -> Result<Files, AssembleError> {
    let mut files = Files::new();
    for (unit, outcome) in units.iter().enumerate() {
        let Some(outcome) = outcome else { continue };
        let image = decode(unit, &outcome.image)?;
        match assembly {
            Assembly::Directory if is_plain => files.extend(top_level(image)),
            Assembly::Directory => {
                files.extend(streams(unit, image.stdout, image.stderr));
                files.extend(below(&unit.to_string(), image.files));
            }
            Assembly::Concat => {
                files.extend(streams(unit, Vec::new(), image.stderr));
                files.extend(below(&format!("units/{unit}/files"), image.files));
            }
            Assembly::Reduce { .. } => files.extend(streams(unit, image.stdout, image.stderr)),
        }
    }
    if matches!(assembly, Assembly::Concat) {
        let images: Vec<_> = units.iter().map(image_of).collect();
        files.insert("stdout".to_owned(), concatenated(&images)?);
    }
    files.extend(reduced.map(top_level).into_iter().flatten());
    files.insert("units.json".to_owned(), units_json(units));
    Ok(files)
}

fn image_of(outcome: &Option<UnitOutcome>) -> Option<Vec<u8>> {
    outcome.as_ref().map(|outcome| outcome.image.clone())
}

fn decode(unit: usize, image: &[u8]) -> Result<OutputImage, AssembleError> {
    OutputImage::decode(image).map_err(|source: ImageError| AssembleError { unit, source })
}

/// One program's whole output: its files where it put them, and its streams even if they are empty, because a
/// script reads them.
fn top_level(image: OutputImage) -> Files {
    let clashes = |path: &String| {
        let first = path.split('/').next().unwrap_or_default();
        RESERVED.contains(&first)
    };
    let mut files = if image.files.keys().any(clashes) {
        below("files", image.files)
    } else {
        image.files
    };
    files.insert("stdout".to_owned(), image.stdout);
    files.insert("stderr".to_owned(), image.stderr);
    files
}

fn below(folder: &str, files: Files) -> Files {
    let moved = files.into_iter();
    moved
        .map(|(path, bytes)| (format!("{folder}/{path}"), bytes))
        .collect()
}

fn streams(unit: usize, stdout: Vec<u8>, stderr: Vec<u8>) -> Files {
    let named = [("stdout", stdout), ("stderr", stderr)].into_iter();
    let written = named.filter(|(_, bytes)| !bytes.is_empty());
    written
        .map(|(name, bytes)| (format!("units/{unit}/{name}"), bytes))
        .collect()
}

fn units_json(units: &[Option<UnitOutcome>]) -> Vec<u8> {
    let line = |(unit, outcome): (u32, &Option<UnitOutcome>)| {
        let outcome = outcome.as_ref();
        UnitLine {
            unit,
            delivered: outcome.is_some(),
            status: outcome.map(|o| o.status),
            exit_code: outcome.map(|o| o.exit_code),
            cu: outcome.map(|o| o.cu),
            owner: outcome.and_then(|o| o.owner),
        }
    };
    let lines: Vec<UnitLine> = (0u32..).zip(units).map(line).collect();
    serde_json::to_vec_pretty(&lines).expect("lines hold only texts and numbers")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(stdout: &str, files: &[&str]) -> Option<UnitOutcome> {
        let files = files
            .iter()
            .map(|path| ((*path).to_owned(), path.as_bytes().to_vec()));
        let image = OutputImage {
            stdout: stdout.as_bytes().to_vec(),
            stderr: Vec::new(),
            files: files.collect(),
        };
        Some(UnitOutcome {
            status: Status::Exit,
            exit_code: 0,
            cu: Cu(5),
            owner: None,
            image: image.encode().unwrap(),
        })
    }

    fn names(
        assembly: &Assembly<()>,
        is_plain: bool,
        units: &[Option<UnitOutcome>],
    ) -> Vec<String> {
        let files = lay_out(assembly, is_plain, units, None).unwrap();
        files.into_keys().collect()
    }

    #[test]
    fn every_unit_has_its_folder_and_a_lonely_one_needs_none() {
        let units = [outcome("hi", &["a", "d/b"]), None, outcome("", &["a"])];
        assert_eq!(
            names(&Assembly::Directory, false, &units),
            ["0/a", "0/d/b", "2/a", "units.json", "units/0/stdout"]
        );
        assert_eq!(
            names(&Assembly::Directory, true, &units[..1]),
            ["a", "d/b", "stderr", "stdout", "units.json"]
        );
    }

    #[test]
    fn concat_joins_what_was_printed_and_keeps_what_was_written() {
        let units = [outcome("a", &["x"]), outcome("b", &[])];
        let files = lay_out(&Assembly::<()>::Concat, false, &units, None).unwrap();
        assert_eq!(files["stdout"], b"ab");
        let names: Vec<_> = files.keys().collect();
        assert_eq!(names, ["stdout", "units.json", "units/0/files/x"]);
    }

    #[test]
    fn a_reduce_leaves_the_reducing_programs_files() {
        let units = [outcome("a", &["tile"]), outcome("", &["tile"])];
        let reduced = OutputImage {
            files: [("picture.png".to_owned(), b"png".to_vec())].into(),
            ..OutputImage::default()
        };
        let assembly = Assembly::Reduce {
            program: (),
            args: vec![],
        };
        let files = lay_out(&assembly, false, &units, Some(reduced)).unwrap();
        let names: Vec<_> = files.keys().collect();
        let expected = [
            "picture.png",
            "stderr",
            "stdout",
            "units.json",
            "units/0/stdout",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_guest_cannot_take_the_buyers_own_names() {
        for name in ["stdout", "units/0/stdout", "units.json", "receipt.json"] {
            let files = names(&Assembly::Directory, true, &[outcome("", &[name, "ok"])]);
            assert!(files.contains(&format!("files/{name}")), "{files:?}");
            assert!(files.contains(&"files/ok".to_owned()), "{files:?}");
        }
    }

    #[test]
    fn units_json_tells_how_each_unit_ended() {
        let mut failed = outcome("", &[]).unwrap();
        failed.exit_code = 3;
        assert!(!failed.is_success());
        let files = lay_out(
            &Assembly::<()>::Directory,
            false,
            &[None, Some(failed)],
            None,
        )
        .unwrap();
        let lines: serde_json::Value = serde_json::from_slice(&files["units.json"]).unwrap();
        assert_eq!(lines[0], serde_json::json!({"unit": 0, "delivered": false}));
        assert_eq!(lines[1]["exit_code"], 3);
        assert_eq!(lines[1]["status"], "exit");
        assert_eq!(lines[1]["cu"], 5);
    }
}
