//! What the development network prints at the end of a story.

use std::fmt::Write as _;

use gio_protocol::Gio;

/// A table of GIO balances before and after, with the sum.
///
/// # Panics
/// If the two lists are not of the same accounts, which would be a mistake of the story.
#[must_use]
pub fn balance_table(before: &[(String, Gio)], after: &[(String, Gio)]) -> String {
    let mut text = format!(
        "{:<16} {:>22} {:>22} {:>20}\n",
        "GIO of", "before", "after", "change"
    );
    for ((name, old), (other, new)) in before.iter().zip(after) {
        assert_eq!(name, other, "the two lists are of the same accounts");
        let _ = writeln!(
            text,
            "{name:<16} {old:>22} {new:>22} {:>20}",
            change(*old, *new)
        );
    }
    let (old, new) = (total(before), total(after));
    let _ = write!(
        text,
        "{:<16} {old:>22} {new:>22} {:>20}",
        "sum",
        change(old, new)
    );
    text
}

/// Sum of all balances.
#[must_use]
pub fn total(balances: &[(String, Gio)]) -> Gio {
    Gio::from_units(balances.iter().map(|(_, amount)| amount.units()).sum())
}

fn change(old: Gio, new: Gio) -> String {
    if new >= old {
        format!("+{}", new.minus_or_zero(old))
    } else {
        format!("-{}", old.minus_or_zero(new))
    }
}
