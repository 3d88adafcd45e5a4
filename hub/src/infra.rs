//! The hub's doors: database, contents, gRPC, logs.

pub mod api;
pub mod content;
pub mod leaves;
pub mod memory;
pub mod metrics;
pub mod observe;
pub mod places;
pub mod progress;
pub mod store;
