//! What a unit may still use, handed out in slices so that deadline and cancel are seen in between.

use std::fmt;

use crate::limits::{RunControl, StopReason};

/// CU handed out at once: some 10 ms of work, so a cancelled run stops about that soon, while the way to the
/// host and back stays below a millionth of the time.
const SLICE_CU: u64 = 1 << 24;

/// Bytes that the host moves for one CU, as bulk memory operations in the guest do.
const BYTES_PER_CU: u64 = 8;

/// Why a run stops before the program returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Halt {
    /// The program asked to, with this code.
    Exit(u32),
    /// The program did what ends it: wrote past its output limit, or called the host without a memory.
    Trap,
    /// The next charge would pass the CU limit.
    Exhausted,
    /// The caller wants it to.
    Stop(StopReason),
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(code) => write!(f, "the program exited with code {code}"),
            Self::Trap => f.write_str("the program trapped in a call of the host"),
            Self::Exhausted => f.write_str("the program used up its compute units"),
            Self::Stop(_) => f.write_str("the run was stopped"),
        }
    }
}

impl std::error::Error for Halt {}

/// The account of one run. What is left of the handed out CU is the guest's own counter; it may be below zero,
/// because the fast build looks at it only now and then.
#[derive(Debug)]
pub(crate) struct Meter {
    limit: u64,
    granted: u64,
    control: RunControl,
}

impl Meter {
    /// `begun`: CU that were used before the guest's counter began; the limit covers them.
    pub(crate) fn new(limit: u64, begun: u64, control: RunControl) -> Self {
        Self {
            limit,
            granted: begun,
            control,
        }
    }

    /// CU used when so much is left.
    pub(crate) fn used(&self, left: i64) -> u64 {
        u64::try_from(i128::from(self.granted) - i128::from(left)).unwrap_or(0)
    }

    /// Adds to what is left until `needed` are there.
    pub(crate) fn refill(&mut self, left: i64, needed: u64) -> Result<i64, Halt> {
        if let Some(reason) = self.control.stop_reason() {
            return Err(Halt::Stop(reason));
        }
        let missing = i128::from(needed) - i128::from(left);
        let at_least = u64::try_from(missing.max(0)).map_err(|_| Halt::Exhausted)?;
        let grant = at_least.max(SLICE_CU).min(self.limit - self.granted);
        if grant < at_least {
            return Err(Halt::Exhausted);
        }
        self.granted += grant;
        // A grant is at most what is missing or a slice, so what is left stays near `needed`.
        i64::try_from(i128::from(left) + i128::from(grant)).map_err(|_| Halt::Exhausted)
    }

    /// Check, then subtract: what the host does for the program costs CU as if the program had done it.
    pub(crate) fn charge(&mut self, left: &mut i64, cu: u64) -> Result<(), Halt> {
        let cost = i64::try_from(cu).map_err(|_| Halt::Exhausted)?;
        if *left < cost {
            *left = self.refill(*left, cu)?;
        }
        *left -= cost;
        Ok(())
    }

    pub(crate) fn charge_bytes(&mut self, left: &mut i64, bytes: u64) -> Result<(), Halt> {
        self.charge(left, bytes.div_ceil(BYTES_PER_CU))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_add_up_to_the_limit_and_no_further() {
        let limit = 3 * SLICE_CU + 5;
        let mut meter = Meter::new(limit, 0, RunControl::none());
        let mut left = 0;
        let mut spent = 0;
        while meter.charge(&mut left, 1000).is_ok() {
            spent += 1000;
            assert_eq!(meter.used(left), spent);
        }
        assert_eq!(spent, limit / 1000 * 1000);
        let rest = limit - spent;
        meter.charge(&mut left, rest).unwrap();
        assert_eq!(meter.charge(&mut left, 1), Err(Halt::Exhausted));
        assert_eq!(meter.used(left), limit);
    }

    #[test]
    fn a_counter_below_zero_is_debt() {
        let mut meter = Meter::new(100, 0, RunControl::none());
        assert_eq!(meter.refill(-40, 0), Ok(60));
        assert_eq!(meter.used(60), 40);
        assert_eq!(meter.refill(-1, 0), Err(Halt::Exhausted));
        assert_eq!(meter.refill(0, u64::MAX), Err(Halt::Exhausted));
    }

    #[test]
    fn the_largest_limit_does_not_overflow() {
        let mut meter = Meter::new(u64::MAX, 0, RunControl::none());
        let mut left = 0;
        meter.charge(&mut left, 1 << 62).unwrap();
        meter.charge(&mut left, 1 << 62).unwrap();
        assert_eq!(meter.used(left), 1 << 63);
    }
}
