//! The government's, the pool's and the registry's types as ours.

use gio_protocol::U256;

use super::{OutOfRange, Read, time_or_none};
use crate::bindings::government as sol;
use crate::info::{
    AppInfo, AppKind, BucketInfo, CaseInfo, CaseKind, CaseOutcome, EpochInfo, Level, ProposalState,
    ReleaseDraft, ReleaseInfo,
};

/// An enum of the contracts by its number.
macro_rules! read_enum {
    ($type:ty, $($number:literal => $variant:ident),*) => {
        impl Read<u8> for $type {
            fn read(field: &'static str, value: u8) -> Result<Self, OutOfRange> {
                Ok(match value {
                    $($number => Self::$variant,)*
                    _ => return Err(OutOfRange::new(field, U256::from(value))),
                })
            }
        }
    };
}
read_enum!(ProposalState, 0 => Pending, 1 => Active, 2 => Canceled, 3 => Defeated, 4 => Succeeded, 5 => Queued,
    6 => Expired, 7 => Executed);
read_enum!(CaseKind, 0 => Accusation, 1 => Appeal);
read_enum!(CaseOutcome, 0 => Undecided, 1 => Upheld, 2 => Rejected, 3 => Moot);
read_enum!(Level, 0 => Unverified, 1 => Verified, 2 => Trusted);
read_enum!(AppKind, 0 => WasmModule, 1 => DockerImage);

impl TryFrom<sol::Cases::Case> for CaseInfo {
    type Error = OutOfRange;

    fn try_from(case: sol::Cases::Case) -> Result<Self, OutOfRange> {
        Ok(Self {
            wallet: case.wallet,
            opened_at: Read::read("openedAt", case.openedAt)?,
            kind: Read::read("kind", case.kind)?,
            outcome: Read::read("outcome", case.outcome)?,
            opener: case.opener,
            bond: Read::read("bond", case.bond)?,
            proposal: case.proposalId,
            evidence: case.evidence,
        })
    }
}

impl TryFrom<sol::Treasury::Bucket> for BucketInfo {
    type Error = OutOfRange;

    fn try_from(bucket: sol::Treasury::Bucket) -> Result<Self, OutOfRange> {
        Ok(Self {
            amount: Read::read("amount", bucket.amount)?,
            unlock_at: Read::read("unlockAt", bucket.unlockAt)?,
        })
    }
}

impl TryFrom<sol::Treasury::Epoch> for EpochInfo {
    type Error = OutOfRange;

    fn try_from(epoch: sol::Treasury::Epoch) -> Result<Self, OutOfRange> {
        Ok(Self {
            dividend: Read::read("dividend", epoch.dividend)?,
            claimed: Read::read("claimed", epoch.claimed)?,
            snapshot: Read::read("snapshot", epoch.snapshot)?,
            claim_by: time_or_none(epoch.claimBy),
        })
    }
}

impl From<&ReleaseDraft> for sol::AppPool::ReleaseDraft {
    fn from(draft: &ReleaseDraft) -> Self {
        Self {
            kind: draft.kind as u8,
            royaltyPerMille: draft.royalty_per_mille,
            royaltyTo: draft.royalty_to,
            digest: draft.digest,
            about: draft.about.clone(),
        }
    }
}

impl TryFrom<sol::AppPool::ReleaseDraft> for ReleaseDraft {
    type Error = OutOfRange;

    fn try_from(draft: sol::AppPool::ReleaseDraft) -> Result<Self, OutOfRange> {
        Ok(Self {
            kind: Read::read("kind", draft.kind)?,
            digest: draft.digest,
            royalty_per_mille: draft.royaltyPerMille,
            royalty_to: draft.royaltyTo,
            about: draft.about,
        })
    }
}

impl TryFrom<sol::AppPool::Release> for ReleaseInfo {
    type Error = OutOfRange;

    fn try_from(release: sol::AppPool::Release) -> Result<Self, OutOfRange> {
        Ok(Self {
            draft: ReleaseDraft {
                kind: Read::read("kind", release.kind)?,
                digest: release.digest,
                royalty_per_mille: release.royaltyPerMille,
                royalty_to: release.royaltyTo,
                about: release.about,
            },
            is_deprecated: release.deprecated,
            published_at: Read::read("publishedAt", release.publishedAt)?,
        })
    }
}

impl From<sol::AppPool::AppSummary> for AppInfo {
    fn from(app: sol::AppPool::AppSummary) -> Self {
        Self {
            name: app.name,
            owner: app.owner,
            releases: app.releaseCount,
            latest_version: app.latestVersion,
        }
    }
}
