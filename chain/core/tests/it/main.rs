//! Tests through the public door of the crate.

mod generator;
mod script_oracle;
