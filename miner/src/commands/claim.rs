//! `gio-miner claim`: takes this miner's parts of hubs' payouts (R9).
//!
//! # Correctness
//! A leaf counts only after it was proven: the file's content root is the one in the event, its tree's top is the posted
//! one, and the wallet keeps the root of that top. Files are kept before anything is claimed, so that a hub that dies
//! takes nothing with it. Which leaves are claimed is asked of the chain, so the command can be repeated.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use gio_agent::files::{Access, write_durably};
use gio_agent::{Code, ExitStatus, Home, UserError, printable};
use gio_content::{ContentRef, content_root};
use gio_evm::{Chain, HubInfo, LeafFile, PayoutClaim, PostedPayout, RevertReason, WalletState};
use gio_net::{Multiaddr, Net, blob};
use gio_protocol::{Address, B256, Gio};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::chain::{Own, open, send_error};
use super::usage;
use crate::infra::console::result;
use crate::infra::wire::content_ref;

/// Where leaf files are kept in the miner's home.
const FOLDER: &str = "payouts";
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
    let folder = home.path(FOLDER);
    for path in &args.leaves {
        take_over(path, &folder)?;
    }
    let hubs = hubs(&own.chain, &args.wallet).await?;
    let claimer = Claimer {
        own: &own,
        folder,
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
fn take_over(path: &Path, folder: &Path) -> Result<(), UserError> {
    let named = |error: std::io::Error| {
        usage(error).hint(format!("{} must be a leaf file", path.display()))
    };
    if fs::metadata(path).map_err(named)?.len() > LeafFile::BYTES_MAX as u64 {
        let text = format!("{} is no leaf file: it is too long", path.display());
        return Err(UserError::new(text, ExitStatus::Usage));
    }
    let bytes = fs::read(path).map_err(named)?;
    LeafFile::decode(&bytes).map_err(|error| {
        usage(error).hint(format!("{} is damaged; get it again", path.display()))
    })?;
    let kept = file_name(folder, content_root(&bytes));
    write_durably(&kept, &bytes, Access::Public).map_err(usage)?;
    Ok(())
}

fn file_name(folder: &Path, root: B256) -> PathBuf {
    folder.join(format!("{root:x}.leaves"))
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
    folder: PathBuf,
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
        for payout in self.own.chain.payouts(hub.wallet).await? {
            // A payout that was claimed to the last unit needs no proof any more.
            let (_, reserve) = self.own.chain.payout_kept(hub.wallet, payout.epoch).await?;
            if reserve == Gio::ZERO {
                continue;
            }
            let line = |net, what| Line {
                wallet: hub.wallet,
                epoch: payout.epoch,
                net,
                what,
            };
            let file = match self.file(hub, &payout, net, stop).await {
                Ok(file) => file,
                Err(error) => {
                    lines.push(line(Gio::ZERO, Outcome::Failed(error)));
                    continue;
                }
            };
            let own: BTreeSet<u32> = (0..)
                .zip(file.tree.leaves())
                .filter_map(|(index, (miner, _))| (*miner == self.own.account).then_some(index))
                .collect();
            for index in own {
                let claim = file.tree.claim(payout.epoch, index);
                let claim = claim.expect("the index is of one of its leaves");
                let what = self.claim(hub, &payout, &claim).await;
                lines.push(line(claim.net, what.unwrap_or_else(Outcome::Failed)));
            }
        }
        Ok(())
    }

    /// The leaf file of a payout, from this miner's folder or from the hub; proven, and on disk.
    async fn file(
        &self,
        hub: &HubInfo,
        payout: &PostedPayout,
        net: &mut Option<Net>,
        stop: &CancellationToken,
    ) -> Result<LeafFile, UserError> {
        let path = file_name(&self.folder, payout.leaves_root);
        if let Ok(bytes) = fs::read(&path)
            && let Ok(file) = prove(&bytes, hub, payout)
        {
            return Ok(file);
        }
        if net.is_none() {
            *net = Some(self.start_net(stop).await?);
        }
        let net = net.as_ref().expect("it was started above");
        let bytes = fetch(net, hub, payout).await?;
        let file = prove(&bytes, hub, payout)?;
        write_durably(&path, &bytes, Access::Public).map_err(usage)?;
        Ok(file)
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
        payout: &PostedPayout,
        claim: &PayoutClaim,
    ) -> Result<Outcome, UserError> {
        if !claim.is_in(payout.top) {
            return Err(not_proven("the leaf does not lead to the posted root"));
        }
        let chain = &self.own.chain;
        if chain
            .is_claimed(hub.wallet, payout.epoch, claim.index)
            .await?
        {
            return Ok(Outcome::ClaimedBefore);
        }
        if self.keep_only {
            return Ok(Outcome::Proven);
        }
        if hub.state == WalletState::Suspected {
            let text = "the wallet is suspected: claims wait until that ends";
            let error = UserError::of(Code::WalletState, text).retryable();
            return Err(error.escrow("yours, without time limit: the proof is kept"));
        }
        let sent = Box::pin(chain.claim_payout(hub.wallet, claim)).await;
        gio_failpoint::fail_point!("miner.sent.claim");
        match sent {
            Ok(sent) => Ok(Outcome::Claimed(sent.hash)),
            Err(error) => match error.revert() {
                // A claim of before was mined in between, or somebody else sent it: the money came here.
                Some(RevertReason::PayoutClaimedAlready { .. }) => Ok(Outcome::ClaimedBefore),
                _ => Err(send_error(
                    error,
                    "yours, without time limit: the proof is kept",
                )),
            },
        }
    }
}

/// A file is a proof if its bytes are those the wallet named and its tree is the posted one.
fn prove(bytes: &[u8], hub: &HubInfo, payout: &PostedPayout) -> Result<LeafFile, UserError> {
    let root = content_root(bytes);
    if root != payout.leaves_root {
        let text = format!("the leaf file is {root}, posted was {}", payout.leaves_root);
        return Err(not_proven(&text));
    }
    let file = LeafFile::decode(bytes).map_err(|error| not_proven(&error.to_string()))?;
    let is_posted = file.wallet == hub.wallet
        && file.tree.top() == payout.top
        && file.tree.count() == payout.count;
    if !is_posted {
        return Err(not_proven(
            "its leaves are not those of the posted root: this hub promised nothing",
        ));
    }
    Ok(file)
}

fn not_proven(text: &str) -> UserError {
    let hint =
        "you are not paid by this payout; ask the hub, or accuse it (docs/governance.md section 8)";
    UserError::new(text, ExitStatus::BadResult).hint(hint)
}

async fn fetch(net: &Net, hub: &HubInfo, payout: &PostedPayout) -> Result<Vec<u8>, UserError> {
    let unreachable = |text: String| {
        UserError::of(Code::HubUnreachable, text)
            .hint("somebody else's copy of the leaf file does as well: --leaves FILE")
            .escrow("reserved in the hub's wallet, without time limit")
            .retryable()
    };
    let addr: Multiaddr = hub.endpoint.parse().map_err(|_| {
        unreachable(format!(
            "`{}` in the register is no multiaddr",
            printable(&hub.endpoint)
        ))
    })?;
    let peer = net.dial(addr.clone()).await;
    let (peer, _) = peer.map_err(|error| unreachable(error.to_string()))?;
    let channel = net.channel(peer, &[addr]).await;
    let channel = channel.map_err(|error| unreachable(error.to_string()))?;
    let content = ContentRef {
        root: payout.leaves_root,
        length: LeafFile::bytes_of(payout.count) as u64,
    };
    let bytes = blob::download(channel, &content_ref(content), LeafFile::BYTES_MAX as u64).await;
    let bytes = bytes.map_err(|error| unreachable(error.to_string()))?;
    Ok(bytes.to_vec())
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
