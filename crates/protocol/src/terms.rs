//! `DealTerms` (R1): everything a deal binds, its canonical bytes and its digest.

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::amount::{Gio, PricePerPu};
use crate::deal::DealId;
use crate::eip712::{Domain, Words};
use crate::keccak::keccak256;
use crate::reader::{DecodeError, Reader};
use crate::tag;
use crate::time::UnixSeconds;

/// Most units of one deal: a result tree of depth 20 keeps an opening below 1 KiB.
pub const UNITS_MAX: u32 = 1 << 20;
/// Longest window after a posted result: longer would let a deal hold a hub's guarantee for ever.
pub const WINDOW_MAX_SECONDS: u64 = 30 * 24 * 3600;
/// A royalty of 1000 per mille is the whole payment.
pub const ROYALTY_PER_MILLE_MAX: u16 = 1000;

const TERMS_TYPE: &str = "DealTerms(address buyer,address wallet,bytes32 buyerNonce,bytes32 hubNonce,\
bytes32 seedCommitment,bytes32 jobRoot,uint32 unitCount,uint8 mode,bytes32 modeParams,uint32 machineVersion,\
bytes32 machineParams,uint128 pricePerPu,uint128 cap,uint128 guarantee,address royaltyTo,uint16 royaltyPerMille,\
address court,uint64 clockStart,uint64 openBy,uint64 deliverBy,uint64 window)";

/// How results of a deal are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerificationMode {
    /// The hub's word within the cap; the buyer may repeat units itself.
    None = 0,
    /// Any claim can be disputed down to one instruction.
    FraudProof = 1,
    /// m of n equal outputs.
    Quorum = 2,
    /// A drawn share of the units is run again.
    Sample = 3,
}

impl TryFrom<u8> for VerificationMode {
    type Error = DecodeError;

    fn try_from(value: u8) -> Result<Self, DecodeError> {
        Ok(match value {
            0 => Self::None,
            1 => Self::FraudProof,
            2 => Self::Quorum,
            3 => Self::Sample,
            _ => {
                return Err(DecodeError::Value {
                    field: "mode",
                    value: u64::from(value),
                });
            }
        })
    }
}

/// Terms that no wallet would open.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TermsError {
    /// A deal has 1 to [`UNITS_MAX`] units.
    #[error("{0} units; a deal has 1 to {UNITS_MAX}")]
    UnitCount(u32),
    /// The seed commitment must be the hash of the buyer's nonce (R22).
    #[error("the seed commitment is not the hash of the buyer's nonce")]
    SeedCommitment,
    /// A deal must open before it is due.
    #[error("open-by {open_by} is not before deliver-by {deliver_by}")]
    Deadlines {
        /// Last second to open.
        open_by: UnixSeconds,
        /// Last second to deliver.
        deliver_by: UnixSeconds,
    },
    /// The window is bounded.
    #[error("a window of {0} s; at most {WINDOW_MAX_SECONDS}")]
    Window(u64),
    /// A royalty is a share.
    #[error("a royalty of {0} per mille; at most {ROYALTY_PER_MILLE_MAX}")]
    Royalty(u16),
    /// A share must be somebody's, and not the wallet's own.
    #[error("a royalty of {0} per mille without a recipient other than the wallet")]
    RoyaltyRecipient(u16),
    /// Mode none has no parameters.
    #[error("mode none with parameters {0}")]
    ModeParams(B256),
    /// Version 0 deals have no court (F3).
    #[error("machine version {0} is not known here, or a version 0 deal names a court")]
    MachineVersion(u32),
}

/// What buyer and hub co-sign. Field by field as `docs/protocol.md` section 4.1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "the fields are documented in one place, docs/protocol.md section 4.1"
)]
pub struct DealTerms {
    pub buyer: Address,
    pub wallet: Address,
    pub buyer_nonce: B256,
    pub hub_nonce: B256,
    pub seed_commitment: B256,
    pub job_root: B256,
    pub unit_count: u32,
    pub mode: VerificationMode,
    pub mode_params: B256,
    pub machine_version: u32,
    pub machine_params: B256,
    pub price_per_pu: PricePerPu,
    pub cap: Gio,
    pub guarantee: Gio,
    pub royalty_to: Address,
    pub royalty_per_mille: u16,
    pub court: Address,
    pub clock_start: UnixSeconds,
    pub open_by: UnixSeconds,
    pub deliver_by: UnixSeconds,
    pub window: u64,
}

impl DealTerms {
    /// Length of [`Self::to_bytes`].
    pub const BYTES: usize = 4 * 20 + 6 * 32 + 4 + 1 + 4 + 3 * 8 + 2 + 4 * 8;

    /// The rules of section 4.1 that need no chain.
    ///
    /// # Errors
    /// The first rule the terms break.
    pub fn check(&self) -> Result<(), TermsError> {
        if self.unit_count == 0 || self.unit_count > UNITS_MAX {
            return Err(TermsError::UnitCount(self.unit_count));
        }
        if self.seed_commitment != seed_commitment(self.buyer_nonce) {
            return Err(TermsError::SeedCommitment);
        }
        if self.open_by >= self.deliver_by {
            return Err(TermsError::Deadlines {
                open_by: self.open_by,
                deliver_by: self.deliver_by,
            });
        }
        if self.window > WINDOW_MAX_SECONDS {
            return Err(TermsError::Window(self.window));
        }
        if self.royalty_per_mille > ROYALTY_PER_MILLE_MAX {
            return Err(TermsError::Royalty(self.royalty_per_mille));
        }
        let paid_to_nobody = self.royalty_to == Address::ZERO || self.royalty_to == self.wallet;
        if self.royalty_per_mille > 0 && paid_to_nobody {
            return Err(TermsError::RoyaltyRecipient(self.royalty_per_mille));
        }
        if self.mode == VerificationMode::None && self.mode_params != B256::ZERO {
            return Err(TermsError::ModeParams(self.mode_params));
        }
        if self.machine_version != 0 || self.court != Address::ZERO {
            return Err(TermsError::MachineVersion(self.machine_version));
        }
        Ok(())
    }

    /// EIP-712 struct hash.
    #[must_use]
    pub fn struct_hash(&self) -> B256 {
        let mut words = Words::of(TERMS_TYPE);
        words
            .address(self.buyer)
            .address(self.wallet)
            .hash(self.buyer_nonce)
            .hash(self.hub_nonce);
        words
            .hash(self.seed_commitment)
            .hash(self.job_root)
            .uint(self.unit_count);
        words.uint(self.mode as u8).hash(self.mode_params);
        words.uint(self.machine_version).hash(self.machine_params);
        words
            .uint(self.price_per_pu.0.units())
            .uint(self.cap.units())
            .uint(self.guarantee.units());
        words
            .address(self.royalty_to)
            .uint(self.royalty_per_mille)
            .address(self.court);
        words
            .uint(self.clock_start.0)
            .uint(self.open_by.0)
            .uint(self.deliver_by.0)
            .uint(self.window);
        words.finish()
    }

    /// The deal these terms make on `chain_id`: its digest is its id.
    #[must_use]
    pub fn deal_id(&self, chain_id: u64) -> DealId {
        DealId(Domain::new(chain_id, self.wallet).digest(self.struct_hash()))
    }

    /// `keccak(buyerNonce ‖ hubNonce)` (R22).
    #[must_use]
    pub fn deal_seed(&self) -> B256 {
        let mut bytes = [0u8; 64];
        bytes[..32].copy_from_slice(self.buyer_nonce.as_slice());
        bytes[32..].copy_from_slice(self.hub_nonce.as_slice());
        keccak256(bytes)
    }

    /// Canonical bytes: the fields in order, fixed width, big-endian.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::BYTES);
        out.extend_from_slice(self.buyer.as_slice());
        out.extend_from_slice(self.wallet.as_slice());
        for word in [
            self.buyer_nonce,
            self.hub_nonce,
            self.seed_commitment,
            self.job_root,
        ] {
            out.extend_from_slice(word.as_slice());
        }
        out.extend_from_slice(&self.unit_count.to_be_bytes());
        out.push(self.mode as u8);
        out.extend_from_slice(self.mode_params.as_slice());
        out.extend_from_slice(&self.machine_version.to_be_bytes());
        out.extend_from_slice(self.machine_params.as_slice());
        for amount in [self.price_per_pu.0, self.cap, self.guarantee] {
            out.extend_from_slice(&amount.units().to_be_bytes());
        }
        out.extend_from_slice(self.royalty_to.as_slice());
        out.extend_from_slice(&self.royalty_per_mille.to_be_bytes());
        out.extend_from_slice(self.court.as_slice());
        for time in [
            self.clock_start.0,
            self.open_by.0,
            self.deliver_by.0,
            self.window,
        ] {
            out.extend_from_slice(&time.to_be_bytes());
        }
        out
    }

    /// Reads [`Self::to_bytes`].
    ///
    /// # Errors
    /// [`DecodeError`] for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        let terms = Self {
            buyer: r.address()?,
            wallet: r.address()?,
            buyer_nonce: r.b256()?,
            hub_nonce: r.b256()?,
            seed_commitment: r.b256()?,
            job_root: r.b256()?,
            unit_count: r.u32()?,
            mode: VerificationMode::try_from(r.u8()?)?,
            mode_params: r.b256()?,
            machine_version: r.u32()?,
            machine_params: r.b256()?,
            price_per_pu: PricePerPu(Gio::from_units(r.u64()?)),
            cap: Gio::from_units(r.u64()?),
            guarantee: Gio::from_units(r.u64()?),
            royalty_to: r.address()?,
            royalty_per_mille: r.u16()?,
            court: r.address()?,
            clock_start: UnixSeconds(r.u64()?),
            open_by: UnixSeconds(r.u64()?),
            deliver_by: UnixSeconds(r.u64()?),
            window: r.u64()?,
        };
        r.end()?;
        Ok(terms)
    }
}

/// What the buyer shows the hub before the hub chooses its nonce (R22).
#[must_use]
pub fn seed_commitment(buyer_nonce: B256) -> B256 {
    keccak256(buyer_nonce)
}

/// The seed of one unit, the same on every run (R22).
#[must_use]
pub fn unit_seed(deal_seed: B256, unit: u32) -> B256 {
    let mut bytes = [0u8; 68];
    bytes[..32].copy_from_slice(tag("gio.unit-seed.v1").as_slice());
    bytes[32..64].copy_from_slice(deal_seed.as_slice());
    bytes[64..].copy_from_slice(&unit.to_be_bytes());
    keccak256(bytes)
}

/// Bounds of the machine a deal's units run on (section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "the fields are documented in one place, docs/protocol.md section 4.2"
)]
pub struct MachineParams {
    pub machine_version: u32,
    pub step_cap_log2: u8,
    pub pages_max: u32,
    pub input_depth: u8,
    pub output_depth: u8,
    pub memory_depth: u8,
    pub code_depth: u8,
    pub call_depth_max: u32,
    pub locals_max: u32,
}

impl MachineParams {
    /// Depth of version 0's input and output word trees: 128 MiB each.
    pub const IMAGE_DEPTH: u8 = 22;

    /// Version 0: no step machine yet, so its bounds are zero.
    #[must_use]
    pub fn version_0(pages_max: u32) -> Self {
        Self {
            machine_version: 0,
            step_cap_log2: 0,
            pages_max,
            input_depth: Self::IMAGE_DEPTH,
            output_depth: Self::IMAGE_DEPTH,
            memory_depth: 0,
            code_depth: 0,
            call_depth_max: 0,
            locals_max: 0,
        }
    }

    /// The `machineParams` field of the terms.
    #[must_use]
    pub fn hash(&self) -> B256 {
        let mut words = Words::bare();
        words
            .uint(self.machine_version)
            .uint(self.step_cap_log2)
            .uint(self.pages_max);
        words
            .uint(self.input_depth)
            .uint(self.output_depth)
            .uint(self.memory_depth)
            .uint(self.code_depth);
        words.uint(self.call_depth_max).uint(self.locals_max);
        words.finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        fn any_terms()(
            words in any::<[[u8; 32]; 6]>(), addresses in any::<[[u8; 20]; 4]>(), amounts in any::<[u64; 3]>(),
            times in any::<[u64; 4]>(), unit_count in any::<u32>(), mode in 0u8..4, royalty_per_mille in any::<u16>(),
        ) -> DealTerms {
            let [buyer, wallet, royalty_to, court] = addresses.map(Address::from);
            let [buyer_nonce, hub_nonce, seed_commitment, job_root, mode_params, machine_params] = words.map(B256::from);
            DealTerms {
                buyer, wallet, buyer_nonce, hub_nonce, seed_commitment, job_root, unit_count,
                mode: VerificationMode::try_from(mode).unwrap(), mode_params, machine_version: 0, machine_params,
                price_per_pu: PricePerPu(Gio::from_units(amounts[0])), cap: Gio::from_units(amounts[1]),
                guarantee: Gio::from_units(amounts[2]), royalty_to, royalty_per_mille, court,
                clock_start: UnixSeconds(times[0]), open_by: UnixSeconds(times[1]),
                deliver_by: UnixSeconds(times[2]), window: times[3],
            }
        }
    }

    #[test]
    fn r01_terms_no_wallet_would_open_are_refused_for_their_own_reason() {
        let nonce = B256::repeat_byte(1);
        let good = DealTerms {
            buyer: Address::repeat_byte(2),
            wallet: Address::repeat_byte(3),
            buyer_nonce: nonce,
            hub_nonce: B256::repeat_byte(4),
            seed_commitment: seed_commitment(nonce),
            job_root: B256::repeat_byte(5),
            unit_count: 1,
            mode: VerificationMode::None,
            mode_params: B256::ZERO,
            machine_version: 0,
            machine_params: MachineParams::version_0(1).hash(),
            price_per_pu: PricePerPu(Gio::from_units(1)),
            cap: Gio::from_units(1),
            guarantee: Gio::ZERO,
            royalty_to: Address::ZERO,
            royalty_per_mille: 0,
            court: Address::ZERO,
            clock_start: UnixSeconds(0),
            open_by: UnixSeconds(10),
            deliver_by: UnixSeconds(11),
            window: 60,
        };
        assert_eq!(good.check(), Ok(()));
        let broken = |change: fn(&mut DealTerms)| {
            let mut terms = good.clone();
            change(&mut terms);
            terms.check().unwrap_err()
        };
        assert_eq!(broken(|t| t.unit_count = 0), TermsError::UnitCount(0));
        assert_eq!(
            broken(|t| t.unit_count = UNITS_MAX + 1),
            TermsError::UnitCount(UNITS_MAX + 1)
        );
        assert_eq!(
            broken(|t| t.seed_commitment = B256::ZERO),
            TermsError::SeedCommitment
        );
        assert!(matches!(
            broken(|t| t.open_by = t.deliver_by),
            TermsError::Deadlines { .. }
        ));
        assert_eq!(
            broken(|t| t.window = WINDOW_MAX_SECONDS + 1),
            TermsError::Window(WINDOW_MAX_SECONDS + 1)
        );
        assert_eq!(
            broken(|t| t.royalty_per_mille = 1001),
            TermsError::Royalty(1001)
        );
        assert_eq!(
            broken(|t| t.royalty_per_mille = 1),
            TermsError::RoyaltyRecipient(1)
        );
        assert_eq!(
            broken(|t| (t.royalty_per_mille, t.royalty_to) = (1, t.wallet)),
            TermsError::RoyaltyRecipient(1)
        );
        assert!(matches!(
            broken(|t| t.mode_params = B256::repeat_byte(1)),
            TermsError::ModeParams(_)
        ));
        assert_eq!(
            broken(|t| t.machine_version = 1),
            TermsError::MachineVersion(1)
        );
        assert_eq!(
            broken(|t| t.court = Address::repeat_byte(9)),
            TermsError::MachineVersion(0)
        );
    }

    proptest! {
        #[test]
        fn bytes_round_trip_and_nothing_else_is_read(terms in any_terms(), cut in 0usize..DealTerms::BYTES) {
            let bytes = terms.to_bytes();
            prop_assert_eq!(bytes.len(), DealTerms::BYTES);
            prop_assert_eq!(&DealTerms::from_bytes(&bytes).unwrap(), &terms);
            prop_assert!(DealTerms::from_bytes(&bytes[..cut]).is_err());
            let mut long = bytes;
            long.push(0);
            prop_assert_eq!(DealTerms::from_bytes(&long), Err(DecodeError::Surplus(1)));
        }

        #[test]
        fn r01_every_byte_of_the_terms_changes_the_deal(terms in any_terms(), at in 0usize..DealTerms::BYTES) {
            let mut bytes = terms.to_bytes();
            bytes[at] ^= 1;
            if let Ok(other) = DealTerms::from_bytes(&bytes) {
                prop_assert_ne!(other.deal_id(1), terms.deal_id(1));
            }
            prop_assert_ne!(terms.deal_id(1), terms.deal_id(2));
        }
    }
}
