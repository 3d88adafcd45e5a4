//! What a hub owes for work, exact: rounding happens once, when a deal is paid (F4).

use gio_protocol::amount::CU_PER_PU;
use gio_protocol::{Cu, Gio, PricePerPu};

/// Net work: CU times price, in base units per 10^9.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owed(u128);

impl Owed {
    /// Nothing.
    pub const NOTHING: Self = Self(0);

    /// So many CU at this price.
    #[must_use]
    pub fn of(cu: Cu, price: PricePerPu) -> Self {
        Self(u128::from(cu.0) * u128::from(price.0.units()))
    }

    /// Saturates: nobody is trusted with more than everything.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Zero if `other` is larger.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// What is left after a payment.
    #[must_use]
    pub fn after_paying(self, net: Gio) -> Self {
        self.minus(Self::amount(net))
    }

    /// Whether it is no more than an amount.
    #[must_use]
    pub fn is_within(self, limit: Gio) -> bool {
        self <= Self::amount(limit)
    }

    /// Whether anything is owed that a payment could be made of.
    #[must_use]
    pub fn is_payable(self) -> bool {
        self.0 >= u128::from(CU_PER_PU)
    }

    fn amount(amount: Gio) -> Self {
        Self(u128::from(amount.units()) * u128::from(CU_PER_PU))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiny_units_add_up_although_each_is_less_than_a_base_unit() {
        let unit = Owed::of(Cu(1_000), PricePerPu(Gio::from_units(1_000)));
        assert!(!unit.is_payable());
        let many = (0..1_000).fold(Owed::NOTHING, |sum, _| sum.plus(unit));
        assert!(many.is_payable());
        assert!(many.is_within(Gio::from_units(1)));
        assert!(!many.plus(unit).is_within(Gio::from_units(1)));
        assert_eq!(many.after_paying(Gio::from_units(1)), Owed::NOTHING);
        assert_eq!(many.after_paying(Gio::from_units(2)), Owed::NOTHING);
    }
}
