//! The hub's gRPC services, served over authenticated libp2p streams.

mod content;
mod error;
mod market;
mod work;

pub use content::ContentApi;
pub use error::ApiError;
pub use market::MarketApi;
pub use work::WorkApi;
