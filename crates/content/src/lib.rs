//! Content: images of a unit's input and output (F2), content roots, and the pure functions that split a job
//! into units and put their outputs together (`docs/protocol.md` sections 2.4, 3 and 9).
//!
//! Pure: the bytes come in as arguments. Buyer and hub run the same functions before they sign (R1).
#![warn(missing_docs)]

pub mod assemble;
pub mod image;
pub mod job;
pub mod path;
pub mod root;
pub mod split;
pub mod template;

pub use assemble::{AssembleError, assembled_files, concatenated};
pub use image::{ImageError, InputImage, OutputImage};
pub use job::{Assemble, ContentRef, JobSpec, JobSpecError, Split, UnitBounds};
pub use root::content_root;
pub use split::{Plan, SplitError};
