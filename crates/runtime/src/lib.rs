//! Sandboxes. Today one kind: WASI preview 1 command modules under wasmtime, through the passes of `gio-machine`.
//!
//! A run is a pure function of module, input image and [`UnitLimits`]; everything else ends in a [`RunError`] and no claim (R21).
#![warn(missing_docs)]

mod cache;
mod engine;
mod error;
mod host;
mod limits;
mod meter;
mod primitive;
mod program;
mod run;
mod wasi;

pub use engine::{Engine, EngineConfig, Outcome};
pub use error::{EngineError, LoadError, RunError};
pub use limits::{RunControl, UnitLimits};
pub use program::{BuildHashes, MachineVersion, Program};
