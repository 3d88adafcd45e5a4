//! What a miner is owed for a deal, and when the hub pays it.

use gio_protocol::{AmountError, Cu, Gio, PricePerPu, gross_of_net};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up_to_the_whole() {
        let price = PricePerPu(Gio::from_units(1_000));
        let first = Account {
            cu: Cu(1_500_000),
            net_price: price,
            paid: Gio::ZERO,
        };
        let part = due(&first).unwrap().unwrap();
        assert_eq!(part.net, Gio::from_units(1));
        let whole = Account {
            cu: Cu(2_000_000),
            paid: part.net,
            ..first
        };
        assert_eq!(due(&whole).unwrap().unwrap().net, Gio::from_units(1));
        assert_eq!(
            due(&Account {
                paid: Gio::from_units(2),
                ..whole
            })
            .unwrap(),
            None
        );
    }
}
