//! Payouts by proof (R9) of wallets this miner worked for: found, proven and claimed while it runs.
//!
//! # Correctness
//! What a wallet posted, and each leaf of this miner's with its proof, is in the store before anything is claimed, so a
//! restart goes on where it was. Whether a leaf is claimed is asked of the chain before each claim, and the wallet pays a
//! leaf once, whoever sends the claim: this loop, the command `claim`, or somebody else. A claim is looked at again for
//! `DOUBT_SECONDS`, so that one which a reorganisation takes back is made again.
//! Nothing of this is pay for a deal: it changes no trust and no exposure.
//!
//! # Security
//! A hub decides how many payouts there are and how long its leaf files take to come. Those too small to be worth a claim
//! are not fetched, a round takes a few of each wallet, and what fails waits longer each time.

pub mod proof;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gio_evm::LeafFile;
use gio_protocol::{Address, B256, Gio, UnixSeconds};
use tokio::time::{MissedTickBehavior, interval, timeout};

use self::proof::{PayoutError, Proven, Sent};
use super::fetch::Source;
use super::{Deps, now};
use crate::domain::waits::Waits;
use crate::infra::observe;
use crate::infra::store::{Change, PartRow, PayoutRow, StoreError};

/// How often wallets are looked at: as often as for pay. A payout waits without time limit, so more often is of no use.
const EVERY: Duration = Duration::from_secs(60);
/// The longest wait of what fails: about an hour.
const ROUNDS_MAX: u64 = 64;
/// Leaf files of one wallet that are fetched in a round: a hub posts one in days.
const FILES_MAX: usize = 4;
/// Leaves of one wallet that are looked at in a round: each may take a transaction to be mined, for which the chain's
/// sender waits no longer than it does for any other.
const PARTS_MAX: usize = 16;
/// Blocks that are looked at again: deeper than a chain's reorganisations reach.
const BLOCKS_AGAIN: u64 = 64;
/// Blocks without news after which it is written down how far was looked: a restart asks for no more than these again.
const BLOCKS_UNWRITTEN_MAX: u64 = 2_000;
/// How long after a claim the chain is asked whether it still knows it.
const DOUBT_SECONDS: u64 = 3600;
/// How long a leaf file may take, whatever its length, and per byte: half a minute for those of a thousand miners. A hub
/// that sends none keeps the other hubs' payouts waiting for so long, once in every wait.
const FETCH_TIMEOUT: Duration = Duration::from_secs(30);
const FETCH_BYTES_PER_SECOND_MIN: u64 = 64 << 10;

/// What waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    File(Address, u32),
    Part(Address, u32, u32),
}

/// Whether to go on with a wallet in this round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    GoOn,
    /// What failed would fail the next one, too.
    Stop,
}

/// The loop's own memory.
struct Payouts {
    deps: Arc<Deps>,
    waits: Waits<What>,
    /// The least sum of the last round.
    least: Gio,
    /// Up to which block was looked, by wallet: what is in the store may be a little behind.
    looked: BTreeMap<Address, u64>,
}

/// Runs until the miner ends.
pub async fn run(deps: Arc<Deps>) {
    let mut rounds = interval(EVERY);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut payouts = Payouts {
        deps: Arc::clone(&deps),
        waits: Waits::new(ROUNDS_MAX),
        least: Gio::ZERO,
        looked: BTreeMap::new(),
    };
    loop {
        tokio::select! {
            () = deps.stop.ended.cancelled() => return,
            () = deps.payouts_wake.notified() => {}
            _ = rounds.tick() => {}
        }
        tokio::select! {
            // A claim that was sent is found by the next start.
            () = deps.stop.ended.cancelled() => return,
            round = payouts.round() => if let Err(error) = round {
                return deps.fatal("payouts", error);
            }
        }
    }
}

impl Payouts {
    /// Looks at every wallet once.
    async fn round(&mut self) -> Result<(), StoreError> {
        let least = self.deps.config().payout_claim_min;
        if least == Gio::ZERO {
            return Ok(());
        }
        self.waits.begin_round();
        if least != self.least {
            // What was too small may be worth it now.
            self.waits.forget_all();
            self.least = least;
        }
        for wallet in self.deps.store.wallets().await? {
            if self.look(wallet).await? == Next::GoOn {
                self.prove_all(wallet).await?;
                self.claim_all(wallet).await?;
            }
        }
        let totals = self.deps.store.payout_totals(None).await?;
        observe::payouts_open(totals.open_parts, totals.unproven);
        Ok(())
    }

    /// Finds what the wallet has posted since the last look.
    async fn look(&mut self, wallet: Address) -> Result<Next, StoreError> {
        let store = &self.deps.store;
        let written = store.payouts_until(wallet).await?;
        let looked = self.looked.get(&wallet).copied().or(written);
        let from = looked.map(|block| block.saturating_sub(BLOCKS_AGAIN));
        let seen = match self.deps.chain.payouts_since(wallet, from).await {
            Ok(seen) => seen,
            Err(error) => {
                observe::chain_silent(wallet, &error);
                return Ok(Next::Stop);
            }
        };
        let mut posted = Vec::new();
        for payout in &seen.payouts {
            let row = PayoutRow::of(wallet, payout);
            if store.payout(wallet, row.epoch).await? != Some(row) {
                observe::payout_posted(&row);
                posted.push(row);
            }
        }
        let until = seen.until.max(looked.unwrap_or(0));
        let is_behind = written.is_none_or(|block| until - block.min(until) > BLOCKS_UNWRITTEN_MAX);
        if is_behind || !posted.is_empty() {
            let seen = Change::PayoutsPosted {
                wallet,
                posted,
                until,
            };
            store.apply(vec![seen]).await?;
            gio_failpoint::fail_point!("miner.wrote.payouts");
        }
        self.looked.insert(wallet, until);
        Ok(Next::GoOn)
    }

    /// Fetches and proves leaf files, and writes this miner's leaves down.
    async fn prove_all(&mut self, wallet: Address) -> Result<(), StoreError> {
        let deps = Arc::clone(&self.deps);
        let unproven = deps.store.unproven_payouts(wallet, self.least).await?;
        let due = |payout: &PayoutRow| self.waits.is_due(&What::File(wallet, payout.epoch));
        let due: Vec<PayoutRow> = unproven.into_iter().filter(due).take(FILES_MAX).collect();
        for payout in due {
            let parts = match self.parts_of(payout).await {
                Ok(parts) => parts,
                Err(error) => {
                    observe::payout_not_proven(&payout, &error);
                    self.waits.again(What::File(wallet, payout.epoch));
                    if matches!(error, PayoutError::NotProven(_)) {
                        continue;
                    }
                    // The others would wait as long for a hub that is away.
                    break;
                }
            };
            observe::payout_proven(&payout, parts.len());
            let proven = Change::PayoutProven { payout, parts };
            deps.store.apply(vec![proven]).await?;
            gio_failpoint::fail_point!("miner.wrote.payout_parts");
        }
        Ok(())
    }

    /// This miner's leaves of a payout. The file is kept where they are worth a claim: others may need it.
    async fn parts_of(&self, payout: PayoutRow) -> Result<Vec<PartRow>, PayoutError> {
        let deps = &self.deps;
        let kept = proof::kept(&deps.leaves, payout).await;
        let is_kept = kept.is_some();
        let Proven { file, bytes } = match kept {
            Some(proven) => proven,
            None => self.fetch(payout).await?,
        };
        let claims = proof::claims_of(&file, payout.epoch, deps.owner());
        let is_worth = claims.iter().any(|claim| claim.net >= self.least);
        if is_worth && !is_kept {
            proof::keep(&deps.leaves, bytes).await?;
        }
        let parts = claims.into_iter().map(|claim| PartRow::of(payout, claim));
        Ok(parts.collect())
    }

    /// The leaf file from its hub, within its time.
    async fn fetch(&self, payout: PayoutRow) -> Result<Proven, PayoutError> {
        let length = LeafFile::bytes_of(payout.count) as u64;
        let limit = FETCH_TIMEOUT + Duration::from_secs(length / FETCH_BYTES_PER_SECOND_MIN);
        let source = self.source(payout.wallet).await?;
        let fetched = timeout(limit, proof::fetch(&self.deps.net, &source, payout)).await;
        fetched.unwrap_or_else(|_| {
            let text = format!("the leaf file did not come within {} s", limit.as_secs());
            Err(PayoutError::Unreachable(text))
        })
    }

    /// Where the hub of a wallet is: where this miner works for it, or where the register says.
    async fn source(&self, wallet: Address) -> Result<Source, PayoutError> {
        if let Some(desk) = self.deps.desks.get(wallet) {
            return Ok(desk.source());
        }
        let nobody = || PayoutError::Unreachable("the register names no place".to_owned());
        let hub = self.deps.chain.hub(wallet).await?.ok_or_else(nobody)?;
        let peer = hub.endpoint_peer.ok_or_else(nobody)?;
        proof::source_of(&format!("{}/p2p/{peer}", hub.endpoint))
    }

    /// Claims what is worth it and finds out what is claimed.
    async fn claim_all(&mut self, wallet: Address) -> Result<(), StoreError> {
        let since = UnixSeconds(now().0.saturating_sub(DOUBT_SECONDS));
        let unsettled = self.deps.store.unsettled_parts(wallet, since).await?;
        let due = |part: &PartRow| self.waits.is_due(&key_of(part));
        let due: Vec<PartRow> = unsettled.into_iter().filter(due).take(PARTS_MAX).collect();
        for part in due {
            // Settled or not, it is looked at again later, unless it is over.
            self.waits.again(key_of(&part));
            if self.settle(&part).await? == Next::Stop {
                break;
            }
        }
        Ok(())
    }

    async fn settle(&self, part: &PartRow) -> Result<Next, StoreError> {
        let (chain, payout) = (self.deps.chain.as_ref(), &part.payout);
        let claim = part.claim(self.deps.owner());
        match proof::is_claimed(chain, payout, &claim).await {
            Ok(true) => {
                if !part.is_claimed {
                    self.claimed(part, None).await?;
                }
                return Ok(Next::GoOn);
            }
            Ok(false) if part.net < self.least => return Ok(Next::GoOn),
            Ok(false) => {}
            Err(error) => {
                observe::payout_not_claimed(part, &error);
                return Ok(Next::Stop);
            }
        }
        match proof::claim(chain, payout.wallet, &claim).await {
            Ok(Sent::Claimed(tx)) => self.claimed(part, Some(tx)).await?,
            // Not before the chain says that it is claimed: what waits may never be mined.
            Ok(Sent::Before) => {}
            Err(error) => {
                observe::payout_not_claimed(part, &error);
                if !is_of_this_leaf(&error) {
                    return Ok(Next::Stop);
                }
            }
        }
        Ok(Next::GoOn)
    }

    async fn claimed(&self, part: &PartRow, tx: Option<B256>) -> Result<(), StoreError> {
        let claimed = Change::PartClaimed {
            part: Box::new(part.clone()),
            tx,
            at: now(),
        };
        self.deps.store.apply(vec![claimed]).await?;
        gio_failpoint::fail_point!("miner.wrote.payout_claimed");
        observe::payout_claimed(part, tx);
        let console = self.deps.console;
        console.claimed(part.payout.wallet, part.payout.epoch, part.net);
        Ok(())
    }
}

fn key_of(part: &PartRow) -> What {
    let PayoutRow { wallet, epoch, .. } = part.payout;
    What::Part(wallet, epoch, part.leaf)
}

/// Whether the wallet refused this leaf, and not the chain or the account all of them.
fn is_of_this_leaf(error: &PayoutError) -> bool {
    matches!(error, PayoutError::Send(failure) if failure.0.revert().is_some())
}
