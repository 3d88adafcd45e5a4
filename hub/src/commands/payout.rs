//! `gio-hub payout`: pays an epoch's miners by statistics, with one transaction (R9, GV-18).
//!
//! # Correctness
//! What was paid is asked of the chain: a payout is the same if its leaf file is. Leaf file and record are on disk before
//! the transaction is sent. A record without a transaction was interrupted; the next run decides it with a barrier, as
//! the payer does (`services/pay/doubt.rs`), before anything is posted. So nothing is posted twice and nothing is lost,
//! whichever line is the last before a kill.

use std::path::PathBuf;

use clap::Args;
use gio_agent::files::{read_at_most, utf8};
use gio_agent::{Code, ExitStatus, Home, UserError};
use gio_content::content_root;
use gio_evm::{Chain, LeafFile, PayoutTree, PostedPayout, SendError, WalletInfo, WalletState};
use gio_protocol::{Address, B256, Gio};
use serde_json::json;

use super::period::told;
use super::{config, connect, print_result, usage, wallet_of};
use crate::domain::stats::Stats;
use crate::infra::leaves::{FOLDER, Leaves, Record};

/// Largest file of statistics: a million users of a BOINC export.
const STATS_BYTES_MAX: u64 = 1 << 30;
/// Posting is tried again when somebody else, such as the running hub, took the nonce in between.
const ATTEMPTS_MAX: u32 = 5;

#[derive(Clone, Debug, Args)]
pub(crate) struct Payout {
    /// Work by account: a BOINC export of users, or lines `account,credit`
    #[arg(long, value_name = "FILE")]
    stats: PathBuf,
    /// Earlier statistics of the same kind, whose credit was paid for already
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
    /// What the miners get together, in GIO, divided by credit
    #[arg(long, value_name = "GIO")]
    amount: Gio,
    /// Number of the payout: makes the same payment once more than it was made [default: the next, unless it was made]
    #[arg(long, value_name = "N")]
    epoch: Option<u32>,
    /// Show who would get what, and send nothing
    #[arg(long)]
    dry_run: bool,
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// What is to be posted.
struct Plan {
    wallet: Address,
    tree: PayoutTree,
    bytes: Vec<u8>,
    root: B256,
}

pub(crate) async fn payout(home: &Home, args: &Payout) -> Result<(), UserError> {
    let nets = nets(args)?;
    let config = config(home)?;
    let key = super::key(home)?;
    let leaves = Leaves::new(home.path(FOLDER));
    // Beside the running hub, but never beside another payout.
    let _lock = home.lock_for("payouts.lock").map_err(usage)?;
    let chain = connect(&config, Some(key.secret_bytes())).await?;
    let wallet = wallet_of(&config, &chain, key.address()).await?;
    let plan = plan(wallet, nets)?;
    let info = chain.wallet(wallet).await?;
    if info.owner != key.address() {
        let text = format!(
            "wallet {wallet} is {}'s, this hub is {}",
            info.owner,
            key.address()
        );
        return Err(refused(
            text,
            "change `wallet` in config.toml, or leave it out".to_owned(),
        ));
    }
    settle_doubts(&chain, wallet, &leaves).await?;
    let next = chain.payout_count(wallet).await?;
    let payouts = chain.payouts(wallet).await?;
    if let Some(posted) = posted_before(&plan, &payouts, next, args.epoch)? {
        // A hub that lost its disk has the file again.
        leaves.keep(plan.root, &plan.bytes)?;
        show(args, &plan, Some((&posted, true)));
        return Ok(());
    }
    check(&info, &plan)?;
    if args.dry_run {
        show(args, &plan, None);
        return Ok(());
    }
    leaves.keep(plan.root, &plan.bytes)?;
    let posted = post(&chain, &leaves, &plan, next).await?;
    show(args, &plan, Some((&posted, false)));
    Ok(())
}

fn nets(args: &Payout) -> Result<Vec<(Address, Gio)>, UserError> {
    let read = |path: &PathBuf| -> Result<Stats, UserError> {
        let named = |error: std::io::Error| {
            usage(error).hint(format!("{} must be a file of statistics", path.display()))
        };
        let bytes = read_at_most(path, STATS_BYTES_MAX).map_err(named)?;
        let text = utf8(bytes).map_err(named)?;
        Stats::read(&text).map_err(|error| usage(error).hint(format!("in {}", path.display())))
    };
    let mut stats = read(&args.stats)?;
    if let Some(earlier) = &args.since {
        stats = stats.since(&read(earlier)?).map_err(usage)?;
    }
    stats.divide(args.amount).map_err(usage)
}

fn plan(wallet: Address, nets: Vec<(Address, Gio)>) -> Result<Plan, UserError> {
    let tree = PayoutTree::new(nets).map_err(usage)?;
    let file = LeafFile {
        wallet,
        tree: tree.clone(),
    };
    let bytes = file.encode();
    Ok(Plan {
        wallet,
        tree,
        root: content_root(&bytes),
        bytes,
    })
}

/// The payout, if it was posted: by its number if one is named, otherwise by what it pays.
fn posted_before(
    plan: &Plan,
    payouts: &[PostedPayout],
    next: u32,
    epoch: Option<u32>,
) -> Result<Option<PostedPayout>, UserError> {
    let is_same =
        |payout: &&PostedPayout| payout.top == plan.tree.top() && payout.leaves_root == plan.root;
    let Some(epoch) = epoch else {
        return Ok(payouts.iter().rev().find(is_same).copied());
    };
    let found = payouts.iter().find(|payout| payout.epoch == epoch);
    match found {
        Some(payout) if is_same(&payout) => Ok(Some(*payout)),
        Some(payout) => {
            let text = format!(
                "payout {epoch} was posted with {} GIO for {} miners, which is another one",
                payout.net, payout.count
            );
            Err(refused(text, format!("the next payout is --epoch {next}")))
        }
        None if epoch == next => Ok(None),
        None => {
            let text = format!("payout {epoch} cannot be posted before payout {next}");
            Err(refused(
                text,
                format!("leave --epoch out, or say --epoch {next}"),
            ))
        }
    }
}

fn refused(text: String, hint: String) -> UserError {
    let error = UserError::new(text, ExitStatus::Usage).hint(hint);
    error.escrow("untouched; nothing was reserved")
}

fn check(info: &WalletInfo, plan: &Plan) -> Result<(), UserError> {
    if info.state != WalletState::Registered {
        let text = format!(
            "the wallet is {}, payouts need it registered",
            info.state.name()
        );
        return Err(UserError::of(Code::WalletState, text)
            .hint("`gio-hub register` begins a period")
            .escrow("untouched; nothing was reserved"));
    }
    let net = plan.tree.net();
    let gross = gross_up(net, info.parameters.lock_percent);
    if gross <= info.free {
        return Ok(());
    }
    let missing = gross.minus_or_zero(info.free);
    let text = format!(
        "{net} GIO for the miners take {gross} GIO with the lock, and {} GIO are free: {missing} GIO are missing",
        info.free
    );
    let hint = format!("send at least {missing} GIO to the wallet {}", plan.wallet);
    let error = UserError::of(Code::FundsGio, text).hint(hint);
    Err(error.escrow("untouched; nothing was reserved"))
}

/// `⌈net · 100 / (100 − percent)⌉`; the wallet computes the same and has the last word.
fn gross_up(net: Gio, lock_percent: u8) -> Gio {
    let left = u128::from(100 - lock_percent.min(99));
    let gross = (u128::from(net.units()) * 100).div_ceil(left);
    Gio::from_units(u64::try_from(gross).unwrap_or(u64::MAX))
}

/// Decides every payout that was written down and not seen through.
async fn settle_doubts(chain: &Chain, wallet: Address, leaves: &Leaves) -> Result<(), UserError> {
    let records = leaves.records()?;
    let doubts: Vec<Record> = records
        .into_iter()
        .filter(|record| record.tx.is_none())
        .collect();
    if doubts.is_empty() {
        return Ok(());
    }
    // Mined after everything this account sent before: what is not posted now never will be.
    let barrier = Box::pin(chain.reconcile(wallet, &[])).await;
    barrier.map_err(|error| told(error, "an earlier payout is not decided yet"))?;
    let payouts = chain.payouts(wallet).await?;
    for record in doubts {
        let is_it = |payout: &&PostedPayout| {
            payout.epoch >= record.epoch
                && payout.top == record.top
                && payout.leaves_root == record.leaves_root
        };
        match payouts.iter().find(is_it) {
            Some(payout) => complete(leaves, &record, payout)?,
            None => leaves.forget(record.epoch)?,
        }
    }
    Ok(())
}

fn complete(leaves: &Leaves, record: &Record, payout: &PostedPayout) -> Result<(), UserError> {
    if payout.epoch != record.epoch {
        leaves.forget(record.epoch)?;
    }
    leaves.write(&Record {
        epoch: payout.epoch,
        tx: Some(payout.tx),
        ..record.clone()
    })?;
    Ok(())
}

async fn post(
    chain: &Chain,
    leaves: &Leaves,
    plan: &Plan,
    next: u32,
) -> Result<PostedPayout, UserError> {
    let record = Record {
        epoch: next,
        leaves_root: plan.root,
        top: plan.tree.top(),
        count: plan.tree.count(),
        net: plan.tree.net(),
        tx: None,
    };
    let mut attempt = 1;
    loop {
        leaves.write(&record)?;
        let tree = &plan.tree;
        let sent = chain.post_payout(plan.wallet, tree.top(), tree.count(), plan.root);
        let sent = Box::pin(sent).await;
        gio_failpoint::fail_point!("hub.sent.epoch");
        let error = match sent {
            Ok(tx) => {
                let payout = tx.events.iter().find_map(PostedPayout::of);
                let payout = payout
                    .ok_or("the receipt holds no payout")
                    .map_err(|text| {
                        UserError::new(text, ExitStatus::Failure)
                            .escrow("reserved; run the command again")
                    })?;
                complete(leaves, &record, &payout)?;
                return Ok(payout);
            }
            Err(error) => error,
        };
        // What may still be mined is decided with a barrier, here or by the next run; everything else certainly was not
        // posted.
        match &error {
            SendError::Unresolved { .. } => return Err(told(error, "")),
            SendError::Rejected { .. } => {
                let error = told(
                    error,
                    "not known yet: the node may have taken the payout earlier",
                );
                return Err(error.hint("run the same command again; it looks at the chain first"));
            }
            SendError::NonceConflict { .. } if attempt < ATTEMPTS_MAX => {
                attempt += 1;
                settle_doubts(chain, plan.wallet, leaves).await?;
                let found = chain.payouts(plan.wallet).await?;
                let found = found
                    .into_iter()
                    .find(|payout| payout.epoch >= next && payout.leaves_root == plan.root);
                if let Some(payout) = found {
                    return Ok(payout);
                }
            }
            SendError::NonceConflict { .. } => return Err(told(error, "not decided yet")),
            _ => {
                leaves.forget(next)?;
                return Err(told(error, "untouched; nothing was reserved"));
            }
        }
    }
}

fn show(args: &Payout, plan: &Plan, posted: Option<(&PostedPayout, bool)>) {
    let Plan { tree, root, .. } = plan;
    let rest = args.amount.minus_or_zero(tree.net());
    let mut text = match posted {
        Some((payout, true)) => format!(
            "payout {} was posted before, in {}: nothing was sent\nthe same once more: --epoch {}",
            payout.epoch,
            payout.tx,
            payout.epoch + 1
        ),
        Some((payout, false)) => format!(
            "payout {}: {} GIO for {} miners, {} GIO locked until payday\ntransaction {}",
            payout.epoch, payout.net, payout.count, payout.lock, payout.tx
        ),
        None => format!(
            "{} GIO for {} miners; nothing was sent",
            tree.net(),
            tree.count()
        ),
    };
    text.push_str(&format!(
        "\nleaf file {root}; {rest} GIO stay with the hub by rounding"
    ));
    if posted.is_none() {
        for (miner, net) in tree.leaves() {
            text.push_str(&format!("\n{miner} {net}"));
        }
    }
    let value = json!({
        "wallet": plan.wallet,
        "epoch": posted.map(|(payout, _)| payout.epoch),
        "posted_before": posted.is_some_and(|(_, before)| before),
        "miners": tree.count(),
        "net": tree.net(),
        "locked": posted.map(|(payout, _)| payout.lock),
        "leaves_root": root,
        "tx": posted.map(|(payout, _)| payout.tx),
    });
    print_result(args.json, &text, &value);
}
