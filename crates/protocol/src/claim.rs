//! A miner's signed result of one unit (R14).

use std::sync::LazyLock;

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};

use crate::amount::Cu;
use crate::deal::DealId;
use crate::eip712::{Domain, Words};
use crate::keccak::keccak256;
use crate::reader::{DecodeError, Reader};

const CLAIM_TYPE: &str = "Claim(bytes32 dealId,uint32 unit,address owner,bytes32 programRoot,bytes32 inputRoot,\
uint8 status,uint32 exitCode,uint64 cu,bytes32 outputRoot,uint64 outputLength,bytes32 contentRoot)";

/// Hashed once: claims come by the thousand a second.
static CLAIM_TYPE_HASH: LazyLock<B256> = LazyLock::new(|| keccak256(CLAIM_TYPE));

/// How a unit halted. All three are results and are paid (R21).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The program ended by itself, with an exit code.
    Exit = 0,
    /// The program trapped, or broke a limit of its leaf other than CU.
    Trap = 1,
    /// The CU limit was reached.
    CuExhausted = 2,
}

impl TryFrom<u8> for Status {
    type Error = DecodeError;

    fn try_from(value: u8) -> Result<Self, DecodeError> {
        Ok(match value {
            0 => Self::Exit,
            1 => Self::Trap,
            2 => Self::CuExhausted,
            _ => {
                return Err(DecodeError::Value {
                    field: "status",
                    value: u64::from(value),
                });
            }
        })
    }
}

/// The halted state of a unit and who answers for it. Field by field as `docs/protocol.md` section 4.3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "the fields are documented in one place, docs/protocol.md section 4.3"
)]
pub struct Claim {
    pub deal_id: DealId,
    pub unit: u32,
    pub owner: Address,
    pub program_root: B256,
    pub input_root: B256,
    pub status: Status,
    pub exit_code: u32,
    pub cu: Cu,
    pub output_root: B256,
    pub output_length: u64,
    pub content_root: B256,
}

impl Claim {
    /// Length of [`Self::to_bytes`].
    pub const BYTES: usize = 32 + 4 + Self::BODY_BYTES;
    /// Length of a claim without deal and unit, as the claims file writes it.
    pub(crate) const BODY_BYTES: usize = 20 + 4 * 32 + 1 + 4 + 8 + 8;

    /// EIP-712 struct hash: the `claimHash` of the result tree.
    #[must_use]
    pub fn struct_hash(&self) -> B256 {
        let mut words = Words::bare();
        words.hash(*CLAIM_TYPE_HASH);
        words
            .hash(self.deal_id.0)
            .uint(self.unit)
            .address(self.owner);
        words.hash(self.program_root).hash(self.input_root);
        words
            .uint(self.status as u8)
            .uint(self.exit_code)
            .uint(self.cu.0);
        words
            .hash(self.output_root)
            .uint(self.output_length)
            .hash(self.content_root);
        words.finish()
    }

    /// What the miner signs.
    #[must_use]
    pub fn digest(&self, domain: &Domain) -> B256 {
        domain.digest(self.struct_hash())
    }

    /// Canonical bytes: the fields in order, fixed width, big-endian.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::BYTES);
        out.extend_from_slice(self.deal_id.0.as_slice());
        out.extend_from_slice(&self.unit.to_be_bytes());
        self.write_body(&mut out);
        out
    }

    /// Reads [`Self::to_bytes`].
    ///
    /// # Errors
    /// [`DecodeError`] for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let (deal_id, unit) = (DealId(reader.b256()?), reader.u32()?);
        let claim = Self::read_body(deal_id, unit, &mut reader)?;
        reader.end()?;
        Ok(claim)
    }

    pub(crate) fn write_body(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.owner.as_slice());
        out.extend_from_slice(self.program_root.as_slice());
        out.extend_from_slice(self.input_root.as_slice());
        out.push(self.status as u8);
        out.extend_from_slice(&self.exit_code.to_be_bytes());
        out.extend_from_slice(&self.cu.0.to_be_bytes());
        out.extend_from_slice(self.output_root.as_slice());
        out.extend_from_slice(&self.output_length.to_be_bytes());
        out.extend_from_slice(self.content_root.as_slice());
    }

    pub(crate) fn read_body(
        deal_id: DealId,
        unit: u32,
        r: &mut Reader<'_>,
    ) -> Result<Self, DecodeError> {
        let claim = Self {
            deal_id,
            unit,
            owner: r.address()?,
            program_root: r.b256()?,
            input_root: r.b256()?,
            status: Status::try_from(r.u8()?)?,
            exit_code: r.u32()?,
            cu: Cu(r.u64()?),
            output_root: r.b256()?,
            output_length: r.u64()?,
            content_root: r.b256()?,
        };
        if claim.status != Status::Exit && claim.exit_code != 0 {
            return Err(DecodeError::Value {
                field: "exit_code",
                value: u64::from(claim.exit_code),
            });
        }
        Ok(claim)
    }
}
