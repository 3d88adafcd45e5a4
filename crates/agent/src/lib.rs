//! What every agent is before it does anything of its own: a home folder with a key, a config file with
//! checked keys, logs, one lock, a shutdown signal, exit codes and errors with hints; and what its operator talks to
//! while it runs: a control socket, metrics, a doctor.

pub mod clock;
pub mod completion;
pub mod config;
pub mod control;
pub mod doctor;
pub mod errors;
pub mod exit;
pub mod files;
pub mod home;
pub mod http;
pub mod logging;
pub mod maintenance;
pub mod metrics;
pub mod shutdown;
pub mod terminal;

pub use clock::clock_off;
pub use completion::Completion;
pub use config::{ConfigError, ConfigOption, read_config};
pub use errors::Code;
pub use exit::{ExitStatus, UserError, report};
pub use home::{Home, HomeError, HomeLock, Role};
pub use logging::{LogFormat, LogOptions, init_logging};
pub use shutdown::{Hangups, Shutdowns, shutdown_signal};
pub use terminal::{printable, printable_lines};

use alloy_primitives::B256;

/// 32 bytes from the operating system: nonces, salts, keys.
///
/// # Panics
/// If the operating system has no randomness, because nothing that signs may go on then.
#[must_use]
pub fn random_word() -> B256 {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).expect("the operating system gives randomness");
    B256::from(bytes)
}

/// Seconds since the Unix epoch by the local clock. Deadlines on chain are compared with block time instead (F5).
#[must_use]
pub fn unix_now() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs())
        .saturating_add_signed(gio_failpoint::clock_shift())
}
