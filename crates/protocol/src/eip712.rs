//! EIP-712 typed data (F3): the domain, and the digests of the small messages.

use std::sync::LazyLock;

use alloy_primitives::{Address, B256};

use crate::amount::Gio;
use crate::keccak::keccak256;
use crate::tree::job::JobTree;

const DOMAIN_TYPE: &str =
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
const ACCEPTANCE_TYPE: &str = "Acceptance(bytes32 dealId,uint32 unit,bytes32 claimHash)";
const ACCEPTANCES_TYPE: &str = "Acceptances(bytes32 root)";
const CONFIRMATION_TYPE: &str = "Confirmation(bytes32 dealId,bytes32 resultRoot)";
const CANCELLATION_TYPE: &str = "Cancellation(bytes32 dealId,uint128 payment)";

/// Hashed once: a hub accepts and a miner hears of thousands of claims a second.
static ACCEPTANCE_TYPE_HASH: LazyLock<B256> = LazyLock::new(|| keccak256(ACCEPTANCE_TYPE));

/// Where a signature holds: one wallet clone on one chain (R11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Domain {
    separator: B256,
}

impl Domain {
    /// The domain of `wallet` on `chain_id`.
    #[must_use]
    pub fn new(chain_id: u64, wallet: Address) -> Self {
        let mut words = Words::of(DOMAIN_TYPE);
        words
            .hash(keccak256("GIO"))
            .hash(keccak256("1"))
            .uint(chain_id)
            .address(wallet);
        Self {
            separator: words.finish(),
        }
    }

    /// The EIP-712 domain separator.
    #[must_use]
    pub fn separator(&self) -> B256 {
        self.separator
    }

    /// The digest that is signed for a struct hash.
    #[must_use]
    pub fn digest(&self, struct_hash: B256) -> B256 {
        let mut bytes = [0u8; 66];
        bytes[..2].copy_from_slice(&[0x19, 0x01]);
        bytes[2..34].copy_from_slice(self.separator.as_slice());
        bytes[34..].copy_from_slice(struct_hash.as_slice());
        keccak256(bytes)
    }
}

/// The struct hash of one acceptance: a hub's word that it takes this claim (R14).
#[must_use]
pub fn acceptance_hash(deal_id: B256, unit: u32, claim_hash: B256) -> B256 {
    let mut words = Words::bare();
    words.hash(*ACCEPTANCE_TYPE_HASH).hash(deal_id);
    words.uint(unit).hash(claim_hash);
    words.finish()
}

/// The root over the acceptances of one message, in its order. Whoever holds the hub's signature over it proves any one of
/// them by a path of the job tree's form.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn acceptances_root(acceptances: &[B256]) -> B256 {
    JobTree::new(acceptances).root()
}

/// The hub's countersignature over all claims it accepts in one message (R14).
#[must_use]
pub fn acceptances_digest(domain: &Domain, root: B256) -> B256 {
    let mut words = Words::of(ACCEPTANCES_TYPE);
    words.hash(root);
    domain.digest(words.finish())
}

/// The buyer's word that a posted result may be settled at once.
#[must_use]
pub fn confirmation_digest(domain: &Domain, deal_id: B256, result_root: B256) -> B256 {
    let mut words = Words::of(CONFIRMATION_TYPE);
    words.hash(deal_id).hash(result_root);
    domain.digest(words.finish())
}

/// Buyer's and hub's agreement to end a deal for `payment`.
#[must_use]
pub fn cancellation_digest(domain: &Domain, deal_id: B256, payment: Gio) -> B256 {
    let mut words = Words::of(CANCELLATION_TYPE);
    words.hash(deal_id).uint(payment.units());
    domain.digest(words.finish())
}

/// `keccak(abi.encode(typeHash, fields…))` for static fields, each one 32-byte word.
pub(crate) struct Words(Vec<u8>);

impl Words {
    pub(crate) fn of(type_text: &str) -> Self {
        let mut words = Self::bare();
        words.hash(keccak256(type_text));
        words
    }

    pub(crate) fn bare() -> Self {
        Self(Vec::with_capacity(32 * 24))
    }

    pub(crate) fn hash(&mut self, word: B256) -> &mut Self {
        self.0.extend_from_slice(word.as_slice());
        self
    }

    pub(crate) fn uint(&mut self, value: impl Into<u64>) -> &mut Self {
        let mut word = [0u8; 32];
        word[24..].copy_from_slice(&value.into().to_be_bytes());
        self.0.extend_from_slice(&word);
        self
    }

    pub(crate) fn address(&mut self, address: Address) -> &mut Self {
        self.0.extend_from_slice(address.into_word().as_slice());
        self
    }

    pub(crate) fn finish(&self) -> B256 {
        keccak256(&self.0)
    }
}
