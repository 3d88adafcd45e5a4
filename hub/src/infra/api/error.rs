//! One page with every answer that is not what the caller wanted. Internal causes are logged, not shown.

use gio_content::{JobSpecError, SplitError};
use gio_evm::ChainError;
use gio_net::wire::field::FieldError;
use gio_protocol::{B256, DecodeError, Gio};
use thiserror::Error;
use tonic::Status;

use crate::domain::agreement::Refusal;
use crate::domain::quote::NoQuote;
use crate::domain::size::JobTooLarge;
use crate::hub::BalanceError;
use crate::infra::content::ContentError;
use crate::infra::observe;
use crate::infra::store::StoreError;

/// Why a call fails.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages are what callers read")]
pub enum ApiError {
    #[error(transparent)]
    Field(#[from] FieldError),
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error(transparent)]
    JobSpec(#[from] JobSpecError),
    #[error(transparent)]
    Split(#[from] SplitError),
    #[error("the module cannot run in this market: {0}")]
    Module(#[from] gio_machine::PrepareError),
    #[error(transparent)]
    NoQuote(#[from] NoQuote),
    #[error(transparent)]
    Refusal(#[from] Refusal),
    #[error(transparent)]
    TooLarge(#[from] JobTooLarge),
    #[error("content {root} has {found} bytes here, the job says {expected}")]
    ContentLength {
        root: B256,
        found: u64,
        expected: u64,
    },
    #[error("the buyer holds {held} GIO; the caps it has signed for add up to {signed} GIO")]
    BuyerFunds { held: Gio, signed: Gio },
    #[error("this hub has given no quote with that nonce")]
    UnknownQuote,
    #[error("the quote became another deal")]
    QuoteUsed,
    #[error(
        "the buyer's signature does not hold (this hub checks signatures of keys only; it does not serve buyers that are contracts, EIP-1271)"
    )]
    BuyerSignature,
    #[error("this hub knows no such deal")]
    UnknownDeal,
    #[error("the deal has no posted result yet")]
    NotPosted,
    #[error("the result root is not the one this hub posted")]
    OtherResult,
    #[error("it is too late to cancel: the deal is {0}")]
    TooLateToCancel(&'static str),
    #[error(transparent)]
    Content(#[from] ContentError),
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error(transparent)]
    Balance(#[from] BalanceError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("too many calls of this kind at the same time")]
    TooManyCalls,
    #[error("the hub is busy: {0}")]
    Busy(&'static str),
    #[error("the hub is shutting down")]
    Stopping,
}

impl From<ApiError> for Status {
    fn from(error: ApiError) -> Self {
        let text = error.to_string();
        match error {
            ApiError::Field(_)
            | ApiError::Decode(_)
            | ApiError::JobSpec(_)
            | ApiError::Split(_)
            | ApiError::Module(_)
            | ApiError::BuyerSignature
            | ApiError::ContentLength { .. }
            | ApiError::Content(
                ContentError::Root { .. } | ContentError::TooLarge(_) | ContentError::Length { .. },
            ) => Self::invalid_argument(text),
            ApiError::NoQuote(_)
            | ApiError::Refusal(_)
            | ApiError::TooLarge(_)
            | ApiError::BuyerFunds { .. }
            | ApiError::QuoteUsed
            | ApiError::NotPosted
            | ApiError::OtherResult
            | ApiError::TooLateToCancel(_) => Self::failed_precondition(text),
            ApiError::UnknownQuote
            | ApiError::UnknownDeal
            | ApiError::Content(ContentError::Missing(_)) => Self::not_found(text),
            ApiError::TooManyCalls
            | ApiError::Content(ContentError::Full { .. } | ContentError::Allowance { .. }) => {
                Self::resource_exhausted(text)
            }
            ApiError::Content(ContentError::Busy)
            | ApiError::Busy(_)
            | ApiError::Balance(BalanceError::Waiting) => Self::unavailable(text),
            ApiError::Balance(BalanceError::Chain(cause)) | ApiError::Chain(cause) => {
                observe::retrying("a caller's question to the chain", &cause);
                Self::unavailable("the hub cannot reach its chain at the moment")
            }
            ApiError::Content(cause) => {
                observe::retrying("a caller's content", &cause);
                Self::internal("the hub's disk refuses")
            }
            ApiError::Store(cause) => {
                observe::retrying("a caller's request", &cause);
                Self::internal("the hub's database refuses")
            }
            ApiError::Stopping => Self::unavailable(text),
        }
    }
}
