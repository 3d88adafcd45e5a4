//! Between the contracts' generated types and our words. The only place where both are named.

mod event;
mod government;
mod revert;

use alloy::primitives::Bytes;
use gio_protocol::{
    Address, B256, Claim, Cu, DealId, DealStage, DealTerms, Gio, PricePerPu, SumNode, U256,
    UnitLeaf, UnixSeconds, VerificationMode,
};

use crate::bindings::{self, HubFactory, HubWallet};
use crate::deployment::WalletParameters;
use crate::error::ChainError;
use crate::info::{DealInfo, FalseBill, HubInfo, HubKind, HubRecord, Permit, SumStep, WalletState};

pub(crate) use event::{place, wallet_log};

/// A value of the chain that has no place in our words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {value}")]
pub struct OutOfRange {
    field: &'static str,
    value: U256,
}

impl OutOfRange {
    fn new(field: &'static str, value: impl TryInto<U256>) -> Self {
        Self {
            field,
            value: value.try_into().unwrap_or(U256::MAX),
        }
    }

    pub(crate) fn in_answer_to(self, question: &'static str) -> ChainError {
        ChainError::unreadable(question, &self)
    }
}

/// An amount of the chain. The whole supply is far below 2^64 base units, so a larger one is nonsense.
pub(crate) fn gio(field: &'static str, units: impl TryInto<U256>) -> Result<Gio, OutOfRange> {
    let units = units.try_into().unwrap_or(U256::MAX);
    u64::try_from(units)
        .map(Gio::from_units)
        .map_err(|_| OutOfRange::new(field, units))
}

fn deal_stage(state: u8) -> Result<DealStage, OutOfRange> {
    DealStage::try_from(state).map_err(|_| OutOfRange::new("deal state", U256::from(state)))
}

pub(crate) fn wallet_state(state: u8) -> Result<WalletState, OutOfRange> {
    Ok(match state {
        0 => WalletState::Created,
        1 => WalletState::Registered,
        2 => WalletState::Idle,
        3 => WalletState::Suspected,
        4 => WalletState::Punished,
        _ => return Err(OutOfRange::new("wallet state", U256::from(state))),
    })
}

fn hub_kind(kind: u8) -> Result<HubKind, OutOfRange> {
    Ok(match kind {
        0 => HubKind::Compute,
        1 => HubKind::Service,
        2 => HubKind::Other,
        _ => return Err(OutOfRange::new("hub kind", U256::from(kind))),
    })
}

/// Reads a value of the chain as one of ours.
pub(crate) trait Read<T>: Sized {
    /// `field` names it if it does not fit.
    fn read(field: &'static str, value: T) -> Result<Self, OutOfRange>;
}

macro_rules! read_as_it_is {
    ($($type:ty),*) => {
        $(impl Read<$type> for $type {
            fn read(_: &'static str, value: Self) -> Result<Self, OutOfRange> {
                Ok(value)
            }
        })*
    };
}
read_as_it_is!(
    Address,
    B256,
    U256,
    String,
    bool,
    u8,
    u16,
    u32,
    u64,
    Vec<Address>,
    Vec<Bytes>
);

impl Read<u128> for Gio {
    fn read(field: &'static str, value: u128) -> Result<Self, OutOfRange> {
        gio(field, U256::from(value))
    }
}

impl Read<u64> for UnixSeconds {
    fn read(_: &'static str, value: u64) -> Result<Self, OutOfRange> {
        Ok(Self(value))
    }
}

impl Read<U256> for UnixSeconds {
    fn read(field: &'static str, value: U256) -> Result<Self, OutOfRange> {
        let seconds = u64::try_from(value);
        seconds.map(Self).map_err(|_| OutOfRange::new(field, value))
    }
}

/// Block time zero means "not yet" everywhere in the contracts.
pub(crate) fn time_or_none(seconds: u64) -> Option<UnixSeconds> {
    (seconds != 0).then_some(UnixSeconds(seconds))
}

impl From<&DealTerms> for HubWallet::DealTerms {
    fn from(terms: &DealTerms) -> Self {
        Self {
            buyer: terms.buyer,
            wallet: terms.wallet,
            buyerNonce: terms.buyer_nonce,
            hubNonce: terms.hub_nonce,
            seedCommitment: terms.seed_commitment,
            jobRoot: terms.job_root,
            unitCount: terms.unit_count,
            mode: terms.mode as u8,
            modeParams: terms.mode_params,
            machineVersion: terms.machine_version,
            machineParams: terms.machine_params,
            pricePerPu: terms.price_per_pu.0.units().into(),
            cap: terms.cap.units().into(),
            guarantee: terms.guarantee.units().into(),
            royaltyTo: terms.royalty_to,
            royaltyPerMille: terms.royalty_per_mille,
            court: terms.court,
            clockStart: terms.clock_start.0,
            openBy: terms.open_by.0,
            deliverBy: terms.deliver_by.0,
            window: terms.window,
        }
    }
}

impl TryFrom<HubWallet::DealTerms> for DealTerms {
    type Error = OutOfRange;

    fn try_from(terms: HubWallet::DealTerms) -> Result<Self, OutOfRange> {
        Ok(Self {
            buyer: terms.buyer,
            wallet: terms.wallet,
            buyer_nonce: terms.buyerNonce,
            hub_nonce: terms.hubNonce,
            seed_commitment: terms.seedCommitment,
            job_root: terms.jobRoot,
            unit_count: terms.unitCount,
            mode: VerificationMode::try_from(terms.mode)
                .map_err(|_| OutOfRange::new("mode", U256::from(terms.mode)))?,
            mode_params: terms.modeParams,
            machine_version: terms.machineVersion,
            machine_params: terms.machineParams,
            price_per_pu: PricePerPu(gio("price", U256::from(terms.pricePerPu))?),
            cap: gio("cap", U256::from(terms.cap))?,
            guarantee: gio("guarantee", U256::from(terms.guarantee))?,
            royalty_to: terms.royaltyTo,
            royalty_per_mille: terms.royaltyPerMille,
            court: terms.court,
            clock_start: UnixSeconds(terms.clockStart),
            open_by: UnixSeconds(terms.openBy),
            deliver_by: UnixSeconds(terms.deliverBy),
            window: terms.window,
        })
    }
}

impl From<&Claim> for HubWallet::Claim {
    fn from(claim: &Claim) -> Self {
        Self {
            dealId: claim.deal_id.0,
            unit: claim.unit,
            owner: claim.owner,
            programRoot: claim.program_root,
            inputRoot: claim.input_root,
            status: claim.status as u8,
            exitCode: claim.exit_code,
            cu: claim.cu.0,
            outputRoot: claim.output_root,
            outputLength: claim.output_length,
            contentRoot: claim.content_root,
        }
    }
}

impl From<&UnitLeaf> for HubWallet::UnitLeaf {
    fn from(unit: &UnitLeaf) -> Self {
        Self {
            index: unit.index,
            kind: unit.kind as u8,
            programRoot: unit.program_root,
            inputRoot: unit.input_root,
            inputLength: unit.input_length,
            cuLimit: unit.cu_limit.0,
            pagesMax: unit.pages_max,
            outputMax: unit.output_max,
            unitSeed: unit.unit_seed,
        }
    }
}

impl From<SumNode> for HubWallet::SumNode {
    fn from(node: SumNode) -> Self {
        Self {
            hash: node.hash,
            sum: node.sum.0,
        }
    }
}

impl From<SumStep> for HubWallet::SumStep {
    fn from(step: SumStep) -> Self {
        Self {
            left: step.left.into(),
            right: step.right.into(),
            goRight: step.go_right,
        }
    }
}

/// A permit's arguments; `None` is the zero deadline, which the wallet skips.
impl From<Option<Permit>> for HubWallet::PermitSignature {
    fn from(permit: Option<Permit>) -> Self {
        let Some(permit) = permit else {
            return Self {
                value: U256::ZERO,
                deadline: U256::ZERO,
                v: 0,
                r: B256::ZERO,
                s: B256::ZERO,
            };
        };
        let bytes = permit.signature.as_bytes();
        Self {
            value: U256::from(permit.value.units()),
            deadline: U256::from(permit.deadline.0),
            v: bytes[64],
            r: B256::from_slice(&bytes[..32]),
            s: B256::from_slice(&bytes[32..64]),
        }
    }
}

pub(crate) fn refute_bill_call(terms: &DealTerms, bill: &FalseBill) -> HubWallet::refuteBillCall {
    HubWallet::refuteBillCall {
        terms: terms.into(),
        unit: (&bill.unit).into(),
        jobProof: bill.job_proof.clone(),
        claim: (&bill.claim).into(),
        billed: bill.billed.0,
        resultProof: bill.result_proof.iter().copied().map(Into::into).collect(),
    }
}

impl TryFrom<HubWallet::Deal> for DealInfo {
    type Error = OutOfRange;

    fn try_from(deal: HubWallet::Deal) -> Result<Self, OutOfRange> {
        Ok(Self {
            stage: deal_stage(deal.state)?,
            window_end: time_or_none(deal.windowEnd),
            cu_total: Cu(deal.cuTotal),
            result_root: (!deal.resultRoot.is_zero()).then_some(deal.resultRoot),
        })
    }
}

impl TryFrom<HubWallet::WalletParameters> for WalletParameters {
    type Error = OutOfRange;

    fn try_from(parameters: HubWallet::WalletParameters) -> Result<Self, OutOfRange> {
        Ok(Self {
            dao: parameters.dao,
            treasury: parameters.treasury,
            cases: parameters.cases,
            freeze_quota: gio("freeze quota", U256::from(parameters.freezeQuota))?,
            lock_percent: parameters.lockPercent,
            dao_fee_per_mille: parameters.daoFeePerMille,
            payout_period: parameters.payoutPeriod,
            suspicion_period: parameters.suspicionPeriod,
        })
    }
}

/// A factory's constructor argument: the parameters and the addresses that go with them.
pub(crate) fn factory_parameters(
    parameters: &WalletParameters,
    token: Address,
    whitelist: Address,
) -> HubFactory::WalletParameters {
    HubFactory::WalletParameters {
        token,
        dao: parameters.dao,
        treasury: parameters.treasury,
        cases: parameters.cases,
        whitelist,
        freezeQuota: parameters.freeze_quota.units().into(),
        lockPercent: parameters.lock_percent,
        daoFeePerMille: parameters.dao_fee_per_mille,
        payoutPeriod: parameters.payout_period,
        suspicionPeriod: parameters.suspicion_period,
    }
}

impl From<HubRecord> for HubWallet::HubRecord {
    fn from(record: HubRecord) -> Self {
        Self {
            endpoint: record.endpoint,
            name: record.name,
            description: record.description,
            kind: record.kind as u8,
        }
    }
}

impl From<HubRecord> for bindings::HubRecord {
    fn from(record: HubRecord) -> Self {
        Self {
            endpoint: record.endpoint,
            name: record.name,
            description: record.description,
            kind: record.kind as u8,
        }
    }
}

impl TryFrom<bindings::Hub> for HubInfo {
    type Error = OutOfRange;

    fn try_from(hub: bindings::Hub) -> Result<Self, OutOfRange> {
        Ok(Self {
            wallet: hub.wallet,
            owner: hub.owner,
            listed_at: UnixSeconds(hub.listedAt),
            registered_at: time_or_none(hub.registeredAt),
            state: wallet_state(hub.state)?,
            endpoint: hub.record.endpoint,
            name: hub.record.name,
            description: hub.record.description,
            kind: hub_kind(hub.record.kind)?,
        })
    }
}

/// What a deal's id must be, or a contradiction.
pub(crate) fn check_deal_id(
    found: B256,
    terms: &DealTerms,
    chain_id: u64,
) -> Result<DealId, String> {
    let computed = terms.deal_id(chain_id);
    if computed.0 == found {
        Ok(computed)
    } else {
        Err(format!("deal {found} with the terms of deal {computed}"))
    }
}
