//! The messages and services of package `gio.v1`, generated from `proto/gio/v1`, and typed access to their fields.
//!
//! What each field means and its unit is documented in the `.proto` files.
//! Generated messages check nothing: [`field`] turns bytes into addresses, hashes and signatures, or says which field is wrong.

pub mod field;
mod generated;

pub use generated::*;
