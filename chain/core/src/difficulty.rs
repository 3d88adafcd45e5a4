//! How hard the next block is: the retarget of every 1,440 blocks.

use crate::params::{RETARGET_INTERVAL, RETARGET_SECONDS};
use crate::target::{CompactTarget, CompactTargetError, Target};

/// The measured time is taken as at least a quarter and at most four times what it should be.
const CLAMP: u32 = 4;

/// Whether the difficulty changes with the block at this height.
#[must_use]
pub const fn is_retarget(height: u32) -> bool {
    height > 0 && height.is_multiple_of(RETARGET_INTERVAL)
}

/// The height whose time starts the measurement that ends with the block before `height`.
///
/// A period has 1,440 intervals, so it starts at the last block of the period before: leaving
/// that interval out is what let miners of early coins fake time. The first period has no
/// block before it and is measured over its 1,439 inner intervals.
#[must_use]
pub const fn measured_from(height: u32) -> u32 {
    height.saturating_sub(RETARGET_INTERVAL + 1)
}

/// The bits of the next period: the old target scaled by how long the old period took.
///
/// # Errors
/// [`CompactTargetError`] if the old bits stand for no target.
pub fn retarget(
    old: CompactTarget,
    first_time: u32,
    last_time: u32,
    limit: Target,
) -> Result<CompactTarget, CompactTargetError> {
    let measured = i64::from(last_time) - i64::from(first_time);
    let least = i64::from(RETARGET_SECONDS / CLAMP);
    let most = i64::from(RETARGET_SECONDS * CLAMP);
    let measured = u32::try_from(measured.clamp(least, most)).expect("clamped to four days");
    let scaled = old.expand()?.scaled(measured, RETARGET_SECONDS, limit);
    Ok(scaled.to_compact())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ruint::aliases::U256;

    use super::*;

    const DAY: u32 = RETARGET_SECONDS;
    const LIMIT_BITS: CompactTarget = CompactTarget(0x1e0f_ffff);

    fn limit() -> Target {
        Target::from_bit_len(236)
    }

    fn after(old: u32, seconds: u32) -> u32 {
        let bits = retarget(CompactTarget(old), 1_000_000, 1_000_000 + seconds, limit());
        bits.unwrap().0
    }

    #[test]
    fn retarget_table() {
        let old = 0x1c05_a3f4;
        assert_eq!(after(old, DAY), old);
        assert_eq!(after(old, 2 * DAY), 0x1c0b_47e8);
        assert_eq!(after(old, DAY / 2), 0x1c02_d1fa);
        assert_eq!(after(old, 4 * DAY), 0x1c16_8fd0);
        assert_eq!(after(old, DAY / 4), 0x1c01_68fd);
        // A second beyond a clamp changes nothing, a second inside does.
        assert_eq!(after(old, 4 * DAY + 1), after(old, 4 * DAY));
        assert_eq!(after(old, DAY / 4 - 1), after(old, DAY / 4));
        assert_ne!(after(old, DAY / 4 + 1), after(old, DAY / 4));
        assert_ne!(after(old, 4 * DAY - 1), after(old, 4 * DAY));
        assert_eq!(after(old, 0), after(old, DAY / 4));
        // The limit holds, and rounding to three digits only ever makes the target smaller.
        assert_eq!(after(LIMIT_BITS.0, DAY + 1), LIMIT_BITS.0);
        assert_eq!(after(LIMIT_BITS.0, DAY - 1), 0x1e0f_fff2);
    }

    #[test]
    fn time_that_runs_backwards_counts_as_a_quarter() {
        let bits = retarget(CompactTarget(0x1c05_a3f4), 2_000_000, 1_000_000, limit());
        assert_eq!(bits.unwrap().0, 0x1c01_68fd);
    }

    #[test]
    fn periods_start_where_the_one_before_ended() {
        assert_eq!(measured_from(1440), 0);
        assert_eq!(measured_from(2880), 1439);
        assert_eq!(measured_from(4320), 2879);
        assert!(!is_retarget(0) && is_retarget(1440) && !is_retarget(1441));
    }

    /// Litecoin's own arithmetic, written from its source's description: shift right by one
    /// where the product could leave 256 bits, multiply, divide, shift back.
    fn litecoin(old: U256, measured: u32, limit: U256) -> U256 {
        let measured = measured.clamp(DAY / 4, DAY * 4);
        let shift = usize::from(old.bit_len() > limit.bit_len() - 1);
        let new = (old >> shift) * U256::from(measured) / U256::from(DAY);
        (new << shift).min(limit)
    }

    proptest! {
        #[test]
        fn retarget_agrees_with_litecoins_formula(
            digits in 0x8000u32..0x80_0000, size in 4u32..0x1e, seconds in 0..6 * DAY
        ) {
            let old = CompactTarget(size << 24 | digits);
            prop_assume!(old.expand().unwrap() <= limit());
            let wide = |target: Target| U256::from_be_bytes(target.to_be_bytes());
            let theirs = litecoin(wide(old.expand().unwrap()), seconds, wide(limit()));
            let ours = CompactTarget(after(old.0, seconds)).expand().unwrap();
            // Equal to the three digits a header keeps; the shifted bit is below them.
            prop_assert_eq!(wide(ours), {
                let bits = bitcoin::pow::Target::from_be_bytes(theirs.to_be_bytes());
                let bits = CompactTarget(bits.to_compact_lossy().to_consensus());
                wide(bits.expand().unwrap())
            });
        }
    }

    /// Constant hash rate, exponential intervals: after some periods the mean is a minute.
    #[test]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a simulation samples intervals"
    )]
    fn constant_hash_rate_converges_to_sixty_seconds() {
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut uniform = move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed >> 11) as f64 / (1u64 << 53) as f64
        };
        let hashes_per_second = 3_000_000.0;
        let mut bits = LIMIT_BITS;
        let (mut now, mut last, mut period_mean) = (0.0f64, 0.0f64, 0.0f64);
        for period in 0..40u32 {
            let start = last;
            let target = bits.expand().unwrap().to_be_bytes();
            let share = u64::from_be_bytes(target[..8].try_into().unwrap()) as f64 / 2f64.powi(64);
            for _ in 0..RETARGET_INTERVAL {
                now -= (1.0 - uniform()).ln() / (share * hashes_per_second);
            }
            last = now;
            bits = retarget(bits, start as u32, last as u32, limit()).unwrap();
            if period >= 20 {
                period_mean += (last - start) / f64::from(RETARGET_INTERVAL) / 20.0;
            }
        }
        assert!((57.0..=63.0).contains(&period_mean), "{period_mean}");
    }
}
