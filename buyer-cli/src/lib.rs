//! wip
pub mod decimal;
pub mod domain;
pub mod job_file;
pub mod job_flags;
pub mod job_request;
