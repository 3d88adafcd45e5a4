//! What the application pool and the register of miners say.

use gio_protocol::{Address, B256, Gio, U256, UnixSeconds};
use serde::{Deserialize, Serialize};

/// What a release's digest is of; the discriminants are the contract's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppKind {
    /// keccak of the module, which is its program root in machine version 0.
    WasmModule = 0,
    /// SHA-256 of the image's manifest.
    DockerImage = 1,
}

/// A release to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseDraft {
    /// What the digest is of.
    pub kind: AppKind,
    /// The bytes.
    pub digest: B256,
    /// Of what a deal pays, at most 1000.
    pub royalty_per_mille: u16,
    /// Who earns it; zero without a royalty.
    pub royalty_to: Address,
    /// Licence, arguments, or a page that tells them.
    pub about: String,
}

/// A published release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseInfo {
    /// What was published; the recipient is the present one.
    pub draft: ReleaseDraft,
    /// The publisher advises against it.
    pub is_deprecated: bool,
    /// When.
    pub published_at: UnixSeconds,
}

/// An application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppInfo {
    /// Its name.
    pub name: String,
    /// Who publishes under it.
    pub owner: Address,
    /// How many versions there are.
    pub releases: U256,
    /// The one published last.
    pub latest_version: String,
}

/// What the register says of an owner of machines, all of it read at one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinerInfo {
    /// All of it; what is at risk or leaving is a part.
    pub bond: Gio,
    /// Reserved by the court.
    pub at_risk: Gio,
    /// Asked back.
    pub leaving: Gio,
    /// First second at which that can be taken; `None` if nothing is leaving.
    pub leaves_at: Option<UnixSeconds>,
    /// One is enough to be out for good.
    pub claims_lost: u32,
    /// Where it wants to be paid.
    pub payout_to: Address,
    /// Whether its claims count: the bond reaches the least bond and no claim was lost.
    pub is_active: bool,
    /// Until when the bond is sure to reach the least bond; `None`: it does not now.
    pub covered_until: Option<UnixSeconds>,
    /// The chain's time of these figures.
    pub now: UnixSeconds,
}

/// The register's own numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegistryRules {
    /// The least bond that counts.
    pub bond_min: Gio,
    /// Seconds from a request to the withdrawal (R15).
    pub withdrawal_delay: u64,
}

/// For whom a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its owner while a delegation lasts, otherwise the key itself.
    pub owner: Address,
    /// When a revocation takes effect; `None` if it was not revoked.
    pub ends_at: Option<UnixSeconds>,
}
