//! What `build.rs` made of `proto/gio/v1`.
#![allow(
    missing_debug_implementations,
    clippy::allow_attributes_without_reason,
    reason = "tonic's generated code; the messages and services are held to the project's lints by their users"
)]

tonic::include_proto!("gio.v1");
