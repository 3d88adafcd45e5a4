//! Quotes are gross (F4): price to the buyer ≥ miners' net / 0.7 + the hub's margin.

use gio_protocol::{AmountError, B256, Gio, PricePerPu, UnixSeconds, least_gross_price};
use thiserror::Error;

use crate::config::Prices;

/// A quote as the hub remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Makes the deal unique and seeds its units (R22).
    pub hub_nonce: B256,
    /// Who asked.
    pub buyer: gio_protocol::Address,
    /// What the buyer committed to before it saw the nonce.
    pub seed_commitment: B256,
    /// Gross, for the buyer.
    pub price: PricePerPu,
    /// Net, for the miners.
    pub net_price: PricePerPu,
    /// What the hub stakes on the deal.
    pub guarantee: Gio,
    /// Least window the hub signs.
    pub window_seconds: u64,
    /// The hub signs no terms under this quote later.
    pub valid_until: UnixSeconds,
}

/// Why there is no quote.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoQuote {
    /// The configured prices leave 64 bits.
    #[error("this hub's prices are out of range")]
    Price(#[from] AmountError),
    /// The job is due sooner than the hub could deliver.
    #[error("the job is due at {deliver_by}, now is {now}; this hub needs at least {least} s")]
    TooSoon {
        /// When the job is due.
        deliver_by: UnixSeconds,
        /// The hub's time.
        now: UnixSeconds,
        /// Least time the hub takes.
        least: u64,
    },
    /// The job is due later than the hub stakes anything for.
    #[error("the job is due at {deliver_by}, now is {now}; this hub takes at most {most} s")]
    TooLate {
        /// When the job is due.
        deliver_by: UnixSeconds,
        /// The hub's time.
        now: UnixSeconds,
        /// Longest time the hub takes.
        most: u64,
    },
    /// Only WASM so far.
    #[error("this hub does not run `{0}` jobs")]
    Kind(String),
    /// The hub has as many deals as it takes.
    #[error("this hub has {0} deals under way and takes no more now")]
    Busy(u32),
    /// Its operator wants to stop it.
    #[error("this hub is draining: it finishes what it has and takes no new deals")]
    Draining,
    /// The caller asks and asks.
    #[error("this hub has given you {0} quotes that are still valid")]
    TooMany(u32),
    /// The guarantee is not covered.
    #[error(
        "this hub's free balance of {free} GIO does not cover the guarantee of {guarantee} GIO"
    )]
    FreeBalance {
        /// What is free.
        free: Gio,
        /// What a deal needs.
        guarantee: Gio,
    },
}

/// What a buyer asks.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Inquiry {
    pub buyer: gio_protocol::Address,
    pub seed_commitment: B256,
    pub deliver_by: UnixSeconds,
}

/// Answers an inquiry.
///
/// `free` is the wallet's free balance less what is promised: guarantees of deals signed but not yet open, and pay for
/// deals that are over.
///
/// # Errors
/// [`NoQuote`].
pub fn quote(
    prices: &Prices,
    inquiry: &Inquiry,
    hub_nonce: B256,
    free: Gio,
    now: UnixSeconds,
) -> Result<Quote, NoQuote> {
    let least = prices.deliver_seconds_min;
    if now.until(inquiry.deliver_by) < least {
        return Err(NoQuote::TooSoon {
            deliver_by: inquiry.deliver_by,
            now,
            least,
        });
    }
    let most = prices.deliver_seconds_max;
    if now.until(inquiry.deliver_by) > most {
        return Err(NoQuote::TooLate {
            deliver_by: inquiry.deliver_by,
            now,
            most,
        });
    }
    if free < prices.guarantee {
        return Err(NoQuote::FreeBalance {
            free,
            guarantee: prices.guarantee,
        });
    }
    Ok(Quote {
        hub_nonce,
        buyer: inquiry.buyer,
        seed_commitment: inquiry.seed_commitment,
        price: least_gross_price(prices.net_price, prices.margin)?,
        net_price: prices.net_price,
        guarantee: prices.guarantee,
        window_seconds: prices.window_seconds,
        valid_until: now.after(prices.quote_seconds),
    })
}

#[cfg(test)]
mod tests {
    use gio_protocol::Address;

    use super::*;

    fn prices() -> Prices {
        Prices {
            guarantee: Gio::from_units(50),
            ..Prices::default()
        }
    }

    fn inquiry(deliver_by: u64) -> Inquiry {
        Inquiry {
            buyer: Address::ZERO,
            seed_commitment: B256::ZERO,
            deliver_by: UnixSeconds(deliver_by),
        }
    }

    #[test]
    fn f4_a_quote_covers_the_lock_on_what_miners_get() {
        let prices = prices();
        let quote = quote(
            &prices,
            &inquiry(100_000),
            B256::ZERO,
            Gio::from_units(50),
            UnixSeconds(0),
        )
        .unwrap();
        let gross = gio_protocol::gross_of_net(prices.net_price.0).unwrap();
        assert_eq!(quote.price.0, gross.plus(prices.margin.0).unwrap());
        assert!(quote.price.0.units() * 70 / 100 >= quote.net_price.0.units());
    }

    #[test]
    fn no_quote_for_a_job_that_is_due_in_a_year() {
        let ask = |seconds| {
            let now = UnixSeconds(1_000);
            let inquiry = inquiry(now.after(seconds).0);
            quote(&prices(), &inquiry, B256::ZERO, Gio::from_units(50), now)
        };
        let most = prices().deliver_seconds_max;
        assert!(ask(most).is_ok());
        assert!(matches!(ask(most + 1), Err(NoQuote::TooLate { .. })));
    }

    #[test]
    fn no_quote_without_time_or_guarantee() {
        let now = UnixSeconds(1_000);
        let late = quote(
            &prices(),
            &inquiry(1_001),
            B256::ZERO,
            Gio::from_units(50),
            now,
        );
        assert!(matches!(late, Err(NoQuote::TooSoon { .. })));
        let poor = quote(
            &prices(),
            &inquiry(100_000),
            B256::ZERO,
            Gio::from_units(49),
            now,
        );
        assert!(matches!(poor, Err(NoQuote::FreeBalance { .. })));
    }
}
