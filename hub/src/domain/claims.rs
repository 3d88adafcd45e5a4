//! Whether a miner's claim is accepted: it must be of the very unit both sides signed, by the miner who has it,
//! and its bytes must hash to what it says.

use gio_content::{ImageError, OutputImage, content_root};
use gio_keys::{PublicKey, SignatureError};
use gio_protocol::tree::words::TooLong;
use gio_protocol::{Address, B256, Claim, Cu, MachineParams, Signature, word_root};
use thiserror::Error;

use super::deal::DealInfo;

/// Why a claim is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ClaimRefusal {
    /// The deal has no such unit, or the claim names another deal.
    #[error("unit {0} is not of this deal")]
    Unit(u32),
    /// Only the connected machine's own account can be the owner until keys can be delegated.
    #[error("the claim's owner {0} is not the miner that sent it")]
    Owner(Address),
    /// Another program or input than the leaf's (R19).
    #[error("`{0}` differs from the unit's leaf")]
    Leaf(&'static str),
    /// More CU than the unit allows (R2).
    #[error("{cu} CU claimed, the unit allows {limit}")]
    CuAboveLimit {
        /// What the claim bills.
        cu: Cu,
        /// What the leaf allows.
        limit: Cu,
    },
    /// More output than the unit allows.
    #[error("{length} bytes of output, the unit allows {max}")]
    OutputTooLong {
        /// What came.
        length: u64,
        /// What the leaf allows.
        max: u64,
    },
    /// The bytes are not what the claim says.
    #[error("the output's `{0}` is not the claim's")]
    Output(&'static str),
    /// The bytes are no output image.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The bytes have no place in the output tree.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// The signature is not the miner's.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

/// Checks a claim and the output bytes that came with it.
///
/// # Errors
/// The first [`ClaimRefusal`].
pub fn check_claim(
    deal: &DealInfo,
    claim: &Claim,
    signature: &Signature,
    miner: &PublicKey,
    output: &[u8],
) -> Result<(), ClaimRefusal> {
    let leaf = deal
        .leaves
        .get(claim.unit as usize)
        .filter(|_| claim.deal_id == deal.id);
    let leaf = leaf.ok_or(ClaimRefusal::Unit(claim.unit))?;
    if claim.owner != miner.address() {
        return Err(ClaimRefusal::Owner(claim.owner));
    }
    if claim.program_root != leaf.program_root {
        return Err(ClaimRefusal::Leaf("program_root"));
    }
    if claim.input_root != leaf.input_root {
        return Err(ClaimRefusal::Leaf("input_root"));
    }
    if claim.cu > leaf.cu_limit {
        return Err(ClaimRefusal::CuAboveLimit {
            cu: claim.cu,
            limit: leaf.cu_limit,
        });
    }
    check_output(claim, leaf.output_max, output)?;
    Ok(miner.verify(claim.digest(&deal.domain), signature)?)
}

fn check_output(claim: &Claim, output_max: u64, output: &[u8]) -> Result<(), ClaimRefusal> {
    let length = output.len() as u64;
    if length > output_max {
        return Err(ClaimRefusal::OutputTooLong {
            length,
            max: output_max,
        });
    }
    if length != claim.output_length {
        return Err(ClaimRefusal::Output("length"));
    }
    if same_root(output)? != claim.output_root {
        return Err(ClaimRefusal::Output("output_root"));
    }
    if content_root(output) != claim.content_root {
        return Err(ClaimRefusal::Output("content_root"));
    }
    OutputImage::decode(output)?;
    Ok(())
}

fn same_root(output: &[u8]) -> Result<B256, TooLong> {
    word_root(output, MachineParams::IMAGE_DEPTH)
}
