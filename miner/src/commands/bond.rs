//! `gio-miner bond`, `withdraw-bond` and `payout-to`: what answers for this miner's claims (R15).
//!
//! Both commands name where the bond shall be, not how much to move, and look at the chain first: a command that was
//! killed is simply run again.

use clap::Args;
use gio_agent::{Home, UserError};
use gio_evm::{Chain, GovernmentRevert, MinerInfo, RevertReason, SendError};
use gio_protocol::{Address, Gio};
use serde_json::{Value, json};

use super::chain::{Own, open, send_error};
use crate::infra::console::result;

/// Arguments of `bond`.
#[derive(Clone, Copy, Debug, Args)]
pub struct Bond {
    /// What the bond shall be at least, in GIO
    #[arg(value_name = "GIO")]
    amount: Gio,
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// Arguments of `withdraw-bond`.
#[derive(Clone, Copy, Debug, Args)]
pub struct WithdrawBond {
    /// What of the bond shall stay, in GIO
    #[arg(long, value_name = "GIO", default_value = "0")]
    leave: Gio,
    /// Take nothing back after all: what was asked back stays
    #[arg(long, conflicts_with = "leave")]
    keep: bool,
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// Brings the bond up to an amount.
///
/// # Errors
/// If the account cannot pay it, or the registry refuses.
pub async fn bond(home: &Home, args: Bond) -> Result<(), UserError> {
    let own = open(home).await?;
    let _lock = own.lock(home)?;
    own.settle().await?;
    let before = own.chain.miner(own.account).await?;
    let rules = own.chain.registry_rules().await?;
    let missing = args.amount.minus_or_zero(before.bond);
    if missing != Gio::ZERO {
        let held = own.chain.balance(own.account).await?;
        if held < missing {
            let text = format!(
                "{} holds {held} GIO, the bond needs {missing} GIO more",
                own.account
            );
            return Err(UserError::of(gio_agent::Code::FundsGio, text)
                .hint(format!("send GIO to {}", own.account))
                .escrow("untouched"));
        }
        let sent = Box::pin(own.chain.bond(own.account, missing)).await;
        gio_failpoint::fail_point!("miner.sent.bond");
        sent.map_err(|error| send_error(error, "the bond is as it was"))?;
    }
    let after = own.chain.miner(own.account).await?;
    let mut text = format!("the bond is {} GIO", after.bond);
    if after.bond < rules.bond_min {
        text.push_str(&format!("; it counts from {} GIO on", rules.bond_min));
    }
    result(args.json, &text, &value(&own, &after, missing));
    Ok(())
}

/// Asks the bond back, or takes what was asked back once its time has come.
///
/// # Errors
/// If it is too early, or the registry refuses.
pub async fn withdraw(home: &Home, args: WithdrawBond) -> Result<(), UserError> {
    let own = open(home).await?;
    let _lock = own.lock(home)?;
    own.settle().await?;
    let before = own.chain.miner(own.account).await?;
    if args.keep {
        return keep(&own, &before, args.json).await;
    }
    let staying = before.bond.minus_or_zero(before.leaving);
    let asked = staying.minus_or_zero(args.leave);
    // What is free to go is taken before more is asked for: a new request would make all of it wait again.
    let is_due = before.leaves_at.is_some_and(|at| at <= before.now);
    let mut took = Gio::ZERO;
    if is_due {
        let sent = Box::pin(own.chain.withdraw_bond()).await;
        gio_failpoint::fail_point!("miner.sent.bond_withdrawal");
        match sent {
            Ok(_) => {
                let left = own.chain.miner(own.account).await?.bond;
                took = before.bond.minus_or_zero(left);
            }
            Err(error) => return Err(withdraw_error(error)),
        }
    }
    if asked != Gio::ZERO {
        let sent = Box::pin(own.chain.request_bond(asked)).await;
        gio_failpoint::fail_point!("miner.sent.bond_request");
        sent.map_err(|error| send_error(error, "the bond is as it was"))?;
    }
    let after = own.chain.miner(own.account).await?;
    result(args.json, &told(&after, took), &value(&own, &after, took));
    Ok(())
}

async fn keep(own: &Own, before: &MinerInfo, as_json: bool) -> Result<(), UserError> {
    if before.leaving != Gio::ZERO {
        let sent = Box::pin(own.chain.keep_bond()).await;
        gio_failpoint::fail_point!("miner.sent.bond_kept");
        sent.map_err(|error| send_error(error, "the bond is as it was"))?;
    }
    let after = own.chain.miner(own.account).await?;
    let text = format!("the bond is {} GIO, and all of it stays", after.bond);
    result(as_json, &text, &value(own, &after, Gio::ZERO));
    Ok(())
}

fn told(after: &MinerInfo, took: Gio) -> String {
    let mut text = match took {
        Gio::ZERO => String::new(),
        _ => format!("{took} GIO came back\n"),
    };
    match after.leaves_at {
        Some(at) if after.leaving != Gio::ZERO => text.push_str(&format!(
            "{} GIO of {} leave at {at}, in {} s; until then they answer for claims\nthe same command takes them then",
            after.leaving,
            after.bond,
            after.now.until(at)
        )),
        _ => text.push_str(&format!("the bond is {} GIO", after.bond)),
    }
    text
}

fn withdraw_error(error: SendError) -> UserError {
    let hint = match error.revert() {
        Some(RevertReason::Government(GovernmentRevert::BondAtRisk { .. })) => {
            "the court decides about it; the same command takes the rest afterwards"
        }
        Some(RevertReason::Government(GovernmentRevert::LeavesLater { .. })) => {
            "the same command takes it then"
        }
        _ => return send_error(error, "the bond is as it was"),
    };
    let told = UserError::of(gio_agent::Code::TooEarly, error).hint(hint);
    told.escrow("the bond is as it was").retryable()
}

fn value(own: &Own, miner: &MinerInfo, moved: Gio) -> Value {
    json!({
        "owner": own.account,
        "bond": miner.bond.to_string(),
        "moved": moved.to_string(),
        "leaving": miner.leaving.to_string(),
        "leaves_at": miner.leaves_at.map(|at| at.0),
        "at_risk": miner.at_risk.to_string(),
        "active": miner.is_active,
    })
}

/// Arguments of `payout-to`.
#[derive(Clone, Copy, Debug, Args)]
pub struct PayoutTo {
    /// Where this miner wants to be paid; its own account to undo
    #[arg(value_name = "ADDRESS")]
    to: Address,
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// Says in the register where this miner wants to be paid.
///
/// # Errors
/// If the registry refuses.
pub async fn payout_to(home: &Home, args: PayoutTo) -> Result<(), UserError> {
    let own = open(home).await?;
    if current(&own.chain, own.account).await? != args.to {
        let sent = Box::pin(own.chain.set_payout(args.to)).await;
        gio_failpoint::fail_point!("miner.sent.payout_to");
        sent.map_err(|error| send_error(error, "untouched"))?;
    }
    let text = format!("{} wants to be paid at {}", own.account, args.to);
    let value = json!({ "owner": own.account, "payout_to": args.to });
    result(args.json, &text, &value);
    Ok(())
}

async fn current(chain: &Chain, owner: Address) -> Result<Address, UserError> {
    Ok(chain.miner(owner).await?.payout_to)
}
