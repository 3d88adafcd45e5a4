//! What the buyer decides, without clock, network or files: which hub, which terms, what to do next, whether a
//! result is right, what the receipt says.

pub mod choose;
pub mod failures;
pub mod layout;
pub mod machines;
pub mod next;
pub mod quote;
pub mod receipt;
pub mod refute;
pub mod terms;
pub mod verify;
pub mod work;
