//! wip
pub mod content_store;
pub mod decimal;
pub mod domain;
pub mod job;
pub mod job_file;
pub mod job_flags;
pub mod job_request;
pub mod job_store;
