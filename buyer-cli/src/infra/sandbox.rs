//! The buyer's own sandbox: the same engine a miner has, for trying a job out, checking units and reducing outputs.
//!
//! Everything here blocks and belongs on a thread that may.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use gio_content::job::OUTPUT_MAX;
use gio_content::{ImageError, InputImage, OutputImage, Plan, SplitError};
use gio_protocol::{Cu, Status, UnitLeaf, UnixSeconds};
use gio_runtime::{
    Engine, EngineConfig, EngineError, LoadError, Program, RunControl, RunError, UnitLimits,
};
use thiserror::Error;

use crate::domain::layout::UnitOutcome;

/// Memory of a reducing program, in pages: 1 GiB. It runs here, so only this machine's memory limits it.
const REDUCE_PAGES_MAX: u32 = 16_384;
/// CU of a reducing program: hours of work; whoever waits for it may press Ctrl-C.
const REDUCE_CU_MAX: u64 = 100_000_000_000_000;

/// A run that ended without a result.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// The engine cannot be set up here.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The program cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A unit has no input.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// The units' files are no input.
    #[error("the units' files cannot be given to the reducing program")]
    Image(#[from] ImageError),
    /// This machine failed, not the program.
    #[error("unit {unit} could not be run here")]
    Run {
        /// Which unit.
        unit: u32,
        /// Why.
        source: RunError,
    },
    /// This machine failed, not the program.
    #[error("the reducing program could not be run here")]
    Reduce(#[source] RunError),
    /// It ended badly; the outcome is a result, but not the job's.
    #[error("the reducing program ended with {}", ending(*.status, *.exit_code))]
    Reducer {
        /// How.
        status: Status,
        /// Its exit code.
        exit_code: u32,
        /// The last of what it wrote to standard error.
        stderr: String,
    },
}

/// How a program ended, for people.
#[must_use]
pub fn ending(status: Status, exit_code: u32) -> String {
    match status {
        Status::Exit => format!("exit code {exit_code}"),
        Status::Trap => "a trap".to_owned(),
        Status::CuExhausted => "its CU limit reached".to_owned(),
    }
}

/// How much of this machine to use.
#[derive(Clone, Debug)]
pub struct SandboxConfig {
    /// Where compiled modules are kept.
    pub cache_dir: Option<PathBuf>,
    /// Units at a time; `None`: one per core.
    pub threads: Option<u32>,
}

impl SandboxConfig {
    fn threads(&self) -> u32 {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let cores = u32::try_from(cores).unwrap_or(u32::MAX);
        self.threads.unwrap_or(cores).max(1)
    }

    fn engine(&self, instances_max: u32, pages_max: u32) -> Result<Engine, EngineError> {
        Engine::new(EngineConfig {
            cache_dir: self.cache_dir.clone(),
            instances_max,
            pages_max,
        })
    }
}

/// What a run of many units reports and obeys.
#[derive(Debug)]
pub struct Watch<'a, F: Fn(u32, &UnitOutcome) + Sync> {
    /// Stops everything.
    pub control: &'a RunControl,
    /// Called with every unit that ended.
    pub done: F,
}

/// Runs units of a job, several at a time; the outcomes come in the order of `leaves`.
///
/// # Errors
/// [`SandboxError`] of the first unit that could not be run.
pub fn run_units<F: Fn(u32, &UnitOutcome) + Sync>(
    config: &SandboxConfig,
    module: &[u8],
    plan: &Plan,
    leaves: &[UnitLeaf],
    clock_start: UnixSeconds,
    watch: &Watch<'_, F>,
) -> Result<Vec<UnitOutcome>, SandboxError> {
    let count = u32::try_from(leaves.len()).unwrap_or(u32::MAX);
    let threads = config.threads().min(count.max(1));
    let engine = config.engine(threads, plan.spec().bounds.pages_max)?;
    let program = engine.load(module)?;
    let runner = Runner {
        engine: &engine,
        program: &program,
        plan,
        clock_start,
        control: watch.control,
    };
    let next = AtomicU32::new(0);
    let work = || -> Result<Vec<(u32, UnitOutcome)>, SandboxError> {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(leaf) = leaves.get(at as usize) else {
                return Ok(done);
            };
            let outcome = runner.run(leaf).inspect_err(|_| watch.control.cancel())?;
            (watch.done)(leaf.index, &outcome);
            done.push((at, outcome));
        }
    };
    let parts = thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let join = |handle: thread::ScopedJoinHandle<'_, _>| {
            handle
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        handles.into_iter().map(join).collect::<Vec<_>>()
    });
    in_order(parts)
}

/// The first failure that is not a consequence of another one's cancel, or all outcomes in order.
fn in_order(
    parts: Vec<Result<Vec<(u32, UnitOutcome)>, SandboxError>>,
) -> Result<Vec<UnitOutcome>, SandboxError> {
    let is_cancel = |error: &SandboxError| {
        matches!(
            error,
            SandboxError::Run {
                source: RunError::Cancelled,
                ..
            }
        )
    };
    let (done, mut failed): (Vec<_>, Vec<_>) = parts.into_iter().partition(Result::is_ok);
    failed.sort_by_key(|part| part.as_ref().is_err_and(is_cancel));
    if let Some(error) = failed.into_iter().find_map(Result::err) {
        return Err(error);
    }
    let outcomes: BTreeMap<u32, UnitOutcome> = done.into_iter().flatten().flatten().collect();
    Ok(outcomes.into_values().collect())
}

/// What every unit of a job shares.
struct Runner<'a> {
    engine: &'a Engine,
    program: &'a Program,
    plan: &'a Plan,
    clock_start: UnixSeconds,
    control: &'a RunControl,
}

impl Runner<'_> {
    fn run(&self, leaf: &UnitLeaf) -> Result<UnitOutcome, SandboxError> {
        let input = self.plan.input_image(leaf.index)?;
        let limits = UnitLimits {
            cu_limit: leaf.cu_limit.0,
            pages_max: leaf.pages_max,
            output_max: leaf.output_max,
            unit_seed: leaf.unit_seed,
            clock_start: self.clock_start.0,
        };
        let outcome = self.engine.run(self.program, &input, &limits, self.control);
        let unit = leaf.index;
        let outcome = outcome.map_err(|source| SandboxError::Run { unit, source })?;
        Ok(UnitOutcome {
            status: outcome.status,
            exit_code: outcome.exit_code,
            cu: Cu(outcome.cu),
            owner: None,
            image: outcome.output_image,
        })
    }
}

/// A reducing program and what it works on.
#[derive(Debug)]
pub struct Reduction<'a> {
    /// The module.
    pub module: &'a [u8],
    /// Its arguments, its name first.
    pub args: Vec<String>,
    /// Its files: the units', `<unit>/<path>`.
    pub files: BTreeMap<String, Vec<u8>>,
    /// What its clock shows first.
    pub clock_start: UnixSeconds,
}

/// Runs a reducing program to its output.
///
/// # Errors
/// [`SandboxError`]; a program that ends badly is one.
pub fn reduce(
    config: &SandboxConfig,
    reduction: Reduction<'_>,
    control: &RunControl,
) -> Result<OutputImage, SandboxError> {
    let engine = config.engine(1, REDUCE_PAGES_MAX)?;
    let program = engine.load(reduction.module)?;
    let input = InputImage {
        args: reduction.args.into_iter().map(String::into_bytes).collect(),
        files: reduction.files,
        ..InputImage::default()
    };
    let limits = UnitLimits {
        cu_limit: REDUCE_CU_MAX,
        pages_max: REDUCE_PAGES_MAX,
        output_max: OUTPUT_MAX,
        unit_seed: gio_protocol::B256::ZERO,
        clock_start: reduction.clock_start.0,
    };
    let outcome = engine
        .run(&program, &input.encode()?, &limits, control)
        .map_err(SandboxError::Reduce)?;
    let output = OutputImage::decode(&outcome.output_image)?;
    if outcome.status == Status::Exit && outcome.exit_code == 0 {
        return Ok(output);
    }
    Err(SandboxError::Reducer {
        status: outcome.status,
        exit_code: outcome.exit_code,
        stderr: last_lines(&output.stderr),
    })
}

/// The end of what a program complained about, for an error message.
fn last_lines(stderr: &[u8]) -> String {
    /// Enough for the last few lines.
    const BYTES_MAX: usize = 2048;
    let tail = &stderr[stderr.len().saturating_sub(BYTES_MAX)..];
    String::from_utf8_lossy(tail).trim().to_owned()
}
