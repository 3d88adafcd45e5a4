//! What the tests of the passes share: a generator of programs, a bare host, and an oracle of the charges.
#![allow(
    dead_code,
    unreachable_pub,
    missing_debug_implementations,
    reason = "every test binary uses its own part of this module"
)]
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

pub mod encode;
pub mod generator;
pub mod host;
pub mod oracle;
pub mod rng;
