//! Who gets how much of an amount, by statistics of work: shares are proportional to credit, rounded down (GV-18).
//!
//! Two formats are understood. A BOINC export of users: `<user>` elements with `<total_credit>`, and the account to pay in
//! `<url>` or `<name>`. Or lines `account,credit`; commas, semicolons, tabs or spaces, `#` begins a comment, and a first
//! line of words is a heading. Credit is exact: decimal digits, no floats.

use std::collections::BTreeMap;

use gio_protocol::{Address, Gio};
use thiserror::Error;

/// Digits of credit behind the point that count: BOINC writes six.
const DIGITS: usize = 9;
/// Credit of one line, so that a whole file's sum times any amount stays below 128 bits.
const CREDIT_MAX: u128 = 10u128.pow(15);
/// Most accounts of a payout: the leaves of its tree.
const ACCOUNTS_MAX: usize = 1 << 20;

/// Statistics that cannot be paid by.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StatsError {
    /// A line or element without an account and credit.
    #[error("{place}: `{text}` is not an account and its credit")]
    Line {
        /// Which.
        place: String,
        /// What stands there.
        text: String,
    },
    /// Credit that is no number.
    #[error("{place}: `{text}` is no credit: digits, and at most {DIGITS} behind the point")]
    Credit {
        /// Which.
        place: String,
        /// What stands there.
        text: String,
    },
    /// A user nobody can pay.
    #[error("{place}: user `{name}` has credit and names no account in <url> or <name>")]
    NoAccount {
        /// Which.
        place: String,
        /// Its name.
        name: String,
    },
    /// Credit went down between two exports.
    #[error("{account} has less credit than in the earlier statistics")]
    Less {
        /// Whose.
        account: Address,
    },
    /// Too many.
    #[error("{0} accounts; a payout has at most {ACCOUNTS_MAX}")]
    TooMany(usize),
    /// Nobody worked, or the amount is too small to divide.
    #[error("nobody would get a base unit of it")]
    Nobody,
}

/// Credit by account, in units of 10^-9.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats(BTreeMap<Address, u128>);

impl Stats {
    /// Reads either format.
    ///
    /// # Errors
    /// [`StatsError`].
    pub fn read(text: &str) -> Result<Self, StatsError> {
        let mut stats = Self::default();
        if text.trim_start().starts_with('<') {
            stats.read_users(text)?;
        } else {
            stats.read_lines(text)?;
        }
        match stats.0.len() {
            count if count > ACCOUNTS_MAX => Err(StatsError::TooMany(count)),
            _ => Ok(stats),
        }
    }

    /// What was done since earlier statistics: exports count credit from the beginning of time.
    ///
    /// # Errors
    /// [`StatsError::Less`].
    pub fn since(mut self, earlier: &Self) -> Result<Self, StatsError> {
        for (account, before) in &earlier.0 {
            let now = self.0.entry(*account).or_default();
            *now = now
                .checked_sub(*before)
                .ok_or(StatsError::Less { account: *account })?;
        }
        Ok(self)
    }

    /// Divides an amount: `amount · credit / all credit`, rounded down, in the order of accounts; whoever gets nothing is
    /// left out. What rounding leaves, less than one base unit per account, stays with the hub.
    ///
    /// # Errors
    /// [`StatsError::Nobody`].
    pub fn divide(&self, amount: Gio) -> Result<Vec<(Address, Gio)>, StatsError> {
        let all: u128 = self.0.values().sum();
        let share = |credit: u128| mul_div(amount.units(), credit, all);
        let nets = self
            .0
            .iter()
            .map(|(account, credit)| (*account, share(*credit)));
        let nets: Vec<_> = nets.filter(|(_, net)| *net != Gio::ZERO).collect();
        if nets.is_empty() {
            return Err(StatsError::Nobody);
        }
        Ok(nets)
    }

    fn add(&mut self, account: Address, credit: u128) {
        *self.0.entry(account).or_default() += credit;
    }

    fn read_lines(&mut self, text: &str) -> Result<(), StatsError> {
        for (number, line) in (1..).zip(text.lines()) {
            let content = line.split('#').next().unwrap_or_default().trim();
            let mut fields = content
                .split(|c: char| c.is_whitespace() || matches!(c, ',' | ';'))
                .filter(|field| !field.is_empty());
            let Some(account) = fields.next() else {
                continue;
            };
            let is_heading = number == 1 && !account.starts_with("0x");
            if is_heading {
                continue;
            }
            let place = format!("line {number}");
            let bad = || StatsError::Line {
                place: place.clone(),
                text: content.to_owned(),
            };
            let (account, credit) = (account.parse().map_err(|_| bad())?, fields.next());
            let credit = credit.filter(|_| fields.next().is_none()).ok_or_else(bad)?;
            self.add(account, read_credit(&place, credit)?);
        }
        Ok(())
    }

    fn read_users(&mut self, text: &str) -> Result<(), StatsError> {
        for (number, user) in (1..).zip(text.split("<user>").skip(1)) {
            let user = user.split("</user>").next().unwrap_or_default();
            let place = format!("user {number}");
            let credit = element(user, "total_credit").unwrap_or("0");
            let credit = read_credit(&place, credit)?;
            if credit == 0 {
                continue;
            }
            let account = ["url", "name"]
                .into_iter()
                .find_map(|tag| account_in(user, tag));
            let account = account.ok_or_else(|| StatsError::NoAccount {
                place: place.clone(),
                name: element(user, "name").unwrap_or_default().to_owned(),
            })?;
            self.add(account, credit);
        }
        Ok(())
    }
}

/// The text of the first such element.
fn element<'a>(text: &'a str, tag: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{tag}>"))?;
    let (content, _) = rest.split_once(&format!("</{tag}>"))?;
    Some(content.trim())
}

/// An account in an element, alone or at the end of a web address.
fn account_in(user: &str, tag: &str) -> Option<Address> {
    let text = element(user, tag)?;
    let last = text.rsplit(['/', ':']).next().unwrap_or(text);
    last.parse().ok()
}

fn read_credit(place: &str, text: &str) -> Result<u128, StatsError> {
    let bad = || StatsError::Credit {
        place: place.to_owned(),
        text: text.to_owned(),
    };
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_number = !whole.is_empty() && is_digits(whole) && is_digits(part);
    if !is_number || part.len() > DIGITS {
        return Err(bad());
    }
    let whole: u128 = whole.parse().map_err(|_| bad())?;
    let part: u128 = format!("{part:0<DIGITS$}").parse().map_err(|_| bad())?;
    if whole > CREDIT_MAX {
        return Err(bad());
    }
    Ok(whole * 10u128.pow(9) + part)
}

/// `amount · credit / all`, rounded down; `credit` is a part of `all`, so the result is at most the amount.
fn mul_div(amount: u64, credit: u128, all: u128) -> Gio {
    if all == 0 {
        return Gio::ZERO;
    }
    let product = alloy_primitives::U256::from(amount) * alloy_primitives::U256::from(credit);
    let share = product / alloy_primitives::U256::from(all);
    Gio::from_units(u64::try_from(share).unwrap_or(amount))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: &str = "0x1111111111111111111111111111111111111111";
    const B: &str = "0x2222222222222222222222222222222222222222";

    fn divided(text: &str, units: u64) -> Vec<u64> {
        let nets = Stats::read(text).unwrap().divide(Gio::from_units(units));
        nets.unwrap().iter().map(|(_, net)| net.units()).collect()
    }

    #[test]
    fn gv_18_lines_are_divided_by_credit() {
        let text = format!("account,credit\n{B},1\n# a comment\n{A};2.5\n{A}\t0.5 # more\n");
        assert_eq!(divided(&text, 100), [75, 25], "in the order of accounts");
        assert_eq!(divided(&text, 3), [2], "who gets nothing is left out");
    }

    #[test]
    fn gv_18_a_boinc_export_is_divided_by_total_credit() {
        let user = |name: &str, url: &str, credit: &str| {
            format!(
                "<user>\n <id>7</id>\n <name>{name}</name>\n <total_credit>{credit}</total_credit>\n <url>{url}</url>\n</user>\n"
            )
        };
        let text = format!(
            "<users>\n{}{}{}</users>",
            user("ann", &format!("https://gio.example/{A}"), "30.000000"),
            user(B, "", "10.000000"),
            user("idle", "", "0.000000")
        );
        assert_eq!(divided(&text, 4_000), [3_000, 1_000]);
        let nameless = format!("<users>{}</users>", user("bob", "", "1"));
        let error = Stats::read(&nameless).unwrap_err();
        assert!(matches!(error, StatsError::NoAccount { ref name, .. } if name == "bob"));
    }

    #[test]
    fn what_an_earlier_export_paid_for_is_not_paid_again() {
        let earlier = Stats::read(&format!("{A} 10\n{B} 5")).unwrap();
        let later = Stats::read(&format!("{A} 10\n{B} 8")).unwrap();
        let since = later.clone().since(&earlier).unwrap();
        assert_eq!(since.divide(Gio::from_units(9)).unwrap().len(), 1);
        assert!(matches!(
            earlier.since(&later),
            Err(StatsError::Less { .. })
        ));
    }

    #[test]
    fn statistics_that_say_nothing_clear_are_refused() {
        for bad in [
            A.to_owned(),
            format!("{A},1,2"),
            format!("{A},-1"),
            format!("{A},1e3"),
            format!("{A},1.0000000001"),
            format!("{A},99999999999999999999"),
            "0x12,1".to_owned(),
            format!("{A},1\nnobody,2"),
        ] {
            assert!(Stats::read(&bad).is_err(), "{bad}");
        }
        let nobody = Stats::read(&format!("{A},0")).unwrap();
        assert_eq!(nobody.divide(Gio::from_units(5)), Err(StatsError::Nobody));
    }

    proptest! {
        #[test]
        fn gv_18_the_parts_are_the_whole_but_for_rounding(
            credits in prop::collection::vec(0u64..u64::MAX / 1_000_000, 1..40), amount in 1u64..2_000_000_000_000_000,
        ) {
            let lines = credits.iter().enumerate().map(|(i, credit)| {
                format!("{},{credit}\n", Address::from_word(alloy_primitives::U256::from(i).into()))
            });
            let stats = Stats::read(&lines.collect::<String>()).unwrap();
            if let Ok(nets) = stats.divide(Gio::from_units(amount)) {
                let sum: u64 = nets.iter().map(|(_, net)| net.units()).sum();
                prop_assert!(sum <= amount && amount - sum < credits.len() as u64);
            }
        }
    }
}
