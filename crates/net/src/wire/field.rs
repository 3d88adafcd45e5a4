//! Fixed-width fields: from foreign bytes to typed values, with the name of the field that is wrong.

use alloy_primitives::{Address, B256};
use bytes::Bytes;
use gio_protocol::Signature;
use thiserror::Error;
use tonic::Status;

/// A field that has not the width its meaning requires.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{field}` has {found} bytes, not {expected}")]
pub struct FieldError {
    /// As the `.proto` file calls it.
    pub field: &'static str,
    /// Bytes its type has.
    pub expected: usize,
    /// Bytes that came.
    pub found: usize,
}

impl From<FieldError> for Status {
    fn from(error: FieldError) -> Self {
        Self::invalid_argument(error.to_string())
    }
}

/// A field of fixed width.
///
/// # Errors
/// [`FieldError`].
pub fn fixed<const N: usize>(field: &'static str, bytes: &[u8]) -> Result<[u8; N], FieldError> {
    bytes.try_into().map_err(|_| FieldError {
        field,
        expected: N,
        found: bytes.len(),
    })
}

/// A 20-byte address.
///
/// # Errors
/// [`FieldError`].
pub fn address(field: &'static str, bytes: &[u8]) -> Result<Address, FieldError> {
    fixed(field, bytes).map(Address::new)
}

/// A 32-byte hash, root, seed or nonce.
///
/// # Errors
/// [`FieldError`].
pub fn hash(field: &'static str, bytes: &[u8]) -> Result<B256, FieldError> {
    fixed(field, bytes).map(B256::new)
}

/// A 65-byte signature.
///
/// # Errors
/// [`FieldError`].
pub fn signature(field: &'static str, bytes: &[u8]) -> Result<Signature, FieldError> {
    fixed(field, bytes).map(Signature)
}

/// The wire's form of an address, a hash or a signature.
pub fn bytes(value: impl AsRef<[u8]>) -> Bytes {
    Bytes::copy_from_slice(value.as_ref())
}

/// The wire's form of a signature.
#[must_use]
pub fn signature_bytes(signature: &Signature) -> Bytes {
    bytes(signature.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_width_names_its_field() {
        assert_eq!(hash("root", &[7; 32]).unwrap(), B256::repeat_byte(7));
        let error = address("wallet", &[0; 32]).unwrap_err();
        assert_eq!(error.to_string(), "`wallet` has 32 bytes, not 20");
        assert_eq!(Status::from(error).code(), tonic::Code::InvalidArgument);
        assert!(signature("signature", &[0; 64]).is_err());
    }
}
