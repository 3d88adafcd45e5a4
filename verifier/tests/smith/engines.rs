//! One unit on every engine: wasmtime through the prepared module, wasmtime on the module as it is, the fast engine,
//! the mirror at every step of short programs and of stretches of longer ones, the contracts at some.

use std::collections::BTreeSet;
use std::sync::Arc;

use gio_content::image::{InputImage, OutputImage};
use gio_machine::isa::Op;
use gio_machine::state::{DealDepths, Halted, UnitLimits as StepLimits};
use gio_machine::{Loaded, Machine, Origin, PrepareError, PrepareLimits, mirror, prepare_provable};
use gio_protocol::{B256, Status, keccak256, word_root};
use gio_runtime::{
    Engine, EngineConfig, MachineVersion, Outcome, RunControl, UnitLimits as RunLimits,
};

use crate::command::Command;
use crate::evm::Court;
use crate::plain::{self, Plain};
use crate::rng::Rng;

/// 128 KiB of input and 64 KiB of output: not the same, so that neither depth passes for the other.
const INPUT_DEPTH: u8 = 12;
const OUTPUT_DEPTH: u8 = 11;

/// Pages a unit may have: one more than a generated memory begins with at most.
pub const PAGES_MAX: u32 = 3;

/// Steps of a long program that are executed one by one, to learn where it goes. What is beyond, up to its last steps, is
/// run in one go.
const WALK: u64 = 30_000;

/// Steps of one program that go through the contract.
const CONTRACT_STEPS: u64 = 3;

/// What one program did.
#[derive(Clone, Debug)]
pub struct Seen {
    pub halted: Halted,
    pub steps: u64,
    /// Steps in the module's own functions, of those that were walked.
    pub own_steps: u64,
    pub mirrored: u64,
    /// Of these, steps in functions of the shim.
    pub shim_mirrored: u64,
    pub contract: u64,
    pub ops: BTreeSet<Op>,
    /// Whether wasmtime on the module as it is had a say.
    pub plain: bool,
}

/// How much of a program goes through the mirror.
#[derive(Clone, Copy, Debug)]
pub struct Proven {
    /// Programs of at most so many steps: all of them.
    pub whole: u64,
    /// Of each stretch of a longer one: so many.
    pub stretch: u64,
}

pub struct Engines {
    sandbox: Engine,
    plain: wasmtime::Engine,
    court: Court,
}

impl Engines {
    pub fn new() -> Self {
        let config = EngineConfig {
            cache_dir: None,
            instances_max: 2,
            pages_max: PAGES_MAX,
        };
        Self {
            sandbox: Engine::new(config).unwrap(),
            plain: plain::engine(),
            court: Court::new(),
        }
    }

    /// Runs it everywhere, and panics with the reason if two do not agree.
    pub fn run(
        &mut self,
        command: &Command,
        proven: Proven,
        rng: &mut Rng,
    ) -> Result<Seen, PrepareError> {
        let wasm = &command.wasm;
        let provable = prepare_provable(wasm, &PrepareLimits::default())?;
        let limits = RunLimits {
            cu_limit: rng.pick(&[800_000, 400_000, 60_000]) + u64::from(rng.below(50_000)),
            pages_max: PAGES_MAX,
            output_max: 65_536,
            unit_seed: keccak256(rng.next().to_be_bytes()),
            clock_start: 1_790_000_000,
        };
        let image = InputImage {
            args: vec![b"program".to_vec(), b"an argument".to_vec()],
            stdin: b"bytes that a program may read".to_vec(),
            ..InputImage::default()
        };
        let image = image.encode().unwrap();

        let outcome = self.sandboxed(wasm, &image, &limits, MachineVersion::Provable);
        let claimed = claimed(&outcome);
        let start = machine(Loaded::new(provable.program), image.clone(), &limits);
        let mut whole = start.clone();
        let halted = whole.run();
        assert_eq!(claimed, halted, "wasmtime and step machine end differently");
        assert!(whole.steps() <= halted.cu, "R20: steps ≤ CU");

        let mut seen = Seen {
            halted,
            steps: whole.steps(),
            own_steps: 0,
            mirrored: 0,
            shim_mirrored: 0,
            contract: 0,
            ops: BTreeSet::new(),
            plain: false,
        };
        self.step(start, &whole, proven, rng, &mut seen);
        if command.calls_host {
            let metered = self.sandboxed(wasm, &image, &limits, MachineVersion::Metered);
            agree_with_metered(&outcome, &metered);
        } else {
            seen.plain = agree_with_plain(&outcome, &plain::run(&self.plain, wasm));
        }
        Ok(seen)
    }

    fn sandboxed(
        &self,
        wasm: &[u8],
        image: &[u8],
        limits: &RunLimits,
        version: MachineVersion,
    ) -> Outcome {
        let program = self.sandbox.load_version(wasm, version).unwrap();
        let control = RunControl::none();
        self.sandbox.run(&program, image, limits, &control).unwrap()
    }

    /// Walks through the program, all of it or stretches of it through the mirror, with the state's hash compared at each
    /// step, some of them through the contract; it must end as the run in one go.
    fn step(
        &mut self,
        mut machine: Machine,
        whole: &Machine,
        proven: Proven,
        rng: &mut Rng,
        seen: &mut Seen,
    ) {
        let mut plan = Plan::new(proven, whole.steps());
        let share = (plan.steps_at_most() / CONTRACT_STEPS).max(1);
        let mut contract_at = u64::from(rng.below(u32::try_from(share).unwrap()));
        let mut before: Option<B256> = None;
        while machine.halted().is_none() {
            let at = machine.steps();
            if let Some(end) = plan.leap(at) {
                machine.run_to(end);
                before = None;
                continue;
            }
            let own = is_own(&machine);
            seen.own_steps += u64::from(own);
            seen.ops
                .extend(machine.instruction().and_then(|code| code.operation()));
            if !plan.takes(at, own) {
                machine.run_to(at + 1);
                before = None;
                continue;
            }
            let in_shim = !own && machine.instruction().is_some();
            let hash = before.unwrap_or_else(|| machine.state_hash());
            let proof = machine.proof();
            machine.run_to(at + 1);
            let after = machine.state_hash();
            let checked = mirror::step(&proof);
            let checked = checked.unwrap_or_else(|invalid| panic!("step {at}: {invalid}"));
            assert_eq!((checked.before, checked.next), (hash, after), "step {at}");
            if seen.mirrored == contract_at {
                assert_eq!(self.court.step(&proof).0, Ok(checked), "step {at}");
                seen.contract += 1;
                contract_at += share;
            }
            seen.mirrored += 1;
            seen.shim_mirrored += u64::from(in_shim);
            before = Some(after);
        }
        assert_eq!(
            machine.halted(),
            Some(&seen.halted),
            "walking ends differently"
        );
        assert_eq!(machine.steps(), whole.steps());
        assert_eq!(machine.memory(0), whole.memory(0));
        assert_eq!(machine.memory(1), whole.memory(1));
    }
}

/// Which steps of a program of so many go through the mirror. Of a long one these are the first ones, where the shim
/// prepares the unit, the first in its own functions, the first in the shim when it calls the host, and the last ones.
struct Plan {
    steps: u64,
    is_whole: bool,
    stretch: u64,
    own: u64,
    shim: u64,
    entered: bool,
}

impl Plan {
    fn new(proven: Proven, steps: u64) -> Self {
        Self {
            steps,
            is_whole: steps <= proven.whole,
            stretch: proven.stretch,
            own: 0,
            shim: 0,
            entered: false,
        }
    }

    /// First, own, shim's and last ones.
    fn steps_at_most(&self) -> u64 {
        if self.is_whole {
            self.steps
        } else {
            self.steps.min(4 * self.stretch)
        }
    }

    fn last_ones(&self) -> u64 {
        self.steps.saturating_sub(self.stretch)
    }

    /// Where to go on, if what lies between is not walked through.
    fn leap(&self, at: u64) -> Option<u64> {
        let leaps = !self.is_whole && at >= WALK && at < self.last_ones();
        leaps.then(|| self.last_ones())
    }

    fn takes(&mut self, at: u64, own: bool) -> bool {
        self.entered |= own;
        let is_sure = self.is_whole || at < self.stretch || at >= self.last_ones();
        let taken = match (own, self.entered) {
            (true, _) => &mut self.own,
            (false, true) => &mut self.shim,
            (false, false) => return is_sure,
        };
        if is_sure {
            return true;
        }
        *taken += 1;
        *taken <= self.stretch
    }
}

/// Whether the next instruction is of a function that the program itself has, rather than of the shim.
fn is_own(machine: &Machine) -> bool {
    let place = machine
        .pc()
        .and_then(|pc| machine.program().function_at(pc));
    place.is_some_and(|place| matches!(place.origin, Origin::Guest(_)))
}

fn machine(loaded: Loaded, image: Vec<u8>, limits: &RunLimits) -> Machine {
    let unit = StepLimits {
        input_root: word_root(&image, INPUT_DEPTH).unwrap(),
        input_length: image.len() as u64,
        cu_limit: limits.cu_limit,
        pages_max: limits.pages_max,
        output_max: limits.output_max,
        unit_seed: limits.unit_seed,
    };
    let deal = DealDepths {
        input_depth: INPUT_DEPTH,
        output_depth: OUTPUT_DEPTH,
        clock_start: limits.clock_start,
    };
    Machine::new(Arc::new(loaded), image, &unit, &deal).unwrap()
}

/// What a claim of the outcome would bind.
fn claimed(outcome: &Outcome) -> Halted {
    Halted {
        status: match outcome.status {
            Status::Exit => 0,
            Status::Trap => 1,
            Status::CuExhausted => 2,
        },
        exit_code: outcome.exit_code,
        cu: outcome.cu,
        output_root: word_root(&outcome.output_image, OUTPUT_DEPTH).unwrap(),
        output_length: outcome.output_length,
    }
}

/// Machine version 0 charges other blocks, so only what both see to its end can be compared.
fn agree_with_metered(outcome: &Outcome, metered: &Outcome) {
    if outcome.status == Status::CuExhausted || metered.status == Status::CuExhausted {
        return;
    }
    assert_eq!(outcome.status, metered.status, "machine versions 0 and 1");
    assert_eq!(
        outcome.exit_code, metered.exit_code,
        "machine versions 0 and 1"
    );
    if outcome.status == Status::Exit {
        assert_eq!(
            outcome.output_image, metered.output_image,
            "machine versions 0 and 1"
        );
    }
}

/// Answers whether there was something to compare: plain wasmtime has no CU limit and another limit of its stack.
fn agree_with_plain(outcome: &Outcome, plain: &Plain) -> bool {
    match (outcome.status, plain) {
        (Status::CuExhausted, _) | (_, Plain::NoOpinion) => false,
        (Status::Exit, Plain::Exit { code, stdout }) => {
            let output = OutputImage::decode(&outcome.output_image).unwrap();
            assert_eq!(
                (outcome.exit_code, &output.stdout),
                (*code, stdout),
                "plain wasmtime"
            );
            true
        }
        (Status::Trap, Plain::Trap) => true,
        (status, plain) => panic!("prepared {status:?}, plain wasmtime {plain:?}"),
    }
}
