//! Judging hubs (`docs/protocol.md` section 8, HM-03..HM-18): what a hub says, against what the chain says.
//!
//! A status is a function of the evidence and nothing else, so it falls as soon as the evidence does.
//! Until miners exchange evidence, the chain and one's own payments are all there is.

use std::fmt;
use std::str::FromStr;

use gio_protocol::{Address, Gio};

/// A miner's own opinion of a hub. Distinct from the state of its wallet and from its listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HubStatus {
    /// It says things that the chain contradicts, or its wallet is punished.
    Fake,
    /// Heard of, not looked at.
    Unknown,
    /// It is who it says it is, and could not pay now.
    NotConfirmed,
    /// The chain confirms it and it could pay.
    Checked,
    /// It has also paid this miner what was agreed.
    Safe,
}

impl HubStatus {
    /// The word users read and the store keeps.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fake => "fake",
            Self::Unknown => "unknown",
            Self::NotConfirmed => "not_confirmed",
            Self::Checked => "checked",
            Self::Safe => "safe",
        }
    }

    /// Whether this miner works for such a hub.
    #[must_use]
    pub fn allows_work(self) -> bool {
        self >= Self::Checked
    }
}

impl FromStr for HubStatus {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let all = [
            Self::Fake,
            Self::Unknown,
            Self::NotConfirmed,
            Self::Checked,
            Self::Safe,
        ];
        all.into_iter()
            .find(|status| status.name() == text)
            .ok_or(())
    }
}

/// States of a hub's wallet, as far as trust depends on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalletStanding {
    /// Made, nothing frozen yet.
    Created,
    /// Its stake is frozen: it may open deals and pay.
    Registered,
    /// After payday, until it registers again.
    Idle,
    /// Its money is frozen by the DAO.
    Suspected,
    /// Banned for ever.
    Punished,
}

/// What a hub's announcement says that the chain can confirm or contradict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    /// Whose key signed it.
    pub owner: Address,
    /// Where it is reached, without the peer's name.
    pub endpoints: Vec<String>,
    /// The peer that sent it.
    pub peer: String,
}

/// What the chain says of the wallet a hub announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubFacts {
    /// Whose wallet it is.
    pub owner: Address,
    /// Where the wallet stands.
    pub standing: WalletStanding,
    /// What is frozen.
    pub stake: Gio,
    /// What has to be.
    pub stake_due: Gio,
    /// What the hub could pay with.
    pub backing: Backing,
    /// The address in its record, without the peer's name; empty when the record gives none that can be compared.
    pub endpoint: String,
    /// The peer its record names, if it does.
    pub endpoint_peer: Option<String>,
    /// Whether it is marked as overdue with payday: no accusation need hold its money any more (decision 0005).
    pub is_delinquent: bool,
}

/// The money behind a hub's promises (R25).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backing {
    /// Its free balance (R6).
    pub free: Gio,
    /// The caps of its open deals.
    pub escrow: Gio,
}

impl Backing {
    /// Everything it could pay miners with.
    #[must_use]
    pub fn total(self) -> Gio {
        self.free
            .plus(self.escrow)
            .unwrap_or(Gio::from_units(u64::MAX))
    }
}

/// How a hub has paid this miner so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PaymentHistory {
    /// Net of all accepted claims, rounded down per deal (F4).
    pub earned: Gio,
    /// What the hub says it has paid.
    pub promised: Gio,
    /// What has arrived: pulled, or approved by the very wallet of the deals (HW-13).
    pub received: Gio,
    /// Whether it was ever even.
    pub was_even: bool,
}

/// Why a hub has its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nobody asked the chain yet.
    NotAsked,
    /// The admitted factory did not make this wallet, or the whitelist does not know it.
    WalletNotAdmitted,
    /// The wallet is somebody else's.
    OwnerDiffers {
        /// Whose it is.
        owner: Address,
    },
    /// The record names another place or peer.
    EndpointDiffers {
        /// The record's.
        recorded: String,
    },
    /// The DAO has banned the hub.
    Punished,
    /// Registered without the stake, which no wallet of the factory can be.
    StakeMissing {
        /// What is frozen.
        stake: Gio,
        /// What has to be.
        due: Gio,
    },
    /// It may neither open deals nor pay now.
    NotRegistered(WalletStanding),
    /// It puts payday off, after which no accusation holds its money.
    Delinquent,
    /// Neither a free balance nor open deals.
    NoMoney,
    /// The chain speaks for it, payments do not yet.
    NotPaidYet,
    /// It said it paid more than has arrived.
    PaidShort {
        /// What it said.
        promised: Gio,
        /// What came.
        received: Gio,
    },
    /// Everything it said it paid has arrived, and at least once nothing was left open.
    PaidAsAgreed {
        /// What came.
        received: Gio,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAsked => f.write_str("the chain was not asked yet"),
            Self::WalletNotAdmitted => {
                f.write_str("its wallet was not made by the admitted factory")
            }
            Self::OwnerDiffers { owner } => write!(f, "its wallet belongs to {owner}"),
            Self::EndpointDiffers { recorded } => {
                write!(f, "its record names another endpoint, {recorded}")
            }
            Self::Punished => f.write_str("its wallet is punished"),
            Self::StakeMissing { stake, due } => {
                write!(f, "its stake is {stake} GIO instead of {due}")
            }
            Self::NotRegistered(standing) => write!(f, "its wallet is {}", standing.name()),
            Self::Delinquent => {
                f.write_str("its payday is overdue: the chain marks it as delinquent")
            }
            Self::NoMoney => f.write_str("it has neither a free balance nor open deals"),
            Self::NotPaidYet => {
                f.write_str("confirmed by the chain; it has not paid this miner yet")
            }
            Self::PaidShort { promised, received } => {
                write!(f, "it says it paid {promised} GIO and {received} arrived")
            }
            Self::PaidAsAgreed { received } => write!(f, "it paid {received} GIO as agreed"),
        }
    }
}

impl WalletStanding {
    /// The word users read.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Registered => "registered",
            Self::Idle => "idle",
            Self::Suspected => "suspected",
            Self::Punished => "punished",
        }
    }
}

/// A status and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The status.
    pub status: HubStatus,
    /// Why.
    pub reason: Reason,
}

impl Judgement {
    /// A hub nobody has looked at.
    pub const UNKNOWN: Self = Self {
        status: HubStatus::Unknown,
        reason: Reason::NotAsked,
    };

    fn new(status: HubStatus, reason: Reason) -> Self {
        Self { status, reason }
    }
}

/// Judges a hub. `facts` is `None` when the whitelist does not know the wallet.
#[must_use]
pub fn judge(said: &Announced, facts: Option<&HubFacts>, history: &PaymentHistory) -> Judgement {
    let Some(facts) = facts else {
        return Judgement::new(HubStatus::Fake, Reason::WalletNotAdmitted);
    };
    if let Some(lie) = contradiction(said, facts) {
        return Judgement::new(HubStatus::Fake, lie);
    }
    if facts.standing != WalletStanding::Registered {
        return Judgement::new(
            HubStatus::NotConfirmed,
            Reason::NotRegistered(facts.standing),
        );
    }
    if facts.is_delinquent {
        return Judgement::new(HubStatus::NotConfirmed, Reason::Delinquent);
    }
    if facts.backing.total() == Gio::ZERO {
        return Judgement::new(HubStatus::NotConfirmed, Reason::NoMoney);
    }
    let PaymentHistory {
        promised, received, ..
    } = *history;
    if promised > received {
        return Judgement::new(HubStatus::Checked, Reason::PaidShort { promised, received });
    }
    if received > Gio::ZERO && (history.was_even || is_even(history)) {
        return Judgement::new(HubStatus::Safe, Reason::PaidAsAgreed { received });
    }
    Judgement::new(HubStatus::Checked, Reason::NotPaidYet)
}

/// Whether everything earned so far has arrived.
#[must_use]
pub fn is_even(history: &PaymentHistory) -> bool {
    history.earned > Gio::ZERO && history.received >= history.earned
}

fn contradiction(said: &Announced, facts: &HubFacts) -> Option<Reason> {
    if facts.owner != said.owner {
        return Some(Reason::OwnerDiffers { owner: facts.owner });
    }
    if facts.standing == WalletStanding::Punished {
        return Some(Reason::Punished);
    }
    let other_peer = |peer: &String| *peer != said.peer;
    if facts.endpoint_peer.as_ref().is_some_and(other_peer) {
        let recorded = facts.endpoint_peer.clone().unwrap_or_default();
        return Some(Reason::EndpointDiffers { recorded });
    }
    if !facts.endpoint.is_empty() && !said.endpoints.contains(&facts.endpoint) {
        let recorded = facts.endpoint.clone();
        return Some(Reason::EndpointDiffers { recorded });
    }
    let unstaked = facts.standing == WalletStanding::Registered && facts.stake < facts.stake_due;
    unstaked.then_some(Reason::StakeMissing {
        stake: facts.stake,
        due: facts.stake_due,
    })
}

#[cfg(test)]
mod tests;
