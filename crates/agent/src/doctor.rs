//! `doctor`: looks at everything an agent needs and says line by line what is wrong and what to do about it.
//!
//! What the agents have in common is judged here, from facts they bring; each adds lines of its own.

use std::fmt::{Display, Write as _};
use std::path::Path;

use gio_keys::MachineKey;
use serde::Serialize;

use crate::control::{Request, ask};
use crate::errors::Code;
use crate::exit::{ExitStatus, UserError};
use crate::home::{Home, HomeError};

/// How one check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and may not for long.
    Warn,
    /// It does not work.
    Fail,
}

impl Verdict {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at, a word.
    pub check: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Everything that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// In the order looked at.
    pub findings: Vec<Finding>,
}

/// Below this an agent's next files may not fit.
const DISK_WARN: u64 = 1 << 30;
/// Below this nothing can be written safely: databases need room to commit.
const DISK_FAIL: u64 = 64 << 20;
/// A clock this far behind the last block makes quotes and deadlines wrong.
const BEHIND_MAX: u64 = 15;
/// An idle chain has old blocks; a node that lost its peers too.
const BLOCK_AGE_MAX: u64 = 15 * 60;
/// Peers' announcements are at most a minute old when they arrive.
const PEERS_AHEAD_MAX: u64 = 90;

impl Diagnosis {
    /// As it should be.
    pub fn ok(&mut self, check: &'static str, found: impl Display) {
        self.add(check, Verdict::Ok, found.to_string(), None);
    }

    /// It works, and may not for long.
    pub fn warn(&mut self, check: &'static str, found: impl Display, hint: impl Into<String>) {
        self.add(check, Verdict::Warn, found.to_string(), Some(hint.into()));
    }

    /// It does not work.
    pub fn fail(&mut self, check: &'static str, found: impl Display, hint: impl Into<String>) {
        self.add(check, Verdict::Fail, found.to_string(), Some(hint.into()));
    }

    fn add(&mut self, check: &'static str, verdict: Verdict, found: String, hint: Option<String>) {
        self.findings.push(Finding {
            check,
            verdict,
            found,
            hint,
        });
    }

    /// Failure if anything fails; warnings are no failure.
    #[must_use]
    pub fn status(&self) -> ExitStatus {
        let fails = |finding: &Finding| finding.verdict == Verdict::Fail;
        if self.findings.iter().any(fails) {
            ExitStatus::Failure
        } else {
            ExitStatus::Ok
        }
    }

    /// How `doctor` ends: with an error if anything fails.
    ///
    /// # Errors
    /// [`Code::Unhealthy`] with the number of failures.
    pub fn verdict(&self) -> Result<(), UserError> {
        let fails = |finding: &&Finding| finding.verdict == Verdict::Fail;
        match self.findings.iter().filter(fails).count() {
            0 => Ok(()),
            1 => Err(UserError::of(Code::Unhealthy, "1 check failed")),
            count => {
                let text = format!("{count} checks failed");
                Err(UserError::of(Code::Unhealthy, text))
            }
        }
    }

    /// The lines people read.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for finding in &self.findings {
            let Finding {
                check,
                verdict,
                found,
                hint,
            } = finding;
            let found = found.replace('\n', " ");
            // Writing to a string does not fail.
            let _ = writeln!(text, "{:<4}  {check:<9} {found}", verdict.name());
            if let Some(hint) = hint {
                let _ = writeln!(text, "      {:<9} hint: {hint}", "");
            }
        }
        let count = |verdict| {
            self.findings
                .iter()
                .filter(|f| f.verdict == verdict)
                .count()
        };
        let (warn, fail) = (count(Verdict::Warn), count(Verdict::Fail));
        let _ = writeln!(
            text,
            "{} checks: {warn} warn, {fail} fail",
            self.findings.len()
        );
        text
    }

    /// Key and folder. Returns the key if it can be used.
    pub fn key(&mut self, home: &Home) -> Option<MachineKey> {
        let role = home.role().name();
        match home.key() {
            Ok(key) => {
                self.ok(
                    "key",
                    format_args!("{} in {}", key.address(), home.folder().display()),
                );
                Some(key)
            }
            Err(error @ HomeError::NotInitialised { .. }) => {
                self.fail("key", &error, format!("gio-{role} init"));
                None
            }
            Err(error @ HomeError::KeyReadable { .. }) => {
                let path = home.path("key");
                let hint = format!(
                    "chmod 600 {}; whoever read it has your money",
                    path.display()
                );
                self.fail("key", &error, hint);
                None
            }
            Err(error) => {
                self.fail(
                    "key",
                    chain_of(&error),
                    "bring the key back from your copy of it",
                );
                None
            }
        }
    }

    /// The config, read and checked by the agent.
    pub fn config<T>(&mut self, home: &Home, read: Result<T, UserError>) -> Option<T> {
        match read {
            Ok(config) => {
                self.ok("config", home.config_path().display());
                Some(config)
            }
            Err(error) => {
                let hint = error.hint.clone();
                let hint = hint.unwrap_or_else(|| format!("edit {}", home.config_path().display()));
                self.fail("config", chain_of(error.cause.as_ref()), hint);
                None
            }
        }
    }

    /// The database file, by its own check: `look` says `ok`, or what is wrong. `hint` says what to do then.
    pub async fn database<E, F>(&mut self, path: &Path, hint: &str, look: impl FnOnce() -> F)
    where
        E: std::error::Error,
        F: Future<Output = Result<String, E>>,
    {
        if !path.exists() {
            return self.ok("database", "none yet; `start` makes it");
        }
        match look().await {
            Ok(word) if word == "ok" => self.ok("database", path.display()),
            Ok(word) => {
                self.fail("database", format_args!("{}: {word}", path.display()), hint);
            }
            Err(error) => self.fail("database", chain_of(&error), hint),
        }
    }

    /// Whether the agent runs and takes work; `counted` says what it counts. Returns whether it runs.
    pub async fn process(&mut self, home: &Home, counted: &str) -> bool {
        let program = format!("gio-{}", home.role().name());
        let Ok(reply) = ask(home, Request::Status).await else {
            self.warn("process", "not running", format!("{program} start"));
            return false;
        };
        let count = reply.under_way;
        if reply.draining {
            let text = format!("running, draining, {count} {counted}");
            self.warn("process", text, format!("{program} resume"));
        } else {
            self.ok("process", format_args!("running, {count} {counted}"));
        }
        true
    }

    /// Room on the disk of the home.
    pub fn disk(&mut self, folder: &Path) {
        match rustix::fs::statvfs(folder) {
            Ok(stat) => self.disk_room(stat.f_bavail.saturating_mul(stat.f_frsize)),
            Err(error) => self.fail("disk", error, format!("is {} there?", folder.display())),
        }
    }

    fn disk_room(&mut self, free: u64) {
        let found = format!("{} MiB free", free >> 20);
        let hint = "make room, or move the home with --home";
        if free < DISK_FAIL {
            self.fail("disk", found, hint);
        } else if free < DISK_WARN {
            self.warn("disk", found, hint);
        } else {
            self.ok("disk", found);
        }
    }

    /// A node of the chain that answers, and its last block's time.
    pub fn rpc(&mut self, chain_id: u64, number: u64, now: u64, block_time: u64) {
        let text = format!("chain {chain_id} at block {number}, contracts in place");
        self.ok("rpc", text);
        self.block_clock(now, block_time);
    }

    /// Who answered in the network, and how many of them are hubs of this market.
    pub fn peers(&mut self, peers: usize, hubs: usize) {
        match (peers, hubs) {
            (0, 0) => self.fail(
                "peers",
                "nobody answered",
                "is `bootstrap` right, and that peer up? outgoing TCP and UDP must be allowed",
            ),
            (peers, 0) => self.warn(
                "peers",
                format_args!("{peers} connected; no hub of this market"),
                "wait, or add a hub to `bootstrap`",
            ),
            (peers, hubs) => self.ok(
                "peers",
                format_args!("{peers} connected; hubs of this market: {hubs}"),
            ),
        }
    }

    /// This machine's clock against the chain's last block; deadlines on chain are compared with block time (F5).
    pub fn block_clock(&mut self, now: u64, block_time: u64) {
        if block_time > now.saturating_add(BEHIND_MAX) {
            let behind = block_time - now;
            self.fail(
                "clock",
                format_args!("{behind} s behind the chain's last block"),
                "set this machine's clock, best by NTP",
            );
        } else if now.saturating_sub(block_time) > BLOCK_AGE_MAX {
            let age = now - block_time;
            self.warn(
                "clock",
                format_args!("{age} s ahead of the chain's last block"),
                "the chain is idle, its node has lost its peers, or this machine's clock is ahead",
            );
        } else {
            self.ok("clock", "agrees with the chain's last block");
        }
    }

    /// This machine's clock against what peers say of themselves: the newest time somebody signed.
    pub fn peer_clock(&mut self, now: u64, newest: Option<u64>) {
        match newest {
            Some(issued) if issued > now.saturating_add(PEERS_AHEAD_MAX) => self.warn(
                "clock",
                format_args!("{} s behind a hub's announcement", issued - now),
                "set this machine's clock, best by NTP",
            ),
            Some(_) => self.ok("clock", "agrees with the hubs' announcements"),
            None => {}
        }
    }
}

/// The chain of causes in one line.
#[must_use]
pub fn chain_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    let mut last = text.clone();
    while let Some(cause) = source {
        let said = cause.to_string();
        if said != last {
            let _ = write!(text, ": {said}");
        }
        last = said;
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(look: impl Fn(&mut Diagnosis)) -> Vec<Verdict> {
        let mut found = Diagnosis::default();
        look(&mut found);
        found.findings.iter().map(|f| f.verdict).collect()
    }

    #[test]
    fn disk_and_clocks_are_judged_at_their_limits() {
        assert_eq!(verdicts(|d| d.disk_room(DISK_WARN)), [Verdict::Ok]);
        assert_eq!(verdicts(|d| d.disk_room(DISK_WARN - 1)), [Verdict::Warn]);
        assert_eq!(verdicts(|d| d.disk_room(DISK_FAIL - 1)), [Verdict::Fail]);
        let now = 10_000;
        let clock = |block| verdicts(|d| d.block_clock(now, block));
        assert_eq!(clock(now + BEHIND_MAX), [Verdict::Ok]);
        assert_eq!(clock(now + BEHIND_MAX + 1), [Verdict::Fail]);
        assert_eq!(clock(now - BLOCK_AGE_MAX), [Verdict::Ok]);
        assert_eq!(clock(now - BLOCK_AGE_MAX - 1), [Verdict::Warn]);
        let peers = |issued| verdicts(|d| d.peer_clock(now, issued));
        assert_eq!(peers(None), []);
        assert_eq!(peers(Some(now + PEERS_AHEAD_MAX)), [Verdict::Ok]);
        assert_eq!(peers(Some(now + PEERS_AHEAD_MAX + 1)), [Verdict::Warn]);
    }

    #[tokio::test]
    async fn a_database_is_judged_by_its_own_words() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hub.db");
        let look = async |word: Result<&str, std::io::Error>| {
            let mut found = Diagnosis::default();
            let word = word.map(str::to_owned);
            found.database(&path, "a copy", || async { word }).await;
            found.findings.remove(0)
        };
        assert!(look(Ok("ok")).await.found.starts_with("none yet"));
        std::fs::write(&path, "").unwrap();
        assert_eq!(look(Ok("ok")).await.verdict, Verdict::Ok);
        let damaged = look(Ok("row 3 is missing")).await;
        assert!(damaged.found.ends_with("hub.db: row 3 is missing"));
        assert_eq!(damaged.hint.as_deref(), Some("a copy"));
        let error = std::io::Error::other("not a database");
        assert_eq!(look(Err(error)).await.verdict, Verdict::Fail);
    }

    #[tokio::test]
    async fn an_agent_that_does_not_run_is_told_how_to() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(Some(dir.path().to_owned()), crate::Role::Miner);
        let mut found = Diagnosis::default();
        assert!(!found.process(&home, "units are here").await);
        let hint = found.findings[0].hint.as_deref();
        assert_eq!(hint, Some("gio-miner start"));
        assert!(found.verdict().is_ok(), "a warning is no failure");
    }

    #[test]
    fn a_failure_is_the_exit_code_and_a_warning_is_not() {
        let mut found = Diagnosis::default();
        found.warn("disk", "little", "more");
        assert_eq!(found.status(), ExitStatus::Ok);
        found.fail("rpc", "no answer", "start it");
        assert_eq!(found.status(), ExitStatus::Failure);
        let text = found.text();
        assert!(text.contains("fail  rpc       no answer\n"), "{text}");
        assert!(text.contains("hint: start it"), "{text}");
        assert!(text.ends_with("2 checks: 1 warn, 1 fail\n"), "{text}");
    }
}
