//! Money and metered work: checked newtypes and the formulas of `docs/protocol.md` section 6.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Base units in one GIO: 8 decimals, like the coin's.
pub const UNITS_PER_GIO: u64 = 100_000_000;
/// Metered instructions in one PU.
pub const CU_PER_PU: u64 = 1_000_000_000;
/// Share of every gross payout a wallet locks until payday (HW-09).
pub const LOCK_PERCENT: u64 = 30;

/// An amount broke a rule of `docs/protocol.md` section 6.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AmountError {
    /// A sum or product left the range of an amount.
    #[error("amount leaves the range of 64 bits")]
    Overflow,
    /// More was taken than was there.
    #[error("amount would fall below zero")]
    Underflow,
    /// A text is not a decimal amount with at most 8 decimals.
    #[error("`{0}` is not an amount of GIO (a decimal number with at most 8 decimals)")]
    NotAnAmount(String),
}

/// An amount of money in base units (10^-8 GIO).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Gio(u64);

impl Gio {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// An amount given in base units.
    #[must_use]
    pub const fn from_units(units: u64) -> Self {
        Self(units)
    }

    /// A whole number of GIO.
    ///
    /// # Errors
    /// [`AmountError::Overflow`] beyond 184 billion GIO.
    pub const fn from_whole(gio: u64) -> Result<Self, AmountError> {
        match gio.checked_mul(UNITS_PER_GIO) {
            Some(units) => Ok(Self(units)),
            None => Err(AmountError::Overflow),
        }
    }

    /// Base units.
    #[must_use]
    pub const fn units(self) -> u64 {
        self.0
    }

    /// Sum, refused beyond 64 bits.
    ///
    /// # Errors
    /// [`AmountError::Overflow`].
    pub fn plus(self, other: Self) -> Result<Self, AmountError> {
        self.0
            .checked_add(other.0)
            .map(Self)
            .ok_or(AmountError::Overflow)
    }

    /// Difference, refused below zero.
    ///
    /// # Errors
    /// [`AmountError::Underflow`].
    pub fn minus(self, other: Self) -> Result<Self, AmountError> {
        self.0
            .checked_sub(other.0)
            .map(Self)
            .ok_or(AmountError::Underflow)
    }

    /// Difference, zero if `other` is larger.
    #[must_use]
    pub fn minus_or_zero(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Gio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:08}", self.0 / UNITS_PER_GIO, self.0 % UNITS_PER_GIO);
        f.pad(&text)
    }
}

impl FromStr for Gio {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let bad = || AmountError::NotAnAmount(text.to_owned());
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(part) || part.len() > 8 {
            return Err(bad());
        }
        let whole: u64 = whole.parse().map_err(|_| bad())?;
        let part: u64 = format!("{part:0<8}").parse().map_err(|_| bad())?;
        Self::from_whole(whole)?.plus(Self(part))
    }
}

/// Metered compute units: one per executed instruction.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Cu(pub u64);

impl Cu {
    /// Sum, refused beyond 64 bits.
    ///
    /// # Errors
    /// [`AmountError::Overflow`].
    pub fn plus(self, other: Self) -> Result<Self, AmountError> {
        self.0
            .checked_add(other.0)
            .map(Self)
            .ok_or(AmountError::Overflow)
    }
}

impl fmt::Display for Cu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Money for one PU (10^9 CU), in base units.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct PricePerPu(pub Gio);

impl PricePerPu {
    /// `⌊cu · price / 10^9⌋`: what this much work costs.
    ///
    /// # Errors
    /// [`AmountError::Overflow`] if the product leaves the range of an amount.
    pub fn cost(self, cu: Cu) -> Result<Gio, AmountError> {
        let exact = u128::from(cu.0) * u128::from(self.0.units()) / u128::from(CU_PER_PU);
        u64::try_from(exact)
            .map(Gio)
            .map_err(|_| AmountError::Overflow)
    }
}

impl From<Gio> for PricePerPu {
    fn from(amount: Gio) -> Self {
        Self(amount)
    }
}

impl From<PricePerPu> for Gio {
    fn from(price: PricePerPu) -> Self {
        price.0
    }
}

/// For `#[serde(with = "…")]`: amounts and prices as decimal GIO in quotes, as people write them in files.
pub mod as_text {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use super::Gio;

    /// Writes `"0.01000000"`.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<T: Copy + Into<Gio>, S: Serializer>(
        amount: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&(*amount).into())
    }

    /// Reads what [`serialize`] writes, and any other decimal number with at most 8 decimals.
    ///
    /// # Errors
    /// The deserializer's, and [`super::AmountError`] as text.
    pub fn deserialize<'de, T: From<Gio>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse::<Gio>().map(T::from).map_err(D::Error::custom)
    }
}

/// What the buyer pays for a deal (R2): `min(cap, ⌊cu · price / 10^9⌋)`.
#[must_use]
pub fn bill(cap: Gio, cu: Cu, price: PricePerPu) -> Gio {
    price.cost(cu).map_or(cap, |cost| cost.min(cap))
}

/// `⌊gross · 30 / 100⌋`: what a payout of `gross` locks in the wallet until payday (HW-09).
#[must_use]
pub fn lock_of_gross(gross: Gio) -> Gio {
    let lock = u128::from(gross.0) * u128::from(LOCK_PERCENT) / 100;
    Gio(u64::try_from(lock).expect("30 % of a 64-bit amount fits in 64 bits"))
}

/// `⌈net · 100 / 70⌉`: the gross whose unlocked part is at least `net`.
///
/// # Errors
/// [`AmountError::Overflow`].
pub fn gross_of_net(net: Gio) -> Result<Gio, AmountError> {
    let gross = (u128::from(net.0) * 100).div_ceil(u128::from(100 - LOCK_PERCENT));
    u64::try_from(gross)
        .map(Gio)
        .map_err(|_| AmountError::Overflow)
}

/// The least price a hub without working capital may quote (F4): `⌈net · 100 / 70⌉ + margin`.
///
/// # Errors
/// [`AmountError::Overflow`].
pub fn least_gross_price(net: PricePerPu, margin: PricePerPu) -> Result<PricePerPu, AmountError> {
    gross_of_net(net.0)?.plus(margin.0).map(PricePerPu)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_read_back_what_they_print() {
        assert_eq!("1.5".parse::<Gio>().unwrap(), Gio::from_units(150_000_000));
        assert_eq!(Gio::from_units(1).to_string(), "0.00000001");
        for bad in [
            "",
            ".",
            "1.",
            "-1",
            "1.123456789",
            "1e3",
            "1,0",
            "999999999999999999999",
        ] {
            assert!(bad.parse::<Gio>().is_err(), "{bad}");
        }
    }

    #[test]
    fn r02_bill_is_rounded_down_once_and_capped() {
        let price = PricePerPu(Gio::from_units(3));
        assert_eq!(
            bill(Gio::from_units(100), Cu(999_999_999), price),
            Gio::from_units(2)
        );
        assert_eq!(
            bill(Gio::from_units(1), Cu(u64::MAX), price),
            Gio::from_units(1)
        );
    }

    proptest! {
        #[test]
        fn text_round_trips(units in any::<u64>()) {
            let amount = Gio::from_units(units);
            prop_assert_eq!(amount.to_string().parse::<Gio>().unwrap(), amount);
        }

        #[test]
        fn x06_a_miner_never_gets_less_than_agreed(net in 0..u64::MAX / 2) {
            let net = Gio::from_units(net);
            let gross = gross_of_net(net).unwrap();
            let unlocked = gross.minus(lock_of_gross(gross)).unwrap();
            prop_assert!(unlocked >= net);
            prop_assert!(unlocked.units() - net.units() <= 1);
        }
    }
}
