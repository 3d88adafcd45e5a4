//! `gio-miner consent`, `delegate` and `revoke`: machines that sign for an owner (R14).
//!
//! The machine consents with its own key, off line but for one number of the registry's; the owner, whose bond answers
//! for the machine's claims, sends the consent.

use std::path::PathBuf;

use alloy_primitives::Bytes;
use clap::Args;
use gio_agent::files::read_text;
use gio_agent::{ExitStatus, Home, UserError};
use gio_protocol::{Address, UnixSeconds};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::chain::{open, send_error};
use super::{key, usage};
use crate::infra::console::{self, result};

/// How long a consent counts that says nothing else: time to carry a file to the owner.
const HOURS_DEFAULT: u64 = 24;

/// Arguments of `consent`.
#[derive(Clone, Copy, Debug, Args)]
pub struct Consent {
    /// For whom this machine's key shall sign
    #[arg(long, value_name = "ADDRESS")]
    owner: Address,
    /// How long the consent counts
    #[arg(long, value_name = "HOURS", default_value_t = HOURS_DEFAULT)]
    hours: u64,
}

/// What the machine hands to its owner.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConsentFile {
    chain_id: u64,
    key: Address,
    owner: Address,
    deadline: u64,
    consent: Bytes,
}

/// Arguments of `delegate`.
#[derive(Clone, Debug, Args)]
pub struct Delegate {
    /// What `gio-miner consent` printed on the machine
    #[arg(value_name = "FILE")]
    consent: PathBuf,
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// Arguments of `revoke`.
#[derive(Clone, Copy, Debug, Args)]
pub struct Revoke {
    /// The machine's key [default: this machine's own]
    #[arg(value_name = "ADDRESS")]
    key: Option<Address>,
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// Prints this machine's consent as JSON; it works once, until its deadline.
///
/// # Errors
/// If the chain does not answer.
pub async fn consent(home: &Home, args: Consent) -> Result<(), UserError> {
    let own = open(home).await?;
    let key = key(home)?;
    let now = own.chain.head().await?.time;
    let now = now.max(UnixSeconds(gio_agent::unix_now()));
    let deadline = now.after(args.hours.saturating_mul(3600));
    let digest = own.chain.consent_digest(own.account, args.owner, deadline);
    let signature = key.sign(digest.await?);
    let file = ConsentFile {
        chain_id: own.chain.chain_id(),
        key: own.account,
        owner: args.owner,
        deadline: deadline.0,
        consent: signature.as_bytes().to_vec().into(),
    };
    console::line(serde_json::to_string_pretty(&file)?);
    Ok(())
}

/// Makes a machine's key sign for this account.
///
/// # Errors
/// If the consent is not this account's, or the registry refuses it.
pub async fn delegate(home: &Home, args: &Delegate) -> Result<(), UserError> {
    let text = read_text(&args.consent)
        .map_err(|error| usage(error).hint("the file `gio-miner consent` printed"))?;
    let file: ConsentFile = serde_json::from_str(&text)
        .map_err(|error| usage(error).hint("the file `gio-miner consent` printed"))?;
    let own = open(home).await?;
    if file.owner != own.account || file.chain_id != own.chain.chain_id() {
        let text = format!(
            "the consent is for {} on chain {}, this is {} on chain {}",
            file.owner,
            file.chain_id,
            own.account,
            own.chain.chain_id()
        );
        let hint = format!("on the machine: gio-miner consent --owner {}", own.account);
        return Err(UserError::new(text, ExitStatus::Usage).hint(hint));
    }
    let known = own.chain.key_info(file.key).await?;
    if known.owner != own.account || known.ends_at.is_some() {
        let deadline = UnixSeconds(file.deadline);
        let sent = Box::pin(own.chain.delegate_key(file.key, deadline, &file.consent)).await;
        gio_failpoint::fail_point!("miner.sent.delegation");
        sent.map_err(|error| send_error(error, "untouched"))?;
    }
    let text = format!("{} signs for {}", file.key, own.account);
    let value = json!({ "key": file.key, "owner": own.account });
    result(args.json, &text, &value);
    Ok(())
}

/// Ends a delegation after the registry's delay.
///
/// # Errors
/// If the key was never delegated, or is somebody else's.
pub async fn revoke(home: &Home, args: Revoke) -> Result<(), UserError> {
    let own = open(home).await?;
    let key = args.key.unwrap_or(own.account);
    let known = own.chain.key_info(key).await?;
    if known.ends_at.is_none() {
        let sent = Box::pin(own.chain.revoke_key(key)).await;
        gio_failpoint::fail_point!("miner.sent.revocation");
        sent.map_err(|error| send_error(error, "untouched"))?;
    }
    let known = own.chain.key_info(key).await?;
    let ends = known.ends_at.map_or(0, |at| at.0);
    let text = format!("{key} signs for {} until {ends}", known.owner);
    let value = json!({ "key": key, "owner": known.owner, "ends_at": ends });
    result(args.json, &text, &value);
    Ok(())
}
