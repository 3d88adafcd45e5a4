//! Whether the hub signs (R1, R22, F4): the terms must be those of its quote, and the job root its own.

use gio_protocol::{
    Address, B256, DealTerms, Gio, MachineParams, PricePerPu, TermsError, UnixSeconds,
    VerificationMode,
};
use thiserror::Error;

use super::deal::DealInfo;
use super::quote::Quote;

/// Longest time between signing and opening: a signed guarantee is held back from other deals until then.
pub const OPEN_SECONDS_MAX: u64 = 3600;

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
        /// Chain time.
        now: UnixSeconds,
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
    #[error("a cap of {0} GIO does not pay for a single unit")]
    Cap(Gio),
}

/// Checks terms against the quote they answer, before any work is done on the job.
///
/// # Errors
/// The first [`Refusal`].
pub fn check_terms(
    terms: &DealTerms,
    quote: &Quote,
    wallet: Address,
    now: UnixSeconds,
) -> Result<(), Refusal> {
    terms.check()?;
    if terms.wallet != wallet {
        return Err(Refusal::Wallet(terms.wallet));
    }
    if now > quote.valid_until {
        return Err(Refusal::QuoteExpired(quote.valid_until));
    }
    if terms.mode != VerificationMode::None || terms.mode_params != B256::ZERO {
        return Err(Refusal::Mode(terms.mode));
    }
    if terms.open_by <= now || now.until(terms.open_by) > OPEN_SECONDS_MAX {
        return Err(Refusal::OpenBy {
            open_by: terms.open_by,
            now,
        });
    }
    let quoted = [
        ("buyer", terms.buyer == quote.buyer),
        ("hub_nonce", terms.hub_nonce == quote.hub_nonce),
        (
            "seed_commitment",
            terms.seed_commitment == quote.seed_commitment,
        ),
        ("price_per_pu", terms.price_per_pu >= quote.price),
        ("guarantee", terms.guarantee <= quote.guarantee),
        ("window", terms.window >= quote.window_seconds),
        ("royalty_per_mille", terms.royalty_per_mille == 0),
    ];
    match quoted.into_iter().find(|(_, same)| !same) {
        Some((field, _)) => Err(Refusal::NotAsQuoted { field }),
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
    let own = deal.tree.root();
    if terms.job_root != own {
        return Err(Refusal::JobRoot {
            terms: terms.job_root,
            own,
        });
    }
    let bounds = deal.plan.spec().bounds;
    if terms.machine_params != MachineParams::version_0(bounds.pages_max).hash() {
        return Err(Refusal::MachineParams);
    }
    let unit_cost = PricePerPu(terms.price_per_pu.0)
        .cost(bounds.cu_limit)
        .unwrap_or(Gio::from_units(u64::MAX));
    if terms.cap < unit_cost {
        return Err(Refusal::Cap(terms.cap));
    }
    Ok(())
}
