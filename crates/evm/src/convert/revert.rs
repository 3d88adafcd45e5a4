//! Revert data as a [`RevertReason`]. Selectors are unique across the repository, so the order of the tries is free.

use alloy::primitives::Bytes;
use alloy::sol_types::{Panic, Revert, SolError, SolInterface};
use gio_protocol::{Cu, DealId, U256, UnixSeconds};

use super::{OutOfRange, deal_stage, gio, wallet_state};
use crate::bindings::GioToken::GioTokenErrors as T;
use crate::bindings::HubFactory::HubFactoryErrors as F;
use crate::bindings::HubWallet::HubWalletErrors as W;
use crate::bindings::Whitelist::WhitelistErrors as L;
use crate::bindings::government as g;
use crate::revert::{GovernmentRevert, RevertReason};

impl RevertReason {
    /// Reads what a call reverted with.
    pub(crate) fn from_data(data: &Bytes) -> Self {
        if data.is_empty() {
            return Self::Unexplained;
        }
        custom(data).unwrap_or_else(|| standard(data))
    }
}

fn custom(data: &[u8]) -> Option<RevertReason> {
    let read = if let Ok(error) = W::abi_decode(data) {
        wallet(error)
    } else if let Ok(error) = T::abi_decode(data) {
        token(error)
    } else if let Ok(error) = L::abi_decode(data) {
        whitelist(error)
    } else if let Ok(error) = F::abi_decode(data) {
        factory(error)
    } else if let Some(read) = GovernmentRevert::from_data(data).transpose() {
        read.map(RevertReason::Government)
    } else {
        Ok(RevertReason::Library(library(data)?))
    };
    read.ok()
}

/// Errors of the libraries under the government's contracts.
fn library(data: &[u8]) -> Option<String> {
    let name = |error: &dyn std::fmt::Debug| format!("{error:?}");
    g::Dao::DaoErrors::abi_decode(data)
        .map(|error| name(&error))
        .or_else(|_| g::Timelock::TimelockErrors::abi_decode(data).map(|error| name(&error)))
        .or_else(|_| g::Cases::CasesErrors::abi_decode(data).map(|error| name(&error)))
        .ok()
}

fn standard(data: &Bytes) -> RevertReason {
    if let Ok(revert) = Revert::abi_decode(data) {
        return RevertReason::Message(revert.reason);
    }
    if let Ok(panic) = Panic::abi_decode(data) {
        return RevertReason::Panic(panic.code);
    }
    RevertReason::Unknown(data.clone())
}

fn wallet(error: W) -> Result<RevertReason, OutOfRange> {
    match error {
        W::NotOwner(e) => Ok(RevertReason::NotOwner {
            caller: e.caller,
            owner: e.owner,
        }),
        W::WalletStateMismatch(e) => Ok(RevertReason::WalletStateMismatch {
            state: wallet_state(e.state)?,
            required: wallet_state(e.required)?,
        }),
        W::FreeBalanceTooLow(e) => Ok(RevertReason::FreeBalanceTooLow {
            free: gio("free", e.free)?,
            needed: gio("needed", e.needed)?,
        }),
        W::AmountZero(_) => Ok(RevertReason::AmountZero),
        W::MinerInvalid(e) => Ok(RevertReason::MinerInvalid { miner: e.miner }),
        W::CallToImplementation(_) => Ok(RevertReason::CallToImplementation),
        other => period(other),
    }
}

fn period(error: W) -> Result<RevertReason, OutOfRange> {
    match error {
        W::NotDao(e) => Ok(RevertReason::NotDao {
            caller: e.caller,
            dao: e.dao,
        }),
        W::PaydayTooEarly(e) => Ok(RevertReason::PaydayTooEarly {
            payday_at: UnixSeconds(e.paydayAt),
            time: UnixSeconds(e.time),
        }),
        W::DealsOpen(e) => Ok(RevertReason::DealsOpen {
            escrow: gio("escrow", U256::from(e.escrow))?,
            guarantees: gio("guarantees", U256::from(e.guarantees))?,
        }),
        W::CaseUndecided(e) => Ok(RevertReason::CaseUndecided {
            until: UnixSeconds(e.until),
        }),
        W::CaseNotPending(e) => Ok(RevertReason::CaseNotPending { case: e.caseId }),
        W::BanTooEarly(e) => Ok(RevertReason::BanTooEarly {
            bannable_at: UnixSeconds(e.bannableAt),
            time: UnixSeconds(e.time),
        }),
        W::NothingFree(_) => Ok(RevertReason::NothingFree),
        W::PayoutCountOutOfRange(e) => Ok(RevertReason::PayoutCountOutOfRange { count: e.count }),
        W::PayoutProofInvalid(e) => Ok(RevertReason::PayoutProofInvalid {
            epoch: e.epoch,
            index: e.index,
        }),
        W::PayoutClaimedAlready(e) => Ok(RevertReason::PayoutClaimedAlready {
            epoch: e.epoch,
            index: e.index,
        }),
        W::ClaimsFrozen(_) => Ok(RevertReason::ClaimsFrozen),
        other => terms(other),
    }
}

fn terms(error: W) -> Result<RevertReason, OutOfRange> {
    match error {
        W::WalletMismatch(e) => Ok(RevertReason::WalletMismatch { wallet: e.wallet }),
        W::SeedCommitmentMismatch(e) => Ok(RevertReason::SeedCommitmentMismatch {
            commitment: e.commitment,
        }),
        W::UnitCountOutOfRange(e) => Ok(RevertReason::UnitCountOutOfRange {
            unit_count: e.unitCount,
        }),
        W::ModeUnknown(e) => Ok(RevertReason::ModeUnknown { mode: e.mode }),
        W::ModeParamsUnexpected(e) => Ok(RevertReason::ModeParamsUnexpected {
            mode_params: e.modeParams,
        }),
        W::MachineVersionUnknown(e) => Ok(RevertReason::MachineVersionUnknown {
            machine_version: e.machineVersion,
        }),
        W::RoyaltyTooHigh(e) => Ok(RevertReason::RoyaltyTooHigh {
            per_mille: e.royaltyPerMille,
        }),
        W::RoyaltyRecipientInvalid(e) => Ok(RevertReason::RoyaltyRecipientInvalid {
            royalty_to: e.royaltyTo,
        }),
        W::CourtUnexpected(e) => Ok(RevertReason::CourtUnexpected { court: e.court }),
        W::DeadlinesUnordered(e) => Ok(RevertReason::DeadlinesUnordered {
            open_by: UnixSeconds(e.openBy),
            deliver_by: UnixSeconds(e.deliverBy),
        }),
        W::WindowTooLong(e) => Ok(RevertReason::WindowTooLong {
            window: e.window,
            max: e.max,
        }),
        W::CapZero(_) => Ok(RevertReason::CapZero),
        other => life(other),
    }
}

fn life(error: W) -> Result<RevertReason, OutOfRange> {
    match error {
        W::BuyerSignatureInvalid(e) => Ok(RevertReason::BuyerSignatureInvalid {
            buyer: e.buyer,
            digest: e.digest,
        }),
        W::HubSignatureInvalid(e) => Ok(RevertReason::HubSignatureInvalid {
            owner: e.owner,
            digest: e.digest,
        }),
        W::DealStateMismatch(e) => Ok(RevertReason::DealStateMismatch {
            deal: DealId(e.dealId),
            stage: deal_stage(e.state)?,
        }),
        W::CapIncomplete(e) => Ok(RevertReason::CapIncomplete {
            arrived: gio("arrived", e.arrived)?,
            cap: gio("cap", e.cap)?,
        }),
        W::OpenByPassed(e) => Ok(RevertReason::OpenByPassed {
            open_by: UnixSeconds(e.openBy),
            time: UnixSeconds(e.time),
        }),
        W::DeliverByPassed(e) => Ok(RevertReason::DeliverByPassed {
            deliver_by: UnixSeconds(e.deliverBy),
            time: UnixSeconds(e.time),
        }),
        W::DeliverByNotPassed(e) => Ok(RevertReason::DeliverByNotPassed {
            deliver_by: UnixSeconds(e.deliverBy),
            time: UnixSeconds(e.time),
        }),
        W::WindowOpen(e) => Ok(RevertReason::WindowOpen {
            window_end: UnixSeconds(e.windowEnd),
            time: UnixSeconds(e.time),
        }),
        W::WindowOver(e) => Ok(RevertReason::WindowOver {
            window_end: UnixSeconds(e.windowEnd),
            time: UnixSeconds(e.time),
        }),
        W::ResultRootMismatch(e) => Ok(RevertReason::ResultRootMismatch {
            posted: e.posted,
            given: e.given,
        }),
        W::PaymentAboveCap(e) => Ok(RevertReason::PaymentAboveCap {
            payment: gio("payment", e.payment)?,
            cap: gio("cap", e.cap)?,
        }),
        other => Ok(trees(other)),
    }
}

fn trees(error: W) -> RevertReason {
    match error {
        W::SumWithoutTree(e) => RevertReason::SumWithoutTree {
            cu_total: Cu(e.cuTotal),
        },
        W::PathLengthInvalid(e) => RevertReason::PathLengthInvalid {
            length: e.length,
            depth: e.depth,
        },
        W::PathBroken(e) => RevertReason::PathBroken { step: e.step },
        W::JobProofInvalid(e) => RevertReason::JobProofInvalid { unit: e.unit },
        W::ResultProofInvalid(e) => RevertReason::ResultProofInvalid { unit: e.unit },
        W::NothingRefuted(_) => RevertReason::NothingRefuted,
        other => RevertReason::Library(format!("{other:?}")),
    }
}

fn token(error: T) -> Result<RevertReason, OutOfRange> {
    Ok(match error {
        T::ERC20InsufficientBalance(e) => RevertReason::BalanceTooLow {
            holder: e.sender,
            balance: gio("balance", e.balance)?,
            needed: gio("needed", e.needed)?,
        },
        T::ERC20InsufficientAllowance(e) => RevertReason::AllowanceTooLow {
            spender: e.spender,
            allowance: gio("allowance", e.allowance)?,
            needed: gio("needed", e.needed)?,
        },
        T::ERC2612ExpiredSignature(e) => RevertReason::PermitExpired {
            deadline: e.deadline,
        },
        T::ERC2612InvalidSigner(e) => RevertReason::PermitSignerInvalid {
            signer: e.signer,
            owner: e.owner,
        },
        T::NotMinter(e) => RevertReason::NotMinter {
            caller: e.caller,
            minter: e.minter,
        },
        T::MinterZero(_) => RevertReason::MinterZero,
        other => RevertReason::Library(format!("{other:?}")),
    })
}

#[expect(clippy::unnecessary_wraps, reason = "the same shape as its siblings")]
fn whitelist(error: L) -> Result<RevertReason, OutOfRange> {
    Ok(match error {
        L::FactoryForeign(e) => RevertReason::FactoryForeign { factory: e.factory },
        L::FactoryZero(_) => RevertReason::FactoryZero,
        L::NotWhitelistDao(e) => RevertReason::NotWhitelistDao {
            caller: e.caller,
            dao: e.dao,
        },
        L::HubNotRegistered(e) => RevertReason::HubNotRegistered { wallet: e.wallet },
        L::NotFactory(e) => RevertReason::NotFactory {
            caller: e.caller,
            factory: e.factory,
        },
        L::NotHubOwner(e) => RevertReason::NotHubOwner {
            caller: e.caller,
            owner: e.owner,
        },
        L::RecordFieldLength(e) => RevertReason::RecordFieldLength {
            field: match e.field {
                0 => "endpoint",
                1 => "name",
                _ => "description",
            },
            length: e.length,
            max: e.max,
        },
        L::WalletUnknown(e) => RevertReason::WalletUnknown { wallet: e.wallet },
        L::WalletListedAlready(e) => RevertReason::WalletListedAlready { wallet: e.wallet },
    })
}

#[expect(clippy::unnecessary_wraps, reason = "the same shape as its siblings")]
fn factory(error: F) -> Result<RevertReason, OutOfRange> {
    Ok(match error {
        F::ParametersInvalid(_) => RevertReason::ParametersInvalid,
        F::WalletExists(e) => RevertReason::WalletExists { wallet: e.wallet },
        F::WhitelistOfOtherFactory(e) => {
            RevertReason::WhitelistOfOtherFactory { factory: e.factory }
        }
        other => RevertReason::Library(format!("{other:?}")),
    })
}

#[cfg(test)]
mod tests {
    use alloy::json_abi::{Error, JsonAbi};

    use super::*;

    /// Errors of the libraries our contracts use, which no correct call meets.
    const LIBRARY: [&str; 38] = [
        "AccessControlBadConfirmation",
        "AccessControlUnauthorizedAccount",
        "CheckpointUnorderedInsertion",
        "CloneArgumentsTooLong",
        "Create2EmptyBytecode",
        "ECDSAInvalidSignature",
        "ECDSAInvalidSignatureLength",
        "ECDSAInvalidSignatureS",
        "ERC20ExceededSafeSupply",
        "ERC20InvalidApprover",
        "ERC20InvalidReceiver",
        "ERC20InvalidSender",
        "ERC20InvalidSpender",
        "ERC5805FutureLookup",
        "ERC6372InconsistentClock",
        "FailedCall",
        "FailedDeployment",
        "GovernorAlreadyQueuedProposal",
        "GovernorDisabledDeposit",
        "GovernorInvalidProposalLength",
        "GovernorInvalidQuorumFraction",
        "GovernorInvalidVoteParams",
        "GovernorInvalidVotingPeriod",
        "GovernorOnlyExecutor",
        "GovernorProposalQueueingFailed",
        "GovernorProposalQueueingNotRequired",
        "GovernorRestrictedProposer",
        "GovernorUnableToCancel",
        "InsufficientBalance",
        "InvalidAccountNonce",
        "SafeCastOverflowedUintDowncast",
        "SafeERC20FailedOperation",
        "StringsInsufficientHexLength",
        "TimelockInsufficientDelay",
        "TimelockInvalidOperationLength",
        "TimelockUnauthorizedCaller",
        "TimelockUnexecutedPredecessor",
        "VotesExpiredSignature",
    ];
    /// Library errors with a text, which this test does not encode.
    const WITH_TEXT: [&str; 2] = ["InvalidShortString", "StringTooLong"];

    const CONTRACTS: [&str; 11] = [
        "AppPool",
        "Cases",
        "Dao",
        "GioToken",
        "HubFactory",
        "HubWallet",
        "MinerRegistry",
        "Standing",
        "Timelock",
        "Treasury",
        "Whitelist",
    ];

    fn errors(contract: &str) -> Vec<Error> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../contracts/abi");
        let text = std::fs::read_to_string(format!("{folder}/{contract}.json")).unwrap();
        let abi: JsonAbi = serde_json::from_str(&text).unwrap();
        abi.errors().cloned().collect()
    }

    #[test]
    fn every_error_of_our_contracts_has_a_name_of_ours() {
        for contract in CONTRACTS {
            for error in errors(contract) {
                let mut data = error.selector().to_vec();
                data.resize(4 + 32 * error.inputs.len(), 0);
                let reason = RevertReason::from_data(&data.into());
                let is_library = matches!(reason, RevertReason::Library(_));
                let name = error.name.as_str();
                assert!(
                    !matches!(reason, RevertReason::Unknown(_)),
                    "{contract}.{name}"
                );
                if !WITH_TEXT.contains(&name) {
                    assert_eq!(is_library, LIBRARY.contains(&name), "{contract}.{name}");
                }
            }
        }
    }

    #[test]
    fn what_solidity_itself_says_is_understood() {
        let text = Revert::from("no").abi_encode().into();
        assert_eq!(
            RevertReason::from_data(&text),
            RevertReason::Message("no".to_owned())
        );
        let panic = Panic::from(0x11).abi_encode().into();
        let overflow = RevertReason::Panic(gio_protocol::U256::from(0x11));
        assert_eq!(RevertReason::from_data(&panic), overflow);
        assert_eq!(
            RevertReason::from_data(&Bytes::new()),
            RevertReason::Unexplained
        );
        let unknown = Bytes::from_static(&[1, 2, 3, 4]);
        assert_eq!(
            RevertReason::from_data(&unknown),
            RevertReason::Unknown(unknown.clone())
        );
    }

    /// An amount no GIO can be is no reason to lose the error.
    #[test]
    fn values_beyond_our_words_keep_their_bytes() {
        let mut data = crate::bindings::HubWallet::FreeBalanceTooLow::SELECTOR.to_vec();
        data.extend([0xff; 64]);
        let data = Bytes::from(data);
        assert_eq!(
            RevertReason::from_data(&data),
            RevertReason::Unknown(data.clone())
        );
    }
}
