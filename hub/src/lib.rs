//! gio-hub: announces itself, quotes and signs deals, gives their units to miners, checks what comes back,
//! posts one result root per deal, settles, and pays the miners.
//!
//! `run` builds everything and names every loop; `domain` decides, `infra` touches the world, `services` are
//! the loops. Nothing is announced before it is on disk.

pub mod cli;
mod commands;
pub mod config;
pub mod domain;
pub mod hub;
pub mod infra;
pub mod operation;
pub mod run;
mod services;
