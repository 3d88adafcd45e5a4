//! `gio-miner address`.

use gio_agent::{Home, UserError};

use super::usage;
use crate::infra::console;

/// Prints the account.
///
/// # Errors
/// If there is no key.
pub fn run(home: &Home) -> Result<(), UserError> {
    let key = home.key().map_err(usage)?;
    console::line(key.address());
    Ok(())
}
