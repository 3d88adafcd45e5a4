//! Why a module is not a program of this market. Every variant is a rule; a person can act on each.

use thiserror::Error;

/// Where in a module something was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Index of the function in the module's function index space, if it was inside a function body.
    pub function: Option<u32>,
    /// Offset in bytes from the start of the module.
    pub offset: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.function {
            Some(function) => write!(f, "in function {function} at offset {:#x}", self.offset),
            None => write!(f, "at offset {:#x}", self.offset),
        }
    }
}

/// A module that [`crate::prepare`] refuses.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PrepareError {
    /// Not a valid module of the accepted feature set; the message is the validator's.
    #[error("not a valid module: {message} ({place})")]
    Invalid {
        /// The validator's words; a missing feature is named in them.
        message: String,
        /// Where.
        place: Place,
    },
    /// An instruction or section of a feature that no machine version accepts.
    #[error("{feature} is not accepted ({place})")]
    Feature {
        /// The feature's name.
        feature: &'static str,
        /// Where.
        place: Place,
    },
    /// An import that is no WASI preview 1 call.
    #[error("unknown import {module}.{name}: only WASI preview 1 functions can be imported")]
    UnknownImport {
        /// The import's module.
        module: String,
        /// The import's name.
        name: String,
    },
    /// A WASI call imported with another signature than it has.
    #[error("import {name} has another signature than WASI preview 1 gives it")]
    ImportSignature {
        /// The import's name.
        name: &'static str,
    },
    /// No function `_start` without parameters and results.
    #[error("not a command: it exports no function _start without parameters and results")]
    NotCommand,
    /// An export name that the instrumentation needs for itself.
    #[error("export name {name} is reserved")]
    ReservedExport {
        /// The export's name.
        name: String,
    },
    /// A segment that would be written where there is nothing.
    #[error("{what} {index} lies outside of what it is written to")]
    Segment {
        /// Which kind of segment.
        what: &'static str,
        /// Its number.
        index: u32,
    },
    /// Larger than [`crate::PrepareLimits`] allows.
    #[error("{what}: {found}, at most {max} are accepted")]
    TooLarge {
        /// What was counted.
        what: &'static str,
        /// How much there was.
        found: u64,
        /// How much is accepted.
        max: u64,
    },
}

/// Refuses what is larger than the limit.
pub(crate) fn check_size(
    what: &'static str,
    found: impl Into<u64>,
    max: u64,
) -> Result<(), PrepareError> {
    let found = found.into();
    if found > max {
        return Err(PrepareError::TooLarge { what, found, max });
    }
    Ok(())
}
