//! Which hubs may have a job, and why the others may not.

use std::cmp::Reverse;

use gio_protocol::{Address, PricePerPu};
use thiserror::Error;

use crate::decimal::gio_text;
use crate::job_request::{HubConditions, PriceLimits};

/// What a hub announces, beside what the chain knows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubOffer {
    /// For people.
    pub name: String,
    /// Whose signature counts.
    pub owner: Address,
    /// Where the money goes.
    pub wallet: Address,
    /// The chain its wallet is on.
    pub chain_id: u64,
    /// What it asks for a PU.
    pub price: PricePerPu,
    /// Where it is.
    pub region: String,
    /// What it can run.
    pub kinds: Vec<String>,
    /// The chain's word; `None` if it knows no such wallet.
    pub registered: Option<Registration>,
}

/// What the chain says of a hub's wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Whose wallet it is.
    pub owner: Address,
    /// The wallet's state; a deal opens in `registered` only.
    pub state: String,
    /// Whether that state is `registered`.
    pub is_registered: bool,
    /// Whether the chain marks it as overdue with payday: no accusation need hold its money any more (decision 0005).
    pub is_delinquent: bool,
}

impl HubOffer {
    /// Whether the wallet is one of this market's and the announcer's own: that costs a stake, an announcement nothing.
    #[must_use]
    pub fn is_of_this_market(&self) -> bool {
        let registered = self.registered.as_ref();
        registered.is_some_and(|wallet| wallet.is_registered && wallet.owner == self.owner)
    }
}

/// Takes candidates in turn until there are enough hubs; of the others it keeps a few, to say why they do not count.
#[derive(Debug)]
pub struct Selection<T> {
    /// What was taken, in the order it came.
    pub found: Vec<T>,
    hubs_left: usize,
    others_left: usize,
}

impl<T> Selection<T> {
    /// Room for so many.
    #[must_use]
    pub const fn new(hubs: usize, others: usize) -> Self {
        Self {
            found: Vec::new(),
            hubs_left: hubs,
            others_left: others,
        }
    }

    /// Whether there are enough hubs.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.hubs_left == 0
    }

    /// Takes a candidate if there is room for its sort.
    pub fn add(&mut self, candidate: T, is_hub: bool) {
        let left = if is_hub {
            &mut self.hubs_left
        } else {
            &mut self.others_left
        };
        if *left > 0 {
            *left -= 1;
            self.found.push(candidate);
        }
    }
}

/// A condition a hub does not meet.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Mismatch {
    /// Another market.
    #[error("it trades on chain {theirs}, this buyer on {ours}")]
    Chain {
        /// The hub's chain.
        theirs: u64,
        /// The buyer's.
        ours: u64,
    },
    /// No factory of this market made the wallet.
    #[error("its wallet is not in this market's register")]
    WalletUnknown,
    /// It announces somebody else's wallet.
    #[error("its wallet belongs to {0}")]
    WalletOwner(Address),
    /// The wallet opens no deals.
    #[error("its wallet is {0}, not registered")]
    WalletState(String),
    /// It puts payday off, after which no accusation holds its money.
    #[error("its payday is overdue: the chain marks it as delinquent")]
    WalletDelinquent,
    /// It does not run such jobs.
    #[error("it runs no `{0}` jobs")]
    Kind(&'static str),
    /// Too dear.
    #[error("it asks {} GIO per PU, the most is {}", gio_text(.asked.0), gio_text(.most.0))]
    Price {
        /// The hub's price.
        asked: PricePerPu,
        /// The buyer's limit.
        most: PricePerPu,
    },
    /// Elsewhere.
    #[error("{}", region_text(.0))]
    Region(String),
    /// Not among those named.
    #[error("it is not among the hubs named")]
    NotNamed,
}

impl Mismatch {
    /// What would have to change for this condition to be met, by the buyer if it can.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Chain { theirs, .. } => {
                format!("only a buyer of chain {theirs} can use it (`rpc_url`, `[contracts]`)")
            }
            Self::WalletUnknown | Self::WalletOwner(_) => {
                "nothing: do not send it money".to_owned()
            }
            Self::WalletState(_) => "only its owner can register the wallet".to_owned(),
            Self::WalletDelinquent => {
                "only its owner can hold payday, and register the wallet again".to_owned()
            }
            Self::Kind(_) => "only its owner can add the kind".to_owned(),
            Self::Price { asked, .. } => {
                let asked = gio_text(asked.0);
                format!("--max-price {asked}, or max_price_per_pu = \"{asked}\"")
            }
            Self::Region(region) if region.is_empty() => {
                "leave --region and `regions` out".to_owned()
            }
            Self::Region(region) => format!("--region {region}, or leave the regions out"),
            Self::NotNamed => "leave --hub and `only` out, or add it".to_owned(),
        }
    }
}

fn region_text(region: &str) -> String {
    if region.is_empty() {
        "it names no region".to_owned()
    } else {
        format!("it is in region `{region}`")
    }
}

/// What this version of the market runs.
pub const KIND: &str = "wasm";

/// Every condition the hub does not meet.
#[must_use]
pub fn mismatches(
    offer: &HubOffer,
    chain_id: u64,
    price: &PriceLimits,
    conditions: &HubConditions,
) -> Vec<Mismatch> {
    let mut found = Vec::new();
    if offer.chain_id != chain_id {
        found.push(Mismatch::Chain {
            theirs: offer.chain_id,
            ours: chain_id,
        });
    }
    found.extend(wallet_mismatch(offer));
    if !offer.kinds.iter().any(|kind| kind == KIND) {
        found.push(Mismatch::Kind(KIND));
    }
    if let Some(most) = price.price_max.filter(|most| offer.price > *most) {
        found.push(Mismatch::Price {
            asked: offer.price,
            most,
        });
    }
    if !conditions.regions.is_empty() && !conditions.regions.contains(&offer.region) {
        found.push(Mismatch::Region(offer.region.clone()));
    }
    let named = |address| conditions.only.contains(address);
    if !conditions.only.is_empty() && !named(&offer.owner) && !named(&offer.wallet) {
        found.push(Mismatch::NotNamed);
    }
    found
}

fn wallet_mismatch(offer: &HubOffer) -> Option<Mismatch> {
    let Some(wallet) = &offer.registered else {
        return Some(Mismatch::WalletUnknown);
    };
    if wallet.owner != offer.owner {
        return Some(Mismatch::WalletOwner(wallet.owner));
    }
    if !wallet.is_registered {
        return Some(Mismatch::WalletState(wallet.state.clone()));
    }
    wallet.is_delinquent.then_some(Mismatch::WalletDelinquent)
}

/// The hubs to ask for quotes, cheapest announced first; with their places in `offers`.
#[must_use]
pub fn shortlist(
    offers: &[HubOffer],
    suits: impl Fn(&HubOffer) -> bool,
    most: usize,
) -> Vec<usize> {
    let mut places: Vec<usize> = (0..offers.len()).filter(|at| suits(&offers[*at])).collect();
    places.sort_by_key(|at| (offers[*at].price, Reverse(*at)));
    places.truncate(most);
    places
}

#[cfg(test)]
pub(crate) mod tests {
    use gio_protocol::Gio;

    use super::*;

    const OWNER: Address = Address::repeat_byte(1);
    const WALLET: Address = Address::repeat_byte(2);

    pub(crate) fn price(units: u64) -> PricePerPu {
        PricePerPu(Gio::from_units(units))
    }

    pub(crate) fn offer() -> HubOffer {
        HubOffer {
            name: "hub".to_owned(),
            owner: OWNER,
            wallet: WALLET,
            chain_id: 7,
            price: price(100),
            region: "eu-west".to_owned(),
            kinds: vec!["wasm".to_owned()],
            registered: Some(Registration {
                owner: OWNER,
                state: "registered".to_owned(),
                is_registered: true,
                is_delinquent: false,
            }),
        }
    }

    fn limits(price_max: Option<u64>) -> PriceLimits {
        PriceLimits {
            cap: None,
            price_max: price_max.map(price),
            deadline_seconds: 60,
            royalty: None,
            window_seconds: None,
        }
    }

    #[test]
    fn a_hub_that_meets_everything_has_no_mismatch() {
        let conditions = HubConditions {
            regions: ["eu-west".to_owned()].into(),
            only: [WALLET].into(),
        };
        assert_eq!(mismatches(&offer(), 7, &limits(Some(100)), &conditions), []);
    }

    #[test]
    fn every_condition_says_why_it_is_not_met() {
        let conditions = HubConditions {
            regions: ["asia".to_owned()].into(),
            only: [Address::repeat_byte(9)].into(),
        };
        let mut other = offer();
        other.kinds.clear();
        other.registered = None;
        let found = mismatches(&other, 8, &limits(Some(99)), &conditions);
        let expected = [
            Mismatch::Chain { theirs: 7, ours: 8 },
            Mismatch::WalletUnknown,
            Mismatch::Kind(KIND),
            Mismatch::Price {
                asked: price(100),
                most: price(99),
            },
            Mismatch::Region("eu-west".to_owned()),
            Mismatch::NotNamed,
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_wallet_that_is_anothers_or_not_registered_takes_no_money() {
        let judge =
            |offer: &HubOffer| mismatches(offer, 7, &limits(None), &HubConditions::default());
        let mut foreign = offer();
        foreign.registered.as_mut().unwrap().owner = WALLET;
        assert_eq!(judge(&foreign), [Mismatch::WalletOwner(WALLET)]);
        let mut idle = offer();
        let wallet = idle.registered.as_mut().unwrap();
        (wallet.state, wallet.is_registered) = ("idle".to_owned(), false);
        assert_eq!(judge(&idle), [Mismatch::WalletState("idle".to_owned())]);
    }

    #[test]
    fn r08_a_hub_that_puts_payday_off_gets_no_deals() {
        let mut overdue = offer();
        overdue.registered.as_mut().unwrap().is_delinquent = true;
        let found = mismatches(&overdue, 7, &limits(None), &HubConditions::default());
        assert_eq!(found, [Mismatch::WalletDelinquent]);
        assert!(found[0].remedy().contains("hold payday"));
    }

    #[test]
    fn the_cheapest_are_asked_first() {
        let priced = |units| HubOffer {
            price: price(units),
            ..offer()
        };
        let offers = [priced(30), priced(10), priced(20), priced(5)];
        let places = shortlist(&offers, |offer| offer.price != price(5), 2);
        assert_eq!(places, [1, 2]);
    }

    #[test]
    fn announcements_that_cost_nothing_take_no_hubs_place() {
        let mut selection = Selection::new(2, 3);
        let stranger = HubOffer {
            registered: None,
            price: price(0),
            ..offer()
        };
        // Somebody else's wallet is announced as easily as none.
        let impostor = HubOffer {
            owner: Address::repeat_byte(9),
            ..offer()
        };
        let others = [stranger, impostor].into_iter().cycle().take(200);
        for candidate in others.chain([offer(), offer(), offer()]) {
            if selection.is_full() {
                break;
            }
            let is_hub = candidate.is_of_this_market();
            selection.add(candidate, is_hub);
        }
        let hubs = selection
            .found
            .iter()
            .filter(|offer| offer.is_of_this_market());
        assert_eq!((hubs.count(), selection.found.len()), (2, 5));
    }
}
