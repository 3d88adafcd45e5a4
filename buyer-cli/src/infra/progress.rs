//! What a person sees while a job goes on, on standard error: bars on a terminal, lines in a log, or JSON lines.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use gio_agent::printable_lines;
use gio_protocol::{Cu, Gio};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde::Serialize;
use std::io::IsTerminal as _;

use crate::decimal::{gio_text, pu_text};
use crate::output::note;

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ProgressMode {
    /// Bars on a terminal, lines elsewhere
    #[default]
    Auto,
    /// Bars that move
    Bars,
    /// A line whenever something changed
    Lines,
    /// One JSON object a line
    Json,
    /// Nothing
    Off,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A new stage began.
    Stage {
        /// What is being done.
        stage: String,
    },
    /// Something worth a line that changes no stage.
    Note {
        /// The line.
        note: String,
    },
    /// Bytes on their way to or from the hub.
    Bytes {
        /// Moved.
        done: u64,
        /// To be moved.
        total: u64,
    },
    /// Units being run.
    Units(Units),
}

/// How far the units are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Units {
    pub total: u32,
    pub running: u32,
    pub done: u32,
    pub cu_done: Cu,
    pub miners: u32,
    /// What the work done so far costs.
    pub cost: Gio,
}

impl Units {
    fn text(&self) -> String {
        let (pu, cost) = (pu_text(self.cu_done), gio_text(self.cost));
        let word = if self.total == 1 { "unit" } else { "units" };
        let mut text = format!("{}/{} {word}", self.done, self.total);
        if self.running > 0 {
            text.push_str(&format!(", {} running", self.running));
        }
        if self.miners > 0 {
            let word = if self.miners == 1 { "miner" } else { "miners" };
            text.push_str(&format!(" on {} {word}", self.miners));
        }
        if self.cu_done > Cu(0) {
            text.push_str(&format!(", {pu} PU"));
        }
        if self.cost > Gio::ZERO {
            text.push_str(&format!(", {cost} GIO"));
        }
        text
    }
}

/// Between two lines about units or bytes: a log wants to be readable.
const LINE_PAUSE: Duration = Duration::from_secs(1);
/// How often a moving spinner turns.
const TICK: Duration = Duration::from_millis(120);

/// Shows events as they come.
#[derive(Debug)]
pub struct Progress {
    shown: Shown,
    stage: Mutex<String>,
}

#[derive(Debug)]
enum Shown {
    Bars(Box<Bars>),
    Lines(Mutex<LastLine>),
    Json,
    Off,
}

#[derive(Debug)]
struct Bars {
    all: MultiProgress,
    stage: ProgressBar,
    amount: ProgressBar,
    /// The stage that is shown, since when, and the last word about an amount in it.
    current: Mutex<Option<Current>>,
}

/// A stage on its way.
#[derive(Debug)]
struct Current {
    stage: String,
    since: Instant,
    amount: String,
}

impl Current {
    /// The line that stays when the stage is over.
    fn row(&self) -> String {
        let seconds = self.since.elapsed();
        let (whole, tenths) = (seconds.as_secs(), seconds.subsec_millis() / 100);
        format!("{whole:>4}.{tenths} s  {:<44} {}", self.stage, self.amount)
    }
}

impl Progress {
    /// Progress in the given mode.
    #[must_use]
    pub fn new(mode: ProgressMode) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let shown = match mode {
            ProgressMode::Off => Shown::Off,
            ProgressMode::Json => Shown::Json,
            ProgressMode::Auto if is_terminal => Shown::Bars(Box::new(Bars::new())),
            ProgressMode::Bars => Shown::Bars(Box::new(Bars::new())),
            ProgressMode::Auto | ProgressMode::Lines => Shown::Lines(Mutex::default()),
        };
        Self {
            shown,
            stage: Mutex::default(),
        }
    }

    /// A stage began; one that is tried again is not shown again.
    pub fn stage(&self, stage: impl Into<String>) {
        let stage = stage.into();
        let mut last = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        if *last != stage {
            last.clone_from(&stage);
            self.show(&Event::Stage { stage });
        }
    }

    /// Something worth a line.
    pub fn note(&self, text: impl Into<String>) {
        let note = text.into();
        self.show(&Event::Note { note });
    }

    /// Bytes moved.
    pub fn bytes(&self, done: u64, total: u64) {
        self.show(&Event::Bytes { done, total });
    }

    /// Units run.
    pub fn units(&self, units: Units) {
        self.show(&Event::Units(units));
    }

    /// Takes the bars away, before a result or a question is printed.
    pub fn clear(&self) {
        if let Shown::Bars(bars) = &self.shown {
            bars.begin(None);
            bars.stage.finish_and_clear();
            bars.amount.finish_and_clear();
        }
    }

    fn show(&self, event: &Event) {
        match &self.shown {
            Shown::Off => {}
            Shown::Json => {
                note(&serde_json::to_string(event).expect("events hold only texts and numbers"));
            }
            Shown::Lines(last) => line(last, event),
            Shown::Bars(bars) => bars.show(event),
        }
    }
}

fn line(last: &Mutex<LastLine>, event: &Event) {
    match event {
        Event::Stage { stage: text } | Event::Note { note: text } => note(text),
        Event::Bytes { done, total } => {
            amount(last, format!("{done} of {total} bytes"), done == total);
        }
        Event::Units(units) => amount(last, units.text(), units.done == units.total),
    }
}

/// The last line about an amount.
#[derive(Debug, Default)]
struct LastLine {
    at: Option<Instant>,
    text: String,
}

/// A line about an amount, if it says something new and is not too soon after the last one.
fn amount(last: &Mutex<LastLine>, text: String, is_whole: bool) {
    let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
    if last.is_due(&text, is_whole) {
        note(&text);
        *last = LastLine {
            at: Some(Instant::now()),
            text,
        };
    }
}

impl LastLine {
    fn is_due(&self, text: &str, is_whole: bool) -> bool {
        let is_soon = self.at.is_some_and(|at| at.elapsed() < LINE_PAUSE);
        self.text != text && (is_whole || !is_soon)
    }
}

/// The second line while nothing is counted, and while something is.
const IDLE: &str = "{msg}";
const COUNTING: &str = "  [{bar:32}] {msg}";

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .expect("the templates in this file are valid")
        .progress_chars("=> ")
}

impl Bars {
    fn new() -> Self {
        let all = MultiProgress::new();
        let stage = all.add(ProgressBar::new_spinner());
        stage.set_style(style("{spinner} {msg}  {elapsed}"));
        stage.enable_steady_tick(TICK);
        let amount = all.add(ProgressBar::new(0));
        amount.set_style(style(IDLE));
        Self {
            all,
            stage,
            amount,
            current: Mutex::default(),
        }
    }

    /// The stage before stays as a row of the table: how long it took, and how much it moved.
    fn begin(&self, stage: Option<String>) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(over) = current.take() {
            // Without a terminal there is nobody to draw for.
            drop(self.all.println(over.row().trim_end()));
        }
        *current = stage.map(|stage| Current {
            stage,
            since: Instant::now(),
            amount: String::new(),
        });
    }

    fn show(&self, event: &Event) {
        match event {
            Event::Stage { stage } => {
                self.begin(Some(stage.clone()));
                if self.stage.is_finished() {
                    // A question was asked meanwhile.
                    self.stage.reset();
                    self.amount.reset();
                    self.stage.enable_steady_tick(TICK);
                }
                self.stage.set_message(stage.clone());
                self.amount.set_style(style(IDLE));
                self.amount.set_message(String::new());
            }
            // Without a terminal there is nobody to draw for.
            Event::Note { note } => drop(self.all.println(printable_lines(note))),
            Event::Bytes { done, total } => {
                self.count(*done, *total, format!("{done} of {total} bytes"));
            }
            Event::Units(units) => {
                self.count(units.done.into(), units.total.into(), units.text());
            }
        }
    }

    fn count(&self, done: u64, total: u64, text: String) {
        self.amount.set_style(style(COUNTING));
        self.amount.set_length(total);
        self.amount.set_position(done);
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(current) = current.as_mut() {
            current.amount.clone_from(&text);
        }
        self.amount.set_message(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_say_what_is_known_and_no_more() {
        let mut units = Units {
            total: 4,
            ..Units::default()
        };
        assert_eq!(units.text(), "0/4 units");
        units = Units {
            running: 2,
            done: 1,
            cu_done: Cu(1_500_000_000),
            miners: 2,
            cost: Gio::from_units(3_000_000),
            ..units
        };
        let expected = "1/4 units, 2 running on 2 miners, 1.5 PU, 0.03 GIO";
        assert_eq!(units.text(), expected);
    }

    #[test]
    fn a_log_gets_a_line_a_second_and_the_last_one() {
        let mut last = LastLine::default();
        assert!(last.is_due("1/4 units", false));
        last = LastLine {
            at: Some(Instant::now()),
            text: "1/4 units".to_owned(),
        };
        assert!(!last.is_due("2/4 units", false), "too soon");
        assert!(
            last.is_due("4/4 units", true),
            "the last one is always shown"
        );
        assert!(!last.is_due("1/4 units", true), "nothing new");
    }

    #[test]
    fn a_stage_that_is_over_stays_as_a_row() {
        let current = Current {
            stage: "running".to_owned(),
            since: Instant::now(),
            amount: "4/4 units, 1.5 PU".to_owned(),
        };
        let row = current.row();
        assert!(
            row.contains(" s  running  ") && row.ends_with("4/4 units, 1.5 PU"),
            "{row}"
        );
    }

    #[test]
    fn json_lines_are_stable() {
        let event = Event::Units(Units::default());
        let json = serde_json::to_value(&event).unwrap();
        assert_eq!(json["event"], "units");
        assert_eq!(json["cu_done"], 0);
    }
}
