//! The books: every figure of a wallet, from its events in order. Whatever the wallet's rules do not allow is written
//! down as [`Difference::Impossible`], and the books go on as the event says.

use std::collections::BTreeMap;

use gio_protocol::{Address, B256, Cu, DealId, DealStage, Gio, UnixSeconds};

use super::deals::DealBook;
use super::flows::{Flows, Parties, Scene};
use super::{Difference, Entry, Terms, case_name, share_down};
use crate::event::{LogPlace, WalletEvent};
use crate::info::WalletState;

/// What a miner was paid by the wallet's own transfers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MinerBook {
    /// Locks included.
    pub gross: Gio,
    /// Held back of it.
    pub lock: Gio,
    /// What it could pull, all together.
    pub net: Gio,
    /// What of it the wallet believes to be waiting.
    pub approved: Gio,
}

/// An epoch's payout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayoutBook {
    /// Miners in it.
    pub count: u32,
    /// Lock included.
    pub gross: Gio,
    /// Held back.
    pub lock: Gio,
    /// For all miners together.
    pub net: Gio,
    /// The tree's top node.
    pub top: B256,
    /// Content root of the leaf file.
    pub leaves_root: B256,
    /// By leaf: who got how much.
    pub claimed: BTreeMap<u32, (Address, Gio)>,
}

impl PayoutBook {
    /// What nobody claimed yet.
    #[must_use]
    pub fn unclaimed(&self) -> Gio {
        let claimed = self.claimed.values().map(|(_, net)| net.units());
        self.net.minus_or_zero(Gio::from_units(claimed.sum()))
    }
}

/// Everything about a wallet that its events tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Books {
    /// Where it stands.
    pub state: WalletState,
    /// When the stake was frozen last.
    pub registered_at: Option<UnixSeconds>,
    /// Where its money lies while it is suspected.
    pub freezer: Option<Address>,
    /// Frozen.
    pub stake: Gio,
    /// Held back of payouts.
    pub locked: Gio,
    /// Caps of deals that did not end.
    pub escrow: Gio,
    /// Guarantees of the same deals.
    pub guarantees: Gio,
    /// Payments to miners.
    pub miners: BTreeMap<Address, MinerBook>,
    /// Deals by id.
    pub deals: BTreeMap<DealId, DealBook>,
    /// Payouts by epoch.
    pub payouts: Vec<PayoutBook>,
    /// Fees paid to the treasury so far.
    pub fees: Gio,
    /// What the owner took so far.
    pub withdrawn: Gio,
    /// What the treasury took so far.
    pub expropriated: Gio,
    flows: Flows,
    problems: Vec<Difference>,
}

impl Books {
    /// Reads a whole journal, which must be in order.
    #[must_use]
    pub fn of(terms: &Terms, journal: &[Entry]) -> Self {
        let mut books = Self {
            state: WalletState::Created,
            registered_at: None,
            freezer: None,
            stake: Gio::ZERO,
            locked: Gio::ZERO,
            escrow: Gio::ZERO,
            guarantees: Gio::ZERO,
            miners: BTreeMap::new(),
            deals: BTreeMap::new(),
            payouts: Vec::new(),
            fees: Gio::ZERO,
            withdrawn: Gio::ZERO,
            expropriated: Gio::ZERO,
            flows: Flows::default(),
            problems: Vec::new(),
        };
        for entry in journal {
            books.close(terms, Some(entry.place().tx));
            match entry {
                Entry::Said(log) => books.say(terms, log.place, &log.event),
                Entry::Moved(moved) => {
                    let found = books.flows.take(moved, terms.wallet, books.freezer);
                    books.expect(moved.place, found.map_or(Ok(()), Err));
                }
            }
        }
        books.close(terms, None);
        for announced in std::mem::take(&mut books.flows.announced) {
            let problem = format!("{} GIO were announced and not sent", announced.amount);
            let place = journal.iter().map(Entry::place);
            if let Some(place) = place.into_iter().find(|place| place.tx == announced.tx) {
                books.expect(place, Err(problem));
            }
        }
        books
    }

    /// What the token says the wallet holds.
    #[must_use]
    pub fn balance(&self) -> Gio {
        self.flows.balance
    }

    /// What lies in its freezer.
    #[must_use]
    pub fn frozen(&self) -> Gio {
        self.flows.frozen
    }

    /// What miners have pulled, all together.
    #[must_use]
    pub fn pulled(&self) -> Gio {
        self.flows.pulled
    }

    /// Approved to miners and, as far as the wallet has seen, not yet pulled.
    #[must_use]
    pub fn approvals(&self) -> Gio {
        sum(self.miners.values().map(|miner| miner.approved))
    }

    /// Of all payouts, not yet claimed.
    #[must_use]
    pub fn unclaimed(&self) -> Gio {
        sum(self.payouts.iter().map(PayoutBook::unclaimed))
    }

    /// What the hub may use (R6).
    #[must_use]
    pub fn free(&self) -> Gio {
        let all = sum([self.balance(), self.frozen()]);
        let kept = [
            self.escrow,
            self.approvals(),
            self.unclaimed(),
            self.guarantees,
            self.stake,
            self.locked,
        ];
        all.minus_or_zero(sum(kept))
    }

    /// What is wrong inside the journal itself.
    #[must_use]
    pub fn problems(&self) -> &[Difference] {
        &self.problems
    }

    fn close(&mut self, terms: &Terms, next: Option<B256>) {
        for moved in self.flows.close(next, terms.wallet) {
            let problem = format!("{} GIO left the freezer without a reason", moved.amount);
            self.expect(moved.place, Err(problem));
        }
    }

    fn expect(&mut self, place: LogPlace, result: Result<(), String>) {
        if let Err(problem) = result {
            self.problems
                .push(Difference::Impossible { place, problem });
        }
    }

    fn say(&mut self, terms: &Terms, place: LogPlace, event: &WalletEvent) {
        if let WalletEvent::Suspected { freezer, .. } = event {
            self.freezer = Some(*freezer);
        }
        let of_deal = event.deal().and_then(|deal| self.deals.get(&deal));
        let signed = match event {
            WalletEvent::DealOpened { terms, .. } => Some(&**terms),
            _ => of_deal.map(|deal| &*deal.terms),
        };
        let scene = Scene {
            terms,
            state: self.state,
            freezer: self.freezer,
            parties: signed.map(|terms| Parties {
                buyer: terms.buyer,
                royalty_to: terms.royalty_to,
                cap: terms.cap,
            }),
        };
        self.flows.announce(place.tx, event, &scene);
        let result = match event.deal() {
            Some(deal) => self.deal(terms, deal, event),
            None => self.money(terms, event),
        };
        self.expect(place, result);
    }

    fn deal(&mut self, terms: &Terms, id: DealId, event: &WalletEvent) -> Result<(), String> {
        if let WalletEvent::DealOpened { terms, .. } = event {
            let terms = terms.clone();
            let fresh = DealBook {
                terms: terms.clone(),
                stage: DealStage::Open,
                cu_total: Cu(0),
                result_root: None,
                window_end: None,
            };
            self.escrow = sum([self.escrow, terms.cap]);
            self.guarantees = sum([self.guarantees, terms.guarantee]);
            let before = self.deals.insert(id, fresh);
            return require(before.is_none(), || format!("deal {id} opened twice"));
        }
        let Some(deal) = self.deals.get_mut(&id) else {
            return Err(format!("deal {id} was never opened"));
        };
        let stage = deal.stage;
        let result = deal.take(terms, event);
        if deal.stage.is_final() && !stage.is_final() {
            let (cap, guarantee) = (deal.terms.cap, deal.terms.guarantee);
            self.escrow = self.escrow.minus_or_zero(cap);
            self.guarantees = self.guarantees.minus_or_zero(guarantee);
        }
        result
    }

    fn money(&mut self, terms: &Terms, event: &WalletEvent) -> Result<(), String> {
        match event {
            WalletEvent::PaymentApproved {
                miner,
                gross,
                lock,
                net,
                allowance,
            } => {
                self.locked = sum([self.locked, *lock]);
                let book = self.miners.entry(*miner).or_default();
                let expected = sum([book.approved, *net]);
                *book = MinerBook {
                    gross: sum([book.gross, *gross]),
                    lock: sum([book.lock, *lock]),
                    net: sum([book.net, *net]),
                    approved: *allowance,
                };
                let cut = share_down(*gross, terms.lock_percent.into(), 100);
                require(cut == Some(*lock) && sum([*lock, *net]) == *gross, || {
                    format!("a payment of {gross} GIO was divided into {lock} and {net}")
                })?;
                require(expected == *allowance, || {
                    format!("{miner} may pull {allowance} GIO instead of {expected}")
                })
            }
            WalletEvent::PullSeen {
                miner,
                pulled,
                allowance,
            } => {
                let book = self.miners.entry(*miner).or_default();
                let expected = book.approved.minus(*pulled);
                book.approved = *allowance;
                require(expected.as_ref() == Ok(allowance), || {
                    format!("{miner} pulled {pulled} GIO and may pull {allowance}")
                })
            }
            other => self.epochs(terms, other),
        }
    }

    fn epochs(&mut self, terms: &Terms, event: &WalletEvent) -> Result<(), String> {
        match event {
            WalletEvent::PayoutPosted {
                epoch,
                count,
                gross,
                lock,
                net,
                top,
                leaves_root,
            } => {
                self.locked = sum([self.locked, *lock]);
                let expected = self.payouts.len();
                self.payouts.push(PayoutBook {
                    count: *count,
                    gross: *gross,
                    lock: *lock,
                    net: *net,
                    top: *top,
                    leaves_root: *leaves_root,
                    claimed: BTreeMap::new(),
                });
                let left = 100 - u64::from(terms.lock_percent.min(99));
                let least = share_down(*gross, left, 100);
                // The gross is the least whose part is the net: rounded up once.
                let less = share_down(gross.minus_or_zero(Gio::from_units(1)), left, 100);
                require(
                    least >= Some(*net) && less < Some(*net) && sum([*lock, *net]) == *gross,
                    || format!("a payout of {gross} GIO was divided into {lock} and {net}"),
                )?;
                require(expected == *epoch as usize, || {
                    format!("payout {epoch} instead of {expected}")
                })
            }
            WalletEvent::PayoutClaimed {
                epoch,
                miner,
                index,
                net,
            } => {
                let Some(payout) = self.payouts.get_mut(*epoch as usize) else {
                    return Err(format!("payout {epoch} was never posted"));
                };
                let unclaimed = payout.unclaimed();
                let before = payout.claimed.insert(*index, (*miner, *net));
                require(before.is_none(), || {
                    format!("leaf {index} of payout {epoch} was claimed twice")
                })?;
                require(*net <= unclaimed && *index < payout.count, || {
                    format!("leaf {index} of payout {epoch} took {net} GIO of {unclaimed}")
                })
            }
            other => self.states(terms, other),
        }
    }

    fn states(&mut self, terms: &Terms, event: &WalletEvent) -> Result<(), String> {
        let before = self.state;
        match event {
            WalletEvent::Registered {
                owner,
                stake,
                registered_at,
            } => {
                self.state = WalletState::Registered;
                self.registered_at = Some(*registered_at);
                self.stake = *stake;
                require(*owner == terms.owner, || format!("registered by {owner}"))?;
                follows(before, &[WalletState::Created, WalletState::Idle])
            }
            WalletEvent::PaydayHeld { fee, locked, stake } => {
                self.state = WalletState::Idle;
                self.fees = sum([self.fees, *fee]);
                let held = (self.locked, self.stake);
                self.unfreeze();
                let due = share_down(*locked, terms.fee_per_mille.into(), 1000);
                require(due == Some(*fee) && held == (*locked, *stake), || {
                    format!("payday took {fee} GIO of {locked} locked and {stake} at stake")
                })?;
                follows(before, &[WalletState::Registered])
            }
            WalletEvent::Withdrawn { owner, amount } => {
                self.withdrawn = sum([self.withdrawn, *amount]);
                require(*owner == terms.owner, || {
                    format!("{owner} took {amount} GIO")
                })?;
                follows(before, &[WalletState::Idle])
            }
            WalletEvent::Suspected { case, .. } => {
                self.state = WalletState::Suspected;
                let known = follows(before, &[WalletState::Registered]);
                known.map_err(|problem| format!("{}: {problem}", case_name(*case)))
            }
            WalletEvent::Rehabilitated { .. } => {
                self.state = WalletState::Idle;
                self.unfreeze();
                follows(before, &[WalletState::Suspected])
            }
            WalletEvent::Banned { .. } => {
                self.state = WalletState::Punished;
                self.unfreeze();
                follows(before, &[WalletState::Suspected])
            }
            WalletEvent::Expropriated { amount } => {
                self.expropriated = sum([self.expropriated, *amount]);
                follows(before, &[WalletState::Punished])
            }
            _ => Ok(()),
        }
    }

    fn unfreeze(&mut self) {
        self.stake = Gio::ZERO;
        self.locked = Gio::ZERO;
    }
}

fn follows(before: WalletState, allowed: &[WalletState]) -> Result<(), String> {
    require(allowed.contains(&before), || {
        format!("not possible when {}", before.name())
    })
}

pub(super) fn require(holds: bool, problem: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(problem()) }
}

/// Sums of a wallet stay far below 64 bits; a journal that says otherwise shows up as a difference.
pub(super) fn sum(amounts: impl IntoIterator<Item = Gio>) -> Gio {
    let units = amounts.into_iter().map(Gio::units);
    Gio::from_units(units.fold(0, u64::saturating_add))
}
