//! A deal's life as the wallet contract knows it (`docs/protocol.md` section 7).

use std::fmt;

use alloy_primitives::B256;
use serde::{Deserialize, Serialize};

use crate::reader::DecodeError;

/// The EIP-712 digest of a deal's terms: its only name (R1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DealId(pub B256);

impl fmt::Display for DealId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl TryFrom<&[u8]> for DealId {
    type Error = DecodeError;

    fn try_from(bytes: &[u8]) -> Result<Self, DecodeError> {
        let word = <[u8; 32]>::try_from(bytes).map_err(|_| DecodeError::Length {
            expected: 32,
            found: bytes.len(),
        })?;
        Ok(Self(B256::from(word)))
    }
}

/// The wallet's states of a deal; the discriminants are the contract's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DealStage {
    /// Never opened.
    None = 0,
    /// The cap is in escrow.
    Open = 1,
    /// A result root is posted and its window runs.
    Posted = 2,
    /// Paid as R2 says.
    Settled = 3,
    /// Nothing was delivered; the cap went back.
    Refunded = 4,
    /// Ended by both signatures.
    Cancelled = 5,
    /// The posted bill was shown to be false; the cap and the guarantee went to the buyer.
    Refuted = 6,
}

impl DealStage {
    /// Whether nothing can change any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(
            self,
            Self::Settled | Self::Refunded | Self::Cancelled | Self::Refuted
        )
    }

    /// The word users read.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Open => "open",
            Self::Posted => "posted",
            Self::Settled => "settled",
            Self::Refunded => "refunded",
            Self::Cancelled => "cancelled",
            Self::Refuted => "refuted",
        }
    }
}

impl TryFrom<u8> for DealStage {
    type Error = DecodeError;

    fn try_from(value: u8) -> Result<Self, DecodeError> {
        Ok(match value {
            0 => Self::None,
            1 => Self::Open,
            2 => Self::Posted,
            3 => Self::Settled,
            4 => Self::Refunded,
            5 => Self::Cancelled,
            6 => Self::Refuted,
            _ => {
                return Err(DecodeError::Value {
                    field: "stage",
                    value: u64::from(value),
                });
            }
        })
    }
}
