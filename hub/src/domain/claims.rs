//! Whether a miner's claim is accepted: it must be of the very unit both sides signed, by the miner who has it,
//! and its bytes must hash to what it says.

use gio_content::{ImageError, OutputImage, content_root};
use gio_keys::{PublicKey, SignatureError};
use gio_protocol::tree::words::TooLong;
use gio_protocol::{Address, B256, Claim, Cu, MachineParams, Signature, Status, word_root};
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
    /// `exitCode` is zero unless the unit exited (section 4.3).
    #[error("exit code {0} of a unit that did not exit")]
    ExitCode(u32),
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

/// Checks a claim and the output bytes that came with it. Returns the claim's struct hash, which the hub countersigns.
///
/// # Errors
/// The first [`ClaimRefusal`].
pub fn check_claim(
    deal: &DealInfo,
    claim: &Claim,
    signature: &Signature,
    miner: &PublicKey,
    output: &[u8],
) -> Result<B256, ClaimRefusal> {
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
    if claim.status != Status::Exit && claim.exit_code != 0 {
        return Err(ClaimRefusal::ExitCode(claim.exit_code));
    }
    // The cheap check before the one that hashes every byte.
    let claim_hash = claim.struct_hash();
    miner.verify(deal.domain.digest(claim_hash), signature)?;
    check_output(claim, leaf.output_max, output)?;
    Ok(claim_hash)
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

#[cfg(test)]
mod tests {
    use gio_keys::MachineKey;

    use super::*;
    use crate::domain::agreement::tests::terms;
    use crate::domain::deal::tests::{deal, plan};

    struct Case {
        deal: DealInfo,
        key: MachineKey,
        claim: Claim,
        signature: Signature,
        output: Vec<u8>,
    }

    impl Case {
        /// A claim of unit 1 that is accepted.
        fn good() -> Self {
            let deal = deal(plan(3, Cu(1_000)), terms());
            let key = MachineKey::from_bytes(&[8; 32]).unwrap();
            let image = OutputImage {
                stdout: b"hello".to_vec(),
                ..OutputImage::default()
            };
            let output = image.encode().unwrap();
            let leaf = deal.leaves[1].clone();
            let claim = Claim {
                deal_id: deal.id,
                unit: 1,
                owner: key.address(),
                program_root: leaf.program_root,
                input_root: leaf.input_root,
                status: Status::Exit,
                exit_code: 3,
                cu: Cu(1_000),
                output_root: same_root(&output).unwrap(),
                output_length: output.len() as u64,
                content_root: content_root(&output),
            };
            let signature = key.sign(claim.digest(&deal.domain));
            Self {
                deal,
                key,
                claim,
                signature,
                output,
            }
        }

        fn check(&self) -> Result<(), ClaimRefusal> {
            let miner = self.key.public_key();
            let checked = check_claim(
                &self.deal,
                &self.claim,
                &self.signature,
                &miner,
                &self.output,
            );
            checked.map(|hash| assert_eq!(hash, self.claim.struct_hash()))
        }

        /// With another claim, properly signed.
        fn signed(change: impl FnOnce(&mut Self)) -> Result<(), ClaimRefusal> {
            let mut case = Self::good();
            change(&mut case);
            case.signature = case.key.sign(case.claim.digest(&case.deal.domain));
            case.check()
        }

        /// With other bytes, and a claim that is true of them.
        fn with_output(output: Vec<u8>) -> Result<(), ClaimRefusal> {
            Self::signed(|case| {
                case.claim.output_root = same_root(&output).unwrap();
                case.claim.output_length = output.len() as u64;
                case.claim.content_root = content_root(&output);
                case.output = output;
            })
        }
    }

    #[test]
    fn a_true_claim_is_accepted_however_the_unit_ended() {
        assert_eq!(Case::good().check(), Ok(()));
        for status in [Status::Trap, Status::CuExhausted] {
            let ended = Case::signed(|case| {
                case.claim.status = status;
                case.claim.exit_code = 0;
            });
            assert_eq!(ended, Ok(()));
        }
    }

    #[test]
    fn each_false_field_is_refused_for_what_it_is() {
        let word = B256::repeat_byte(9);
        let foreign = Case::signed(|case| case.claim.deal_id.0 = word);
        assert_eq!(foreign, Err(ClaimRefusal::Unit(1)));
        assert_eq!(
            Case::signed(|case| case.claim.unit = 3),
            Err(ClaimRefusal::Unit(3))
        );
        let owner = Address::repeat_byte(9);
        let owned = Case::signed(|case| case.claim.owner = owner);
        assert_eq!(owned, Err(ClaimRefusal::Owner(owner)));
        let program = Case::signed(|case| case.claim.program_root = word);
        assert_eq!(program, Err(ClaimRefusal::Leaf("program_root")));
        let input = Case::signed(|case| case.claim.input_root = word);
        assert_eq!(input, Err(ClaimRefusal::Leaf("input_root")));
        let swapped = Case::signed(|case| case.claim.unit = 2);
        assert_eq!(
            swapped,
            Err(ClaimRefusal::Leaf("input_root")),
            "another unit's input"
        );
        let (cu, limit) = (Cu(1_001), Cu(1_000));
        let billed = Case::signed(|case| case.claim.cu = cu);
        assert_eq!(billed, Err(ClaimRefusal::CuAboveLimit { cu, limit }));
        let length = Case::signed(|case| case.claim.output_length += 1);
        assert_eq!(length, Err(ClaimRefusal::Output("length")));
        let root = Case::signed(|case| case.claim.output_root = word);
        assert_eq!(root, Err(ClaimRefusal::Output("output_root")));
        let content = Case::signed(|case| case.claim.content_root = word);
        assert_eq!(content, Err(ClaimRefusal::Output("content_root")));
    }

    #[test]
    fn a_claim_that_says_two_things_about_its_end_is_refused() {
        for status in [Status::Trap, Status::CuExhausted] {
            let both = Case::signed(|case| case.claim.status = status);
            assert_eq!(both, Err(ClaimRefusal::ExitCode(3)));
        }
    }

    #[test]
    fn bytes_that_are_no_output_image_are_refused() {
        let long = vec![0; 4097];
        assert_eq!(
            Case::with_output(long),
            Err(ClaimRefusal::OutputTooLong {
                length: 4097,
                max: 4096
            })
        );
        assert_eq!(
            Case::with_output(vec![7; 64]),
            Err(ImageError::Magic.into())
        );
        let mut surplus = Case::good().output;
        surplus.extend([0; 32]);
        assert_eq!(
            Case::with_output(surplus),
            Err(ImageError::NotCanonical.into())
        );
    }

    #[test]
    fn r14_only_the_miners_own_signature_of_this_very_claim_counts() {
        let mut case = Case::good();
        case.claim.cu = Cu(999);
        let expected = case.key.address();
        let wrong = Err(SignatureError::WrongSigner { expected }.into());
        assert_eq!(case.check(), wrong, "signed another claim");

        let mut case = Case::good();
        let other = MachineKey::from_bytes(&[9; 32]).unwrap();
        case.signature = other.sign(case.claim.digest(&case.deal.domain));
        assert_eq!(case.check(), wrong, "signed by another");

        let mut case = Case::good();
        let elsewhere = gio_protocol::Domain::new(1, case.deal.terms.wallet);
        case.signature = case.key.sign(case.claim.digest(&elsewhere));
        assert_eq!(case.check(), wrong, "signed for another chain");

        let mut case = Case::good();
        case.signature.0[64] = 29;
        assert_eq!(case.check(), Err(SignatureError::Malformed.into()));
    }
}
