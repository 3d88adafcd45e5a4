//! What a hub's wallet says, with the place it said it at.

mod government;

use gio_protocol::{Address, B256, Cu, DealId, DealTerms, Gio, U256, UnixSeconds};

pub use government::{GovernmentEvent, GovernmentLog};

/// Where a log stands. Together with the block hash this names it across reorganisations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogPlace {
    /// Height of the block.
    pub block: u64,
    /// Hash of the block: a stored event whose block hash is no longer the chain's never happened.
    pub block_hash: B256,
    /// The transaction.
    pub tx: B256,
    /// Position among all logs of the block.
    pub index: u64,
}

/// An event of one wallet and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalletLog {
    /// The wallet that spoke.
    pub wallet: Address,
    /// Where.
    pub place: LogPlace,
    /// What.
    pub event: WalletEvent,
}

/// Everything a hub's wallet says. The state of every deal can be rebuilt from these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WalletEvent {
    /// The stake is frozen.
    Registered {
        /// Whose wallet it is.
        owner: Address,
        /// What was frozen.
        stake: Gio,
        /// When.
        registered_at: UnixSeconds,
    },
    /// A deal's cap is in escrow and its guarantee reserved. Its id was checked against the terms.
    DealOpened {
        /// The digest of the terms.
        deal: DealId,
        /// All of the terms, so that a hub that lost its disk finds them here.
        terms: Box<DealTerms>,
    },
    /// A result root is posted.
    ResultPosted {
        /// The deal.
        deal: DealId,
        /// The committed root.
        result_root: B256,
        /// Hash of the result tree's top node.
        tree_hash: B256,
        /// Sum of the same node.
        cu_total: Cu,
        /// Content root of the claims file (R18).
        claims_root: B256,
        /// First second at which anyone may settle.
        window_end: UnixSeconds,
    },
    /// A deal is paid: `payment − royalty` joined the wallet's free balance, `payment + refund` is the cap.
    DealSettled {
        /// The deal.
        deal: DealId,
        /// Who paid.
        buyer: Address,
        /// What was paid, royalty included.
        payment: Gio,
        /// The application author's share.
        royalty: Gio,
        /// What went back to the buyer.
        refund: Gio,
        /// True if the buyer ended the window, false if it passed.
        confirmed: bool,
    },
    /// Nothing was delivered: the cap went back.
    DealRefunded {
        /// The deal.
        deal: DealId,
        /// To whom.
        buyer: Address,
        /// The cap.
        refund: Gio,
    },
    /// Both sides ended the deal.
    DealCancelled {
        /// The deal.
        deal: DealId,
        /// Who paid.
        buyer: Address,
        /// What was paid, royalty included.
        payment: Gio,
        /// The application author's share.
        royalty: Gio,
        /// What went back to the buyer.
        refund: Gio,
    },
    /// The posted bill was shown to be false: the cap went back to the buyer, and the hub lost its guarantee.
    DealRefuted {
        /// The deal.
        deal: DealId,
        /// To whom.
        buyer: Address,
        /// Who showed it.
        by: Address,
        /// The cap.
        refund: Gio,
        /// The guarantee.
        guarantee: Gio,
        /// What of the guarantee went to the buyer; the rest went to the treasury.
        compensation: Gio,
    },
    /// A payout: `lock` stays in the wallet until payday, `net` was added to what the miner may pull.
    PaymentApproved {
        /// Who is paid.
        miner: Address,
        /// `lock + net`.
        gross: Gio,
        /// The locked part.
        lock: Gio,
        /// The part the miner may pull.
        net: Gio,
        /// What the miner may pull now, in all.
        allowance: Gio,
    },
    /// The wallet saw that a miner pulled.
    PullSeen {
        /// Who.
        miner: Address,
        /// How much.
        pulled: Gio,
        /// What it may still pull.
        allowance: Gio,
    },
    /// The period ended: everything that was held back is free, less the fee.
    PaydayHeld {
        /// Went to the treasury.
        fee: Gio,
        /// Was locked, fee included.
        locked: Gio,
        /// Was frozen.
        stake: Gio,
    },
    /// The owner took the free balance.
    Withdrawn {
        /// Who.
        owner: Address,
        /// How much.
        amount: Gio,
    },
    /// Money is reserved for an epoch's miners, who claim it with a proof (R9).
    PayoutPosted {
        /// Its number.
        epoch: u32,
        /// How many miners.
        count: u32,
        /// Net and lock.
        gross: Gio,
        /// What stays in the wallet until payday.
        lock: Gio,
        /// What the miners get, in all.
        net: Gio,
        /// The tree's top node.
        top: B256,
        /// Content root of the leaf file.
        leaves_root: B256,
    },
    /// A miner got its part of an epoch's payout.
    PayoutClaimed {
        /// The payout.
        epoch: u32,
        /// Who.
        miner: Address,
        /// The leaf.
        index: u32,
        /// How much.
        net: Gio,
    },
    /// The DAO froze the hub's own money (R7).
    Suspected {
        /// The accusation.
        case: U256,
        /// Where the money lies.
        freezer: Address,
        /// All the wallet held.
        amount: Gio,
        /// From when on it can be banned.
        bannable_at: UnixSeconds,
    },
    /// The DAO ended the suspicion: nothing is held back any more.
    Rehabilitated {
        /// What came back from the freezer.
        amount: Gio,
    },
    /// The DAO punished the wallet, for ever.
    Banned {
        /// What came back from the freezer, for those it is owed to.
        amount: Gio,
    },
    /// Money of the hub's went to the treasury.
    Expropriated {
        /// How much.
        amount: Gio,
    },
}

impl WalletEvent {
    /// The deal it is about, if any.
    #[must_use]
    pub fn deal(&self) -> Option<DealId> {
        match self {
            Self::DealOpened { deal, .. }
            | Self::ResultPosted { deal, .. }
            | Self::DealSettled { deal, .. }
            | Self::DealRefunded { deal, .. }
            | Self::DealCancelled { deal, .. }
            | Self::DealRefuted { deal, .. } => Some(*deal),
            Self::Registered { .. }
            | Self::PaymentApproved { .. }
            | Self::PullSeen { .. }
            | Self::PaydayHeld { .. }
            | Self::Withdrawn { .. }
            | Self::PayoutPosted { .. }
            | Self::PayoutClaimed { .. }
            | Self::Suspected { .. }
            | Self::Rehabilitated { .. }
            | Self::Banned { .. }
            | Self::Expropriated { .. } => None,
        }
    }
}
