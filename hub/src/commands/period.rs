//! `gio-hub payday` and `gio-hub withdraw`: the end of a payout period, and taking what is free after it.
//!
//! Both look at the chain first, so that a command that was killed is simply run again.

use clap::Args;
use gio_agent::{Code, ExitStatus, Home, UserError};
use gio_evm::{Chain, RevertReason, SendError, WalletEvent, WalletInfo, WalletState};
use gio_protocol::{Address, Gio};
use serde_json::json;

use super::{config, connect, print_result, wallet_of};

/// `payday` and `withdraw`.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Period {
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// The owner's connection and its wallet.
struct Own {
    chain: Chain,
    wallet: Address,
    info: WalletInfo,
}

async fn open(home: &Home) -> Result<Own, UserError> {
    let config = config(home)?;
    let key = super::key(home)?;
    let chain = connect(&config, Some(key.secret_bytes())).await?;
    let wallet = wallet_of(&config, &chain, key.address()).await?;
    let info = chain.wallet(wallet).await?;
    if info.owner != key.address() {
        let text = format!(
            "wallet {wallet} is {}'s, this hub is {}",
            info.owner,
            key.address()
        );
        return Err(UserError::new(text, ExitStatus::Usage)
            .hint("change `wallet` in config.toml, or leave it out"));
    }
    Ok(Own {
        chain,
        wallet,
        info,
    })
}

/// Ends the payout period: the fee goes to the treasury, stake and locked sum are free again.
pub(crate) async fn payday(home: &Home, args: Period) -> Result<(), UserError> {
    let own = open(home).await?;
    if own.info.state == WalletState::Idle {
        let text = format!("payday was held; {} GIO are free", own.info.free);
        let value =
            json!({ "wallet": own.wallet, "state": "idle", "done": false, "free": own.info.free });
        print_result(args.json, &text, &value);
        return Ok(());
    }
    check_state(&own, WalletState::Registered, "payday")?;
    let sent = Box::pin(own.chain.payday(own.wallet)).await;
    gio_failpoint::fail_point!("hub.sent.payday");
    let sent = sent.map_err(|error| refused_payday(error, &own))?;
    let held = sent.find(|event| match event {
        WalletEvent::PaydayHeld { fee, locked, stake } => Some((*fee, *locked, *stake)),
        _ => None,
    });
    let (fee, locked, stake) = held.unwrap_or_default();
    let text = format!(
        "payday: {fee} GIO of {locked} locked went to the treasury, {stake} GIO of stake are free\n\
         the wallet is idle; `gio-hub withdraw` takes the free money, `gio-hub register` begins a new period"
    );
    let value = json!({
        "wallet": own.wallet, "state": "idle", "done": true, "fee": fee, "locked": locked, "stake": stake,
        "tx": sent.hash,
    });
    print_result(args.json, &text, &value);
    Ok(())
}

/// Sends the free balance of an idle wallet to the owner.
pub(crate) async fn withdraw(home: &Home, args: Period) -> Result<(), UserError> {
    let own = open(home).await?;
    if matches!(own.info.state, WalletState::Idle | WalletState::Created)
        && own.info.free == Gio::ZERO
    {
        let value = json!({ "wallet": own.wallet, "done": false, "amount": Gio::ZERO });
        print_result(args.json, "nothing is free: it was taken before", &value);
        return Ok(());
    }
    check_state(&own, WalletState::Idle, "withdraw")?;
    let sent = Box::pin(own.chain.withdraw(own.wallet)).await;
    gio_failpoint::fail_point!("hub.sent.withdrawal");
    let sent = sent.map_err(|error| told(error, "nothing has moved"))?;
    let amount = sent.find(|event| match event {
        WalletEvent::Withdrawn { amount, .. } => Some(*amount),
        _ => None,
    });
    let amount = amount.unwrap_or_default();
    let text = format!("{amount} GIO went to {}", own.info.owner);
    let value = json!({
        "wallet": own.wallet, "done": true, "amount": amount, "to": own.info.owner, "tx": sent.hash,
    });
    print_result(args.json, &text, &value);
    Ok(())
}

fn check_state(own: &Own, needed: WalletState, command: &str) -> Result<(), UserError> {
    let state = own.info.state;
    if state == needed {
        return Ok(());
    }
    let hint = match state {
        WalletState::Created => "the wallet never registered: `gio-hub register`",
        WalletState::Registered => "the payout period runs: `gio-hub payday` ends it",
        WalletState::Idle => "payday was held: `gio-hub withdraw` or `gio-hub register`",
        WalletState::Suspected => {
            "the DAO froze the hub's own money; docs/governance.md section 8 says how to appeal"
        }
        WalletState::Punished => "the DAO banned this wallet, for ever",
    };
    let text = format!(
        "`{command}` needs the wallet {}, it is {}",
        needed.name(),
        state.name()
    );
    Err(UserError::of(Code::WalletState, text)
        .hint(hint)
        .escrow("untouched"))
}

fn refused_payday(error: SendError, own: &Own) -> UserError {
    let hint = match error.revert() {
        Some(RevertReason::PaydayTooEarly { payday_at, time }) => format!(
            "in {} s; until then the stake and {} GIO stay locked",
            time.until(*payday_at),
            own.info.locked
        ),
        Some(RevertReason::DealsOpen { .. }) => {
            "`gio-hub status` lists the deals; they end by themselves, and payday after them"
                .to_owned()
        }
        Some(RevertReason::CaseUndecided { until }) => {
            format!("the vote decides; at {until} payday no longer waits for it")
        }
        _ => return told(error, "nothing has moved"),
    };
    let error = UserError::of(Code::TooEarly, error).hint(hint);
    error
        .retryable()
        .escrow("untouched; everything stays in the wallet")
}

/// A transaction that did not do what was asked; `effect` is what became of the money if it certainly was not mined.
pub(super) fn told(error: SendError, effect: &str) -> UserError {
    let unresolved = error.unresolved_tx().is_some();
    let transient = error.is_transient();
    let code = match &error {
        SendError::InsufficientGas { .. } => Code::FundsGas,
        SendError::Rpc(_) => Code::RpcUnreachable,
        SendError::WrongChain { .. } => Code::WrongChain,
        SendError::Reverted(_) | SendError::RevertedOnChain { .. } => Code::ContractRefused,
        _ => Code::Internal,
    };
    let told = UserError::of(code, error);
    let told = if unresolved {
        told.escrow("not known yet: the transaction may still be mined")
            .hint("run the same command again; it looks at the chain first")
    } else {
        told.escrow(effect)
    };
    if transient { told.retryable() } else { told }
}
