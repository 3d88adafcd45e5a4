//! The numbers of a deployment: one file says them to the forge script and to this package.

use alloy::sol;
use gio_protocol::{Address, Gio};
use serde::Deserialize;

use crate::deployment::WalletParameters;

// The constructors' structs, in the order of contracts/src/types.
sol! {
    struct DaoRules {
        uint48 votingDelay;
        uint32 votingPeriod;
        uint128 proposalThreshold;
        uint8 quorumPercent;
        uint8 graveQuorumPercent;
        uint8 graveMajorityPercent;
    }

    struct TreasuryRules {
        uint32 expropriationLock;
        uint32 epochLength;
        uint32 claimPeriod;
        uint16 dividendPerMille;
    }

    struct RegistryRules {
        uint128 bondMin;
        uint32 clock;
        uint32 grace;
    }
}

/// A parameters file, such as `contracts/script/parameters.json`: seconds, base units, per cent and per mille.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the names of contracts/script/Plan.sol, explained there"
)]
pub struct Numbers {
    pub token: TokenNumbers,
    pub wallet: WalletNumbers,
    pub dao: DaoNumbers,
    pub treasury: TreasuryNumbers,
    pub cases: CaseNumbers,
    pub registry: RegistryNumbers,
}

/// The token's.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the names of contracts/script/Plan.sol, explained there"
)]
pub struct TokenNumbers {
    pub initial_supply: u64,
}

/// What the factory gives every wallet.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the names of contracts/script/Plan.sol, explained there"
)]
pub struct WalletNumbers {
    pub freeze_quota: u64,
    pub lock_percent: u8,
    pub dao_fee_per_mille: u16,
    pub payout_period: u32,
    pub suspicion_period: u32,
}

/// How the Dao votes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the names of contracts/script/Plan.sol, explained there"
)]
pub struct DaoNumbers {
    pub voting_delay: u32,
    pub voting_period: u32,
    pub proposal_threshold: u64,
    pub quorum_percent: u8,
    pub grave_quorum_percent: u8,
    pub grave_majority_percent: u8,
    pub timelock_delay: u32,
}

/// The treasury's.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the names of contracts/script/Plan.sol, explained there"
)]
pub struct TreasuryNumbers {
    pub expropriation_lock: u32,
    pub epoch_length: u32,
    pub claim_period: u32,
    pub dividend_per_mille: u16,
}

/// The cases'.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the names of contracts/script/Plan.sol, explained there"
)]
pub struct CaseNumbers {
    pub bond_min: u64,
}

/// The miners' register's.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the names of contracts/script/Plan.sol, explained there"
)]
pub struct RegistryNumbers {
    pub bond_min: u64,
    pub clock: u32,
    pub grace: u32,
}

impl Numbers {
    /// The numbers of the design: `contracts/script/parameters.json`.
    ///
    /// # Panics
    /// Never: a test reads the file.
    #[must_use]
    pub fn of_the_design() -> Self {
        const TEXT: &str = include_str!("../../../../contracts/script/parameters.json");
        Self::read(TEXT).expect("the committed file is one")
    }

    /// The numbers of a development network, whose votes take seconds: `contracts/script/parameters.devnet.json`.
    ///
    /// # Panics
    /// Never: a test reads the file.
    #[must_use]
    pub fn of_a_development_network() -> Self {
        const TEXT: &str = include_str!("../../../../contracts/script/parameters.devnet.json");
        Self::read(TEXT).expect("the committed file is one")
    }

    /// The numbers of a parameters file.
    ///
    /// # Errors
    /// If the text is not one.
    pub fn read(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

impl WalletNumbers {
    /// Without the addresses, which a deployment finds out.
    pub(super) fn parameters(&self) -> WalletParameters {
        WalletParameters {
            dao: Address::ZERO,
            treasury: Address::ZERO,
            cases: Address::ZERO,
            freeze_quota: Gio::from_units(self.freeze_quota),
            lock_percent: self.lock_percent,
            dao_fee_per_mille: self.dao_fee_per_mille,
            payout_period: self.payout_period,
            suspicion_period: self.suspicion_period,
        }
    }
}

impl DaoNumbers {
    pub(super) fn rules(&self) -> DaoRules {
        DaoRules {
            votingDelay: alloy::primitives::aliases::U48::from(self.voting_delay),
            votingPeriod: self.voting_period,
            proposalThreshold: self.proposal_threshold.into(),
            quorumPercent: self.quorum_percent,
            graveQuorumPercent: self.grave_quorum_percent,
            graveMajorityPercent: self.grave_majority_percent,
        }
    }
}

impl TreasuryNumbers {
    pub(super) fn rules(&self) -> TreasuryRules {
        TreasuryRules {
            expropriationLock: self.expropriation_lock,
            epochLength: self.epoch_length,
            claimPeriod: self.claim_period,
            dividendPerMille: self.dividend_per_mille,
        }
    }
}

impl RegistryNumbers {
    pub(super) fn rules(&self) -> RegistryRules {
        RegistryRules {
            bondMin: self.bond_min.into(),
            clock: self.clock,
            grace: self.grace,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_committed_files_hold_what_a_market_needs() {
        for numbers in [
            Numbers::of_the_design(),
            Numbers::of_a_development_network(),
        ] {
            // R8: otherwise a case could not be carried out in the one period for which payday waits.
            let dao = &numbers.dao;
            let case = dao.voting_delay + dao.voting_period + dao.timelock_delay;
            assert!(case <= numbers.wallet.payout_period);
            assert!(dao.proposal_threshold < numbers.token.initial_supply);
        }
        let wallet = Numbers::of_the_design().wallet.parameters();
        assert_eq!(wallet.freeze_quota, Gio::from_whole(1).unwrap());
        assert_eq!((wallet.lock_percent, wallet.dao_fee_per_mille), (30, 5));
        assert_eq!(wallet.payout_period, 30 * 24 * 3600);
    }
}
