//! `gio-miner`: finds hubs, runs their units in a sandbox, signs claims, collects its pay.
//!
//! [`run`] builds everything in order; [`domain`] decides, [`services`] act, [`infra`] is the only part that touches
//! disk, chain, wire and terminal.

pub mod cli;
pub mod commands;
pub mod config;
pub mod domain;
pub mod infra;
pub mod operation;
pub mod run;
pub mod services;
