//! What a miner is owed for a deal, and when the hub pays it.

use gio_protocol::{AmountError, Cu, Gio, PricePerPu, UnixSeconds, gross_of_net};

/// How long a miner that waits for pay in the middle of a deal waits at most if what it has coming is little.
pub const ADVANCE_SECONDS: u64 = 60;

/// A miner's accepted work in one deal, and what it has had for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Account {
    pub cu: Cu,
    pub net_price: PricePerPu,
    pub paid: Gio,
}

/// A payment to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Due {
    pub net: Gio,
    pub gross: Gio,
}

/// What is still to be paid: rounded down once per miner and deal (F4), however often it is paid in parts.
///
/// # Errors
/// [`AmountError`] if the sums leave 64 bits.
pub fn due(account: &Account) -> Result<Option<Due>, AmountError> {
    let net = account
        .net_price
        .cost(account.cu)?
        .minus_or_zero(account.paid);
    if net == Gio::ZERO {
        return Ok(None);
    }
    Ok(Some(Due {
        net,
        gross: gross_of_net(net)?,
    }))
}

/// Whether an advance is worth a transaction. An honest miner's trust grows with every payment, so its advances grow
/// too; one that asks for pay after every unit would have the hub burn its gas.
#[must_use]
pub fn is_worth_advancing(
    account: &Account,
    due: Due,
    last: Option<UnixSeconds>,
    now: UnixSeconds,
) -> bool {
    let has_waited = last.is_none_or(|last| now >= last.after(ADVANCE_SECONDS));
    has_waited || due.net.units() >= account.paid.units() / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(cu: u64, paid: u64) -> Account {
        Account {
            cu: Cu(cu),
            net_price: PricePerPu(Gio::from_units(1_000)),
            paid: Gio::from_units(paid),
        }
    }

    #[test]
    fn parts_add_up_to_the_whole() {
        let part = due(&account(1_500_000, 0)).unwrap().unwrap();
        assert_eq!(part.net, Gio::from_units(1));
        assert_eq!(part.gross, Gio::from_units(2));
        let rest = due(&account(2_000_000, 1)).unwrap().unwrap();
        assert_eq!(rest.net, Gio::from_units(1));
        assert_eq!(due(&account(2_000_000, 2)).unwrap(), None);
        assert_eq!(due(&account(2_000_000, 3)).unwrap(), None);
    }

    #[test]
    fn an_account_beyond_64_bits_is_an_error_not_a_small_payment() {
        let mut huge = account(u64::MAX, 0);
        huge.net_price = PricePerPu(Gio::from_units(u64::MAX));
        assert!(due(&huge).is_err());
    }

    #[test]
    fn r25_advances_grow_or_wait() {
        let worth = |net: u64, paid: u64, last: Option<u64>| {
            let due = Due {
                net: Gio::from_units(net),
                gross: Gio::from_units(net * 2),
            };
            let last = last.map(UnixSeconds);
            is_worth_advancing(&account(0, paid), due, last, UnixSeconds(1_000))
        };
        assert!(worth(1, 0, None), "the first");
        assert!(worth(50, 100, Some(999)));
        assert!(!worth(49, 100, Some(999)));
        assert!(worth(1, 100, Some(940)), "after a minute");
        assert!(!worth(1, 100, Some(941)));
    }
}
