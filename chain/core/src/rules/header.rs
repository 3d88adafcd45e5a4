//! What makes a header a valid successor of those before it.

use gio_protocol::UnixSeconds;
use thiserror::Error;

use crate::header::Header;
use crate::params::{FUTURE_SECONDS_MAX, RETARGET_INTERVAL};
use crate::target::CompactTarget;

/// What the chain before a header demands of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderContext {
    /// The height it would have.
    pub height: u32,
    /// The bits it must carry.
    pub bits: CompactTarget,
    /// Median time of the eleven headers before it.
    pub median_time_past: u32,
    /// Time of the header before it.
    pub parent_time: u32,
    /// Time of its period's first header, if it is the last of that period.
    pub period_first_time: Option<u32>,
}

/// A rule that a header breaks in its place. Its work is checked apart, in batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// The bits are not those the retarget gives.
    #[error("bits {found}, but height {height} demands {required}")]
    WrongBits {
        /// Its height.
        height: u32,
        /// What it must carry.
        required: CompactTarget,
        /// What it carries.
        found: CompactTarget,
    },
    /// Not later than the median of the eleven before.
    #[error("time {time} is not after {median_time_past}, the median of the eleven before")]
    TimeTooOld {
        /// Its time.
        time: u32,
        /// What it must exceed.
        median_time_past: u32,
    },
    /// Too far ahead of the clock. It may become valid later.
    #[error("time {time} is more than two hours ahead of the clock, {now}")]
    TimeTooNew {
        /// Its time.
        time: u32,
        /// The clock.
        now: UnixSeconds,
    },
    /// The first of a period lies two hours before the last of the one before (R28).
    #[error("the period would begin at {time}, two hours before {parent_time}")]
    PeriodBeginsTooEarly {
        /// Its time.
        time: u32,
        /// Time of the header before.
        parent_time: u32,
    },
    /// The last of a period lies before its first (R28).
    #[error("the period would end at {time}, before its beginning {first_time}")]
    PeriodEndsBeforeBeginning {
        /// Its time.
        time: u32,
        /// Time of the period's first header.
        first_time: u32,
    },
}

impl HeaderError {
    /// Whether the same header may be valid later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::TimeTooNew { .. })
    }
}

/// Checks a header in its place. The caller knows the parent and checks the work.
///
/// # Errors
/// The first rule it breaks.
pub fn check_header(
    header: &Header,
    context: &HeaderContext,
    now: UnixSeconds,
) -> Result<(), HeaderError> {
    if header.bits != context.bits {
        return Err(HeaderError::WrongBits {
            height: context.height,
            required: context.bits,
            found: header.bits,
        });
    }
    let time = header.time;
    if time <= context.median_time_past {
        return Err(HeaderError::TimeTooOld {
            time,
            median_time_past: context.median_time_past,
        });
    }
    check_period(time, context)?;
    if u64::from(time) > now.after(u64::from(FUTURE_SECONDS_MAX)).0 {
        return Err(HeaderError::TimeTooNew { time, now });
    }
    Ok(())
}

/// The two rules of BIP 54 that keep the measured time of a period honest.
fn check_period(time: u32, context: &HeaderContext) -> Result<(), HeaderError> {
    let parent_time = context.parent_time;
    let begins = context.height.is_multiple_of(RETARGET_INTERVAL);
    if begins && time < parent_time.saturating_sub(FUTURE_SECONDS_MAX) {
        return Err(HeaderError::PeriodBeginsTooEarly { time, parent_time });
    }
    match context.period_first_time {
        Some(first_time) if time < first_time => {
            Err(HeaderError::PeriodEndsBeforeBeginning { time, first_time })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::{Network, Params};

    const NOW: UnixSeconds = UnixSeconds(2_000_000);

    fn context(height: u32) -> HeaderContext {
        HeaderContext {
            height,
            bits: CompactTarget(0x207f_ffff),
            median_time_past: 1_000_000,
            parent_time: 1_900_000,
            period_first_time: (height % 1440 == 1439).then_some(1_800_000),
        }
    }

    fn at(height: u32, time: u32) -> Result<(), HeaderError> {
        let genesis = Params::of(Network::Regtest).genesis.header;
        check_header(&Header { time, ..genesis }, &context(height), NOW)
    }

    #[test]
    fn the_time_lies_between_the_median_and_two_hours_from_now() {
        assert!(at(7, 1_000_001).is_ok());
        assert!(matches!(
            at(7, 1_000_000),
            Err(HeaderError::TimeTooOld { .. })
        ));
        assert!(at(7, 2_007_200).is_ok());
        let error = at(7, 2_007_201).unwrap_err();
        assert!(matches!(error, HeaderError::TimeTooNew { .. }) && error.is_transient());
    }

    #[test]
    fn r28_a_period_begins_at_most_two_hours_before_the_last_ended() {
        assert!(at(1440, 1_892_800).is_ok());
        let error = at(1440, 1_892_799).unwrap_err();
        assert!(matches!(error, HeaderError::PeriodBeginsTooEarly { .. }));
        assert!(at(1441, 1_892_799).is_ok());
    }

    #[test]
    fn r28_a_period_ends_after_its_beginning() {
        assert!(at(1439, 1_800_000).is_ok());
        let error = at(1439, 1_799_999).unwrap_err();
        assert!(matches!(
            error,
            HeaderError::PeriodEndsBeforeBeginning { .. }
        ));
        assert!(at(1438, 1_799_999).is_ok());
    }

    #[test]
    fn other_bits_are_refused_even_if_harder() {
        let mut header = Params::of(Network::Regtest).genesis.header;
        header.time = 1_950_000;
        header.bits = CompactTarget(0x2070_0000);
        let error = check_header(&header, &context(7), NOW).unwrap_err();
        assert!(matches!(error, HeaderError::WrongBits { height: 7, .. }));
    }
}
