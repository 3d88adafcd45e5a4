//! What time it is, and whether the peers think so too.
//!
//! # Security
//! Peers never move this node's clock: whoever could do that could make it refuse good blocks. A median far from
//! ours only makes the node warn its owner.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use gio_agent::unix_now;
use gio_protocol::UnixSeconds;

/// Clocks remembered: the last ones, so that a peer heard long ago weighs no more.
const HEARD_MAX: usize = 51;
/// Fewer clocks than this say nothing: two or three peers may be wrong together.
const HEARD_MIN: usize = 5;
/// A median this far away is told to the owner: long before headers are refused, long after network delays.
const FAR_SECONDS: u64 = 600;

/// A clock. Tests hand in one that is wrong.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> u64 + Send + Sync>);

impl Clock {
    /// A clock that tells what `now` tells, in Unix seconds.
    #[must_use]
    pub fn new(now: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// This machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::new(unix_now)
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> UnixSeconds {
        UnixSeconds((self.0)())
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now().0)
    }
}

/// How far the clocks of others are from ours.
#[derive(Debug, Default)]
pub(crate) struct PeerClocks {
    offsets: VecDeque<i64>,
    was_far: bool,
}

impl PeerClocks {
    /// Notes what a peer this node chose says the time is. Those that come by themselves are not asked: anybody can
    /// come many times.
    pub(crate) fn hear(&mut self, theirs: u64, ours: UnixSeconds) {
        if self.offsets.len() == HEARD_MAX {
            self.offsets.pop_front();
        }
        let theirs = i64::try_from(theirs).unwrap_or(i64::MAX);
        let ours = i64::try_from(ours.0).unwrap_or(i64::MAX);
        self.offsets.push_back(theirs.saturating_sub(ours));
    }

    /// Seconds by which the clock in the middle is ahead of ours; `None` while too few were heard.
    pub(crate) fn median(&self) -> Option<i64> {
        if self.offsets.len() < HEARD_MIN {
            return None;
        }
        let mut sorted: Vec<i64> = self.offsets.iter().copied().collect();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    }

    /// [`Self::median`], if it is so far away that this machine's clock is likely wrong.
    pub(crate) fn far(&self) -> Option<i64> {
        self.median().filter(|median| is_far(*median))
    }

    /// [`Self::far`], once each time it comes to be.
    pub(crate) fn newly_far(&mut self) -> Option<i64> {
        let far = self.far();
        let is_new = far.is_some() && !self.was_far;
        self.was_far = far.is_some();
        far.filter(|_| is_new)
    }
}

/// Whether this machine's clock is likely wrong when others are this many seconds ahead of it.
pub(crate) const fn is_far(offset: i64) -> bool {
    offset.unsigned_abs() > FAR_SECONDS
}

/// What the owner is told.
pub(crate) fn advice(offset: i64) -> String {
    let direction = if offset > 0 { "behind" } else { "ahead" };
    let seconds = offset.unsigned_abs();
    format!("this machine's clock is {seconds} s {direction} of most peers': correct it")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

    #[test]
    fn a_few_clocks_say_nothing_and_liars_below_half_move_nothing() {
        let mut clocks = PeerClocks::default();
        for _ in 0..HEARD_MIN - 1 {
            clocks.hear(NOW.0 + 9000, NOW);
            assert_eq!(clocks.median(), None);
        }
        (0..5).for_each(|offset| clocks.hear(NOW.0 + offset, NOW));
        assert_eq!(clocks.far(), None);
        assert_eq!(clocks.median(), Some(4));
    }

    #[test]
    fn a_clock_hours_off_is_told_once_each_time() {
        let mut clocks = PeerClocks::default();
        (0..5).for_each(|_| clocks.hear(NOW.0 - 7200, NOW));
        assert_eq!(clocks.newly_far(), Some(-7200));
        assert_eq!(clocks.newly_far(), None);
        assert!(advice(-7200).contains("7200 s ahead"));
        (0..HEARD_MAX).for_each(|_| clocks.hear(NOW.0 - 600, NOW));
        assert_eq!((clocks.median(), clocks.newly_far()), (Some(-600), None));
        (0..HEARD_MAX).for_each(|_| clocks.hear(NOW.0 + 601, NOW));
        assert_eq!(clocks.newly_far(), Some(601));
        assert!(advice(601).contains("601 s behind"));
    }

    #[test]
    fn absurd_clocks_do_not_overflow() {
        let mut clocks = PeerClocks::default();
        (0..5).for_each(|_| clocks.hear(u64::MAX, UnixSeconds(0)));
        assert_eq!(clocks.far(), Some(i64::MAX));
        assert!(advice(i64::MIN).contains("ahead"));
    }
}
