//! Numbers on the stack: little-endian, sign in the highest bit, zero is the empty string.

/// A stack item is not a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumberError {
    /// More bytes than this operation reads.
    TooLong,
    /// Not the shortest form.
    NotMinimal,
}

/// What arithmetic reads.
pub(super) const DEFAULT_BYTES: usize = 4;
/// What lock times read: they go beyond 2^31.
pub(super) const LOCK_TIME_BYTES: usize = 5;

/// The shortest form of a number.
pub(super) fn encode(value: i64) -> Vec<u8> {
    let mut magnitude = value.unsigned_abs();
    let mut bytes = Vec::with_capacity(9);
    while magnitude > 0 {
        bytes.push((magnitude & 0xff) as u8);
        magnitude >>= 8;
    }
    let sign = if value < 0 { 0x80 } else { 0 };
    match bytes.last_mut() {
        Some(last) if *last & 0x80 == 0 => *last |= sign,
        Some(_) => bytes.push(sign),
        None => {}
    }
    bytes
}

/// Reads a number of at most `max` (≤ 8) bytes.
pub(super) fn decode(bytes: &[u8], max: usize, minimal: bool) -> Result<i64, NumberError> {
    if bytes.len() > max {
        return Err(NumberError::TooLong);
    }
    if minimal && !is_minimal(bytes) {
        return Err(NumberError::NotMinimal);
    }
    let Some((last, rest)) = bytes.split_last() else {
        return Ok(0);
    };
    let high = i64::from(last & 0x7f) << (8 * rest.len());
    let low = rest
        .iter()
        .rev()
        .fold(0, |sum, byte| sum << 8 | i64::from(*byte));
    let magnitude = high | low;
    Ok(if last & 0x80 == 0 {
        magnitude
    } else {
        -magnitude
    })
}

fn is_minimal(bytes: &[u8]) -> bool {
    match bytes {
        [] => true,
        [.., last] if last & 0x7f != 0 => true,
        [.., before, _] => before & 0x80 != 0,
        [_] => false,
    }
}

/// Whether an item counts as true: anything but zero and negative zero.
pub(super) fn is_true(bytes: &[u8]) -> bool {
    let Some((last, rest)) = bytes.split_last() else {
        return false;
    };
    rest.iter().any(|byte| *byte != 0) || last & 0x7f != 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_encodings() {
        let table: [(i64, &[u8]); 9] = [
            (0, &[]),
            (1, &[1]),
            (-1, &[0x81]),
            (127, &[0x7f]),
            (128, &[0x80, 0]),
            (-128, &[0x80, 0x80]),
            (-255, &[0xff, 0x80]),
            (486_604_799, &[0xff, 0xff, 0, 0x1d]),
            (0x8000_0000, &[0, 0, 0, 0x80, 0]),
        ];
        for (value, bytes) in table {
            assert_eq!(encode(value), bytes);
            assert_eq!(decode(bytes, 5, true), Ok(value));
        }
        assert_eq!(decode(&[0], 4, true), Err(NumberError::NotMinimal));
        assert_eq!(decode(&[1, 0x80], 4, true), Err(NumberError::NotMinimal));
        assert_eq!(decode(&[1, 0x80], 4, false), Ok(-1));
        assert_eq!(decode(&[1; 5], 4, false), Err(NumberError::TooLong));
        assert!(!is_true(&[0, 0x80]) && is_true(&[0x80, 0]) && !is_true(&[]));
    }

    proptest! {
        #[test]
        fn numbers_round_trip(value in -(1i64 << 39) + 1..1 << 39) {
            prop_assert_eq!(decode(&encode(value), 5, true), Ok(value));
        }

        #[test]
        fn minimal_means_what_encode_gives(
            bytes in proptest::collection::vec(prop_oneof![Just(0u8), Just(0x80), any::<u8>()], 0..5)
        ) {
            let value = decode(&bytes, 5, false).unwrap();
            prop_assert_eq!(decode(&bytes, 5, true).is_ok(), encode(value) == bytes);
            prop_assert_eq!(is_true(&bytes), value != 0);
        }
    }
}
