//! What the buyer's decisions are carried out with: files, the hub's calls, the sandbox, the terminal.

pub mod hub;
pub mod inputs;
pub mod output_folder;
pub mod progress;
pub mod retry;
pub mod sandbox;
