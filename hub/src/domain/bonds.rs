//! R15, the hub's half: in a deal with a court, units go to owners, and claims are taken of owners, whose bond stays until
//! the last game about the deal can be over. Deals without a court need no bond.

use std::collections::BTreeMap;

use gio_protocol::terms::WINDOW_MAX_SECONDS;
use gio_protocol::{Address, DealTerms, UnixSeconds};

/// What a miner, and the buyer of its unit, read of a claim that was not taken for want of a bond.
pub const UNCOVERED: &str = "the miner's bond may leave before the deal's last game is over";

/// What the register of miners says, as far as somebody asked. Empty: nobody has a bond.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bonds {
    /// How long a game may go on after the window it was opened in; `None` while that is not known.
    game_seconds: Option<u64>,
    /// Until when owners' bonds are sure to reach the least bond.
    covered_until: BTreeMap<Address, UnixSeconds>,
}

impl Bonds {
    /// Of a register from which a bond leaves after this delay. The delay is the longest window, both clocks and all
    /// moves' grace (R15), so what is beyond the window is a game's; a shorter one is no register of this market.
    #[must_use]
    pub fn new(withdrawal_delay: u64) -> Self {
        Self {
            game_seconds: withdrawal_delay.checked_sub(WINDOW_MAX_SECONDS),
            covered_until: BTreeMap::new(),
        }
    }

    /// Notes an owner; `None`: its bond does not reach the least bond now.
    pub fn set(&mut self, owner: Address, until: Option<UnixSeconds>) {
        match until {
            Some(until) => self.covered_until.insert(owner, until),
            None => self.covered_until.remove(&owner),
        };
    }

    /// Whether claims of this owner may be part of a deal on these terms.
    #[must_use]
    pub fn cover(&self, terms: &DealTerms, owner: Address) -> bool {
        if !has_court(terms) {
            return true;
        }
        let needed = self.game_seconds.map(|game| last_game_ends(terms, game));
        let covered = self.covered_until.get(&owner);
        matches!((covered, needed), (Some(until), Some(needed)) if *until >= needed)
    }
}

/// Whether anything but the hub's word decides about claims of such a deal.
#[must_use]
pub fn has_court(terms: &DealTerms) -> bool {
    terms.court != Address::ZERO
}

/// A result that is posted in the last second, and a game that is opened in the last second of its window.
fn last_game_ends(terms: &DealTerms, game_seconds: u64) -> UnixSeconds {
    terms.deliver_by.after(terms.window).after(game_seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::agreement::tests::terms;

    const OWNER: Address = Address::repeat_byte(5);
    /// Both clocks and the grace.
    const GAME: u64 = 7_000;

    fn with_court() -> DealTerms {
        DealTerms {
            court: Address::repeat_byte(9),
            ..terms()
        }
    }

    fn bonds(until: Option<UnixSeconds>) -> Bonds {
        let mut bonds = Bonds::new(WINDOW_MAX_SECONDS + GAME);
        bonds.set(OWNER, until);
        bonds
    }

    #[test]
    fn r15_a_bond_has_to_stay_until_the_last_game_can_be_over() {
        let terms = with_court();
        let end = UnixSeconds(terms.deliver_by.0 + terms.window + GAME);
        let just_before = UnixSeconds(end.0 - 1);
        assert!(bonds(Some(end)).cover(&terms, OWNER));
        assert!(bonds(Some(UnixSeconds(u64::MAX))).cover(&terms, OWNER));
        assert!(!bonds(Some(just_before)).cover(&terms, OWNER));
        assert!(!bonds(None).cover(&terms, OWNER), "no bond");
        let somebody = Address::repeat_byte(6);
        assert!(!bonds(Some(end)).cover(&terms, somebody), "never asked");
        let mut left = bonds(Some(end));
        left.set(OWNER, None);
        assert!(!left.cover(&terms, OWNER), "it left");
    }

    #[test]
    fn r15_deals_without_a_court_are_open_to_miners_without_a_bond() {
        assert!(Bonds::default().cover(&terms(), OWNER));
        assert!(bonds(None).cover(&terms(), OWNER));
    }

    #[test]
    fn a_register_whose_rules_are_not_known_covers_nobody() {
        let mut unknown = Bonds::default();
        unknown.set(OWNER, Some(UnixSeconds(u64::MAX)));
        assert!(!unknown.cover(&with_court(), OWNER));
        let mut short = Bonds::new(WINDOW_MAX_SECONDS - 1);
        short.set(OWNER, Some(UnixSeconds(u64::MAX)));
        assert!(!short.cover(&with_court(), OWNER));
    }
}
