//! `check`: every engine of this machine runs the program, and they must agree.

use clap::Args;
use gio_agent::{Code, ExitStatus, UserError};
use gio_machine::state::Halted;
use gio_machine::{Machine, mirror};
use gio_protocol::{Status, keccak256, word_root};
use gio_runtime::{
    Engine, EngineConfig, MachineVersion, Outcome, RunControl, UnitLimits as RunLimits,
};
use serde_json::json;

use crate::Report;
use crate::app::App;
use crate::commands::{halted_json, status_text};
use crate::unit::{IO_DEPTH, UnitOptions};

/// Run a program on every engine and check that they agree
#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    unit: UnitOptions,
    /// How many steps, spread over the run, are proven and checked by the mirror of the contract
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
        let wrong = self.prove(&mut machine, steps);
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
                None => format!("mirror         agrees at {} steps", self.steps.min(steps)),
                Some(step) => format!("mirror         DISAGREES at step {step}"),
            },
        ];
        let json = json!({
            "program_root": app.provable.program.root(),
            "steps": steps,
            "halted": halted_json(&halted),
            "wasmtime_agrees": agree,
            "mirror_disagrees_at": wrong,
            "steps_proven": self.steps.min(steps),
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

    /// Proves steps at places drawn from the seed; answers the first whose proof does not lead to the next state.
    fn prove(&self, machine: &mut Machine, steps: u64) -> Option<u64> {
        let draw = |nth: u64| {
            let hash = keccak256([self.unit.seed.as_slice(), &nth.to_be_bytes()].concat());
            let bytes = hash[..8].try_into().expect("a hash has 32 bytes");
            u64::from_be_bytes(bytes) % steps.max(1)
        };
        let mut places: Vec<u64> = (0..self.steps.min(steps)).map(draw).collect();
        places.sort_unstable();
        places.dedup();
        places.into_iter().find(|place| {
            machine.run_to(*place);
            let before = machine.state_hash();
            let proof = machine.proof();
            machine.run_to(place + 1);
            let next = machine.state_hash();
            !mirror::step(&proof).is_ok_and(|step| step.before == before && step.next == next)
        })
    }
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
