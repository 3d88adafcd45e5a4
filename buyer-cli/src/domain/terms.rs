//! The terms a buyer signs: drawn up from its own split and the hub's quote, and nothing else.

use gio_protocol::{
    Address, AmountError, B256, DealTerms, Gio, MachineParams, PricePerPu, TermsError, UnixSeconds,
    VerificationMode, seed_commitment,
};
use thiserror::Error;

use super::quote::Quote;
use super::work::Work;
use crate::job_request::PriceLimits;

/// How long the signed terms may wait for their opening: a few blocks of a slow chain.
/// Later the hub may use its guarantee elsewhere.
pub const OPEN_SECONDS: u64 = 300;

/// Terms that cannot be drawn up.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DrawUpError {
    /// The limits at this price are beyond any amount.
    #[error("the job's limits at this price are beyond any amount; lower `pu` or name a cap")]
    Amount(#[from] AmountError),
    /// The wallet would not open them.
    #[error(transparent)]
    Terms(#[from] TermsError),
}

/// Who buys, and when.
#[derive(Clone, Copy, Debug)]
pub struct Signing {
    /// Whose money.
    pub buyer: Address,
    /// Fresh for every quote: a hub that saw it in vain may tell others.
    pub buyer_nonce: B256,
    /// The later of block time and the local clock: an idle chain's last block lies back.
    pub now: UnixSeconds,
}

/// Most the deal may cost: the buyer's cap, or what all units' limits cost at this price.
///
/// # Errors
/// [`AmountError::Overflow`].
pub fn cap(work: &Work, limits: &PriceLimits, price: PricePerPu) -> Result<Gio, AmountError> {
    match limits.cap {
        Some(cap) => Ok(cap),
        None => limits.with_royalty(price)?.cost(work.cu_total_limit()?),
    }
}

/// Draws up the terms.
///
/// # Errors
/// [`DrawUpError`].
pub fn draw_up(
    work: &Work,
    quote: &Quote,
    limits: &PriceLimits,
    signing: &Signing,
) -> Result<DealTerms, DrawUpError> {
    let deliver_by = signing.now.after(limits.deadline_seconds);
    let open_by = signing
        .now
        .after(OPEN_SECONDS.min(limits.deadline_seconds / 2));
    let mut terms = DealTerms {
        buyer: signing.buyer,
        wallet: quote.wallet,
        buyer_nonce: signing.buyer_nonce,
        hub_nonce: quote.hub_nonce,
        seed_commitment: seed_commitment(signing.buyer_nonce),
        job_root: B256::ZERO,
        unit_count: work.unit_count(),
        mode: VerificationMode::None,
        mode_params: B256::ZERO,
        machine_version: 0,
        machine_params: MachineParams::version_0(work.spec().bounds.pages_max).hash(),
        price_per_pu: limits.with_royalty(quote.price)?,
        cap: cap(work, limits, quote.price)?,
        guarantee: quote.guarantee,
        royalty_to: limits.royalty.map_or(Address::ZERO, |royalty| royalty.to),
        royalty_per_mille: limits.royalty.map_or(0, |royalty| royalty.per_mille),
        court: Address::ZERO,
        clock_start: signing.now,
        open_by,
        deliver_by,
        window: quote.window_seconds.max(limits.window_seconds.unwrap_or(0)),
    };
    terms.job_root = work.job_root(terms.deal_seed());
    terms.check()?;
    Ok(terms)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::quote::tests::quote;
    use super::super::work::tests::work;
    use super::*;
    use crate::job_request::Royalty;

    pub(crate) fn limits() -> PriceLimits {
        PriceLimits {
            cap: None,
            price_max: None,
            deadline_seconds: 600,
            royalty: None,
            window_seconds: None,
        }
    }

    pub(crate) const SIGNING: Signing = Signing {
        buyer: Address::repeat_byte(0xb),
        buyer_nonce: B256::repeat_byte(4),
        now: UnixSeconds(1_000),
    };

    #[test]
    fn r01_terms_bind_the_buyers_own_split_and_the_quote() {
        let work = work(3);
        let terms = draw_up(&work, &quote(), &limits(), &SIGNING).unwrap();
        assert_eq!(terms.job_root, work.job_root(terms.deal_seed()));
        assert_eq!(terms.hub_nonce, quote().hub_nonce);
        assert_eq!(terms.price_per_pu, quote().price);
        assert_eq!(terms.window, 60, "the hub's least window");
        assert_eq!((terms.open_by.0, terms.deliver_by.0), (1_300, 1_600));
    }

    #[test]
    fn gv_21_the_author_earns_and_the_hub_gets_what_it_asked_for() {
        let royalty = Royalty {
            to: Address::repeat_byte(0xa),
            per_mille: 150,
        };
        let limits = PriceLimits {
            royalty: Some(royalty),
            ..limits()
        };
        let terms = draw_up(&work(1), &quote(), &limits, &SIGNING).unwrap();
        assert_eq!(
            (terms.royalty_to, terms.royalty_per_mille),
            (royalty.to, 150)
        );
        let (gross, asked) = (terms.price_per_pu.0.units(), quote().price.0.units());
        assert!(gross - gross * 150 / 1000 >= asked);
        assert!(
            (gross - 1) - (gross - 1) * 150 / 1000 <= asked,
            "and not more than needed"
        );
        let all = Royalty {
            per_mille: 1000,
            ..royalty
        };
        let limits = PriceLimits {
            royalty: Some(all),
            ..limits
        };
        assert!(draw_up(&work(1), &quote(), &limits, &SIGNING).is_err());
    }

    #[test]
    fn r22_the_seed_is_committed_before_the_hubs_nonce_is_known() {
        let terms = draw_up(&work(1), &quote(), &limits(), &SIGNING).unwrap();
        assert_eq!(terms.seed_commitment, seed_commitment(SIGNING.buyer_nonce));
    }

    #[test]
    fn without_a_cap_the_limits_at_the_hubs_price_are_locked() {
        let mut quote = quote();
        quote.price = PricePerPu(Gio::from_units(1_000_000));
        let terms = draw_up(&work(3), &quote, &limits(), &SIGNING).unwrap();
        // 3 units of 1000 CU at 0.01 GIO per PU: 3,000 · 10^6 / 10^9.
        assert_eq!(terms.cap, Gio::from_units(3));
        let own = PriceLimits {
            cap: Some(Gio::from_units(2)),
            ..limits()
        };
        assert_eq!(
            draw_up(&work(3), &quote, &own, &SIGNING)
                .unwrap()
                .cap
                .units(),
            2
        );
    }

    #[test]
    fn a_deadline_leaves_time_to_open_and_zero_is_refused() {
        let soon = PriceLimits {
            deadline_seconds: 10,
            ..limits()
        };
        let terms = draw_up(&work(1), &quote(), &soon, &SIGNING).unwrap();
        assert_eq!((terms.open_by.0, terms.deliver_by.0), (1_005, 1_010));
        let never = PriceLimits {
            deadline_seconds: 0,
            ..limits()
        };
        let error = draw_up(&work(1), &quote(), &never, &SIGNING).unwrap_err();
        assert!(matches!(
            error,
            DrawUpError::Terms(TermsError::Deadlines { .. })
        ));
    }
}
