//! A wallet's books rebuilt from events alone, and compared with what the chain says (HW-26, R9).
//!
//! Anyone can do this for any wallet: it needs the wallet's events, the token's transfers from and to it, and for names
//! and amounts of payouts nobody claimed yet the leaf files, which are checked against the posted roots.
//!
//! # Correctness
//! [`Books`] never looks at the chain's state and [`compare`] never at events: a figure agrees only if both tell it.

mod books;
mod compare;
mod deals;
mod flows;

use std::fmt;

use gio_protocol::{Address, B256, DealId, DealStage, Gio, U256, UnixSeconds};

use crate::event::{LogPlace, WalletLog};
use crate::info::{BlockHead, DealInfo, WalletInfo};

pub use books::{Books, MinerBook, PayoutBook};
pub(crate) use compare::compare;
pub use deals::DealBook;

/// A transfer of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Where it stands.
    pub place: LogPlace,
    /// From whom.
    pub from: Address,
    /// To whom.
    pub to: Address,
    /// How much.
    pub amount: Gio,
}

/// One line of the journal the books are made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The wallet said something.
    Said(Box<WalletLog>),
    /// The token moved money of the wallet or its freezer.
    Moved(Transfer),
}

impl Entry {
    /// Where it stands.
    #[must_use]
    pub fn place(&self) -> LogPlace {
        match self {
            Self::Said(log) => log.place,
            Self::Moved(transfer) => transfer.place,
        }
    }
}

/// What a wallet was made with, as far as its arithmetic needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The wallet.
    pub wallet: Address,
    /// Whose it is.
    pub owner: Address,
    /// Who receives fees and what a ban takes.
    pub treasury: Address,
    /// Of a payout's gross.
    pub lock_percent: u8,
    /// Of the locked sum, at payday.
    pub fee_per_mille: u16,
}

/// The chain's own figures, all of one block.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    pub(crate) info: WalletInfo,
    pub(crate) frozen: Gio,
    pub(crate) freezer: Option<Address>,
    pub(crate) payout_count: u32,
    /// What the wallet remembers of each miner, and what the token lets it pull.
    pub(crate) miners: Vec<(Address, Gio, Gio)>,
    pub(crate) deals: Vec<(DealId, DealInfo)>,
    /// First 24 bytes of the root, and what is reserved.
    pub(crate) payouts: Vec<(B256, Gio)>,
}

/// The result of an audit.
#[derive(Clone, Debug)]
pub struct Audit {
    /// The block everything is of.
    pub at: BlockHead,
    /// Where the journal begins.
    pub from_block: u64,
    /// What the wallet was made with.
    pub terms: Terms,
    /// What the events say.
    pub books: Books,
    /// Where the chain, the token or a leaf file says something else; empty if everything agrees.
    pub differences: Vec<Difference>,
}

/// One thing that does not agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The chain has another figure than the events give.
    Figure {
        /// Which.
        what: String,
        /// By the events.
        rebuilt: String,
        /// On the chain.
        on_chain: String,
    },
    /// An event that the wallet's rules do not allow where it stands.
    Impossible {
        /// Where.
        place: LogPlace,
        /// What is wrong.
        problem: String,
    },
    /// Nobody can say who is owed what of a payout: its leaf file is not at hand.
    LeavesMissing {
        /// The payout.
        epoch: u32,
        /// The file's content root.
        leaves_root: B256,
        /// Money in it that nobody claimed.
        unclaimed: Gio,
    },
    /// A leaf file that is not the one the payout was posted with.
    LeavesWrong {
        /// The payout.
        epoch: u32,
        /// What is wrong.
        problem: String,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Figure {
                what,
                rebuilt,
                on_chain,
            } => write!(
                f,
                "{what}: {rebuilt} by the events, {on_chain} on the chain"
            ),
            Self::Impossible { place, problem } => {
                write!(
                    f,
                    "block {}, transaction {}: {problem}",
                    place.block, place.tx
                )
            }
            Self::LeavesMissing {
                epoch,
                leaves_root,
                unclaimed,
            } => write!(
                f,
                "payout {epoch}: its leaf file {leaves_root} is missing, so who is owed the unclaimed {unclaimed} GIO is not known"
            ),
            Self::LeavesWrong { epoch, problem } => write!(f, "payout {epoch}: {problem}"),
        }
    }
}

/// A figure as people read it.
trait Shown {
    fn shown(&self) -> String;
}

impl Shown for Gio {
    fn shown(&self) -> String {
        format!("{self} GIO")
    }
}

impl Shown for Option<UnixSeconds> {
    fn shown(&self) -> String {
        self.map_or_else(|| "never".to_owned(), |time| time.to_string())
    }
}

impl Shown for Option<Address> {
    fn shown(&self) -> String {
        self.map_or_else(|| "none".to_owned(), |address| address.to_string())
    }
}

impl Shown for DealStage {
    fn shown(&self) -> String {
        self.name().to_owned()
    }
}

impl Shown for crate::info::WalletState {
    fn shown(&self) -> String {
        self.name().to_owned()
    }
}

impl Shown for u32 {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for B256 {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for DealInfo {
    fn shown(&self) -> String {
        let end = self.window_end.shown();
        let root = self.result_root.unwrap_or_default();
        format!(
            "{}, {}, root {root}, window until {end}",
            self.stage.name(),
            self.cu_total
        )
    }
}

/// `value · numerator / denominator`, rounded down; beyond 64 bits it is nonsense and `None`.
fn share_down(value: Gio, numerator: u64, denominator: u64) -> Option<Gio> {
    let product = u128::from(value.units()) * u128::from(numerator);
    let share = product.checked_div(u128::from(denominator))?;
    u64::try_from(share).ok().map(Gio::from_units)
}

/// The case's number, for people.
fn case_name(case: U256) -> String {
    format!("case {case}")
}
