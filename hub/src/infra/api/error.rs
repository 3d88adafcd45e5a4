//! One page with every answer that is not what the caller wanted. Internal causes are logged, not shown.

use gio_content::{JobSpecError, SplitError};
use gio_evm::ChainError;
use gio_net::wire::field::FieldError;
use gio_protocol::DecodeError;
use thiserror::Error;
use tonic::Status;

use crate::domain::agreement::Refusal;
use crate::domain::quote::NoQuote;
use crate::infra::content::ContentError;
use crate::infra::observe;
use crate::infra::store::StoreError;

/// Why a call fails.
#[derive(Debug, Error)]
pub(crate) enum ApiError {
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
    #[error("this hub has given no quote with that nonce")]
    UnknownQuote,
    #[error("the quote became another deal")]
    QuoteUsed,
    #[error("the buyer's signature does not hold")]
    BuyerSignature,
    #[error("this hub knows no such deal")]
    UnknownDeal,
    #[error("the deal has no posted result yet")]
    NotPosted,
    #[error("the result root is not the one this hub posted")]
    OtherResult,
    #[error(transparent)]
    Content(#[from] ContentError),
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error(transparent)]
    Store(#[from] StoreError),
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
            | ApiError::Content(ContentError::Root { .. } | ContentError::TooLarge(_)) => {
                Self::invalid_argument(text)
            }
            ApiError::NoQuote(_)
            | ApiError::Refusal(_)
            | ApiError::QuoteUsed
            | ApiError::NotPosted
            | ApiError::OtherResult => Self::failed_precondition(text),
            ApiError::UnknownQuote
            | ApiError::UnknownDeal
            | ApiError::Content(ContentError::Missing(_)) => Self::not_found(text),
            ApiError::Content(ContentError::Full { .. }) => Self::resource_exhausted(text),
            ApiError::Chain(cause) => {
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
