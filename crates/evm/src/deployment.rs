//! Where the contracts of one market live.

use gio_protocol::{Address, Gio};
use serde::{Deserialize, Serialize};

/// The addresses every agent of one market is configured with.
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
