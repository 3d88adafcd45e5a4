//! Whether the hub signs (R1, R22, F4): the terms must be those of its quote, and the job root its own.

use gio_protocol::{
    Address, B256, DealTerms, Gio, MachineParams, TermsError, UnixSeconds, VerificationMode,
};
use thiserror::Error;

use super::deal::DealInfo;
use super::quote::Quote;
use crate::config::Prices;

/// Longest time between signing and opening: a signed guarantee is held back from other deals until then.
pub const OPEN_SECONDS_MAX: u64 = 900;
/// Most CU of a deal: its sum, and every sum of parts of it, then fits the database's signed integers.
pub const CU_TOTAL_MAX: u64 = i64::MAX as u64;

/// Why the hub does not sign.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The terms break a rule of `docs/protocol.md` section 4.1.
    #[error(transparent)]
    Terms(#[from] TermsError),
    /// Another wallet.
    #[error("the terms name wallet {0}, which is not this hub's")]
    Wallet(Address),
    /// A field differs from what was quoted.
    #[error("`{field}` is not what this hub quoted")]
    NotAsQuoted {
        /// Which field.
        field: &'static str,
    },
    /// The quote is over.
    #[error("the quote was valid until {0}")]
    QuoteExpired(UnixSeconds),
    /// Only version 0's mode so far.
    #[error("verification mode {0:?} is not offered by this hub")]
    Mode(VerificationMode),
    /// Opening is too far away, or over.
    #[error("open-by {open_by} is not within {OPEN_SECONDS_MAX} s of {now}")]
    OpenBy {
        /// The terms' deadline.
        open_by: UnixSeconds,
        /// The hub's time.
        now: UnixSeconds,
    },
    /// A deal that opens at the last second could not be delivered, and its miners would be paid by the hub.
    #[error("{given} s from open-by to deliver-by; this hub needs at least {least} s")]
    TooShort {
        /// What the terms leave.
        given: u64,
        /// What the hub needs.
        least: u64,
    },
    /// The guarantee and the miners' pay would be held too long.
    #[error("`{field}` of {given} s; this hub takes at most {max} s")]
    TooLong {
        /// Which field.
        field: &'static str,
        /// What the terms say.
        given: u64,
        /// What the hub takes.
        max: u64,
    },
    /// The split gives another job.
    #[error("the job root of the terms is {terms}, this hub's own split gives {own}")]
    JobRoot {
        /// What the terms say.
        terms: B256,
        /// What the hub derived.
        own: B256,
    },
    /// The split gives another number of units.
    #[error("the terms say {terms} units, this hub's own split gives {own}")]
    UnitCount {
        /// What the terms say.
        terms: u32,
        /// What the hub derived.
        own: u32,
    },
    /// The machine's bounds are not this job's.
    #[error("the machine parameters are not those of version 0 for this job")]
    MachineParams,
    /// The cap buys nothing.
    #[error("a cap of {cap} GIO does not pay for a single unit, which may cost {unit} GIO")]
    Cap {
        /// The terms' cap.
        cap: Gio,
        /// A unit at its limit.
        unit: Gio,
    },
    /// The units' limits add up to more than can be counted.
    #[error("{units} units of {cu_limit} CU are more than {CU_TOTAL_MAX} CU")]
    CuTotal {
        /// Units of the job.
        units: u32,
        /// CU limit of each.
        cu_limit: u64,
    },
}

/// Checks terms against the quote they answer, before any work is done on the job.
///
/// # Errors
/// The first [`Refusal`].
pub fn check_terms(
    terms: &DealTerms,
    quote: &Quote,
    wallet: Address,
    prices: &Prices,
    now: UnixSeconds,
) -> Result<(), Refusal> {
    terms.check()?;
    if terms.wallet != wallet {
        return Err(Refusal::Wallet(terms.wallet));
    }
    if now > quote.valid_until {
        return Err(Refusal::QuoteExpired(quote.valid_until));
    }
    if terms.mode != VerificationMode::None {
        return Err(Refusal::Mode(terms.mode));
    }
    check_quoted(terms, quote)?;
    check_times(terms, prices, now)
}

fn check_quoted(terms: &DealTerms, quote: &Quote) -> Result<(), Refusal> {
    let quoted = [
        ("buyer", terms.buyer == quote.buyer),
        ("hub_nonce", terms.hub_nonce == quote.hub_nonce),
        (
            "seed_commitment",
            terms.seed_commitment == quote.seed_commitment,
        ),
        ("price_per_pu", hubs_part(terms) >= quote.price.0),
        ("guarantee", terms.guarantee <= quote.guarantee),
        ("window", terms.window >= quote.window_seconds),
    ];
    match quoted.into_iter().find(|(_, same)| !same) {
        Some((field, _)) => Err(Refusal::NotAsQuoted { field }),
        None => Ok(()),
    }
}

/// What of a PU's price is the hub's: the author's royalty comes out of the payment (GV-21), and the quote does not know
/// of it.
fn hubs_part(terms: &DealTerms) -> Gio {
    let left = 1000_u128.saturating_sub(terms.royalty_per_mille.into());
    let part = u128::from(terms.price_per_pu.0.units()) * left / 1000;
    Gio::from_units(u64::try_from(part).unwrap_or(u64::MAX))
}

fn check_times(terms: &DealTerms, prices: &Prices, now: UnixSeconds) -> Result<(), Refusal> {
    if terms.open_by <= now || now.until(terms.open_by) > OPEN_SECONDS_MAX {
        return Err(Refusal::OpenBy {
            open_by: terms.open_by,
            now,
        });
    }
    // A buyer may take half of the time it asked for to open the deal.
    let (given, least) = (
        terms.open_by.until(terms.deliver_by),
        prices.deliver_seconds_min / 2,
    );
    if given < least {
        return Err(Refusal::TooShort { given, least });
    }
    let window_max = prices.window_seconds_max.max(prices.window_seconds);
    let bounds = [
        (
            "deliver_by",
            now.until(terms.deliver_by),
            prices.deliver_seconds_max,
        ),
        ("window", terms.window, window_max),
    ];
    match bounds.into_iter().find(|(_, given, max)| given > max) {
        Some((field, given, max)) => Err(Refusal::TooLong { field, given, max }),
        None => Ok(()),
    }
}

/// Checks terms against the units the hub derived itself (R1).
///
/// # Errors
/// The first [`Refusal`].
pub fn check_job(deal: &DealInfo) -> Result<(), Refusal> {
    let terms = &deal.terms;
    let own = deal.plan.unit_count();
    if terms.unit_count != own {
        return Err(Refusal::UnitCount {
            terms: terms.unit_count,
            own,
        });
    }
    let root = deal.tree.root();
    if terms.job_root != root {
        return Err(Refusal::JobRoot {
            terms: terms.job_root,
            own: root,
        });
    }
    let bounds = deal.plan.spec().bounds;
    if terms.machine_params != MachineParams::version_0(bounds.pages_max).hash() {
        return Err(Refusal::MachineParams);
    }
    let cu_limit = bounds.cu_limit.0;
    if u64::from(own)
        .checked_mul(cu_limit)
        .is_none_or(|total| total > CU_TOTAL_MAX)
    {
        return Err(Refusal::CuTotal {
            units: own,
            cu_limit,
        });
    }
    let unit = terms.price_per_pu.cost(bounds.cu_limit);
    let unit = unit.unwrap_or(Gio::from_units(u64::MAX));
    if terms.cap < unit {
        return Err(Refusal::Cap {
            cap: terms.cap,
            unit,
        });
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use gio_protocol::{Cu, PricePerPu, UnitLeaf, seed_commitment};

    use super::*;
    use crate::domain::deal::tests::{CHAIN_ID, deal, plan};

    const NOW: UnixSeconds = UnixSeconds(10_000);

    /// Terms this hub signs, but for the job.
    pub(crate) fn terms() -> DealTerms {
        let nonce = B256::repeat_byte(1);
        DealTerms {
            buyer: Address::repeat_byte(2),
            wallet: Address::repeat_byte(3),
            buyer_nonce: nonce,
            hub_nonce: B256::repeat_byte(4),
            seed_commitment: seed_commitment(nonce),
            job_root: B256::repeat_byte(5),
            unit_count: 4,
            mode: VerificationMode::None,
            mode_params: B256::ZERO,
            machine_version: 0,
            machine_params: MachineParams::version_0(16).hash(),
            price_per_pu: PricePerPu(Gio::from_units(2_000)),
            cap: Gio::from_units(8_000),
            guarantee: Gio::from_units(50),
            royalty_to: Address::ZERO,
            royalty_per_mille: 0,
            court: Address::ZERO,
            clock_start: NOW,
            open_by: NOW.after(300),
            deliver_by: NOW.after(600),
            window: 60,
        }
    }

    fn quote() -> Quote {
        let terms = terms();
        Quote {
            hub_nonce: terms.hub_nonce,
            buyer: terms.buyer,
            seed_commitment: terms.seed_commitment,
            price: terms.price_per_pu,
            net_price: PricePerPu(Gio::from_units(1_000)),
            guarantee: terms.guarantee,
            window_seconds: terms.window,
            valid_until: NOW.after(100),
        }
    }

    fn checked(change: impl FnOnce(&mut DealTerms)) -> Result<(), Refusal> {
        let mut terms = terms();
        change(&mut terms);
        let wallet = Address::repeat_byte(3);
        check_terms(&terms, &quote(), wallet, &Prices::default(), NOW)
    }

    #[test]
    fn terms_as_quoted_are_signed() {
        assert_eq!(checked(|_| {}), Ok(()));
        assert_eq!(
            checked(|t| t.price_per_pu.0 = Gio::from_units(2_001)),
            Ok(()),
            "more is fine"
        );
        assert_eq!(
            checked(|t| t.guarantee = Gio::ZERO),
            Ok(()),
            "less to stake is fine"
        );
        assert_eq!(
            checked(|t| t.window = 61),
            Ok(()),
            "a longer window is fine"
        );
    }

    #[test]
    fn r01_every_field_that_is_not_as_quoted_is_named() {
        type Change = fn(&mut DealTerms);
        let changes: [(&str, Change); 7] = [
            ("buyer", |t| t.buyer = Address::repeat_byte(9)),
            ("hub_nonce", |t| t.hub_nonce = B256::repeat_byte(9)),
            ("seed_commitment", |t| {
                t.buyer_nonce = B256::repeat_byte(9);
                t.seed_commitment = seed_commitment(t.buyer_nonce);
            }),
            ("price_per_pu", |t| {
                t.price_per_pu.0 = Gio::from_units(1_999)
            }),
            ("guarantee", |t| t.guarantee = Gio::from_units(51)),
            ("window", |t| t.window = 59),
            // The author's share would come out of the hub's price.
            ("price_per_pu", |t| {
                t.royalty_per_mille = 1;
                t.royalty_to = Address::repeat_byte(9);
            }),
        ];
        for (field, change) in changes {
            assert_eq!(checked(change), Err(Refusal::NotAsQuoted { field }));
        }
    }

    #[test]
    fn gv_21_a_royalty_is_fine_if_the_hubs_part_is_what_it_quoted() {
        let with = |price: u64, per_mille| {
            checked(|t| {
                t.royalty_to = Address::repeat_byte(9);
                t.royalty_per_mille = per_mille;
                t.price_per_pu.0 = Gio::from_units(price);
                t.cap = Gio::from_units(t.cap.units() * 4);
            })
        };
        let field = "price_per_pu";
        assert_eq!(with(2_500, 200), Ok(()), "2,000 of 2,500");
        assert_eq!(with(2_499, 200), Err(Refusal::NotAsQuoted { field }));
        assert_eq!(with(u64::MAX, 1000), Err(Refusal::NotAsQuoted { field }));
    }

    #[test]
    fn terms_that_no_hub_should_sign_are_refused_each_for_its_reason() {
        let wallet = Address::repeat_byte(9);
        assert_eq!(checked(|t| t.wallet = wallet), Err(Refusal::Wallet(wallet)));
        let mode = checked(|t| t.mode = VerificationMode::Quorum);
        assert_eq!(mode, Err(Refusal::Mode(VerificationMode::Quorum)));
        let params = checked(|t| t.mode_params = B256::repeat_byte(9));
        let of_none = TermsError::ModeParams(B256::repeat_byte(9));
        assert_eq!(params, Err(of_none.into()), "mode none has no parameters");
        assert_eq!(
            checked(|t| t.seed_commitment = B256::ZERO),
            Err(TermsError::SeedCommitment.into())
        );
        assert_eq!(
            checked(|t| t.unit_count = 0),
            Err(TermsError::UnitCount(0).into())
        );
        let court = checked(|t| t.court = wallet);
        assert_eq!(court, Err(TermsError::MachineVersion(0).into()));
        assert_eq!(
            checked(|t| t.royalty_per_mille = 1001),
            Err(TermsError::Royalty(1001).into())
        );
    }

    #[test]
    fn times_must_leave_room_to_deliver_and_not_hold_the_hub_for_ever() {
        let open_by = |at: UnixSeconds| {
            checked(|t| {
                t.open_by = at;
                t.deliver_by = at.after(300);
            })
        };
        let refused = |open_by| Err(Refusal::OpenBy { open_by, now: NOW });
        assert_eq!(open_by(NOW), refused(NOW));
        assert_eq!(open_by(NOW.after(1)), Ok(()));
        assert_eq!(open_by(NOW.after(OPEN_SECONDS_MAX)), Ok(()));
        let late = NOW.after(OPEN_SECONDS_MAX + 1);
        assert_eq!(open_by(late), refused(late));
        assert_eq!(
            checked(|t| t.deliver_by = t.open_by.after(14)),
            Err(Refusal::TooShort {
                given: 14,
                least: 15
            })
        );
        let prices = Prices::default();
        let too_long = |field, max| {
            Err(Refusal::TooLong {
                field,
                given: max + 1,
                max,
            })
        };
        let max = prices.deliver_seconds_max;
        assert_eq!(checked(|t| t.deliver_by = NOW.after(max)), Ok(()));
        assert_eq!(
            checked(|t| t.deliver_by = NOW.after(max + 1)),
            too_long("deliver_by", max)
        );
        let max = prices.window_seconds_max;
        assert_eq!(checked(|t| t.window = max), Ok(()));
        assert_eq!(checked(|t| t.window = max + 1), too_long("window", max));
    }

    #[test]
    fn a_quote_ends() {
        let wallet = Address::repeat_byte(3);
        let at = |now| check_terms(&terms(), &quote(), wallet, &Prices::default(), now);
        assert_eq!(at(NOW.after(100)), Ok(()));
        assert_eq!(
            at(NOW.after(101)),
            Err(Refusal::QuoteExpired(NOW.after(100)))
        );
    }

    fn job(change: impl FnOnce(&mut DealTerms)) -> Result<(), Refusal> {
        let mut deal = deal(plan(4, Cu(1_000_000_000)), terms());
        change(&mut deal.terms);
        check_job(&deal)
    }

    #[test]
    fn r01_the_job_must_be_the_hubs_own_split() {
        assert_eq!(job(|_| {}), Ok(()));
        let own = deal(plan(4, Cu(1_000_000_000)), terms()).tree.root();
        let other = B256::repeat_byte(9);
        assert_eq!(
            job(|t| t.job_root = other),
            Err(Refusal::JobRoot { terms: other, own })
        );
        assert_eq!(
            job(|t| t.unit_count = 5),
            Err(Refusal::UnitCount { terms: 5, own: 4 })
        );
        let params = MachineParams::version_0(17).hash();
        assert_eq!(
            job(|t| t.machine_params = params),
            Err(Refusal::MachineParams)
        );
        let unit = Gio::from_units(2_000);
        assert_eq!(job(|t| t.cap = unit), Ok(()));
        let cap = Gio::from_units(1_999);
        assert_eq!(job(|t| t.cap = cap), Err(Refusal::Cap { cap, unit }));
    }

    #[test]
    fn limits_that_cannot_be_summed_are_refused() {
        let cu_limit = CU_TOTAL_MAX / 4;
        let mut fine = deal(plan(4, Cu(cu_limit)), terms());
        fine.terms.price_per_pu.0 = Gio::ZERO;
        assert_eq!(check_job(&fine), Ok(()));
        let mut over = deal(plan(4, Cu(cu_limit + 1)), terms());
        over.terms.price_per_pu.0 = Gio::ZERO;
        let refused = Refusal::CuTotal {
            units: 4,
            cu_limit: cu_limit + 1,
        };
        assert_eq!(check_job(&over), Err(refused));
    }

    #[test]
    fn r22_another_nonce_makes_other_leaves() {
        let leaves = |nonce| {
            let mut terms = terms();
            terms.hub_nonce = B256::repeat_byte(nonce);
            let deal = deal(plan(1, Cu(1)), terms);
            assert_eq!(deal.id, deal.terms.deal_id(CHAIN_ID));
            deal.leaves.iter().map(UnitLeaf::hash).collect::<Vec<_>>()
        };
        assert_ne!(leaves(1), leaves(2));
    }
}
