//! The machine's rules for a guest program, as pure functions.
//!
//! [`prepare`] takes a WASI command as a compiler made it, refuses what is outside the accepted set, and
//! answers two instrumented builds: metered, with a deterministic stack limit, and with canonical NaN bits
//! wherever they can be seen. Run under the same host, both builds agree in everything a claim binds.
//!
//! [`isa`], [`state`] and [`trees`] are the step machine of docs/step-machine.md: the same program as a sequence
//! of states of which a contract can check every step.
#![warn(missing_docs)]

mod blocks;
mod body;
mod calls;
mod counted;
mod emit;
mod engine;
mod error;
mod features;
pub mod float;
mod fold;
mod host;
mod inline;
pub mod isa;
mod limits;
mod link;
mod loops;
mod lower;
pub mod mirror;
mod nan;
mod prepare;
mod program;
mod source;
pub mod state;
pub mod trees;
mod wasi;

pub use blocks::{bulk_cu, grow_cu};
pub use calls::OVERSHOOT_MAX;
pub use engine::{Access, CallFrame, Loaded, Machine, Snapshot};
pub use error::{Place, PrepareError};
/// CU of the entry's one block: its charge, its call, and the exit behind it.
pub const ENTRY_CU: u64 = 5;

pub use host::{HOST_MODULE, HostCall};
pub use limits::{
    INSTRUCTIONS_MAX, LOCALS_PER_BRANCH, LOOP_COMPLEXITY, LOOP_LOCALS_PER_BRANCH,
    NATIVE_STACK_BYTES, PrepareLimits, STACK_SLOTS_MAX, frame_slots,
};
pub use link::{LIBRARY_PREFIX, LIBRARY_START, SHIM_MEMORY_EXPORT};
pub use prepare::{
    COUNTER_EXPORT, PAGES_EXPORT, Prepared, Provable, REFILL_MODULE, REFILL_NAME, STACK_EXPORT,
    START_EXPORT, prepare, prepare_library, prepare_provable,
};
pub use program::{FunctionPlace, Origin, Program};
pub use wasi::{Param, WASI_MODULE, WasiCall};
