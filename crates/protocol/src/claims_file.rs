//! The claims file (section 5): every claim of a deal, as the hub serves it to anyone (R18).

use alloy_primitives::B256;
use thiserror::Error;

use crate::claim::Claim;
use crate::deal::DealId;
use crate::reader::{DecodeError, Reader};
use crate::signature::Signature;
use crate::terms::UNITS_MAX;
use crate::tree::result::{ResultTree, ResultTreeError};

const MAGIC: [u8; 8] = *b"GIOCLM1\0";

/// A claim and its miner's signature.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct SignedClaim {
    pub claim: Claim,
    pub signature: Signature,
}

/// Bytes that are no claims file, or not of this deal.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ClaimsFileError {
    /// Not the file's first bytes.
    #[error("this is not a claims file")]
    Magic,
    /// More units than a deal can have.
    #[error("{0} units; a deal has 1 to {UNITS_MAX}")]
    UnitCount(u32),
    /// A record is damaged.
    #[error("unit {unit} cannot be read")]
    Record {
        /// Which record.
        unit: u32,
        /// Why.
        source: DecodeError,
    },
    /// The frame around the records is damaged.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// All claims of a deal by unit; `None` is a missing unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimsFile {
    /// Whose claims.
    pub deal_id: DealId,
    /// One entry per unit.
    pub claims: Vec<Option<SignedClaim>>,
}

impl ClaimsFile {
    /// Canonical bytes.
    ///
    /// # Panics
    /// If there are more than 2^32 claims, which no deal has.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let count = u32::try_from(self.claims.len()).expect("a deal has at most 2^20 units");
        let mut out = Vec::with_capacity(44 + self.claims.len() * (1 + Claim::BODY_BYTES + 65));
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(self.deal_id.0.as_slice());
        out.extend_from_slice(&count.to_be_bytes());
        for entry in &self.claims {
            match entry {
                None => out.push(0),
                Some(signed) => {
                    out.push(1);
                    signed.claim.write_body(&mut out);
                    out.extend_from_slice(signed.signature.as_bytes());
                }
            }
        }
        out
    }

    /// Reads [`Self::to_bytes`].
    ///
    /// # Errors
    /// [`ClaimsFileError`] for anything else; signatures are not checked here.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ClaimsFileError> {
        let mut reader = Reader::new(bytes);
        if reader.array()? != MAGIC {
            return Err(ClaimsFileError::Magic);
        }
        let deal_id = DealId(reader.b256()?);
        let count = reader.u32()?;
        if count == 0 || count > UNITS_MAX {
            return Err(ClaimsFileError::UnitCount(count));
        }
        let mut claims = Vec::new();
        for unit in 0..count {
            let entry = read_record(deal_id, unit, &mut reader)
                .map_err(|source| ClaimsFileError::Record { unit, source })?;
            claims.push(entry);
        }
        reader.end()?;
        Ok(Self { deal_id, claims })
    }

    /// The Merkle-sum tree over these claims (R2).
    ///
    /// # Errors
    /// [`ResultTreeError`] if the CU sum leaves 64 bits.
    pub fn tree(&self) -> Result<ResultTree, ResultTreeError> {
        let leaves: Vec<_> = self
            .claims
            .iter()
            .map(|entry| entry.as_ref().map(|s| leaf_parts(&s.claim)))
            .collect();
        ResultTree::new(&leaves)
    }
}

fn leaf_parts(claim: &Claim) -> (B256, crate::amount::Cu) {
    (claim.struct_hash(), claim.cu)
}

fn read_record(
    deal_id: DealId,
    unit: u32,
    reader: &mut Reader<'_>,
) -> Result<Option<SignedClaim>, DecodeError> {
    match reader.u8()? {
        0 => Ok(None),
        1 => {
            let claim = Claim::read_body(deal_id, unit, reader)?;
            Ok(Some(SignedClaim {
                claim,
                signature: Signature(reader.array()?),
            }))
        }
        other => Err(DecodeError::Value {
            field: "present",
            value: u64::from(other),
        }),
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Address;
    use proptest::prelude::*;

    use super::*;
    use crate::amount::Cu;
    use crate::claim::Status;

    fn file(present: &[bool]) -> ClaimsFile {
        let deal_id = DealId(B256::repeat_byte(7));
        let claims = (0u32..).zip(present).map(|(unit, present)| {
            present.then(|| SignedClaim {
                claim: Claim {
                    deal_id,
                    unit,
                    owner: Address::repeat_byte(1),
                    program_root: B256::repeat_byte(2),
                    input_root: B256::repeat_byte(3),
                    status: Status::Exit,
                    exit_code: unit,
                    cu: Cu(u64::from(unit) + 1),
                    output_root: B256::repeat_byte(4),
                    output_length: 64,
                    content_root: B256::repeat_byte(5),
                },
                signature: Signature([9; 65]),
            })
        });
        ClaimsFile {
            deal_id,
            claims: claims.collect(),
        }
    }

    proptest! {
        #[test]
        fn round_trips_and_rejects_damage(present in prop::collection::vec(any::<bool>(), 1..40), cut in any::<prop::sample::Index>()) {
            let file = file(&present);
            let bytes = file.to_bytes();
            prop_assert_eq!(&ClaimsFile::from_bytes(&bytes).unwrap(), &file);
            prop_assert!(ClaimsFile::from_bytes(&bytes[..cut.index(bytes.len())]).is_err());
            prop_assert_eq!(ClaimsFile::from_bytes(&[&bytes[..], &[0]].concat()), Err(DecodeError::Surplus(1).into()));
        }

        #[test]
        fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = ClaimsFile::from_bytes(&[&MAGIC[..], &bytes].concat());
            prop_assert!(ClaimsFile::from_bytes(&bytes).is_err() || bytes.starts_with(&MAGIC));
        }
    }
}
