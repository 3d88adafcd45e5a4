//! `gio-miner claim`: takes this miner's parts of hubs' payouts (R9), also of hubs it never worked for.
//!
//! # Correctness
//! What is a proof and how it is claimed says `services/payouts/proof.rs`. Files are kept before anything is claimed, so
//! that a hub that dies takes nothing with it. Which leaves are claimed is asked of the chain, so the command can be
//! repeated, also beside a running miner that claims by itself.

use std::path::{Path, PathBuf};

use clap::Args;
use gio_agent::files::read_at_most;
use gio_agent::{Code, ExitStatus, Home, UserError, printable};
use gio_evm::{Chain, HubInfo, LeafFile, PayoutClaim, WalletState};
use gio_net::Net;
use gio_protocol::{Address, B256, Gio};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::chain::{Own, open, send_error};
use super::usage;
use crate::infra::chain::{ChainFailure, EvmChain};
use crate::infra::console::result;
use crate::infra::leaves::Leaves;
use crate::infra::store::PayoutRow;
use crate::services::payouts::proof::{self, PayoutError, Sent};

/// Hubs asked about when none is named: the register's first; whoever works for a later one names it.
const HUBS_MAX: u64 = 1_000;
const PAGE: u64 = 100;

/// Arguments of `claim`.
#[derive(Clone, Debug, Args)]
pub struct Claim {
    /// A hub's wallet; may be repeated [default: every hub in the register]
    #[arg(long, value_name = "ADDRESS")]
    wallet: Vec<Address>,
    /// A leaf file from elsewhere, for a hub that does not answer any more; may be repeated
    #[arg(long, value_name = "FILE")]
    leaves: Vec<PathBuf>,
    /// Fetch, check and keep the proofs, and claim nothing yet
    #[arg(long)]
    keep_only: bool,
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// What became of one leaf, or of a whole payout that nobody could prove.
struct Line {
    wallet: Address,
    epoch: u32,
    net: Gio,
    what: Outcome,
}

enum Outcome {
    Claimed(B256),
    ClaimedBefore,
    Proven,
    Failed(UserError),
}

/// Claims.
///
/// # Errors
/// If a payout cannot be proven or claimed; the others are claimed all the same.
pub async fn run(home: &Home, args: &Claim) -> Result<(), UserError> {
    let own = open(home).await?;
    let _lock = own.lock(home)?;
    let leaves = Leaves::in_home(home.folder());
    for path in &args.leaves {
        take_over(path, &leaves)?;
    }
    let hubs = hubs(&own.chain, &args.wallet).await?;
    let claimer = Claimer {
        own: &own,
        chain: EvmChain::new(own.chain.clone(), own.account),
        leaves,
        keep_only: args.keep_only,
    };
    let stop = CancellationToken::new();
    let mut net = None;
    let mut lines = Vec::new();
    for hub in &hubs {
        claimer.hub(hub, &mut net, &stop, &mut lines).await?;
    }
    stop.cancel();
    if let Some(net) = net {
        net.stopped().await;
    }
    show(&own, args, lines)
}

/// A file somebody handed over: whatever it is, it is kept under its own content root.
fn take_over(path: &Path, leaves: &Leaves) -> Result<(), UserError> {
    let named = |error: std::io::Error| {
        usage(error).hint(format!("{} must be a leaf file", path.display()))
    };
    let bytes = read_at_most(path, LeafFile::BYTES_MAX as u64).map_err(named)?;
    LeafFile::decode(&bytes).map_err(|error| {
        usage(error).hint(format!("{} is damaged; get it again", path.display()))
    })?;
    leaves.keep(&bytes).map_err(usage)
}

async fn hubs(chain: &Chain, named: &[Address]) -> Result<Vec<HubInfo>, UserError> {
    let mut hubs = Vec::new();
    if named.is_empty() {
        while (hubs.len() as u64) < HUBS_MAX {
            let page = chain.hubs(hubs.len() as u64, PAGE).await?;
            let is_last = (page.len() as u64) < PAGE;
            hubs.extend(page);
            if is_last {
                break;
            }
        }
    }
    for wallet in named {
        hubs.push(chain.hub(*wallet).await.map_err(|error| {
            usage(error).hint("is this a hub's wallet of the market in config.toml?")
        })?);
    }
    Ok(hubs)
}

struct Claimer<'a> {
    own: &'a Own,
    chain: EvmChain,
    leaves: Leaves,
    keep_only: bool,
}

impl Claimer<'_> {
    async fn hub(
        &self,
        hub: &HubInfo,
        net: &mut Option<Net>,
        stop: &CancellationToken,
        lines: &mut Vec<Line>,
    ) -> Result<(), UserError> {
        for posted in self.own.chain.payouts(hub.wallet).await? {
            // A payout that was claimed to the last unit needs no proof any more.
            let (_, reserve) = self.own.chain.payout_kept(hub.wallet, posted.epoch).await?;
            if reserve == Gio::ZERO {
                continue;
            }
            let payout = PayoutRow::of(hub.wallet, &posted);
            let line = |net, what| Line {
                wallet: hub.wallet,
                epoch: payout.epoch,
                net,
                what,
            };
            let file = match self.file(hub, payout, net, stop).await {
                Ok(file) => file,
                Err(error) => {
                    lines.push(line(Gio::ZERO, Outcome::Failed(error)));
                    continue;
                }
            };
            for claim in proof::claims_of(&file, payout.epoch, self.own.account) {
                let what = self.claim(hub, &payout, &claim).await;
                let what = what.unwrap_or_else(|error| Outcome::Failed(told(error)));
                lines.push(line(claim.net, what));
            }
        }
        Ok(())
    }

    /// The leaf file of a payout, from this miner's folder or from the hub; proven, and on disk.
    async fn file(
        &self,
        hub: &HubInfo,
        payout: PayoutRow,
        net: &mut Option<Net>,
        stop: &CancellationToken,
    ) -> Result<LeafFile, UserError> {
        if let Some(kept) = proof::kept(&self.leaves, payout).await {
            return Ok(kept.file);
        }
        if net.is_none() {
            *net = Some(self.start_net(stop).await?);
        }
        let net = net.as_ref().expect("it was started above");
        let source = proof::source_of(&hub.endpoint).map_err(told)?;
        let fetched = proof::fetch(net, &source, payout).await.map_err(told)?;
        let kept = proof::keep(&self.leaves, fetched.bytes).await;
        kept.map_err(told)?;
        Ok(fetched.file)
    }

    /// A node with a key of its own: the running miner goes on under this miner's.
    async fn start_net(&self, stop: &CancellationToken) -> Result<Net, UserError> {
        let key = gio_keys::MachineKey::from_bytes(&gio_agent::random_word())
            .expect("a random word is a key but once in 2^128");
        let mut settings = self.own.config.net(key).map_err(usage)?;
        settings.listen = Vec::new();
        Ok(Net::start(settings, stop.clone()).await?)
    }

    async fn claim(
        &self,
        hub: &HubInfo,
        payout: &PayoutRow,
        claim: &PayoutClaim,
    ) -> Result<Outcome, PayoutError> {
        if proof::is_claimed(&self.chain, payout, claim).await? {
            return Ok(Outcome::ClaimedBefore);
        }
        if self.keep_only {
            return Ok(Outcome::Proven);
        }
        if hub.state == WalletState::Suspected {
            return Err(PayoutError::Suspected);
        }
        match Box::pin(proof::claim(&self.chain, hub.wallet, claim)).await? {
            Sent::Claimed(tx) => Ok(Outcome::Claimed(tx)),
            Sent::Before => Ok(Outcome::ClaimedBefore),
        }
    }
}

/// Why a payout is not proven or not claimed, and what that means for the money.
fn told(error: PayoutError) -> UserError {
    const KEPT: &str = "yours, without time limit: the proof is kept";
    match error {
        PayoutError::Unreachable(text) => UserError::of(Code::HubUnreachable, printable(&text))
            .hint("somebody else's copy of the leaf file does as well: --leaves FILE")
            .escrow("reserved in the hub's wallet, without time limit")
            .retryable(),
        PayoutError::NotProven(text) => UserError::new(text, ExitStatus::BadResult).hint(
            "you are not paid by this payout; ask the hub, or accuse it (docs/governance.md section 8)",
        ),
        PayoutError::Suspected => UserError::of(Code::WalletState, error.to_string())
            .retryable()
            .escrow(KEPT),
        PayoutError::Disk(error) => usage(error),
        PayoutError::Thread(error) => error.into(),
        PayoutError::Chain(ChainFailure::Chain(error)) => error.into(),
        PayoutError::Chain(ChainFailure::Account(error)) => send_error(*error, KEPT),
        PayoutError::Send(failure) => send_error(*failure.0, KEPT),
    }
}

fn show(own: &Own, args: &Claim, lines: Vec<Line>) -> Result<(), UserError> {
    let mut text = Vec::new();
    let mut values: Vec<Value> = Vec::new();
    let mut failed = None;
    let mut claimed = 0u64;
    for line in lines {
        let Line {
            wallet,
            epoch,
            net,
            what,
        } = line;
        let (word, tx) = match &what {
            Outcome::Claimed(tx) => {
                claimed += net.units();
                ("claimed", Some(*tx))
            }
            Outcome::ClaimedBefore => ("claimed before", None),
            Outcome::Proven => ("proven, not claimed yet", None),
            Outcome::Failed(_) => ("not claimed", None),
        };
        let mut said = format!("payout {epoch} of {wallet}: {net} GIO {word}");
        if let Outcome::Failed(error) = what {
            said = format!(
                "payout {epoch} of {wallet}: {}",
                printable(&error.cause.to_string())
            );
            failed = failed.or(Some(error));
        }
        text.push(said);
        values.push(json!({
            "wallet": wallet, "epoch": epoch, "net": net.to_string(), "outcome": word, "tx": tx,
        }));
    }
    let claimed = Gio::from_units(claimed);
    text.push(format!("{claimed} GIO came to {}", own.account));
    let value = json!({ "miner": own.account, "claimed": claimed.to_string(), "payouts": values });
    result(args.json, &text.join("\n"), &value);
    failed.map_or(Ok(()), Err)
}
