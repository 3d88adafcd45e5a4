//! Everything that needs more than one package.
#![expect(clippy::unwrap_used, reason = "a failing test may panic anywhere")]

mod vectors;
