//! `balance`: what the buyer holds.

use clap::Args;
use gio_agent::{ExitStatus, UserError};
use serde_json::json;

use crate::cli::Global;
use crate::decimal::gio_text;
use crate::faults;
use crate::session::Session;

/// Show what the buyer holds: GIO for jobs, the chain's own coin for gas
#[derive(Clone, Copy, Debug, Args)]
pub struct Balance {}

impl Balance {
    /// Asks the chain.
    ///
    /// # Errors
    /// A [`UserError`] if the chain does not answer.
    pub async fn run(self, global: &Global) -> Result<ExitStatus, UserError> {
        let session = Session::open(global.home())?;
        let chain = session.chain().await?;
        let address = session.address();
        let (gio, gas) = tokio::try_join!(chain.balance(address), chain.gas_balance(address))
            .map_err(faults::chain)?;
        let text = format!("{address}\n  {} GIO\n  {gas} wei for gas", gio_text(gio));
        let value = json!({
            "address": address,
            "gio": gio_text(gio),
            "gas_wei": gas.to_string(),
        });
        global.output().result(&text, &value);
        Ok(ExitStatus::Ok)
    }
}
