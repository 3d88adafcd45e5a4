//! Reading and writing bytes: little-endian integers and lengths, never more memory than input.

use sha2::{Digest, Sha256};
use thiserror::Error;

/// Bytes are not the encoding of what was expected. Each variant is a rule of `docs/coin.md` 1.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The bytes end inside a field.
    #[error("{missing} more bytes expected")]
    UnexpectedEnd {
        /// How many bytes the field still needs.
        missing: usize,
    },
    /// Bytes follow the end of the object.
    #[error("{extra} bytes follow the end")]
    TrailingBytes {
        /// How many.
        extra: usize,
    },
    /// A length is not in its shortest form.
    #[error("a length is not in its shortest form")]
    LengthNotMinimal,
    /// A count promises more items than the remaining bytes could hold.
    #[error("{count} {what} cannot fit into the {remaining} bytes left")]
    TooMany {
        /// What is counted.
        what: &'static str,
        /// The promised count.
        count: u64,
        /// The bytes left.
        remaining: usize,
    },
    /// An object is larger than any valid one.
    #[error("{what} of {length} bytes, at most {max} are allowed")]
    TooLarge {
        /// What it is.
        what: &'static str,
        /// Its size.
        length: u64,
        /// The limit.
        max: usize,
    },
    /// A transaction without inputs: its bytes would be read as a section flag.
    #[error("a transaction without inputs")]
    NoInputs,
    /// The flag after the zero marker names a section that does not exist.
    #[error("unknown section flag {0:#04x}")]
    UnknownFlag(u8),
    /// A witness section in which every witness is empty.
    #[error("an empty witness section")]
    EmptyWitnesses,
    /// A link section in which every link is empty.
    #[error("an empty link section")]
    EmptyLinks,
}

/// Takes fields off the front of a byte string.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Bytes not yet read.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// [`DecodeError::UnexpectedEnd`].
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            let missing = count - self.rest.len();
            return Err(DecodeError::UnexpectedEnd { missing });
        };
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// [`DecodeError::UnexpectedEnd`].
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else {
            let missing = N - self.rest.len();
            return Err(DecodeError::UnexpectedEnd { missing });
        };
        self.rest = rest;
        Ok(*taken)
    }

    /// One byte.
    ///
    /// # Errors
    /// [`DecodeError::UnexpectedEnd`].
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(|[byte]| byte)
    }

    /// Four bytes, little-endian.
    ///
    /// # Errors
    /// [`DecodeError::UnexpectedEnd`].
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }

    /// Eight bytes, little-endian.
    ///
    /// # Errors
    /// [`DecodeError::UnexpectedEnd`].
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_le_bytes)
    }

    /// A length in the variable form of one, three, five or nine bytes.
    ///
    /// # Errors
    /// [`DecodeError::LengthNotMinimal`], [`DecodeError::UnexpectedEnd`].
    pub fn compact(&mut self) -> Result<u64, DecodeError> {
        let (value, least) = match self.u8()? {
            0xfd => (u64::from(u16::from_le_bytes(self.array()?)), 0xfd),
            0xfe => (u64::from(self.u32()?), 0x1_0000),
            0xff => (self.u64()?, 0x1_0000_0000),
            small => (u64::from(small), 0),
        };
        if value < least {
            return Err(DecodeError::LengthNotMinimal);
        }
        Ok(value)
    }

    /// A count of items of at least `item_bytes_min` bytes each: refused before anything is
    /// allocated if the remaining bytes cannot hold that many.
    ///
    /// # Errors
    /// [`DecodeError::TooMany`] and those of [`Reader::compact`].
    pub fn count(
        &mut self,
        what: &'static str,
        item_bytes_min: usize,
    ) -> Result<usize, DecodeError> {
        let count = self.compact()?;
        let remaining = self.remaining();
        usize::try_from(count)
            .ok()
            .filter(|count| *count <= remaining / item_bytes_min.max(1))
            .ok_or(DecodeError::TooMany {
                what,
                count,
                remaining,
            })
    }

    /// A length followed by that many bytes, at most `max`.
    ///
    /// # Errors
    /// [`DecodeError::TooLarge`] and those of [`Reader::compact`].
    pub fn var_bytes(&mut self, what: &'static str, max: usize) -> Result<&'a [u8], DecodeError> {
        let length = self.compact()?;
        match usize::try_from(length) {
            Ok(count) if count <= max => self.bytes(count),
            _ => Err(DecodeError::TooLarge { what, length, max }),
        }
    }

    /// Nothing may be left.
    ///
    /// # Errors
    /// [`DecodeError::TrailingBytes`].
    pub const fn finish(&self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            extra => Err(DecodeError::TrailingBytes { extra }),
        }
    }
}

/// Where encoded bytes go: a buffer, a hash, or a mere count.
pub trait Sink {
    /// Appends bytes.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Sink for Sha256 {
    fn put(&mut self, bytes: &[u8]) {
        self.update(bytes);
    }
}

/// Counts bytes instead of keeping them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByteCount(pub usize);

impl Sink for ByteCount {
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}

/// Writes a length in its shortest form.
pub fn put_compact<S: Sink + ?Sized>(sink: &mut S, value: usize) {
    let bytes = (value as u64).to_le_bytes();
    match value {
        0..=0xfc => sink.put(&bytes[..1]),
        0xfd..=0xffff => {
            sink.put(&[0xfd]);
            sink.put(&bytes[..2]);
        }
        0x1_0000..=0xffff_ffff => {
            sink.put(&[0xfe]);
            sink.put(&bytes[..4]);
        }
        _ => {
            sink.put(&[0xff]);
            sink.put(&bytes);
        }
    }
}

/// Writes a length and then the bytes.
pub fn put_var_bytes<S: Sink + ?Sized>(sink: &mut S, bytes: &[u8]) {
    put_compact(sink, bytes.len());
    sink.put(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_one_encoding() {
        for value in [
            0,
            1,
            0xfc,
            0xfd,
            0xffff,
            0x1_0000,
            0xffff_ffff,
            0x1_0000_0000,
        ] {
            let mut bytes = Vec::new();
            put_compact(&mut bytes, value);
            assert_eq!(Reader::new(&bytes).compact(), Ok(value as u64));
        }
        for longer in [
            &[0xfd, 0xfc, 0][..],
            &[0xfe, 0xff, 0xff, 0, 0],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0],
        ] {
            let decoded = Reader::new(longer).compact();
            assert_eq!(decoded, Err(DecodeError::LengthNotMinimal));
        }
    }

    #[test]
    fn a_count_larger_than_the_input_allocates_nothing() {
        let bytes = [
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3,
        ];
        let error = Reader::new(&bytes).count("inputs", 41);
        let expected = DecodeError::TooMany {
            what: "inputs",
            count: u64::MAX,
            remaining: 3,
        };
        assert_eq!(error, Err(expected));
    }
}
