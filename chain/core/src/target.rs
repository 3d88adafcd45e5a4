//! Proof-of-work numbers: compact bits, targets and accumulated work.

use std::fmt;
use std::ops::Add;

use ruint::Uint;
use thiserror::Error;

use crate::hash::PowHash;

type U256 = Uint<256, 4>;

/// Compact bits do not stand for a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CompactTargetError {
    /// The sign bit is set.
    #[error("compact target is negative")]
    Negative,
    /// The value is zero.
    #[error("compact target is zero")]
    Zero,
    /// The value has more than 256 bits.
    #[error("compact target has more than 256 bits")]
    Overflow,
}

/// A target as a header carries it: one byte of size in bytes, three bytes of leading digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CompactTarget(pub u32);

impl CompactTarget {
    /// The target these bits stand for.
    ///
    /// # Errors
    /// [`CompactTargetError`] if they stand for none.
    pub fn expand(self) -> Result<Target, CompactTargetError> {
        let size = self.0 >> 24;
        let digits = self.0 & 0x007f_ffff;
        let value = if size <= 3 {
            U256::from(digits >> (8 * (3 - size)))
        } else {
            let shift = 8 * (size - 3) as usize;
            let value = U256::from(digits);
            if value.bit_len() + shift > 256 {
                return Err(CompactTargetError::Overflow);
            }
            value << shift
        };
        if value.is_zero() {
            return Err(CompactTargetError::Zero);
        }
        if self.0 & 0x0080_0000 != 0 {
            return Err(CompactTargetError::Negative);
        }
        Ok(Target(value))
    }
}

impl fmt::Display for CompactTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// The largest proof-of-work hash a block may have. Never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target(U256);

impl Target {
    /// `2^bits − 1`.
    #[must_use]
    pub fn from_bit_len(bits: u8) -> Self {
        let one = U256::from(1);
        Self(((one << usize::from(bits)) - one).max(one))
    }

    /// The shortest form; digits beyond the leading three bytes are dropped.
    #[must_use]
    pub fn to_compact(self) -> CompactTarget {
        let mut size = self.0.bit_len().div_ceil(8);
        let mut digits = if size <= 3 {
            self.0.to::<u32>() << (8 * (3 - size))
        } else {
            (self.0 >> (8 * (size - 3))).to::<u32>()
        };
        if digits & 0x0080_0000 != 0 {
            digits >>= 8;
            size += 1;
        }
        let size = u32::try_from(size).expect("a target has at most 33 digits");
        CompactTarget(digits | size << 24)
    }

    /// Whether a proof-of-work hash is small enough.
    #[must_use]
    pub fn is_met_by(&self, pow_hash: &PowHash) -> bool {
        U256::from_le_bytes(pow_hash.to_bytes()) <= self.0
    }

    /// `self · numerator / denominator`, at most `limit` and at least one.
    #[must_use]
    pub fn scaled(self, numerator: u32, denominator: u32, limit: Self) -> Self {
        let wide = Uint::<320, 5>::from(self.0) * Uint::from(numerator) / Uint::from(denominator);
        let scaled = wide.min(Uint::from(limit.0)).to::<U256>();
        Self(scaled.max(U256::from(1)))
    }

    /// The expected number of hashes to meet this target: `2^256 / (target + 1)`.
    #[must_use]
    pub fn work(self) -> Work {
        if self.0 == U256::MAX {
            return Work(U256::from(1));
        }
        let one = U256::from(1);
        Work(!self.0 / (self.0 + one) + one)
    }

    /// Big-endian bytes, the order in which a target is printed.
    #[must_use]
    pub fn to_be_bytes(self) -> [u8; 32] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:064x}", self.0)
    }
}

/// Expected hashes behind a header or a chain. The sum decides between forks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Work(U256);

impl Work {
    /// No work.
    pub const ZERO: Self = Self(U256::ZERO);

    /// So many hashes.
    #[must_use]
    pub fn from_hashes(hashes: u64) -> Self {
        Self(U256::from(hashes))
    }

    /// Big-endian bytes.
    #[must_use]
    pub fn to_be_bytes(self) -> [u8; 32] {
        self.0.to_be_bytes()
    }

    /// From big-endian bytes.
    #[must_use]
    pub fn from_be_bytes(bytes: [u8; 32]) -> Self {
        Self(U256::from_be_bytes(bytes))
    }
}

impl Add for Work {
    type Output = Self;

    /// Saturates: 2^256 hashes are out of anybody's reach.
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use bitcoin::pow as oracle;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn compact_bits_table() {
        // Values of the reference client's own test for compact numbers.
        let table: [(u32, &str, u32); 10] = [
            (0x0112_3456, "12", 0x0112_0000),
            (0x0201_0000, "100", 0x0201_0000),
            (0x0212_3456, "1234", 0x0212_3400),
            (0x0312_3456, "123456", 0x0312_3456),
            (0x0412_3456, "12345600", 0x0412_3456),
            (0x0500_9234, "92340000", 0x0500_9234),
            (0x1e0f_fff0, "ffff0", 0x1e0f_fff0),
            (0x207f_ffff, "7fffff", 0x207f_ffff),
            (0x1d00_ffff, "ffff", 0x1d00_ffff),
            (0x0101_0000, "1", 0x0101_0000),
        ];
        for (bits, leading, canonical) in table {
            let target = CompactTarget(bits).expand().unwrap();
            let text = target.to_string();
            assert!(text.trim_start_matches('0').starts_with(leading), "{text}");
            assert_eq!(target.to_compact(), CompactTarget(canonical), "{text}");
        }
    }

    #[test]
    fn bits_that_stand_for_nothing_are_refused() {
        let cases = [
            (0x0000_0000, CompactTargetError::Zero),
            (0x0012_3456, CompactTargetError::Zero),
            (0x0100_3456, CompactTargetError::Zero),
            (0x0400_0000, CompactTargetError::Zero),
            (0x0192_3456, CompactTargetError::Negative),
            (0x0492_3456, CompactTargetError::Negative),
            (0xff12_3456, CompactTargetError::Overflow),
            (0x2101_0000, CompactTargetError::Overflow),
            (0x2200_0100, CompactTargetError::Overflow),
        ];
        for (bits, error) in cases {
            assert_eq!(CompactTarget(bits).expand(), Err(error), "{bits:08x}");
        }
        assert!(CompactTarget(0x2100_ffff).expand().is_ok());
        assert!(CompactTarget(0x2200_00ff).expand().is_ok());
    }

    #[test]
    fn the_target_itself_is_met() {
        let target = CompactTarget(0x1e0f_fff0).expand().unwrap();
        let mut exact = target.to_be_bytes();
        exact.reverse();
        assert!(target.is_met_by(&PowHash::from_bytes(exact)));
        exact[0] += 1;
        assert!(!target.is_met_by(&PowHash::from_bytes(exact)));
    }

    #[test]
    fn work_of_the_easiest_targets() {
        assert_eq!(Target(U256::MAX).work(), Work::from_hashes(1));
        assert_eq!(Target::from_bit_len(255).work(), Work::from_hashes(2));
        assert_eq!(Target::from_bit_len(236).work(), Work::from_hashes(1 << 20));
    }

    proptest! {
        #[test]
        fn compact_target_and_work_agree_with_the_bitcoin_crate(bits: u32) {
            if let Ok(target) = CompactTarget(bits).expand() {
                let theirs = oracle::Target::from_compact(oracle::CompactTarget::from_consensus(bits));
                prop_assert_eq!(target.to_be_bytes(), theirs.to_be_bytes());
                prop_assert_eq!(target.to_compact().0, theirs.to_compact_lossy().to_consensus());
                prop_assert_eq!(target.work().to_be_bytes(), theirs.to_work().to_be_bytes());
                prop_assert_eq!(target.to_compact().expand(), Ok(target));
            }
        }

        #[test]
        fn scaling_stays_between_one_and_the_limit(bits in 0u8..=255, n: u32, d in 1u32..) {
            let limit = Target::from_bit_len(236);
            let scaled = Target::from_bit_len(bits).scaled(n, d, limit);
            prop_assert!(scaled <= limit && scaled >= Target(U256::from(1)));
        }
    }
}
