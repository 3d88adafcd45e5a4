//! What others tell the dispatcher, and what it tells the connections of miners.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gio_protocol::{Address, B256, DealId, Gio, PricePerPu, UnixSeconds};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::domain::board::{Failure, Machines, Offer, Progress, Restored, Session, UnitRef};
use crate::domain::bonds::Bonds;
use crate::domain::deal::DealInfo;
use crate::infra::store::AcceptedClaim;

/// What others tell the dispatcher.
#[derive(Debug)]
pub enum Command {
    /// A miner connected.
    Join {
        /// Who.
        miner: Address,
        /// What it offers.
        offer: Offer,
        /// Where to tell it things.
        to_miner: mpsc::Sender<ToMiner>,
        /// Which results of it are worth checking.
        grants: Grants,
        /// Cancelled when another session takes this one's place.
        over: CancellationToken,
    },
    /// A miner's stream ended.
    Leave {
        /// Who.
        miner: Address,
        /// Which stream.
        session: Session,
    },
    /// Checked results of units the miner was given.
    Results {
        /// Whose.
        miner: Address,
        /// The results.
        results: Vec<(UnitRef, Outcome)>,
    },
    /// Units given back.
    Failures {
        /// By whom.
        miner: Address,
        /// Which, and in the miner's words why.
        units: Vec<(UnitRef, Failure, String)>,
    },
    /// A miner trusts the hub with another amount.
    Exposure {
        /// Who.
        miner: Address,
        /// How much.
        limit: Gio,
    },
    /// A miner takes no more.
    Drain {
        /// Who.
        miner: Address,
    },
    /// A miner was paid.
    Paid {
        /// Who.
        miner: Address,
        /// For what.
        deal: DealId,
        /// What it can pull.
        net: Gio,
        /// What it cost the wallet.
        gross: Gio,
        /// Where.
        tx: B256,
    },
    /// What the register says of the miners here, as of a new block (R15).
    Bonds(Bonds),
    /// A deal is open on chain.
    Open {
        /// The deal.
        deal: Arc<DealInfo>,
        /// What is known of it from disk.
        restored: Restored,
    },
    /// A deal is posted or over. Answered when no claim of it will be accepted any more and all that were are on disk.
    Close {
        /// The deal.
        deal: DealId,
        /// Where to answer.
        done: oneshot::Sender<()>,
    },
    /// Somebody wants to know, or that nothing be given out.
    Ask {
        /// What.
        question: Question,
        /// Where to answer, after everything before it is on disk.
        answer: oneshot::Sender<View>,
    },
}

/// What is asked of the board's owner.
#[derive(Clone, Copy, Debug)]
pub enum Question {
    /// The miners for units of such limits.
    Machines {
        /// Of one unit.
        pages_max: u32,
        /// What the hub pays.
        net_price: PricePerPu,
    },
    /// The miners for a deal, and where its units are.
    Deal(DealId),
    /// The same, and no unit of it is given out any more.
    Stop(DealId),
    /// Whether any units are given out, of any deal.
    Pause(bool),
    /// Everything that is under way.
    Load,
}

/// What the board shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct View {
    /// The miners asked about.
    pub machines: Machines,
    /// The deal asked about, if it is on the board.
    pub progress: Option<Progress>,
    /// Units with miners, of all deals.
    pub units_running: u64,
}

/// What a connection found out about a result.
#[derive(Debug)]
pub enum Outcome {
    /// The claim is true of its unit and its bytes.
    Valid(Box<AcceptedClaim>),
    /// It is false, for this reason.
    False(String),
    /// It is true, and no bond answers for it long enough (R15).
    Uncovered,
}

/// What the dispatcher tells a miner's connection.
#[derive(Debug)]
pub enum ToMiner {
    /// New orders, each until a time.
    Assign(Vec<(Arc<DealInfo>, u32, UnixSeconds)>),
    /// Claims on disk, to be countersigned.
    Accepted(Vec<Acceptance>),
    /// Refused results.
    Rejected(Vec<(UnitRef, String)>),
    /// No longer wanted.
    Cancel(Vec<UnitRef>),
    /// Money is there.
    Paid {
        /// For what.
        deal: DealId,
        /// What it can pull.
        net: Gio,
        /// What it cost the wallet.
        gross: Gio,
        /// Where.
        tx: B256,
    },
}

/// A claim the hub has accepted; the miner's connection countersigns.
#[derive(Clone, Copy, Debug)]
pub struct Acceptance {
    pub unit: UnitRef,
    pub claim_hash: B256,
    pub net: Gio,
}

/// The units of which a session's result is worth checking: those its miner was given, once each.
///
/// # Security
/// Checking a claim may cost a second of hashing. A stranger cannot ask for that with claims of units it was never
/// given, or with the same claim again and again. And what was not checked is never accepted.
#[derive(Clone, Debug, Default)]
pub struct Grants(Arc<Mutex<BTreeMap<UnitRef, Arc<DealInfo>>>>);

impl Grants {
    /// The deal, if a result of this unit is worth checking; it is not any more afterwards.
    #[must_use]
    pub fn take(&self, unit: UnitRef) -> Option<Arc<DealInfo>> {
        self.units().remove(&unit)
    }

    pub(super) fn add(&self, unit: UnitRef, deal: Arc<DealInfo>) {
        self.units().insert(unit, deal);
    }

    pub(super) fn remove(&self, unit: UnitRef) {
        self.units().remove(&unit);
    }

    pub(super) fn remove_deal(&self, deal: DealId) {
        self.units().retain(|unit, _| unit.deal != deal);
    }

    fn units(&self) -> MutexGuard<'_, BTreeMap<UnitRef, Arc<DealInfo>>> {
        // No holder panics half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
