//! The hub's loops, one per file. Each takes rows in some state, moves them on, and writes that down; every step
//! can be repeated after a kill.

pub(crate) mod announce;
pub(crate) mod bonds;
pub(crate) mod clean;
pub(crate) mod deals;
pub(crate) mod dispatch;
pub(crate) mod keep;
pub(crate) mod operate;
pub(crate) mod pay;
pub(crate) mod watch_chain;
