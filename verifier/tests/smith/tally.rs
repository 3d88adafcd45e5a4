//! What a range of seeds has tried: that most programs run for a while, and where they go.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use gio_machine::isa::Op;

use crate::engines::Seen;

/// Steps in its own functions from which a program has done something.
const SOME: u64 = 1_000;

/// Programs from which shares mean something.
const ENOUGH: u64 = 200;

#[derive(Debug, Default)]
pub struct Tally {
    /// Seeds whose bytes make no module.
    pub none: u64,
    refused: BTreeMap<String, u64>,
    programs: u64,
    ends: [u64; 3],
    /// Programs that did something in their own functions.
    busy: u64,
    plain: u64,
    steps: u64,
    own: Vec<u64>,
    mirrored: u64,
    shim_mirrored: u64,
    /// Programs of which every step went through the mirror.
    whole: u64,
    contract: u64,
    ops: BTreeSet<Op>,
}

impl Tally {
    pub fn refuse(&mut self, reason: &str) {
        let kind = reason.split(['(', ':']).next().unwrap_or_default();
        *self.refused.entry(kind.trim().to_owned()).or_default() += 1;
    }

    pub fn add(&mut self, seen: &Seen) {
        self.programs += 1;
        self.ends[usize::from(seen.halted.status)] += 1;
        self.busy += u64::from(seen.own_steps >= SOME);
        self.plain += u64::from(seen.plain);
        self.steps += seen.steps;
        self.own.push(seen.own_steps);
        self.mirrored += seen.mirrored;
        self.shim_mirrored += seen.shim_mirrored;
        self.whole += u64::from(seen.mirrored == seen.steps);
        self.contract += seen.contract;
        self.ops.extend(&seen.ops);
    }

    /// That the programs test something.
    pub fn check(&self) {
        assert!(
            self.programs == 0 || self.shim_mirrored > 0,
            "the shim is not compared"
        );
        if self.programs < ENOUGH {
            return;
        }
        let most = |part: u64| 2 * part > self.programs;
        assert!(most(self.busy), "most programs do little");
        let some = |part: u64| 5 * part > self.programs;
        assert!(some(self.ends[0]), "few programs come to their end");
        assert!(!most(self.ends[1]), "most programs trap");
        let refused: u64 = self.refused.values().sum();
        assert!(refused * 10 < self.programs, "many modules are refused");
        let missed = self.missed();
        assert!(missed.is_empty(), "never executed: {missed:?}");
    }

    /// Steps that went through the mirror, in percent.
    #[expect(clippy::cast_precision_loss, reason = "a figure to be read")]
    fn share(&self) -> f64 {
        self.mirrored as f64 * 100.0 / self.steps.max(1) as f64
    }

    /// Operations that no program executed.
    fn missed(&self) -> Vec<&'static str> {
        let missed = Op::ALL.iter().filter(|op| !self.ops.contains(op));
        missed.map(|op| op.name()).collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut own = self.own.clone();
        own.sort_unstable();
        let at = |share: usize| own.get(own.len() * share / 100).copied().unwrap_or(0);
        writeln!(
            f,
            "programs {}, no module {}, refused {:?}",
            self.programs, self.none, self.refused
        )?;
        writeln!(
            f,
            "ends: exit {}, trap {}, exhausted {}",
            self.ends[0], self.ends[1], self.ends[2]
        )?;
        writeln!(
            f,
            "programs with {SOME} steps of their own {}; own steps walked at 10, 25, 50, 75 %: {} {} {} {}",
            self.busy,
            at(10),
            at(25),
            at(50),
            at(75)
        )?;
        writeln!(
            f,
            "steps {}, through the mirror {} or {:.1} %, {} of them in the shim; {} programs as a whole",
            self.steps,
            self.mirrored,
            self.share(),
            self.shim_mirrored,
            self.whole
        )?;
        writeln!(
            f,
            "through the contract {}, compared with plain wasmtime {}",
            self.contract, self.plain
        )?;
        write!(
            f,
            "operations {} of {}, never executed: {:?}",
            self.ops.len(),
            Op::ALL.len(),
            self.missed()
        )
    }
}
