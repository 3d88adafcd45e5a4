//! Payouts on disk: the leaf files the hub serves for ever, and a record of every payout it set out to post (R9).
//!
//! # Correctness
//! `payouts/<content root>.leaves` is whole before anything names it. `payouts/<epoch>.json` is written before its
//! transaction is sent and completed afterwards: a record without a transaction is a payout that may have been posted.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gio_agent::files::{Access, write_durably};
use gio_content::content_root;
use gio_evm::{LeafFile, LeafFileError, PayoutTree};
use gio_protocol::{B256, Gio};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The folder in the hub's home.
pub const FOLDER: &str = "payouts";
const SUFFIX: &str = "leaves";

/// A payout as it was intended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Record {
    pub epoch: u32,
    pub leaves_root: B256,
    pub top: B256,
    pub count: u32,
    pub net: Gio,
    /// `None` until it is certain that it was posted.
    pub tx: Option<B256>,
}

/// A file that cannot be used.
#[derive(Debug, Error)]
pub enum LeavesError {
    /// The disk refused.
    #[error("cannot use {}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody changed a record.
    #[error("{} is damaged", path.display())]
    Record {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// Not the file it is called.
    #[error("{} is damaged: its content root is {found}", path.display())]
    Root {
        /// Which file.
        path: PathBuf,
        /// What it is.
        found: B256,
    },
    /// No leaf file.
    #[error("{} is damaged", path.display())]
    Leaves {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: LeafFileError,
    },
}

/// The folder.
#[derive(Clone, Debug)]
pub struct Leaves {
    folder: PathBuf,
}

impl Leaves {
    /// A folder, which need not exist.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where the leaf file of a payout is.
    #[must_use]
    pub fn path(&self, root: B256) -> PathBuf {
        self.folder.join(format!("{root:x}.{SUFFIX}"))
    }

    /// Keeps a leaf file; it is on disk when this returns.
    ///
    /// # Errors
    /// [`LeavesError::Io`].
    pub fn keep(&self, root: B256, bytes: &[u8]) -> Result<PathBuf, LeavesError> {
        let path = self.path(root);
        write_durably(&path, bytes, Access::Public).map_err(|source| io_error(&path, source))?;
        Ok(path)
    }

    /// Writes a record down.
    ///
    /// # Errors
    /// [`LeavesError::Io`].
    ///
    /// # Panics
    /// Never: a record is numbers and hashes.
    pub fn write(&self, record: &Record) -> Result<(), LeavesError> {
        let path = self.record_path(record.epoch);
        let text = serde_json::to_vec_pretty(record).expect("numbers and hashes are JSON");
        write_durably(&path, &text, Access::Public).map_err(|source| io_error(&path, source))
    }

    /// Forgets a payout that certainly was not posted.
    ///
    /// # Errors
    /// [`LeavesError::Io`].
    pub fn forget(&self, epoch: u32) -> Result<(), LeavesError> {
        let path = self.record_path(epoch);
        fs::remove_file(&path).map_err(|source| io_error(&path, source))
    }

    /// Every record, by epoch.
    ///
    /// # Errors
    /// [`LeavesError`]: a damaged record is for a person to look at, because it may be of a payment under way.
    pub fn records(&self) -> Result<Vec<Record>, LeavesError> {
        let mut records = Vec::new();
        for path in self.files("json")? {
            let text = fs::read(&path).map_err(|source| io_error(&path, source))?;
            let record = serde_json::from_slice(&text);
            records.push(record.map_err(|source| LeavesError::Record { path, source })?);
        }
        records.sort_by_key(|record: &Record| record.epoch);
        Ok(records)
    }

    /// All leaf files by content root, and what is wrong with the others.
    ///
    /// # Errors
    /// [`LeavesError::Io`] if the folder cannot be read.
    pub fn trees(&self) -> Result<(BTreeMap<B256, PayoutTree>, Vec<LeavesError>), LeavesError> {
        let (mut trees, mut damaged) = (BTreeMap::new(), Vec::new());
        for path in self.files(SUFFIX)? {
            match read(&path) {
                Ok((root, file)) => drop(trees.insert(root, file.tree)),
                Err(error) => damaged.push(error),
            }
        }
        Ok((trees, damaged))
    }

    fn record_path(&self, epoch: u32) -> PathBuf {
        self.folder.join(format!("{epoch}.json"))
    }

    fn files(&self, suffix: &str) -> Result<Vec<PathBuf>, LeavesError> {
        let error = |source| io_error(&self.folder, source);
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(error)?,
        };
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry.map_err(error)?.path();
            // What a kill left beside a file begins with a dot.
            let is_whole = path
                .file_name()
                .is_some_and(|name| !name.to_string_lossy().starts_with('.'));
            if is_whole && path.extension().is_some_and(|found| found == suffix) {
                paths.push(path);
            }
        }
        Ok(paths)
    }
}

/// Reads a leaf file wherever it is, and names it by its bytes.
fn read(path: &Path) -> Result<(B256, LeafFile), LeavesError> {
    let bytes = fs::read(path).map_err(|source| io_error(path, source))?;
    let root = content_root(&bytes);
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    if name != format!("{root:x}") {
        let path = path.to_owned();
        return Err(LeavesError::Root { path, found: root });
    }
    let file = LeafFile::decode(&bytes).map_err(|source| LeavesError::Leaves {
        path: path.to_owned(),
        source,
    })?;
    Ok((root, file))
}

fn io_error(path: &Path, source: io::Error) -> LeavesError {
    LeavesError::Io {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use gio_protocol::Address;

    use super::*;

    fn file() -> LeafFile {
        let nets = vec![(Address::repeat_byte(1), Gio::from_units(5))];
        LeafFile {
            wallet: Address::repeat_byte(7),
            tree: PayoutTree::new(nets).unwrap(),
        }
    }

    #[test]
    fn r09_leaf_files_read_back_and_damaged_ones_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let leaves = Leaves::new(dir.path().join("payouts"));
        assert!(leaves.trees().unwrap().0.is_empty());
        let bytes = file().encode();
        let root = content_root(&bytes);
        let path = leaves.keep(root, &bytes).unwrap();
        assert_eq!(leaves.trees().unwrap().0[&root], file().tree);
        fs::write(&path, &bytes[1..]).unwrap();
        let (trees, damaged) = leaves.trees().unwrap();
        assert!(trees.is_empty());
        assert!(matches!(damaged[..], [LeavesError::Root { .. }]));
    }

    #[test]
    fn a_record_reads_back_until_it_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let leaves = Leaves::new(dir.path().to_owned());
        let record = Record {
            epoch: 3,
            leaves_root: B256::repeat_byte(1),
            top: B256::repeat_byte(2),
            count: 1,
            net: Gio::from_units(5),
            tx: None,
        };
        leaves.write(&record).unwrap();
        assert_eq!(leaves.records().unwrap(), [record]);
        leaves.forget(3).unwrap();
        assert!(leaves.records().unwrap().is_empty());
        fs::write(dir.path().join("4.json"), "{").unwrap();
        assert!(matches!(leaves.records(), Err(LeavesError::Record { .. })));
    }
}
