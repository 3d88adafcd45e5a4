//! Units that did not end well, in words: what happened, at whose machine, what to try.

use gio_protocol::Status;
use serde::Serialize;

use super::layout::UnitOutcome;

/// Units that are named one by one.
pub const NAMED_MAX: usize = 8;

/// A unit whose program did not end by itself with exit code 0, or that was not delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FailedUnit {
    /// Which.
    pub unit: u32,
    /// How it ended, and what to try.
    pub ending: String,
    /// Who ran it, if a miner did.
    pub miner: Option<String>,
}

/// The units that failed, in their order.
#[must_use]
pub fn failed_units(units: &[Option<UnitOutcome>]) -> Vec<FailedUnit> {
    let failed = (0u32..).zip(units).filter_map(|(unit, outcome)| {
        let outcome = match outcome {
            None => {
                return Some(FailedUnit {
                    unit,
                    ending: "not delivered; not billed".to_owned(),
                    miner: None,
                });
            }
            Some(outcome) if outcome.is_success() => return None,
            Some(outcome) => outcome,
        };
        Some(FailedUnit {
            unit,
            ending: ending(outcome.status, outcome.exit_code),
            miner: outcome.owner.map(|owner| owner.to_string()),
        })
    });
    failed.collect()
}

fn ending(status: Status, exit_code: u32) -> String {
    match status {
        Status::Exit => format!("exit code {exit_code}"),
        Status::CuExhausted => "out of CU; raise --pu".to_owned(),
        Status::Trap => {
            "a trap: an instruction that cannot be done, memory it was not given (--memory-mib), \
                         or output beyond its limit (--output-mib)"
                .to_owned()
        }
    }
}

/// A line for each, and how many more there are.
#[must_use]
pub fn lines(failed: &[FailedUnit]) -> Vec<String> {
    let line = |unit: &FailedUnit| {
        let miner = unit.miner.as_deref();
        let miner = miner.map_or_else(String::new, |miner| format!(", at miner {miner}"));
        format!("unit {}: {}{miner}", unit.unit, unit.ending)
    };
    let mut lines: Vec<String> = failed.iter().take(NAMED_MAX).map(line).collect();
    let more = failed.len().saturating_sub(NAMED_MAX);
    if more > 0 {
        lines.push(format!("and {more} more; units.json has them all"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use gio_protocol::{Address, Cu};

    use super::*;

    fn outcome(status: Status, exit_code: u32) -> Option<UnitOutcome> {
        Some(UnitOutcome {
            status,
            exit_code,
            cu: Cu(1),
            owner: Some(Address::repeat_byte(1)),
            image: Vec::new(),
        })
    }

    #[test]
    fn every_way_to_fail_is_told_apart() {
        let units = [
            outcome(Status::Exit, 0),
            outcome(Status::Exit, 3),
            None,
            outcome(Status::CuExhausted, 0),
            outcome(Status::Trap, 0),
        ];
        let failed = failed_units(&units);
        let numbers: Vec<u32> = failed.iter().map(|unit| unit.unit).collect();
        assert_eq!(numbers, [1, 2, 3, 4]);
        let lines = lines(&failed);
        assert!(
            lines[0].starts_with("unit 1: exit code 3, at miner 0x0101"),
            "{lines:?}"
        );
        assert_eq!(lines[1], "unit 2: not delivered; not billed");
        assert!(lines[2].contains("raise --pu"), "{lines:?}");
    }

    #[test]
    fn a_thousand_failures_are_not_a_thousand_lines() {
        let failed = failed_units(&vec![None; 1000]);
        let lines = lines(&failed);
        assert_eq!(lines.len(), NAMED_MAX + 1);
        assert_eq!(lines[NAMED_MAX], "and 992 more; units.json has them all");
    }
}
