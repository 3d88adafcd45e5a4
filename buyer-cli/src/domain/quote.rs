//! What a hub asks for a job, and whether the buyer may answer it.

use gio_content::ContentRef;
use gio_protocol::terms::WINDOW_MAX_SECONDS;
use gio_protocol::{Address, AmountError, B256, Cu, Gio, PricePerPu, UnixSeconds};
use thiserror::Error;

use super::choose::HubOffer;
use crate::decimal::{gio_text, pu_text};
use crate::job_request::PriceLimits;

/// Least time a quote must stay good: uploading and signing take a few seconds.
pub const VALID_SECONDS_MIN: u64 = 5;

/// A quote, not yet believed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are those of QuoteReply in market.proto"
)]
pub struct Quote {
    pub wallet: Address,
    pub chain_id: u64,
    pub owner: Address,
    pub price: PricePerPu,
    pub hub_nonce: B256,
    pub guarantee: Gio,
    pub valid_until: UnixSeconds,
    pub window_seconds: u64,
    pub missing: Vec<ContentRef>,
    pub quote_id: String,
}

/// A quote that will not be taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QuoteError {
    /// It quotes for another hub than the one that announced itself.
    #[error("it quotes for another {0} than it announced")]
    OtherHub(&'static str),
    /// Above the buyer's limit.
    #[error("it asks {} GIO per PU, the most is {}", gio_text(.asked.0), gio_text(.most.0))]
    Price {
        /// Quoted.
        asked: PricePerPu,
        /// The buyer's limit.
        most: PricePerPu,
    },
    /// The cap does not pay for a single unit.
    #[error(
        "a unit of {} PU costs up to {} GIO, more than the cap of {} GIO",
        pu_text(*.unit), gio_text(*.cost), gio_text(*.cap)
    )]
    CapBelowUnit {
        /// A unit's limit.
        unit: Cu,
        /// What it may cost.
        cost: Gio,
        /// The buyer's cap.
        cap: Gio,
    },
    /// Over before it can be answered.
    #[error("its quote ends at {valid_until}, it is {now}")]
    TooShort {
        /// When the quote ends.
        valid_until: UnixSeconds,
        /// Now.
        now: UnixSeconds,
    },
    /// The wallet would not open it.
    #[error("it wants a window of {0} s; at most {WINDOW_MAX_SECONDS}")]
    Window(u64),
    /// It asks for bytes that are not the job's.
    #[error("it asks for content {0} that is not the job's")]
    Content(B256),
    /// The price is beyond any amount.
    #[error(transparent)]
    Amount(#[from] AmountError),
}

/// What a quote is held against.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// Everything the job needs the bytes of.
    pub contents: &'a [ContentRef],
    /// A unit's limit.
    pub cu_limit: Cu,
    /// The buyer's limits.
    pub price: &'a PriceLimits,
    /// Now.
    pub now: UnixSeconds,
}

/// Checks a quote.
///
/// # Errors
/// The first rule it breaks.
pub fn check(quote: &Quote, offer: &HubOffer, asked: &Asked<'_>) -> Result<(), QuoteError> {
    let same = [
        ("wallet", quote.wallet == offer.wallet),
        ("owner", quote.owner == offer.owner),
        ("chain", quote.chain_id == offer.chain_id),
    ];
    if let Some((what, _)) = same.iter().find(|(_, same)| !same) {
        return Err(QuoteError::OtherHub(what));
    }
    if let Some(most) = asked.price.price_max.filter(|most| quote.price > *most) {
        let asked = quote.price;
        return Err(QuoteError::Price { asked, most });
    }
    let cost = quote.price.cost(asked.cu_limit)?;
    if let Some(cap) = asked.price.cap.filter(|cap| cost > *cap) {
        let unit = asked.cu_limit;
        return Err(QuoteError::CapBelowUnit { unit, cost, cap });
    }
    let (valid_until, now) = (quote.valid_until, asked.now);
    if valid_until < now.after(VALID_SECONDS_MIN) {
        return Err(QuoteError::TooShort { valid_until, now });
    }
    if quote.window_seconds > WINDOW_MAX_SECONDS {
        return Err(QuoteError::Window(quote.window_seconds));
    }
    let foreign = quote.missing.iter().find(|c| !asked.contents.contains(c));
    foreign.map_or(Ok(()), |content| Err(QuoteError::Content(content.root)))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::choose::tests::{offer, price};
    use super::*;

    pub(crate) fn quote() -> Quote {
        let offer = offer();
        Quote {
            wallet: offer.wallet,
            chain_id: offer.chain_id,
            owner: offer.owner,
            price: offer.price,
            hub_nonce: B256::repeat_byte(3),
            guarantee: Gio::from_units(5),
            valid_until: UnixSeconds(100),
            window_seconds: 60,
            missing: vec![ContentRef::of(b"module")],
            quote_id: "q".to_owned(),
        }
    }

    fn judge(change: impl Fn(&mut Quote, &mut PriceLimits)) -> Result<(), QuoteError> {
        let mut limits = PriceLimits {
            cap: Some(Gio::from_units(100)),
            price_max: Some(price(100)),
            deadline_seconds: 60,
            royalty: None,
            window_seconds: None,
        };
        let mut quote = quote();
        change(&mut quote, &mut limits);
        let asked = Asked {
            contents: &[ContentRef::of(b"module")],
            cu_limit: Cu(1_000_000_000),
            price: &limits,
            now: UnixSeconds(95),
        };
        check(&quote, &offer(), &asked)
    }

    #[test]
    fn a_quote_as_announced_is_taken() {
        judge(|_, _| {}).unwrap();
    }

    #[test]
    fn a_quote_for_another_hub_or_beyond_the_limits_is_not() {
        let other = Address::repeat_byte(9);
        assert_eq!(
            judge(|q, _| q.wallet = other),
            Err(QuoteError::OtherHub("wallet"))
        );
        assert_eq!(
            judge(|q, _| q.owner = other),
            Err(QuoteError::OtherHub("owner"))
        );
        assert_eq!(
            judge(|q, _| q.chain_id = 1),
            Err(QuoteError::OtherHub("chain"))
        );
        let dear = judge(|q, _| q.price = price(101));
        assert!(matches!(dear, Err(QuoteError::Price { .. })));
        let poor = judge(|_, limits| limits.cap = Some(Gio::from_units(99)));
        assert!(matches!(poor, Err(QuoteError::CapBelowUnit { .. })));
        let late = judge(|q, _| q.valid_until = UnixSeconds(99));
        assert!(matches!(late, Err(QuoteError::TooShort { .. })));
        let long = judge(|q, _| q.window_seconds = WINDOW_MAX_SECONDS + 1);
        assert!(matches!(long, Err(QuoteError::Window(_))));
        let nosy = judge(|q, _| q.missing.push(ContentRef::of(b"secret")));
        assert!(matches!(nosy, Err(QuoteError::Content(_))));
    }
}
