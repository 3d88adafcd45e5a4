//! `gio-miner`: finds hubs, runs their units in a sandbox, signs claims, collects its pay.

pub mod config;
pub mod domain;
pub mod infra;
