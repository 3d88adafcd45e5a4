//! What a run is held to: the unit's own limits, which decide its result, and the caller's, which never do (R21).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use gio_protocol::B256;

/// The limits and seeds of a unit leaf, all of them part of the deal. Only these decide a result (R21).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitLimits {
    /// Most compute units the program may use; the block that would pass it does not run.
    pub cu_limit: u64,
    /// Most pages (64 KiB) of linear memory; `memory.grow` beyond it answers -1.
    pub pages_max: u32,
    /// Most bytes of output image; a write that would pass it traps.
    pub output_max: u64,
    /// What `random_get` draws from (R22).
    pub unit_seed: B256,
    /// What the clock shows first, in Unix seconds; every reading advances it by 1 ms (R22).
    pub clock_start: u64,
}

/// The caller's handle on a run: when to give up, and a flag to stop it from another thread.
///
/// Clones share the flag. Neither a deadline nor a cancel ever yields an outcome.
#[derive(Clone, Debug, Default)]
pub struct RunControl {
    deadline: Option<Instant>,
    cancelled: Arc<AtomicBool>,
}

/// Why a run has to stop, if it has to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopReason {
    Cancelled,
    DeadlinePassed,
}

impl RunControl {
    /// Neither deadline nor cancel: the unit's own limits end the run.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Give up at `deadline`.
    #[must_use]
    pub fn with_deadline(deadline: Instant) -> Self {
        Self {
            deadline: Some(deadline),
            cancelled: Arc::default(),
        }
    }

    /// Stops every run that holds a clone of this control, at its next refill.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether [`RunControl::cancel`] was called.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    pub(crate) fn stop_reason(&self) -> Option<StopReason> {
        if self.is_cancelled() {
            return Some(StopReason::Cancelled);
        }
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Some(StopReason::DeadlinePassed),
            _ => None,
        }
    }
}
