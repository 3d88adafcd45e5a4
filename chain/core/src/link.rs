//! The link of an output: which resource of the market it pays for (`docs/coin.md` 2.3).

use thiserror::Error;

use crate::hash::{LinkHash, sha256};

/// Longest link. It is paid for like any byte of a block, but every wallet and the bridge's
/// contract must be able to show and parse it; a URI of a deal (R31) needs about 150 bytes.
pub const MAX_LINK_BYTES: usize = 256;

/// A link has more than [`MAX_LINK_BYTES`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a link of {0} bytes, at most {MAX_LINK_BYTES} are allowed")]
pub struct LinkTooLong(pub usize);

/// Bytes that name what an output pays for; empty if it names nothing.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Link(Vec<u8>);

impl Link {
    /// No link.
    pub const NONE: Self = Self(Vec::new());

    /// A link with these bytes.
    ///
    /// # Errors
    /// [`LinkTooLong`].
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, LinkTooLong> {
        let bytes = bytes.into();
        if bytes.len() > MAX_LINK_BYTES {
            return Err(LinkTooLong(bytes.len()));
        }
        Ok(Self(bytes))
    }

    /// Whether the output names nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What the UTXO set keeps of it: nothing of no link, 32 bytes of any other.
    #[must_use]
    pub fn hash(&self) -> Option<LinkHash> {
        (!self.is_empty()).then(|| LinkHash::from_bytes(sha256(&self.0)))
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Link(\"{}\")", self.0.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_exact() {
        assert!(Link::new(vec![7; MAX_LINK_BYTES]).is_ok());
        assert_eq!(Link::new(vec![7; 257]), Err(LinkTooLong(257)));
        assert_eq!(Link::NONE.hash(), None);
        assert!(Link::new(*b"x").unwrap().hash().is_some());
    }
}
