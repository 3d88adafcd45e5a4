//! What was run of a file, and what was left out and why.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use serde_json::{Value, json};

/// Why an assertion is not one about this machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Skip {
    /// About the text format.
    Text,
    /// Its module imports what another module exports; programs are one module.
    AnotherModule,
    /// Its module uses this feature, which is not accepted.
    Feature(&'static str),
    /// It says that a feature is refused which is accepted.
    Accepted,
}

impl Skip {
    fn reason(&self) -> String {
        match self {
            Self::Text => "about the text format".to_owned(),
            Self::AnotherModule => "imports from another module of the script".to_owned(),
            Self::Feature(feature) => format!("not accepted: {feature}"),
            Self::Accepted => {
                "wants a module refused that an accepted feature makes valid".to_owned()
            }
        }
    }
}

/// Counts of a file, or of all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Modules that were prepared.
    pub modules: u64,
    /// Calls without an assertion, start functions among them.
    pub actions: u64,
    pub returns: u64,
    pub traps: u64,
    pub exhaustions: u64,
    /// Modules that had to be refused, and were.
    pub refused: u64,
    pub steps: u64,
    pub walked: u64,
    pub replayed: u64,
    pub skipped: BTreeMap<Skip, u64>,
}

impl Counts {
    /// Assertions that hold.
    pub fn assertions(&self) -> u64 {
        self.returns + self.traps + self.exhaustions + self.refused
    }

    pub fn skip(&mut self, why: Skip) {
        *self.skipped.entry(why).or_default() += 1;
    }

    pub fn json(&self) -> Value {
        let skipped = self.skipped.iter();
        let skipped: BTreeMap<_, _> = skipped.map(|(why, count)| (why.reason(), count)).collect();
        json!({
            "modules": self.modules,
            "actions": self.actions,
            "returns": self.returns,
            "traps": self.traps,
            "exhaustions": self.exhaustions,
            "refused": self.refused,
            "assertions": self.assertions(),
            "steps": self.steps,
            "skipped": skipped,
        })
    }
}

impl AddAssign<&Self> for Counts {
    fn add_assign(&mut self, other: &Self) {
        self.modules += other.modules;
        self.actions += other.actions;
        self.returns += other.returns;
        self.traps += other.traps;
        self.exhaustions += other.exhaustions;
        self.refused += other.refused;
        self.steps += other.steps;
        self.walked += other.walked;
        self.replayed += other.replayed;
        for (why, count) in &other.skipped {
            *self.skipped.entry(why.clone()).or_default() += count;
        }
    }
}
