//! Work a miner did, in net pay, exact: rounding happens once, when it is paid (F4).

use crate::amount::{CU_PER_PU, Cu, Gio, PricePerPu};

/// Net work: CU times price, in base units per 10^9.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Work(u128);

impl Work {
    /// None.
    pub const NONE: Self = Self(0);

    /// So many CU at this price.
    #[must_use]
    pub fn of(cu: Cu, price: PricePerPu) -> Self {
        Self(u128::from(cu.0) * u128::from(price.0.units()))
    }

    /// What an amount pays for.
    #[must_use]
    pub fn worth(amount: Gio) -> Self {
        Self(u128::from(amount.units()) * u128::from(CU_PER_PU))
    }

    /// Saturates: more than everything is refused like everything.
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
        self.minus(Self::worth(net))
    }

    /// Whether it is worth no more than an amount.
    #[must_use]
    pub fn is_within(self, limit: Gio) -> bool {
        self <= Self::worth(limit)
    }

    /// Whether it is worth a base unit, the least a payment can be.
    #[must_use]
    pub fn is_payable(self) -> bool {
        self >= Self::worth(Gio::from_units(1))
    }

    /// The amount it is worth, rounded up, so that what is risked is never understated.
    #[must_use]
    pub fn net(self) -> Gio {
        let units = self.0.div_ceil(u128::from(CU_PER_PU));
        Gio::from_units(u64::try_from(units).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gio(units: u64) -> Gio {
        Gio::from_units(units)
    }

    #[test]
    fn tiny_units_add_up_although_each_is_less_than_a_base_unit() {
        let unit = Work::of(Cu(1_000), PricePerPu(gio(1_000)));
        assert!(!unit.is_payable());
        let many = (0..1_000).fold(Work::NONE, |sum, _| sum.plus(unit));
        assert!(many.is_payable());
        assert!(many.is_within(gio(1)));
        assert!(!many.plus(unit).is_within(gio(1)));
        assert_eq!(many.after_paying(gio(1)), Work::NONE);
        assert_eq!(many.after_paying(gio(2)), Work::NONE);
    }

    #[test]
    fn a_fraction_counts_as_a_whole_and_everything_is_the_most() {
        let tiny = Work::of(Cu(1), PricePerPu(gio(1)));
        assert_eq!(tiny.net(), gio(1));
        let everything = Work::of(Cu(u64::MAX), PricePerPu(gio(u64::MAX)));
        assert_eq!(everything.plus(tiny).net(), gio(u64::MAX));
        assert_eq!(Work::NONE.net(), Gio::ZERO);
    }
}
