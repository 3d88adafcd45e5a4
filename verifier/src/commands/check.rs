//! `check`: every engine of this machine runs the program, and they must agree.

use std::collections::BTreeSet;

use clap::Args;
use gio_agent::{Code, ExitStatus, UserError};
use gio_machine::state::Halted;
use gio_machine::{Machine, mirror};
use gio_protocol::{B256, Status, keccak256, word_root};
use gio_runtime::{
    Engine, EngineConfig, MachineVersion, Outcome, RunControl, UnitLimits as RunLimits,
};
use serde_json::json;

use crate::Report;
use crate::app::App;
use crate::commands::{halted_json, status_text};
use crate::unit::{IO_DEPTH, UnitOptions};

/// What is compared, and what is not.
const COMPARED: &str = "\
What is compared:
  step machine  runs the whole program
  wasmtime      runs it as a miner does: status, exit code, CU, output root and length must be
                what the step machine's are
  mirror        the contract's step verifier, in Rust, checks the proofs of --steps steps: each
                must open the state before its step and lead to the one behind it
The contract itself is not run.";

/// Run a program on every engine and check that they agree
#[derive(Debug, Args)]
#[command(after_help = COMPARED)]
pub(crate) struct Check {
    #[command(flatten)]
    unit: UnitOptions,
    /// How many different steps, drawn by the seed, are proven and checked by the mirror of the contract; all of them
    /// if there are no more
    #[arg(long, default_value_t = 100)]
    steps: u64,
}

impl Check {
    pub(crate) fn run(&self) -> Result<Report, UserError> {
        let app = App::load(&self.unit.app)?;
        let image = self.unit.image()?;
        let outcome = self.sandbox(&app, &image)?;
        let mut machine = self.unit.machine(app.provable.program.clone(), image)?;
        let first = machine.snapshot();
        let halted = machine.run();
        let steps = machine.steps();
        machine.restore(&first);
        let Proven { count, wrong } = self.prove(&mut machine, steps);
        let agree = claimed(&outcome)? == halted;
        let lines = vec![
            format!("program root   {}", app.provable.program.root()),
            format!(
                "step machine   {steps} steps: {} {}, {} CU, output {}",
                status_text(halted.status),
                halted.exit_code,
                halted.cu,
                halted.output_root
            ),
            format!(
                "wasmtime       {}",
                if agree { "agrees" } else { "DISAGREES" }
            ),
            match wrong {
                None => format!("mirror         agrees at {count} of {steps} steps"),
                Some(step) => {
                    format!(
                        "mirror         DISAGREES at step {step}, after {count} steps that hold"
                    )
                }
            },
        ];
        let json = json!({
            "program_root": app.provable.program.root(),
            "steps": steps,
            "halted": halted_json(&halted),
            "wasmtime_agrees": agree,
            "mirror_disagrees_at": wrong,
            "steps_proven": count,
        });
        let bad = !agree || wrong.is_some();
        Ok(Report {
            lines,
            json,
            status: bad.then_some(ExitStatus::BadResult),
        })
    }

    /// The unit under wasmtime.
    fn sandbox(&self, app: &App, image: &[u8]) -> Result<Outcome, UserError> {
        let engine = Engine::new(EngineConfig {
            cache_dir: None,
            instances_max: 1,
            pages_max: self.unit.pages_max.max(1),
        })?;
        let program = engine.load_version(&app.wasm, MachineVersion::Provable)?;
        let limits = RunLimits {
            cu_limit: self.unit.cu_limit,
            pages_max: self.unit.pages_max,
            output_max: self.unit.output_max,
            unit_seed: self.unit.seed,
            clock_start: self.unit.clock_start,
        };
        engine
            .run(&program, image, &limits, &RunControl::none())
            .map_err(|error| UserError::of(Code::Usage, error))
    }

    /// Proves every step, or as many as are asked for at places drawn from the seed, until one does not hold.
    fn prove(&self, machine: &mut Machine, steps: u64) -> Proven {
        if self.steps >= steps {
            return prove(machine, 0..steps);
        }
        prove(machine, places(self.unit.seed, self.steps, steps))
    }
}

/// What proving came to.
struct Proven {
    /// Steps that hold.
    count: u64,
    /// The first that does not.
    wrong: Option<u64>,
}

/// Proves the steps at these places, which ascend.
fn prove(machine: &mut Machine, places: impl IntoIterator<Item = u64>) -> Proven {
    let mut count = 0;
    for place in places {
        machine.run_to(place);
        let before = machine.state_hash();
        let proof = machine.proof();
        machine.run_to(place + 1);
        let next = machine.state_hash();
        if !mirror::step(&proof).is_ok_and(|step| step.before == before && step.next == next) {
            return Proven {
                count,
                wrong: Some(place),
            };
        }
        count += 1;
    }
    Proven { count, wrong: None }
}

/// `wanted` different steps of `steps`, each choice as likely as another: Floyd's sampling, which draws no more often
/// than that. `wanted` is less than `steps`.
fn places(seed: B256, wanted: u64, steps: u64) -> BTreeSet<u64> {
    let draw = |below: u64| {
        let hash = keccak256([seed.as_slice(), &below.to_be_bytes()].concat());
        let bytes = hash[..8].try_into().expect("a hash has 32 bytes");
        u64::from_be_bytes(bytes) % below
    };
    let mut places = BTreeSet::new();
    for last in steps - wanted..steps {
        let place = draw(last + 1);
        let is_new = places.insert(place);
        if !is_new {
            places.insert(last);
        }
    }
    places
}

/// What a claim of the outcome would bind.
fn claimed(outcome: &Outcome) -> Result<Halted, UserError> {
    Ok(Halted {
        status: match outcome.status {
            Status::Exit => 0,
            Status::Trap => 1,
            Status::CuExhausted => 2,
        },
        exit_code: outcome.exit_code,
        cu: outcome.cu,
        output_root: word_root(&outcome.output_image, IO_DEPTH)?,
        output_length: outcome.output_length,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_different_places_are_drawn_as_are_wanted() {
        for (wanted, steps) in [(0, 1), (1, 2), (99, 100), (400, 1_000), (5, u64::MAX)] {
            for seed in [B256::ZERO, B256::repeat_byte(7)] {
                let places = places(seed, wanted, steps);
                assert_eq!(places.len() as u64, wanted, "of {steps}");
                assert!(places.iter().all(|place| *place < steps));
            }
        }
    }
}
