//! Which transfers the wallet's events announce, and which are left over: those are miners pulling their pay.

use gio_protocol::{Address, B256, Gio};

use super::{Terms, Transfer};
use crate::event::WalletEvent;
use crate::info::WalletState;

/// A transfer that an event announced and that has not been seen yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Announced {
    pub(super) tx: B256,
    from: Address,
    to: Address,
    pub(super) amount: Gio,
}

impl Announced {
    fn is(&self, moved: &Transfer) -> bool {
        let same = (self.from, self.to, self.amount) == (moved.from, moved.to, moved.amount);
        same && self.tx == moved.place.tx
    }
}

/// Money in wallet and freezer as the token moved it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Flows {
    pub(super) balance: Gio,
    pub(super) frozen: Gio,
    /// What miners took, all together.
    pub(super) pulled: Gio,
    pub(super) announced: Vec<Announced>,
    /// Transfers out that nothing announced yet: some events come after their transfer.
    waiting: Vec<Transfer>,
}

/// Where a deal's money comes from and goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parties {
    pub(super) buyer: Address,
    pub(super) royalty_to: Address,
    pub(super) cap: Gio,
}

/// The wallet as it is when an event is said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene<'a> {
    pub(super) terms: &'a Terms,
    /// Before the event.
    pub(super) state: WalletState,
    pub(super) freezer: Option<Address>,
    /// Of the event's deal.
    pub(super) parties: Option<Parties>,
}

impl Flows {
    /// Writes down what an event announces.
    pub(super) fn announce(&mut self, tx: B256, event: &WalletEvent, scene: &Scene<'_>) {
        let wallet = scene.terms.wallet;
        // While suspected the money lies in the freezer, and buyers are served from there (R7).
        let own = match scene.state {
            WalletState::Suspected => scene.freezer.unwrap_or(wallet),
            _ => wallet,
        };
        for (from, to, amount) in transfers(event, scene, own) {
            // A transfer of nothing is not made, or makes no difference.
            if amount == Gio::ZERO {
                continue;
            }
            let announced = Announced {
                tx,
                from,
                to,
                amount,
            };
            match self.waiting.iter().position(|moved| announced.is(moved)) {
                Some(found) => drop(self.waiting.swap_remove(found)),
                None => self.announced.push(announced),
            }
        }
    }

    /// Takes a transfer into the books. Returns what is wrong with it.
    pub(super) fn take(
        &mut self,
        moved: &Transfer,
        wallet: Address,
        freezer: Option<Address>,
    ) -> Option<String> {
        let Transfer {
            from, to, amount, ..
        } = *moved;
        if amount == Gio::ZERO {
            return None;
        }
        let mut problem = None;
        let (own, frozen) = (&mut self.balance, &mut self.frozen);
        let sides = [
            (from == wallet, &mut *own),
            (Some(from) == freezer, &mut *frozen),
        ];
        for (is_ours, held) in sides {
            if is_ours {
                match held.minus(amount) {
                    Ok(left) => *held = left,
                    Err(_) => problem = Some(format!("{amount} GIO left that were not there")),
                }
            }
        }
        for (is_ours, held) in [(to == wallet, own), (Some(to) == freezer, frozen)] {
            if is_ours {
                *held = held.plus(amount).unwrap_or(*held);
            }
        }
        match self.announced.iter().position(|a| a.is(moved)) {
            Some(found) => drop(self.announced.swap_remove(found)),
            None if from == wallet || Some(from) == freezer => self.waiting.push(*moved),
            None => {}
        }
        problem
    }

    /// The transactions before `next` are over: what left the wallet and nothing announced was pulled by miners, because
    /// the token lets nobody else. Returns what left the freezer like that, which nobody may.
    pub(super) fn close(&mut self, next: Option<B256>, wallet: Address) -> Vec<Transfer> {
        let is_over = |moved: &Transfer| Some(moved.place.tx) != next;
        let (over, waiting) = self.waiting.iter().partition(|moved| is_over(moved));
        self.waiting = waiting;
        let (pulled, strange): (Vec<Transfer>, _) =
            Vec::into_iter(over).partition(|moved| moved.from == wallet);
        for moved in pulled {
            self.pulled = self.pulled.plus(moved.amount).unwrap_or(self.pulled);
        }
        strange
    }
}

fn transfers(event: &WalletEvent, scene: &Scene<'_>, own: Address) -> Vec<(Address, Address, Gio)> {
    let Terms {
        wallet,
        owner,
        treasury,
        ..
    } = *scene.terms;
    let frozen = |amount: Gio| scene.freezer.map(|freezer| (freezer, wallet, amount));
    let deal = |of: &dyn Fn(Parties) -> Vec<(Address, Address, Gio)>| {
        scene.parties.map_or_else(Vec::new, of)
    };
    match event {
        WalletEvent::DealOpened { .. } => deal(&|p| vec![(p.buyer, wallet, p.cap)]),
        WalletEvent::DealSettled {
            royalty, refund, ..
        }
        | WalletEvent::DealCancelled {
            royalty, refund, ..
        } => deal(&|p| vec![(own, p.royalty_to, *royalty), (own, p.buyer, *refund)]),
        WalletEvent::DealRefunded { refund, .. } => deal(&|p| vec![(own, p.buyer, *refund)]),
        WalletEvent::DealRefuted {
            refund,
            guarantee,
            compensation,
            ..
        } => {
            let whole = refund.plus(*compensation).unwrap_or(*refund);
            let lost = guarantee.minus_or_zero(*compensation);
            deal(&|p| vec![(own, treasury, lost), (own, p.buyer, whole)])
        }
        WalletEvent::PaydayHeld { fee, .. } => vec![(wallet, treasury, *fee)],
        WalletEvent::Withdrawn { amount, .. } => vec![(wallet, owner, *amount)],
        WalletEvent::PayoutClaimed { miner, net, .. } => vec![(wallet, *miner, *net)],
        WalletEvent::Suspected {
            freezer, amount, ..
        } => vec![(wallet, *freezer, *amount)],
        WalletEvent::Rehabilitated { amount } | WalletEvent::Banned { amount } => {
            frozen(*amount).into_iter().collect()
        }
        WalletEvent::Expropriated { amount } => vec![(wallet, treasury, *amount)],
        WalletEvent::Registered { .. }
        | WalletEvent::ResultPosted { .. }
        | WalletEvent::PaymentApproved { .. }
        | WalletEvent::PullSeen { .. }
        | WalletEvent::PayoutPosted { .. } => Vec::new(),
    }
}
