//! Tests through the public door of the crate.

mod generator;
mod rng;
mod script_oracle;
mod signing;
