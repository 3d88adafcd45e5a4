//! Fixed-width big-endian reading of canonical bytes, with errors instead of panics.

use alloy_primitives::{Address, B256};
use thiserror::Error;

/// Foreign bytes are not the canonical encoding of anything.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The encoding has one length only.
    #[error("expected {expected} bytes, found {found}")]
    Length {
        /// Bytes the format has.
        expected: usize,
        /// Bytes that came.
        found: usize,
    },
    /// The bytes end inside a field.
    #[error("the bytes end inside a field")]
    Truncated,
    /// Bytes follow the last field.
    #[error("{0} bytes follow the last field")]
    Surplus(usize),
    /// A field holds a value its type does not have.
    #[error("field `{field}` cannot be {value}")]
    Value {
        /// Which field.
        field: &'static str,
        /// What it held.
        value: u64,
    },
}

/// Takes fields off the front of a byte string.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    pub(crate) fn b256(&mut self) -> Result<B256, DecodeError> {
        self.array().map(B256::from)
    }

    pub(crate) fn address(&mut self) -> Result<Address, DecodeError> {
        self.array().map(Address::from)
    }

    pub(crate) fn end(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::Surplus(self.rest.len()))
        }
    }
}
