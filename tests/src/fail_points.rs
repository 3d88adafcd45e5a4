//! The fail-points of hub, miner and buyer, read from their sources: what a test must visit, and whether every write
//! and every send has one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::paths::repository;

/// Where agents write and send.
const SOURCES: [&str; 6] = [
    "hub/src",
    "miner/src",
    "buyer-cli/src",
    "crates/agent/src",
    "crates/evm/src",
    "crates/net/src",
];
/// How a fail-point begins in a source.
const MARK: &str = "fail_point!(\"";

/// What writes or sends: where, and the texts that do it.
const WRITES_AND_SENDS: [(&str, &[&str]); 17] = [
    (
        "hub/src/infra/store",
        &[".execute(&self.pool)", ".commit()", "RETURNING"],
    ),
    (
        "hub/src/infra/store.rs",
        &[".execute(&self.pool)", "RETURNING"],
    ),
    ("hub/src/infra/content", &["fs::rename(", ".sync_all()"]),
    (
        "hub/src/services",
        &[
            ".post_result(",
            "chain.confirm(",
            "chain.settle(",
            "chain.refund(",
            "chain.cancel(",
            ".transfer_net(",
            ".reconcile(hub.wallet",
            "publish_announcement(",
        ],
    ),
    // A stream's messages pass a fail-point of their own.
    ("hub/src/infra/api", &["Response::new(", "outbound.send("]),
    (
        "hub/src/commands/register.rs",
        &[".create_hub(", ".send_gio(", "chain.register("],
    ),
    (
        "miner/src/services",
        &[
            "store.apply(",
            ".pull(wallet",
            ".use_up_a_nonce(",
            ".claim_payout(",
            "blob::upload(",
            "Body::Hello(self",
        ],
    ),
    ("miner/src/services/desk.rs", &["line.sender.send("]),
    (
        "buyer-cli/src/infra/hub.rs",
        &[
            "self.market().",
            "market.follow(",
            "market.outputs(",
            "blob::upload(",
            "blob::download(",
        ],
    ),
    ("buyer-cli/src/infra/hub", &["self.market()."]),
    (
        "buyer-cli/src/steps",
        &[
            ".chain.open(",
            ".chain.confirm(",
            ".chain.settle(",
            ".chain.refund(",
            ".chain.refute_",
        ],
    ),
    ("hub/src/commands/payout.rs", &["chain.post_payout("]),
    (
        "hub/src/commands/period.rs",
        &["chain.payday(", "chain.withdraw("],
    ),
    (
        "miner/src/commands",
        &[
            "chain.bond(",
            "chain.request_bond(",
            "chain.withdraw_bond(",
            "chain.keep_bond(",
            "chain.set_payout(",
            "chain.delegate_key(",
            "chain.revoke_key(",
        ],
    ),
    (
        "buyer-cli/src/commands/app.rs",
        &["chain.publish_app(", "chain.deprecate_app("],
    ),
    (
        "buyer-cli/src/commands/refund.rs",
        &["chain.refund(", "chain.settle("],
    ),
    ("crates/evm/src/sender", &["self.publish("]),
];

/// One fail-point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailPoint {
    /// Its name, unique.
    pub name: String,
    /// The file it stands in, below the repository.
    pub file: PathBuf,
}

/// Every fail-point there is, by name.
///
/// # Errors
/// If a source cannot be read, or two fail-points have one name.
pub fn all() -> Result<BTreeMap<String, FailPoint>> {
    let mut points = BTreeMap::new();
    for file in sources(&SOURCES)? {
        let text = read(&file)?;
        for (at, _) in text.match_indices(MARK) {
            let name = &text[at + MARK.len()..];
            let name = name.split('"').next().context("a name ends")?.to_owned();
            let point = FailPoint {
                name: name.clone(),
                file: file.clone(),
            };
            let before = points.insert(name, point);
            ensure!(before.is_none(), "two fail-points are called {before:?}");
        }
    }
    Ok(points)
}

/// Writes and sends that have no fail-point near them, as `file: text`.
///
/// # Errors
/// If a source cannot be read.
pub fn missing() -> Result<Vec<String>> {
    let mut missing = Vec::new();
    for (place, marks) in WRITES_AND_SENDS {
        for file in sources(&[place])? {
            let text = read(&file)?;
            // Unit tests inside a source write as they like.
            let text = text.split("#[cfg(test)]").next().unwrap_or_default();
            for mark in marks {
                for (at, _) in text.match_indices(mark) {
                    let is_stream = text[at + mark.len()..].starts_with("Box::pin(");
                    if !is_stream && !has_near(text, at) {
                        missing.push(format!("{}: {mark}", file.display()));
                    }
                }
            }
        }
    }
    Ok(missing)
}

/// Whether a fail-point stands in the same function.
fn has_near(text: &str, at: usize) -> bool {
    let begin = text[..at].rfind("fn ").unwrap_or(0);
    let length = text[at..].find("fn ").unwrap_or(text.len() - at);
    text[begin..at + length].contains("fail_point")
}

fn sources(places: &[&str]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for place in places {
        let path = repository().join(place);
        if path.is_file() {
            files.push(PathBuf::from(place));
        } else {
            below(Path::new(place), &mut files)?;
        }
    }
    ensure!(!files.is_empty(), "no sources at {places:?}");
    Ok(files)
}

fn below(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(repository().join(folder))? {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            if entry.file_name() != "tests" {
                below(&path, files)?;
            }
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
            files.push(path);
        }
    }
    Ok(())
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(repository().join(file)).with_context(|| format!("cannot read {file:?}"))
}
