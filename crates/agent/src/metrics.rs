//! Counters and gauges in Prometheus' text format: a few statics per program, incremented where the event is logged.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use thiserror::Error;

use crate::errors::with_section;

/// What kind of value a metric has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, until the program starts again.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// One named value. Amounts of GIO are in base units, because a float has not enough digits for them.
#[derive(Debug)]
pub struct Metric {
    name: &'static str,
    help: &'static str,
    kind: Kind,
    value: AtomicU64,
}

impl Metric {
    /// A counter; its name ends in `_total`.
    #[must_use]
    pub const fn counter(name: &'static str, help: &'static str) -> Self {
        Self::new(name, help, Kind::Counter)
    }

    /// A gauge.
    #[must_use]
    pub const fn gauge(name: &'static str, help: &'static str) -> Self {
        Self::new(name, help, Kind::Gauge)
    }

    const fn new(name: &'static str, help: &'static str, kind: Kind) -> Self {
        Self {
            name,
            help,
            kind,
            value: AtomicU64::new(0),
        }
    }

    /// One more.
    pub fn inc(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, more: u64) {
        self.value.fetch_add(more, Ordering::Relaxed);
    }

    /// One less, not below zero.
    pub fn dec(&self) {
        let less = |value: u64| Some(value.saturating_sub(1));
        // The closure always gives a value.
        let _ = self
            .value
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// The value is this now.
    pub fn set(&self, value: u64) {
        self.value.store(value, Ordering::Relaxed);
    }

    /// The value.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }

    /// The name, as `docs/operations.md` lists it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What it says, in a sentence.
    #[must_use]
    pub fn help(&self) -> &'static str {
        self.help
    }

    /// Counter or gauge.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl Kind {
    /// Prometheus' word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

/// The exposition of these metrics.
#[must_use]
pub fn exposition(metrics: &[&Metric]) -> String {
    let mut text = String::new();
    for metric in metrics {
        let (name, help, kind) = (metric.name, metric.help, metric.kind.name());
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {}",
            metric.get()
        );
    }
    text
}

/// The metrics as a Markdown table, for `docs/operations.md`.
#[must_use]
pub fn table(metrics: &[&Metric]) -> String {
    let mut text = String::from("| name | kind | what it says |\n|---|---|---|\n");
    for metric in metrics {
        let (name, kind, help) = (metric.name, metric.kind.name(), metric.help);
        let _ = writeln!(text, "| `{name}` | {kind} | {help} |");
    }
    text
}

/// Names that are not as they should be: a counter's ends in `_total`, a gauge's does not, and all begin with the
/// program's.
#[must_use]
pub fn misnamed(metrics: &[&'static Metric], role: &str) -> Vec<&'static str> {
    let prefix = format!("gio_{role}_");
    let is_wrong = |metric: &&&'static Metric| {
        let is_total = metric.name.ends_with("_total");
        is_total != (metric.kind == Kind::Counter) || !metric.name.starts_with(&prefix)
    };
    let wrong = metrics.iter().filter(is_wrong);
    wrong.map(|metric| metric.name).collect()
}

/// What is wrong with a document that lists metrics.
#[derive(Debug, Error)]
pub enum DocumentError {
    /// It cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It has no place for the table.
    #[error("there is no place marked `{0}`")]
    NoPlace(String),
    /// It lists something else.
    #[error("the table `{0}` is not that of the code; GIO_BLESS=1 writes it anew")]
    Differs(String),
}

/// Compares a program's table in a document with its metrics; with `GIO_BLESS` set it is written anew. For tests.
///
/// # Errors
/// [`DocumentError`].
pub fn bless_table(document: &Path, role: &str, metrics: &[&Metric]) -> Result<(), DocumentError> {
    let place = format!("metrics-{role}");
    let found = fs::read_to_string(document)?;
    let Some(expected) = with_section(&found, &place, &table(metrics)) else {
        return Err(DocumentError::NoPlace(place));
    };
    if std::env::var_os("GIO_BLESS").is_some() {
        return Ok(fs::write(document, expected)?);
    }
    match found == expected {
        true => Ok(()),
        false => Err(DocumentError::Differs(place)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exposition_is_what_prometheus_reads() {
        static UNITS: Metric = Metric::counter("gio_units_total", "Units.");
        static MINERS: Metric = Metric::gauge("gio_miners", "Miners.");
        UNITS.add(3);
        UNITS.inc();
        MINERS.set(1);
        MINERS.dec();
        MINERS.dec();
        let expected = "# HELP gio_units_total Units.\n# TYPE gio_units_total counter\ngio_units_total 4\n\
             # HELP gio_miners Miners.\n# TYPE gio_miners gauge\ngio_miners 0\n";
        assert_eq!(exposition(&[&UNITS, &MINERS]), expected);
    }

    #[test]
    fn names_tell_counters_from_gauges_and_whose_they_are() {
        static GOOD: [Metric; 2] = [
            Metric::counter("gio_hub_units_total", ""),
            Metric::gauge("gio_hub_units", ""),
        ];
        static BAD: [Metric; 3] = [
            Metric::counter("gio_hub_units", ""),
            Metric::gauge("gio_hub_units_total", ""),
            Metric::gauge("gio_miner_units", ""),
        ];
        assert_eq!(misnamed(&GOOD.each_ref(), "hub"), Vec::<&str>::new());
        assert_eq!(misnamed(&BAD.each_ref(), "hub").len(), BAD.len());
    }

    #[test]
    fn a_document_without_the_table_or_with_another_is_told() {
        static UNITS: Metric = Metric::gauge("gio_hub_units", "Units.");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("operations.md");
        let check = || bless_table(&path, "hub", &[&UNITS]);
        assert!(matches!(check(), Err(DocumentError::Io(_))));
        fs::write(&path, "nothing").unwrap();
        assert!(matches!(check(), Err(DocumentError::NoPlace(_))));
        let marked = "<!-- metrics-hub -->\n<!-- /metrics-hub -->\n";
        fs::write(&path, marked).unwrap();
        if std::env::var_os("GIO_BLESS").is_none() {
            assert!(matches!(check(), Err(DocumentError::Differs(_))));
        }
        let right = with_section(marked, "metrics-hub", &table(&[&UNITS])).unwrap();
        fs::write(&path, right).unwrap();
        check().unwrap();
    }
}
