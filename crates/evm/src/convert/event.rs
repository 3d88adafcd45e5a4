//! A log of the RPC as a typed event of a wallet.

use alloy::rpc::types::Log;
use alloy::sol_types::SolEventInterface;
use gio_protocol::{Address, Cu, DealId, DealTerms, U256, UnixSeconds};

use super::{OutOfRange, check_deal_id, gio};
use crate::bindings::HubWallet::{self, HubWalletEvents};
use crate::error::ChainError;
use crate::event::{LogPlace, WalletEvent, WalletLog};

const QUESTION: &str = "logs of a wallet";

/// Reads one log of `wallet`.
///
/// A log without a place (pending), of another address, or that the wallet's code cannot have written, is refused:
/// skipping it would leave a hole in somebody's books.
pub(crate) fn wallet_log(
    log: &Log,
    wallet: Address,
    chain_id: u64,
) -> Result<WalletLog, ChainError> {
    if log.address() != wallet || log.removed {
        return Err(ChainError::Contradiction {
            question: QUESTION,
            problem: format!("a log of {} (removed: {})", log.address(), log.removed),
        });
    }
    let decoded = HubWalletEvents::decode_raw_log(log.topics(), &log.data().data)
        .map_err(|error| ChainError::unreadable(QUESTION, &error))?;
    Ok(WalletLog {
        wallet,
        place: place(log).ok_or_else(|| {
            ChainError::unreadable(QUESTION, "a log without block, transaction or index")
        })?,
        event: event(decoded, chain_id)?,
    })
}

/// Where a log stands; `None` if it is pending.
pub(crate) fn place(log: &Log) -> Option<LogPlace> {
    Some(LogPlace {
        block: log.block_number?,
        block_hash: log.block_hash?,
        tx: log.transaction_hash?,
        index: log.log_index?,
    })
}

fn event(decoded: HubWalletEvents, chain_id: u64) -> Result<WalletEvent, ChainError> {
    match decoded {
        HubWalletEvents::DealOpened(e) => opened(e, chain_id),
        other => plain(other)
            .map_err(|error| error.in_answer_to(QUESTION))?
            .ok_or_else(|| ChainError::unreadable(QUESTION, "an event that wallets do not emit")),
    }
}

fn opened(e: HubWallet::DealOpened, chain_id: u64) -> Result<WalletEvent, ChainError> {
    let terms = DealTerms::try_from(e.terms).map_err(|error| error.in_answer_to(QUESTION))?;
    let deal =
        check_deal_id(e.dealId, &terms, chain_id).map_err(|problem| ChainError::Contradiction {
            question: QUESTION,
            problem,
        })?;
    Ok(WalletEvent::DealOpened {
        deal,
        terms: Box::new(terms),
    })
}

/// Events that are complete in themselves; `None` for those wallets never emit.
fn plain(decoded: HubWalletEvents) -> Result<Option<WalletEvent>, OutOfRange> {
    Ok(Some(match decoded {
        HubWalletEvents::WalletRegistered(e) => WalletEvent::Registered {
            owner: e.owner,
            stake: gio("stake", U256::from(e.stake))?,
            registered_at: UnixSeconds(e.registeredAt),
        },
        HubWalletEvents::ResultPosted(e) => WalletEvent::ResultPosted {
            deal: DealId(e.dealId),
            result_root: e.resultRoot,
            tree_hash: e.treeHash,
            cu_total: Cu(e.cuTotal),
            claims_root: e.claimsRoot,
            window_end: UnixSeconds(e.windowEnd),
        },
        HubWalletEvents::DealSettled(e) => WalletEvent::DealSettled {
            deal: DealId(e.dealId),
            buyer: e.buyer,
            payment: gio("payment", U256::from(e.payment))?,
            royalty: gio("royalty", U256::from(e.royalty))?,
            refund: gio("refund", U256::from(e.refund))?,
            confirmed: e.confirmed,
        },
        HubWalletEvents::DealRefunded(e) => WalletEvent::DealRefunded {
            deal: DealId(e.dealId),
            buyer: e.buyer,
            refund: gio("refund", U256::from(e.refund))?,
        },
        HubWalletEvents::DealCancelled(e) => WalletEvent::DealCancelled {
            deal: DealId(e.dealId),
            buyer: e.buyer,
            payment: gio("payment", U256::from(e.payment))?,
            royalty: gio("royalty", U256::from(e.royalty))?,
            refund: gio("refund", U256::from(e.refund))?,
        },
        HubWalletEvents::DealRefuted(e) => WalletEvent::DealRefuted {
            deal: DealId(e.dealId),
            buyer: e.buyer,
            by: e.by,
            refund: gio("refund", U256::from(e.refund))?,
            guarantee: gio("guarantee", U256::from(e.guarantee))?,
            compensation: gio("compensation", U256::from(e.compensation))?,
        },
        HubWalletEvents::PaymentApproved(e) => WalletEvent::PaymentApproved {
            miner: e.miner,
            gross: gio("gross", U256::from(e.gross))?,
            lock: gio("lock", U256::from(e.lock))?,
            net: gio("net", U256::from(e.net))?,
            allowance: gio("allowance", U256::from(e.allowance))?,
        },
        HubWalletEvents::PullSeen(e) => WalletEvent::PullSeen {
            miner: e.miner,
            pulled: gio("pulled", U256::from(e.pulled))?,
            allowance: gio("allowance", U256::from(e.allowance))?,
        },
        other => return hub(other),
    }))
}

/// Events of the hub's own money and of the DAO.
fn hub(decoded: HubWalletEvents) -> Result<Option<WalletEvent>, OutOfRange> {
    Ok(Some(match decoded {
        HubWalletEvents::PaydayHeld(e) => WalletEvent::PaydayHeld {
            fee: gio("fee", U256::from(e.fee))?,
            locked: gio("locked", U256::from(e.locked))?,
            stake: gio("stake", U256::from(e.stake))?,
        },
        HubWalletEvents::Withdrawn(e) => WalletEvent::Withdrawn {
            owner: e.owner,
            amount: gio("withdrawn", e.amount)?,
        },
        HubWalletEvents::PayoutPosted(e) => WalletEvent::PayoutPosted {
            epoch: e.epoch,
            count: e.count,
            gross: gio("gross", U256::from(e.gross))?,
            lock: gio("lock", U256::from(e.lock))?,
            net: gio("net", U256::from(e.net))?,
            top: e.top,
            leaves_root: e.leavesRoot,
        },
        HubWalletEvents::PayoutClaimed(e) => WalletEvent::PayoutClaimed {
            epoch: e.epoch,
            miner: e.miner,
            index: e.index,
            net: gio("net", U256::from(e.net))?,
        },
        HubWalletEvents::WalletSuspected(e) => WalletEvent::Suspected {
            case: e.caseId,
            freezer: e.freezer,
            amount: gio("frozen", e.amount)?,
            bannable_at: UnixSeconds(e.bannableAt),
        },
        HubWalletEvents::WalletRehabilitated(e) => WalletEvent::Rehabilitated {
            amount: gio("thawed", e.amount)?,
        },
        HubWalletEvents::WalletBanned(e) => WalletEvent::Banned {
            amount: gio("thawed", e.amount)?,
        },
        HubWalletEvents::Expropriated(e) => WalletEvent::Expropriated {
            amount: gio("expropriated", e.amount)?,
        },
        _ => return Ok(None),
    }))
}
