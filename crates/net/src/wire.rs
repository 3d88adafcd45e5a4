//! The messages and services of package `gio.v1`, generated from `proto/gio/v1`.
//!
//! Field meanings and units are documented in the `.proto` files.
//! Nothing here is checked: lengths of hashes, addresses and signatures are the receiver's to verify.

#![allow(
    missing_debug_implementations,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]

tonic::include_proto!("gio.v1");
