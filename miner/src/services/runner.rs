//! Runs units: as many at a time as there are cores, for all hubs together, first come first run.
//!
//! A worker is a thread of its own: running, hashing and signing are all work for a processor.
//! Every job ends in exactly one [`Finished`], whatever happens.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use gio_keys::MachineKey;
use gio_protocol::{Address, B256, Claim, Cu, Domain, Signature};
use gio_runtime::{Engine, Program, RunControl, RunError, UnitLimits};
use thiserror::Error;
use tokio::sync::{Notify, mpsc};

use crate::domain::order::{
    Halt, Order, OrderRefusal, UnitKey, check_input, check_program, claim_of,
};
use crate::infra::contents::{Contents, Pinned};

/// A unit that may run: its deal is open, its limits are ours, its bytes are here.
#[derive(Debug)]
pub struct Job {
    /// What to run.
    pub order: Order,
    /// The program.
    pub program: Program,
    /// The input image.
    pub input: JobInput,
    /// Where the claim will hold.
    pub domain: Domain,
    /// Stops the run.
    pub control: RunControl,
    /// When the hub gives the unit elsewhere; `None` if that is past all reckoning.
    pub due: Option<Instant>,
    /// Who wants to know. Has room for every job of its desk, so that a worker never waits for a hub.
    pub finished: mpsc::Sender<Finished>,
}

/// Where a job's input image is.
#[derive(Debug)]
pub enum JobInput {
    /// In memory.
    Inline(Bytes),
    /// On disk.
    File(Pinned),
}

/// A job's end.
#[derive(Debug)]
pub struct Finished {
    /// Of which unit.
    pub key: UnitKey,
    /// A signed claim, or why there is none.
    pub result: Result<Made, Failure>,
}

/// A signed claim and what it is about.
#[derive(Debug)]
pub struct Made {
    /// The claim.
    pub claim: Claim,
    /// Its struct hash, which the hub countersigns.
    pub claim_hash: B256,
    /// This miner's signature.
    pub signature: Signature,
    /// The output image.
    pub output: Bytes,
}

/// Why a unit has no result here. Never a claim, never a charge (R21).
#[derive(Debug, Error)]
pub enum Failure {
    /// The bytes are not what the order says (R19).
    #[error(transparent)]
    Order(#[from] OrderRefusal),
    /// The sandbox.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The input was here and is not any more.
    #[error("the input was lost from disk")]
    InputLost,
    /// The hub gives the unit elsewhere now.
    #[error("the order's deadline passed before the unit ran")]
    Late,
    /// What the unit needs could not be had.
    #[error(transparent)]
    Supply(#[from] super::orders::SupplyError),
    /// Nowhere to keep the result.
    #[error("the result cannot be kept")]
    Output(#[source] crate::infra::contents::ContentsError),
    /// The miner is stopping.
    #[error("this miner is stopping")]
    Stopping,
    /// A bug of this miner. The job's state is dropped with it; workers share nothing else that it could have broken.
    #[error("the unit's worker panicked")]
    Panicked,
}

impl Failure {
    /// Whether this miner may do better with the same unit later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Order(_) | Self::Panicked => false,
            Self::Run(error) => error.is_transient() || matches!(error, RunError::DeadlinePassed),
            Self::Supply(error) => error.is_transient(),
            Self::InputLost | Self::Late | Self::Output(_) | Self::Stopping => true,
        }
    }

    /// Whether the hub asked for it.
    #[must_use]
    pub fn is_cancel(&self) -> bool {
        matches!(self, Self::Run(RunError::Cancelled))
    }
}

/// What workers work with.
#[derive(Debug)]
pub struct Tools {
    /// The sandbox.
    pub engine: Engine,
    /// Signs claims.
    pub key: MachineKey,
    /// Where inputs are.
    pub contents: Contents,
}

/// A handle of the workers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Runner {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    tools: Tools,
    queue: Mutex<Queue>,
    wake: Condvar,
    idle: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    jobs: VecDeque<Job>,
    running: usize,
    closed: bool,
}

impl Runner {
    /// A runner without workers; each call of [`Self::work`] on a thread of its own is one.
    #[must_use]
    pub fn new(tools: Tools) -> Self {
        Self {
            shared: Arc::new(Shared {
                tools,
                queue: Mutex::default(),
                wake: Condvar::new(),
                idle: Notify::new(),
            }),
        }
    }

    /// Queues jobs. The books bound how many there can be.
    pub fn push(&self, jobs: impl IntoIterator<Item = Job>) {
        let mut queue = self.shared.lock();
        let before = queue.jobs.len();
        queue.jobs.extend(jobs);
        for _ in before..queue.jobs.len() {
            self.shared.wake.notify_one();
        }
    }

    /// Works until the runner is closed. Blocks.
    pub fn work(&self) {
        while let Some(job) = self.shared.next() {
            let key = job.order.key();
            let finished = job.finished.clone();
            let performed = catch_unwind(AssertUnwindSafe(|| perform(&self.shared.tools, &job)));
            let result = performed.unwrap_or_else(|_| Err(Failure::Panicked));
            // A desk that is gone has nobody to tell; its hub hears of it by the closed stream.
            let _ = finished.blocking_send(Finished { key, result });
            self.shared.done();
        }
    }

    /// Units that run now.
    #[must_use]
    pub fn running(&self) -> usize {
        self.shared.lock().running
    }

    /// Gives every job back that no worker has taken up.
    pub async fn give_back_queued(&self) {
        let jobs = std::mem::take(&mut self.shared.lock().jobs);
        for job in jobs {
            let key = job.order.key();
            let result = Err(Failure::Stopping);
            // As in `work`.
            let _ = job.finished.send(Finished { key, result }).await;
        }
    }

    /// Waits until no unit runs or is queued.
    pub async fn idle(&self) {
        loop {
            let idle = self.shared.idle.notified();
            if self.shared.lock().is_idle() {
                return;
            }
            idle.await;
        }
    }

    /// Ends the workers after what they are doing. Queued jobs are dropped.
    pub fn close(&self) {
        let mut queue = self.shared.lock();
        queue.closed = true;
        queue.jobs.clear();
        self.shared.wake.notify_all();
    }
}

impl Queue {
    fn is_idle(&self) -> bool {
        self.jobs.is_empty() && self.running == 0
    }
}

impl Shared {
    fn next(&self) -> Option<Job> {
        let mut queue = self.lock();
        loop {
            if queue.closed {
                return None;
            }
            if let Some(job) = queue.jobs.pop_front() {
                queue.running += 1;
                return Some(job);
            }
            queue = self
                .wake
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn done(&self) {
        let mut queue = self.lock();
        queue.running -= 1;
        if queue.is_idle() {
            self.idle.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Only counters and a queue: whole even if a panic passed by.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Checks, runs, claims, signs: everything about a unit that needs a processor.
fn perform(tools: &Tools, job: &Job) -> Result<Made, Failure> {
    let Job { order, control, .. } = job;
    if control.is_cancelled() {
        return Err(RunError::Cancelled.into());
    }
    if job.due.is_some_and(|due| Instant::now() >= due) {
        return Err(Failure::Late);
    }
    let input = match &job.input {
        JobInput::Inline(bytes) => bytes.clone(),
        JobInput::File(pinned) => tools.contents.read(pinned).ok_or(Failure::InputLost)?,
    };
    check_input(&order.leaf, &input)?;
    check_program(&order.leaf, job.program.root())?;
    let limits = UnitLimits {
        cu_limit: order.leaf.cu_limit.0,
        pages_max: order.leaf.pages_max,
        output_max: order.leaf.output_max,
        unit_seed: order.leaf.unit_seed,
        clock_start: order.clock_start.0,
    };
    gio_failpoint::fail_point!("miner.begins.unit");
    let outcome = tools.engine.run(&job.program, &input, &limits, control)?;
    let halt = Halt {
        status: outcome.status,
        exit_code: outcome.exit_code,
        cu: Cu(outcome.cu),
        output: &outcome.output_image,
    };
    let claim = claim_of(order, tools.owner(), &halt);
    let claim_hash = claim.struct_hash();
    let signature = tools.key.sign(job.domain.digest(claim_hash));
    Ok(Made {
        claim,
        claim_hash,
        signature,
        output: outcome.output_image.into(),
    })
}

impl Tools {
    fn owner(&self) -> Address {
        self.key.address()
    }
}
