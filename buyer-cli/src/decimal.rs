//! Decimal numbers in job files and flags: `5`, `"5.0"`, `0.25`, kept as digits, so that no rounding touches money.

use std::fmt;
use std::str::FromStr;

use gio_protocol::{Cu, Gio, PricePerPu};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use thiserror::Error;

/// Decimals of a PU: 10^9 CU.
const PU_DECIMALS: usize = 9;
/// Decimals of a GIO.
const GIO_DECIMALS: usize = 8;

/// A text that is no number of its kind.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecimalError {
    /// Signs, exponents and separators are not understood.
    #[error("`{0}` is not a plain decimal number")]
    NotDecimal(String),
    /// Finer than the smallest unit.
    #[error("`{text}` has more than {max} decimals")]
    TooFine {
        /// What was written.
        text: String,
        /// Decimals of the smallest unit.
        max: usize,
    },
    /// Beyond 64 bits of the smallest unit.
    #[error("`{0}` is too large")]
    TooLarge(String),
}

/// A decimal number as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal(String);

impl Decimal {
    /// As an amount of GIO.
    ///
    /// # Errors
    /// [`DecimalError`].
    pub fn gio(&self) -> Result<Gio, DecimalError> {
        self.scaled(GIO_DECIMALS).map(Gio::from_units)
    }

    /// As GIO for one PU.
    ///
    /// # Errors
    /// [`DecimalError`].
    pub fn price(&self) -> Result<PricePerPu, DecimalError> {
        self.gio().map(PricePerPu)
    }

    /// As a number of PU.
    ///
    /// # Errors
    /// [`DecimalError`].
    pub fn pu(&self) -> Result<Cu, DecimalError> {
        self.scaled(PU_DECIMALS).map(Cu)
    }

    /// `self · 10^decimals`.
    fn scaled(&self, decimals: usize) -> Result<u64, DecimalError> {
        let (whole, part) = self.0.split_once('.').unwrap_or((&self.0, ""));
        // 5.000000000000 is as fine as 5.
        let part = part.trim_end_matches('0');
        if part.len() > decimals {
            let text = self.0.clone();
            return Err(DecimalError::TooFine {
                text,
                max: decimals,
            });
        }
        format!("{whole}{part:0<decimals$}")
            .parse()
            .map_err(|_| DecimalError::TooLarge(self.0.clone()))
    }
}

impl FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        let plain = match text.split_once('.') {
            None => digits(text),
            Some((whole, part)) => digits(whole) && digits(part),
        };
        if plain {
            Ok(Self(text.to_owned()))
        } else {
            Err(DecimalError::NotDecimal(text.to_owned()))
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DecimalVisitor)
    }
}

/// TOML has integers, floats and texts; a float's shortest text is what the user wrote.
struct DecimalVisitor;

impl Visitor<'_> for DecimalVisitor {
    type Value = Decimal;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number such as 5, 0.25 or \"0.25\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Decimal, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Decimal, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Decimal, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Decimal, E> {
        self.visit_str(&number.to_string())
    }
}

/// CU as PU with as many decimals as say something, at least one: `12.5`, `0.000000001`, `3.0`.
#[must_use]
pub fn pu_text(cu: Cu) -> String {
    const CU_PER_PU: u64 = gio_protocol::amount::CU_PER_PU;
    let part = format!("{:0PU_DECIMALS$}", cu.0 % CU_PER_PU);
    let part = part.trim_end_matches('0');
    let part = if part.is_empty() { "0" } else { part };
    format!("{}.{part}", cu.0 / CU_PER_PU)
}

/// GIO with as many decimals as say something, at least one.
#[must_use]
pub fn gio_text(amount: Gio) -> String {
    let text = amount.to_string();
    let trimmed = text.trim_end_matches('0');
    if trimmed.ends_with('.') {
        format!("{trimmed}0")
    } else {
        trimmed.to_owned()
    }
}

/// `1 unit`, `48 units`.
#[must_use]
pub fn units_text(count: u32) -> String {
    let word = if count == 1 { "unit" } else { "units" };
    format!("{count} {word}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn numbers_scale_without_rounding() {
        assert_eq!(decimal("0.1").gio().unwrap(), Gio::from_units(10_000_000));
        assert_eq!(decimal("5").pu().unwrap(), Cu(5_000_000_000));
        assert_eq!(decimal("0.000000001").pu().unwrap(), Cu(1));
        assert_eq!(
            decimal("7.50000000000000").gio().unwrap().units(),
            750_000_000
        );
    }

    #[test]
    fn what_is_no_number_says_why() {
        for bad in ["", ".", "1.", ".5", "-1", "1e3", "1_000", "5 GIO"] {
            assert!(bad.parse::<Decimal>().is_err(), "{bad}");
        }
        assert!(matches!(
            decimal("0.000000001").gio(),
            Err(DecimalError::TooFine { max: 8, .. })
        ));
        assert!(matches!(
            decimal("999999999999999").gio(),
            Err(DecimalError::TooLarge(_))
        ));
    }

    #[test]
    fn toml_integers_floats_and_texts_are_the_same_number() {
        #[derive(serde::Deserialize)]
        struct Three {
            a: Decimal,
            b: Decimal,
            c: Decimal,
        }
        let three: Three = toml::from_str("a = 5\nb = 5.0\nc = \"5.0\"\n").unwrap();
        for number in [three.a, three.b, three.c] {
            assert_eq!(number.gio().unwrap(), Gio::from_whole(5).unwrap());
        }
        assert!(toml::from_str::<Three>("a = -5\nb = 1\nc = 1\n").is_err());
    }

    #[test]
    fn texts_are_short() {
        assert_eq!(pu_text(Cu(12_500_000_000)), "12.5");
        assert_eq!(pu_text(Cu(0)), "0.0");
        assert_eq!(pu_text(Cu(1)), "0.000000001");
        assert_eq!(gio_text(Gio::from_units(150_000_000)), "1.5");
        assert_eq!(gio_text(Gio::ZERO), "0.0");
        assert_eq!([units_text(1), units_text(0)], ["1 unit", "0 units"]);
    }
}
