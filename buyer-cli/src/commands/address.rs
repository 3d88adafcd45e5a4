//! `address`: where to send money to.

use clap::Args;
use gio_agent::{ExitStatus, UserError};
use serde_json::json;

use crate::cli::Global;
use crate::faults;

/// Print the buyer's address
#[derive(Clone, Copy, Debug, Args)]
pub struct Address {}

impl Address {
    /// Prints the address.
    ///
    /// # Errors
    /// A [`UserError`] if there is no key.
    pub fn run(self, global: &Global) -> Result<ExitStatus, UserError> {
        let home = global.home();
        let address = home.key().map_err(faults::home)?.address();
        let value = json!({ "address": address });
        global.output().result(&address.to_string(), &value);
        Ok(ExitStatus::Ok)
    }
}
