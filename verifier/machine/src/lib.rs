//! The machine's rules for a guest program, as pure functions.
#![warn(missing_docs)]

mod error;

pub use error::{Place, PrepareError};
