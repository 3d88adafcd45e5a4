//! What can go wrong outside the guest. None of these is ever a claim (R21): the unit returns to the queue.

use thiserror::Error;

/// The sandbox could not be set up on this machine.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The configuration asks for nothing that can run.
    #[error("{field} must be between 1 and {max}, not {given}")]
    Config {
        /// The field of [`crate::EngineConfig`].
        field: &'static str,
        /// What it was.
        given: u32,
        /// The most it may be.
        max: u32,
    },
    /// wasmtime refused the configuration or the machine lacks the address space.
    #[error("cannot set up the WASM engine: {0}")]
    Wasmtime(String),
}

/// A module is not a program this market runs.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The module is outside the accepted set.
    #[error(transparent)]
    Prepare(#[from] gio_machine::PrepareError),
    /// The compiler refused the prepared module: a limit of this machine, not of the module's validity.
    #[error("cannot compile the prepared module: {0}")]
    Compile(String),
}

/// A run that ended without a result. Never signed, never billed.
#[derive(Debug, Error)]
pub enum RunError {
    /// [`crate::RunControl::cancel`] was called.
    #[error("the run was cancelled")]
    Cancelled,
    /// The control's deadline passed.
    #[error("the run's deadline passed")]
    DeadlinePassed,
    /// The input bytes are not an input image (F2).
    #[error("the input is not an input image")]
    Input(#[from] gio_content::image::ImageError),
    /// The unit wants more memory than this engine was set up for.
    #[error("the unit may use {wanted} pages, this engine has {available}")]
    PagesBeyondEngine {
        /// The unit's limit.
        wanted: u32,
        /// The engine's.
        available: u32,
    },
    /// No machine runs the unit: it is refused at signing (docs/step-machine.md section 9).
    #[error("no machine can run the unit")]
    Bounds(#[from] gio_machine::state::BoundsError),
    /// All instances of the engine are running.
    #[error("all instances are in use")]
    Busy,
    /// The machine, not the program, failed: memory, native stack, the engine itself.
    #[error("the host failed: {0}")]
    Host(String),
}

impl RunError {
    /// Whether trying the same unit here again can succeed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Busy | Self::Host(_))
    }
}
