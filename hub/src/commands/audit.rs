//! `gio-hub wallet audit`: a wallet's books from events alone, and where the chain says something else (HW-26).

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use gio_agent::{ExitStatus, Home, UserError};
use gio_evm::{Audit, Difference};
use gio_protocol::{Address, Gio};
use serde_json::{Value, json};

use super::{config, connect, print_result, wallet_of};
use crate::infra::leaves::{FOLDER, Leaves, LeavesError};

/// `wallet`.
#[derive(Debug, Subcommand)]
pub(crate) enum Wallet {
    /// Rebuild a wallet's balance, locks, debts, deals and payouts from events alone and compare them with the chain
    ///
    /// Every difference is printed, and any makes the command fail. Anybody can audit any wallet of the market.
    Audit(AuditArgs),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct AuditArgs {
    /// Whose books [default: this hub's wallet]
    #[arg(value_name = "WALLET")]
    wallet: Option<Address>,
    /// Folder with the leaf files of payouts [default: payouts in the hub's folder]
    #[arg(long, value_name = "DIR")]
    leaves: Option<PathBuf>,
    /// First block of the wallet's history [default: the block it was listed in]
    #[arg(long, value_name = "N")]
    from_block: Option<u64>,
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
}

pub(crate) async fn wallet(home: &Home, command: Wallet) -> Result<(), UserError> {
    let Wallet::Audit(args) = command;
    let config = config(home)?;
    let chain = connect(&config, None).await?;
    let wallet = match args.wallet {
        Some(wallet) => wallet,
        None => wallet_of(&config, &chain, super::key(home)?.address()).await?,
    };
    let folder = args.leaves.unwrap_or_else(|| home.path(FOLDER));
    let (trees, damaged) = Leaves::new(folder).trees()?;
    let audit = Box::pin(chain.audit(wallet, &trees, args.from_block)).await?;
    print_result(
        args.json,
        &as_text(&audit, &damaged),
        &as_value(&audit, &damaged),
    );
    match audit.differences.len() {
        0 => Ok(()),
        count => {
            let text = format!("{count} figures do not agree with the chain");
            let hint = match &audit.differences[0] {
                Difference::LeavesMissing { .. } => {
                    "leaf files come from the hub's folder `payouts`, or from a miner's; name it with --leaves"
                }
                _ => {
                    "is the RPC complete? an earlier --from-block reads more; otherwise this is evidence for a case"
                }
            };
            Err(UserError::new(text, ExitStatus::BadResult).hint(hint))
        }
    }
}

fn as_value(audit: &Audit, damaged: &[LeavesError]) -> Value {
    let books = &audit.books;
    let miners = books.miners.iter().map(|(miner, book)| {
        json!({ "miner": miner, "gross": book.gross, "locked": book.lock, "net": book.net, "approved": book.approved })
    });
    let deals = books.deals.iter().map(|(id, deal)| {
        json!({
            "id": id.to_string(), "stage": deal.stage.name(), "buyer": deal.terms.buyer, "cap": deal.terms.cap,
            "guarantee": deal.terms.guarantee, "cu": deal.cu_total.0,
        })
    });
    let payouts = (0..).zip(&books.payouts).map(|(epoch, payout): (u32, _)| {
        json!({
            "epoch": epoch, "miners": payout.count, "net": payout.net, "locked": payout.lock,
            "unclaimed": payout.unclaimed(), "claims": payout.claimed.len(), "leaves_root": payout.leaves_root,
        })
    });
    json!({
        "wallet": audit.terms.wallet,
        "owner": audit.terms.owner,
        "block": audit.at.number,
        "from_block": audit.from_block,
        "state": books.state.name(),
        "balance": books.balance(),
        "frozen": books.frozen(),
        "free": books.free(),
        "stake": books.stake,
        "locked": books.locked,
        "escrow": books.escrow,
        "guarantees": books.guarantees,
        "approvals": books.approvals(),
        "unclaimed": books.unclaimed(),
        "fees": books.fees,
        "withdrawn": books.withdrawn,
        "expropriated": books.expropriated,
        "pulled": books.pulled(),
        "miners": miners.collect::<Vec<_>>(),
        "deals": deals.collect::<Vec<_>>(),
        "payouts": payouts.collect::<Vec<_>>(),
        "damaged_files": damaged.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "differences": audit.differences.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn as_text(audit: &Audit, damaged: &[LeavesError]) -> String {
    let books = &audit.books;
    let mut text = format!(
        "wallet     {} ({}) of {}\nblocks     {} to {}\n",
        audit.terms.wallet,
        books.state.name(),
        audit.terms.owner,
        audit.from_block,
        audit.at.number
    );
    let amounts: [(&str, Gio); 10] = [
        ("balance", books.balance()),
        ("frozen", books.frozen()),
        ("free", books.free()),
        ("stake", books.stake),
        ("locked", books.locked),
        ("escrow", books.escrow),
        ("guarantees", books.guarantees),
        ("approvals", books.approvals()),
        ("unclaimed", books.unclaimed()),
        ("fees paid", books.fees),
    ];
    for (name, amount) in amounts {
        let _ = writeln!(text, "{name:<10} {amount:>20} GIO");
    }
    for (miner, book) in &books.miners {
        let _ = writeln!(
            text,
            "paid {miner}: {} GIO net, {} locked",
            book.net, book.lock
        );
    }
    for (epoch, payout) in books.payouts.iter().enumerate() {
        let (net, left) = (payout.net, payout.unclaimed());
        let (claims, count) = (payout.claimed.len(), payout.count);
        let _ = writeln!(
            text,
            "payout {epoch}: {net} GIO for {count} miners, {claims} claimed, {left} GIO left"
        );
    }
    let open = books
        .deals
        .values()
        .filter(|deal| !deal.stage.is_final())
        .count();
    let _ = writeln!(text, "deals: {} in all, {open} not over", books.deals.len());
    for error in damaged {
        let _ = writeln!(text, "left out: {error}");
    }
    match audit.differences.len() {
        0 => text.push_str("every figure is the chain's"),
        _ => {
            for difference in &audit.differences {
                let _ = writeln!(text, "DIFFERENT: {difference}");
            }
        }
    }
    text
}
