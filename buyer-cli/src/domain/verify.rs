//! Whether a posted result is right, as far as a buyer can tell without running it again: the claims are those the
//! posted root sums up, each is of the very unit that was signed, by its owner, within its limits, and the bytes
//! that came hash to what it says.

use gio_content::{ImageError, OutputImage, content_root};
use gio_keys::{SignatureError, verify_by_address};
use gio_protocol::tree::result::ResultTreeError;
use gio_protocol::tree::words::TooLong;
use gio_protocol::{
    B256, Claim, ClaimsFile, Cu, DealId, Domain, MachineParams, SignedClaim, UnitLeaf, word_root,
};
use thiserror::Error;

/// A result that is not to be paid for. Each variant is a rule of `docs/protocol.md`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ResultError {
    /// The claims file is another deal's.
    #[error("the claims are of deal {0}")]
    OtherDeal(DealId),
    /// The claims file has another number of units.
    #[error("the claims file has {found} units, the deal {expected}")]
    UnitCount {
        /// In the file.
        found: usize,
        /// In the terms.
        expected: usize,
    },
    /// The sums leave 64 bits.
    #[error(transparent)]
    Tree(#[from] ResultTreeError),
    /// The chain bills another sum than the claims make.
    #[error("the chain bills {posted} CU, the claims sum up to {summed} CU")]
    Sum {
        /// On chain.
        posted: Cu,
        /// Of the claims.
        summed: Cu,
    },
    /// The posted root is over other claims.
    #[error("the posted root {posted} is not that of the claims, {computed}")]
    Root {
        /// On chain.
        posted: B256,
        /// Of the claims.
        computed: B256,
    },
    /// A claim of another program.
    #[error("unit {unit} ran program {found}, not the job's")]
    Program {
        /// Which unit.
        unit: u32,
        /// What it says it ran.
        found: B256,
    },
    /// A claim of another input.
    #[error("unit {unit} ran on input {found}, not on its own")]
    Input {
        /// Which unit.
        unit: u32,
        /// What it says it ran on.
        found: B256,
    },
    /// A bill above the unit's limit (R2).
    #[error("unit {unit} bills {cu} CU, its limit is {limit} CU")]
    CuAboveLimit {
        /// Which unit.
        unit: u32,
        /// Billed.
        cu: Cu,
        /// Signed.
        limit: Cu,
    },
    /// More output than the unit may write.
    #[error("unit {unit} has {length} bytes of output, its limit is {limit}")]
    OutputAboveLimit {
        /// Which unit.
        unit: u32,
        /// Claimed.
        length: u64,
        /// Signed.
        limit: u64,
    },
    /// Not the owner's signature (R14).
    #[error("the claim of unit {unit} is not signed by its owner")]
    Signature {
        /// Which unit.
        unit: u32,
        /// Why.
        source: SignatureError,
    },
    /// The bytes are not what was claimed.
    #[error("the output of unit {unit} has another {what} than was claimed")]
    Output {
        /// Which unit.
        unit: u32,
        /// Length, root or content root.
        what: &'static str,
    },
    /// The bytes have no place in the output tree.
    #[error("the output of unit {unit} is longer than any output")]
    OutputTooLong {
        /// Which unit.
        unit: u32,
        /// Why.
        source: TooLong,
    },
    /// The bytes hash right and are no image.
    #[error("the output of unit {unit} is no output image")]
    Image {
        /// Which unit.
        unit: u32,
        /// Why.
        source: ImageError,
    },
}

/// What both sides signed and what the chain says was posted.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The deal.
    pub deal_id: DealId,
    /// Where its signatures hold.
    pub domain: Domain,
    /// The buyer's own leaves.
    pub leaves: &'a [UnitLeaf],
    /// The root on chain.
    pub result_root: B256,
    /// The sum on chain.
    pub cu_total: Cu,
}

/// Checks a claims file against the chain and the buyer's own units. Absent units are nobody's fault here: they
/// are not billed.
///
/// # Errors
/// The first rule it breaks.
pub fn check_claims(file: &ClaimsFile, expected: &Expected<'_>) -> Result<(), ResultError> {
    if file.deal_id != expected.deal_id {
        return Err(ResultError::OtherDeal(file.deal_id));
    }
    if file.claims.len() != expected.leaves.len() {
        return Err(ResultError::UnitCount {
            found: file.claims.len(),
            expected: expected.leaves.len(),
        });
    }
    check_root(file, expected)?;
    let claims = file.claims.iter().zip(expected.leaves);
    for (signed, leaf) in claims.filter_map(|(signed, leaf)| Some((signed.as_ref()?, leaf))) {
        check_claim(signed, leaf, &expected.domain)?;
    }
    Ok(())
}

fn check_root(file: &ClaimsFile, expected: &Expected<'_>) -> Result<(), ResultError> {
    let tree = file.tree()?;
    let summed = tree.top().sum;
    if summed != expected.cu_total {
        let posted = expected.cu_total;
        return Err(ResultError::Sum { posted, summed });
    }
    let computed = tree.root();
    if computed != expected.result_root {
        let posted = expected.result_root;
        return Err(ResultError::Root { posted, computed });
    }
    Ok(())
}

fn check_claim(signed: &SignedClaim, leaf: &UnitLeaf, domain: &Domain) -> Result<(), ResultError> {
    let claim = &signed.claim;
    let unit = leaf.index;
    if claim.program_root != leaf.program_root {
        let found = claim.program_root;
        return Err(ResultError::Program { unit, found });
    }
    if claim.input_root != leaf.input_root {
        let found = claim.input_root;
        return Err(ResultError::Input { unit, found });
    }
    if claim.cu > leaf.cu_limit {
        return Err(ResultError::CuAboveLimit {
            unit,
            cu: claim.cu,
            limit: leaf.cu_limit,
        });
    }
    if claim.output_length > leaf.output_max {
        return Err(ResultError::OutputAboveLimit {
            unit,
            length: claim.output_length,
            limit: leaf.output_max,
        });
    }
    verify_by_address(claim.owner, claim.digest(domain), &signed.signature)
        .map_err(|source| ResultError::Signature { unit, source })
}

/// Checks that bytes are the output a claim speaks of, and takes them apart.
///
/// # Errors
/// The first rule they break.
pub fn check_output(claim: &Claim, image: &[u8]) -> Result<OutputImage, ResultError> {
    let unit = claim.unit;
    let wrong = |what| Err(ResultError::Output { unit, what });
    if image.len() as u64 != claim.output_length {
        return wrong("length");
    }
    let root = word_root(image, MachineParams::IMAGE_DEPTH)
        .map_err(|source| ResultError::OutputTooLong { unit, source })?;
    if root != claim.output_root {
        return wrong("output root");
    }
    if content_root(image) != claim.content_root {
        return wrong("content root");
    }
    OutputImage::decode(image).map_err(|source| ResultError::Image { unit, source })
}

#[cfg(test)]
pub(crate) mod tests {
    use gio_keys::MachineKey;
    use gio_protocol::{Address, Status};

    use super::super::work::tests::work;
    use super::*;

    pub(crate) const DEAL: DealId = DealId(B256::repeat_byte(0xd));
    const SEED: B256 = B256::repeat_byte(5);

    pub(crate) fn miner(byte: u8) -> MachineKey {
        MachineKey::from_bytes(&[byte; 32]).unwrap()
    }

    fn domain() -> Domain {
        Domain::new(7, Address::repeat_byte(2))
    }

    pub(crate) fn image(unit: u32) -> Vec<u8> {
        let output = OutputImage {
            stdout: format!("unit {unit}").into_bytes(),
            ..OutputImage::default()
        };
        output.encode().unwrap()
    }

    fn claim(leaf: &UnitLeaf, owner: Address) -> Claim {
        let image = image(leaf.index);
        Claim {
            deal_id: DEAL,
            unit: leaf.index,
            owner,
            program_root: leaf.program_root,
            input_root: leaf.input_root,
            status: Status::Exit,
            exit_code: 0,
            cu: Cu(100 + u64::from(leaf.index)),
            output_root: word_root(&image, MachineParams::IMAGE_DEPTH).unwrap(),
            output_length: image.len() as u64,
            content_root: content_root(&image),
        }
    }

    pub(crate) fn leaves() -> Vec<UnitLeaf> {
        work(3).leaves(SEED)
    }

    /// Three units of two miners; `change` runs before signing, so that the forger signs what it forged.
    fn file(change: impl Fn(&mut Claim)) -> ClaimsFile {
        let signed = |leaf: &UnitLeaf| {
            let key = miner(if leaf.index == 1 { 2 } else { 1 });
            let mut claim = claim(leaf, key.address());
            change(&mut claim);
            let signature = key.sign(claim.digest(&domain()));
            Some(SignedClaim { claim, signature })
        };
        ClaimsFile {
            deal_id: DEAL,
            claims: leaves().iter().map(signed).collect(),
        }
    }

    pub(crate) fn good_file() -> ClaimsFile {
        file(|_| {})
    }

    /// As if the hub had posted exactly this file.
    fn judge(file: &ClaimsFile, posted: &ClaimsFile) -> Result<(), ResultError> {
        let tree = posted.tree().unwrap();
        let expected = Expected {
            deal_id: DEAL,
            domain: domain(),
            leaves: &leaves(),
            result_root: tree.root(),
            cu_total: tree.top().sum,
        };
        check_claims(file, &expected)
    }

    fn forged(change: impl Fn(&mut Claim)) -> ResultError {
        let file = file(change);
        judge(&file, &file).unwrap_err()
    }

    #[test]
    fn a_good_result_passes_and_so_does_one_with_a_unit_missing() {
        let mut file = good_file();
        judge(&file, &file).unwrap();
        file.claims[2] = None;
        judge(&file, &file).unwrap();
        for unit in 0..3 {
            let claim = &good_file().claims[unit as usize].clone().unwrap().claim;
            check_output(claim, &image(unit)).unwrap();
        }
    }

    #[test]
    fn r02_a_wrong_sum_and_a_wrong_root_are_refused() {
        let file = good_file();
        let mut other = good_file();
        other.claims[0] = None;
        let error = judge(&file, &other).unwrap_err();
        assert!(matches!(
            error,
            ResultError::Sum {
                posted: Cu(203),
                summed: Cu(303)
            }
        ));
        let mut same_sum = good_file();
        same_sum.claims[0].as_mut().unwrap().claim.exit_code = 1;
        let error = judge(&file, &same_sum).unwrap_err();
        assert!(matches!(error, ResultError::Root { .. }));
    }

    #[test]
    fn r14_a_foreign_signature_is_refused() {
        let mut file = good_file();
        let signed = file.claims[1].as_mut().unwrap();
        signed.signature = miner(1).sign(signed.claim.digest(&domain()));
        let error = judge(&file, &file).unwrap_err();
        assert!(matches!(error, ResultError::Signature { unit: 1, .. }));
        // The same claim signed for another wallet.
        let mut file = good_file();
        let signed = file.claims[1].as_mut().unwrap();
        let elsewhere = Domain::new(7, Address::repeat_byte(3));
        signed.signature = miner(2).sign(signed.claim.digest(&elsewhere));
        let error = judge(&file, &file).unwrap_err();
        assert!(matches!(error, ResultError::Signature { unit: 1, .. }));
    }

    #[test]
    fn a_claim_of_another_program_or_input_is_refused() {
        let other = B256::repeat_byte(9);
        let error = forged(|claim| claim.program_root = other);
        assert!(matches!(error, ResultError::Program { unit: 0, found } if found == other));
        let error = forged(|claim| claim.input_root = other);
        assert!(matches!(error, ResultError::Input { unit: 0, found } if found == other));
    }

    #[test]
    fn r02_a_bill_above_the_units_limit_is_refused() {
        let error = forged(|claim| claim.cu = Cu(1_001));
        let (unit, cu, limit) = (0, Cu(1_001), Cu(1_000));
        assert_eq!(error, ResultError::CuAboveLimit { unit, cu, limit });
        let error = forged(|claim| claim.output_length = 1_025);
        assert!(matches!(
            error,
            ResultError::OutputAboveLimit {
                unit: 0,
                length: 1_025,
                ..
            }
        ));
    }

    #[test]
    fn another_deals_or_another_jobs_claims_are_refused() {
        let mut file = good_file();
        file.deal_id = DealId(B256::ZERO);
        let error = judge(&file, &good_file()).unwrap_err();
        assert_eq!(error, ResultError::OtherDeal(DealId(B256::ZERO)));
        let mut file = good_file();
        file.claims.push(None);
        let error = judge(&file, &good_file()).unwrap_err();
        assert!(matches!(
            error,
            ResultError::UnitCount {
                found: 4,
                expected: 3
            }
        ));
    }

    #[test]
    fn r04_bytes_count_only_when_they_hash_to_the_claimed_root() {
        let claim = good_file().claims[0].clone().unwrap().claim;
        let wrong = |claim: &Claim, image: &[u8]| check_output(claim, image).unwrap_err();
        let what = |error| match error {
            ResultError::Output { unit: 0, what } => what,
            other => panic!("{other}"),
        };
        let mut flipped = image(0);
        *flipped.last_mut().unwrap() ^= 1;
        assert_eq!(what(wrong(&claim, &flipped)), "output root");
        assert_eq!(what(wrong(&claim, &[])), "length");
        let mut address = claim.clone();
        address.content_root = B256::ZERO;
        assert_eq!(what(wrong(&address, &image(0))), "content root");
    }

    #[test]
    fn bytes_that_hash_right_must_still_be_an_image() {
        let junk = vec![7u8; 64];
        let mut claim = good_file().claims[0].clone().unwrap().claim;
        claim.output_length = 64;
        claim.output_root = word_root(&junk, MachineParams::IMAGE_DEPTH).unwrap();
        claim.content_root = content_root(&junk);
        let error = check_output(&claim, &junk).unwrap_err();
        assert!(matches!(error, ResultError::Image { unit: 0, .. }));
    }
}
