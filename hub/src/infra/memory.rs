//! A budget for memory that strangers make this process take.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// How long work waits for memory; whoever asked has a deadline of about this length.
const WAIT: Duration = Duration::from_secs(20);
const UNIT: u64 = 1 << 20;

/// Memory for large pieces of work, handed out in the order it is asked for. Cheap to clone.
#[derive(Clone, Debug)]
pub struct MemoryBudget {
    permits: Arc<Semaphore>,
    mib: u32,
    wait: Duration,
}

/// Memory in use; given back when dropped.
#[derive(Debug)]
pub struct Memory {
    _permit: OwnedSemaphorePermit,
}

impl MemoryBudget {
    /// A budget of so many MiB.
    #[must_use]
    pub fn new(mib: u64) -> Self {
        let mib = u32::try_from(mib).unwrap_or(u32::MAX).min(1 << 28);
        Self {
            permits: Arc::new(Semaphore::new(mib as usize)),
            mib,
            wait: WAIT,
        }
    }

    /// Waits for memory. `None` if there is none in time; more than the whole budget counts as the whole.
    pub async fn take(&self, bytes: u64) -> Option<Memory> {
        let mib = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        let wanted = Arc::clone(&self.permits).acquire_many_owned(mib.min(self.mib));
        let permit = timeout(self.wait, wanted).await.ok()?.ok()?;
        Some(Memory { _permit: permit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn memory_is_lent_waited_for_and_given_back() {
        let mut budget = MemoryBudget::new(4);
        budget.wait = Duration::from_millis(1);
        let first = budget.take(3 * UNIT + 1).await.unwrap();
        assert!(budget.take(1).await.is_none(), "nothing left");
        drop(first);
        let all = budget.take(u64::MAX).await.unwrap();
        assert!(budget.take(1).await.is_none(), "the whole budget is out");
        drop(all);
        assert!(budget.take(UNIT).await.is_some());
        assert!(budget.take(0).await.is_some());
    }
}
