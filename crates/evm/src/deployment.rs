//! Where the contracts of one market live.

use gio_protocol::{Address, Gio};
use serde::{Deserialize, Serialize};

/// The addresses every agent of one market is configured with: what `contracts/script/Deploy.s.sol` and
/// [`crate::devnet::deploy`] write. Only the first four are needed to buy, sell and run a hub; a command that needs
/// another says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// The chain every signature and transaction is made for.
    pub chain_id: u64,
    /// `GioToken`.
    pub token: Address,
    /// `HubFactory`: only its wallets take part.
    pub factory: Address,
    /// `Whitelist`: the register of hubs.
    pub whitelist: Address,
    /// `HubWallet`, which every clone delegates to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wallet_implementation: Option<Address>,
    /// `Timelock`: the DAO of every wallet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timelock: Option<Address>,
    /// `Dao`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dao: Option<Address>,
    /// `Treasury`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub treasury: Option<Address>,
    /// `Cases`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cases: Option<Address>,
    /// `AppPool`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_pool: Option<Address>,
    /// `MinerRegistry`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub miner_registry: Option<Address>,
    /// `Standing`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<Address>,
}

impl Deployment {
    /// The least deployment: a market without government, applications and bonds.
    #[must_use]
    pub fn new(chain_id: u64, token: Address, factory: Address, whitelist: Address) -> Self {
        Self {
            chain_id,
            token,
            factory,
            whitelist,
            wallet_implementation: None,
            timelock: None,
            dao: None,
            treasury: None,
            cases: None,
            app_pool: None,
            miner_registry: None,
            standing: None,
        }
    }

    /// Every contract but the wallets.
    pub(crate) fn contracts(&self) -> impl Iterator<Item = Address> {
        let others = [
            self.wallet_implementation,
            self.timelock,
            self.dao,
            self.treasury,
            self.cases,
            self.app_pool,
            self.miner_registry,
            self.standing,
        ];
        let first = [self.token, self.factory, self.whitelist];
        first.into_iter().chain(others.into_iter().flatten())
    }
}

/// What a factory gives every wallet it makes (HW-03).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalletParameters {
    /// Who decides suspicion, rehabilitation and ban: the timelock that executes votes.
    pub dao: Address,
    /// Who receives the payday fee and what a ban takes.
    pub treasury: Address,
    /// Who knows accusations; zero: a market without a court.
    pub cases: Address,
    /// The stake a hub freezes to register.
    pub freeze_quota: Gio,
    /// The part of a payout's gross that is locked until payday.
    pub lock_percent: u8,
    /// The fee at payday, of the locked sum.
    pub dao_fee_per_mille: u16,
    /// Seconds from registration to payday.
    pub payout_period: u32,
    /// Seconds from suspicion to the first possible ban.
    pub suspicion_period: u32,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The keys the deployment script writes, in its own words.
    fn keys_of_the_script() -> BTreeSet<String> {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../contracts/script/Plan.sol"
        );
        let text = std::fs::read_to_string(path).unwrap();
        let calls = text.split("(object, \"").skip(1);
        calls
            .map(|rest| rest.split('"').next().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn the_addresses_file_is_the_deployment_scripts() {
        let address = Some(Address::repeat_byte(1));
        let full = Deployment {
            wallet_implementation: address,
            timelock: address,
            dao: address,
            treasury: address,
            cases: address,
            app_pool: address,
            miner_registry: address,
            standing: address,
            ..Deployment::new(7, Address::ZERO, Address::ZERO, Address::ZERO)
        };
        let value = serde_json::to_value(full).unwrap();
        let ours: BTreeSet<String> = value.as_object().unwrap().keys().cloned().collect();
        assert_eq!(ours, keys_of_the_script());
        assert_eq!(serde_json::from_value::<Deployment>(value).unwrap(), full);
    }
}
