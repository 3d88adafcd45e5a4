//! Decisions: given what the hub knows, what should happen. No clock, socket, file or database.

pub mod agreement;
pub mod board;
pub mod bonds;
pub mod claims;
pub mod deal;
pub mod next;
pub mod payout;
pub mod quote;
pub mod size;
pub mod stage;
pub mod stats;
