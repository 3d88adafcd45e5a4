//! `gio-miner address`.

use gio_agent::{Home, UserError};

use super::key;
use crate::infra::console;

/// Prints the account.
///
/// # Errors
/// If there is no key.
pub fn run(home: &Home) -> Result<(), UserError> {
    let key = key(home)?;
    console::line(key.address());
    Ok(())
}
