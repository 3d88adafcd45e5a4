//! Choosing among hubs: the best net price first, and no more of them than one machine serves well.

use gio_protocol::{Address, PricePerPu};

use super::trust::HubStatus;

/// A hub as a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its wallet, which names it.
    pub wallet: Address,
    /// What it pays for a PU.
    pub net_price: PricePerPu,
    /// What this miner thinks of it.
    pub status: HubStatus,
}

/// The hubs to work for, best first: by net price, then by trust, then by address so that the order is always the same.
#[must_use]
pub fn choose(
    candidates: &[Candidate],
    net_price_min: PricePerPu,
    hubs_max: usize,
) -> Vec<Address> {
    let mut fit: Vec<&Candidate> = candidates
        .iter()
        .filter(|hub| hub.status.allows_work() && hub.net_price >= net_price_min)
        .collect();
    fit.sort_by(|a, b| {
        b.net_price
            .cmp(&a.net_price)
            .then(b.status.cmp(&a.status))
            .then(a.wallet.cmp(&b.wallet))
    });
    fit.truncate(hubs_max);
    fit.into_iter().map(|hub| hub.wallet).collect()
}

#[cfg(test)]
mod tests {
    use gio_protocol::Gio;

    use super::*;

    fn price(units: u64) -> PricePerPu {
        PricePerPu(Gio::from_units(units))
    }

    fn hub(byte: u8, units: u64, status: HubStatus) -> Candidate {
        Candidate {
            wallet: Address::repeat_byte(byte),
            net_price: price(units),
            status,
        }
    }

    #[test]
    fn hm19_the_best_payer_comes_first_and_ties_are_broken_the_same_way() {
        let hubs = [
            hub(5, 10, HubStatus::Checked),
            hub(4, 10, HubStatus::Checked),
            hub(3, 10, HubStatus::Safe),
            hub(2, 30, HubStatus::Checked),
            hub(1, 99, HubStatus::NotConfirmed),
            hub(6, 99, HubStatus::Fake),
            hub(7, 9, HubStatus::Safe),
        ];
        let order: Vec<u8> = choose(&hubs, price(10), 9)
            .iter()
            .map(|wallet| wallet.0[0])
            .collect();
        assert_eq!(order, [2, 3, 4, 5]);
        assert_eq!(choose(&hubs, price(0), 2).len(), 2);
        assert!(choose(&hubs, price(100), 9).is_empty());
    }
}
